"""The connections of each event loop.

Theory of operation. A pool closes itself, once retired (`raw/http/pools.py`), when the last request in flight has ended
(`_settle`, called at the end of each request and of each body).

A request whose kept connection turns out to be dead (`raw/http/dead_connections.py`) is sent once more if it is a GET
or HEAD.
"""

from time import monotonic

import aiohttp

from entrepot.raw.http.configured import Limits, Timeouts
from entrepot.raw.http.dead_connections import REPEATABLE, is_given_up_early
from entrepot.raw.http.origins import Origins
from entrepot.raw.http.tls import Tls
from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.raw.http.wire.response_head import ResponseHead

from .body import AiohttpBody
from .connection import Connector
from .exchange import Exchange, KeptConnectionLost
from .origin import Destination


class Pool:
    """The connections of one event loop.

    Arguments:
        tls: the TLS configuration, which is ready.
        timeouts: the connect and idle timeouts.
        limits: how many connections there may be, and for how long.
        origins: the origins of requests.
    """

    def __init__(self, tls: Tls, timeouts: Timeouts, limits: Limits, origins: Origins[Destination]) -> None:
        self._timeouts = timeouts
        self._usual_timeout = _client_timeout(timeouts)
        self._connector = Connector(
            ssl=tls.context or True,
            limit=limits.in_use or 0,
            patience=limits.patience,
            max_idle=limits.idle,
            idle_seconds=limits.idle_seconds,
        )
        self._origins = origins
        self._sending = 0
        self._is_retired = False

    @property
    def is_closed(self) -> bool:
        """Whether all connections are closed, and no more can be made."""
        return self._connector.closed

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends a request and waits for the head of the response. Raises errors of aiohttp and ours."""
        self._sending += 1
        try:
            return await self._response(request, *self._origins.split(request))
        finally:
            self._sending -= 1
            await self._settle()

    async def _response(self, request: HttpRequest, destination: Destination, target: str) -> HttpResponse:
        head = destination.origin.head.write(request, target)
        try:
            exchange, received = await self._exchange(request, destination, head)
        except KeptConnectionLost:
            if request.method not in REPEATABLE:
                raise
            exchange, received = await self._exchange(request, destination, head)
        self._connector.note_use()
        body = AiohttpBody(
            exchange,
            ends_with_connection=received.ends_with_connection,
            note_use=self._connector.note_use,
            settle=self._settle,
        )
        return HttpResponse(received.status, received.headers, body, request.url)

    async def _exchange(
        self, request: HttpRequest, destination: Destination, head: bytes
    ) -> tuple[Exchange, ResponseHead]:
        timeout, key = self._timeout_of(request), destination.connection_key
        handler = None if self._connector.is_awaited else self._connector.kept(key)
        if handler is None:  # not `or`: an idle handler is falsy, since it is also a queue of responses
            handler = await self._connector.open(destination, timeout)
        exchange, start = Exchange(self._connector, key, handler), monotonic()
        try:
            handler.expect(has_content=request.method != "HEAD", idle_timeout=timeout.sock_read)
            return exchange, await exchange.send(head, request.pieces)
        except BaseException as error:
            exchange.close()
            if handler.has_responded and handler.status is None and not is_given_up_early(error, start):
                self._connector.drop_kept(key)
            raise

    def _timeout_of(self, request: HttpRequest) -> aiohttp.ClientTimeout:
        timeouts = self._timeouts.of_request(request)
        return self._usual_timeout if timeouts is self._timeouts else _client_timeout(timeouts)

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


def _client_timeout(timeouts: Timeouts) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect, sock_read=timeouts.idle)
