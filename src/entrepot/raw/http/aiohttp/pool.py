"""The pools of connections: one in use for each event loop, and those that were closed with requests in flight."""

import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final
from weakref import WeakSet

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from entrepot.errors import Unexpected
from entrepot.raw.http.transport import HttpHeaders, HttpRequest, HttpResponse

from .body import BUFFER, AiohttpBody
from .connection import Connector, KeptConnectionLost, Response
from .request import Request, Upload

_HEADERS: Final = (("Accept-Encoding", "identity"), ("User-Agent", "entrepot"))
_REPEATABLE: Final = frozenset({"GET", "HEAD"})


class Pools:
    """The pools of one event loop: the one in use, and those that were closed with requests in flight.

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
        """Lets the pool in use serve what is in flight and nothing else. The next request has a new one."""
        self._retired = [one for one in self._retired if not one.is_closed]
        pool, self._current = self._current, None
        if pool is not None:
            self._retired.append(pool)
            await pool.retire()

    async def close(self) -> None:
        """Closes every connection, and waits until they are.

        All are closed also when this is cancelled, as it may be while the loop shuts down.
        """
        pools, self._retired = [*self._retired, self._current], []
        self._current = None
        async with AsyncExitStack() as stack:
            for pool in pools:
                if pool is not None:
                    stack.push_async_callback(pool.close)


class Pool:
    """The connections of one event loop.

    Arguments:
        tls: how to speak TLS; None is the default way.
        timeout: how long to wait for what.
        limit: how many connections at a time; 0 is no limit.
        patience: how many seconds to wait for a connection while nothing is done with those that are open.
    """

    def __init__(
        self, tls: ssl.SSLContext | None, timeout: aiohttp.ClientTimeout, limit: int, patience: float | None
    ) -> None:
        self._timeout = timeout
        self._connector = Connector(ssl=tls or True, limit=limit, patience=patience)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            skip_auto_headers=("Content-Type",),
            auto_decompress=False,
            read_bufsize=BUFFER,
            request_class=Request,
            response_class=Response,
        )
        self._session._retry_connection = False  # noqa: SLF001  (there is no public way to say so)
        self._sending = 0
        self._open: WeakSet[Response] = WeakSet()
        self._is_retired = False

    @property
    def is_closed(self) -> bool:
        """Whether every connection is closed, and none can be made."""
        return self._session.closed

    async def send(self, request: HttpRequest, url: URL, proxy: URL | None) -> HttpResponse:
        """Sends a request and waits for the head of the reply. Raises what aiohttp raises, and ours."""
        self._sending += 1
        try:
            return await self._reply(request, url, proxy)
        finally:
            self._sending -= 1
            await self._settle()

    async def _reply(self, request: HttpRequest, url: URL, proxy: URL | None) -> HttpResponse:
        try:
            response = await self._request(request, url, proxy)
        except KeptConnectionLost:
            if request.method not in _REPEATABLE:
                raise
            response = await self._request(request, url, proxy)
        self._open.add(response)
        self.note_use()
        headers = HttpHeaders(response.headers.items())
        has_length = "content-length" in headers
        body = AiohttpBody(response, has_length=has_length, note_use=self.note_use, release=self.release)
        if headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":
            await body.close()
            raise Unexpected("the content comes in a transfer coding that was not asked for")
        return HttpResponse(response.status, headers, body, request.url)

    async def _request(self, request: HttpRequest, url: URL, proxy: URL | None) -> "Response":
        response = await self._session.request(
            request.method,
            url,
            headers=CIMultiDict(request.headers),
            data=None if request.body is None else Upload(request.body),
            allow_redirects=False,
            proxy=proxy,
            timeout=self._timeout_of(request),
        )
        assert isinstance(response, Response)
        return response

    def _timeout_of(self, request: HttpRequest) -> aiohttp.ClientTimeout:
        connect, idle = request.connect_timeout, request.idle_timeout
        if connect is None and idle is None:
            return self._timeout
        return aiohttp.ClientTimeout(
            total=None,
            sock_connect=self._timeout.sock_connect if connect is None else connect,
            sock_read=self._timeout.sock_read if idle is None else idle,
        )

    def note_use(self) -> None:
        """Notes that something is done with a connection, so that whoever waits for one goes on waiting."""
        self._connector.used_at = self._connector.now()

    async def release(self, response: "Response") -> None:
        """Takes note that a response is closed."""
        self._open.discard(response)
        self.note_use()
        await self._settle()

    async def retire(self) -> None:
        """Closes idle connections, and all that is left as soon as nothing is in flight."""
        self._is_retired = True
        await self._settle()
        await self._connector.close_idle()

    async def _settle(self) -> None:
        if self._is_retired and not self._sending and not self._open:
            await self.close()

    async def close(self) -> None:
        """Closes every connection, and waits until they are."""
        for response in list(self._open):
            response.close()
        await self._session.close()
        await self._connector.wait_closed()
