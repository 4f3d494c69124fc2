"""The file objects of `BlockingOperator.open`: classes of `io`, for libraries that take open files.

Theory of operation. At the bottom is a raw file (`io.RawIOBase`) over a `BlockingReader` or `BlockingWriter`; on top
are the buffers and the text layer of `io` itself, with two additions.

A buffer of `io` asks its raw file to fill it, and does not say how many bytes the caller wants. After a seek that would
cost a whole buffer for each small read. So `ReadBuffer` leaves that number in `RawReader.wanted`, and `RawReader` fills
only that much, and more while the reads continue (`ReadAhead`, as for the requests below).

A file that is written publishes its object when it is closed, so it must not be closed by accident:

- a `with` block that raises aborts (`__exit__`); `close` of `io` would publish;
- so does a `with` block of a file around this one (`Leaving`), such as an `io.TextIOWrapper`;
- a write that failed dooms the file: bytes may be missing, so `close` aborts;
- a file that is garbage-collected aborts and warns. `io` closes such a file, and calls `_dealloc_warn` of the raw file
  before. Nothing may wait then, because the finalizer may run in the thread of the event loop;
- where a file around a buffer is garbage-collected, its close is ignored: the program may have the buffer still.
"""

from __future__ import annotations

import io
import os
import warnings
from collections import UserString
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from entrepot.errors import AlreadyExists, ConditionNotMatch
from entrepot.facade.exclusive import refuse_pickling
from entrepot.facade.file_mode import FileMode, already_exists
from entrepot.raw.oio.read.final_buffer import FinalBuffer
from entrepot.raw.oio.read.read_ahead import START, ReadAhead

from .leaving import Leaving
from .reader import BlockingReader
from .writer import BlockingWriter

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

READ_BUFFER: Final = 64 * 1024
"""The default size of the buffer of a file that is read, in bytes."""

WRITE_BUFFER: Final = 256 * 1024
"""The default size of the buffer of a file that is written: a call of the event loop takes as long as copying it."""


class _Raw(io.RawIOBase):
    """A raw file.

    Arguments:
        body: the reader or writer.
        path: the path of the object.
        mode: the mode of the file, such as `"rb"`.

    Attributes:
        name: the path.
        mode: the mode.
    """

    def __init__(self, body: BlockingReader | BlockingWriter, path: str, mode: str) -> None:
        self._body = body
        self._was_dropped = False
        self.name = path
        self.mode = mode

    def close(self) -> None:
        if self.closed:
            return
        if getattr(self, "_finalizing", False):  # set by `io` before it closes a garbage-collected file
            self._dealloc_warn(self)
        try:
            if self._was_dropped:
                self._body.give_up()
            else:
                self._end()
        finally:
            super().close()

    def _end(self) -> None:
        """Closes the body."""
        self._body.close()

    def _dealloc_warn(self, source: object) -> None:
        """Called by `io` before it closes a garbage-collected file."""
        if not self._was_dropped:
            self._was_dropped = True
            warnings.warn(f"unclosed file {source!r}", ResourceWarning, stacklevel=2, source=source)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        refuse_pickling(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name!r} mode={self.mode!r}>"


