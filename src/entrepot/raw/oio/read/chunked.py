"""A reader that keeps several ranged requests in flight and gives their bytes in order."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from entrepot.errors import RangeNotSatisfied

from .api import Read, check_not_closed
from .pinned_range import PinnedRange
from .seek import seek_target

if TYPE_CHECKING:
    from entrepot.raw.ops import OpRead
    from entrepot.raw.runtime import Window


class ChunkedReader(Read):
    """Reads by chunks of `args.chunk` bytes, `args.concurrent` of them at a time.

    No more than `concurrent` chunks and the one being read are in memory. Until the size is known
    only as much is asked for ahead as the length hint promises. After an error or a cancellation
    everything in flight is dropped, and the next verb starts again at the position.

    The chunks in flight follow each other, and the first of them follows the chunk at hand. A chunk that
    comes short breaks that, so what is in flight behind it is dropped. Only `PinnedRange` decides where the
    object ends; a short chunk or a refused one shows the end only where the storage does not tell the size.

    Arguments:
        pinned: the window, position 0 its start, and what is known of its object.
        args: what was asked, with `chunk` set.
        window: makes the window that the requests run in.
    """

    __slots__ = (
        "_ahead",
        "_chunk",
        "_chunk_begin",
        "_hint",
        "_in_flight",
        "_is_closed",
        "_position",
        "_range",
        "_size",
    )

    def __init__(self, pinned: PinnedRange, args: OpRead, window: Callable[[int], Window[bytes]]) -> None:
        self._range = pinned
        self._size = args.chunk or 1
        self._hint = args.content_length_hint or 0
        self._in_flight = window(args.concurrent or 1)
        self._position = 0
        self._is_closed = False
        self._ahead = 0
        self._chunk = b""
        self._chunk_begin = 0

    async def read(self, n: int) -> bytes:
        check_not_closed(self._is_closed)
        if n == 0 or not await self._chunk_here():
            return b""
        offset = self._position - self._chunk_begin
        data = self._chunk[offset : offset + n]
        self._position += len(data)
        return data

    async def next(self) -> bytes | None:
        return await self.read(self._size) or None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        check_not_closed(self._is_closed)
        size = await self._range.learn_size() if whence == os.SEEK_END else None
        self._position = seek_target(offset, whence, self._position, size)
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        await self._drop()

    async def _drop(self) -> None:
        self._chunk = b""
        await self._in_flight.close()

    async def _chunk_here(self) -> bool:
        """Sees to it that the chunk at hand holds the position; False right of the end."""
        if self._chunk_begin <= self._position < self._chunk_end:
            return True
        try:
            await self._range.settle()
            return not self._is_past_end() and await self._take_chunk()
        except BaseException:
            await self._drop()
            raise

    @property
    def _chunk_end(self) -> int:
        return self._chunk_begin + len(self._chunk)

    def _is_past_end(self) -> bool:
        limit = self._range.limit
        return limit is not None and self._position >= limit

    async def _take_chunk(self) -> bool:
        """Takes the chunk that begins at the position. False if nothing is in it, because the object has ended."""
        if self._chunk_end != self._position or not self._in_flight:
            await self._drop()
            self._ahead = self._position
        self._fill()
        self._chunk_begin, self._chunk = self._position, b""
        try:
            self._chunk = await self._in_flight.take()
        except RangeNotSatisfied as refusal:
            self._range.size = await self._range.end_before(self._position, refusal)
        if len(self._chunk) < self._size:
            await self._find_end()
            await self._in_flight.close()
            self._ahead = self._chunk_end
        if self._chunk:
            self._fill()
        return bool(self._chunk)

    async def _find_end(self) -> None:
        """A short chunk shows the end where no response told it; an empty one only right behind bytes that came."""
        if self._range.size is None and (self._chunk or self._position == self._range.reached):
            self._range.size = self._chunk_end
        elif self._range.size is None:
            await self._range.learn_size()
        if not self._chunk:
            self._range.check_end(self._position)

    def _fill(self) -> None:
        while not self._in_flight.is_full() and self._may_ask_ahead():
            begin, self._ahead = self._ahead, self._ahead + self._size
            self._in_flight.spawn(partial(self._range.fetch, begin, self._ahead))

    def _may_ask_ahead(self) -> bool:
        limit = self._range.limit if self._range.size is not None else None
        return self._ahead < (max(self._hint, self._position + 1) if limit is None else limit)
