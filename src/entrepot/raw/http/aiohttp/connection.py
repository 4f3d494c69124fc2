"""How connections are made, kept and closed.

Theory of operation. `Connector` is aiohttp's connector with our own protocol (`Handler`) as the connection. At any time
a connection is in one of these states:

- being made: it counts as acquired, and `connect_timeout` bounds it, the name lookup included;
- acquired: an `Exchange` holds it until its response has ended or is given up;
- kept: idle, by origin, for `keepalive_timeout`; `kept` takes one only if the server has not closed it;
- closing: nothing uses it, but the event loop still has its socket. `_made` holds it weakly until then.

A request takes a kept connection if no other request waits for its turn; otherwise it queues, so that later requests do
not overtake earlier ones. A turn that is given up, by a timeout or a cancellation, is passed on to the next waiter
(`_release_waiter`): aiohttp would lose it, and with it every waiter after it. The wait for a turn is bounded not by its
length but by inactivity of the whole pool (`used_at`, `_Watch`): with many waiters each turn comes late, but it comes.

Where the process can open no further file, requests with a turn wait too (`_short_of_files`), until a connection is
given back or closed, or the making of one has failed. The one that was there first is woken, and wakes the next if it
is cancelled. It fails if nothing is left to wait for.

All of this runs on the loop of the connector. Only `call_soon` may be called from another thread.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any, Final, cast
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection

from entrepot.raw.few_files import is_of_too_many_files
from entrepot.raw.http import failures
from entrepot.raw.in_line import waiting_in_line
from entrepot.raw.runtime.awake import AwakeTimeout
from entrepot.raw.runtime.running import call_on, is_another_loop_running

from .errors import NoConnectionFree
from .handler import Handler, Handlers
from .origin import Destination

_UNLIMITED: Final = aiohttp.ClientTimeout(total=None)


class Connector(aiohttp.TCPConnector):
    """Makes connections, and remembers them until they are closed, so that closing can be awaited.

    aiohttp awaits only connections that it holds when it is closed. A connection that was closed shortly before is
    still open for the event loop, and with TLS it stays open until the peer has sent its close notification.

    Arguments:
        ssl: the TLS configuration.
        limit: the most connections at a time; 0 is without limit.
        patience: for how many seconds a request waits for its turn while all connections are inactive.
        max_idle: the most unused connections that are kept for one key; None is without limit.
        idle_seconds: for how many seconds an unused connection is kept.

    Attributes:
        used_at: the time of the last activity on any connection, on the clock of the loop.
    """

    def __init__(
        self,
        *,
        ssl: ssl.SSLContext | bool,
        limit: int,
        patience: float | None,
        max_idle: int | None = None,
        idle_seconds: float = 15.0,
    ) -> None:
        super().__init__(ssl=ssl, limit=limit, keepalive_timeout=idle_seconds)
        self.used_at = self.now()
        self._max_idle = max_idle
        self._patience = patience
        self._making = 0
        self._short_of_files: deque[asyncio.Future[None]] = deque()
        self._made: Handlers = WeakSet()
        self._factory: partial[Handler] = partial(Handler, self._loop, self._made)  # type: ignore[assignment]

    def now(self) -> float:
        """The time on the clock of the loop."""
        return self._loop.time()

    def note_use(self) -> None:
        """Records activity on a connection, so that waiting requests keep waiting."""
        if self._waiters or self._short_of_files:
            self.used_at = self.now()

    @property
    def is_elsewhere(self) -> bool:
        """Whether the running loop is not the loop of the connections."""
        return is_another_loop_running(self._loop)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Calls something on the loop, unless the loop is closed. It may be called from any thread."""
        call_on(self._loop, callback)

    @property
    def is_awaited(self) -> bool:
        """Whether requests wait for their turn."""
        return bool(self._waiters)

    @property
    def is_in_use(self) -> bool:
        """Whether there is a connection whose response has not ended, or one that is being made."""
        return bool(self._acquired)

    def kept(self, key: ConnectionKey) -> Handler | None:
        """Takes a kept connection that the server has not closed, according to its socket: the loop may be late."""
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
        """Cuts off the kept connections of a key, after one of them turned out to be dead.

        The TLS close handshake is left out, since it would wait for the peer.
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
        """Returns a connection to a destination: a new one, or one that another request gives back first.

        Raises:
            aiohttp.ClientConnectionError: no connection could be made, or not in time.
            InvalidInput: the name cannot be a host name.
        """
        if self.closed:
            raise aiohttp.ClientConnectionError("the connections were closed")
        if self.is_awaited:  # aiohttp would let a new request overtake the waiting ones
            await self._wait_for_available_connection(destination.connection_key, [])
        try:
            connection = await self.connect(cast("aiohttp.ClientRequest", destination), [], timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        except UnicodeError:  # of a name that cannot be encoded for a resolver
            raise failures.HOST_UNUSABLE.error() from None
        handler, connection._protocol = connection.protocol, None  # noqa: SLF001  (the holder would give back a connection that is still in use)
        assert isinstance(handler, Handler)
        return handler

    def give_back(self, key: ConnectionKey, handler: Handler, *, is_broken: bool) -> None:
        """Keeps a connection for the next request, or closes it if it cannot serve one."""
        if not self._loop.is_closed():
            self._release(key, handler, should_close=is_broken or self._has_enough_idle(key))
            self._wake_short_of_files()
        self.note_use()

    def _has_enough_idle(self, key: ConnectionKey) -> bool:
        return self._max_idle is not None and len(self._conns.get(key, ())) >= self._max_idle

    def break_off(self) -> None:
        """Wakes the readers of content, and those that wait for a file, with an error: no more will arrive."""
        for handler in self._made:
            handler.break_off()
        while self._short_of_files:
            turn = self._short_of_files.popleft()
            if not turn.done():
                turn.set_exception(aiohttp.ClientConnectionError("the connections were closed"))

    async def close_idle(self) -> None:
        """Closes the connections that are not in use."""
        await self._abort([handler for handler in self._made if handler.is_idle])

    async def wait_closed(self) -> None:
        """Waits until every connection is closed."""
        await self._abort(list(self._made))

    async def _abort(self, handlers: "list[Handler]") -> None:
        # uvloop closes a connection whose creation is cancelled and never reports it: waiting for that would not end.
        closing = [handler.closed for handler in handlers if handler.has_socket and handler.closed is not None]
        for handler in handlers:
            handler.cut_off()
        await asyncio.gather(*closing, return_exceptions=True)

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        """Makes a connection. With too many open files, it waits for one that another request gives back."""
        while True:
            try:
                return await self._made_connection(req, traces, timeout)
            except BaseException as error:
                if not is_of_too_many_files(error) or not await self._has_room(req.connection_key):
                    self._wake_short_of_files()
                    raise
            if (kept := self.kept(req.connection_key)) is not None:
                return kept

    async def _made_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        """Bounds the whole call. aiohttp leaves out the name lookup, which takes as long as the resolver needs.

        Its own timeout counts the time in which the event loop was blocked.
        """
        self._making += 1
        try:
            async with AwakeTimeout(timeout.sock_connect):
                return await super()._create_connection(req, traces, _UNLIMITED)
        finally:
            self._making -= 1

    async def _has_room(self, key: ConnectionKey) -> bool:
        """Waits until there may be a connection, or a file for one. Returns False if there is nothing to wait for.

        Connections that nobody uses are closed for it, unless one of them leads to the same origin.
        """
        if self._conns.get(key):
            return True
        unused = [made for made in self._made if made not in self._acquired and (made.is_idle or made.is_closing)]
        if unused:
            await self._abort(unused)
            return True
        if not self._making and not self._in_use():
            return False
        turn: asyncio.Future[None] = self._loop.create_future()
        self._short_of_files.append(turn)
        try:
            with waiting_in_line("max_connections"):
                await self._patiently(turn)
        except BaseException:
            if turn in self._short_of_files:
                self._short_of_files.remove(turn)
            else:
                self._wake_short_of_files()
            raise
        return True

    def _in_use(self) -> int:
        """The number of connections that requests have. aiohttp counts those that are still to be made as well."""
        return sum(isinstance(acquired, Handler) for acquired in self._acquired)

    def _wake_short_of_files(self) -> None:
        while self._short_of_files:
            turn = self._short_of_files.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def _start_tls_connection(self, underlying_transport: asyncio.Transport, *args: Any, **kwargs: Any) -> Any:
        """Forgets the plain connection to a proxy when TLS starts through it: its end is never reported."""
        plain = underlying_transport.get_protocol()
        assert isinstance(plain, Handler)
        self._made.discard(plain)
        return await super()._start_tls_connection(underlying_transport, *args, **kwargs)

    async def _wait_for_available_connection(self, key: Any, traces: Any) -> None:
        """Passes the turn on when it is given up: aiohttp would forget the waiters after one that was just woken."""
        try:
            with waiting_in_line("max_connections"):
                await self._wait_for_turn(key, traces)
        except BaseException:
            self._release_waiter()
            raise

    async def _wait_for_turn(self, key: Any, traces: Any) -> None:
        await self._patiently(super()._wait_for_available_connection(key, traces))

    async def _patiently(self, wait: Awaitable[None]) -> None:
        """Waits for another request, at most as long as some connection is active.

        Raises:
            NoConnectionFree: all were inactive for too long.
        """
        if self._patience is None:
            await wait
            return
        try:
            async with asyncio.timeout(None) as scope:
                watch = _Watch(self, self._patience, scope)
                try:
                    await wait
                finally:
                    watch.stop()
        except TimeoutError:
            raise NoConnectionFree(self._in_use(), self.limit or None) from None


class _Watch:
    """Ends a timeout scope once all connections were inactive for some time.

    Arguments:
        connector: records the activity.
        patience: the time in seconds.
        scope: the scope.
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