class RawReader(_Raw):
    """A raw file that reads.

    Attributes:
        wanted: how many bytes the caller of the buffer above needs now; 0 if unknown.
    """

    _body: BlockingReader

    def __init__(self, body: BlockingReader, path: str, mode: str) -> None:
        super().__init__(body, path, mode)
        self.wanted = 0
        self._policy: ReadAhead | None = None
        self._end_of_last = 0

    def fill_gradually(self, size: int) -> None:
        """Fills a buffer of this size only as far as the policy allows."""
        self._policy = ReadAhead(size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._check_open()
        view = memoryview(buffer).cast("B")
        count = self._body.readinto(view[: self._allowed(len(view))])
        self.wanted = max(0, self.wanted - count)
        self._end_of_last = self._body.tell()
        return count

    def readall(self) -> bytes:
        self._check_open()
        return self._body.read()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        return self._body.seek(offset, whence)

    def tell(self) -> int:
        self._check_open()
        return self._body.tell()

    def _allowed(self, size: int) -> int:
        if self._policy is None:
            return size
        position = self._body.tell()
        demand = min(self.wanted or START, size)
        allowed = self._policy.size_of(position, demand, has_moved=position != self._end_of_last)
        return size if allowed is None else min(size, allowed)


class RawWriter(_Raw):
    """A raw file that writes. `close` publishes the object, unless a write has failed.

    Attributes:
        claims_to_seek: whether `seekable` returns True, although it cannot seek. Only for our own text files: others
            would seek, such as a download in parts by boto3.
    """

    _body: BlockingWriter

    def __init__(self, body: BlockingWriter, path: str, mode: str, start: int) -> None:
        super().__init__(body, path, mode)
        self._start = start
        self._has_failed = False
        self._leaving = Leaving()
        self.claims_to_seek = False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.claims_to_seek

    def write(self, data: ReadableBuffer) -> int:
        self._check_open()
        view = memoryview(data)
        if self._was_dropped:
            return view.nbytes
        try:
            return self._body.write(view)
        except BaseException:
            self._has_failed = True
            raise

    def tell(self) -> int:
        self._check_open()
        return self._start + self._body.tell()

    def abort(self) -> None:
        """Discards the written data and closes the file. No effect on a closed file."""
        if not self.closed:
            self._abandon(None, None, None)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None or self.closed:
            self.close()
        else:
            self._abandon(exc_type, exc, traceback)

    def _abandon(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if exc is None:
                self._body.abort()
            else:
                self._body.__exit__(exc_type, exc, traceback)
        finally:
            self._has_failed = True
            io.RawIOBase.close(self)

    def _end(self) -> None:
        if self._has_failed or self._leaving.is_with_error():
            self._body.abort()
            return
        try:
            self._body.__exit__(None, None, None)  # unlike `close`, it leaves nothing on the storage if it fails
        except ConditionNotMatch as error:
            if self.mode.startswith("x"):
                raise _already_exists(error) from error
            raise


class ReadBuffer(io.BufferedReader):
    """A buffered file that reads."""

    raw: RawReader

    def __init__(self, raw: RawReader, size: int) -> None:
        raw.fill_gradually(size)
        super().__init__(raw, size)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._size:
            return self._read_at_once(size)
        raw = self.raw
        raw.wanted = size or 0
        try:
            return super().read(size)
        finally:
            raw.wanted = 0

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        raw = self.raw
        raw.wanted = memoryview(buffer).nbytes
        try:
            return super().readinto(buffer)
        finally:
            raw.wanted = 0

    def _read_at_once(self, size: int) -> bytes:
        """Reads more than the buffer holds. `read` of `io` would request it as two parts, full blocks and the rest."""
        content = FinalBuffer(size)
        with content.view() as view:
            count = self.readinto(view)
        return content.taken(None if count == size else count)

    def read1(self, size: int = -1, /) -> bytes:
        self.peek()  # `io` would not use the buffer for this, and a text layer reads by 8 KiB
        return super().read1(size)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        refuse_pickling(self)


class WriteBuffer(io.BufferedWriter):
    """A buffered file that writes."""

    raw: RawWriter

    _is_left = False
    """Whether `io` finalizes a file around this one."""

    @property
    def name(self) -> UserString:
        """The path, equal to a string. Some programs open a local file of that name if it is a `str`.

        pandas 2.2 to 3.0 does so with every `io.BufferedWriter` (`DataFrame.to_parquet`): the object would be empty.
        """
        return UserString(self.raw.name)

    def close(self) -> None:
        if self._is_left:
            self._is_left = False
        else:
            super().close()

    def flush(self) -> None:
        if not self._is_left:
            super().flush()

    def _dealloc_warn(self, source: object) -> None:
        """Called by `io` before it closes a garbage-collected file around this one."""
        self._is_left = not self.closed

    def abort(self) -> None:
        """Discards the written data and closes the file. No effect on a closed file."""
        self.raw.abort()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None:
            self.close()
        else:
            self.raw.__exit__(exc_type, exc, traceback)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        refuse_pickling(self)


class TextWriter(io.TextIOWrapper):
    """A text file that writes."""

    buffer: WriteBuffer

    def __init__(self, buffer: WriteBuffer, mode: FileMode) -> None:
        # Only in a file that can seek does `io` look for the start of the text, which has a byte order mark in UTF-16.
        buffer.raw.claims_to_seek = mode.action != "a"
        super().__init__(buffer, mode.encoding_written, mode.errors, mode.newline, line_buffering=mode.buffering == 1)
        buffer.raw.claims_to_seek = False

    def tell(self) -> int:
        self.flush()
        return self.buffer.tell()

    def abort(self) -> None:
        """Discards the written data and closes the file. No effect on a closed file."""
        self.buffer.abort()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None:
            self.close()
        else:
            self.buffer.__exit__(exc_type, exc, traceback)


def file_over_reader(body: BlockingReader, path: str, mode: FileMode) -> io.IOBase:
    """Returns the file that reads from a reader."""
    raw = RawReader(body, path, f"{mode.action}b")
    if mode.buffering == 0:
        return raw
    buffer = ReadBuffer(raw, _buffer_size(mode, READ_BUFFER))
    return (
        _with_mode(io.TextIOWrapper(buffer, mode.encoding, mode.errors, mode.newline), mode) if mode.is_text else buffer
    )


def file_over_writer(body: BlockingWriter, path: str, mode: FileMode, start: int) -> io.IOBase:
    """Returns the file that writes to a writer, from the position `start` on."""
    raw = RawWriter(body, path, f"{mode.action}b", start)
    if mode.buffering == 0:
        return raw
    buffer = WriteBuffer(raw, _buffer_size(mode, WRITE_BUFFER))
    if not mode.is_text:
        return buffer
    return _with_mode(TextWriter(buffer, mode), mode)


def _buffer_size(mode: FileMode, default: int) -> int:
    return mode.buffering if mode.buffering > 1 else default


def _with_mode(file: io.TextIOWrapper, mode: FileMode) -> io.TextIOWrapper:
    file.mode = mode.name  # type: ignore[misc]  # as `io.open` does
    return file


def _already_exists(error: ConditionNotMatch) -> AlreadyExists:
    return already_exists().of_call("open", scheme=error.scheme or "", path=error.path or "")
