"""The fs service: files of a local directory."""

import io
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
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
    normalize_root,
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.raw.oio import windowed as in_window
from entrepot.raw.oio.list import lengths
from entrepot.raw.oio.list import self_entry as itself_first
from entrepot.raw.oio.read import chunked, fetch, streamable
from entrepot.raw.os_errors import translate_os_errors
from entrepot.types import Capability, Metadata, Scheme

from .appender import Appender
from .cached import CachedFiles
from .core import check_may_be_made, check_may_exist, file_path, names_directory, relative_path
from .deleter import delete_many, delete_path
from .kernel.attributes import check_is_regular, may_misstate_size, unless_stored
from .kernel.beneath import (
    attributes_beneath,
    describe_beneath,
    describe_without_links,
    file_system_beneath,
    is_in_root,
    make_directory,
    open_beneath,
    open_root,
)
from .kernel.content import with_user_metadata
from .kernel.describe import AT_FDCWD, describe
from .kernel.xattrs import CAN_BE_STORED, may_have_user_metadata
from .lister import FsLister, Walk
from .revocable import Revocable, run_long_revocable, run_revocable
from .transfer import copy_file, rename_file
from .writer import Replacement

NEEDED_LATER: Final = (chunked, fetch, in_window, itself_first, lengths, streamable)
"""What is used by a later call only, and imported now: an import is I/O of its own, which fails where no descriptor is
left or where the process may not read its own files any more."""

DELETE_MAX_SIZE: Final = 1000
"""Deletions that share a hop to a thread."""

CAPABILITY = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_seek=True,
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
"""What the service can do, on any file system but for user metadata: a write says where there is none."""

BUFFER: Final = 4 * 1024 * 1024
"""Bytes that are collected for one write. What is no bigger is written, closed and renamed in one hop to a thread."""
PAGE: Final = 1000
"""Entries that are listed in one hop."""
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_SHORT: Final = 1000
"""Characters of a path that surely is not too long for the system, which takes 4,096 bytes."""


class FsAccessor(Accessor):
    """Files beneath a directory. Every call that blocks is made by the runtime, in as few hops as the work allows.

    Arguments:
        context: where the calls are made.
        root: the directory.
        fsync: whether what is written, copied, renamed and made is forced to the disk.
        abandoned_after: seconds after which a listing removes an abandoned temporary file; 0 is never.
    """

    def __init__(self, context: Context, root: str, *, fsync: bool = False, abandoned_after: int = 0) -> None:
        self.info = AccessorInfo(scheme=Scheme.FS, root=normalize_root(root), native_capability=CAPABILITY)
        self._abandoned_after = 0 if context.is_read_only else abandoned_after
        self._context = context
        if context.is_about_to_wait:
            _import_what_calls_need(context)
        self._root = root
        self._cached_files = CachedFiles(root)
        self._fsync = fsync

    async def stat(self, path: str, args: OpStat) -> RpStat:
        relative = relative_path(path)
        runtime, at_once = self._context.runtime, self._cached_files
        metadata = await runtime.try_nonblocking(at_once.stat, relative) if at_once.may_be_had() else None
        if metadata is None:
            metadata = await runtime.blocking(self._stat, relative)
        if names_directory(path) and not metadata.is_dir:
            raise NotFound("there is no such directory, but something else of that name")
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.FileReader]:
        relative, reply = file_path(path), RpRead()

        def opener() -> tuple[io.FileIO, Metadata]:
            opened = _open(self._root, relative, args)
            self._cached_files.learn(opened[0].fileno())
            return opened

        def at_once(most: int) -> tuple[Metadata, bytes] | None:
            return self._cached_files.read(relative, args, most)

        return reply, oio.into_read_from_file(
            self._context.runtime, opener, args.range, reply, at_once if self._cached_files.may_be_read() else None
        )

    def _stat(self, relative: str) -> Metadata:
        metadata = _stat(self._root, relative)
        self._cached_files.learn(relative)
        return metadata

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.PositionWriter]:
        relative = file_path(path)
        check_may_be_made(relative)
        file = self._appender(relative, args) or Replacement(
            self._context.runtime, self._root, relative, args, fsync=self._fsync
        )
        return RpWrite(), oio.PositionWriter(file, args.chunk or BUFFER, self._context.runtime.window(1))

    def _appender(self, relative: str, args: OpWrite) -> Appender | None:
        """None where nothing is there to append to: that is a write."""
        if not args.append or args.if_not_exists:
            return None
        if args.user_metadata:
            raise Unsupported("the service fs has no user_metadata for what is appended")
        return Appender(self._context.runtime, self._root, relative, fsync=self._fsync)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        relative = relative_path(path)
        check_may_be_made(relative)
        await run_revocable(self._context.runtime, self._make_directory, relative)
        return RpCreateDir()

    def _make_directory(self, _: Revocable, relative: str) -> None:
        with translate_os_errors():
            os.close(make_directory(self._root, relative, fsync=self._fsync))

    async def delete(self) -> tuple[RpDelete, oio.BatchDeleter]:
        return RpDelete(), oio.BatchDeleter(self._delete_one, self._delete_many, DELETE_MAX_SIZE)

    async def _delete_one(self, path: str, args: OpDelete) -> None:
        make = run_long_revocable if args.recursive else run_revocable
        await make(self._context.runtime, delete_path, self._root, path, args)

    async def _delete_many(self, deletions: Sequence[tuple[str, OpDelete]]) -> Sequence[Error]:
        make = run_long_revocable if any(args.recursive for _, args in deletions) else run_revocable
        return await make(self._context.runtime, delete_many, self._root, deletions)

    async def list(self, path: str, args: OpList) -> tuple[RpList, FsLister]:
        prefix = "" if path == "/" else path if path.endswith("/") else f"{path}/"
        walk = Walk(
            self._root, relative_path(path), prefix,
            is_recursive=args.recursive, size=args.limit or PAGE, abandoned_after=self._abandoned_after,
        )  # fmt: skip
        return RpList(), FsLister(self._context.runtime, walk)

    async def copy(self, source: str, target: str, args: OpCopy) -> RpCopy:
        metadata = await run_long_revocable(
            self._context.runtime, copy_file, self._root, *_two_paths(source, target),
            is_new=args.if_not_exists, fsync=self._fsync,
        )  # fmt: skip
        return RpCopy(metadata=metadata)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        await run_revocable(
            self._context.runtime, rename_file, self._root, *_two_paths(source, target),
            is_new=args.if_not_exists, fsync=self._fsync,
        )  # fmt: skip
        return RpRename()


