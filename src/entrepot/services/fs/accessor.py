"""The fs service: files of a local directory."""

import errno
import io
import os
import stat
from collections.abc import Callable, Sequence
from typing import Final

from entrepot.errors import Error, IsSameFile, NotFound, Unsupported
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    Context,
    OpCopy,
    OpCreateDir,
    OpDelete,
    OpList,
    OpRead,
    OpRename,
    OpStat,
    OpWrite,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpList,
    RpRead,
    RpRename,
    RpStat,
    RpWrite,
    WholeRead,
    WholeWrite,
    normalize_root,
    oio,
)
from entrepot.raw.conditions import check_conditions, is_conditional
from entrepot.raw.file_paths import check_may_be_made, check_may_exist, file_path, names_directory, relative_path
from entrepot.raw.oio import windowed
from entrepot.raw.oio.list import lengths, self_entry
from entrepot.raw.oio.read import chunked, fetch, streamable
from entrepot.raw.os_errors import translate_os_errors
from entrepot.types import Capability, Metadata, Scheme
from entrepot.types.records import replace

from .appender import Appender
from .cached import LIMIT, CachedFiles
from .copier import FsCopier
from .deleter import delete_many, delete_path
from .kernel.attributes import check_is_regular, may_misstate_size, unless_stored
from .kernel.beneath import (
    attributes_beneath,
    attributes_without_links,
    describe_beneath,
    describe_without_links,
    file_system_beneath,
    is_in_root,
    make_directory,
    open_beneath,
    open_number_beneath,
    open_number_without_links,
    open_root,
    open_root_number,
)
from .kernel.content import with_user_metadata
from .kernel.describe import AT_FDCWD, Look, describe, describe_length
from .kernel.xattrs import CAN_BE_STORED, may_have_user_metadata
from .lister import FsLister, Walk
from .revocable import Revocable, run_long_revocable, run_revocable
from .transfer import FileCopy, RootedPath, rename_file
from .writer import Replacement

NEEDED_LATER: Final = (chunked, fetch, lengths, self_entry, streamable, windowed)
"""Modules that only later calls use, imported now: an import does I/O itself, which fails where no descriptor is left
or where the process may not read its own files any more."""

DELETE_MAX_SIZE: Final = 1000
"""Deletions that share a thread call."""

CAPABILITY = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_seek=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
    write=True,
    write_can_empty=True,
    write_with_append=True,
    write_with_if_not_exists=True,
    write_with_user_metadata=CAN_BE_STORED,
    create_dir=True,
    delete=True,
    delete_with_recursive=True,
    delete_max_size=DELETE_MAX_SIZE,
    list=True,
    list_with_recursive=True,
    copy=True,
    copy_with_if_not_exists=True,
    rename=True,
    rename_with_if_not_exists=True,
    shared=True,
)
"""The same on each file system, except user metadata: a write is `Unsupported` where the file system has none."""

BUFFER: Final = 4 * 1024 * 1024
"""Bytes that are collected to be appended. Content up to this size is written and renamed in one call."""
_PIECE: Final = 2 * 1024 * 1024
"""Bytes that are collected for one write of a large new file."""
_WRITES: Final = 2
"""Writes to a new file that its thread has got: it begins the second one without waiting for the caller."""
PAGE: Final = 1000
"""Entries that are listed in one thread call."""
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_SHORT: Final = 1000
"""Characters of a path that is certainly not too long for the system, whose limit is 4,096 bytes."""


