"""The files that the file systems open: `EntrepotFile` for sync code, `EntrepotStreamedFile` for `async with`."""

from __future__ import annotations

import io
import os
import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from fsspec.asyn import AbstractAsyncStreamedFile, sync
from fsspec.caching import caches, register_cache
from fsspec.compression import compr
from fsspec.spec import AbstractBufferedFile

from entrepot import AlreadyExists, InvalidInput, IsADirectory, NotFound, Reader, Writer
from entrepot.blocking import BlockingReader, BlockingWriter
from entrepot.blocking.leaving import Leaving

from .growing_cache import GrowingCache
from .info import Info, info_of
from .line_finder import BLOCK as LINE_BLOCK
from .line_finder import LineFinder
from .options import given

if TYPE_CHECKING:
    from .filesystem import OperatorsFileSystem

MODES: Final = ("rb", "wb", "ab", "xb")
BLOCK: Final = 8 * 1024 * 1024
_READ_OPTIONS: Final = {"version", "chunk", "concurrent"}
"""The options of a file to read. Conditions are none: the reader itself notices an object that is replaced."""

register_cache(GrowingCache, clobber=True)


class EntrepotFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """A binary file of fsspec, over the blocking operator. It may be used in any thread, one at a time.

    A file to read fetches the bytes that are read, and more only while the access is sequential (`GrowingCache`).
    It keeps no connection between two reads, because many programs leave such files open. If the object is replaced
    between two reads, the second fails with `ConditionNotMatch` instead of mixing two contents.

    A file to write is published when it is closed, and at the end of a transaction if there is one. A `with` block that
    fails publishes nothing, also when the file is inside of `fsspec.open` or of a text file. So does a file that is
    garbage-collected before it was closed, with a warning.

    Arguments:
        fs: the file system.
        path: the path, without protocol.
        mode: `"rb"`, `"wb"`, `"ab"` or `"xb"`. Where the storage cannot append, `"ab"` writes the old content again.
        block_size: bytes to fetch ahead at most, or to write at once. By default 8 MiB.
        autocommit: publish when the file is closed. By default True; False waits for `commit`.
        cache_type: the name of a cache of fsspec. By default `"growing"`.
        cache_options: arguments of the cache.
        size: the size of a file to read, if it is known; this saves a request.
        options: the options of `Operator.writer`. A file to read has `version`, `chunk` and `concurrent` of
            `Operator.reader`. The names of s3fs, gcsfs and adlfs work too, such as `version_id`. None is ignored, and
            so are hints such as `fill_cache`.

    Raises:
        NotFound: the file to read does not exist.
        AlreadyExists: the mode is `"xb"`, and the file exists.
        IsADirectory: the path names a directory.
        InvalidInput: the mode or the type of the cache is unknown, or a file to read has further options.
    """

    DEFAULT_BLOCK_SIZE = BLOCK

    _is_left = False
    """Whether `io` finalizes a file around this one. Its close is ignored: the program may have this one still."""

    _is_lost = False
    """Whether the file was garbage-collected before it was closed."""

    def __init__(
        self,
        fs: OperatorsFileSystem,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_type: str | None = None,
        cache_options: dict[str, Any] | None = None,
        size: int | None = None,
        **options: Any,
    ) -> None:
        if mode not in MODES:
            raise InvalidInput(f"a binary file has one of the modes {', '.join(MODES)}")
        if cache_type not in caches:
            raise InvalidInput(f"cache_type is one of {', '.join(filter(None, caches))}")
        options = given(options)
        if mode == "rb" and (unknown := options.keys() - _READ_OPTIONS):
            message = f"there is no option {min(unknown)!r} of a file to read"
            raise InvalidInput(f"{message}; cat_file and open_async have those of Operator.read, such as if_match")
        self._read_options = options if mode == "rb" else {}
        self._version = {name: value for name, value in self._read_options.items() if name == "version"}
        self._located = fs.located(path)
        self._storage = self._located.storage.blocking
        self._reader: BlockingReader | None = None
        self._writer: BlockingWriter | None = None
        self._content: bytes | None = None
        self._lines: LineFinder | None = None
        self._leaving = None if mode == "rb" else Leaving()
        self.claims_to_seek = False
        if mode == "xb" and self._storage.exists(self._located.key):
            raise AlreadyExists("the file exists already", path=path)
        if mode == "rb" and size is None:
            size = self._measured(path)
        self._start = self._end_of_old_content() if mode == "ab" else 0
        super().__init__(
            fs, path, mode, block_size or "default", autocommit, cache_type or "growing", cache_options, size, **options
        )

    @property
    def details(self) -> Info:
        """The same dictionary as `fs.info` gives for the path."""
        if self._details is None:
            metadata = self._storage.stat(self._located.key, **self._version)
            if metadata.is_dir:
                raise IsADirectory("the path names a directory", path=self._located.name)
            self._details: Info | None = info_of(self._located.name, metadata)
        return self._details

    def seekable(self) -> bool:
        return self.claims_to_seek or bool(super().seekable())

    def tell(self) -> int:
        return self._start + int(super().tell())

    def readuntil(self, char: bytes = b"\n", blocks: int | None = None) -> bytes:
        """Reads to the next `char`, which is included, or to the end.

        Arguments:
            char: the bytes to look for: one or more.
            blocks: bytes to look at in each step. By default 8 KiB.
        """
        return self._read_line(None, char, blocks or LINE_BLOCK)

    def readline(self, size: int | None = -1) -> bytes:
        """Reads to the end of the line, which is included, or to the end of the file.

        Arguments:
            size: bytes to read at most. By default -1, which has no limit.
        """
        return self._read_line(None if size is None or size < 0 else size)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Reads the rest of the file as lines.

        Arguments:
            hint: read no further line after so many bytes. By default -1, which has no limit.
        """
        return io.IOBase.readlines(self, -1 if hint is None else hint)  # fsspec's own adds an empty line at the end

    def commit(self) -> None:
        """Publishes the file. One that a transaction finds open is incomplete, and is discarded with a warning."""
        if not (self.closed or self.autocommit):
            self._lose()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self.fs.forget_above(self.path)

    def discard(self) -> None:
        """Discards the written data."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abort()

    def close(self) -> None:
        """Publishes a file to write, unless a `with` block is left because of an error. Closing again does nothing."""
        if self._is_left:
            self._is_left = False
            return
        if self.closed:
            return
        if self._leaving is not None and self._leaving.is_with_error():
            self.give_up()
            return
        try:
            super().close()
        except BaseException:
            self.discard()
            raise

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is not None and self.mode != "rb":
            self.give_up()
        else:
            self.close()

    def write(self, data: Any) -> int:
        # Compressors write their end when they are garbage-collected, perhaps after this file.
        return len(data) if self._is_lost else int(super().write(data))

    def flush(self, force: bool = False) -> None:
        if not (self._is_left or self._is_lost):  # nothing may wait in a finalizer
            super().flush(force)

    def _dealloc_warn(self, source: object) -> None:
        """Called by `io` before it closes a garbage-collected file around this one."""
        self._is_left = self.mode != "rb" and not self.closed

    def __del__(self) -> None:
        if not self.closed and self.mode != "rb":
            self._lose()

    def _lose(self) -> None:
        """Closes a file that nothing closed, without publishing it and without waiting."""
        self._is_lost = self.closed = True
        writer, self._writer = self._writer, None
        try:
            warnings.warn(f"{self!r} was not closed: nothing is written", RuntimeWarning, stacklevel=1, source=self)
        finally:
            if writer is not None:
                writer.give_up()

    def give_up(self) -> None:
        """Closes a file to write without publishing it."""
        self.closed = True
        self.discard()

    def _end_of_old_content(self) -> int:
        """The position of a file that appends. Programs decide by it whether to write a header first."""
        try:
            return self._storage.stat(self._located.key).content_length or 0
        except NotFound:
            return 0

    def _measured(self, path: str) -> int:
        """The size of a file to read. Content without a known size is read at once."""
        size = self.details["size"]
        if size is None:
            self._content = self._storage.read(self._located.key, **self._version)
            return len(self._content)
        return int(size)

    def _read_line(self, most: int | None, separator: bytes = b"\n", block: int = LINE_BLOCK) -> bytes:
        if self._lines is None or self.closed:
            self.read(0)  # raises what `read` does: the file is closed, or does not read
            self._lines = LineFinder(self.cache._fetch, self.size)  # noqa: SLF001 - the interface of fsspec's caches
        line = self._lines.read(self.loc, self.size if most is None else self.loc + most, separator, block)
        self.loc += len(line)
        return line

    def _fetch_range(self, start: int, end: int) -> bytes:
        if self._content is not None:
            return self._content[start:end]
        if self._reader is None:
            options = {"chunk": 2 * BLOCK, "concurrent": 4} | self._read_options
            self._reader = self._storage.reader(self._located.key, **options)
        return self._reader.fetch([(start, end)])[0]

    def _initiate_upload(self) -> None:
        key, options = self._located.key, dict(self.kwargs)
        can_append = self._storage.info.capability.write_with_append
        if self.mode == "xb":
            options["if_not_exists"] = True
        elif self.mode == "ab" and can_append:
            options["append"] = True
        writer = self._writer = self._storage.writer(key, **options)
        if self.mode == "ab" and not can_append and self._storage.exists(key):
            with self._storage.reader(key, chunk=BLOCK) as reader:
                for chunk in reader:
                    writer.write(chunk)

    def _upload_chunk(self, final: bool = False) -> bool:
        assert self._writer is not None
        self._writer.write(self.buffer.getbuffer())
        if final and self.autocommit:
            self.commit()
        return True


