"""`LastBlock`: a file of ranges with one block in memory, for random and for sequential access.

A read in another place than the last one fetches what it was asked for, and nothing more. A read that continues in the
block that was fetched last fetches ahead: at first 64 KiB, then twice as much each time, up to a limit. So a thousand
small reads in random places cost no extra byte, and a sequential reader soon makes few large requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST_AHEAD: Final = 64 * 1024


class LastBlock:
    """Keeps the last block that was fetched, and fetches ahead while the access is sequential.

    Arguments:
        fetch: returns the bytes from a start to an end.
        size: the size of the file in bytes.
        largest: the largest number of bytes to fetch ahead.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, largest: int) -> None:
        self._fetch = fetch
        self._size = size
        self._largest = largest
        self._block = b""
        self._start = 0
        self._ahead = 0

    def has(self, start: int, stop: int) -> bool:
        """Whether a range is in the block that was fetched last."""
        return bool(self._block) and self._start <= start and stop <= self._start + len(self._block)

    def read(self, start: int, stop: int) -> bytes:
        """Returns the bytes of a range, fewer at the end of the file.

        Arguments:
            start: the first byte.
            stop: the byte after the last.
        """
        stop = min(stop, self._size)
        if start >= stop:
            return b""
        if not self.has(start, stop):
            self._fetch_block(start, stop)
        return self._block[start - self._start : stop - self._start]

    def _fetch_block(self, start: int, stop: int) -> None:
        continues = self.has(start, start)
        kept = self._block[start - self._start :] if continues else b""
        self._ahead = min(max(FIRST_AHEAD, 2 * self._ahead), self._largest) if continues else 0
        self._block = kept + self._fetch(start + len(kept), min(stop + self._ahead, self._size))
        self._start = start
