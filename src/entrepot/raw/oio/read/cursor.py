"""A position in a range that survives errors, over bodies that are opened again when needed.

Theory of operation. A body keeps its own position, which is right as long as every verb returned. A verb that raised
or was cancelled, also in a layer between, leaves it anywhere. So the valid position is the cursor's: it moves when
bytes are returned to the caller. `_is_displaced` is set before each verb and cleared after it; a displaced body is
first moved to the cursor's position, by a seek without I/O.

Bytes that arrived and were not returned yet, because an error followed or the caller wanted fewer, wait in `_unread`
and are returned first. The body stands at `position` plus the length of `_unread`. Every response is compared with
the known facts of the object (`PinnedRange.note`) before its bytes count. One task uses a cursor at a time.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from entrepot.errors import ContentIncomplete

from .api import WHOLE, Read, in_place
from .final_buffer import FinalBuffer
from .pinned_range import PinnedRange
from .seek import seek_target

if TYPE_CHECKING:
    from entrepot.raw.rps import RpRead

T = TypeVar("T")


class Cursor:
    """Reads a range from a position. Bytes that came before an error are kept and not requested again.

    Arguments:
        pinned: the range, and the known facts of its object.
        open_body: opens another body at the start of the range, without I/O.
        opened: the first body, with its response.
    """

    __slots__ = ("_body", "_has_more", "_is_displaced", "_open_body", "_range", "_response", "_unread", "position")

    def __init__(
        self,
        pinned: PinnedRange,
        open_body: Callable[[], Awaitable[tuple[RpRead, Read]]],
        opened: tuple[RpRead, Read],
    ) -> None:
        self._range = pinned
        self._open_body = open_body
        self._response = opened[0]
        self._body: Read | None = opened[1]
        self._is_displaced = False
        self._has_more = False
        self._unread: list[bytes] = []
        self.position = 0

    @property
    def is_midway(self) -> bool:
        """Whether bytes were read but not the end, so that the body holds a connection or a file."""
        is_at_end = self._is_at_end() or self.position == self._range.limit
        return self._has_more and self._body is not None and not is_at_end

    async def take(self, n: int) -> bytes:
        """Returns `n` bytes, fewer only at the end of the range. What is promised is received where it stays."""
        while (missing := n - self._unread_length()) > 0:
            promised = self._promised(missing)
            if promised:
                if not await self._receive(promised):
                    break
                continue
            data = await self._call(lambda body: body.read(missing))
            self._note_arrival(len(data))
            if data:
                self._unread.append(data)
            if not data or (len(data) < missing and self._is_at_end()):
                break
        return self._hand_over(n)

    async def take_into(self, view: memoryview) -> int:
        """Fills a buffer of bytes and returns their number, fewer than it holds only at the end of the range.

        The bytes are received into the buffer. After an error, those that came before it are unread again.
        """
        start, filled = self.position, 0
        try:
            while filled < len(view) and (size := await self._take_some_into(view[filled:])):
                filled += size
                if not self._unread and self._is_at_end():
                    break
        except BaseException:
            if filled:
                self._unread.insert(0, bytes(view[:filled]))
                self.position = start
            raise
        return filled

    async def take_exactly(self, n: int) -> bytes:
        """Returns `n` bytes, or raises and leaves the position unchanged."""
        data = await self.take(n)
        if len(data) < n:
            self._unread.insert(0, data)
            self.position -= len(data)
            raise ContentIncomplete(f"the range ends after {len(data)} of {n} bytes", is_temporary=False)
        return data

    async def take_some(self, n: int) -> bytes:
        """Returns at least one byte and at most `n`, without waiting for more; `b""` at the end."""
        if not self._unread:
            data = await self._call(lambda body: body.read(n))
            self._note_arrival(len(data))
            self._unread = [data]
        return self._hand_over(n)

    async def take_chunk(self) -> bytes:
        """Returns the next chunk in the size that suits the storage; `b""` at the end."""
        if self._unread:
            return self._hand_over(WHOLE)
        chunk = await self._call(_next) or b""
        self._note_arrival(len(chunk))
        self._advance(len(chunk))
        return chunk

    async def move(self, offset: int, whence: int) -> int:
        """Seeks, and returns the new position."""
        if whence == os.SEEK_END:
            target = await self._call(lambda body: body.seek(offset, whence))
        else:
            target = seek_target(offset, whence, self.position, None)
        self._unread = []
        self.position = target
        self._is_displaced = True
        return target

    async def measure(self) -> int:
        """Returns the size of the range, without moving the position."""
        size = await self._call(lambda body: body.seek(0, os.SEEK_END))
        self._is_displaced = True
        return size

    async def release(self) -> None:
        """Closes the body, to release its connection or file. The next verb opens another."""
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    async def _call(self, verb: Callable[[Read], Awaitable[T]]) -> T:
        body = self._body or await self._reopen()
        if self._is_displaced:
            await body.seek(self.position + self._unread_length())
        self._is_displaced = True
        result = await verb(body)
        self._range.note(self._response)
        self._is_displaced = False
        return result

    async def _reopen(self) -> Read:
        self._response, self._body = await self._open_body()
        self._is_displaced = True
        return self._body

    def _is_at_end(self) -> bool:
        return self._body is not None and self._body.is_at_end

    async def _take_some_into(self, view: memoryview) -> int:
        """Receives at least one byte into a buffer, without waiting for more; 0 at the end."""
        if self._unread:
            data = self._hand_over(len(view))
            view[: len(data)] = data
            return len(data)
        size = await self._call(lambda body: body.readinto(view))
        self._note_arrival(size)
        self._advance(size)
        return size

    def _promised(self, missing: int) -> int:
        """How many of the missing bytes are worth a buffer of their own."""
        return 0 if self._body is None or self._is_displaced else in_place(self._body, missing)

    async def _receive(self, promised: int) -> bool:
        """Adds promised bytes to the unread ones, in one piece. False if the range ended before."""
        size = self._unread_length() + promised
        content = FinalBuffer(size)
        with content.view() as view:
            filled = await self.take_into(view)
        self._unread.insert(0, content.taken(None if filled == size else filled))
        self.position -= filled
        return filled == size

    def _note_arrival(self, size: int) -> None:
        """Checks an end against the size: a body that was opened later does not know the first one's promise."""
        if not size:
            self._range.check_end(self.position + self._unread_length())
        self._has_more = size > 0

    def _advance(self, size: int) -> None:
        self.position += size
        if size:
            self._range.reach(self.position)

    def _unread_length(self) -> int:
        return sum(map(len, self._unread))

    def _hand_over(self, n: int) -> bytes:
        data = self._unread[0] if len(self._unread) == 1 else b"".join(self._unread)
        self._unread = []
        if len(data) > n:
            data, rest = data[:n], data[n:]
            self._unread.append(rest)
        self._advance(len(data))
        return data


def _next(body: Read) -> Awaitable[bytes | None]:
    return body.next()
