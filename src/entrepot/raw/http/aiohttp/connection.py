"""Connections: how they are pooled, and the replies that they bring."""

import asyncio
import ssl
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from .errors import NoConnectionFree, SuccessTooEarly
from .handler import Handler, Transports


class KeptConnectionLost(aiohttp.ClientOSError):
    """A connection that had brought a reply before brought none to this request."""


class Response(aiohttp.ClientResponse):
    """Remembers its connection, and tells a kept one that is lost from a new one."""

    handler: Handler

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        handler = connection.protocol
        assert isinstance(handler, Handler)
        self.handler = handler
        try:
            await self._sent()
            started = await super().start(connection)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise (KeptConnectionLost(*error.args) if handler.has_answered else error) from None
        handler.has_answered = True
        self.content.on_eof(handler.rest)
        return started

    async def _sent(self) -> None:
        """Waits until the content is sent, or refused: aiohttp sends no more once it has taken a reply.

        Raises:
            SuccessTooEarly: the reply is a success, and the rest of the content was not taken even so.
        """
        writer, handler = self._writer, self.handler
        if writer is None or self._continue is not None:
            return
        handler.answer = self._loop.create_future()
        if handler.status is None:
            await asyncio.wait({writer, handler.answer}, return_when=asyncio.FIRST_COMPLETED)
        if handler.status is None or handler.is_refused:
            return
        await asyncio.wait({writer}, timeout=handler.read_timeout)
        if handler.is_sending:
            raise SuccessTooEarly


class Connector(aiohttp.TCPConnector):
    """Remembers the connections that it made, so that those still on their way down can be awaited.

    aiohttp awaits only those that it holds when it is closed. One that was closed a moment before is
    still open for the event loop, and with TLS it stays so until the peer has said good-bye.

    Arguments:
        ssl: how to speak TLS.
        limit: how many connections at a time; 0 is no limit.
        patience: how many seconds a request waits for one while nothing is done with those that are open.

    Attributes:
        used_at: when something was last done with a connection, on the clock of the loop.
    """

    def __init__(self, *, ssl: ssl.SSLContext | bool, limit: int, patience: float | None) -> None:
        super().__init__(ssl=ssl, limit=limit)
        self.used_at = self.now()
        self._patience = patience
        self._made: Transports = WeakKeyDictionary()
        self._factory: partial[Handler] = partial(Handler, self._loop, self._made)  # type: ignore[assignment]

    def now(self) -> float:
        """The time on the clock of the loop."""
        return self._loop.time()

    async def _get(self, key: Any, traces: Any) -> Connection | None:
        """A kept connection, but none that the server has closed, also where the event loop has not seen that yet."""
        while (kept := await super()._get(key, traces)) is not None:
            handler = kept.protocol
            assert isinstance(handler, Handler)
            if not handler.has_news():
                return kept
            kept.close()
        return None

    async def close_idle(self) -> None:
        """Closes the connections that nothing was asked of since their last reply ended."""
        await self._abort([one for one in self._made if one.is_idle])

    async def wait_closed(self) -> None:
        """Waits until every connection is closed."""
        await self._abort(list(self._made))

    async def _abort(self, handlers: "list[Handler]") -> None:
        closing = [one.closed for one in handlers if one.closed is not None]
        for one in handlers:
            self._made[one].abort()
        await asyncio.gather(*closing, return_exceptions=True)

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        """Bounds all of it. aiohttp leaves out the name, whose lookup can take as long as the resolver likes."""
        async with asyncio.timeout(timeout.sock_connect):
            return await super()._create_connection(req, traces, timeout)

    async def _wait_for_available_connection(self, key: Any, traces: Any) -> None:
        if self._patience is None:
            await super()._wait_for_available_connection(key, traces)
            return
        try:
            async with asyncio.timeout(None) as scope:
                watch = _Watch(self, self._patience, scope)
                try:
                    await super()._wait_for_available_connection(key, traces)
                finally:
                    watch.stop()
        except TimeoutError:
            raise NoConnectionFree(self.limit) from None


class _Watch:
    """Ends a scope once nothing was done with any connection for so many seconds.

    Arguments:
        connector: knows when something was.
        patience: how many seconds.
        scope: what is ended.
    """

    def __init__(self, connector: Connector, patience: float, scope: asyncio.Timeout) -> None:
        self._connector = connector
        self._patience = patience
        self._scope = scope
        self._since = connector.now()
        self._timer = self._wait()

    def stop(self) -> None:
        self._timer.cancel()

    def _wait(self) -> asyncio.TimerHandle:
        due = max(self._since, self._connector.used_at) + self._patience
        return asyncio.get_running_loop().call_at(due, self._check, due)

    def _check(self, due: float) -> None:
        if self._connector.used_at + self._patience > due:
            self._timer = self._wait()
        else:
            self._scope.reschedule(due)
