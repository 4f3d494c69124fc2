"""Downloads to local files, and uploads of them.

Theory of operation. The local side is an operator over the directory of the file, so a download is a copy between two
operators: fetched in chunks that are all of one content, and visible only when it is complete.

A download that can be resumed appends to a partial file instead. Its name has a hash of the file's name, and of the
version or etag and the size of the object, so the partial file of another content is never continued. The next
download reads from its end on, and renames it when it is complete. A download locks its partial file (flock(2)) as long
as it runs; one that finds it locked makes an ordinary copy.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from functools import partial
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import (
    ConditionNotMatch,
    ContentIncomplete,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
)
from entrepot.raw import (
    DEFAULT_DELETE,
    DEFAULT_RENAME,
    DEFAULT_STAT,
    Context,
    OpCopy,
    OpRead,
    OpStat,
)
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.types import BytesRange, Metadata
from entrepot.types.shown import shown

from .copying import CHUNK, CONCURRENT, Side, copy_between
from .deleting import delete_one
from .options import Path
from .reader import Reader, open_body
from .sources import errors_of_file, pieces_of
from .stack import Stack

if TYPE_CHECKING:
    from entrepot.raw.runtime import File

_PARTIAL: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Not through a link that another user made, and without waiting for the reader of a FIFO."""

_NAME_SHOWN: Final = 50
"""Characters of a file's name in the name of its partial file, which takes no more than 255 bytes with them."""


def local_directory(path: Any, context: Context) -> Side:
    """The root of an operator over a local directory, which need not exist.

    Raises:
        InvalidInput: it is not a path.
    """
    from entrepot.services.fs import Fs

    return Side(Stack.of(Fs(_local_path(path)), (), context, resilient=False), "/")


def local_file(path: Any, context: Context) -> Side:
    """A local file, in an operator over its directory.

    Raises:
        InvalidInput: it is not a path, or names no file.
    """
    text = _local_path(path)
    directory, name = os.path.split(text)
    if name in ("", ".", ".."):
        raise InvalidInput("the local path does not name a file")
    return replace(local_directory(directory or ".", context), path=name)


async def check_directory(path: Any, context: Context) -> None:
    """Checks that a local directory exists, which an operator over it would show as empty.

    Raises:
        NotFound: it does not exist.
        NotADirectory: it is a file.
    """
    text = _local_path(path)
    with errors_of_file(text):
        attributes = await context.runtime.blocking(os.stat, text)
    if not S_ISDIR(attributes.st_mode):
        raise NotADirectory("the local path is not a directory").add_context(source=text)


async def download(
    source: Side, target: Side, args: OpCopy, note: Callable[[int], object], *, is_resumable: bool
) -> Metadata:
    """Copies an object to a local file, and returns the metadata of the file.

    Arguments:
        source: the object.
        target: the file.
        args: the options of a copy.
        note: called with the length of each piece.
        is_resumable: whether an interrupted download is continued, and can be. Where the storage states no strong etag
            and no version, the download starts again.

    Raises:
        Unsupported: an option is not one of files, such as `content_type`.
        InvalidInput: `user_metadata` is given for a download that is resumable.
    """
    if is_resumable:
        await _check_options(target, args)
        stat = OpStat(version=args.source_version)
        known = (await source.accessor.stat(source.path, stat)).metadata
        if known.content_length is not None and _identity(known) is not None:
            return await _Resumable(source, target, args, note, known, known.content_length).run()
    return (await copy_between(source, target, args, note)).metadata


async def _check_options(target: Side, args: OpCopy) -> None:
    """Refuses the options that a rename of a partial file cannot apply."""
    if args.user_metadata is not None:
        raise InvalidInput("a download with resume stores no user_metadata: download without resume")
    await target.accessor.write(target.path, replace(args.to_write(), if_match=args.if_match))  # without I/O


async def counted(path: Any, context: Context, note: Callable[[int], object]) -> AsyncGenerator[bytes, None]:
    """The blocks of a local file, each noted when the next one is asked for."""
    async with aclosing(pieces_of(_PathLike(_local_path(path)), context.runtime)) as blocks:
        async for block in blocks:
            yield block
            note(len(block))


