"""A connection: a non-blocking socket, plain or with TLS, whose calls wait for a limited time.

Theory of operation. A connection is at any time in one place: in the turn of one request, from the moment it is made,
or among the idle connections of the pool. Only the holder of the turn may touch it, so it needs no lock. `close` ends
it, and may be called by anyone for whom it is out of reach otherwise: the pool for an idle one, the finalizer of a
turn, the child of a fork.

A forked child has copies of all descriptors. It closes them without a word to the peer (TLS would send an alert), so
that the parent's connections go on, and marks the objects: a body that the child inherited must not read.

Where there are several connections, there are probably several threads. Sending, and the look at an idle connection,
are then made by `short_calls`, from the second request of a connection on. With TLS that gains nothing: OpenSSL sends.
"""

import os
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from entrepot.errors import InvalidInput
from entrepot.raw.http.host_name import encoded_host
from entrepot.raw.http.tls import check_protocol
from entrepot.raw.http.wire.sockets import acknowledge, is_tls_reset, reset_at_close, reset_error, unacknowledged

from .waiting import READ, WRITE, Waiter

if TYPE_CHECKING:
    from .short_calls import ShortCalls

MUCH: Final = 120 * 1024
"""The most bytes of one receive. The usual allocator takes blocks above 128 KiB from the system and frees them each
time, and pages of new memory cost more than receiving into them."""

LITTLE: Final = 32 * 1024
"""The most bytes of one receive while a response has not shown that it is larger."""


class Holder:
    """The owner of a connection that is in use.

    Attributes:
        connection: the connection.
    """

    __slots__ = ("connection",)

    connection: "Connection | None"


