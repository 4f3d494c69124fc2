"""`open` of `BlockingOperator`."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, Unpack, overload

from entrepot.facade.file_mode import file_mode, open_for, start_of
from entrepot.facade.reader import Reader

if TYPE_CHECKING:
    import io
    from collections.abc import Awaitable, Mapping
    from typing import Literal

    from _typeshed import OpenBinaryModeReading, OpenBinaryModeWriting, OpenTextModeReading, OpenTextModeWriting

    from entrepot.facade.keywords import ReaderOptions, WriterOptions
    from entrepot.facade.options import Path
    from entrepot.facade.writer import Writer

    from .files import ReadBuffer, TextWriter, WriteBuffer
    from .sides import Side


class Opening:
    """The base of `BlockingBase`: opens objects as files of the standard library."""

    _overlapping: Side

    if TYPE_CHECKING:

        def _side(self, call: str, options: Mapping[str, Any]) -> Side: ...

        def _opened(self, side: Side, opening: Awaitable[Reader | Writer]) -> Reader | Writer: ...

    @overload
    def open(
        self,
        path: Path,
        mode: OpenTextModeReading = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        **options: Unpack[ReaderOptions],
    ) -> io.TextIOWrapper[ReadBuffer]: ...

    @overload
    def open(
        self,
        path: Path,
        mode: OpenTextModeWriting,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        **options: Unpack[WriterOptions],
    ) -> TextWriter: ...

    @overload
    def open(  # type: ignore[overload-overlap]  # 0 is an int as well
        self,
        path: Path,
        mode: OpenBinaryModeReading | OpenBinaryModeWriting,
        buffering: Literal[0],
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        **options: Any,
    ) -> io.RawIOBase: ...

    @overload
    def open(
        self,
        path: Path,
        mode: OpenBinaryModeReading,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        **options: Unpack[ReaderOptions],
    ) -> ReadBuffer: ...

    @overload
    def open(
        self,
        path: Path,
        mode: OpenBinaryModeWriting,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        **options: Unpack[WriterOptions],
    ) -> WriteBuffer: ...

    @overload
    def open(
        self,
        path: Path,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        **options: Any,
    ) -> IO[Any]: ...

    def open(
        self,
        path: Path,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        **options: Any,
    ) -> Any:
        """Opens an object as a file, like `open` of Python: an `io` object for any library that takes files.

        The object is written when the file is closed. If a `with` block of it, or of a file around it, fails, it is
        not: `close` of a file publishes, so use `with`, or call `abort`. A file that is garbage-collected without being
        closed publishes nothing and issues a `ResourceWarning`. Opening does no I/O, except with `"x"` and `"a"`:
        errors such as `NotFound` are raised by the first read. A file cannot be read and written, and a file that is
        written cannot seek; `tell` of one that appends counts from the start of the object.

        Arguments:
            path: the object.
            mode: `"r"` reads, `"w"` replaces the object, `"a"` appends to it (requires `write_with_append`), and `"x"`
                writes an object that does not exist (requires `write_with_if_not_exists`). With `"b"` the file has
                bytes, otherwise text. By default `"r"`.
            buffering: the size of the buffer in bytes; 0 for none, in binary mode; 1 writes each line of text at
                once. By default 64 KiB to read and 256 KiB to write.
            encoding: the encoding of a text file. By default UTF-8, on every machine.
            errors: how a text file handles characters that it cannot convert. By default it raises.
            newline: how a text file translates ends of lines, as in `io.TextIOWrapper`.
            options: those of `reader` or `writer`.

        Raises:
            InvalidInput: the mode is unknown, or does not fit to the other arguments.
            Unsupported: the mode reads and writes (`"+"`), or the service lacks the capability for the mode.
            AlreadyExists: the mode is `"x"`, and the object exists. `close` raises it too.
            TypeError: an argument has the wrong type.
            LookupError: the encoding or the error handler is unknown.
        """
        from .files import file_over_reader, file_over_writer
        from .reader import BlockingReader
        from .writer import BlockingWriter

        checked = file_mode(mode, buffering, encoding, errors, newline)
        side = self._side("open to read" if checked.is_reading else "open to write", options)
        body = self._opened(side, open_for(side.operator, path, checked, options))
        name = os.fspath(path)
        if isinstance(body, Reader):
            return file_over_reader(BlockingReader(body, side.runner, self._overlapping.runner), name, checked)
        start = side.run(start_of(side.operator, path, checked))
        return file_over_writer(BlockingWriter(body, side.runner), name, checked, start)
