"""`LastBlock`: a file of ranges with one block in memory, for random and for sequential access.

A read in another place than the last one fetches what it was asked for, and nothing more. A read that continues in the
block that was fetched last fetches ahead: at first as much as it asks for and 64 KiB at least, then twice as much each
time, up to a limit. So a thousand small reads in random places of a large file cost no extra byte, and a sequential
reader soon makes few large requests.

A request costs about as much as `WORTH_A_REQUEST` more bytes. Once the requests for a file that is not larger than the
limit have cost as much as its content, the next one fetches the rest of it, or all of it after a seek. So the cost of
any access to a small file is at most about twice the least one, and one look at its header fetches the header only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

WORTH_A_REQUEST: Final = 1024 * 1024
"""Bytes: the distance within which ranges share a request by default (`gap` of `Operator.reader`)."""

FIRST_AHEAD: Final = 64 * 1024


class LastBlock:
    """Keeps the last block that was fetched, and fetches ahead while the access is sequential.

    Arguments:
        fetch: returns the bytes from a start to an end.
        size: the size of the file in bytes.
        largest: the largest number of bytes to fetch ahead, and the size of the largest file to keep whole.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, largest: int) -> None:
        self._fetch = fetch
        self._size = size
        self._largest = largest
        self._block = b""
        self._start = 0
        self._ahead = 0
        self._requests = 0

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
        if self._is_worth_all():
            start, stop = (start if continues else 0), self._size
        else:
            self._ahead = self._next_ahead(stop - start) if continues else 0
            stop = min(stop + self._ahead, self._size)
        fetched = self._fetch(start + len(kept), stop)
        self._block = kept + fetched if kept else fetched
        self._start = start
        self._requests += 1

    def _next_ahead(self, length: int) -> int:
        return min(max(FIRST_AHEAD, length, 2 * self._ahead), self._largest)

    def _is_worth_all(self) -> bool:
        return self._size <= min(self._largest, self._requests * WORTH_A_REQUEST)
