"""Reading a file at any position, with several requests in flight."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncssh

from entrepot.errors import ConditionNotMatch, ContentIncomplete, Error, IsADirectory, Unsupported
from entrepot.raw import OpRead, RpRead, oio
from entrepot.raw.conditions import check_conditions
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.oio.read.seek import seek_target
from entrepot.raw.oio.windowed import gather
from entrepot.raw.pool import BodySession
from entrepot.raw.stated_size import stated_size
from entrepot.types import Metadata

from .session import SftpSession, metadata_of

if TYPE_CHECKING:
    from entrepot.raw.pool import Pool
    from entrepot.raw.runtime import Local, Runtime

IN_FLIGHT: Final = 16
"""Requests to read or write in flight. With blocks of 256 KiB they fill 4 MiB, enough for 100 ms at 40 MB/s."""

MOST: Final = 4 * 1024 * 1024
"""The most bytes that `read` returns. `readinto` fills any buffer without a pause in between."""


class SftpReader(oio.Read):
    """Reads the window of a file. It is opened by the first verb, and again after the connection was lost.

    Arguments:
        runtime: runs requests at the same time.
        sessions: the sessions with the server.
        path: the file on the server.
        args: the arguments of the read.
        response: receives the metadata.
    """

    __slots__ = (
        "_args", "_end", "_file", "_is_closed", "_opened_on", "_path", "_position", "_response", "_runtime", "_session",
        "_start",
    )  # fmt: skip

    def __init__(
        self, runtime: Runtime, sessions: Local[Pool[SftpSession]], path: bytes, args: OpRead, response: RpRead
    ) -> None:
        self._runtime = runtime
        self._session = BodySession(sessions)
        self._opened_on: SftpSession | None = None
        self._path = path
        self._args = args
        self._response = response
        self._file: asyncssh.SFTPClientFile | None = None
        self._start = self._end = 0
        self._position = 0
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        return self._response.metadata is not None and self._position >= self._end - self._start

    @property
    def remaining(self) -> int | None:
        return None if self._response.metadata is None else max(0, self._end - self._start - self._position)

    async def read(self, n: int) -> bytes:
        size = await self._size_of(n)
        buffer = bytearray(min(size, MOST))
        await self._fill(memoryview(buffer))
        return bytes(buffer)

    async def readinto(self, buffer: memoryview) -> int:
        size = await self._size_of(len(buffer))
        await self._fill(buffer[:size])
        return size

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        check_not_closed(self._is_closed)
        size = await self._size() if whence == os.SEEK_END else None
        self._position = seek_target(offset, whence, self._position, size)
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        await self._release()

    async def _size_of(self, n: int) -> int:
        """How many of `n` bytes the window has from the position on."""
        check_not_closed(self._is_closed)
        return min(n, max(0, await self._size() - self._position)) if n else 0

    async def _size(self) -> int:
        if self._response.metadata is None:
            await self._opened()
        return self._end - self._start

    async def _fill(self, buffer: memoryview) -> None:
        """Reads the bytes at the position, all of them, and moves the position."""
        if not buffer:
            return
        try:
            session, file = await self._opened()
            calls = (partial(self._read_block, session, file, *block) for block in self._blocks(buffer, session.block))
            await gather(calls, self._runtime.window(IN_FLIGHT), list[None]())
        except BaseException:
            await self._release()
            raise
        self._position += len(buffer)

    def _blocks(self, buffer: memoryview, size: int) -> Iterator[tuple[int, memoryview]]:
        begin = self._start + self._position
        for offset in range(0, len(buffer), size):
            yield begin + offset, buffer[offset : offset + size]

    async def _read_block(
        self, session: SftpSession, file: asyncssh.SFTPClientFile, offset: int, buffer: memoryview
    ) -> None:
        """Fills a buffer. A server may return fewer bytes than requested, which is not the end."""
        filled = 0
        while filled < len(buffer):
            data = await read_once(session, file, offset + filled, len(buffer) - filled)
            if not data or len(data) > len(buffer) - filled:
                raise ContentIncomplete("the file shrank during the read", is_temporary=False)
            buffer[filled : filled + len(data)] = data
            filled += len(data)

    async def _opened(self) -> tuple[SftpSession, asyncssh.SFTPClientFile]:
        """The open file and its session.

        Raises:
            ConditionNotMatch: it was opened before, and is another file or has changed since.
        """
        session = await self._session.get()
        if self._file is not None and self._opened_on is session:
            return session, self._file
        self._opened_on = session
        try:
            metadata, self._file = await open_regular(session, self._path)
            self._note(metadata)
        except BaseException:
            await self._release()
            raise
        return session, self._file

    def _note(self, metadata: Metadata) -> None:
        first = self._response.metadata
        if first is not None and not first.is_same_content(metadata):
            raise ConditionNotMatch("the object changed during the read")
        if first is None:
            check_conditions(metadata, self._args)
            self._start, self._end = self._args.range.resolve(stated_size(metadata))
            self._response.metadata = metadata

    async def _release(self) -> None:
        """Closes the file, and gives the session back."""
        file, self._file = self._file, None
        session = self._session.taken
        try:
            if file is not None and session is not None and session is self._opened_on:
                await self._runtime.shield(partial(close_quietly, session, file))
        finally:
            await self._session.give_back()


async def read_once(session: SftpSession, file: asyncssh.SFTPClientFile, offset: int, size: int) -> bytes:
    """Reads up to `size` bytes by one request; no bytes at the end."""
    data = await session.request(file.read(size, offset))
    return data if isinstance(data, bytes) else data.encode()


async def close_quietly(session: SftpSession, file: asyncssh.SFTPClientFile) -> None:
    """Closes a file whose content does not matter any more. Where that fails the server closes it with the session."""
    try:
        await session.request(file.close())
    except Error:
        return


async def open_regular(session: SftpSession, path: bytes) -> tuple[Metadata, asyncssh.SFTPClientFile]:
    """Opens a regular file. Others are not opened: a FIFO would block the server."""
    _check_is_regular(metadata_of(await session.attributes(path)))
    file = await session.open(path, asyncssh.FXF_READ)
    try:
        return metadata_of(await session.request(file.stat())), file
    except BaseException:
        await close_quietly(session, file)
        raise


def _check_is_regular(metadata: Metadata) -> None:
    if metadata.is_dir:
        raise IsADirectory("the path names a directory")
    if not metadata.is_file:
        raise Unsupported("the path names a FIFO, a socket or a device")
