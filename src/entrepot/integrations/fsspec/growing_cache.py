"""`GrowingCache`: the cache of files opened for reading, by the rules of `integrations/last_block.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from fsspec.caching import BaseCache

from entrepot.integrations.last_block import LastBlock


class GrowingCache(BaseCache):  # type: ignore[misc]  # fsspec has no types
    """The cache of fsspec's name `"growing"`: fetches ahead while the access is sequential.

    Arguments:
        blocksize: the largest number of bytes to fetch ahead.
        fetcher: returns the bytes from a start to an end.
        size: the size of the file in bytes.
    """

    name: ClassVar[str] = "growing"

    def __init__(self, blocksize: int, fetcher: Callable[[int, int], bytes], size: int) -> None:
        super().__init__(blocksize, fetcher, size)
        self._reads = LastBlock(self._counted, size, blocksize)

    def _fetch(self, start: int | None, stop: int | None) -> bytes:
        start, stop = start or 0, self.size if stop is None else stop
        self.hit_count += self._reads.has(start, min(stop, self.size))
        return self._reads.read(start, stop)

    def _counted(self, start: int, stop: int) -> bytes:
        self.miss_count += 1
        self.total_requested_bytes += stop - start
        return bytes(self.fetcher(start, stop))
