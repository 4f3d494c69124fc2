"""Reading a file from a position on, by one transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from entrepot.errors import ContentIncomplete, Error
from entrepot.raw import OpRead, RpRead, oio
from entrepot.raw.conditions import check_conditions
from entrepot.raw.oio.read.api import check_not_closed

from .files import check_is_file, denied, stat
from .session import FtpSession, Transfer

if TYPE_CHECKING:
    from entrepot.raw.pool import Lease, Pool
    from entrepot.raw.runtime import Local, Runtime

CHUNK: Final = 256 * 1024
"""The most bytes that one verb returns."""


class FtpReader(oio.Read):
    """Reads the window of a file forward. After an error or a cancellation it is not used again.

    The metadata is asked for first, on the same connection: so the size is known, and a transfer that ends early is
    noticed, whatever the server says about it.

    Arguments:
        runtime: waits.
        sessions: the sessions with the server.
        path: the file on the server.
        args: the arguments of the read.
        response: receives the metadata.
    """

    __slots__ = (
        "_args", "_has_more", "_is_closed", "_lease", "_left", "_path", "_response", "_runtime", "_sessions",
        "_transfer",
    )  # fmt: skip

    def __init__(
        self, runtime: Runtime, sessions: Local[Pool[FtpSession]], path: str, args: OpRead, response: RpRead
    ) -> None:
        self._runtime = runtime
        self._sessions = sessions
        self._path = path
        self._args = args
        self._response = response
        self._lease: Lease[FtpSession] | None = None
        self._transfer: Transfer | None = None
        self._left = 0
        self._has_more = False
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        return self._response.metadata is not None and not self._left

    @property
    def remaining(self) -> int | None:
        return None if self._response.metadata is None else self._left

    async def read(self, n: int) -> bytes:
        check_not_closed(self._is_closed)
        if not n:
            return b""
        try:
            if self._response.metadata is None:
                await self._open()
            return await self._received(min(n, CHUNK)) if self._left else b""
        except BaseException:
            await self._release()
            raise

    async def next(self) -> bytes | None:
        return await self.read(CHUNK) or None

    async def close(self) -> None:
        self._is_closed = True
        await self._release()

    async def _open(self) -> None:
        self._lease = await (await self._sessions.get()).take()
        session = self._lease.session
        metadata = await stat(session, self._path)
        check_is_file(metadata)
        check_conditions(metadata, self._args)
        size = metadata.content_length or 0
        start, end = self._args.range.resolve(size)
        if start < end:
            try:
                self._transfer = await session.transfer("RETR", self._path, start)
            except Error as error:
                raise denied(error) from error
        self._left, self._has_more = end - start, end < size
        self._response.metadata = metadata

    async def _received(self, n: int) -> bytes:
        if self._transfer is None:
            raise ContentIncomplete("the transfer has ended")
        data = await self._transfer.read(min(n, self._left))
        if not data:
            raise ContentIncomplete(f"the transfer ended {self._left} bytes early")
        self._left -= len(data)
        if not self._left and not self._has_more:
            await self._confirm(self._transfer)
        return data

    async def _confirm(self, transfer: Transfer) -> None:
        """Reads to the end of the transfer, where all bytes of the file have come. The file may have grown since."""
        if await transfer.read(1):
            return
        self._transfer = None
        await transfer.finish("RETR")
        await self._release()

    async def _release(self) -> None:
        transfer, self._transfer = self._transfer, None
        lease, self._lease = self._lease, None
        try:
            if transfer is not None:
                await transfer.abort(self._runtime)
        finally:
            if lease is not None:
                await lease.give_back()
