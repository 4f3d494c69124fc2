"""Appending to a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncssh

from entrepot.errors import IsADirectory, NotFound
from entrepot.raw.stated_size import stated_size
from entrepot.types import Metadata

from .publish import make_directories, write_blocks
from .reader import close_quietly
from .session import SftpSession, is_directory, metadata_of

if TYPE_CHECKING:
    from entrepot.raw.pool import Pool
    from entrepot.raw.runtime import Local, Runtime

_APPEND: Final = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_APPEND


class Appender:
    """The two calls of `oio.AppendWriter`.

    The server puts each block where the file ends at that time, so that no block of another writer is overwritten. One
    block is sent at a time: the protocol promises no order of those in flight.

    Arguments:
        runtime: runs requests at the same time.
        sessions: the sessions with the server.
        path: the file on the server.
    """

    def __init__(self, runtime: Runtime, sessions: Local[Pool[SftpSession]], path: bytes) -> None:
        self._runtime = runtime
        self._sessions = sessions
        self._path = path

    async def find_end(self) -> int:
        """The size of the file, 0 if it does not exist."""
        async with await (await self._sessions.get()).take() as session:
            try:
                attributes = await session.attributes(self._path)
            except NotFound:
                return 0
        if is_directory(attributes):
            raise IsADirectory("the path names a directory")
        return stated_size(metadata_of(attributes))

    async def append(self, offset: int, content: Sequence[bytes]) -> Metadata:
        """Writes bytes at the end. The file is made if it does not exist."""
        async with await (await self._sessions.get()).take() as session:
            file = await self._opened(session)
            try:
                await write_blocks(self._runtime.window(1), session, file, offset, content)
                return metadata_of(await session.request(file.stat()))
            finally:
                await self._runtime.shield(partial(close_quietly, session, file))

    async def _opened(self, session: SftpSession) -> asyncssh.SFTPClientFile:
        try:
            return await session.open(self._path, _APPEND)
        except NotFound:
            await make_directories(session, self._path.rpartition(b"/")[0])
            return await session.open(self._path, _APPEND)
