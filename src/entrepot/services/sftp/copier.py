"""Copying the content of a file: by the server, where it has the request `copy-data`, else through this client."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import asyncssh

from entrepot.errors import ContentIncomplete
from entrepot.raw.oio.windowed import gather
from entrepot.raw.stated_size import stated_size

from .errors import UnexplainedFailure
from .publish import PERMISSIONS, why_full, write_block
from .reader import IN_FLIGHT, close_quietly, open_regular, read_once
from .session import SftpSession

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

RANGE: Final = 64 * 1024 * 1024
"""Bytes that the server copies by one request, during which it serves no other request of the session."""


async def copy_content(runtime: Runtime, source: bytes, session: SftpSession, target: asyncssh.SFTPClientFile) -> None:
    """Copies a file into an open one, with its permissions.

    Raises:
        NotFound, IsADirectory: there is no such file.
        ContentIncomplete: the file shrank.
        StorageFull: the file system of the server is full.
    """
    metadata, file = await open_regular(session, source)
    try:
        size = stated_size(metadata)
        permissions = (await session.request(file.stat())).permissions
        if session.client.supports_remote_copy:
            await _copy_there(session, file, target, size)
        else:
            await _copy_through(runtime, session, file, target, size)
        if permissions is not None:
            await session.request(target.setstat(asyncssh.SFTPAttrs(permissions=permissions & PERMISSIONS)))
        if (await session.request(target.stat())).size != size:
            raise ContentIncomplete("the source changed during the copy")
    finally:
        await runtime.shield(partial(close_quietly, session, file))


async def _copy_there(
    session: SftpSession, source: asyncssh.SFTPClientFile, target: asyncssh.SFTPClientFile, size: int
) -> None:
    for start in range(0, size, RANGE):
        length = min(RANGE, size - start)
        try:
            await session.request(session.client.remote_copy(source, target, start, length, start))
        except UnexplainedFailure as failure:
            raise await why_full(session, target, failure) from failure


async def _copy_through(
    runtime: Runtime, session: SftpSession, source: asyncssh.SFTPClientFile, target: asyncssh.SFTPClientFile, size: int
) -> None:
    step = session.block
    calls = (
        partial(_copy_block, session, source, target, start, min(step, size - start)) for start in range(0, size, step)
    )
    await gather(calls, runtime.window(IN_FLIGHT), list[None]())


async def _copy_block(
    session: SftpSession, source: asyncssh.SFTPClientFile, target: asyncssh.SFTPClientFile, start: int, length: int
) -> None:
    end = start + length
    while start < end:
        data = await read_once(session, source, start, end - start)
        if not data:
            raise ContentIncomplete("the source shrank during the copy", is_temporary=False)
        await write_block(session, target, start, data)
        start += len(data)
