"""A writer for storage that appends to objects.

Theory of operation. Written bytes are queued and appended by calls of at most `buffer` bytes, one at a time, each at
the known end of the object (`_end`). Before a call, its offset and size become `_doubtful`; after success the bytes
leave the queue and the end moves. A call that failed or was cancelled leaves `_doubtful` set and the end unknown,
because the bytes may have been stored and only the response lost. The next verb then requests the end: if it has
moved by exactly the doubtful size, those bytes are stored and leave the queue; otherwise they are sent again. Where the
storage may have stored a part of them (`in_pieces`), that part leaves the queue, and the rest is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from entrepot.errors import ConditionNotMatch
from entrepot.types import Metadata

from .byte_queue import ByteQueue
from .staged import StagedWriter, with_length


class AppendWriter(StagedWriter):
    """Appends to an object, by calls of at most `buffer` bytes, one at a time.

    Appended bytes are permanent: `abort` drops only the buffered ones, and readers may see some of them before
    `close`. Content that fits in one call is appended by one call, on `close`.

    After a failed or cancelled append the end decides whether its bytes were stored. That is wrong if another writer
    appended the same number of bytes at the same time, or any fewer in pieces: a program that appends from several
    places must not retry, or must mark its content so that duplicates and gaps can be found.

    Arguments:
        find_end: returns the size of the object in bytes, 0 if it does not exist. Called before the first append.
        append: appends pieces of bytes at an offset, which is the end, and returns the metadata. Without pieces it
            creates an empty object if there is none.
        buffer: the most bytes of a call.
        in_pieces: whether a call that fails may have stored the first of its bytes.
    """

    __slots__ = ("_append", "_buffer", "_content", "_doubtful", "_end", "_find_end", "_in_pieces")

    def __init__(
        self,
        find_end: Callable[[], Awaitable[int]],
        append: Callable[[int, Sequence[bytes]], Awaitable[Metadata]],
        buffer: int,
        *,
        in_pieces: bool = False,
    ) -> None:
        super().__init__()
        self._find_end = find_end
        self._append = append
        self._buffer = buffer
        self._in_pieces = in_pieces
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
        """Appends until at most `size` bytes are left."""
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
            self._end = await self._found_end()
            self._drop_if_stored(self._end)
        return self._end

    async def _found_end(self) -> int:
        try:
            return await self._find_end()
        except ConditionNotMatch as error:
            if self._doubtful is not None:  # the object may be the one that the call before has made
                error.add_context(may_have_taken_effect=True)
            raise

    def _drop_if_stored(self, end: int) -> None:
        if self._doubtful is not None:
            (offset, size), self._doubtful = self._doubtful, None
            stored = end - offset
            if stored == size or (self._in_pieces and 0 < stored < size):
                self._content.drop(stored)
