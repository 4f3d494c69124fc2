"""The transport over aiohttp. The only module that knows the library.

What aiohttp does on its own is off: redirects, cookies, decoding, default headers, proxies from the
environment on each request, and repeating whatever a reset hit. What is sent is what was asked for.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, NamedTuple, cast
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary, WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from entrepot.errors import ConfigInvalid, ContentIncomplete, Error, InvalidInput, Timeout, Unexpected, Unsupported
from entrepot.raw.runtime.loop_local import LoopLocal

from .transport import HttpBody, HttpHeaders, HttpRequest, HttpResponse, HttpTransport

BUFFER: Final = 256 * 1024
"""How many bytes of content may wait to be read before the server is held back (twice that at most)."""

_HEADERS: Final = (("Accept-Encoding", "identity"), ("User-Agent", "entrepot"))
_REPEATABLE: Final = frozenset({"GET", "HEAD"})


class AiohttpTransport(HttpTransport):
    """Sends requests by aiohttp, with one pool of connections for each event loop.

    A pool is made on first use, closes by itself when its loop shuts down, and is not shared with a
    forked child. A GET or HEAD is sent once more, at once, when a connection that was kept open turns
    out to have been closed by the server meanwhile (RFC 9112, 9.3.1); nothing else is ever repeated.
    Proxies come from the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), looked up once for
    each origin.

    Whoever makes one closes it, or leaves that to the end of the loop: an operator closes only the one
    that its context made. So a layer that wants other timeouts sets those of `HttpRequest` on what
    passes, rather than replace the transport of the context by one that `op.close()` does not know.

    Arguments:
        connect_timeout: seconds until a connection stands, looking up the name and TLS included; None
            waits for ever. By default 10.
        idle_timeout: seconds without a byte from the server while one is awaited; None waits for ever.
            By default 60.
        max_connections: connections of one event loop at a time, those of bodies that are not yet
            closed included; None is no limit. By default 256. Requests beyond them wait their turn.
        pool_timeout: seconds that a request waits its turn while nothing is done with any of the
            connections: no reply comes, nothing is read, none is given back. However many requests
            wait, each has its turn as long as there is something done. None waits for ever. By default 120.
        ca_file: a file of certificates (PEM) to trust instead of those of the system.
        ssl_context: how to speak TLS, instead of `ca_file`.

    Raises:
        InvalidInput: an argument cannot work.
    """

    def __init__(
        self,
        *,
        connect_timeout: float | None = 10.0,
        idle_timeout: float | None = 60.0,
        max_connections: int | None = 256,
        pool_timeout: float | None = 120.0,
        ca_file: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._arguments: dict[str, Any] = {
            "connect_timeout": _checked_seconds("connect_timeout", connect_timeout),
            "idle_timeout": _checked_seconds("idle_timeout", idle_timeout),
            "max_connections": _checked_connections(max_connections),
            "pool_timeout": _checked_seconds("pool_timeout", pool_timeout),
            "ca_file": ca_file,
            "ssl_context": ssl_context,
        }
        tls = _tls(ca_file, ssl_context)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=idle_timeout)
        make = partial(_Pool, tls, timeout, max_connections or 0, pool_timeout)
        self._pools = LoopLocal(partial(_Pools, make), _Pools.close)
        self._proxies: dict[tuple[str, str | None, int | None], URL | None] = {}

    async def send(self, request: HttpRequest) -> HttpResponse:
        _require_loop()
        url = URL(request.url, encoded=True)
        proxy = self._proxy(url)
        pools = await self._pools.get()
        try:
            response = await pools.current().send(request, url, proxy)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise Unexpected("the connections were closed meanwhile", is_temporary=True) from None
        except FOREIGN_ERRORS as error:
            raise translated(error) from None
        return response

    async def close(self) -> None:
        """Closes the idle connections of the running loop, and each other one as soon as its request is done."""
        _require_loop()
        await (await self._pools.get()).retire()

    def _proxy(self, url: URL) -> URL | None:
        origin = (url.scheme, url.raw_host, url.explicit_port)
        if origin not in self._proxies:
            self._proxies[origin] = find_proxy(url.scheme, url.raw_host or "")
        return self._proxies[origin]

    def __repr__(self) -> str:
        return f"AiohttpTransport({', '.join(f'{k}={v!r}' for k, v in self._arguments.items() if v is not None)})"

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.__init__(**arguments)  # type: ignore[misc]


def find_proxy(scheme: str, host: str) -> URL | None:
    """The proxy that the environment names for a host, if any.

    Raises:
        ConfigInvalid: it is not an HTTP proxy.
    """
    named = getproxies().get(scheme)
    if not named or proxy_bypass(host):
        return None
    proxy = URL(named if "://" in named else f"http://{named}")
    if proxy.scheme not in ("http", "https") or not proxy.raw_host:
        raise ConfigInvalid(f"the proxy that the environment names for {scheme} is no HTTP proxy")
    return proxy


def _checked_seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InvalidInput(f"{name} is a number of seconds above 0, or None, not {value!r}")
    return float(value)


def _checked_connections(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise InvalidInput(f"max_connections is an integer above 0, or None, not {value!r}")
    return value


def _tls(ca_file: str | None, context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    if ca_file is None:
        return context
    if context is not None:
        raise InvalidInput("ca_file and ssl_context exclude each other")
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InvalidInput(f"the certificates of ca_file cannot be read: {error.strerror or error}") from error
    made.set_alpn_protocols(["http/1.1"])
    return made


def _is_cancelled() -> bool:
    """Whether it is the running task that was cancelled, not something that it waits for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _require_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError as error:
        raise Unsupported("HTTP needs a running asyncio event loop (asyncio, uvloop, or anyio on asyncio)") from error


