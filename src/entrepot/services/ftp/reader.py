"""Reading a file from a position on, by one transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from entrepot.errors import ConditionNotMatch, ContentIncomplete, Error
from entrepot.raw import OpRead, RpRead, oio
from entrepot.raw.conditions import check_conditions
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.runtime.running import of_another_loop
from entrepot.raw.stated_size import stated_size

from .files import check_is_file, denied, stat, stat_if_exists
from .session import FtpSession, Transfer

if TYPE_CHECKING:
    from entrepot.raw.pool import Lease, Pool
    from entrepot.raw.runtime import Local, Runtime

CHUNK: Final = 256 * 1024
"""The most bytes that one verb returns."""


ATTEMPTS: Final = 3


class _Replaced(ConditionNotMatch):
    """The file is another one than before the transfer."""

    kind = ConditionNotMatch.kind


class FtpReader(oio.Read):
    """Reads the window of a file forward. After an error or a cancellation it is not used again.

    The metadata is asked for first, so that the size is known and a transfer that ends early is noticed, whatever the
    server says about it. It is asked for again before the last bytes are returned: another file may have got the name
    since. A window that came in one piece is then read again.

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
                return await self._first(min(n, CHUNK))
            return await self._received(min(n, CHUNK)) if self._left else b""
        except BaseException:
            await self._release()
            raise

    async def next(self) -> bytes | None:
        return await self.read(CHUNK) or None

    async def close(self) -> None:
        self._is_closed = True
        await self._release()

    async def _first(self, n: int) -> bytes:
        """Opens the file and returns the first bytes; anew where it was replaced before any were returned."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._opened(n)
            except _Replaced:
                await self._release()
                self._response.metadata = None
        return await self._opened(n)

    async def _opened(self, n: int) -> bytes:
        await self._open()
        return await self._received(n) if self._left else b""

    async def _open(self) -> None:
        self._lease = await (await self._sessions.get()).take()
        session = self._lease.session
        metadata = await stat(session, self._path)
        check_is_file(metadata)
        check_conditions(metadata, self._args)
        size = stated_size(metadata)
        start, end = self._args.range.resolve(size)
        if start < end:
            try:
                self._transfer = await session.transfer("RETR", self._path, start)
            except Error as error:
                raise denied(error) from error
        self._left, self._has_more = end - start, end < size
        self._response.metadata = metadata

    async def _received(self, n: int) -> bytes:
        if self._transfer is None or self._lease is None or self._lease.session.is_closed:
            raise ContentIncomplete("the transfer has ended")
        if self._lease.pool is not await self._sessions.get():
            raise of_another_loop()
        self._lease.pool.note_use()
        data = await self._transfer.read(min(n, self._left))
        if not data:
            await self._confirm(self._transfer)
            raise ContentIncomplete(f"the transfer ended {self._left} bytes early")
        if len(data) == self._left:
            await self._confirm(self._transfer)
        self._left -= len(data)
        return data

    async def _confirm(self, transfer: Transfer) -> None:
        """Ends the transfer and compares the metadata with those before it.

        Raises:
            ConditionNotMatch: the file was replaced, or has grown.
            Error: the server reports that the transfer has failed.
        """
        self._transfer = None
        if self._has_more or await transfer.read(1):
            await transfer.abort(self._runtime)
        else:
            await transfer.finish("RETR")
        await self._release()
        async with await (await self._sessions.get()).take() as session:
            metadata = await stat_if_exists(session, self._path)
        first = self._response.metadata
        if metadata is None or first is None or not first.is_same_content(metadata):
            raise _Replaced("the object changed during the read")

    async def _release(self) -> None:
        transfer, self._transfer = self._transfer, None
        lease, self._lease = self._lease, None
        try:
            if transfer is not None:
                await transfer.abort(self._runtime)
        finally:
            if lease is not None:
                await lease.give_back()
