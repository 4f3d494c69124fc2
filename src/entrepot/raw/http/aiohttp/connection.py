"""How connections are made, pooled and closed."""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, cast
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection

from entrepot.errors import InvalidInput
from entrepot.raw.runtime.running import is_another_loop_running

from .errors import NoConnectionFree
from .handler import Handler, Handlers
from .origin import Destination


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
        self._made: Handlers = WeakSet()
        self._factory: partial[Handler] = partial(Handler, self._loop, self._made)  # type: ignore[assignment]

    def now(self) -> float:
        """The time on the clock of the loop."""
        return self._loop.time()

    def note_use(self) -> None:
        """Notes that something is done with a connection, so that whoever waits for one goes on waiting."""
        if self._waiters:
            self.used_at = self.now()

    @property
    def is_elsewhere(self) -> bool:
        """Whether another loop runs here than that of the connections."""
        return is_another_loop_running(self._loop)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Calls something on the loop, if that is not closed, from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)

    @property
    def is_awaited(self) -> bool:
        """Whether requests wait for their turn."""
        return bool(self._waiters)

    @property
    def is_in_use(self) -> bool:
        """Whether there is a connection whose reply has not ended, or one that is being made."""
        return bool(self._acquired)

    def kept(self, key: ConnectionKey) -> Handler | None:
        """A kept connection, but none that the server has closed, also where the event loop has not seen that yet."""
        waiting = self._conns.get(key)
        while waiting:
            handler, since = waiting.popleft()
            assert isinstance(handler, Handler)
            if not waiting:
                del self._conns[key]
            if self._is_fresh(since) and handler.is_connected() and not handler.has_news():
                self._acquired.add(handler)
                return handler
            handler.close()
        return None

    def drop_kept(self, key: ConnectionKey) -> None:
        """Cuts the kept connections of a key off, none of which was used since one of them turned out to be dead.

        What cut that one off (a server that restarted, a balancer or a firewall that forgot it) has mostly cut off
        all that were idle with it, and each would cost a request to find out. They are not closed by the rules of TLS,
        which would wait for the peer.
        """
        for handler, _ in self._conns.pop(key, ()):
            assert isinstance(handler, Handler)
            handler.cut_off()

    def _is_fresh(self, since: float) -> bool:
        return self._keepalive_timeout is None or monotonic() - since <= self._keepalive_timeout

    async def _get(self, key: ConnectionKey, traces: Any) -> Connection | None:
        handler = self.kept(key)
        return None if handler is None else Connection(self, key, handler, self._loop)

    async def open(self, destination: Destination, timeout: aiohttp.ClientTimeout) -> Handler:  # noqa: ASYNC109
        """A connection to a destination: a new one, or one that another request gives back first.

        Raises:
            aiohttp.ClientConnectionError: there is none, or not in time.
            InvalidInput: there can be no host of that name.
        """
        if self.closed:
            raise aiohttp.ClientConnectionError("the connections were closed")
        if self.is_awaited:  # aiohttp lets those that come overtake those that wait
            await self._wait_for_available_connection(destination.connection_key, [])
        try:
            connection = await self.connect(cast("aiohttp.ClientRequest", destination), [], timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        except UnicodeError:  # of a name that no resolver is asked for
            raise InvalidInput("the URL cannot be used") from None
        handler, connection._protocol = connection.protocol, None  # noqa: SLF001  (it gives back what is used further)
        assert isinstance(handler, Handler)
        return handler

    def give_back(self, key: ConnectionKey, handler: Handler, *, is_broken: bool) -> None:
        """Keeps a connection for the next request, or closes it where it cannot serve one."""
        if not self._loop.is_closed():
            self._release(key, handler, should_close=is_broken)
        self.note_use()

    def break_off(self) -> None:
        """Wakes whoever waits for content: no more will come."""
        for one in self._made:
            one.break_off()

    async def close_idle(self) -> None:
        """Closes the connections that nothing was asked of since their last reply ended."""
        await self._abort([one for one in self._made if one.is_idle])

    async def wait_closed(self) -> None:
        """Waits until every connection is closed."""
        await self._abort(list(self._made))

    async def _abort(self, handlers: "list[Handler]") -> None:
        # uvloop closes a connection that is cancelled while it is made, and never tells: nobody would end such a wait.
        closing = [one.closed for one in handlers if one.has_socket and one.closed is not None]
        for one in handlers:
            one.cut_off()
        await asyncio.gather(*closing, return_exceptions=True)

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        """Bounds all of it. aiohttp leaves out the name, whose lookup can take as long as the resolver likes."""
        async with asyncio.timeout(timeout.sock_connect):
            return await super()._create_connection(req, traces, timeout)

    async def _start_tls_connection(self, underlying_transport: asyncio.Transport, *args: Any, **kwargs: Any) -> Any:
        """Forgets the connection to a proxy that becomes one of TLS through it: nobody will tell that it is closed."""
        plain = underlying_transport.get_protocol()
        assert isinstance(plain, Handler)
        self._made.discard(plain)
        return await super()._start_tls_connection(underlying_transport, *args, **kwargs)

    async def _wait_for_available_connection(self, key: Any, traces: Any) -> None:
        """Passes its turn on when it is given up: aiohttp forgets whoever waits behind one that was just woken."""
        try:
            await self._wait_for_turn(key, traces)
        except BaseException:
            self._release_waiter()
            raise

    async def _wait_for_turn(self, key: Any, traces: Any) -> None:
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
