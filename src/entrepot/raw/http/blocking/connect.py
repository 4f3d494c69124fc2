"""Makes connections: name lookup, a race of addresses, proxies and TLS.

The system looks a name up for as long as it takes: no limit reaches that call, and Ctrl-C only after it. All that
follows ends within the connect timeout, which counts the time of the lookup too.
"""

import selectors
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from errno import EINPROGRESS, EWOULDBLOCK
from functools import cache
from os import strerror
from time import monotonic
from typing import Any, Final, NamedTuple

from entrepot.errors import Error, Unsupported
from entrepot.raw.http.endpoint import DEFAULT_PORTS, Endpoint
from entrepot.raw.http.failures import (
    CONNECT_TIMEOUT,
    HOST_UNUSABLE,
    NAME_UNKNOWN,
    NO_CONNECTION,
    NO_PROXY_CONNECTION,
    NO_RESPONSE,
    Failure,
    of_system,
    of_tls,
    reason_of,
    refused_by_proxy,
)
from entrepot.raw.http.host_name import encoded_host
from entrepot.raw.http.origin import Origin
from entrepot.raw.http.tls import TlsFiles
from entrepot.raw.http.wire.exchange import Exchange
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.runtime.inline import DeadlinePassed, time_left

from .connection import LITTLE, Connection, Holder, TlsConnection
from .errors import Silent, malformed
from .waiting import left_of

STAGGER: Final = 0.25
"""Seconds before the next address is tried at the same time (RFC 8305, 5)."""

_UNDER_WAY: Final = (EINPROGRESS, EWOULDBLOCK)


class _Place(NamedTuple):
    """One address of a host, as `socket.getaddrinfo` returns it."""

    family: int
    kind: int
    protocol: int
    name: str
    address: Any


