"""`open` of `Operator`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack, cast, overload

if TYPE_CHECKING:
    from _typeshed import OpenBinaryModeReading, OpenBinaryModeWriting, OpenTextModeReading, OpenTextModeWriting

    from .files import BinaryReader, BinaryWriter
    from .keywords import ReaderOptions, WriterOptions
    from .opened_file import FutureFile
    from .operator import Operator
    from .options import Path
    from .text_files import TextReader, TextWriter


class Opening:
    """The base of `Operations`: opens objects as files."""

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
    ) -> FutureFile[TextReader]: ...

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
    ) -> FutureFile[TextWriter]: ...

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
    ) -> FutureFile[BinaryReader]: ...

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
    ) -> FutureFile[BinaryWriter]: ...

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
    ) -> FutureFile[Any]: ...

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
        """Opens an object as a file with async methods. Await it, or better enter it: `async with op.open(path) as f`.

        The methods are those of aiofiles and of `anyio.AsyncFile`: `read`, `readline`, `readlines`, `readinto`,
        `async for line in f`, `write`, `writelines`, `seek`, `tell`, `flush`, `close` and `aclose`.

        The object is written when the file is closed. If an `async with` block fails or is cancelled, it is not.
        Opening does no I/O, except with `"x"` and `"a"`: errors such as `NotFound` are raised by the first read. A file
        cannot be read and written, and a file that is written cannot seek; `tell` of one that appends counts from the
        start of the object.

        Arguments:
            path: the object.
            mode: `"r"` reads, `"w"` replaces the object, `"a"` appends to it (requires `write_with_append`), and `"x"`
                writes an object that does not exist (requires `write_with_if_not_exists`). With `"b"` the file has
                bytes, otherwise text. By default `"r"`.
            buffering: the size of the buffer in bytes; 1 writes each line of text at once. By default
                64 KiB to read and 256 KiB to write.
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
        from .file_mode import file_mode
        from .opened_file import FutureFile, open_file

        checked = file_mode(mode, buffering, encoding, errors, newline)
        return FutureFile(partial(open_file, cast("Operator", self), checked), "open", (path,), options)
