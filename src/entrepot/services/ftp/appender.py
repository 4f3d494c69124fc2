"""Appending to a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entrepot.raw.stated_size import stated_size
from entrepot.types import Metadata

from .files import check_is_file, stat, stat_if_exists
from .publish import send
from .session import FtpSession

if TYPE_CHECKING:
    from entrepot.raw.pool import Pool
    from entrepot.raw.runtime import Local


class Appender:
    """The two calls of `oio.AppendWriter`.

    Arguments:
        sessions: the sessions with the server.
        path: the file on the server.
    """

    def __init__(self, sessions: Local[Pool[FtpSession]], path: str) -> None:
        self._sessions = sessions
        self._path = path

    async def find_end(self) -> int:
        """The size of the file, 0 if it does not exist."""
        async with await (await self._sessions.get()).take() as session:
            metadata = await stat_if_exists(session, self._path)
        if metadata is None:
            return 0
        check_is_file(metadata)
        return stated_size(metadata)

    async def append(self, offset: int, content: Sequence[bytes]) -> Metadata:
        """Has the server append bytes, wherever the end is. The file is made if it does not exist."""
        async with await (await self._sessions.get()).take() as session:
            await send(session, "APPE", self._path, content)
            return await stat(session, self._path)
