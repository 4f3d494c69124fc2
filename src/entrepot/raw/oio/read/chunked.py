"""A reader that keeps several range requests in flight and returns their bytes in order.

Theory of operation. Three runs of bytes follow each other without a gap:

- the current chunk (`_chunk`, at `_chunk_start`), which the reader's position is in or at the end of;
- the chunks in flight, in a `Window` that returns them in the order of their requests;
- what is not requested yet, from `_ahead` on.

A verb returns bytes of the current chunk; at its end it takes the next one and fills the window again. A seek does no
I/O (one from the end may request the size): the next verb finds the position elsewhere than at the end of the current
chunk, cancels the requests in flight and starts again there. An error or a cancellation drops them as well. A chunk
that comes short breaks the sequence, so the chunks in flight after it are dropped.

A read into a buffer lends it to the requests (`_place`): a chunk that lies completely in the buffer is received there,
any other is copied. When the verb returns or raises, none of them is in flight any more.

Only `PinnedRange` decides where the object ends: by its size, or, where the storage does not report one, by a short
or refused chunk. Up to `concurrent` requests run at the same time in the window; one task at a time uses the reader.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from entrepot.errors import Error, RangeNotSatisfied

from .api import Read, check_not_closed
from .pinned_range import PinnedRange
from .seek import seek_target

if TYPE_CHECKING:
    from entrepot.raw.ops import OpRead
    from entrepot.raw.runtime import Window

Chunk = bytes | memoryview
"""The bytes of a chunk: its own, or the part of a buffer that they were received into."""


class ChunkedReader(Read):
    """Reads by chunks of `args.chunk` bytes, `args.concurrent` of them at a time.

    No more than `concurrent` chunks and the current one are in memory. Until the size is known, requests go no
    further ahead than the length hint. After an error or a cancellation the requests in flight are dropped,
    and the next verb starts again at the position.

    Arguments:
        pinned: the range to read, position 0 its start, and the known facts of its object.
        args: the arguments of the read, with `chunk` set.
        window: makes the window that the requests run in.
    """

    __slots__ = (
        "_ahead",
        "_chunk",
        "_chunk_start",
        "_hint",
        "_in_flight",
        "_is_closed",
        "_place",
        "_position",
        "_range",
        "_size",
    )

    def __init__(self, pinned: PinnedRange, args: OpRead, window: Callable[[int], Window[Chunk]]) -> None:
        self._range = pinned
        self._size = args.chunk or 1
        self._hint = args.content_length_hint or 0
        self._in_flight = window(args.concurrent or 1)
        self._position = 0
        self._is_closed = False
        self._ahead = 0
        self._chunk: Chunk = b""
        self._chunk_start = 0
        self._place: tuple[int, memoryview] | None = None

    @property
    def remaining(self) -> int | None:
        size = self._range.size
        return None if size is None else max(0, size - self._position)

    async def read(self, n: int) -> bytes:
        check_not_closed(self._is_closed)
        if n == 0 or not await self._chunk_here():
            return b""
        return bytes(self._take(n))

    async def readinto(self, buffer: memoryview) -> int:
        check_not_closed(self._is_closed)
        start, self._place = self._position, (self._position, buffer)
        try:
            return await self._receive(buffer)
        except BaseException:
            self._position = start
            raise
        finally:
            self._place = None

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

    def _take(self, n: int) -> Chunk:
        offset = self._position - self._chunk_start
        data = self._chunk[offset : offset + n]
        self._position += len(data)
        return data

    async def _receive(self, buffer: memoryview) -> int:
        """Fills a buffer with chunks that are received there, or copied. An error ends it after the first of them."""
        filled = 0
        while filled < len(buffer):
            try:
                if not await self._chunk_here():
                    break
            except Error:
                if filled:
                    break  # the next verb makes the request again, and raises
                raise
            data = self._take(len(buffer) - filled)
            if isinstance(data, bytes):
                buffer[filled : filled + len(data)] = data
            filled += len(data)
        if isinstance(self._chunk, memoryview):
            self._chunk_start, self._chunk = self._position, b""  # the buffer belongs to the caller again
        return filled

    async def _drop(self) -> None:
        self._chunk = b""
        await self._in_flight.close()

    async def _chunk_here(self) -> bool:
        """Makes the chunk at the position the current one. False past the end."""
        if self._chunk_start <= self._position < self._chunk_end:
            return True
        try:
            await self._range.resolve_suffix()
            return not self._is_past_end() and await self._take_chunk()
        except BaseException:
            await self._drop()
            raise

    @property
    def _chunk_end(self) -> int:
        return self._chunk_start + len(self._chunk)

    def _is_past_end(self) -> bool:
        limit = self._range.limit
        return limit is not None and self._position >= limit

    async def _take_chunk(self) -> bool:
        """Takes the chunk that starts at the position. False if it is empty, because the object has ended."""
        if self._chunk_end != self._position or not self._in_flight:
            await self._drop()
            self._ahead = self._position
        self._fill()
        self._chunk_start, self._chunk = self._position, b""
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
        """Takes the end of a short chunk as the size if none is known; an empty one must directly follow bytes read."""
        if self._range.size is None and (self._chunk or self._position == self._range.reached):
            self._range.size = self._chunk_end
        elif self._range.size is None:
            await self._range.learn_size()
        if not self._chunk:
            self._range.check_end(self._position)

    def _fill(self) -> None:
        while not self._in_flight.is_full() and self._may_request_ahead():
            begin, self._ahead = self._ahead, self._ahead + self._size
            place = self._place_of(begin)
            if place is None:
                self._in_flight.spawn(partial(self._range.fetch, begin, self._ahead))
            else:
                self._in_flight.spawn(partial(self._fetch_into, begin, place))

    def _place_of(self, begin: int) -> memoryview | None:
        """The part of the lent buffer for the chunk that begins there, if all of the chunk is in it."""
        if self._place is None:
            return None
        start, buffer = self._place
        limit = self._range.limit
        end = begin + self._size if limit is None else min(begin + self._size, limit)
        return buffer[begin - start : end - start] if start <= begin and end <= start + len(buffer) else None

    async def _fetch_into(self, begin: int, place: memoryview) -> memoryview:
        return place[: await self._range.fetch_into(begin, place)]

    def _may_request_ahead(self) -> bool:
        limit = self._range.limit if self._range.size is not None else None
        return self._ahead < (max(self._hint, self._position + 1) if limit is None else limit)