class EntrepotTextFile(io.TextIOWrapper):
    """A text file around an `EntrepotFile`. A `with` block that fails publishes nothing.

    Arguments:
        file: the binary file: to write, an `EntrepotFile` or `EntrepotCompressedFile`.
        mode: the mode of the text file.
        options: `encoding`, `errors` and `newline`, as of `io.TextIOWrapper`.
    """

    def __init__(self, file: Any, mode: str, **options: Any) -> None:
        self._file = file
        if "w" in mode or "x" in mode:
            # Only in a file that can seek does `io` look for the start, where UTF-16 has its byte order mark.
            file.claims_to_seek = True
            super().__init__(file, **options)
            file.claims_to_seek = False
        else:
            super().__init__(file, **options)

    def tell(self) -> int:
        if self.readable():
            return super().tell()
        self.flush()
        return int(self._file.tell())

    def __exit__(self, *exc: object) -> None:
        self.close()  # in a method of this name, by which the file below knows that the block is left


class EntrepotCompressedFile(io.BufferedWriter):
    """A file that compresses what is written. It closes the `EntrepotFile` below, which compressors leave open.

    Arguments:
        file: the file that is published.
        compression: a name of `fsspec.compression`.
    """

    def __init__(self, file: EntrepotFile, compression: str) -> None:
        super().__init__(compr[compression](file, mode="w"))
        self._file = file
        self._is_left = False
        self.claims_to_seek = False

    def seekable(self) -> bool:
        return self.claims_to_seek or super().seekable()

    def close(self) -> None:
        if self._is_left:
            self._is_left = False
            return
        if self.closed:
            return
        if getattr(self, "_finalizing", False) and not self._file.closed:  # set by `io`, which found it unreachable
            self._file._lose()  # noqa: SLF001 - a class of this module
        try:
            super().close()
        except BaseException:
            self._file.give_up()
            raise
        self._file.close()

    def _dealloc_warn(self, source: object) -> None:
        """Called by `io` before it closes a garbage-collected file around this one. Its close is ignored."""
        self._is_left = not self.closed


