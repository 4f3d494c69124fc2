"""The operations of the sftp service."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.errors import Error, IsADirectory, IsSameFile, NotADirectory, NotFound, ObjectExists
from entrepot.raw import (
    Accessor,
    AccessorInfo,
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
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.raw.file_paths import check_may_be_made, check_may_exist, file_path, names_directory, relative_path
from entrepot.raw.oio.delete.deletions import of_deletion
from entrepot.raw.oio.windowed import gather
from entrepot.types import Capability, Metadata

from .appender import Appender
from .config import Sftp
from .copier import copy_content
from .deleter import delete_path
from .lister import SftpLister
from .publish import Replacement, link_new, make_directories, move_over
from .reader import SftpReader
from .session import SftpSession, is_directory, metadata_of

if TYPE_CHECKING:
    from entrepot.raw.pool import Lease, Pool
    from entrepot.raw.runtime import Local, Runtime

BUFFER: Final = 4 * 1024 * 1024
"""Bytes that are collected before they are sent, in blocks of which several are in flight."""

PAGE: Final = 1000

DELETE_MAX_SIZE: Final = 1000
"""Deletions that are made together, each by requests of its own."""

DELETIONS_IN_FLIGHT: Final = 16

CAPABILITY: Final = Capability(
    stat=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_seek=True,
    read_with_suffix=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
    write=True,
    write_can_empty=True,
    write_with_append=True,
    write_with_if_not_exists=True,
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


class SftpAccessor(Accessor):
    """Files on an SSH server.

    Arguments:
        runtime: runs requests at the same time.
        sessions: the sessions with the server.
        root: the directory that paths are relative to.
        host: the name of the server.
        fsync: whether the server is asked to force what is written to its disk.
    """

    def __init__(
        self, runtime: Runtime, sessions: Local[Pool[SftpSession]], root: str, host: str, *, fsync: bool
    ) -> None:
        self.info = AccessorInfo(Sftp.SCHEME, root, host, CAPABILITY, is_remote=True)
        self._runtime = runtime
        self._sessions = sessions
        self._fsync = fsync

    async def stat(self, path: str, args: OpStat) -> RpStat:
        relative = relative_path(path)
        check_may_exist(relative)
        async with await self._session() as session:
            metadata = metadata_of(await session.attributes(self._full(relative)))
        if names_directory(path) and not metadata.is_dir:
            raise NotFound("there is no such directory: the name belongs to something else")
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, SftpReader]:
        relative, response = file_path(path), RpRead()
        check_may_exist(relative)
        return response, SftpReader(self._runtime, self._sessions, self._full(relative), args, response)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        full = self._new(path)
        buffer = args.chunk or BUFFER
        if args.append and not args.if_not_exists:
            appender = Appender(self._runtime, self._sessions, full)
            return RpWrite(), oio.AppendWriter(appender.find_end, appender.append, buffer, in_pieces=True)
        file = Replacement(self._runtime, self._sessions, full, is_new=args.if_not_exists, fsync=self._fsync)
        return RpWrite(), oio.PositionWriter(file, buffer, self._runtime.window(1))

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        relative = relative_path(path)
        check_may_be_made(relative)
        async with await self._session() as session:
            await make_directories(session, self._full(relative))
        return RpCreateDir()

    async def delete(self) -> tuple[RpDelete, oio.BatchDeleter]:
        return RpDelete(), oio.BatchDeleter(self._delete_one, self._delete_many, DELETE_MAX_SIZE)

    async def _delete_one(self, path: str, args: OpDelete) -> None:
        await delete_path(self._runtime, self._session, self._full, path, args)

    async def _delete_many(self, deletions: Sequence[tuple[str, OpDelete]]) -> Sequence[Error]:
        calls = (partial(self._try_to_delete, path, args) for path, args in deletions)
        failures = list[Error | None]()
        in_turn = any(names_directory(path) for path, _ in deletions)  # one may hold the next
        await gather(calls, self._runtime.window(1 if in_turn else DELETIONS_IN_FLIGHT), failures)
        return [failure for failure in failures if failure is not None]

    async def _try_to_delete(self, path: str, args: OpDelete) -> Error | None:
        try:
            await self._delete_one(path, args)
        except Error as error:
            return of_deletion(error, path, args)
        return None

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        prefix = "" if path == "/" else path if path.endswith("/") else f"{path}/"
        links = set[str]()

        def lister(below: str) -> SftpLister:
            full = self._full(relative_path(below or "/"))
            return SftpLister(self._runtime, self._session, full, below, args.limit or PAGE, links)

        async def list_directory(directory: str) -> oio.List:
            return lister("" if directory == "/" else directory)

        check_may_exist(relative_path(path))
        return RpList(), oio.FlatLister(list_directory, path) if args.recursive else lister(prefix)

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.OneShotCopier]:
        old, new = self._two_paths(source, target)

        async def copy() -> Metadata:
            file = Replacement(self._runtime, self._sessions, new, is_new=args.if_not_exists, fsync=self._fsync)
            return await file.fill(partial(copy_content, self._runtime, old))

        return RpCopy(), oio.OneShotCopier(copy)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        old, new = self._two_paths(source, target)
        async with await self._session() as session:
            if is_directory(await session.attributes_of_name(old)):
                raise IsADirectory("the source is a directory")
            await _check_may_be_replaced(session, new, is_new=args.if_not_exists)
            move = link_new if args.if_not_exists else move_over
            try:
                await move(session, old, new)
            except NotFound:
                await make_directories(session, new.rpartition(b"/")[0])
                await move(session, old, new)
        return RpRename()

    async def _session(self) -> Lease[SftpSession]:
        return await (await self._sessions.get()).take()

    def _full(self, relative: str) -> bytes:
        """The path on the server, in UTF-8, without a slash at its end."""
        root = self.info.root
        return (root.rstrip("/") or "/").encode() if relative == "." else f"{root}{relative}".encode()

    def _new(self, path: str) -> bytes:
        relative = file_path(path)
        check_may_be_made(relative)
        return self._full(relative)

    def _two_paths(self, source: str, target: str) -> tuple[bytes, bytes]:
        relative, new = file_path(source), self._new(target)
        check_may_exist(relative)
        if (old := self._full(relative)) == new:
            raise IsSameFile("source and target are the same")
        return old, new


async def _check_may_be_replaced(session: SftpSession, path: bytes, *, is_new: bool) -> None:
    """Checks the target of a rename.

    Raises:
        IsADirectory: it is a directory.
        ObjectExists: it exists, and must not.
    """
    try:
        attributes = await session.attributes_of_name(path)
    except (NotFound, NotADirectory):
        return
    if is_directory(attributes):
        raise IsADirectory("the target is a directory")
    if is_new:
        raise ObjectExists("the target exists already")
