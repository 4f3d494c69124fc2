"""`GrowingReadAhead`: the cache of files opened for reading, made for random and for sequential access.

A read in another place than the last one fetches what it was asked for, and nothing more. A read that continues in the
block that was fetched last fetches ahead: at first 64 KiB, then twice as much each time, up to the block size of the
file. So a thousand small reads in random places cost no extra byte, and a sequential reader soon makes few large
requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from fsspec.caching import BaseCache

FIRST_AHEAD: Final = 64 * 1024


class GrowingReadAhead(BaseCache):  # type: ignore[misc]  # fsspec has no types
    """Keeps the last block that was fetched, and fetches ahead while the access is sequential.

    Arguments:
        blocksize: the largest number of bytes to fetch ahead.
        fetcher: returns the bytes from a start to an end.
        size: the size of the file in bytes.
    """

    name: ClassVar[str] = "growing"

    def __init__(self, blocksize: int, fetcher: Callable[[int, int], bytes], size: int) -> None:
        super().__init__(blocksize, fetcher, size)
        self._block = b""
        self._start = 0
        self._ahead = 0

    def _fetch(self, start: int | None, stop: int | None) -> bytes:
        start = 0 if start is None else start
        stop = self.size if stop is None else min(stop, self.size)
        if start >= stop:
            return b""
        end = self._start + len(self._block)
        continues = bool(self._block) and self._start <= start <= end
        if continues and stop <= end:
            self.hit_count += 1
            return self._block[start - self._start : stop - self._start]
        self.miss_count += 1
        self._ahead = min(max(FIRST_AHEAD, 2 * self._ahead), self.blocksize) if continues else 0
        kept = self._block[start - self._start :] if continues else b""
        self._block = kept + self._fetched(start + len(kept), min(stop + self._ahead, self.size))
        self._start = start
        return self._block[: stop - start]

    def _fetched(self, start: int, stop: int) -> bytes:
        self.total_requested_bytes += stop - start
        return bytes(self.fetcher(start, stop))
