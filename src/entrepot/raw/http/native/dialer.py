"""How a connection is made: names, sockets, proxies and TLS."""

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar

from entrepot.raw.http import failures
from entrepot.raw.http.endpoint import DEFAULT_PORTS, Endpoint
from entrepot.raw.http.failures import Failure, reason_of
from entrepot.raw.http.origin import Origin
from entrepot.raw.http.tls import Tls

from .connection import Connection
from .names import Names
from .sockets import connected_socket
from .tunnel import Tunnel

P = TypeVar("P", bound=asyncio.BaseProtocol)


class Dialer:
    """Makes the connections of one event loop.

    Arguments:
        loop: the event loop.
        tls: the TLS configuration.
    """

    __slots__ = ("_loop", "_names", "_tls")

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: Tls) -> None:
        self._loop = loop
        self._names = Names(loop)
        self._tls = tls

    async def connect(self, origin: Origin, make: Callable[[], Connection], timeout: float | None) -> Connection:  # noqa: ASYNC109
        """Makes a connection to an origin, through its proxy if it has one.

        Arguments:
            origin: the origin.
            make: makes the protocol of the connection.
            timeout: seconds until the connection is established, name lookup and TLS included; None is without limit.

        Raises:
            Timeout: no connection in time.
            Unexpected: no connection, or no TLS on it.
            PermissionDenied: the proxy refuses it.
            InvalidInput: the name cannot be a host name.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(origin, make)
        except TimeoutError:
            raise failures.CONNECT_TIMEOUT.error() from None
        except UnicodeError:  # of a name that cannot be encoded for a resolver
            raise failures.HOST_UNUSABLE.error() from None

    async def _connect(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        address, proxy = origin.address, origin.proxy
        if proxy is None:
            return await self._open(
                make, address.host, address.port, is_tls=origin.is_tls, refused=failures.NO_CONNECTION
            )
        if not origin.is_tls:
            return await self._open_proxy(make, proxy)
        tunnel = await self._open_proxy(Tunnel, proxy)
        try:
            await tunnel.connect(origin)
            return await self._start_tls(tunnel.transport, make(), address.host)
        except BaseException:
            tunnel.transport.abort()
            raise

    async def _open_proxy(self, make: Callable[[], P], proxy: Endpoint) -> P:
        port = proxy.port or DEFAULT_PORTS[proxy.scheme]
        return await self._open(
            make, proxy.host, port, is_tls=proxy.scheme == "https", refused=failures.NO_PROXY_CONNECTION
        )

    async def _open(self, make: Callable[[], P], host: str, port: int, *, is_tls: bool, refused: Failure) -> P:
        """A connection to a server, with the protocol that `make` makes."""
        context = await self._context() if is_tls else None
        try:
            addresses = await self._names.addresses(host, port)
        except OSError as error:
            failure = failures.NAME_UNKNOWN if refused is failures.NO_CONNECTION else refused
            raise failure.error(reason_of(error)) from None
        try:
            connected = await connected_socket(self._loop, addresses)
            _, protocol = await self._loop.create_connection(
                make, sock=connected, ssl=context, server_hostname=host.rstrip(".") if context is not None else None
            )
        except OSError as error:
            raise _failure(error, refused).error(reason_of(error)) from None
        return protocol

    async def _start_tls(self, transport: asyncio.Transport, connection: Connection, host: str) -> Connection:
        """TLS with the server through a tunnel."""
        context = await self._context()
        try:
            secured = await self._loop.start_tls(transport, connection, context, server_hostname=host.rstrip("."))
        except OSError as error:
            raise _failure(error, failures.NO_CONNECTION).error(reason_of(error)) from None
        if secured is None:  # the loop says so if the transport was closed in between
            raise failures.NO_CONNECTION.error()
        connection.connection_made(secured)
        return connection

    async def _context(self) -> ssl.SSLContext:
        if self._tls.context is None:
            await self._tls.prepare()
        assert self._tls.context is not None
        return self._tls.context


def _failure(error: OSError, refused: Failure) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return failures.UNTRUSTED
    return failures.TLS_FAILED if isinstance(error, ssl.SSLError) else refused
