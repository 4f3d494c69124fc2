"""`FtpSession`: one control connection, which makes one command or one transfer at a time.

Theory of operation. A session is busy from the moment it sends a command until the whole reply has come, and during a
transfer until the reply after it. A call that fails or is cancelled in between leaves it busy, so that the pool throws
it away: nobody could say which reply belongs to the next command.

A session keeps a descriptor in reserve (`reserve`), which it closes just before it opens a data connection. Otherwise
the sessions of a pool could use up all files of the process, and none of them could transfer anything.

Transfers are of bytes: whoever connects says so once (TYPE I). Names are sent in UTF-8. `aioftp` is given text of
bytes, each a character of Latin-1, so that no reply can break it, whatever its encoding.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import aioftp

from entrepot.errors import Error, Timeout, Unexpected
from entrepot.raw.few_files import with_file_limit
from entrepot.raw.pool import has_unread
from entrepot.raw.runtime.cut_off import cut_off

from .replies import Reply, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from entrepot.raw.runtime import Runtime

_UNKNOWN: Final = 50
"""The first digits of the replies to commands that a server does not have, or not with this argument."""

_ANY_FINAL: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")

END_SECONDS: Final = 5.0
"""Seconds in which a server must confirm an abort, or that it is alive; else the session is dropped."""


class FtpSession:
    """Sends commands, and translates what the server refuses.

    Arguments:
        runtime: waits.
        client: the connection, which is logged in.
        timeout: seconds without a byte after which a command or a transfer fails.

    Attributes:
        features: the extensions that the server has, in upper case (RFC 2389).
    """

    def __init__(self, runtime: Runtime, client: aioftp.Client, timeout: float) -> None:
        self.features: frozenset[str] = frozenset()
        self._runtime = runtime
        self._client = client
        self._timeout = timeout
        self._is_busy = False
        self._is_closed = False
        self._data: Any = None
        self._passive = "EPSV"
        self._reserve: socket.socket | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended, or was lost."""
        return self._is_closed

    @property
    def is_usable(self) -> bool:
        is_ready = self._reserve is not None and not self._is_busy and not self._is_closed
        return is_ready and not has_unread(self._client.stream.reader)

    @property
    def is_doubtful(self) -> bool:
        return False

    async def check(self) -> bool:
        try:
            await self._runtime.with_timeout(END_SECONDS, self.command, "NOOP")
        except (TimeoutError, Error):
            return False
        return True

    def close(self) -> None:
        if self._data is not None:
            cut_off(self._data.transport)
        self._is_closed = True
        self._use_reserve()
        try:
            control = self._client.stream
        except ConnectionError:  # it did not get as far as a connection
            return
        cut_off(control.writer.transport)

    async def wait_closed(self) -> None:
        await self._runtime.sleep(0)

    def reserve(self) -> None:
        """Keeps a descriptor for the next data connection. Without one the session is not usable.

        Raises:
            OSError: there are too many open files.
        """
        self._reserve = self._reserve or socket.socket()

    def _use_reserve(self) -> None:
        if self._reserve is not None:
            self._reserve.close()
            self._reserve = None

    async def command(self, name: str, argument: str = "", *, secret: bool = False) -> Reply:
        """Sends a command and returns the reply, whatever its code.

        Arguments:
            name: the command.
            argument: the rest of the line.
            secret: whether the argument must not be in a log.
        """
        line = f"{name} {argument}" if argument else name
        return await self._exchange(
            line.encode("utf-8", "surrogateescape").decode("latin-1"), censored=len(name) if secret else None
        )

    async def ask(self, name: str, argument: str = "", *, secret: bool = False) -> Reply:
        """Sends a command that must succeed, or need another one.

        Raises:
            Error: the server refuses it.
        """
        reply = await self.command(name, argument, secret=secret)
        if reply.code // 100 not in {2, 3}:
            raise refusal(reply, name)
        return reply

    async def greeting(self) -> None:
        """Waits for the first reply of the server. Raises what it refuses."""
        reply = await self._exchange(None)
        while reply.is_preliminary:
            reply = await self._exchange(None)
        if not reply.is_success:
            raise refusal(reply, "connect")

    async def transfer(self, command: str, path: str, offset: int = 0) -> Transfer:
        """Opens a data connection and starts a transfer.

        Arguments:
            command: RETR, STOR, APPE, MLSD or LIST.
            path: the path; empty for the working directory.
            offset: where in the file it starts.

        Raises:
            Error: the server refuses it.
        """
        self._is_busy = True
        reader, writer = await self._data_connection()
        self._data = writer
        try:
            if offset:
                await self.ask("REST", str(offset))
            reply = await self.command(command, path)
            if not reply.is_preliminary and not reply.is_success:
                raise refusal(reply, command)
            self._is_busy = True
        except BaseException:
            cut_off(writer.transport)
            self._reserve_again()
            raise
        return Transfer(self, reader, writer)

    async def reached(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Waits for bytes of the server, at most as long as the timeout."""
        return await self._reached(call)

    async def end_transfer(self) -> Reply:
        """Waits for the reply after a transfer."""
        reply = await self._exchange(None)
        self._reserve_again()
        return reply

    def _reserve_again(self) -> None:
        if not self._is_closed:
            with suppress(OSError):  # then the session is thrown away
                self.reserve()

    async def _data_connection(self) -> Any:
        """Opens a data connection, for which a server without EPSV is asked by PASV from then on."""
        reply = await self.command(self._passive)
        if self._passive == "EPSV" and reply.code // 10 == _UNKNOWN:
            self._passive = "PASV"
            reply = await self.command("PASV")
        if not reply.is_success:
            raise refusal(reply, self._passive)
        self._is_busy = True
        return await self._reached(lambda: self._connected(reply.lines[-1]))

    async def _connected(self, line: str) -> Any:
        """A connection to the port in a reply. `get_passive_connection` of aioftp would send TYPE each time."""
        is_extended = self._passive == "EPSV"
        self._use_reserve()
        _, port = (self._client.parse_epsv_response if is_extended else self._client.parse_pasv_response)(line)
        return await self._client._open_connection(self._client.server_host, port)  # noqa: SLF001 - it has TLS

    async def _exchange(self, line: str | None, *, censored: int | None = None) -> Reply:
        self._is_busy = True
        reply: Reply = await self._reached(lambda: self._answered(line, censored))
        self._is_busy = False
        if reply.code == 421:
            self._is_closed = True
        return reply

    async def _answered(self, line: str | None, censored: int | None) -> Reply:
        answer: Any = await self._client.command(line, _ANY_FINAL, censor_after=censored)
        code, lines = answer
        return Reply(int(code), lines)

    async def _reached(self, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await self._runtime.with_timeout(self._timeout, call)
        except TimeoutError:
            self._is_closed = True
            raise Timeout(f"the server sent nothing for {self._timeout:g} s") from None
        except (OSError, EOFError, ValueError, LookupError, OverflowError, aioftp.AIOFTPException) as error:
            if isinstance(error, Error):
                raise
            self._is_closed = True
            reason = getattr(error, "strerror", None) or type(error).__name__
            lost = Unexpected(f"the connection was lost: {reason}", is_temporary=True)
            raise with_file_limit(lost, error) from error


class Transfer:
    """A data connection.

    Arguments:
        session: the control connection.
        reader: receives from the data connection.
        writer: sends to it.
    """

    def __init__(self, session: FtpSession, reader: Any, writer: Any) -> None:
        self._session = session
        self._reader = reader
        self._writer = writer

    async def read(self, n: int) -> bytes:
        """Returns at least one byte and at most `n`; no bytes at the end."""
        data: bytes = await self._session.reached(lambda: self._reader.read(n))
        return data

    async def read_all(self) -> bytes:
        """Returns all bytes, after the server has confirmed that these are all."""
        pieces = list[bytes]()
        try:
            while piece := await self.read(1 << 20):
                pieces.append(piece)
            await self.finish("LIST")
        except BaseException:
            self.cut()
            raise
        return b"".join(pieces)

    async def write(self, data: bytes | memoryview) -> None:
        """Sends bytes."""
        self._writer.write(data)
        await self._session.reached(self._writer.drain)

    async def finish(self, command: str) -> None:
        """Ends the data connection and waits until the server has confirmed the transfer.

        Raises:
            Error: the transfer has failed.
        """
        self._writer.close()
        await self._session.reached(self._writer.wait_closed)
        reply = await self._session.end_transfer()
        if not reply.is_success:
            raise refusal(reply, command)

    def cut(self) -> None:
        """Cuts the data connection. The session is not usable any more."""
        if not self._session.is_closed:
            cut_off(self._writer.transport)

    async def abort(self, runtime: Runtime) -> None:
        """Cuts the data connection. The session stays usable if the server takes notice soon."""
        if self._session.is_closed:
            return
        self.cut()
        try:
            await runtime.with_timeout(END_SECONDS, self._session.end_transfer)
        except (TimeoutError, Error):
            return  # the session stays busy, and is thrown away
