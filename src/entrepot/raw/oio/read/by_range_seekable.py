"""Gives `seek` to a body that can only go forward, by asking for another range.

A seek is arithmetic and does no I/O. The next verb compares where the reader is with where the inner
body is: a little ahead it reads on, anywhere else it drops the body and opens another from the
position to the end of the window. The same happens after an error or a cancellation, so the verb
that failed can simply be called again. Whatever a later body brings must belong to the object that
the first one showed: it is asked for by version or etag where the service can, and always compared.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from entrepot.errors import ContentTruncated, Error, RangeNotSatisfied

from .api import Read, check_not_closed
from .pinned_range import PinnedRange
from .seek import seek_target

if TYPE_CHECKING:
    from entrepot.raw.accessor import Accessor
    from entrepot.raw.ops import OpRead
    from entrepot.raw.rps import RpRead

SKIP_LIMIT: Final = 64 * 1024
"""How many bytes it is cheaper to read and drop than to ask anew: less than a round trip brings."""


class ByRangeSeekableReader(Read):
    """Adds `seek`, and goes on after errors.

    Arguments:
        accessor: opens the inner bodies and answers `stat` when only that can tell the size.
        path: the object.
        args: what to read; `args.range` is the window, position 0 its start.
        response: receives what the first inner body learned of the object.
    """

    __slots__ = ("_body", "_body_position", "_body_response", "_is_closed", "_position", "_range")

    def __init__(self, accessor: Accessor, path: str, args: OpRead, response: RpRead) -> None:
        self._range = PinnedRange(accessor, path, args, response)
        self._position = 0
        self._body: Read | None = None
        self._body_response: RpRead | None = None
        self._body_position = 0
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        is_all = self._position == self._body_position == self._range.size
        return is_all and self._body is not None and self._body.is_at_end

    async def read(self, n: int) -> bytes:
        check_not_closed(self._is_closed)
        return await self._advance(lambda body: body.read(n)) if n else b""

    async def next(self) -> bytes | None:
        check_not_closed(self._is_closed)
        return await self._advance(lambda body: body.next()) or None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        check_not_closed(self._is_closed)
        size = await self._range.learn_size() if whence == os.SEEK_END else None
        self._position = seek_target(offset, whence, self._position, size)
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        await self._drop()

    async def _advance(self, verb: Callable[[Read], Awaitable[bytes | None]]) -> bytes:
        if self._is_past_end():
            return await self._finish()
        try:
            return self._take(await verb(await self._body_here()) or b"")
        except RangeNotSatisfied as error:
            await self._drop()
            self._note_response()
            await self._range.judge_refusal(self._position, error)
            return b""
        except Error:
            await self._drop()
            self._note_response()  # that it is of another object says more than the error
            raise
        except BaseException:
            await self._drop()
            raise

    async def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    def _is_past_end(self) -> bool:
        limit = self._range.limit
        return limit is not None and self._position >= limit

    async def _finish(self) -> bytes:
        """The end of the range must be the end of the body too. It is closed then: it has nothing more to give."""
        body, is_at_end = self._body, self._body_position == self._range.limit
        try:
            if body is not None and is_at_end and await body.read(1):
                raise ContentTruncated("more bytes came than the range has")
        finally:
            await self._drop()
        return b""

    async def _body_here(self) -> Read:
        ahead = self._position - self._body_position
        if self._body is not None and 0 <= ahead <= SKIP_LIMIT and await self._skip(self._body):
            return self._body
        await self._drop()
        self._body_response, self._body = await self._range.open(self._position)
        self._body_position = self._position
        return self._body

    async def _skip(self, body: Read) -> bool:
        while self._body_position < self._position:
            dropped = await body.read(self._position - self._body_position)
            if not dropped:
                return False
            self._body_position += len(dropped)
        return True

    def _take(self, data: bytes) -> bytes:
        """Accepts what the inner body gave, and only then moves."""
        self._note_response()
        position, limit = self._position + len(data), self._range.limit
        if data and limit is not None and position > limit:
            raise ContentTruncated(f"{position} bytes came where the range has {limit}")
        if data:
            self._range.reach(position)
        else:
            self._range.check_end(position)
        self._position = self._body_position = position
        return data

    def _note_response(self) -> None:
        if self._body_response is not None:
            self._range.note(self._body_response)
