"""What `reader` gives: one object, or a range of it, to be read in whatever way is needed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.errors import InvalidInput
from entrepot.raw import Context, OpRead, RpRead, oio
from entrepot.raw.oio.read.api import WHOLE
from entrepot.raw.oio.read.cursor import Cursor
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.types import BytesRange, Metadata
from entrepot.types.numbers import as_integer
from entrepot.types.shown import shown

from .buffers import fill, writable_size
from .exclusive import Exclusive, Opened

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from entrepot.raw.runtime import Window

FETCH_CONCURRENT: Final = 8


async def open_body(context: Context, pinned: PinnedRange, args: OpRead) -> tuple[RpRead, oio.Read]:
    """The body of a read: one stream, or chunks in flight where `args.chunk` says so. No I/O.

    Of a snapshot chunks one after the other need no requests: one body gives them, and nothing can change.
    """
    if args.chunk is None:
        return await pinned.open_unpinned()
    if pinned.is_snapshot and args.concurrent in {None, 1}:
        reply, body = await pinned.open_unpinned()
        return reply, oio.StreamableReader(body, args.chunk)
    return pinned.response, oio.ChunkedReader(pinned, args, context.runtime.window)


class Reader(Opened):
    """A range of an object, with a position. Made by `Operator.reader`; opening it does no I/O.

    Positions are bytes from the start of the range that was asked for. After a temporary error, a
    timeout or a cancellation the position is where it was, and the same call can be made again.
    One task at a time uses the position; `fetch` does not use it. Every method may raise what the
    storage answers: `NotFound`, `PermissionDenied`, `ConditionNotMatch`, `RangeNotSatisfied`,
    `ContentIncomplete`, `Timeout`, `Unexpected`; and `InvalidInput` when the reader is closed or in use.

    Close it, best by `async with`: one that is dropped midway warns (`ResourceWarning`), for what it holds, such as a
    connection, is then given back only when it is collected.

    It is a byte stream for anyio as well (`receive`, `aclose`).
    """

    def __init__(self, context: Context, pinned: PinnedRange, args: OpRead, opened: tuple[RpRead, oio.Read]) -> None:
        self._context = context
        self._range = pinned
        self._args = args
        self._cursor = Cursor(pinned, partial(open_body, context, pinned, args), opened)
        self._calls = Exclusive("reader", pinned.scheme, pinned.path, self._cursor)

    async def read(self, n: int = -1) -> bytes:
        """Reads `n` bytes, fewer only where the range ends; `b""` is the end.

        Arguments:
            n: how many bytes; -1 (the default) reads to the end.
        """
        return await self._calls.use("read", self._read, n)

    async def readexactly(self, n: int) -> bytes:
        """Reads `n` bytes.

        Raises:
            ContentIncomplete: the range ends before; the position stays where it was.
        """
        return await self._calls.use("readexactly", self._read_exactly, n)

    async def readinto(self, buffer: WriteableBuffer) -> int:
        """Fills a writable buffer and returns how many bytes it got; fewer than its size only at the end."""
        return await self._calls.use("readinto", self._read_into, buffer)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Reads at least one and at most `max_bytes` bytes, as they come.

        Raises:
            anyio.EndOfStream: the range has ended.
        """
        data = await self._calls.use("receive", self._receive, max_bytes)
        if data:
            return data
        from anyio import EndOfStream

        raise EndOfStream

    async def next(self) -> bytes | None:
        """The next chunk as the storage has it, never empty; None is the end."""
        return await self._calls.use("next", self._cursor.take_chunk) or None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position and returns it. Only a seek from an end that nobody has seen yet does I/O.

        Arguments:
            offset: how far, in bytes.
            whence: from the start (`os.SEEK_SET`), the position (`os.SEEK_CUR`) or the end (`os.SEEK_END`).

        Raises:
            InvalidInput: the target lies left of the start; the position stays where it was.
            Unsupported: from the end of an object whose size the storage does not tell.
        """
        return await self._calls.use("seek", self._cursor.move, offset, whence)

    def tell(self) -> int:
        """The position, in bytes from the start of the range."""
        return self._cursor.position

    async def size(self) -> int:
        """How many bytes the range has in this object. Asks the storage unless a reply has told."""
        return await self._calls.use("size", self._cursor.measure)

    async def metadata(self) -> Metadata:
        """What the storage says of the whole object. Asks it unless a reply has told."""
        return await self._calls.use("metadata", self._range.describe)

    async def fetch(self, ranges: Iterable[BytesRange | tuple[int, int | None]]) -> list[bytes]:
        """Reads many ranges at once and gives their bytes in the order of the ranges.

        Ranges at most `gap` bytes apart share a request, and `concurrent` requests are in flight at
        a time (8 by default). The position is neither used nor moved.

        Arguments:
            ranges: `(start, end)` pairs or `BytesRange`s, relative to the start of the reader's range.

        Raises:
            RangeNotSatisfied: one starts behind the end.
        """
        return await self._calls.call("fetch", self._fetch, ranges)

    async def aclose(self) -> None:
        """Closes the reader. Closing twice is closing once, also at the same time."""
        if not self._calls.is_closed:
            await self._calls.use("aclose", self._close)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks from the position on, as the storage has them.

        Leaving the loop gives back what the reader holds, such as a connection. It can be used on:
        the next call asks anew, from the position on.
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
        data = await self._cursor.take(writable_size(buffer))
        return fill(buffer, data)

    async def _receive(self, max_bytes: int) -> bytes:
        return await self._cursor.take_some(as_integer("the number of bytes", max_bytes, 1))

    async def _fetch(self, ranges: Iterable[BytesRange | tuple[int, int | None]]) -> list[bytes]:
        from entrepot.raw.oio.read.fetch import fetch_ranges

        if not isinstance(ranges, Iterable):
            raise InvalidInput(f"the ranges are an iterable of ranges, not {shown(ranges)}")
        asked, args = [BytesRange.of(one) for one in ranges], self._args
        window: Window[None] = self._context.runtime.window(args.concurrent or FETCH_CONCURRENT)
        return await fetch_ranges(self._range, asked, args.gap, args.chunk, window)

    async def _close(self) -> None:
        self._calls.is_closed = True
        await self._cursor.release()
