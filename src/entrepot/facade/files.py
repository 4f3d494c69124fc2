"""The binary files of `Operator.open`, with async methods as aiofiles and `anyio.AsyncFile` have them.

Theory of operation. `BinaryReader` keeps the bytes that it read last (`_buffer`), with its position in them (`_at`);
the reader below stands at their end. So a small seek back costs nothing. `ReadAhead` says how much more is read.
`BinaryWriter` collects small writes. A position moves, and a buffer is emptied, only after the awaited call returned,
so after an error or a cancellation the same call can be made again.
"""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, Self, TypeVar

from entrepot.errors import ConditionNotMatch, Unsupported
from entrepot.raw.oio.read.read_ahead import START, ReadAhead
from entrepot.raw.oio.read.seek import seek_target

from .buffers import required_buffer, writable_bytes
from .exclusive import refuse_pickling
from .file_mode import already_exists
from .iterate import ByAsyncFor
from .reader import Reader
from .writer import Writer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


T = TypeVar("T", bytes, str)

READ_BUFFER: Final = 64 * 1024
"""The default size of the buffer of a file that is read, in bytes."""

WRITE_BUFFER: Final = 256 * 1024
"""The default size of the buffer of a file that is written, in bytes."""


class AsyncFile(ByAsyncFor, Generic[T]):
    """The base of files: the methods that all share, and refusals of the methods that a mode excludes.

    A method of a closed file raises `ValueError`, and one that the mode excludes `Unsupported`, which is an
    `io.UnsupportedOperation`. Other errors are those of `Reader` and `Writer`. One task at a time may use a file. A
    file cannot be pickled: pickle the operator and the path.

    Attributes:
        name: the path of the object.
        mode: the mode of the file, such as `"rb"`.
    """

    def __init__(self, path: str, mode: str) -> None:
        self.name = path
        self.mode = mode

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the file is closed."""

    def readable(self) -> bool:
        """Whether the file reads."""
        return False

    async def writable(self) -> bool:
        """Whether the file writes."""
        return False

    async def seekable(self) -> bool:
        """Whether the file can seek: a file that reads can."""
        return self.readable()

    async def isatty(self) -> bool:
        """False."""
        return False

    def fileno(self) -> NoReturn:
        """Raises `Unsupported`: an object has no file descriptor."""
        self._refuse("fileno")

    async def read(self, n: int | None = -1) -> T:
        """Reads `n` bytes or characters, fewer only at the end; an empty result means the end.

        Arguments:
            n: how many. By default -1, which reads to the end, as does None.
        """
        self._refuse("read")

    async def readline(self, size: int | None = -1) -> T:
        """Reads to the end of the line, which the result includes; an empty result means the end.

        Arguments:
            size: the most bytes or characters. By default -1, which is without limit, as is None.
        """
        self._refuse("read")

    async def readlines(self, hint: int | None = -1) -> list[T]:
        """Reads lines, to the end or until they have more than `hint` bytes or characters."""
        lines, size = list[T](), 0
        while line := await self.readline():
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint < size:
                break
        return lines

    def __aiter__(self) -> Self:
        """Yields the lines."""
        return self

    async def __anext__(self) -> T:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def write(self, data: T) -> int:
        """Writes, and returns the number of bytes or characters."""
        self._refuse("write")

    async def writelines(self, lines: Iterable[T]) -> None:
        """Writes each item. Ends of lines are not added."""
        for line in lines:
            await self.write(line)

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position and returns it. A text file can only move to a result of `tell`, or the start or end."""
        self._refuse("seek")

    async def truncate(self, size: int | None = None) -> int:
        """Raises `Unsupported`: no part of an object can be cut off."""
        self._refuse("truncate")

    @abstractmethod
    async def tell(self) -> int:
        """Returns the position. No I/O."""

    async def flush(self) -> None:
        """Passes on the buffered data. The object appears when the file is closed, and not before."""
        self._check_open()

    @abstractmethod
    async def close(self) -> None:
        """Closes the file. The written data is published. Closing it again has no effect."""

    async def aclose(self) -> None:
        """The same as `close`, by the name that `contextlib.aclosing` and anyio use."""
        await self.close()

    async def __aenter__(self) -> Self:
        self._check_open()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        refuse_pickling(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name!r} mode={self.mode!r}>"

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _refuse(self, verb: str) -> NoReturn:
        self._check_open()
        raise Unsupported(f"a file with mode {self.mode!r} has no {verb}")


