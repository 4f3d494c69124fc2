"""The transport over aiohttp. The only module that knows the library.

What aiohttp does on its own is off: redirects, cookies, decoding, default headers, proxies from the
environment on each request, and repeating whatever a reset hit. What is sent is what was asked for.
"""

import asyncio
import ssl
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

    Arguments:
        connect_timeout: seconds until a connection stands, TLS included; None waits for ever. By default 10.
        idle_timeout: seconds without a byte from the server while one is awaited; None waits for ever.
            By default 60.
        max_connections: connections of one event loop at a time, those of bodies that are not yet
            closed included; None is no limit. By default 256. Requests beyond them wait their turn.
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
        ca_file: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._arguments: dict[str, Any] = {
            "connect_timeout": _checked_seconds("connect_timeout", connect_timeout),
            "idle_timeout": _checked_seconds("idle_timeout", idle_timeout),
            "max_connections": _checked_connections(max_connections),
            "ca_file": ca_file,
            "ssl_context": ssl_context,
        }
        tls = _tls(ca_file, ssl_context)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=idle_timeout)
        self._pools = LoopLocal(partial(_Pool, tls, timeout, max_connections or 0), _Pool.close)
        self._proxies: dict[tuple[str, str | None, int | None], URL | None] = {}

    async def send(self, request: HttpRequest) -> HttpResponse:
        pool = await self._pool()
        url = URL(request.url, encoded=True)
        try:
            response = await pool.send(request, url, self._proxy(url))
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise Unexpected("the connections were closed meanwhile", is_temporary=True) from None
        except FOREIGN_ERRORS as error:
            raise translated(error) from None
        return response

    async def close(self) -> None:
        try:
            await self._pools.close()
        except RuntimeError as error:
            raise _no_loop() from error

    async def _pool(self) -> "_Pool":
        try:
            return await self._pools.get()
        except RuntimeError as error:
            raise _no_loop() from error

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


def _no_loop() -> Error:
    return Unsupported("HTTP needs a running asyncio event loop (asyncio, uvloop, or anyio on asyncio)")


class _Pool:
    """The connections of one event loop.

    Arguments:
        tls: how to speak TLS; None is the default way.
        timeout: how long to wait for what.
        limit: how many connections at a time; 0 is no limit.
    """

    def __init__(self, tls: ssl.SSLContext | None, timeout: aiohttp.ClientTimeout, limit: int) -> None:
        self._connector = _Connector(ssl=tls or True, limit=limit)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=timeout,
            auto_decompress=False,
            read_bufsize=BUFFER,
            request_class=_Request,
            response_class=_Response,
        )
        self._session._retry_connection = False  # noqa: SLF001  (there is no public way to say so)
        self._open: WeakSet[_Response] = WeakSet()

    async def send(self, request: HttpRequest, url: URL, proxy: URL | None) -> HttpResponse:
        """Sends a request and waits for the head of the reply. Raises what aiohttp raises, and ours."""
        try:
            response = await self._request(request, url, proxy)
        except _KeptConnectionLost:
            if request.method not in _REPEATABLE:
                raise
            response = await self._request(request, url, proxy)
        self._open.add(response)
        headers = HttpHeaders(response.headers.items())
        body = _AiohttpBody(response, self._open, headers.get("content-length"))
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
        )
        assert isinstance(response, _Response)
        return response

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
    """

    def __init__(self, *, ssl: ssl.SSLContext | bool, limit: int) -> None:
        super().__init__(ssl=ssl, limit=limit)
        self._made: _Transports = WeakKeyDictionary()
        self._factory: partial[_Handler] = partial(_Handler, self._loop, self._made)  # type: ignore[assignment]

    async def wait_closed(self) -> None:
        made = list(self._made.items())
        closing = [handler.closed for handler, _ in made if handler.closed is not None]
        for _, transport in made:
            transport.abort()
        await asyncio.gather(*closing, return_exceptions=True)


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
    """

    has_answered = False
    was_reset = False
    _is_idle = False

    def __init__(self, loop: asyncio.AbstractEventLoop, made: "_Transports") -> None:
        super().__init__(loop)
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._made[self] = cast("asyncio.Transport", transport)

    def set_response_params(self, **kwargs: Any) -> None:
        self._is_idle = False
        super().set_response_params(**kwargs)

    def rest(self) -> None:
        """Notes that a reply has ended and that nothing was asked since."""
        self._is_idle = True

    def data_received(self, data: bytes) -> None:
        """Ends a connection on which something comes unasked: it would be taken for the next reply."""
        if self._is_idle and data:
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
    __slots__ = ("_ends_with_connection", "_is_read", "_open", "_response")

    def __init__(self, response: _Response, open_responses: "WeakSet[_Response]", length: str | None) -> None:
        self._response = response
        self._open = open_responses
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
        self._open.discard(self._response)


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
