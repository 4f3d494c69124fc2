"""Writing a file: all of it or nothing, by a temporary file beside it that is renamed when it is complete.

Theory of operation. Each buffer is a transfer of its own (STOR, from the second one on after REST), whose last reply
confirms it. So a buffer whose transfer failed is sent again to the same position. The size of the temporary file is
compared with what was sent before it is renamed.

If the reply to the rename is lost, it may have been made. A repeated call then finds no temporary file, and the target
with the size that was sent: that is success.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from entrepot.errors import ContentIncomplete, InvalidInput, NotFound
from entrepot.raw import oio
from entrepot.raw.path import get_parent
from entrepot.raw.temporary_names import new_temporary_name
from entrepot.types import Metadata

from .files import check_is_file, denied, make_directories, move, stat, stat_if_exists
from .replies import Refused, refusal
from .session import FtpSession

if TYPE_CHECKING:
    from entrepot.raw.pool import Pool
    from entrepot.raw.runtime import Local

PIECE: Final = 256 * 1024
"""Bytes that are given to the connection at a time."""


class Replacement(oio.PositionedFile):
    """The new content of a file.

    Arguments:
        sessions: the sessions with the server.
        path: the file on the server.
    """

    __slots__ = ("_has_content", "_may_be_published", "_path", "_sessions", "_temporary")

    def __init__(self, sessions: Local[Pool[FtpSession]], path: str) -> None:
        self._sessions = sessions
        self._path = path
        self._temporary = get_parent(path) + new_temporary_name()
        self._has_content = False
        self._may_be_published = False

    async def write_at(self, offset: int, content: Sequence[bytes]) -> None:
        async with await (await self._sessions.get()).take() as session:
            await self._send(session, offset, content)

    async def publish(self, offset: int, content: Sequence[bytes]) -> Metadata:
        size = offset + sum(map(len, content))
        async with await (await self._sessions.get()).take() as session:
            if self._may_be_published and (metadata := await self._published(session, size)) is not None:
                return metadata
            if content or not offset:
                await self._send(session, offset, content)
            return await self._take_effect(session, size)

    async def abort(self) -> None:
        if not self._has_content:
            return
        async with await (await self._sessions.get()).take() as session:
            reply = await session.command("DELE", self._temporary)
            if not reply.is_success and await stat_if_exists(session, self._temporary) is not None:
                raise denied(refusal(reply, "DELE"))
        self._has_content = False

    async def _send(self, session: FtpSession, offset: int, content: Sequence[bytes]) -> None:
        if not self._has_content:
            await _check_target(session, self._path)
        self._has_content = True
        await send(session, "STOR", self._temporary, content, offset)

    async def _take_effect(self, session: FtpSession, size: int) -> Metadata:
        metadata = await stat(session, self._temporary)
        if metadata.content_length != size:
            raise ContentIncomplete(f"the server has {metadata.content_length} of {size} bytes")
        self._may_be_published = True
        await move(session, self._temporary, self._path)
        self._has_content = False
        return metadata

    async def _published(self, session: FtpSession, size: int) -> Metadata | None:
        """The metadata of the target if it was published although the reply was lost."""
        if await stat_if_exists(session, self._temporary) is not None:
            return None
        metadata = await stat(session, self._path)
        if metadata.content_length != size:
            raise NotFound("the temporary file of this write is gone", context={"may_have_taken_effect": True})
        self._has_content = False
        return metadata


async def _check_target(session: FtpSession, path: str) -> None:
    metadata = await stat_if_exists(session, path)
    if metadata is not None:
        check_is_file(metadata)


async def send(session: FtpSession, command: str, path: str, content: Sequence[bytes], offset: int = 0) -> None:
    """Sends the content of a file by one transfer, after making the directory of the file if that is missing.

    Arguments:
        session: the session.
        command: STOR or APPE.
        path: the file.
        content: pieces of bytes.
        offset: where in the file it starts.
    """
    try:
        await _send_once(session, command, path, content, offset)
    except (Refused, InvalidInput):
        if parent := get_parent(path).rstrip("/"):
            await make_directories(session, parent)
        try:  # once more in any case: another writer may just have made the directory
            await _send_once(session, command, path, content, offset)
        except Refused as error:
            raise denied(error) from error


async def _send_once(session: FtpSession, command: str, path: str, content: Sequence[bytes], offset: int) -> None:
    transfer = await session.transfer(command, path, offset)
    try:
        for piece in content:
            view = memoryview(piece)
            for start in range(0, len(view), PIECE):
                await transfer.write(view[start : start + PIECE])
    except BaseException:
        transfer.cut()
        raise
    await transfer.finish(command)
