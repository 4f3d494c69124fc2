"""The connections of each event loop.

Theory of operation. `Pools` belongs to one event loop. It has at most one current `Pool`, which serves new requests,
and any number of retired ones. `AiohttpTransport.close()` retires the current pool: its idle connections are closed at
once, and it closes itself when the last request in flight has ended (`_settle`, called at the end of each request and
of each body). The next request makes a new pool. When the loop shuts down, `Pools.close` closes all of them, in-flight
requests included; their readers get an error.

A request whose kept connection turns out to be dead is sent once more, on another connection, if it is a GET or HEAD:
the server closed the connection while it was idle (RFC 9112, 9.3.1). The other connections to that origin are cut off,
since they were idle just as long. A missing response counts as a sign of a dead connection too when the caller gives up
after `_SILENCE` seconds or more.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import lru_cache, partial
from typing import Final, NamedTuple

import aiohttp

from entrepot.raw.http.endpoint import Endpoint
from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.raw.http.wire.request_head import head_of
from entrepot.raw.http.wire.response_head import ResponseHead

from .body import AiohttpBody
from .connection import Connector
from .exchange import Exchange, KeptConnectionLost
from .origin import Origin
from .tls import Tls

_REPEATABLE: Final = frozenset({"GET", "HEAD"})
_SILENCE: Final = 1.0
"""Seconds without a response after which a kept connection counts as dead when its request is cancelled. Callers with
their own timeout cancel late. Callers that hedge requests cancel much earlier, and would lose good connections."""

_ORIGINS: Final = 256
"""How many origins are cached."""


class Pools:
    """The pools of one event loop: the current one, and the retired ones that have requests in flight.

    Arguments:
        make: makes a pool.
    """

    def __init__(self, make: "Callable[[], Pool]") -> None:
        self._make = make
        self._current: Pool | None = None
        self._retired: list[Pool] = []

    def current(self) -> "Pool":
        """The pool for new requests."""
        if self._current is None:
            self._current = self._make()
        return self._current

    async def retire(self) -> None:
        """Retires the current pool: it serves its requests in flight only. The next request makes a new one."""
        self._retired = [pool for pool in self._retired if not pool.is_closed]
        pool, self._current = self._current, None
        if pool is not None:
            self._retired.append(pool)
            await pool.retire()

    async def close(self) -> None:
        """Closes every connection, and waits until they are closed.

        All are closed also if this is cancelled, as it may be while the loop shuts down.
        """
        pools, self._retired = [*self._retired, self._current], []
        self._current = None
        async with AsyncExitStack() as stack:
            for pool in pools:
                if pool is not None:
                    stack.push_async_callback(pool.close)


class Limits(NamedTuple):
    """The limits of the connections of one event loop.

    Arguments:
        in_use: the most connections in use at a time; 0 is without limit.
        idle: the most unused connections that are kept for one origin; None is without limit.
        idle_seconds: for how many seconds an unused connection is kept.
        patience: for how many seconds a request waits for its turn while all connections are inactive.
    """

    in_use: int
    idle: int | None
    idle_seconds: float
    patience: float | None


class Pool:
    """The connections of one event loop.

    Arguments:
        tls: the TLS configuration, which is ready.
        timeout: the connect and idle timeouts.
        limits: how many connections there may be, and for how long.
        user_agent: the User-Agent header of requests that have none.
    """

    def __init__(self, tls: Tls, timeout: aiohttp.ClientTimeout, limits: Limits, user_agent: str) -> None:
        self._timeout = timeout
        self._connector = Connector(
            ssl=tls.context or True,
            limit=limits.in_use,
            patience=limits.patience,
            max_idle=limits.idle,
            idle_seconds=limits.idle_seconds,
        )
        self._origin = lru_cache(maxsize=_ORIGINS)(partial(Origin, user_agent=user_agent))
        self._sending = 0
        self._is_retired = False

    @property
    def is_closed(self) -> bool:
        """Whether all connections are closed, and no more can be made."""
        return self._connector.closed

    async def send(self, request: HttpRequest, origin: str, target: str, proxy: Endpoint | None) -> HttpResponse:
        """Sends a request and waits for the head of the response. Raises errors of aiohttp and ours.

        Arguments:
            request: the request.
            origin: scheme, host and port of its URL.
            target: the rest of the URL.
            proxy: the proxy to use, if any.
        """
        self._sending += 1
        try:
            return await self._response(request, self._origin(origin, proxy), target)
        finally:
            self._sending -= 1
            await self._settle()

    async def _response(self, request: HttpRequest, origin: Origin, target: str) -> HttpResponse:
        head = head_of(request, origin.target(target), origin.headers)
        try:
            exchange, received = await self._exchange(request, origin, head)
        except KeptConnectionLost:
            if request.method not in _REPEATABLE:
                raise
            exchange, received = await self._exchange(request, origin, head)
        self._connector.note_use()
        body = AiohttpBody(
            exchange,
            ends_with_connection=received.ends_with_connection,
            note_use=self._connector.note_use,
            settle=self._settle,
        )
        return HttpResponse(received.status, received.headers, body, request.url)

    async def _exchange(self, request: HttpRequest, origin: Origin, head: bytes) -> tuple[Exchange, ResponseHead]:
        timeout = self._timeout_of(request)
        handler = None if self._connector.is_awaited else self._connector.kept(origin.key)
        if handler is None:  # not `or`: an idle handler is falsy, since it is also a queue of responses
            handler = await self._connector.open(origin.destination, timeout)
        exchange, start = Exchange(self._connector, origin.key, handler), self._connector.now()
        try:
            handler.expect(has_content=request.method != "HEAD", idle_timeout=timeout.sock_read)
            return exchange, await exchange.send(head, request.pieces)
        except BaseException as error:
            exchange.close()
            if handler.has_responded and handler.status is None and not self._is_early(error, start):
                self._connector.drop_kept(origin.key)
            raise

    def _is_early(self, error: BaseException, start: float) -> bool:
        """Whether a request was cancelled so soon that the missing response says nothing about the connection."""
        return isinstance(error, asyncio.CancelledError) and self._connector.now() - start < _SILENCE

    def _timeout_of(self, request: HttpRequest) -> aiohttp.ClientTimeout:
        connect, idle = request.connect_timeout, request.idle_timeout
        if connect is None and idle is None:
            return self._timeout
        return aiohttp.ClientTimeout(
            total=None,
            sock_connect=self._timeout.sock_connect if connect is None else connect,
            sock_read=self._timeout.sock_read if idle is None else idle,
        )

    async def retire(self) -> None:
        """Closes idle connections, and the others as soon as no request is in flight."""
        self._is_retired = True
        await self._settle()
        await self._connector.close_idle()

    async def _settle(self) -> None:
        if self._is_retired and not self._sending and not self._connector.is_in_use:
            await self.close()

    async def close(self) -> None:
        """Closes every connection, and waits until they are closed."""
        self._connector.break_off()
        await self._connector.close()
        await self._connector.wait_closed()