class FsAccessor(Accessor):
    """Files of a local directory. The runtime makes every blocking call, in as few thread calls as the work allows.

    Arguments:
        context: its runtime makes the calls.
        root: the directory.
        fsync: whether each write, copy, rename and new directory is forced to the disk.
        abandoned_after: seconds after which a listing removes an abandoned temporary file; 0 is never.
        source: the root that the sources of copies and renames are in; None is this one.
    """

    def __init__(
        self,
        context: Context,
        root: str,
        *,
        fsync: bool = False,
        abandoned_after: int = 0,
        source: str | None = None,
    ) -> None:
        self.info = AccessorInfo(
            Scheme.FS, normalize_root(root), native_capability=CAPABILITY, chunks_from_one_body=True,
            copies_from_elsewhere=source is not None,
        )  # fmt: skip
        self._abandoned_after = 0 if context.is_read_only else abandoned_after
        self._context = context
        if context.is_about_to_wait:
            _import_what_calls_need(context)
        self._root = root
        self._origin = source or root
        self._cached_files = CachedFiles(root)
        self._fsync = fsync

    async def stat(self, path: str, args: OpStat) -> RpStat:
        relative = relative_path(path)
        runtime, cached = self._context.runtime, self._cached_files
        metadata = await runtime.try_nonblocking(cached.stat, relative) if cached.is_usable() else None
        if metadata is None:
            metadata = await runtime.blocking(self._stat, relative)
        if names_directory(path) and not metadata.is_dir:
            raise NotFound("there is no such directory: the name belongs to something else")
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.FileReader]:
        relative = file_path(path)

        def cached(most: int) -> tuple[Metadata, bytes] | None:
            return self._cached_files.read(relative, args, most)

        return self._reader(relative, args, cached if self._cached_files.can_read() else None)

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        relative, runtime, cached = file_path(path), self._context.runtime, self._cached_files
        look = describe if described is not None or is_conditional(args) else describe_length
        found = await runtime.try_nonblocking(cached.read, relative, args, LIMIT, look) if cached.can_read() else None
        if found is None:
            found = await runtime.blocking(self._read_whole, relative, args, look)
        if found is None:
            return self._reader(relative, args)
        metadata, content = found
        if described is not None:
            described.metadata = metadata
        return content

    def _read_whole(self, relative: str, args: OpRead, look: Look) -> tuple[Metadata, bytes] | None:
        """The requested range; None if one call did not return all of its bytes."""
        with translate_os_errors():
            descriptor = _open_number(self._root, relative)
            try:
                metadata = _describe_to_read(descriptor, args, look)
                self._cached_files.learn(descriptor)
                return oio.read_window_of_file(descriptor, metadata, args.range)
            finally:
                os.close(descriptor)

    def _reader(
        self, relative: str, args: OpRead, cached: Callable[[int], tuple[Metadata, bytes] | None] | None = None
    ) -> tuple[RpRead, oio.FileReader]:
        def opener() -> tuple[io.FileIO, Metadata]:
            opened = _open(self._root, relative, args)
            self._cached_files.learn(opened[0].fileno())
            return opened

        response, may_be_cached = RpRead(), self._cached_files.can_read()
        return response, oio.into_read_from_file(
            self._context.runtime, opener, args.range, response, cached,
            self._cached_files.read_part if may_be_cached else None, args.chunk,
        )  # fmt: skip

    def _stat(self, relative: str) -> Metadata:
        metadata = _stat(self._root, relative)
        self._cached_files.learn(relative)
        return metadata

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.PositionWriter]:
        relative = file_path(path)
        check_may_be_made(relative)
        appender = self._appender(relative, args)
        if appender is not None:
            return RpWrite(), oio.PositionWriter(appender, args.chunk or BUFFER, self._context.runtime.window(1))
        return RpWrite(), self._position_writer(self._replacement(relative, args), args)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        if args.append or len(data) > BUFFER:
            return await self.write(path, args)
        relative = file_path(path)
        check_may_be_made(relative)
        file = self._replacement(relative, args)
        try:
            return await file.store(data)
        except Error as error:
            # The next attempt is made by the same file, which knows whether this one has taken effect.
            return RpWrite(), oio.FailedWriter(self._position_writer(file, args), error)

    def _replacement(self, relative: str, args: OpWrite) -> Replacement:
        return Replacement(self._context.runtime, self._root, relative, args, fsync=self._fsync)

    def _position_writer(self, file: Replacement, args: OpWrite) -> oio.PositionWriter:
        return oio.PositionWriter(file, args.chunk or _PIECE, self._context.runtime.window(_WRITES))

    def _appender(self, relative: str, args: OpWrite) -> Appender | None:
        """Returns None for a write that does not append, which includes one with `if_not_exists`."""
        if not args.append or args.if_not_exists:
            return None
        if args.user_metadata:
            raise Unsupported("the service fs cannot set user_metadata when it appends")
        return Appender(self._context.runtime, self._root, relative, fsync=self._fsync)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        relative = relative_path(path)
        check_may_be_made(relative)
        await run_revocable(self._context.runtime, self._make_directory, relative)
        return RpCreateDir()

    def _make_directory(self, _: Revocable, relative: str) -> None:
        with translate_os_errors():
            make_directory(self._root, relative, fsync=self._fsync).close()

    async def delete(self) -> tuple[RpDelete, oio.BatchDeleter]:
        return RpDelete(), oio.BatchDeleter(self._delete_one, self._delete_many, DELETE_MAX_SIZE)

    async def _delete_one(self, path: str, args: OpDelete) -> None:
        run = run_long_revocable if args.recursive else run_revocable
        await run(self._context.runtime, delete_path, self._root, path, args)

    async def _delete_many(self, deletions: Sequence[tuple[str, OpDelete]]) -> Sequence[Error]:
        run = run_long_revocable if any(args.recursive for _, args in deletions) else run_revocable
        return await run(self._context.runtime, delete_many, self._root, deletions)

    async def list(self, path: str, args: OpList) -> tuple[RpList, FsLister]:
        prefix = "" if path == "/" else path if path.endswith("/") else f"{path}/"
        walk = Walk(
            self._root, relative_path(path), prefix,
            is_recursive=args.recursive, size=args.limit or PAGE, abandoned_after=self._abandoned_after,
        )  # fmt: skip
        return RpList(), FsLister(self._context.runtime, walk)

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, FsCopier]:
        old, new = self._two_paths(source, target)
        copy = FileCopy(old, new, is_new=args.if_not_exists, fsync=self._fsync)
        return RpCopy(), FsCopier(self._context.runtime, copy)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        await run_revocable(
            self._context.runtime, rename_file, *self._two_paths(source, target),
            is_new=args.if_not_exists, fsync=self._fsync,
        )  # fmt: skip
        return RpRename()

    def _two_paths(self, source: str, target: str) -> tuple[RootedPath, RootedPath]:
        """Returns both paths below their roots, and checks that the target may be made."""
        old, new = RootedPath(self._origin, file_path(source)), RootedPath(self._root, file_path(target))
        check_may_be_made(new.relative)
        if old == new:
            raise IsSameFile("source and target are the same")
        return old, new


