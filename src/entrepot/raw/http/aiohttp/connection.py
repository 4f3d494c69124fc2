"""Connections: what aiohttp does with them, and what it does not tell or forgets."""

import asyncio
import ssl
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from .errors import NoConnectionFree


class Request(aiohttp.ClientRequest):
    """Adds no headers of its own but Host."""

    DEFAULT_HEADERS: dict[Any, Any] = {}  # noqa: RUF012  (aiohttp declares it as an instance attribute)


class Handler(ResponseHandler):
    """The protocol of a connection, which also tells what aiohttp does not.

    Arguments:
        loop: its event loop.
        made: where it enters its transport.

    Attributes:
        has_answered: whether the connection has brought a reply.
        was_reset: whether it broke, which content that ends with the connection does not show.
        is_idle: whether a reply has ended and nothing was asked since.
    """

    has_answered = False
    was_reset = False
    is_idle = False

    def __init__(self, loop: asyncio.AbstractEventLoop, made: "Transports") -> None:
        super().__init__(loop)
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._made[self] = cast("asyncio.Transport", transport)

    def set_response_params(self, **kwargs: Any) -> None:
        self.is_idle = False
        super().set_response_params(**kwargs)

    def rest(self) -> None:
        """Notes that a reply has ended."""
        self.is_idle = True

    def data_received(self, data: bytes) -> None:
        """Ends a connection on which something comes unasked: it would be taken for the next reply."""
        if self.is_idle and data:
            self.abort()
        else:
            super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wakes whoever waits for content also where the parser had given up on it, which aiohttp forgets."""
        content, self.was_reset = self._payload, exc is not None
        super().connection_lost(exc)
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the content is malformed"))


Transports = WeakKeyDictionary[Handler, asyncio.Transport]


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
            started = await super().start(connection)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise (KeptConnectionLost(*error.args) if handler.has_answered else error) from None
        handler.has_answered = True
        self.content.on_eof(handler.rest)
        return started


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