class Connection:
    """A plain connection.

    Arguments:
        connected: the socket, non-blocking and connected.
        holder: gets the connection, before anything else may refer to it.

    Attributes:
        generation: the generation of the pool when its making started.
        idle_since: the time since when it is idle.
        has_responded: whether it has received a response.
        is_inherited: whether this is a copy in a forked child.
    """

    __slots__ = ("_any", "_readable", "_short", "_socket", "generation", "has_responded", "idle_since", "is_inherited")

    def __init__(self, connected: socket.socket, holder: Holder) -> None:
        self._socket = connected
        holder.connection = self
        self._readable = Waiter(connected, READ)
        self._any: Waiter | None = None
        self._short: ShortCalls | None = None
        self.generation = 0
        self.idle_since = 0.0
        self.has_responded = False
        self.is_inherited = False
        _open.add(self)  # at the end: a signal after this call finds the connection in its holder

    def receive(self, size: int, seconds: float | None) -> bytes:
        """Waits for bytes and returns at most `size` of them; `b""` is the end.

        Raises:
            Silent: nothing arrived in `seconds`; None is without limit.
            DeadlinePassed: the deadline of the runtime has passed. The connection is unchanged.
            OSError: the connection broke.
        """
        while True:
            self._readable.wait(seconds)
            try:
                return self._socket.recv(size)
            except BlockingIOError:  # the poll was wrong, as it may be
                continue

    def receive_into(self, buffer: memoryview, seconds: float | None) -> int:
        """Waits for bytes and receives them into a buffer. Returns how many it received; 0 is the end.

        Raises:
            Silent: as `receive`, as for the rest.
        """
        while True:
            self._readable.wait(seconds)
            with suppress(BlockingIOError):
                return self._socket.recv_into(buffer)

    def receive_now(self, size: int) -> bytes | None:
        """Bytes that have arrived, or the end; None if neither has.

        Raises:
            OSError: the connection broke.
        """
        try:
            return self._socket.recv(size)
        except BlockingIOError:
            return None

    def send_now(self, data: bytes | memoryview) -> int:
        """Sends as much as is accepted without waiting, and returns how much; maybe 0.

        Raises:
            OSError: the connection broke.
        """
        try:
            if self._short is None or len(data) > LITTLE or not isinstance(data, bytes):
                return self._socket.send(data)
            return self._short.send(data)
        except BlockingIOError:
            return 0

    def wait_any(self, seconds: float | None) -> int:
        """Waits until the connection can receive or send, and returns which.

        Raises:
            Silent: neither in `seconds`.
            DeadlinePassed: the deadline of the runtime has passed.
        """
        if self._any is None:
            self._any = Waiter(self._socket, READ | WRITE)
        return self._any.wait(seconds)

    def wait_writable(self, seconds: float | None) -> None:
        """Waits until the connection can send, whatever it has received. Raises as `wait_any`."""
        Waiter(self._socket, WRITE).wait(seconds)

    def has_news(self) -> bool:
        """Whether bytes or the end have arrived, which nobody waits for on an idle connection."""
        if self._short is None and len(_open) > 1 and _short_calls is not None:
            self._short = _short_calls(self._socket)
        return bool(self._readable.poll(0)) if self._short is None else self._short.is_readable()

    def has_more(self) -> bool:
        """Whether bytes were received that no call has returned yet."""
        return False

    def unacknowledged(self) -> int:
        """How many sent bytes the peer has not acknowledged, as far as the system reports it."""
        return unacknowledged(self._socket.fileno())

    def acknowledge(self) -> None:
        """Acknowledges received bytes at once, see `wire.sockets`."""
        acknowledge(self._socket)

    def reset_at_close(self) -> None:
        """Makes the end of the connection an error for the peer, see `wire.sockets`."""
        reset_at_close(self._socket)

    def check_owner(self) -> None:
        """Refuses a use in a forked child.

        Raises:
            InvalidInput: the connection belongs to the parent.
        """
        if self.is_inherited:
            raise InvalidInput("this was opened before a fork, in the parent process: open another one here")

    def close(self) -> None:
        """Closes it, without a TLS close handshake, which would wait for the peer."""
        _open.discard(self)
        self._socket.close()

    def upgrade(self, context: ssl.SSLContext, host: str, holder: Holder) -> "TlsConnection":
        """The same connection with TLS, whose handshake is still to be made. This object is no longer used."""
        _open.discard(self)
        secured = context.wrap_socket(
            self._socket,
            server_hostname=encoded_host(host),
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        return TlsConnection(secured, holder)


class TlsConnection(Connection):
    """A connection with TLS.

    Arguments:
        connected: the socket, non-blocking.
        holder: as of `Connection`.
    """

    __slots__ = ("_tls",)

    def __init__(self, connected: ssl.SSLSocket, holder: Holder) -> None:
        self._tls = connected
        super().__init__(connected, holder)

    def shake_hands(self, seconds: float | None) -> bool:
        """Makes the next step of the handshake. Returns whether it is complete.

        Raises:
            Silent: the peer did not answer in `seconds`.
            ssl.SSLError: the handshake failed.
            ConfigInvalid: the server chose another protocol than HTTP/1.
            OSError: the connection broke.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._readable.wait(seconds)
        except ssl.SSLWantWriteError:
            self.wait_writable(seconds)
        else:
            check_protocol(self._tls)
            return True
        return False

    def receive(self, size: int, seconds: float | None) -> bytes:
        while True:
            if not self._tls.pending():
                self._readable.wait(seconds)
            data = self.receive_now(size)
            if data is not None:
                return data

    def receive_into(self, buffer: memoryview, seconds: float | None) -> int:
        while True:
            if not self._tls.pending():
                self._readable.wait(seconds)
            with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                try:
                    return self._tls.recv_into(buffer)
                except ssl.SSLEOFError as error:
                    self._check_orderly_end(error)
                    return 0

    def receive_now(self, size: int) -> bytes | None:
        try:
            return self._tls.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except ssl.SSLEOFError as error:
            self._check_orderly_end(error)
            return b""

    def _check_orderly_end(self, error: ssl.SSLEOFError) -> None:
        """An end without a close notification is an orderly one, since many servers end so; a reset is not.

        Raises:
            OSError: the connection was reset.
        """
        if is_tls_reset(self._tls, error):
            raise reset_error() from None

    def send_now(self, data: bytes | memoryview) -> int:
        try:
            return self._tls.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def has_news(self) -> bool:
        """Whether bytes, or the end, have arrived in TLS: its own messages, such as session tickets, do not count."""
        if not self._readable.poll(0):
            return False
        try:
            return self.receive_now(1) is not None
        except OSError:
            return True

    def has_more(self) -> bool:
        return self._tls.pending() > 0


def _find_short_calls() -> "type[ShortCalls] | None":
    """The calls that keep the interpreter; None on a system without them, or where the interpreter has no ctypes."""
    if os.name != "posix":
        return None
    try:
        from .short_calls import ShortCalls
    except ImportError:
        return None
    return ShortCalls


_short_calls: Final = _find_short_calls()

_open: set[Connection] = set()
"""All open connections. A socket that can be reached only from its reader could be collected with it, in a cycle, and
might be finalized before the reader closes it."""


def _close_inherited() -> None:
    """Closes the child's copies of all connections after a fork."""
    for connection in list(_open):
        connection.is_inherited = True
        connection.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)
