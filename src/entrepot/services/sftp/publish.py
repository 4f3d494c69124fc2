"""Writing a file: all of it or nothing, by a temporary file beside it that gets the name when it is complete.

Theory of operation. The temporary file is made with a new name (EXCL) and filled by requests in flight. Each block is
confirmed by the server, so after a lost connection the file is opened again and the failed call repeated. Publishing is
one request that the server makes in one step: `posix-rename`, which replaces the target, or for `if_not_exists` a hard
link, which the server refuses where the target exists, and the removal of the temporary name.

If the response to that request is lost, it may have been made. A repeated call then finds no temporary file, and the
target with the size that was published: that is success. Nothing else makes a temporary file vanish. If only the
removal after a hard link failed, the file is published, and a repeated call only removes the temporary name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncssh

from entrepot.errors import (
    AlreadyExists,
    Error,
    IsADirectory,
    NotADirectory,
    NotFound,
    ObjectExists,
    StorageFull,
    Unsupported,
)
from entrepot.raw import oio
from entrepot.raw.oio.windowed import gather
from entrepot.raw.pool import BodySession
from entrepot.raw.temporary_names import new_temporary_name
from entrepot.types import Metadata

from .errors import UnexplainedFailure
from .reader import IN_FLIGHT, close_quietly
from .session import SftpSession, is_directory, metadata_of

if TYPE_CHECKING:
    from entrepot.raw.pool import Pool
    from entrepot.raw.runtime import Local, Runtime, Window

_NEW: Final = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
_PERHAPS_NEW: Final = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT
PERMISSIONS: Final = 0o7777


class Replacement(oio.PositionedFile):
    """The new content of a file.

    Arguments:
        runtime: runs requests at the same time.
        sessions: the sessions with the server.
        path: the file on the server.
        is_new: whether the file must not exist.
        fsync: whether the server is asked to force the content to its disk.
    """

    __slots__ = (
        "_file", "_fsync", "_is_made", "_is_new", "_linked", "_may_be_published", "_opened_on", "_path", "_replaced",
        "_runtime", "_session", "_temporary",
    )  # fmt: skip

    def __init__(
        self, runtime: Runtime, sessions: Local[Pool[SftpSession]], path: bytes, *, is_new: bool, fsync: bool
    ) -> None:
        self._runtime = runtime
        self._session = BodySession(sessions)
        self._opened_on: SftpSession | None = None
        self._path = path
        self._is_new = is_new
        self._fsync = fsync
        self._temporary: bytes | None = None  # the name of a file that may exist
        self._is_made = False
        self._file: asyncssh.SFTPClientFile | None = None
        self._linked: Metadata | None = None  # of a published file that still has its temporary name
        self._may_be_published = False
        self._replaced: asyncssh.SFTPAttrs | None = None

    async def write_at(self, offset: int, content: Sequence[bytes]) -> None:
        try:
            session, file = await self._opened()
            await write_blocks(self._runtime.window(IN_FLIGHT), session, file, offset, content)
        except BaseException:
            await self._release()
            raise

    async def publish(self, offset: int, content: Sequence[bytes]) -> Metadata:
        size, is_repeated = offset + sum(map(len, content)), self._may_be_published
        try:
            if self._linked is not None:
                return await self._remove_temporary(await self._session.get(), self._linked)
            if self._may_be_published and (metadata := await self._published(size)) is not None:
                return metadata
            session, file = await self._opened()
            await write_blocks(self._runtime.window(IN_FLIGHT), session, file, offset, content)
            if offset:  # the target may have changed since the first buffer
                self._replaced = await self._check_target(session)
            return await self._take_effect(session, file)
        except ObjectExists as error:
            if is_repeated:  # it may be the link of the call before
                error.add_context(may_have_taken_effect=True)
            raise
        finally:
            await self._release()

    async def fill(self, write: Callable[[SftpSession, asyncssh.SFTPClientFile], Awaitable[None]]) -> Metadata:
        """Publishes what a call writes to the temporary file, which is removed if the call fails.

        A published file whose temporary name could not be removed, also not by a second attempt, is success.
        """
        try:
            session, file = await self._opened()
            await write(session, file)
            self._replaced = await self._check_target(session)
            return await self._take_effect(session, file)
        except BaseException as error:
            await self._runtime.shield(self._abort_quietly)
            if self._linked is not None and isinstance(error, Error):
                return self._linked
            raise
        finally:
            await self._release()

    async def abort(self) -> None:
        await self._release()
        temporary, self._temporary = self._temporary, None
        if temporary is None:
            return
        try:
            session = await self._session.get()
            await session.request(session.client.remove(temporary))
        except NotFound:
            return  # it got its name, or another program has removed it
        except BaseException:
            self._temporary = temporary
            raise
        finally:
            await self._session.give_back()

    async def _abort_quietly(self) -> None:
        try:
            await self.abort()
        except Error:
            return  # the error of the call counts

    async def _opened(self) -> tuple[SftpSession, asyncssh.SFTPClientFile]:
        session = await self._session.get()
        if self._file is None or self._opened_on is not session:
            self._opened_on = session
            if self._temporary is None or not self._is_made:
                self._file = await self._made(session)
            else:
                self._file = await session.open(self._temporary, asyncssh.FXF_WRITE)
        return session, self._file

    async def _made(self, session: SftpSession) -> asyncssh.SFTPClientFile:
        """Makes the temporary file, after a look at the target, and its directory if that is missing."""
        self._replaced = await self._check_target(session)
        parent = self._path.rpartition(b"/")[0]
        flags = _NEW if self._temporary is None else _PERHAPS_NEW  # a call that was cut may have made it
        temporary = self._temporary or parent + b"/" + new_temporary_name().encode()
        self._temporary = temporary
        try:
            file = await _opened_new(session, parent, temporary, flags)
        except Error as error:
            if not error.is_temporary:
                self._temporary = None  # the server has refused it
            raise
        self._is_made = True
        return file

    async def _check_target(self, session: SftpSession) -> asyncssh.SFTPAttrs | None:
        """The attributes of a file that is replaced; None if there is none.

        Raises:
            ObjectExists: there is one, and there must not be.
            IsADirectory, Unsupported: it is not a file.
        """
        try:
            attributes = await session.attributes(self._path)
        except (NotFound, NotADirectory):
            return None
        if is_directory(attributes):
            raise IsADirectory("the path names a directory")
        if self._is_new:
            raise ObjectExists("the file exists already")
        if not metadata_of(attributes).is_file:
            raise Unsupported("the path names a FIFO, a socket or a device")
        return attributes

    async def _take_effect(self, session: SftpSession, file: asyncssh.SFTPClientFile) -> Metadata:
        attributes = await session.request(file.stat())
        if self._replaced is not None:
            await _give_permissions(session, file, attributes, self._replaced)
        if self._fsync:
            await _force_to_disk(session, file)
        metadata = metadata_of(attributes)
        self._file = None
        await session.request(file.close())
        assert self._temporary is not None
        self._may_be_published = True
        if not self._is_new:
            await move_over(session, self._temporary, self._path)
        elif await name_new(session, self._temporary, self._path):
            self._linked = metadata
            return await self._remove_temporary(session, metadata)
        self._temporary = None
        return metadata

    async def _remove_temporary(self, session: SftpSession, metadata: Metadata) -> Metadata:
        """Removes the temporary name of the published file, whose metadata it returns."""
        if self._temporary is not None:
            with suppress(NotFound):  # an earlier call has removed it
                await session.request(session.client.remove(self._temporary))
        self._temporary = None
        return metadata

    async def _published(self, size: int) -> Metadata | None:
        """The metadata of the target if it was published although the response was lost."""
        session = await self._session.get()
        if self._temporary is not None and await exists(session, self._temporary):
            return None
        metadata = metadata_of(await session.attributes(self._path))
        if metadata.content_length != size:
            raise NotFound("the temporary file of this write is gone", context={"may_have_taken_effect": True})
        self._temporary = None
        return metadata

    async def _release(self) -> None:
        file, self._file = self._file, None
        session = self._session.taken
        try:
            if file is not None and session is not None and session is self._opened_on:
                await self._runtime.shield(partial(close_quietly, session, file))
        finally:
            await self._session.give_back()


async def _opened_new(session: SftpSession, parent: bytes, path: bytes, flags: int) -> asyncssh.SFTPClientFile:
    """Opens a file that does not exist, and makes its directory if that is missing."""
    try:
        return await session.open(path, flags)
    except NotFound:
        await make_directories(session, parent)
        return await session.open(path, flags)
    except UnexplainedFailure as failure:
        raise await _why_not_written(session, parent, failure) from failure


async def write_blocks(
    window: Window[None], session: SftpSession, file: asyncssh.SFTPClientFile, offset: int, content: Sequence[bytes]
) -> None:
    """Writes pieces of bytes at an offset, in blocks of which as many are in flight as the window takes."""
    blocks = _blocks(offset, content, session.block)
    calls = (partial(write_block, session, file, *block) for block in blocks)
    await gather(calls, window, list[None]())


def _blocks(offset: int, content: Sequence[bytes], size: int) -> Iterator[tuple[int, memoryview]]:
    for piece in content:
        view = memoryview(piece)
        for begin in range(0, len(view), size):
            yield offset + begin, view[begin : begin + size]
        offset += len(view)


async def write_block(
    session: SftpSession, file: asyncssh.SFTPClientFile, offset: int, block: bytes | memoryview
) -> None:
    """Writes bytes at an offset, by one request.

    Raises:
        StorageFull: the file system of the server is full.
    """
    try:
        await session.request(file.write(bytes(block), offset))
    except UnexplainedFailure as failure:
        raise await why_full(session, file, failure) from failure


async def why_full(session: SftpSession, file: asyncssh.SFTPClientFile, failure: Error) -> Error:
    """A write that failed is that of a full disk, if the server says that it is full."""
    try:
        file_system = await session.request(file.statvfs())
    except Error:
        return failure
    return failure if file_system.bavail else StorageFull("the file system of the server has no space left")


async def _why_not_written(session: SftpSession, parent: bytes, failure: Error) -> Error:
    """A file that cannot be made: there may be no space, or its directory may be a file."""
    try:
        is_file = not is_directory(await session.attributes(parent))
        file_system = await session.request(session.client.statvfs(parent))
    except Error:
        return failure
    if is_file:
        return NotADirectory("a part of the path names a file")
    has_space = file_system.bavail and file_system.favail
    return failure if has_space else StorageFull("the file system of the server has no space left")


async def _give_permissions(
    session: SftpSession, file: asyncssh.SFTPClientFile, own: asyncssh.SFTPAttrs, replaced: asyncssh.SFTPAttrs
) -> None:
    """Gives a new file the permissions of the one that it replaces, where its own differ."""
    if replaced.permissions is None:
        return
    permissions = replaced.permissions & PERMISSIONS
    if own.permissions is None or own.permissions & PERMISSIONS != permissions:
        await session.request(file.setstat(asyncssh.SFTPAttrs(permissions=permissions)))


async def _force_to_disk(session: SftpSession, file: asyncssh.SFTPClientFile) -> None:
    try:
        await session.request(file.fsync())
    except Unsupported:
        return  # the server has no such request


async def move_over(session: SftpSession, source: bytes, target: bytes) -> None:
    """Gives a file another name, in one step, over what has the name.

    Raises:
        AlreadyExists: the target exists, and the server cannot replace it in one step.
    """
    try:
        await session.request(session.client.posix_rename(source, target))
    except Unsupported:
        pass
    except UnexplainedFailure as failure:
        raise await _why_not_moved(session, target, failure) from failure
    else:
        return
    try:
        await session.request(session.client.rename(source, target))
    except UnexplainedFailure as failure:
        if not await exists(session, target):
            raise
        raise AlreadyExists(
            "the server cannot replace a file in one step: delete the file first, or use if_not_exists"
        ) from failure


async def link_new(session: SftpSession, source: bytes, target: bytes) -> None:
    """Gives a file another name, in one step, unless something has the name, and then removes the old name.

    Raises:
        ObjectExists: something has it.
    """
    if await name_new(session, source, target):
        await session.request(session.client.remove(source))


async def name_new(session: SftpSession, source: bytes, target: bytes) -> bool:
    """Gives a file another name, in one step, unless something has the name. Returns whether it has both names now.

    Raises:
        ObjectExists: something has it.
    """
    try:
        await session.request(session.client.link(source, target))
    except Unsupported:
        await _rename_new(session, source, target)
        return False
    except UnexplainedFailure as failure:
        raise await _why_not_new(session, target, failure) from failure
    return True


async def _rename_new(session: SftpSession, source: bytes, target: bytes) -> None:
    """The same by the rename of SFTP 3, which servers must refuse where the target exists. Some do not."""
    if await exists(session, target):
        raise ObjectExists("the file exists already")
    try:
        await session.request(session.client.rename(source, target))
    except UnexplainedFailure as failure:
        raise await _why_not_new(session, target, failure) from failure


async def _why_not_new(session: SftpSession, target: bytes, failure: Error) -> Error:
    return ObjectExists("the file exists already") if await exists(session, target) else failure


async def _why_not_moved(session: SftpSession, target: bytes, failure: Error) -> Error:
    try:
        attributes = await session.attributes_of_name(target)
    except Error:
        return failure
    return IsADirectory("the path names a directory") if is_directory(attributes) else failure


async def exists(session: SftpSession, path: bytes) -> bool:
    """Whether a name exists, of whatever kind."""
    try:
        await session.attributes_of_name(path)
    except NotFound:
        return False
    return True


async def make_directories(session: SftpSession, path: bytes) -> None:
    """Makes a directory and its missing parents, which others may make at the same time.

    Raises:
        NotADirectory: the path, or a part of it, names a file.
    """
    missing = list[bytes]()  # not by recursion: a path has up to 2,000 names
    while not await _is_made(session, path):
        missing.append(path)
        path = path.rpartition(b"/")[0]
        if not path:
            raise NotADirectory("a part of the path names a file")
    for below in reversed(missing):
        await _make_directory(session, below)


async def _is_made(session: SftpSession, path: bytes) -> bool:
    """Makes a directory. False if the one above it is missing."""
    try:
        await _make_directory(session, path)
    except NotFound:
        return False
    return True


async def _make_directory(session: SftpSession, path: bytes) -> None:
    try:
        await session.request(session.client.mkdir(path))
    except (UnexplainedFailure, AlreadyExists) as failure:
        if not is_directory(await session.attributes(path)):
            raise NotADirectory("the path, or a part of it, names a file") from failure
