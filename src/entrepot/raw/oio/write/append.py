"""A writer for storage that takes bytes at the end of an object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from entrepot.types import Metadata

from .byte_queue import ByteQueue
from .staged import StagedWriter, with_length


class AppendWriter(StagedWriter):
    """Puts what is written behind what the object has, by calls of at most `buffer` bytes, one at a time.

    What a call appended is there for good: `abort` drops only what is still buffered, and readers may see
    some of it before `close`. What fits in one call is appended by one, on `close`.

    The response to an append may be lost although it was made. So after one that failed or was cancelled the
    end is asked for again: if it has moved by exactly the bytes of that append, they are stored and
    not sent again. That is mistaken where another writer appended exactly as many at that moment; who
    appends from several places must not try again, or tell the writers apart by what they write.

    Arguments:
        find_end: gives the size of the object in bytes, 0 where there is none. Asked before the first append.
        append: appends pieces of bytes at an offset, which is the end. Without pieces it makes an
            object of no bytes where there is none, and only says what is known of it where there is one.
        buffer: the most bytes of a call.
    """

    __slots__ = ("_append", "_buffer", "_content", "_doubtful", "_end", "_find_end")

    def __init__(
        self,
        find_end: Callable[[], Awaitable[int]],
        append: Callable[[int, Sequence[bytes]], Awaitable[Metadata]],
        buffer: int,
    ) -> None:
        super().__init__()
        self._find_end = find_end
        self._append = append
        self._buffer = buffer
        self._content = ByteQueue()
        self._end: int | None = None
        self._doubtful: tuple[int, int] | None = None

    async def _take(self, content: bytes | memoryview) -> None:
        await self._append_down_to(self._buffer - 1)
        self._content.append(content)

    async def _publish(self) -> Metadata:
        await self._append_down_to(self._buffer)
        return await self._append_first()

    async def _discard(self) -> None:
        self._content.clear()

    async def _append_down_to(self, size: int) -> None:
        """Appends until no more than so many bytes are left."""
        if self._doubtful is not None:
            await self._learn_end()
        while self._content.size > size:
            await self._append_first()

    async def _append_first(self) -> Metadata:
        offset, size = await self._learn_end(), min(self._buffer, self._content.size)
        self._doubtful, self._end = (offset, size), None
        metadata = await self._append(offset, self._content.first(size))
        self._doubtful, self._end = None, offset + size
        self._content.drop(size)
        return with_length(metadata, self._end)

    async def _learn_end(self) -> int:
        if self._end is None:
            self._end = await self._find_end()
            self._drop_what_arrived(self._end)
        return self._end

    def _drop_what_arrived(self, end: int) -> None:
        if self._doubtful is not None:
            (offset, size), self._doubtful = self._doubtful, None
            if end == offset + size:
                self._content.drop(size)