class _Pools:
    """The pools of one event loop: the one in use, and those that were closed with requests in flight.

    Arguments:
        make: makes a pool.
    """

    def __init__(self, make: "Callable[[], _Pool]") -> None:
        self._make = make
        self._current: _Pool | None = None
        self._retired: list[_Pool] = []

    def current(self) -> "_Pool":
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


class _Pool:
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
        self._connector = _Connector(ssl=tls or True, limit=limit, patience=patience)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
            read_bufsize=BUFFER,
            request_class=_Request,
            response_class=_Response,
        )
        self._session._retry_connection = False  # noqa: SLF001  (there is no public way to say so)
        self._sending = 0
        self._open: WeakSet[_Response] = WeakSet()
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
        except _KeptConnectionLost:
            if request.method not in _REPEATABLE:
                raise
            response = await self._request(request, url, proxy)
        self._open.add(response)
        self.note_use()
        headers = HttpHeaders(response.headers.items())
        body = _AiohttpBody(response, self, headers.get("content-length"))
        if headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":
            await body.close()
            raise Unexpected("the content comes in a transfer coding that was not asked for")
        return HttpResponse(response.status, headers, body, request.url)

    async def _request(self, request: HttpRequest, url: URL, proxy: URL | None) -> "_Response":
        response = await self._session.request(
            request.method,
            url,
            headers=CIMultiDict(request.headers),
            data=request.body,
            skip_auto_headers=None if request.body is None else ("Content-Type",),
            allow_redirects=False,
            proxy=proxy,
            timeout=self._timeout_of(request),
        )
        assert isinstance(response, _Response)
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

    async def release(self, response: "_Response") -> None:
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


class _Connector(aiohttp.TCPConnector):
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
        self._made: _Transports = WeakKeyDictionary()
        self._factory: partial[_Handler] = partial(_Handler, self._loop, self._made)  # type: ignore[assignment]

    def now(self) -> float:
        """The time on the clock of the loop."""
        return self._loop.time()

    async def close_idle(self) -> None:
        """Closes the connections that nothing was asked of since their last reply ended."""
        await self._abort([one for one in self._made if one.is_idle])

    async def wait_closed(self) -> None:
        """Waits until every connection is closed."""
        await self._abort(list(self._made))

    async def _abort(self, handlers: "list[_Handler]") -> None:
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
            raise _NoConnectionFree(self.limit) from None


class _Watch:
    """Ends a scope once nothing was done with any connection for so many seconds.

    Arguments:
        connector: knows when something was.
        patience: how many seconds.
        scope: what is ended.
    """

    def __init__(self, connector: _Connector, patience: float, scope: asyncio.Timeout) -> None:
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


