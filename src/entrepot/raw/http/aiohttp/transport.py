"""The transport itself, and its arguments."""

import asyncio
import os
import ssl
from functools import lru_cache, partial
from typing import Any, Final

import aiohttp

from entrepot.errors import InvalidInput, Unexpected
from entrepot.raw.http.endpoint import Endpoint
from entrepot.raw.http.transport import HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.http.wire.proxies import find_proxy
from entrepot.raw.http.wire.target import split_url
from entrepot.raw.runtime.loop_local import LoopLocal
from entrepot.raw.runtime.running import require_task
from entrepot.types.numbers import as_seconds
from entrepot.types.shown import shown

from .errors import FOREIGN_ERRORS, is_cancelled, translated
from .origin import parse_origin
from .pool import Pool, Pools

_ORIGINS: Final = 256
"""The number of origins whose proxy is remembered."""


class AiohttpTransport(HttpTransport):
    """Sends requests with aiohttp, with one pool of connections for each event loop.

    A pool is made on first use, closes by itself when its loop shuts down, and is not shared with a forked child. A GET
    or HEAD is sent once more, immediately, if the server turns out to have closed the kept connection (RFC 9112,
    9.3.1); other requests are never repeated. Content is sent piece by piece, as fast as the server accepts it. If the
    server refuses it before it has all of it, the rest is not sent, and the connection is not used again. Proxies come
    from the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`; see `raw/http/wire/proxies.py`), looked
    up once for each origin. A variable that does not name an HTTP proxy is `ConfigInvalid`.

    The caller that makes a transport closes it, or leaves that to the end of the loop: an operator closes only the
    transport that its context made. A layer that needs other timeouts therefore sets those of `HttpRequest` on the
    requests that pass, and does not replace the transport of the context by one that `op.close()` does not know.

    Arguments:
        connect_timeout: seconds until a connection is established, name lookup and TLS included; None is without
            limit. By default 10.
        idle_timeout: seconds in which the server sends no byte of an awaited response, or accepts no byte of the
            content that is sent (then up to twice as many); None is without limit. By default 60. The head of a
            response must be complete within it, informational responses (1xx) before it included. Of the content,
            each byte counts, but not the lines of the chunked coding.
        max_connections: the most connections of one event loop in use at a time, connections of unclosed bodies
            included; None is without limit. By default 256. Further requests wait for their turn. Connections that
            are kept for later requests do not count.
        pool_timeout: seconds that a request waits for its turn while all connections are inactive: no
            response arrives, no content is read, no connection is given back. As long as there is activity, every
            waiting request gets its turn. None is without limit. By default 120.
        ca_file: a file of certificates (PEM) to trust instead of the system's.
        ssl_context: the TLS configuration, instead of `ca_file`.

    Raises:
        InvalidInput: an argument is not valid, or two exclude each other.
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
        self._proxies = lru_cache(maxsize=_ORIGINS)(_find_proxy)

    async def send(self, request: HttpRequest) -> HttpResponse:
        require_task()
        origin, target = split_url(request.url)
        proxy = None if request.is_direct else self._proxy(origin)
        pools = await self._pools.get()
        try:
            return await pools.current().send(request, origin, target, proxy)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise Unexpected("the connections were closed during the request", is_temporary=True) from None
        except FOREIGN_ERRORS as error:
            raise translated(error) from None

    async def close(self) -> None:
        """Closes the idle connections of the running loop, and each of the others as soon as its request is done."""
        await (await self._pools.get()).retire()

    def _proxy(self, origin: str) -> Endpoint | None:
        scheme, separator, place = origin.partition("://")
        return self._proxies(f"{scheme}{separator}{place.rpartition('@')[2]}")  # passwords are not kept

    def __repr__(self) -> str:
        return f"AiohttpTransport({', '.join(f'{k}={v!r}' for k, v in self._arguments.items() if v is not None)})"

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.__init__(**arguments)  # type: ignore[misc]


def _find_proxy(origin: str) -> Endpoint | None:
    url = parse_origin(origin)
    return find_proxy(url.scheme, url.raw_host or "", url.port, os.environ)


def _checked_seconds(name: str, value: Any) -> float | None:
    return None if value is None else float(as_seconds(name, value, above=0))


def _checked_connections(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise InvalidInput(f"max_connections must be an integer above 0, or None, not {shown(value)}")
    return value


def _tls(ca_file: str | None, context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    if ca_file is None:
        return context
    if context is not None:
        raise InvalidInput("ca_file and ssl_context exclude each other: set one of them")
    if not isinstance(ca_file, str | os.PathLike):
        raise InvalidInput(f"ca_file must be the path of a file, not {shown(ca_file)}")
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InvalidInput(f"the certificates of ca_file cannot be read: {error.strerror or error}") from error
    except ValueError:
        made = None
    if made is None:  # raised here, since the other error holds the whole text
        raise InvalidInput("the path of ca_file holds a null byte or another character that no path can have")
    made.set_alpn_protocols(["http/1.1"])
    return made
