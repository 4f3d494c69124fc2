"""`Reader`: an object, or a range of it, that is read piece by piece."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from entrepot.errors import InvalidInput
from entrepot.raw import Accessor, Context, OpRead, RpRead, oio
from entrepot.raw.oio.read.api import WHOLE
from entrepot.raw.oio.read.cursor import Cursor
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.types import BytesRange, Metadata
from entrepot.types.bytes_range import is_span
from entrepot.types.numbers import as_integer
from entrepot.types.shown import shown

from .buffers import writable_bytes
from .exclusive import Exclusive, Opened
from .iterate import ByAsyncFor

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from entrepot.raw.runtime import Window

T = TypeVar("T")

FETCH_CONCURRENT: Final = 8


async def open_body(context: Context, pinned: PinnedRange, args: OpRead) -> tuple[RpRead, oio.Read]:
    """Opens the body of a read: one stream, or chunks in flight if `args.chunk` is set. No I/O.

    Chunks in turn come from one body where that guarantees that all are of one content.
    """
    if args.chunk is None:
        return await pinned.open_unpinned()
    if pinned.chunks_from_one_body and args.concurrent in {None, 1}:
        reply, body = await pinned.open_unpinned()
        return reply, oio.StreamableReader(body, args.chunk)
    return pinned.response, oio.ChunkedReader(pinned, args, context.runtime.window)


class Reader(Opened, ByAsyncFor):
    """Reads an object, or a range of it, from a position on. Made by `Operator.reader`.

    Opening a reader does no I/O; errors such as `NotFound` are raised by its first use. Positions are bytes from the
    start of the requested range. After a temporary error, a timeout or a cancellation the position is unchanged, and
    the same call can be made again. One task at a time may use the position; `fetch` may run beside other calls.

    Close the reader, best with `async with`. A reader that is garbage-collected before the end of its range, with its
    connection or file still open, issues a `ResourceWarning`.

    A reader is also a byte stream for anyio (`receive`, `aclose`).

    Every method may raise the errors of the storage (`NotFound`, `PermissionDenied`, `ConditionNotMatch`,
    `RangeNotSatisfied`, `ContentIncomplete`, `Timeout`, `Unexpected`), and `InvalidInput` if the reader is closed or in
    use by another task.
    """

    def __init__(self, context: Context, pinned: PinnedRange, args: OpRead, opened: tuple[RpRead, oio.Read]) -> None:
        self._context = context
        self._range = pinned
        self._args = args
        self._cursor = Cursor(pinned, partial(open_body, context, pinned, args), opened)
        self._calls = Exclusive("reader", pinned.scheme, pinned.path, self._cursor)
        self._overlapping: tuple[Context, Accessor] | None = None

    async def read(self, n: int = -1) -> bytes:
        """Reads `n` bytes, or fewer at the end of the range; `b""` means the end.

        Arguments:
            n: the number of bytes. By default -1, which reads to the end.
        """
        return await self._calls.use("read", self._read, n)

    async def readexactly(self, n: int) -> bytes:
        """Reads exactly `n` bytes.

        Arguments:
            n: the number of bytes.

        Raises:
            ContentIncomplete: the range has fewer bytes left; the position is unchanged.
        """
        return await self._calls.use("readexactly", self._read_exactly, n)

    async def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads into a writable buffer and returns the number of bytes, less than its size only at the end.

        The bytes are received into the buffer itself. It may have changed also if the call fails or is cancelled, but
        nothing writes to it afterwards.

        Arguments:
            buffer: a contiguous, writable object with the buffer protocol.

        Raises:
            InvalidInput: `buffer` is not such an object.
        """
        return await self._calls.use("readinto", self._read_into, buffer)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Reads at least one byte and at most `max_bytes`, whichever arrive first.

        Arguments:
            max_bytes: the largest number of bytes. By default 65536.

        Raises:
            anyio.EndOfStream: the position is at the end of the range.
        """
        data = await self._calls.use("receive", self._receive, max_bytes)
        if data:
            return data
        from anyio import EndOfStream

        raise EndOfStream

    async def next(self) -> bytes | None:
        """Returns the next chunk, in the size that the storage sends it, never empty; None means the end."""
        return await self._calls.use("next", self._cursor.take_chunk) or None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position and returns it. Only a seek from the end does I/O, if the size is not known yet.

        Arguments:
            offset: the distance in bytes.
            whence: relative to the start (`os.SEEK_SET`), the position (`os.SEEK_CUR`) or the end (`os.SEEK_END`).

        Raises:
            InvalidInput: the new position would be before the start; the position is unchanged.
            Unsupported: the seek is from the end, and the storage does not report the size of the object.
        """
        return await self._calls.use("seek", self._cursor.move, offset, whence)

    def tell(self) -> int:
        """Returns the position in bytes from the start of the range. No I/O."""
        return self._cursor.position

    async def size(self) -> int:
        """Returns the number of bytes in the range. Does I/O unless an earlier response contained the size.

        Raises:
            Unsupported: the storage does not report the size of the object.
        """
        return await self._calls.use("size", self._cursor.measure)

    async def metadata(self) -> Metadata:
        """Returns the metadata of the whole object. Does I/O unless an earlier response contained it."""
        return await self._calls.use("metadata", self._range.describe)

    async def fetch(self, ranges: Iterable[BytesRange | tuple[int, int | None]]) -> list[bytes]:
        """Reads many ranges concurrently and returns their bytes in the order of the ranges.

        Ranges at most `gap` bytes apart share a request, and up to `concurrent` requests (by default 8) are in flight
        at a time; both are options of the reader. The position is neither used nor moved.

        Arguments:
            ranges: `(start, end)` pairs or `BytesRange`s, relative to the start of the reader's range.

        Raises:
            RangeNotSatisfied: a range starts past the end.
        """
        from entrepot.raw.oio.read.fetch import fetch_ranges

        return await self._calls.call("fetch", self._fetch, fetch_ranges, ranges)

    async def fetch_views(self, ranges: Iterable[BytesRange | tuple[int, int | None]]) -> list[memoryview]:
        """Reads many ranges as `fetch` does, and returns read-only views of what was received.

        Ranges that share a request are views of one block of memory and are not copied out of it, which is most of the
        cost of a large `fetch`. A block is let go of with the last of its views; the process keeps up to 128 MiB of
        such memory for later blocks, which the system may take back. Ranges that are less than half of their request
        are copied, so the views keep little that was not asked for.

        Arguments:
            ranges: `(start, end)` pairs or `BytesRange`s, relative to the start of the reader's range.

        Raises:
            RangeNotSatisfied: a range starts past the end.
        """
        from entrepot.raw.oio.read.fetch import fetch_views

        return await self._calls.call("fetch_views", self._fetch, fetch_views, ranges)

    async def aclose(self) -> None:
        """Closes the reader and releases its connection or file. Closing it again has no effect."""
        if not self._calls.is_closed:
            await self._calls.use("aclose", self._close)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields the chunks from the position on, in the sizes that the storage sends them.

        Leaving the loop releases the connection or file. The reader can still be used: the next call requests the rest
        from the position on.
        """
        return self._calls.each(self.next)

    def __repr__(self) -> str:
        return f"<{self._calls!r} at {self.tell()}>"

    async def _read(self, n: int) -> bytes:
        count = as_integer("the number of bytes", n, -1)
        return await self._cursor.take(WHOLE if count == -1 else count)

    async def _read_exactly(self, n: int) -> bytes:
        return await self._cursor.take_exactly(as_integer("the number of bytes", n, 0))

    async def _read_into(self, buffer: WriteableBuffer) -> int:
        return await self._cursor.take_into(writable_bytes(buffer))

    async def _receive(self, max_bytes: int) -> bytes:
        return await self._cursor.take_some(as_integer("the number of bytes", max_bytes, 1))

    async def _fetch(
        self, fetch: Callable[..., Awaitable[list[T]]], ranges: Iterable[BytesRange | tuple[int, int | None]]
    ) -> list[T]:
        if not isinstance(ranges, Iterable):
            raise InvalidInput(f"the ranges must be an iterable of ranges, not {shown(ranges)}")
        requested = [range_ if is_span(range_) else BytesRange.of(range_) for range_ in ranges]
        args = self._args
        context, pinned = self._context, self._range
        if self._overlapping is not None:
            context, accessor = self._overlapping
            pinned = pinned.through(accessor)
        window: Window[None] = context.runtime.window(args.concurrent or FETCH_CONCURRENT)
        try:
            return await fetch(pinned, requested, args.gap, args.chunk, window)
        finally:
            self._range.learn_from(pinned)

    async def _close(self) -> None:
        self._calls.is_closed = True
        await self._cursor.release()


def overlap_fetches(reader: Reader, context: Context, accessor: Accessor) -> None:
    """Has `reader.fetch` send its requests through another stack over the same storage, on whose runtime they overlap.

    The caller then runs `fetch` on the runtime of that context. Its other methods run where the reader was opened.
    """
    reader._overlapping = context, accessor  # noqa: SLF001 - a function of this module
