"""`LineFinder`: the lines of a file of ranges, from blocks in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BLOCK: Final = 8 * 1024


class LineFinder:
    """Reads to the end of a line, and keeps the last block for the lines after it.

    It has no position, so the caller may read elsewhere between two lines. The content must stay the same.

    Arguments:
        fetch: returns the bytes from a start to an end.
        size: the size of the file in bytes.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._start = 0
        self._block = b""

    def read(self, start: int, stop: int, separator: bytes = b"\n", block: int = BLOCK) -> bytes:
        """Returns the bytes to the next separator, which is included, or to the stop or the end of the file.

        Arguments:
            start: the first byte.
            stop: the byte after the last that may be returned.
            separator: the bytes that end a line.
            block: bytes to fetch in each step.
        """
        stop = min(stop, self._size)
        line = bytearray()
        if 0 <= (offset := start - self._start) < len(self._block):
            if (end := self._block.find(separator, offset, stop - self._start)) >= 0:
                return self._block[offset : end + len(separator)]
            line += self._block[offset : max(offset, stop - self._start)]
        while start + len(line) < stop:
            searched = max(0, len(line) - len(separator) + 1)  # a separator may begin in one block and end in the next
            at = start + len(line)
            fetched = self._fetch(at, min(at + block, self._size))
            self._start, self._block = at, fetched  # only now: a fetch that fails leaves the block before
            if not self._block:
                break
            line += self._block
            if (end := line.find(separator, searched, stop - start)) >= 0:
                del line[end + len(separator) :]
                break
        return bytes(line[: max(0, stop - start)])
