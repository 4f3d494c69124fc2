"""The operations of the ftp service."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.errors import Error, IsSameFile, NotFound
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    OpCreateDir,
    OpDelete,
    OpList,
    OpRead,
    OpRename,
    OpStat,
    OpWrite,
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
from entrepot.raw.file_paths import (
    check_may_be_made,
    check_may_exist,
    file_path,
    is_reserved,
    names_directory,
    relative_path,
)
from entrepot.raw.log import log_left_out
from entrepot.raw.oio.list.whole import WholeLister
from entrepot.raw.path import get_parent
from entrepot.raw.temporary_names import is_temporary_name
from entrepot.types import Capability, Entry, EntryMode, Metadata

from .appender import Appender
from .config import Ftp
from .deleter import delete_path
from .files import check_is_file, lines_of, make_directories, move, stat, stat_if_exists
from .listing import Line
from .publish import Replacement
from .reader import FtpReader
from .session import FtpSession

if TYPE_CHECKING:
    from entrepot.raw.pool import Lease, Pool
    from entrepot.raw.runtime import Local, Runtime

BUFFER: Final = 8 * 1024 * 1024
"""Bytes that are collected for one transfer. Each takes a few round trips besides."""

PAGE: Final = 1000

CAPABILITY: Final = Capability(
    stat=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
    write=True,
    write_can_empty=True,
    write_with_append=True,
    create_dir=True,
    delete=True,
    delete_with_recursive=True,
    list=True,
    rename=True,
    shared=True,
)


class FtpAccessor(Accessor):
    """Files on an FTP server.

    Arguments:
        runtime: waits.
        sessions: the sessions with the server.
        root: the directory that paths are relative to.
        host: the name of the server.
    """

    def __init__(self, runtime: Runtime, sessions: Local[Pool[FtpSession]], root: str, host: str) -> None:
        self.info = AccessorInfo(Ftp.SCHEME, root, host, CAPABILITY, is_remote=True)
        self._runtime = runtime
        self._sessions = sessions

    async def stat(self, path: str, args: OpStat) -> RpStat:
        relative = relative_path(path)
        check_may_exist(relative)
        async with await self._session() as session:
            metadata = await stat(session, self._full(relative))
        if names_directory(path) and not metadata.is_dir:
            raise NotFound("there is no such directory: the name belongs to something else")
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, FtpReader]:
        relative, response = file_path(path), RpRead()
        check_may_exist(relative)
        return response, FtpReader(self._runtime, self._sessions, self._full(relative), args, response)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        full = self._new(path)
        buffer = args.chunk or BUFFER
        if args.append:
            appender = Appender(self._sessions, full)
            return RpWrite(), oio.AppendWriter(appender.find_end, appender.append, buffer, in_pieces=True)
        return RpWrite(), oio.PositionWriter(Replacement(self._sessions, full), buffer, self._runtime.window(1))

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        relative = relative_path(path)
        check_may_be_made(relative)
        async with await self._session() as session:
            await make_directories(session, self._full(relative))
        return RpCreateDir()

    async def delete(self) -> tuple[RpDelete, oio.BatchDeleter]:
        return RpDelete(), oio.BatchDeleter(self._delete_one, self._delete_many, max_size=1)

    async def _delete_one(self, path: str, args: OpDelete) -> None:
        relative = relative_path(path)
        if is_reserved(relative):
            return
        async with await self._session() as session:
            await delete_path(session, self._full(relative), path, args, is_root=relative == ".")

    async def _delete_many(self, deletions: Sequence[tuple[str, OpDelete]]) -> Sequence[Error]:
        for path, args in deletions:
            await self._delete_one(path, args)
        return []

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        relative = relative_path(path)
        check_may_exist(relative)
        prefix = "" if path == "/" else path if path.endswith("/") else f"{path}/"
        return RpList(), WholeLister(partial(self._entries, self._full(relative), prefix), args.limit or PAGE)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        relative, new = file_path(source), self._new(target)
        check_may_exist(relative)
        if (old := self._full(relative)) == new:
            raise IsSameFile("source and target are the same")
        async with await self._session() as session:
            check_is_file(await stat(session, old))
            replaced = await stat_if_exists(session, new)
            if replaced is not None:
                check_is_file(replaced)
            elif (parent := get_parent(new).rstrip("/")) and await stat_if_exists(session, parent) is None:
                await make_directories(session, parent)
            await move(session, old, new)
        return RpRename()

    async def _entries(self, directory: str, prefix: str) -> tuple[Sequence[Entry], Sequence[oio.LeftOut]]:
        async with await self._session() as session:
            lines = await lines_of(session, directory)
            if lines is None:
                return (), ()
            own = [Entry(prefix, Metadata(mode=EntryMode.DIR))] if prefix else []
            named, unnamed = _named(lines)
            entries = [await self._entry(session, directory, prefix + name, line, name) for name, line in named]
        return own + entries, [oio.left_out_names(prefix or "/", unnamed[0], len(unnamed))] if unnamed else []

    async def _entry(self, session: FtpSession, directory: str, path: str, line: Line, name: str) -> Entry:
        """The entry of a line. A link to a directory is not one of a directory, so that nothing walks through it."""
        if not line.is_link:
            return Entry(f"{path}/" if line.metadata.is_dir else path, line.metadata)
        metadata = await stat_if_exists(session, f"{directory.rstrip('/')}/{name}")
        is_file = metadata is not None and metadata.is_file
        return Entry(path, metadata if metadata is not None and is_file else Metadata(mode=EntryMode.UNKNOWN))

    async def _session(self) -> Lease[FtpSession]:
        return await (await self._sessions.get()).take()

    def _full(self, relative: str) -> str:
        """The path on the server, without a slash at its end."""
        root = self.info.root
        return (root.rstrip("/") or "/") if relative == "." else f"{root}{relative}"

    def _new(self, path: str) -> str:
        relative = file_path(path)
        check_may_be_made(relative)
        return self._full(relative)


def _named(lines: Sequence[Line]) -> tuple[Sequence[tuple[str, Line]], Sequence[bytes]]:
    """The names as text, without those of temporary files, and the names that no path can have."""
    named, unnamed = list[tuple[str, Line]](), list[bytes]()
    for line in lines:
        try:
            name = line.name.decode()
        except UnicodeDecodeError:
            unnamed.append(line.name)
            continue
        if "\r" in name:
            unnamed.append(line.name)
        elif not is_temporary_name(name):
            named.append((name, line))
    if unnamed:
        log_left_out("left out %s names that are not UTF-8 or have a line break", len(unnamed))
    return named, unnamed