class BinaryReader(AsyncFile[bytes]):
    """A binary file that reads.

    Arguments:
        reader: the reader of the object.
        path: the path of the object.
        size: the size of the buffer in bytes; 0 for none.
    """

    def __init__(self, reader: Reader, path: str, size: int = READ_BUFFER) -> None:
        super().__init__(path, "rb")
        self._reader = reader
        self._size = size
        self._policy = ReadAhead(size)
        self._buffer = b""
        self._at = 0
        self._is_closed = False
        self._end_of_last = 0

    @property
    def closed(self) -> bool:
        return self._is_closed

    def readable(self) -> bool:
        return True

    async def read(self, n: int | None = -1) -> bytes:
        self._check_open()
        if n is None or n < 0:
            return self._take_with(await self._reader.read())
        missing = n - self._left
        if missing >= self._size:
            return self._take_with(await self._reader.read(missing))
        while self._left < n and await self._fill(n - self._left):
            pass
        return self._take(n)

    async def read1(self, n: int = -1) -> bytes:
        """Reads at least one byte and at most `n`, with one request at most; `b""` means the end."""
        self._check_open()
        if not self._left:
            await self._fill(START if n < 0 else min(n, max(self._size, START)))
        return self._take(self._left if n < 0 else n)

    async def peek(self, n: int = 0) -> bytes:
        """Returns the buffered bytes without moving the position, at least one except at the end."""
        self._check_open()
        if not self._left:
            await self._fill(START)
        return self._buffer[self._at :]

    async def readall(self) -> bytes:
        """Reads to the end."""
        return await self.read()

    async def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads into a writable buffer and returns the number of bytes, less than its size only at the end."""
        self._check_open()
        view = writable_bytes(buffer)
        if len(view) - self._left < self._size:
            data = await self.read(len(view))
            view[: len(data)] = data
            return len(data)
        buffered = self._take(self._left)
        view[: len(buffered)] = buffered
        try:
            size = await self._reader.readinto(view[len(buffered) :])
        except BaseException:
            self._at -= len(buffered)
            raise
        self._buffer, self._at = b"", 0  # its end is no longer where the reader stands
        return len(buffered) + size

    async def readinto1(self, buffer: WriteableBuffer) -> int:
        """Reads at least one byte into a writable buffer, with one request at most; 0 means the end."""
        self._check_open()
        view = writable_bytes(buffer)
        data = await self.read1(len(view))
        view[: len(data)] = data
        return len(data)

    async def readline(self, size: int | None = -1) -> bytes:
        self._check_open()
        limit = -1 if size is None else size
        searched = 0
        while (end := self._buffer.find(b"\n", self._at + searched) + 1) == 0:
            searched = self._left
            if 0 <= limit <= searched or not await self._fill(max(START, searched)):
                return self._take(limit if limit >= 0 else self._left)
        length = end - self._at
        return self._take(min(length, limit) if limit >= 0 else length)

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        start = self._reader.tell() - len(self._buffer)
        if whence == os.SEEK_END:
            target = await self._reader.seek(offset, whence)
        else:
            target = seek_target(offset, whence, start + self._at, None)
            if start <= target <= start + len(self._buffer):
                self._at = target - start
                return target
            await self._reader.seek(target)
        self._buffer, self._at = b"", 0
        return target

    async def tell(self) -> int:
        self._check_open()
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        await self._reader.aclose()

    @property
    def _left(self) -> int:
        return len(self._buffer) - self._at

    @property
    def _position(self) -> int:
        return self._reader.tell() - self._left

    async def _fill(self, n: int) -> bool:
        """Adds at least `n` bytes to the buffer, or more if the policy says so. False at the end."""
        end = self._reader.tell()
        size = self._policy.size_of(end, n, has_moved=end != self._end_of_last)
        data = await self._reader.read(-1 if size is None else size)
        self._end_of_last = end + len(data)
        self._buffer = self._buffer[self._at :] + data if self._left else data
        self._at = 0
        return bool(data)

    def _take(self, n: int) -> bytes:
        begin, self._at = self._at, min(self._at + n, len(self._buffer))
        return self._buffer[begin : self._at]

    def _take_with(self, data: bytes) -> bytes:
        """Takes the rest of the buffer, with the bytes after it."""
        taken = self._buffer[self._at :] + data if self._left else data
        self._buffer, self._at = b"", 0
        return taken


class BinaryWriter(AsyncFile[bytes]):
    """A binary file that writes.

    Arguments:
        writer: the writer of the object.
        path: the path of the object.
        mode: the mode of the file, such as `"wb"`.
        size: the size of the buffer in bytes; 0 for none.
        start: the position of the first byte.
    """

    def __init__(self, writer: Writer, path: str, mode: str = "wb", size: int = WRITE_BUFFER, start: int = 0) -> None:
        super().__init__(path, mode)
        self._writer = writer
        self._size = size
        self._start = start
        self._buffer = bytearray()
        self._is_closed = False

    @property
    def closed(self) -> bool:
        return self._is_closed

    async def writable(self) -> bool:
        return True

    async def read1(self, n: int = -1) -> bytes:
        """Raises `Unsupported`, as do `readinto` and `readinto1`: the file does not read."""
        self._refuse("read")

    async def readinto(self, buffer: WriteableBuffer) -> int:
        self._refuse("read")

    async def readinto1(self, buffer: WriteableBuffer) -> int:
        self._refuse("read")

    async def write(self, data: ReadableBuffer) -> int:
        self._check_open()
        if isinstance(data, str):
            raise TypeError("a binary file takes bytes, not str")
        piece = required_buffer(data)
        size = len(piece)
        if len(self._buffer) + size > self._size:
            await self.flush()
        if size >= self._size:
            await self._writer.write(piece)
        else:
            self._buffer += piece
        return size

    async def tell(self) -> int:
        self._check_open()
        return self._start + self._writer.tell() + len(self._buffer)

    async def flush(self) -> None:
        self._check_open()
        if self._buffer:
            await self._writer.write(bytes(self._buffer))
            self._buffer.clear()

    async def close(self) -> None:
        if not self._is_closed:
            await self._leave(None, None, None)

    async def abort(self) -> None:
        """Discards the written data and closes the file. No effect on a closed file."""
        if not self._is_closed:
            self._is_closed = True
            await self._writer.abort()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._is_closed:
            await self._leave(exc_type, exc, traceback)

    def __del__(self) -> None:
        if not self._is_closed and self._buffer and not self._writer.tell():  # otherwise the writer warns
            warnings.warn(f"unclosed file {self!r}", ResourceWarning, stacklevel=2, source=self)

    async def _leave(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Publishes the object, or discards it because of an error. A file that cannot be published is discarded."""
        try:
            if exc is not None:
                await self._writer.__aexit__(exc_type, exc, traceback)
                return
            async with self._writer:
                await self.flush()
        except ConditionNotMatch as error:
            if self.mode.startswith("x"):
                refused = already_exists().of_call("open", scheme=error.scheme or "", path=error.path or "")
                raise refused from error
            raise
        finally:
            self._is_closed = True