def _import_what_calls_need(context: Context) -> None:
    """Imports what the first calls would, likewise. It loads ctypes and perhaps an event loop, so not without need."""
    from .kernel import handles, openat2, page_cache, renameat2  # noqa: F401

    context.runtime  # noqa: B018 - which is imported by that


def _two_paths(source: str, target: str) -> tuple[str, str]:
    """Both as relative paths, of which the target may be made."""
    old, new = file_path(source), file_path(target)
    check_may_be_made(new)
    if old == new:
        raise IsSameFile("source and target are the same")
    return old, new


def _stat(root: str, relative: str) -> Metadata:
    check_may_exist(relative)
    with translate_os_errors():
        return _stat_name(root, relative) or _stat_path(root, relative)


def _stat_name(root: str, name: str) -> Metadata | None:
    """What a name in the root means; only what has user metadata is opened. None where more is to be asked.

    It takes two system calls, or four for an empty file, where `_stat_path` takes seven and more. A name leads out of
    the root only if it is a link, and none of them follows that.
    """
    if not is_in_root(name) or len(root) + len(name) > _SHORT:
        return None
    path = f"{root}/{name}"
    attributes = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - it would be most of the time
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
    directory = open_root(root)
    try:
        return _as_readers_see(metadata, directory, name)
    finally:
        os.close(directory)


def _stat_path(root: str, relative: str) -> Metadata:
    """What a path means. Only what has user metadata is opened, or what a link leads to, which may have some."""
    found = describe_without_links(root, relative)
    if found is not None:
        attributes, metadata = found
        if not metadata.is_file or not (may_misstate_size(attributes) or may_have_user_metadata(f"{root}/{relative}")):
            return metadata
    directory = open_root(root)
    try:
        attributes, metadata = found or describe_beneath(directory, relative)
        if not metadata.is_file:
            return metadata
        if may_misstate_size(attributes):
            metadata = unless_stored(metadata, file_system_beneath(directory, relative))
        is_stored = metadata.content_length is not None
        return _as_readers_see(metadata, directory, relative) if is_stored else metadata
    finally:
        os.close(directory)


def _as_readers_see(metadata: Metadata, directory: int, relative: str) -> Metadata:
    """With the user metadata, which only those may see who may read the file."""
    try:
        descriptor = open_beneath(directory, relative, _READ)
    except OSError:  # it may not be read, or not now
        return metadata
    try:
        return with_user_metadata(metadata, descriptor)
    finally:
        os.close(descriptor)


def _open(root: str, relative: str, args: OpRead) -> tuple[io.FileIO, Metadata]:
    check_may_exist(relative)
    directory = open_root(root)
    try:
        check_is_regular(attributes_beneath(directory, relative))  # opening alone can do something to a device
        file = io.FileIO(relative, opener=lambda *_: open_beneath(directory, relative, _READ))  # its own from the start
    finally:
        os.close(directory)
    try:
        return file, _described(file.fileno(), args)
    except BaseException:
        file.close()
        raise


def _described(descriptor: int, args: OpRead) -> Metadata:
    attributes = os.fstat(descriptor)
    check_is_regular(attributes)
    metadata = with_user_metadata(describe(attributes, descriptor), descriptor)
    if may_misstate_size(attributes):
        metadata = replace(unless_stored(metadata, os.fstatvfs(descriptor)), content_length=None)
    check_conditions(metadata, args)
    return metadata