class _Resumable:
    """One download that continues a partial file.

    Arguments:
        source: the object.
        target: the file.
        args: the options of a copy.
        note: called with the length of each piece.
        known: the metadata of the object.
        size: its size.
    """

    def __init__(
        self, source: Side, target: Side, args: OpCopy, note: Callable[[int], object], known: Metadata, size: int
    ) -> None:
        self._source = source
        self._target = target
        self._args = args
        self._note = note
        self._known = known
        self._size = size
        identity = f"{target.path}\n{_identity(known)}\n{size}".encode(errors="surrogatepass")
        self._part = f".{target.path[:_NAME_SHOWN]}.{hashlib.sha256(identity).hexdigest()[:16]}.part"
        self._path = f"{target.root}{self._part}"

    async def run(self) -> Metadata:
        """Downloads the rest, and gives the file its name."""
        with _errors_of_target(self._path):
            await self._check_place()
        with _errors_of_target(self._path):
            file, done = await self._target.context.runtime.open_file(partial(_claim, self._path))
        try:
            if done is None:  # another download has it
                return (await copy_between(self._source, self._target, self._args, self._note)).metadata
            await self._complete(file, done)
        finally:
            await file.close()
        return (await self._target.accessor.stat(self._target.path, DEFAULT_STAT)).metadata

    async def _check_place(self) -> None:
        """Refuses a target that the last step would refuse, before a byte is read."""
        try:
            existing = (await self._target.accessor.stat(self._target.path, DEFAULT_STAT)).metadata
        except NotFound:
            return
        if existing.is_dir:
            raise IsADirectory("the local path names a directory")
        if self._args.if_not_exists:
            raise ConditionNotMatch("if_not_exists does not hold: the local file exists")

    async def _complete(self, file: File, done: int) -> None:
        """Appends the rest of the object, and renames the partial file while it is locked."""
        try:
            if done > self._size:  # another program wrote to it, so these are not the first bytes of the object
                done = 0
                await file.run(io.FileIO.truncate, 0)
            self._note(done)
            async with aclosing(self._rest(done)) as rest:
                async for piece in rest:
                    with _errors_of_target(self._path):
                        await file.run(_write, piece)
                    done += len(piece)
                    self._note(len(piece))
            if done != self._size:
                raise ContentIncomplete(f"{done} bytes were read of an object of {self._size} bytes")
            await self._publish()
        except BaseException:
            if not done:
                await delete_one(self._target.accessor, self._part, DEFAULT_DELETE)
            raise

    async def _publish(self) -> None:
        """Gives the partial file the name of the file."""
        args = replace(DEFAULT_RENAME, if_not_exists=self._args.if_not_exists)
        try:
            await self._target.accessor.rename(self._part, self._target.path, args)
        except Error as error:
            error.path = self._target.path  # not the partial file, which the caller does not know
            error.add_context(side="target")
            raise

    async def _rest(self, done: int) -> AsyncGenerator[bytes, None]:
        if done == self._size:
            return
        version = self._known.version
        reading = OpRead(
            range=BytesRange(done, self._size),
            version=version,
            if_match=self._known.etag if version is None else None,
            chunk=self._args.chunk or CHUNK,
            concurrent=self._args.concurrent or CONCURRENT,
        )
        pinned = PinnedRange(self._source.accessor, self._source.path, reading)
        opened = await open_body(self._source.context, pinned, reading)
        async with Reader(self._source.context, pinned, reading, opened) as reader:
            async for piece in reader:
                yield piece


@contextmanager
def _errors_of_target(path: str) -> Generator[None, None, None]:
    """Translates errors of the operating system, and adds that they are of the target."""
    try:
        with errors_of_file(path):
            yield
    except Error as error:
        error.add_context(side="target")
        raise


def _claim(path: str) -> tuple[io.FileIO, int | None]:
    """Opens and locks a partial file, and returns it with its size; None in its place if another download has it.

    The lock ends with the process, so a killed download leaves its file to the next one.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    while True:
        file = io.FileIO(os.open(path, _PARTIAL, 0o666), "ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            attributes = os.fstat(file.fileno())
            if _has_inode(path, attributes):
                return file, attributes.st_size
        except BlockingIOError:
            return file, None
        except BaseException:
            file.close()
            raise
        file.close()  # its download was completed in between


def _has_inode(path: str, attributes: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.lstat(path), attributes)
    except FileNotFoundError:
        return False


def _write(file: io.FileIO, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


class _PathLike(os.PathLike[str]):
    """A path, so that a source that was given as text is a path all the same."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return self._path


def _identity(metadata: Metadata) -> str | None:
    """The version or the strong etag of an object."""
    return metadata.version or (None if metadata.has_weak_etag else metadata.etag)


def _local_path(path: Path) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str) or not text:
        raise InvalidInput(f"a local path must be a str or a PathLike of str that is not empty, not {shown(text)}")
    if "\0" in text:
        raise InvalidInput("a local path must not hold a NUL")
    return text
