"""What sends: the transport itself, and its arguments."""

import asyncio
import os
import ssl
from functools import partial
from typing import Any

import aiohttp

from entrepot.errors import InvalidInput, Unexpected
from entrepot.raw.http.endpoint import Endpoint
from entrepot.raw.http.transport import HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.http.wire.proxies import find_proxy
from entrepot.raw.http.wire.target import split_url
from entrepot.raw.runtime.loop_local import LoopLocal
from entrepot.raw.runtime.running import require_task
from entrepot.types.shown import shown

from .errors import FOREIGN_ERRORS, is_cancelled, translated
from .origin import parse_origin
from .pool import Pool, Pools


class AiohttpTransport(HttpTransport):
    """Sends requests by aiohttp, with one pool of connections for each event loop.

    A pool is made on first use, closes by itself when its loop shuts down, and is not shared with a
    forked child. A GET or HEAD is sent once more, at once, when a connection that was kept open turns
    out to have been closed by the server meanwhile (RFC 9112, 9.3.1); nothing else is ever repeated.
    Content is sent piece by piece, as fast as the server takes it; a server that refuses it before it has
    all is sent no more, and the connection is not used again.
    Proxies come from the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`; see
    `raw/http/wire/proxies.py`), looked up once for each origin. A variable that does not name an HTTP proxy is
    `ConfigInvalid`.

    Whoever makes one closes it, or leaves that to the end of the loop: an operator closes only the one
    that its context made. So a layer that wants other timeouts sets those of `HttpRequest` on what
    passes, rather than replace the transport of the context by one that `op.close()` does not know.

    Arguments:
        connect_timeout: seconds until a connection stands, looking up the name and TLS included; None
            waits for ever. By default 10.
        idle_timeout: seconds without a byte from the server while one is awaited, nor one of the content taken by
            it while some is sent (then up to twice as many); None waits for ever. By default 60. The head of a
            response must be complete by then, informational responses (1xx) before it included; of its content,
            each byte counts, but not the lines of the chunked coding.
        max_connections: connections of one event loop that are in use at a time, those of bodies that are not
            yet closed included; None is no limit. By default 256. Requests beyond them wait their turn. Those
            that are kept for later requests do not count.
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
        make = partial(Pool, tls, timeout, max_connections or 0, pool_timeout)
        self._pools = LoopLocal(partial(Pools, make), Pools.close)
        self._proxies: dict[tuple[str, str], Endpoint | None] = {}

    async def send(self, request: HttpRequest) -> HttpResponse:
        require_task()
        origin, target = split_url(request.url)
        proxy = self._proxy(origin)
        pools = await self._pools.get()
        try:
            return await pools.current().send(request, origin, target, proxy)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise Unexpected("the connections were closed meanwhile", is_temporary=True) from None
        except FOREIGN_ERRORS as error:
            raise translated(error) from None

    async def close(self) -> None:
        """Closes the idle connections of the running loop, and each other one as soon as its request is done."""
        await (await self._pools.get()).retire()

    def _proxy(self, origin: str) -> Endpoint | None:
        scheme, _, place = origin.partition("://")
        known = scheme, place.rpartition("@")[2]  # passwords are not kept
        if known not in self._proxies:
            url = parse_origin(origin)
            self._proxies[known] = find_proxy(url.scheme, url.raw_host or "", url.port, os.environ)
        return self._proxies[known]

    def __repr__(self) -> str:
        return f"AiohttpTransport({', '.join(f'{k}={v!r}' for k, v in self._arguments.items() if v is not None)})"

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.__init__(**arguments)  # type: ignore[misc]


def _checked_seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InvalidInput(f"{name} is a number of seconds above 0, or None, not {shown(value)}")
    return float(value)


def _checked_connections(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise InvalidInput(f"max_connections is an integer above 0, or None, not {shown(value)}")
    return value


def _tls(ca_file: str | None, context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    if ca_file is None:
        return context
    if context is not None:
        raise InvalidInput("ca_file and ssl_context exclude each other")
    if not isinstance(ca_file, str | os.PathLike):
        raise InvalidInput(f"ca_file is the path of a file, not {shown(ca_file)}")
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InvalidInput(f"the certificates of ca_file cannot be read: {error.strerror or error}") from error
    except ValueError:
        made = None
    if made is None:  # raised here, for the other error holds the whole text
        raise InvalidInput("the path of ca_file holds what no path can")
    made.set_alpn_protocols(["http/1.1"])
    return made