def _import_what_calls_need(context: Context) -> None:
    """Imports the modules of the first calls, for the same reason. They load ctypes and perhaps an event loop."""
    from .kernel import handles, many_files, openat2, page_cache, renameat2  # noqa: F401

    context.runtime  # noqa: B018 - the attribute imports the runtime


def _stat(root: str, relative: str) -> Metadata:
    check_may_exist(relative)
    with translate_os_errors():
        return _stat_name(root, relative) or _stat_path(root, relative)


def _stat_name(root: str, name: str) -> Metadata | None:
    """The metadata of a file by a single name in the root, or None where `_stat_path` must find it.

    It takes two system calls, or four for an empty file, where `_stat_path` takes seven and more. A file is opened only
    if it has user metadata. A name leads out of the root only if it is a link, and none of the calls follows a link.
    """
    if not is_in_root(name) or len(root) + len(name) > _SHORT:
        return None
    path = f"{root}/{name}"
    attributes = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - pathlib would take most of the time
    if stat.S_ISLNK(attributes.st_mode):
        return None
    metadata = describe(attributes, AT_FDCWD, path)
    if metadata.is_file and may_misstate_size(attributes):
        if os.stat(root).st_dev != attributes.st_dev:  # noqa: PTH116 - the same
            return None
        metadata = unless_stored(metadata, os.statvfs(root))
    is_stored = metadata.content_length is not None
    if not (is_stored and may_have_user_metadata(path)):
        return metadata
    with open_root(root) as directory:
        return _as_readers_see(metadata, directory, name)


def _stat_path(root: str, relative: str) -> Metadata:
    """The metadata of a file by its path. A file is opened if it has user metadata, or if a link leads to it."""
    described = describe_without_links(root, relative)
    if described is not None:
        attributes, metadata = described
        if not metadata.is_file or not (may_misstate_size(attributes) or may_have_user_metadata(f"{root}/{relative}")):
            return metadata
    with open_root(root) as directory:
        attributes, metadata = described or describe_beneath(directory, relative)
        if not metadata.is_file:
            return metadata
        if may_misstate_size(attributes):
            metadata = unless_stored(metadata, file_system_beneath(directory, relative))
        is_stored = metadata.content_length is not None
        return _as_readers_see(metadata, directory, relative) if is_stored else metadata


def _as_readers_see(metadata: Metadata, directory: int, relative: str) -> Metadata:
    """Adds the user metadata, if this process may read the file: only then it may see the user metadata."""
    try:
        opened = open_beneath(directory, relative, _READ)
    except OSError:  # it may not be read, or not now
        return metadata
    with opened as descriptor:
        return with_user_metadata(metadata, descriptor)


def _open(root: str, relative: str, args: OpRead) -> tuple[io.FileIO, Metadata]:
    file = io.FileIO(relative, opener=lambda *_: _open_number(root, relative))  # owns it
    try:
        return file, _describe_to_read(file.fileno(), args, describe)
    except BaseException:
        file.close()
        raise


def _open_number(root: str, relative: str) -> int:
    """Opens a regular file to read it. Opening alone can have an effect on a device, so it is looked at before.

    A path without links is opened as a whole, which takes two system calls less than opening the root before.
    """
    check_may_exist(relative)
    opened = _open_name(root, relative) if is_in_root(relative) else _open_path(root, relative)
    if opened is not None:
        return opened
    directory = open_root_number(root)
    try:
        check_is_regular(attributes_beneath(directory, relative))
        return open_number_beneath(directory, relative, _READ)
    finally:
        os.close(directory)


def _open_name(root: str, name: str) -> int | None:
    """Opens a single name in the root, or returns None where it is a link: only then it leads out of the root."""
    if len(root) + len(name) > _SHORT:
        return None
    path = f"{root}/{name}"
    attributes = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - pathlib would take most of the time
    if stat.S_ISLNK(attributes.st_mode):
        return None
    check_is_regular(attributes)
    try:
        return os.open(path, _READ | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:  # it has become a link since
            return None
        raise


def _open_path(root: str, relative: str) -> int | None:
    """Opens a path that has no link, or returns None where it has one, or the kernel cannot check that."""
    attributes = attributes_without_links(root, relative)
    if attributes is None:
        return None
    check_is_regular(attributes)
    return open_number_without_links(root, relative, _READ)


def _describe_to_read(descriptor: int, args: OpRead, look: Look) -> Metadata:
    attributes = os.fstat(descriptor)
    check_is_regular(attributes)
    metadata = look(attributes, descriptor)
    if look is not describe_length:
        metadata = with_user_metadata(metadata, descriptor)
    if may_misstate_size(attributes):
        metadata = replace(unless_stored(metadata, os.fstatvfs(descriptor)), content_length=None)
    check_conditions(metadata, args)
    return metadata
