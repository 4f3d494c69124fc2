"""The file objects of `Operator.open`: files with async methods, as aiofiles and `anyio.AsyncFile` have them.

Theory of operation. `BinaryReader` keeps the bytes that it read last (`_buffer`), with its position in them (`_at`);
the reader below stands at their end. So a small seek back costs nothing. `ReadAhead` says how much more is read.
`BinaryWriter` collects small writes. A position moves, and a buffer is emptied, only after the awaited call returned,
so after an error or a cancellation the same call can be made again.

`TextReader` decodes blocks of bytes into segments. A segment has the state of the decoder at its start, so `tell` can
count from there. `tell` returns a plain position in bytes where the decoder has no state at that position. Otherwise
the number also says which state the decoder had and how many characters to skip (as in `io.TextIOWrapper`).
"""

from __future__ import annotations

import codecs
import io
import os
import warnings
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, Self, TypeVar, cast

from entrepot.errors import ConditionNotMatch, Unsupported
from entrepot.raw.oio.read.api import WHOLE
from entrepot.raw.oio.read.read_ahead import START, ReadAhead
from entrepot.raw.oio.read.seek import seek_target

from .buffers import required_buffer, writable_bytes
from .file_mode import FileMode, already_exists, open_for
from .future import Entered
from .options import Path
from .reader import Reader
from .writer import Writer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from .operator import Operator

T = TypeVar("T", bytes, str)

READ_BUFFER: Final = 64 * 1024
"""The default size of the buffer of a file that is read, in bytes."""

WRITE_BUFFER: Final = 256 * 1024
"""The default size of the buffer of a file that is written, in bytes."""

_STATE_SHIFT: Final = 64
_SKIP_SHIFT: Final = 128


