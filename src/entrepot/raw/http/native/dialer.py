"""How a connection is made: names, sockets, proxies and TLS.

Theory of operation. A connection is a transport of the event loop, or with TLS a channel of our own (`tls_channel`).
TLS is left to the event loop where a channel is not possible, and through a tunnel, whose connection belongs to the
loop already and may have TLS itself. The protocol of a connection does not care which it has.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from entrepot.errors import ConfigInvalid, Error
from entrepot.raw.http import failures
from entrepot.raw.http.endpoint import DEFAULT_PORTS, Endpoint
from entrepot.raw.http.failures import Failure, reason_of
from entrepot.raw.http.origin import Address, Origin
from entrepot.raw.http.tls import Tls, check_protocol
from entrepot.raw.runtime.awake import AwakeTimeout
from entrepot.raw.runtime.cut_off import cut_off

from .connection import Connection
from .names import Names
from .sockets import connected_socket
from .tls_channel import TlsChannel, is_possible
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
            ConfigInvalid: the server chose another protocol than HTTP/1, which the TLS configuration offers.
        """
        try:
            async with AwakeTimeout(timeout):
                return await self._connect(origin, make)
        except TimeoutError:
            raise failures.CONNECT_TIMEOUT.error() from None
        except UnicodeError:  # of a name that cannot be encoded for a resolver
            raise failures.HOST_UNUSABLE.error() from None

    async def _connect(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        address, proxy = origin.address, origin.proxy
        if proxy is None:
            return await self._open(make, address, is_tls=origin.is_tls, refused=failures.NO_CONNECTION)
        is_tls = proxy.scheme == "https"
        if not origin.is_tls:
            return await self._open(make, proxy, is_tls=is_tls, refused=failures.NO_PROXY_CONNECTION)
        context = await self._context() if is_tls else None
        tunnel = await self._open_by_loop(Tunnel, proxy, context, failures.NO_PROXY_CONNECTION)
        try:
            await tunnel.connect(origin)
            return await self._start_tls(tunnel.transport, make(), address.host)
        except BaseException:
            cut_off(tunnel.transport)
            raise

    async def _open(
        self, make: Callable[[], Connection], server: Address | Endpoint, *, is_tls: bool, refused: Failure
    ) -> Connection:
        """A connection to a server or proxy."""
        context = await self._context() if is_tls else None
        if context is None or not is_possible(self._loop, context):
            return await self._open_by_loop(make, server, context, refused)
        connected = await self._connected(server, refused)
        try:
            channel = TlsChannel(self._loop, connected, context, _name(server))
            await channel.shake_hands()
        except OSError as error:
            raise _failed(error, refused) from None
        finally:
            connected.close()  # unless it belongs to the channel
        connection = make()
        channel.start(connection)
        return connection

    async def _open_by_loop(
        self, make: Callable[[], P], server: Address | Endpoint, context: ssl.SSLContext | None, refused: Failure
    ) -> P:
        """The same by a transport of the event loop."""
        connected = await self._connected(server, refused)
        try:
            transport, protocol = await self._loop.create_connection(
                make, sock=connected, ssl=context, server_hostname=None if context is None else _name(server)
            )
        except OSError as error:
            raise _failed(error, refused) from None
        if context is not None:
            _check_protocol(transport)
        return protocol

    async def _connected(self, server: Address | Endpoint, refused: Failure) -> socket.socket:
        port = server.port or DEFAULT_PORTS[server.scheme]
        try:
            addresses = await self._names.addresses(server.host, port)
        except OSError as error:
            failure = failures.NAME_UNKNOWN if refused is failures.NO_CONNECTION else refused
            raise failures.of_system(error, failure) from None
        try:
            return await connected_socket(self._loop, addresses)
        except OSError as error:
            raise _failed(error, refused) from None

    async def _start_tls(self, transport: asyncio.Transport, connection: Connection, host: str) -> Connection:
        """TLS with the server through a tunnel."""
        context = await self._context()
        try:
            secured = await self._loop.start_tls(transport, connection, context, server_hostname=host.rstrip("."))
        except OSError as error:
            raise _failed(error, failures.NO_CONNECTION) from None
        if secured is None:  # the loop says so if the transport was closed in between
            raise failures.NO_CONNECTION.error()
        connection.connection_made(secured)
        _check_protocol(secured)
        return connection

    async def _context(self) -> ssl.SSLContext:
        if self._tls.context is None:
            await self._tls.prepare()
        assert self._tls.context is not None
        return self._tls.context


def _name(server: Address | Endpoint) -> str:
    """The name that the certificate must have."""
    return server.host.rstrip(".")


def _check_protocol(transport: asyncio.Transport) -> None:
    """See `tls.check_protocol`. If it refuses the protocol, the connection is closed."""
    try:
        check_protocol(transport.get_extra_info("ssl_object"))
    except ConfigInvalid:
        transport.abort()
        raise


def _failed(error: OSError, refused: Failure) -> Error:
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return failures.of_tls(error).error(reason_of(error))
    return failures.of_system(error, refused)