class Connecting:
    """Makes one connection.

    Arguments:
        origin: where to.
        context: the TLS configuration; None is the default one.
        seconds: for how long it may take; None is without limit.
        holder: gets the connection as soon as there is one, so that an interrupted caller can close it.
    """

    def __init__(self, origin: Origin, context: ssl.SSLContext | None, seconds: float | None, holder: Holder) -> None:
        self._origin = origin
        self._holder = holder
        self._context = context
        self._seconds = seconds
        self._started = monotonic()

    def connect(self) -> Connection:
        """Makes the connection. If it raises, the caller closes what the holder has.

        Raises:
            Timeout: it took too long.
            Unexpected: it was refused, or the certificate is not trusted.
            PermissionDenied: the proxy refused it.
            InvalidInput: the name cannot be a host name.
            DeadlinePassed: the deadline of the runtime has passed.
        """
        try:
            return self._connect()
        except Silent:
            raise CONNECT_TIMEOUT.error() from None

    def _connect(self) -> Connection:
        address, proxy = self._origin.address, self._origin.proxy
        if proxy is not None and proxy.scheme == "https" and self._origin.is_tls:
            raise Unsupported("blocking sockets have no TLS within the TLS of a proxy: use an http:// proxy")
        if proxy is None:
            connection = self._opened(address.host, address.port, NO_CONNECTION)
            return self._with_tls(connection, address.host) if self._origin.is_tls else connection
        connection = self._opened(proxy.host, proxy.port or DEFAULT_PORTS[proxy.scheme], NO_PROXY_CONNECTION)
        return self._through(proxy, connection)

    def _through(self, proxy: Endpoint, connection: Connection) -> Connection:
        """A connection that the proxy reads, or has opened a tunnel on."""
        if not self._origin.is_tls:
            return self._with_tls(connection, proxy.host) if proxy.scheme == "https" else connection
        self._open_tunnel(connection)
        return self._with_tls(connection, self._origin.address.host)

    def _opened(self, host: str, port: int, peer: Failure) -> Connection:
        places = _looked_up(host, port)
        try:
            return Connection(_Race(self._left).winner(places), self._holder)
        except DeadlinePassed:
            raise
        except OSError as error:
            raise of_system(error, peer) from None

    def _left(self) -> float | None:
        """The seconds that are left of the connect timeout and until the deadline of the runtime."""
        return time_left(left_of(self._seconds, self._started))

    def _with_tls(self, connection: Connection, host: str) -> TlsConnection:
        try:
            secured = connection.upgrade(self._context or _default_context(), host.rstrip("."), self._holder)
        except UnicodeError:  # which the look-up says unless a proxy makes it
            raise HOST_UNUSABLE.error() from None
        try:
            while not secured.shake_hands(left_of(self._seconds, self._started)):
                pass
        except OSError as error:
            raise _handshake_error(error) from None
        return secured

    def _open_tunnel(self, connection: Connection) -> None:
        """Has the proxy connect to the origin (RFC 9110, 9.3.6)."""
        exchange = Exchange(has_content=False)
        try:
            self._send(connection, _connect_head(self._origin))
            exchange.request_sent()
            while exchange.head is None:
                data = connection.receive(LITTLE, left_of(self._seconds, self._started))
                if not data:
                    raise NO_RESPONSE.error()
                exchange.take(data)
        except MalformedResponse as error:
            raise malformed(error) from None
        except (Error, DeadlinePassed):
            raise
        except OSError as error:
            raise NO_PROXY_CONNECTION.error(reason_of(error)) from None
        if not 200 <= exchange.head.status < 300:
            raise refused_by_proxy(exchange.head.status, exchange.head.headers)
        if not exchange.is_exact:
            raise malformed(MalformedResponse("the proxy sent bytes before the tunnel was used"))

    def _send(self, connection: Connection, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[connection.send_now(left) :]
            if left:
                connection.wait_writable(left_of(self._seconds, self._started))


class _Race:
    """Connects to the addresses of a host at the same time, each a little later, until one answers (RFC 8305).

    Arguments:
        left: returns the seconds that are left, or raises.
    """

    def __init__(self, left: Any) -> None:
        self._left = left
        self._runners = set[socket.socket]()
        self._failure: OSError | None = None

    def winner(self, places: list[_Place]) -> socket.socket:
        """The connected socket, non-blocking.

        Raises:
            OSError: no address can be reached. It is the error of the first one.
        """
        waiting = deque(places)
        with selectors.DefaultSelector() as selector:
            try:
                while True:
                    if waiting:
                        self._start(waiting.popleft(), selector)
                    won = self._next_to_arrive(selector, is_last=not waiting)
                    if won is not None:
                        self._runners.discard(won)
                        return won
                    if not waiting and not self._runners:
                        raise self._failure or OSError("the host has no address")
            finally:
                for loser in self._runners:
                    loser.close()

    def _start(self, place: _Place, selector: selectors.BaseSelector) -> None:
        try:
            runner = socket.socket(place.family, place.kind, place.protocol)
        except OSError as error:
            self._note(error)
            return
        self._runners.add(runner)
        try:
            runner.setblocking(False)
            runner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = runner.connect_ex(place.address)
        except OSError as error:
            self._fail(runner, error)
            return
        if code and code not in _UNDER_WAY:
            self._fail(runner, OSError(code, strerror(code)))
        else:
            selector.register(runner, selectors.EVENT_WRITE)

    def _next_to_arrive(self, selector: selectors.BaseSelector, *, is_last: bool) -> socket.socket | None:
        """Waits for a connection, until it is time for the next address; None if there is none."""
        while self._runners:
            left = self._left()
            seconds = left if is_last else STAGGER if left is None else min(left, STAGGER)
            arrived = selector.select(seconds)
            for key, _ in arrived:
                runner: Any = key.fileobj
                selector.unregister(runner)
                code = runner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not code:
                    return runner  # type: ignore[no-any-return]
                self._fail(runner, OSError(code, strerror(code)))
            if not is_last:
                return None
        return None

    def _fail(self, runner: socket.socket, error: OSError) -> None:
        self._runners.discard(runner)
        runner.close()
        self._note(error)

    def _note(self, error: OSError) -> None:
        self._failure = self._failure or error


def _looked_up(host: str, port: int) -> list[_Place]:
    """The addresses of a host, with both families in turns.

    Raises:
        Unexpected: it has none.
        InvalidInput: it cannot be a host name.
    """
    try:
        found = [_Place(*info) for info in socket.getaddrinfo(encoded_host(host), port, type=socket.SOCK_STREAM)]
    except UnicodeError:  # of a name that cannot be encoded for a resolver
        raise HOST_UNUSABLE.error() from None
    except OSError as error:
        raise of_system(error, NAME_UNKNOWN) from None
    return list(_in_turns(found))


def _in_turns(places: list[_Place]) -> Iterator[_Place]:
    preferred = deque(place for place in places if place.family == places[0].family)
    others = deque(place for place in places if place.family != places[0].family)
    while preferred or others:
        for queue in (preferred, others):
            with suppress(IndexError):
                yield queue.popleft()


def _handshake_error(error: OSError) -> Exception:
    if isinstance(error, DeadlinePassed):
        return error
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return of_tls(error).error(reason_of(error))
    return NO_CONNECTION.error(reason_of(error))


def _connect_head(origin: Origin) -> bytes:
    address = origin.address
    host = f"[{address.host}]" if ":" in address.host else address.host
    headers = [("Host", address.authority), *origin.connect_headers]
    lines = [f"CONNECT {host}:{address.port} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


@cache
def _default_context() -> ssl.SSLContext:
    """The default TLS configuration, with the certificates that the system trusts. Reading them takes milliseconds."""
    return TlsFiles().load()
