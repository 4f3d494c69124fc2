"""Adds `seek` to a body that can only read forward, by requesting another range.

Theory of operation. Two positions: the reader's (`_position`), which only bytes returned to the caller and seeks
move, and the inner body's (`_body_position`). A seek is arithmetic and does no I/O. The next verb compares both:

- equal: the body continues;
- the reader is up to `SKIP_LIMIT` ahead: the bytes between are read and dropped, cheaper than a round trip;
- anywhere else, or without a body: another body is opened at the position. `ReadAhead` decides how many bytes it is
  requested for (up to `_body_end`), and whether the rest of the old body is read, so that its connection is kept.

The end of an object is kept in memory (`_tail`) if the policy wants it, so that a format with several small records
there needs one request for them.

An error or a cancellation drops the body and does not move the position, so a caller (or RetryLayer) just
calls the failed verb again. Every response must be of the object that the first one showed: later requests name
its version or etag if the service can, and `PinnedRange` compares every response before its bytes count. The end of the
window is checked against the body too: an extra byte after it is `ContentTruncated`. One task uses a reader at a time.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from entrepot.errors import ContentTruncated, Error, RangeNotSatisfied

from .api import WHOLE, Read, check_not_closed, read_to_end
from .pinned_range import PinnedRange
from .read_ahead import SKIP_LIMIT, TAIL, ReadAhead, is_cheaper_to_drain
from .seek import seek_target

if TYPE_CHECKING:
    from entrepot.raw.accessor import Accessor
    from entrepot.raw.ops import OpRead
    from entrepot.raw.rps import RpRead

T = TypeVar("T")


class ByRangeSeekableReader(Read):
    """Adds `seek`, and continues after errors.

    Arguments:
        accessor: opens the inner bodies, and serves `stat` when nothing else has the size.
        path: the object.
        args: the arguments of the read; `args.range` is the window, position 0 its start.
        response: receives the metadata of the first inner body's response.
        opened: the first inner body with its response, if it is open already. It has the bytes of the whole range.
    """

    __slots__ = (
        "_ahead",
        "_body",
        "_body_end",
        "_body_position",
        "_body_response",
        "_from_end",
        "_is_closed",
        "_position",
        "_range",
        "_tail",
        "_tail_start",
    )

    def __init__(
        self,
        accessor: Accessor,
        path: str,
        args: OpRead,
        response: RpRead,
        opened: tuple[RpRead, Read] | None = None,
    ) -> None:
        self._range = PinnedRange(accessor, path, args, response)
        self._position = 0
        self._body: Read | None = None
        self._body_response: RpRead | None = None
        if opened is not None:
            self._body_response, self._body = opened
        self._body_position = 0
        self._body_end: int | None = None
        self._ahead = ReadAhead(args.read_ahead)
        self._from_end: int | None = None
        self._tail = b""
        self._tail_start = 0
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        is_all = self._position == self._body_position == self._range.size
        return is_all and self._body is not None and self._body.is_at_end

    @property
    def remaining(self) -> int | None:
        size = self._range.size
        return None if size is None else max(0, size - self._position)

    async def read(self, n: int) -> bytes:
        check_not_closed(self._is_closed)
        return await self._advance(lambda: self._read(n), b"") if n else b""

    async def readinto(self, buffer: memoryview) -> int:
        check_not_closed(self._is_closed)
        return await self._advance(lambda: self._read_into(buffer), 0) if buffer else 0

    async def next(self) -> bytes | None:
        check_not_closed(self._is_closed)
        return await self._advance(self._next, b"") or None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        check_not_closed(self._is_closed)
        size = await self._range.learn_size() if whence == os.SEEK_END else None
        self._position = seek_target(offset, whence, self._position, size)
        if whence == os.SEEK_END:
            self._from_end = self._position
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        await self._drop()

    async def _advance(self, verb: Callable[[], Awaitable[T]], nothing: T) -> T:
        if self._is_past_end():
            await self._finish()
            return nothing
        try:
            return await verb()
        except RangeNotSatisfied as error:
            await self._drop()
            self._note_response()
            await self._range.judge_refusal(self._position, error)
            return nothing
        except Error:
            await self._drop()
            self._note_response()  # a response of another object is the better error
            raise
        except BaseException:
            await self._drop()
            raise

    async def _read(self, n: int) -> bytes:
        if await self._is_in_tail():
            return self._take_tail(n)
        data = await (await self._body_here(n)).read(n)
        self._move(len(data))
        return data

    async def _read_into(self, buffer: memoryview) -> int:
        if await self._is_in_tail():
            data = self._take_tail(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        size = await (await self._body_here(len(buffer))).readinto(buffer)
        self._move(size)
        return size

    async def _next(self) -> bytes:
        if await self._is_in_tail():
            return self._take_tail(WHOLE)
        data = await (await self._body_here(WHOLE)).next() or b""
        self._move(len(data))
        return data

    async def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    def _is_past_end(self) -> bool:
        limit = self._range.limit
        return limit is not None and self._position >= limit

    async def _finish(self) -> None:
        """Checks that the end of the range is the end of the body, and closes the body."""
        body, is_at_end = self._body, self._body_position == self._range.limit
        try:
            if body is not None and is_at_end and await body.read(1):
                raise ContentTruncated("the storage sent more bytes than the range has")
        finally:
            await self._drop()

    async def _is_in_tail(self) -> bool:
        """Whether the position is in the tail, which is read when a seek from the end leads into it."""
        size = self._range.size
        if not self._tail and size is not None and self._position == self._from_end:
            self._from_end = None
            if self._ahead.wants_tail(self._position, size):
                start = max(0, size - TAIL)
                self._tail, self._tail_start = await self._range.fetch(start, size), start
        return bool(self._tail) and self._position >= self._tail_start

    def _take_tail(self, n: int) -> bytes:
        begin = self._position - self._tail_start
        data = self._tail[begin : begin + n]
        self._position += len(data)
        return data

    async def _body_here(self, n: int) -> Read:
        if self._body is not None and self._is_ahead() and await self._skip(self._body):
            return self._body
        await self._leave()
        has_moved = self._position != self._body_position
        is_whole = self._range.response.is_whole
        size = self._ahead.size_of(self._position, n, has_moved=has_moved, is_whole=is_whole)
        self._body_end = None if size is None else self._position + size
        self._body_response, self._body = await self._range.open(self._position, self._body_end)
        self._body_position = self._position
        return self._body

    def _is_ahead(self) -> bool:
        """Whether the position can be reached by reading the body on."""
        is_near = 0 <= self._position - self._body_position <= SKIP_LIMIT
        return is_near and (self._body_end is None or self._position < self._body_end)

    async def _leave(self) -> None:
        """Drops the body, and reads the rest of it first if that is cheaper than another connection."""
        end = self._range.limit if self._body_end is None else self._body_end
        body, rest = self._body, None if end is None else end - self._body_position
        if body is not None and not body.is_at_end and is_cheaper_to_drain(rest):
            with suppress(Error):  # of bytes that are not needed
                await read_to_end(body)
        await self._drop()

    async def _skip(self, body: Read) -> bool:
        while self._body_position < self._position:
            dropped = await body.read(self._position - self._body_position)
            if not dropped:
                return False
            self._body_position += len(dropped)
        return True

    def _move(self, size: int) -> None:
        """Checks the bytes that the inner body returned and then moves the position."""
        self._note_response()
        position, limit = self._position + size, self._range.limit
        if size and limit is not None and position > limit:
            raise ContentTruncated(f"the storage sent {position} bytes, the range has {limit}")
        if size:
            self._range.reach(position)
        else:
            self._range.check_end(position)
        self._position = self._body_position = position

    def _note_response(self) -> None:
        if self._body_response is not None:
            self._range.note(self._body_response)