class _NoConnectionFree(aiohttp.ClientConnectionError):
    """No connection was given back for too long."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"all {limit} connections are held by open readers, and none of them is read")


class _Request(aiohttp.ClientRequest):
    """Adds no headers of its own but Host."""

    DEFAULT_HEADERS: dict[Any, Any] = {}  # noqa: RUF012  (aiohttp declares it as an instance attribute)


class _Handler(ResponseHandler):
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

    def __init__(self, loop: asyncio.AbstractEventLoop, made: "_Transports") -> None:
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


_Transports = WeakKeyDictionary[_Handler, asyncio.Transport]


class _KeptConnectionLost(aiohttp.ClientOSError):
    """A connection that had brought a reply before brought none to this request."""


class _Response(aiohttp.ClientResponse):
    """Remembers its connection, and tells a kept one that is lost from a new one."""

    handler: _Handler

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        handler = connection.protocol
        assert isinstance(handler, _Handler)
        self.handler = handler
        try:
            started = await super().start(connection)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise (_KeptConnectionLost(*error.args) if handler.has_answered else error) from None
        handler.has_answered = True
        self.content.on_eof(handler.rest)
        return started


class _AiohttpBody(HttpBody):
    __slots__ = ("_ends_with_connection", "_is_read", "_pool", "_response")

    def __init__(self, response: _Response, pool: _Pool, length: str | None) -> None:
        self._response = response
        self._pool = pool
        self._ends_with_connection = length is None
        self._is_read = False

    async def read(self, n: int) -> bytes:
        if self._is_read or n == 0:
            return b""
        try:
            data = await self._arrived(n)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise ContentIncomplete("the connection was closed while the content was read") from None
        except (*FOREIGN_ERRORS, RuntimeError) as error:
            raise translated_in_content(error) from None
        self._pool.note_use()
        if not data:
            self._finish()
        return data

    async def _arrived(self, n: int) -> bytes:
        """What has arrived, once anything has.

        A large `n` is not passed on: aiohttp would buffer that much.
        """
        content = self._response.content
        return await (content.readany() if n >= 4 * BUFFER else content.read(min(n, BUFFER)))

    def _finish(self) -> None:
        if self._ends_with_connection and self._response.handler.was_reset:
            raise ContentIncomplete("the connection broke, and only its end would have ended the content")
        self._is_read = True

    async def close(self) -> None:
        """Closes without waiting; TLS is cut off, since the peer's good-bye may never come."""
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()
        await self._pool.release(self._response)


class _Meaning(NamedTuple):
    """What a foreign exception means to us."""

    foreign: type[BaseException]
    ours: type[Error]
    message: str
    is_temporary: bool


_MEANINGS: Final = (
    _Meaning(aiohttp.ConnectionTimeoutError, Timeout, "no connection to the server in time", True),
    _Meaning(aiohttp.ServerTimeoutError, Timeout, "the server sent nothing for too long", True),
    _Meaning(aiohttp.ClientConnectorCertificateError, Unexpected, "the server's certificate is not trusted", False),
    _Meaning(aiohttp.ClientSSLError, Unexpected, "TLS with the server failed", False),
    _Meaning(aiohttp.ClientConnectorDNSError, Unexpected, "the server's name cannot be resolved", True),
    _Meaning(aiohttp.ClientProxyConnectionError, Unexpected, "no connection to the proxy", True),
    _Meaning(aiohttp.ClientConnectorError, Unexpected, "no connection to the server", True),
    _Meaning(aiohttp.ServerDisconnectedError, Unexpected, "the server closed the connection without a reply", True),
    _Meaning(aiohttp.ClientPayloadError, ContentIncomplete, "the connection ended before the content did", True),
    _Meaning(aiohttp.ClientConnectionError, Unexpected, "the connection to the server was lost", True),
    _Meaning(aiohttp.ClientHttpProxyError, Unexpected, "the proxy does not let the connection through", True),
    _Meaning(aiohttp.ClientResponseError, Unexpected, "the reply is not valid HTTP", True),
    _Meaning(HttpProcessingError, Unexpected, "the reply is not valid HTTP", True),
    _Meaning(aiohttp.InvalidURL, InvalidInput, "the URL cannot be used", False),
    _Meaning(aiohttp.ClientError, Unexpected, "the request failed", True),
    _Meaning(TimeoutError, Timeout, "the server did not answer in time", True),
    _Meaning(ssl.SSLError, Unexpected, "TLS with the server failed", False),
    _Meaning(OSError, Unexpected, "the connection to the server was lost", True),
)

FOREIGN_ERRORS: Final = (aiohttp.ClientError, HttpProcessingError, OSError)


def translated(error: BaseException) -> Error:
    """Our error for one of aiohttp, asyncio, ssl or the system. It repeats no URL: that may be signed."""
    if isinstance(error, Error):
        return error
    if isinstance(error, _NoConnectionFree):
        return Timeout(str(error))
    meaning = next(one for one in _MEANINGS if isinstance(error, one.foreign))
    return meaning.ours(f"{meaning.message}{_reason(error)}", is_temporary=meaning.is_temporary)


def translated_in_content(error: BaseException) -> Error:
    """The same for an error between the head of a reply and the end of its content."""
    if isinstance(error, TimeoutError):
        return translated(error)
    return ContentIncomplete(f"the connection ended before the content did{_reason(error)}")


def _reason(error: BaseException) -> str:
    """The words of the system, as far as they are its own."""
    cause = getattr(error, "os_error", error)
    words = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    return f" ({words})" if isinstance(words, str) and words else ""
