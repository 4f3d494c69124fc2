"""A file system of pyarrow over an operator, without fsspec in between.

    import pyarrow.parquet
    from entrepot import Operator
    from entrepot.integrations.pyarrow import file_system

    files = file_system(Operator.from_uri("s3://bucket?region=eu-west-1"))
    table = pyarrow.parquet.read_table("a.parquet", filesystem=files)

Needs the extra `pyarrow`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from entrepot import AlreadyExists, Entry, InvalidInput, IsADirectory, Metadata, NotADirectory, NotFound, Operator
from entrepot.blocking import BlockingWriter
from entrepot.blocking.leaving import Leaving

from .directories import check_may_move, check_unchanged, keeping_what_is_not_empty, with_directories
from .extras import not_installed
from .identity import token
from .last_block import LastBlock

try:
    from pyarrow import PythonFile
    from pyarrow.fs import FileInfo, FileSelector, FileSystemHandler, FileType, PyFileSystem
except ImportError as error:
    raise not_installed("pyarrow", error) from error

__all__ = ["EntrepotHandler", "file_system"]

LARGEST_AHEAD: Final = 8 * 1024 * 1024
_HEADERS: Final = ("content_type", "content_encoding", "content_disposition", "cache_control")


def file_system(operator: Operator) -> PyFileSystem:
    """Returns a file system of pyarrow over an operator, with its layers. Paths are relative to the operator's root.

    Arguments:
        operator: the operator.

    Raises:
        InvalidInput: `operator` is not an `Operator`.
    """
    return PyFileSystem(EntrepotHandler(operator))


class EntrepotHandler(FileSystemHandler):  # type: ignore[misc]  # pyarrow has no types
    """The handler of a `PyFileSystem` of pyarrow, which calls it in its own threads.

    Two are equal if their operators pickle to the same bytes, or are the same object.

    Arguments:
        operator: the operator.

    Raises:
        InvalidInput: `operator` is not an `Operator`.
    """

    def __init__(self, operator: Operator) -> None:
        if not isinstance(operator, Operator):
            raise InvalidInput(f"a file system is made from an Operator, not {type(operator).__name__}")
        self._operator = operator
        self._blocking = operator.blocking()

    def get_type_name(self) -> str:
        """Returns `entrepot+` and the scheme of the service."""
        return f"entrepot+{self._operator.info.scheme}"

    def normalize_path(self, path: str) -> str:
        """Returns the path without slashes at its ends."""
        return path.strip("/")

    def get_file_info(self, paths: Iterable[str]) -> list[FileInfo]:
        """Describes each path. A missing one has the type `FileType.NotFound`."""
        paths = list(paths)
        found = dict(zip(paths, self._blocking.stat_many([path.strip("/") for path in paths]), strict=True))
        if self._operator.info.capability.list:
            missing = [path for path, metadata in found.items() if metadata is None]
            found |= zip(missing, self._blocking.stat_many(map(_directory, missing)), strict=True)
        return [_info_or_missing(path, found[path]) for path in paths]

    def get_file_info_selector(self, selector: FileSelector) -> list[FileInfo]:
        """Describes the content of a directory, with `recursive` at every depth. One listing.

        Raises:
            FileNotFoundError: the directory does not exist, and `allow_not_found` is not set.
            NotADirectoryError: the path names a file.
        """
        directory = _directory(selector.base_dir)
        entries = self._blocking.list(directory, recursive=selector.recursive)
        if not entries:
            self._check_missing_directory(selector.base_dir, may_be_missing=selector.allow_not_found)
        listed = with_directories(entries, directory) if selector.recursive else entries
        base, key = selector.base_dir.rstrip("/"), directory.strip("/")
        return [_info_of(_under(base, key, entry), entry.metadata) for entry in listed if entry.path.strip("/") != key]

    def create_dir(self, path: str, recursive: bool) -> None:
        """Makes a directory; with `recursive` its missing parents too. An existing one is unchanged."""
        parent = path.strip("/").rpartition("/")[0]
        if not recursive and parent and not self._blocking.exists(_directory(parent)):
            raise NotFound("the parent directory does not exist", path=parent)
        self._blocking.create_dir(_directory(path))

    def delete_dir(self, path: str) -> None:
        """Deletes a directory with its content.

        Raises:
            FileNotFoundError: the directory does not exist.
        """
        self._blocking.stat(_directory(path))
        self._blocking.delete(_directory(path), recursive=True)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        """Deletes the content of a directory, and keeps the directory.

        Raises:
            FileNotFoundError: the directory does not exist, and `missing_dir_ok` is not set.
            InvalidInput: the path names the root; see `delete_root_dir_contents`.
        """
        if not path.strip("/"):
            raise InvalidInput("the path names the root: use delete_root_dir_contents")
        entries = self._blocking.list(_directory(path))
        if not entries:
            self._check_missing_directory(path, may_be_missing=missing_dir_ok)
            return
        self._delete_all(entry for entry in entries if entry.path != _directory(path))
        self._blocking.create_dir(_directory(path))  # where it existed only because of its content

    def delete_root_dir_contents(self) -> None:
        """Deletes everything below the root of the operator."""
        self._delete_all(entry for entry in self._blocking.list("/") if entry.path != "/")

    def delete_file(self, path: str) -> None:
        """Deletes a file.

        Raises:
            FileNotFoundError: the file does not exist.
            IsADirectoryError: the path names a directory.
        """
        self._stat_file(path)
        self._blocking.delete(path)

    def move(self, src: str, dest: str) -> None:
        """Moves a file or a directory. A file is renamed where the storage can, else copied and then deleted.

        Of a directory, what was listed at first is moved. What another program adds meanwhile stays.

        Raises:
            ConditionNotMatch: a file was changed after it was copied. It stays, and what follows it in a directory.
            InvalidInput: a directory would be moved into itself.
            FileExistsError: a directory would be moved to one that is not empty.
            Error: the listing of the directory lacks something, as `Lister.left_out` says. Nothing is moved.
        """
        if not self._type_of(src).is_dir:
            self._move_file(src, dest)
            return
        check_may_move(src, dest)
        self._check_is_empty(dest)
        source, target = _directory(src), _directory(dest)
        with self._blocking.lister(source, recursive=True) as lister:
            entries = list(lister)
        for error in lister.left_out():  # the move would leave it behind
            raise error
        for entry in entries:
            moved = f"{target}{entry.path[len(source) :]}"
            if entry.metadata.is_dir:
                self._blocking.create_dir(moved)
            else:
                self._move_file(entry.path, moved)
        with keeping_what_is_not_empty():
            self._blocking.delete_many({source, *(entry.path for entry in entries if entry.metadata.is_dir)})

    def copy_file(self, src: str, dest: str) -> None:
        """Copies a file. The storage does it, if it can."""
        if self._operator.info.capability.copy:
            self._blocking.copy(src, dest)
        else:
            self._blocking.copy_to(self._blocking, src, dest)

    def open_input_stream(self, path: str) -> PythonFile:
        """Opens a file to read from its start to its end.

        Raises:
            FileNotFoundError: the file does not exist.
            IsADirectoryError: the path names a directory.
        """
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> PythonFile:
        """Opens a file to read in any place.

        It fetches the bytes that are read, and more ahead while the access is sequential. No connection is kept between
        two reads, because pyarrow leaves files open.

        Raises:
            FileNotFoundError: the file does not exist.
            IsADirectoryError: the path names a directory.
        """
        size = self._stat_file(path).content_length
        if size is None:  # only its end tells the size
            return PythonFile(io.BytesIO(self._blocking.read(path)), mode="r")
        reader = self._blocking.reader(path, chunk=2 * LARGEST_AHEAD, concurrent=4)

        def fetch(start: int, end: int) -> bytes:
            return reader.fetch([(start, end)])[0]

        return PythonFile(_InputFile(LastBlock(fetch, size, LARGEST_AHEAD), size), mode="r")

    def open_output_stream(self, path: str, metadata: Mapping[Any, Any] | None) -> PythonFile:
        """Opens a file to write. It is published when it is closed.

        Arguments:
            path: the file.
            metadata: headers to store: Content-Type, Content-Encoding, Content-Disposition and Cache-Control; the
                rest becomes user metadata. By default none.
        """
        return PythonFile(_OutputFile(self._blocking.writer(path, **_options_of(metadata))), mode="w")

    def open_append_stream(self, path: str, metadata: Mapping[Any, Any] | None) -> PythonFile:
        """Opens a file to write at its end. Requires `write_with_append`."""
        return PythonFile(_OutputFile(self._blocking.writer(path, append=True, **_options_of(metadata))), mode="w")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EntrepotHandler):
            return NotImplemented
        return token(self._operator) == token(other._operator)

    def __hash__(self) -> int:
        return hash(token(self._operator))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._operator,)

    def __repr__(self) -> str:
        return f"EntrepotHandler({self._operator!r})"

    def _type_of(self, path: str) -> Metadata:
        """The metadata of a file, or else of a directory."""
        key = path.strip("/")
        try:
            return self._blocking.stat(key)
        except NotFound as missing:
            if self._operator.info.capability.list:
                with suppress(NotFound):
                    return self._blocking.stat(_directory(path))
            raise missing from None

    def _stat_file(self, path: str) -> Metadata:
        metadata = self._type_of(path)
        if metadata.is_dir:
            raise IsADirectory("the path names a directory", path=path)
        return metadata

    def _check_missing_directory(self, path: str, *, may_be_missing: bool) -> None:
        if self._blocking.exists(path.strip("/")):
            raise NotADirectory("the path names a file", path=path)
        if not may_be_missing:
            raise NotFound("there is no such directory", path=path)

    def _check_is_empty(self, directory: str) -> None:
        with self._blocking.lister(_directory(directory)) as entries:
            if any(entry.path != _directory(directory) for entry in entries):
                raise AlreadyExists("the directory to move to is not empty", path=directory)

    def _delete_all(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._blocking.delete(entry.path, recursive=entry.metadata.is_dir)

    def _move_file(self, source: str, target: str) -> None:
        if self._operator.info.capability.rename:
            self._blocking.rename(source, target)
        else:
            before = self._blocking.stat(source)
            self.copy_file(source, target)
            with suppress(NotFound):  # another program has deleted it
                check_unchanged(source, before, self._blocking.stat(source))
                self._blocking.delete(source)


class _InputFile:
    """A file to read in any place, as `pyarrow.PythonFile` needs it: one thread at a time."""

    closed = False

    def __init__(self, reads: LastBlock, size: int) -> None:
        self._reads = reads
        self._size = size
        self._position = 0

    def read(self, n: int = -1) -> bytes:
        start = self._position
        content = self._reads.read(start, self._size if n < 0 else start + n)
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if position < 0:
            raise InvalidInput("the position is before the start of the file")
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return True


class _OutputFile(io.RawIOBase):
    """A file to write, which is published when it is closed, unless that is because of an error.

    A file that is garbage-collected before it was closed is not published: its writer warns.
    """

    def __init__(self, writer: BlockingWriter) -> None:
        self._writer = writer
        self._leaving = Leaving()

    def write(self, data: Any) -> int:
        return self._writer.write(data)

    def tell(self) -> int:
        return self._writer.tell()

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if getattr(self, "_finalizing", False):  # set by `io` before it closes a garbage-collected file
            return
        if self._leaving.is_with_error():
            self._writer.abort()
            return
        try:
            self._writer.close()
        except BaseException:
            self._writer.abort()
            raise


def _directory(path: str) -> str:
    return f"{path.strip('/')}/"


def _under(base: str, key: str, entry: Entry) -> str:
    """The path of an entry below the directory as the caller wrote it."""
    below = entry.path.strip("/")[len(key) :].lstrip("/")
    return f"{base}/{below}" if base else below


def _info_or_missing(path: str, metadata: Metadata | None) -> FileInfo:
    return FileInfo(path, FileType.NotFound) if metadata is None else _info_of(path, metadata)


def _info_of(path: str, metadata: Metadata) -> FileInfo:
    if metadata.is_dir:
        return FileInfo(path, FileType.Directory, mtime=metadata.last_modified)
    kind = FileType.File if metadata.is_file else FileType.Unknown
    return FileInfo(path, kind, size=metadata.content_length, mtime=metadata.last_modified)


def _options_of(headers: Mapping[Any, Any] | None) -> dict[str, Any]:
    """The options of a write for headers, which pyarrow passes as bytes."""
    options: dict[str, Any] = {}
    user: dict[str, str] = {}
    for name, value in (headers or {}).items():
        text, content = _text(name).lower(), _text(value)
        option = text.replace("-", "_")
        if option in _HEADERS:
            options[option] = content
        else:
            user[text] = content
    return options | ({"user_metadata": user} if user else {})


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
