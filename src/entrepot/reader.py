"""What `reader` gives: one object, or a range of it, to be read in whatever way is needed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, TypeVarTuple

from entrepot.errors import ContentIncomplete, Error, InvalidInput
from entrepot.raw import Accessor, Context, Operation, OpRead, RpRead, oio
from entrepot.raw.oio.pinned_range import PinnedRange
from entrepot.raw.oio.read import WHOLE
from entrepot.types import BytesRange, Metadata

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from entrepot.raw.runtime import Window

T = TypeVar("T")
Args = TypeVarTuple("Args")

FETCH_CONCURRENT: Final = 8


async def open_body(accessor: Accessor, context: Context, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
    """The body of a read: one stream, or chunks in flight where `args.chunk` says so. No I/O."""
    if args.chunk is None:
        return await accessor.read(path, args)
    reply = RpRead()
    return reply, oio.ChunkedReader(accessor, path, args, reply, context.runtime.window)


class Reader:
    """A range of an object, with a position. Made by `Operator.reader`; opening it does no I/O.

    Positions are bytes from the start of the range that was asked for. After a temporary error, a
    timeout or a cancellation the position is where it was, and the same call can be made again.
    One task at a time uses the position; `fetch` does not use it. Every method may raise what the
    storage answers: `NotFound`, `PermissionDenied`, `ConditionNotMatch`, `RangeNotSatisfied`,
    `ContentIncomplete`, `Timeout`, `Unexpected`; and `InvalidInput` when the reader is closed or in use.

    It is a byte stream for anyio as well (`receive`, `aclose`).
    """

    def __init__(
        self, accessor: Accessor, context: Context, path: str, args: OpRead, reply: RpRead, body: oio.Read
    ) -> None:
        self._accessor = accessor
        self._context = context
        self._path = path
        self._args = args
        self._range = PinnedRange(accessor, path, args, reply)
        self._body = body
        self._position = 0
        self._unread: list[bytes] = []
        self._is_busy = False
        self._is_closing = False
        self._is_closed = False

    async def read(self, n: int = -1) -> bytes:
        """Reads `n` bytes, fewer only where the range ends; `b""` is the end.

        Arguments:
            n: how many bytes; -1 (the default) reads to the end.
        """
        _check_count(n, -1)
        return await self._run(Operation.READER_READ, self._take, WHOLE if n == -1 else n)

    async def readexactly(self, n: int) -> bytes:
        """Reads `n` bytes.

        Raises:
            ContentIncomplete: the range ends before; the position stays where it was.
        """
        _check_count(n, 0)
        return await self._run(Operation.READER_READ, self._take_exactly, n)

    async def readinto(self, buffer: WriteableBuffer) -> int:
        """Fills a writable buffer and returns how many bytes it got; fewer than its size only at the end."""
        view = memoryview(buffer)
        if view.readonly or not view.c_contiguous:
            raise InvalidInput("the buffer must be writable and contiguous", **self._where("reader.read"))
        data = await self._run(Operation.READER_READ, self._take, view.nbytes)
        view.cast("B")[: len(data)] = data
        return len(data)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Reads at least one and at most `max_bytes` bytes, as they come.

        Raises:
            anyio.EndOfStream: the range has ended.
        """
        _check_count(max_bytes, 1)
        data = await self._run(Operation.READER_READ, self._take_some, max_bytes)
        if data:
            return data
        from anyio import EndOfStream

        raise EndOfStream

    async def next(self) -> bytes | None:
        """The next chunk as the storage has it, never empty; None is the end."""
        return await self._run(Operation.READER_NEXT, self._take_next)

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position and returns it. Only a seek from an end that nobody has seen yet does I/O.

        Arguments:
            offset: how far, in bytes.
            whence: from the start (`os.SEEK_SET`), the position (`os.SEEK_CUR`) or the end (`os.SEEK_END`).

        Raises:
            InvalidInput: the target lies left of the start; the position stays where it was.
            Unsupported: from the end of an object whose size the storage does not tell.
        """
        return await self._run(Operation.READER_SEEK, self._move, offset, whence)

    def tell(self) -> int:
        """The position, in bytes from the start of the range."""
        return self._position

    async def size(self) -> int:
        """How many bytes the range has in this object. Asks the storage unless a reply has told."""
        return await self._run(Operation.READER_SEEK, self._measure)

    async def metadata(self) -> Metadata:
        """What the storage says of the whole object. Asks it unless a reply has told."""
        return await self._run(Operation.STAT, self._describe)

    async def fetch(self, ranges: Iterable[BytesRange | tuple[int, int | None]]) -> list[bytes]:
        """Reads many ranges at once and gives their bytes in the order of the ranges.

        Ranges at most `gap` bytes apart share a request, and `concurrent` requests are in flight at
        a time (8 by default). The position is neither used nor moved.

        Arguments:
            ranges: `(start, end)` pairs or `BytesRange`s, relative to the start of the reader's range.

        Raises:
            RangeNotSatisfied: one starts behind the end.
        """
        asked = [BytesRange.of(one) for one in ranges]
        self._check_open()
        return await self._with_context("reader.fetch", self._fetch, asked)

    async def aclose(self) -> None:
        """Closes the reader. Closing twice is closing once, also at the same time."""
        if self._is_closed or self._is_closing:
            return
        self._is_closing = True
        try:
            await self._run(Operation.READER_CLOSE, self._body.close)
            self._is_closed = True
        finally:
            self._is_closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks from the position on, as the storage has them. Leaving the loop closes the reader."""
        async with self:
            while chunk := await self.next():
                yield chunk

    def __repr__(self) -> str:
        return f"<Reader {self._accessor.info.scheme} {self._path!r} at {self._position}>"

    async def _run(self, operation: Operation, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes a call that uses the position."""
        self._check_open()
        if self._is_busy:
            raise InvalidInput("the reader is in use by another task", **self._where(operation.value))
        self._is_busy = True
        try:
            return await self._with_context(operation.value, call, *args)
        finally:
            self._is_busy = False

    async def _with_context(self, operation: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        try:
            return await call(*args)
        except Error as error:
            error.add_context(**self._where(operation))
            raise

    def _where(self, operation: str) -> dict[str, Any]:
        return {"scheme": self._accessor.info.scheme, "operation": operation, "path": self._path}

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidInput("the reader is closed", **self._where("reader"))

    async def _take(self, n: int) -> bytes:
        """Up to `n` bytes. What came before an error stays in `_unread` and is not asked for again."""
        have = sum(map(len, self._unread))
        while have < n and (data := await self._body.read(n - have)):
            self._unread.append(data)
            have += len(data)
        return self._hand_over(n)

    def _hand_over(self, n: int) -> bytes:
        data = self._unread[0] if len(self._unread) == 1 else b"".join(self._unread)
        data, rest = data[:n], data[n:]
        self._unread = [rest] if rest else []
        self._position += len(data)
        return data

    async def _take_exactly(self, n: int) -> bytes:
        data = await self._take(n)
        if len(data) == n:
            return data
        self._unread.insert(0, data)
        self._position -= len(data)
        raise ContentIncomplete(f"the range ends after {len(data)} of {n} bytes", is_temporary=False)

    async def _take_some(self, n: int) -> bytes:
        if not self._unread and (data := await self._body.read(n)):
            self._unread.append(data)
        return self._hand_over(n)

    async def _take_next(self) -> bytes | None:
        if not self._unread and (data := await self._body.next()):
            self._unread.append(data)
        return self._hand_over(WHOLE) or None

    async def _move(self, offset: int, whence: int) -> int:
        if whence == os.SEEK_END:
            position = await self._body.seek(offset, whence)
        else:
            target = oio.seek_target(offset, whence, self._position, None)
            position = await self._body.seek(target, os.SEEK_SET)
        self._unread = []
        self._position = position
        return position

    async def _measure(self) -> int:
        size = await self._body.seek(0, os.SEEK_END)
        await self._body.seek(self._position + sum(map(len, self._unread)), os.SEEK_SET)
        return size

    async def _describe(self) -> Metadata:
        return await self._range.describe()

    async def _fetch(self, asked: list[BytesRange]) -> list[bytes]:
        args = self._args
        from entrepot.raw.oio.fetch import fetch_ranges

        window: Window[bytes] = self._context.runtime.window(args.concurrent or FETCH_CONCURRENT)
        return await fetch_ranges(self._range, asked, args.gap, args.chunk, window)


def _check_count(n: int, least: int) -> None:
    if type(n) is not int or n < least:
        raise InvalidInput(f"a number of bytes is an integer of at least {least}, not {n!r}")