class AsyncFile(Generic[T]):
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
        name = type(self).__name__
        raise TypeError(f"cannot pickle {name!r} object: pickle the operator and the path, and open it there")

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
    """

    def __init__(self, writer: Writer, path: str, mode: str = "wb", size: int = WRITE_BUFFER) -> None:
        super().__init__(path, mode)
        self._writer = writer
        self._size = size
        self._buffer = bytearray()
        self._is_closed = False

    @property
    def closed(self) -> bool:
        return self._is_closed

    async def writable(self) -> bool:
        return True

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
        return self._writer.tell() + len(self._buffer)

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


class _Text(AsyncFile[str]):
    """A text file around a binary one."""

    def __init__(self, buffer: BinaryReader | BinaryWriter, mode: FileMode) -> None:
        super().__init__(buffer.name, mode.name)
        self.buffer = buffer
        self.encoding = mode.encoding
        self.errors = mode.errors

    @property
    def closed(self) -> bool:
        return self.buffer.closed

    async def close(self) -> None:
        await self.buffer.close()


class _Segment:
    """Decoded text, and where it came from.

    Arguments:
        start: the position of its first byte.
        state: the flags of the decoder there.
        data: the bytes that it was decoded from.
        is_last: whether the decoder was told that the data ends there.
        text: the text.
    """

    __slots__ = ("data", "is_last", "start", "state", "text")

    def __init__(self, start: int, state: int, data: bytes, text: str, *, is_last: bool) -> None:
        self.start = start
        self.state = state
        self.data = data
        self.text = text
        self.is_last = is_last


class TextReader(_Text):
    """A text file that reads.

    Attributes:
        buffer: the binary file.
        encoding: the encoding.
        errors: how it handles bytes that it cannot decode.
    """

    buffer: BinaryReader

    def __init__(self, buffer: BinaryReader, mode: FileMode) -> None:
        super().__init__(buffer, mode)
        self._newline = mode.newline
        self._decoder = self._new_decoder()
        self._segments: deque[_Segment] = deque()
        self._used = 0
        self._has_ended = False

    @property
    def newlines(self) -> str | tuple[str, ...] | None:
        """The ends of lines that were translated so far."""
        return getattr(self._decoder, "newlines", None)

    def readable(self) -> bool:
        return True

    async def read(self, n: int | None = -1) -> str:
        self._check_open()
        if n is None or n < 0:
            while await self._fill(WHOLE):
                pass
            return self._take(self._left)
        while self._left < n and await self._fill(n - self._left):
            pass
        return self._take(n)

    async def readline(self, size: int | None = -1) -> str:
        self._check_open()
        limit = -1 if size is None else size
        while True:
            length = self._line_length()
            if length or 0 <= limit <= self._left or not await self._fill(max(START, self._left)):
                break
        length = length or self._left
        return self._take(min(length, limit) if limit >= 0 else length)

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        if whence not in {os.SEEK_SET, os.SEEK_CUR, os.SEEK_END}:
            raise ValueError(f"invalid whence: {whence}")
        if whence != os.SEEK_SET and offset:
            raise Unsupported("a text file can only move to a position that `tell` returned, its start or its end")
        if whence == os.SEEK_CUR:
            return await self.tell()
        if whence == os.SEEK_END:
            position = await self.buffer.seek(0, os.SEEK_END)
            self._restart(0, 0)
            return position
        return await self._return_to(offset)

    async def tell(self) -> int:
        self._check_open()
        if not self._segments:
            pending, state = self._decoder.getstate()
            return _cookie(await self.buffer.tell() - len(pending), state)
        segment = self._segments[0]
        if not self._used:
            return _cookie(segment.start, segment.state)
        if (size := self._encoded_size(segment)) is not None:
            return segment.start + size
        return _cookie(segment.start, segment.state, self._used)

    def _new_decoder(self) -> codecs.IncrementalDecoder:
        decoder = codecs.getincrementaldecoder(self.encoding)(self.errors)
        if self._newline:
            return decoder
        return cast("codecs.IncrementalDecoder", io.IncrementalNewlineDecoder(decoder, translate=self._newline is None))

    @property
    def _left(self) -> int:
        return sum(len(segment.text) for segment in self._segments) - self._used

    async def _fill(self, n: int) -> bool:
        """Decodes another block, of at least `n` bytes if the file has them. False at the end."""
        if self._has_ended:
            return False
        pending, state = self._decoder.getstate()
        data = await self.buffer.read1() if n <= START else await self.buffer.read(-1 if n == WHOLE else n)
        self._has_ended = not data or n == WHOLE
        text = self._decoder.decode(data, self._has_ended)
        if text:
            start = await self.buffer.tell() - len(data) - len(pending)
            segment = _Segment(start, state, pending + data, text, is_last=self._has_ended)
            self._segments.append(segment)
        return not self._has_ended

    def _take(self, n: int) -> str:
        parts = []
        while n > 0 and self._segments:
            text = self._segments[0].text
            part = text[self._used : self._used + n]
            parts.append(part)
            n -= len(part)
            self._used += len(part)
            if self._used == len(text):
                self._segments.popleft()
                self._used = 0
        return parts[0] if len(parts) == 1 else "".join(parts)

    def _line_length(self) -> int:
        """The length of the next line, with its end; 0 if its end is not here yet."""
        if not self._segments:
            return 0
        text = self._segments[0].text
        if (end := _end_of_line(text, self._used, self._newline)) or len(self._segments) == 1:
            return end - self._used if end else 0
        rest = "".join(segment.text for segment in self._segments)
        return (_end_of_line(rest, self._used, self._newline) or self._used) - self._used

    def _encoded_size(self, segment: _Segment) -> int | None:
        """How many bytes the used characters took, if the decoder has no state after them."""
        decoder = self._new_decoder()
        decoder.setstate((b"", segment.state))
        guess = len(segment.text[: self._used].encode(self.encoding, "replace"))  # right unless ends are translated
        if decoder.decode(segment.data[:guess]) == segment.text[: self._used] and decoder.getstate() == (b"", 0):
            return guess
        decoder.setstate((b"", segment.state))
        count = 0
        for end in range(1, len(segment.data) + 1):
            count += len(decoder.decode(segment.data[end - 1 : end]))
            if count == self._used and decoder.getstate() == (b"", 0):
                return end
            if count > self._used:
                break
        return None

    def _restart(self, position: int, state: int) -> None:
        self._segments.clear()
        self._used = 0
        self._has_ended = False
        self._decoder.reset()
        if position:  # at the start the decoder expects a byte order mark, which is its own state
            self._decoder.setstate((b"", state))

    async def _return_to(self, cookie: int) -> int:
        if cookie < 0:
            raise ValueError(f"negative position: {cookie}")
        mask = (1 << _STATE_SHIFT) - 1
        position, state, skip = cookie & mask, cookie >> _STATE_SHIFT & mask, cookie >> _SKIP_SHIFT
        await self.buffer.seek(position)
        self._restart(position, state)
        if len(await self.read(skip)) < skip:
            raise OSError("the text ends before the position")
        return cookie


class TextWriter(_Text):
    """A text file that writes.

    Attributes:
        buffer: the binary file.
        encoding: the encoding.
        errors: how it handles characters that it cannot encode.
    """

    buffer: BinaryWriter

    def __init__(self, buffer: BinaryWriter, mode: FileMode) -> None:
        super().__init__(buffer, mode)
        self._encoder = codecs.getincrementalencoder(mode.encoding_written)(mode.errors)
        self._end_of_line = os.linesep if mode.newline is None else mode.newline or "\n"
        self.line_buffering = mode.buffering == 1

    async def writable(self) -> bool:
        return True

    async def write(self, data: str) -> int:
        self._check_open()
        if not isinstance(data, str):
            raise TypeError(f"a text file takes str, not {type(data).__name__}")
        text = data if self._end_of_line == "\n" else data.replace("\n", self._end_of_line)
        state = self._encoder.getstate()
        encoded = self._encoder.encode(text)
        try:
            await self.buffer.write(encoded)
        except BaseException:
            self._encoder.setstate(state)
            raise
        if self.line_buffering and "\n" in data:
            await self.flush()
        return len(data)

    async def tell(self) -> int:
        return await self.buffer.tell()

    async def flush(self) -> None:
        await self.buffer.flush()

    async def abort(self) -> None:
        """Discards the written data and closes the file. No effect on a closed file."""
        await self.buffer.abort()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.buffer.__aexit__(exc_type, exc, traceback)


F = TypeVar("F", bound="AsyncFile[Any]")


class FutureFile(Entered[F]):
    """A file that is not opened yet. It can be awaited, or entered with `async with`."""


async def open_file(operator: Operator, mode: FileMode, path: Path, options: Mapping[str, Any]) -> AsyncFile[Any]:
    """Opens an object as a file.

    Raises:
        AlreadyExists: the mode is `"x"`, and the object exists.
    """
    return _file_over(await open_for(operator, path, mode, options), os.fspath(path), mode)


def _file_over(body: Reader | Writer, path: str, mode: FileMode) -> AsyncFile[Any]:
    size = mode.buffering if mode.buffering > 1 or mode.buffering == 0 else None
    if isinstance(body, Reader):
        reader = BinaryReader(body, path, READ_BUFFER if size is None else size)
        return TextReader(reader, mode) if mode.is_text else reader
    writer = BinaryWriter(body, path, f"{mode.action}b", WRITE_BUFFER if size is None else size)
    return TextWriter(writer, mode) if mode.is_text else writer


def _cookie(position: int, state: int, skip: int = 0) -> int:
    """A position in a text file as `tell` returns it."""
    return position | (state if position else 0) << _STATE_SHIFT | skip << _SKIP_SHIFT


def _end_of_line(text: str, start: int, newline: str | None) -> int:
    """The position after the end of the line that begins at `start`; 0 if it is not in the text."""
    if newline != "":
        end = newline or "\n"
        found = text.find(end, start)
        return found + len(end) if found >= 0 else 0
    ends = [text.find(mark, start) for mark in ("\r", "\n")]
    found = min((end for end in ends if end >= 0), default=-1)
    return found + (2 if text.startswith("\r\n", found) else 1) if found >= 0 else 0