class EntrepotStreamedFile(AbstractAsyncStreamedFile):  # type: ignore[misc]
    """A binary file with coroutines, for `async with await fs.open_async(path) as file`.

    A file to write is published when it is closed; a block that fails or is cancelled publishes nothing. A file to read
    can be sought: `seek` does no I/O.

    Arguments:
        fs: the file system.
        path: the path, without protocol.
        mode: `"rb"`, `"wb"`, `"ab"` or `"xb"`.
        size: the size of a file to read; None if the storage does not report it.
        options: the options of `Operator.reader` or `Operator.writer`.
    """

    def __init__(  # the base class would look up the size with a sync call
        self, fs: OperatorsFileSystem, path: str, mode: str, size: int | None, options: dict[str, Any]
    ) -> None:
        self.fs = fs
        self.path = path
        self.mode = mode
        self.size = size
        self.loc = 0
        self.kwargs = given(options)
        self.blocksize = BLOCK
        self.autocommit = not fs._intrans or mode == "rb"  # noqa: SLF001 - a name of fsspec, which its files use
        self.closed = False
        self._located = fs.located(path)
        self._reader: Reader | None = None
        self._writer: Writer | None = None
        if not self.autocommit:
            fs.transaction.files.append(self)

    async def read(self, length: int = -1) -> bytes:
        """Reads bytes from the position on; `b""` means the end.

        Arguments:
            length: the number of bytes. By default -1, which reads to the end.
        """
        self._check("read", "rb")
        if self._reader is None:
            self._reader = await self._located.operator.reader(self._located.key, **self.kwargs)
        if self._reader.tell() != self.loc:
            await self._reader.seek(self.loc)
        data = await self._reader.read(-1 if length is None else length)
        self.loc += len(data)
        return data

    def seek(self, loc: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position of a file to read, and returns it. No I/O.

        Arguments:
            loc: the distance in bytes.
            whence: relative to the start, the position or the end, as in `io`.
        """
        self._check("seek", "rb")
        return int(super().seek(loc, whence))

    async def write(self, data: Any) -> int:
        """Adds bytes, and returns their number.

        Arguments:
            data: `bytes`, or any contiguous object with the buffer protocol.
        """
        self._check("write", "wb", "ab", "xb")
        writer = await self._opened_writer()
        before = writer.tell()
        await writer.write(data)
        written = writer.tell() - before
        self.loc += written
        return written

    async def flush(self, force: bool = False) -> None:
        """Does nothing: the file is published when it is closed."""

    async def close(self) -> None:
        """Publishes a file to write, and releases the connection of a file to read. Closing again does nothing."""
        if self.closed:
            return
        self.closed = True
        if self._reader is not None:
            await self._reader.aclose()
        if self.mode != "rb":
            writer = await self._opened_writer()
            if self.autocommit:
                async with writer:
                    self._writer = None
                self.fs.forget_above(self.path)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None or self._writer is None:
            await self.close()
            return
        self.closed = True
        writer, self._writer = self._writer, None
        await writer.abort()

    def commit(self) -> None:
        """Publishes the file at the end of a transaction."""
        if self._writer is not None:
            sync(self.fs.loop, self._writer.close)
            self.fs.forget_above(self.path)

    def discard(self) -> None:
        """Discards the written data at the end of a transaction that failed."""
        if self._writer is not None:
            sync(self.fs.loop, self._writer.abort)

    def __del__(self) -> None:
        """Does nothing: the reader or writer below warns if it was left open."""

    def _check(self, call: str, *modes: str) -> None:
        if self.closed:
            raise InvalidInput("the file is closed")
        if self.mode not in modes:
            raise io.UnsupportedOperation(f"{call} is not possible in mode {self.mode!r}")

    async def _opened_writer(self) -> Writer:
        if self._writer is None:
            self._writer = await self._open_writer()
        return self._writer

    async def _open_writer(self) -> Writer:
        operator, key = self._located.operator, self._located.key
        can_append = operator.info.capability.write_with_append
        flags: dict[str, Any] = {"if_not_exists": True} if self.mode == "xb" else {}
        if self.mode == "ab" and can_append:
            flags["append"] = True
        writer = await operator.writer(key, **flags, **self.kwargs)
        if self.mode == "ab" and not can_append and await operator.exists(key):
            async for chunk in operator.reader(key, chunk=BLOCK):
                await writer.write(chunk)
        return writer
