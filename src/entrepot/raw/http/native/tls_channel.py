"""A connection with TLS of our own, in place of the one of the event loop.

Theory of operation. `ssl.SSLSocket` works on the descriptor of the socket, and the event loop only announces when that
can be received from or sent to. So content is decrypted into the buffer that the protocol gives, and encrypted out of
the caller's memory; the TLS of asyncio copies it through two buffers in memory each way, and has a transport and a
protocol more on the way. A channel has the surface of `asyncio.Transport` that connections use, and calls their
protocol as an event loop does. It is in one of these states:

    new       until `start`. Only `shake_hands` uses the socket.
    open      the event loop watches the socket for received bytes, unless receiving is paused, and for room to send,
              while `_unsent` is not empty or a caller of `send` waits (`_on_room`).
    closing   the event loop watches nothing, and `_lost` is scheduled, which reports the end and closes the socket.

A call of the protocol may pause, close or abort the channel, so its state is looked at again after each.

Receiving. OpenSSL reads one record at a time, and nothing past it. So the only bytes that the event loop does not
announce are the rest of one record, where the buffer was too short for it. They are handed over before `receive`
returns, or once a paused protocol resumes. A record of TLS itself, such as a session ticket, gives no bytes, and is
nothing to the protocol. What one call receives is limited, so that a fast sender does not starve the loop. uvloop
announces a broken connection once, even if bytes came before it; so it is looked for after each receive (`_errors`).

Sending. OpenSSL must be given the same bytes again after it could not send all of them. What `write` could not send
stays in `_unsent`, and the caller of `send` starts the next call with what is left. Bytes count as sent when the whole
piece that they are in is sent, so pieces are short (`_PIECE`): it is how a slow server is told from a silent one.

Either direction may have to wait for the other: the peer may ask for a new handshake (TLS 1.2) or new keys (TLS 1.3).

The end. `close` sends the close notification, and does not wait for the peer's. An end of the connection without one is
an orderly end, since many servers do it. A forked child closes its copies of all sockets without a word to the peer, so
that the connections of the parent go on.
"""

import asyncio
import os
import socket
import ssl
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, Self

from entrepot.raw.http.host_name import encoded_host
from entrepot.raw.http.tls import check_protocol
from entrepot.raw.http.wire.looks import Look, look_for
from entrepot.raw.http.wire.sockets import is_tls_reset, reset_error

_RECORD: Final = 16 * 1024
"""The most content of a record. A shorter one is the last for now in most cases, and it costs more to find out than to
receive it when the event loop announces it."""

_MOST_RECEIVED: Final = 256 * 1024
"""After how many bytes the event loop has its turn."""

_PIECE: Final = 64 * 1024
"""How many bytes OpenSSL is given at a time."""

_MOST_SENT: Final = 1024 * 1024
"""After how many bytes the event loop has its turn."""


class Receiver(Protocol):
    """What a channel calls of its protocol: the part of `asyncio.BufferedProtocol` with a buffer that can be cut."""

    def connection_made(self, transport: asyncio.BaseTransport, /) -> None: ...

    def get_buffer(self, sizehint: int, /) -> memoryview: ...

    def buffer_updated(self, nbytes: int, /) -> None: ...

    def eof_received(self) -> bool | None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, exc: Exception | None, /) -> None: ...


def is_possible(loop: asyncio.AbstractEventLoop, context: ssl.SSLContext) -> bool:
    """Whether connections of a loop with a TLS configuration can be channels.

    The loop must be able to wait for descriptors; the usual one of Windows is not. A subclass of `SSLContext` may check
    certificates in its own way, which may need the handshake to be complete when the socket is wrapped.
    """
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader and type(context) is ssl.SSLContext


class TlsChannel(asyncio.Transport):
    """A connection with TLS.

    Arguments:
        loop: the event loop.
        connected: the socket, connected and non-blocking. It belongs to the channel from now on.
        context: the TLS configuration.
        host: the name of the server.
    """

    __slots__ = (
        "__weakref__",
        "_descriptor",
        "_errors",
        "_is_closing",
        "_is_receiving_paused",
        "_loop",
        "_on_room",
        "_protocol",
        "_read_error",
        "_receiving_waits_for_room",
        "_sending_waits_for_bytes",
        "_tls",
        "_unsent",
    )

    _protocol: Receiver

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connected: socket.socket, context: ssl.SSLContext, host: str
    ) -> None:
        self._tls = context.wrap_socket(
            connected,
            server_hostname=encoded_host(host),
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        super().__init__({"socket": self._tls})
        self._loop = loop
        self._descriptor = self._tls.fileno()
        self._errors = None if isinstance(loop, asyncio.SelectorEventLoop) else look_for(self._descriptor, 0)
        self._is_closing = self._is_receiving_paused = False
        self._receiving_waits_for_room = self._sending_waits_for_bytes = False
        self._read_error: OSError | None = None
        self._unsent: memoryview | None = None
        self._on_room: Callable[[], object] | None = None
        _OPEN.add(self)

    async def shake_hands(self) -> None:
        """Makes the handshake. If it fails or is cancelled, the socket is closed.

        Raises:
            ssl.SSLError: it failed; `ssl.SSLCertVerificationError` because of the certificate of the server.
            ConfigInvalid: the server chose another protocol than HTTP/1.
            OSError: the connection broke.
        """
        loop, descriptor = self._loop, self._descriptor
        try:
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    await _readiness(partial(loop.add_reader, descriptor), partial(loop.remove_reader, descriptor))
                except ssl.SSLWantWriteError:
                    await _readiness(partial(loop.add_writer, descriptor), partial(loop.remove_writer, descriptor))
                else:
                    check_protocol(self._tls)
                    return
        except BaseException:
            self._is_closing = True
            self._tls.close()
            raise

    def start(self, protocol: Receiver) -> None:
        """Hands the connection to its protocol."""
        self._protocol = protocol
        protocol.connection_made(self)
        self._watch_for_bytes()

    # Receiving.

    def receive(self) -> None:
        """Receives what has arrived, and hands it to the protocol. Not while receiving is paused."""
        if self._sending_waits_for_bytes:
            self._sending_waits_for_bytes = False
            self._watch_for_room()
        while not (self._is_closing or self._is_receiving_paused):
            buffer = self._protocol.get_buffer(-1)
            try:
                size = self._record_into(buffer)
                if size == _RECORD:
                    size = self._more_into(buffer)
            except OSError as error:
                self._end(error)
                return
            if size:
                try:
                    self._protocol.buffer_updated(size)
                except Exception as error:  # noqa: BLE001 - as the transports of the event loops do
                    self._fail(error)
            if size < len(buffer) or not self._tls.pending():
                break
        if self._errors is not None:
            self._look_for_errors(self._errors)

    @property
    def has_ended(self) -> bool:
        """Whether the end was received together with content, and will be reported in the next turn of the loop."""
        return self._read_error is not None

    def _look_for_errors(self, errors: Look) -> None:
        if not (self._is_closing or self._is_receiving_paused) and errors(0):
            self._loop.call_soon(self.receive)

    def _more_into(self, buffer: memoryview) -> int:
        """Receives after a full record until one is short, the buffer is full, or the event loop should have its turn.

        Returns:
            The number of bytes, with those of that record.
        """
        size = received = _RECORD
        try:
            while received == _RECORD and size < len(buffer) and size < _MOST_RECEIVED:
                received = self._record_into(buffer[size:])
                size += received
        except OSError as error:
            # What was received comes first. The socket may not announce the error again, and reports it once.
            self._read_error = error
            self._loop.call_soon(self.receive)
        return size

    def _record_into(self, buffer: memoryview) -> int:
        """Receives content of at most one record; 0 if none has arrived.

        Raises:
            ssl.SSLZeroReturnError: the peer has closed the connection, with a close notification.
            ssl.SSLEOFError: it has closed it without one, or the connection broke.
            OSError: the connection broke.
        """
        if self._read_error is not None:
            raise self._read_error
        try:
            size: int = self._tls.read(len(buffer), buffer)  # type: ignore[assignment]
        except ssl.SSLWantReadError:
            return 0
        except ssl.SSLWantWriteError:
            self._receiving_waits_for_room = True
            self._loop.remove_reader(self._descriptor)  # it would announce the same bytes again and again
            self._watch_for_room()
            return 0
        if not size:
            raise ssl.SSLZeroReturnError
        return size

    def _end(self, error: OSError) -> None:
        broken = self._as_broken(error)
        if broken is None:
            self._protocol.eof_received()
        self._close(broken)

    def _as_broken(self, error: OSError) -> OSError | None:
        """The error of a connection that broke; None is an orderly end.

        A close notification is an end whatever the socket reports afterwards.
        """
        if isinstance(error, ssl.SSLZeroReturnError):
            return None
        if isinstance(error, ssl.SSLEOFError):
            return reset_error() if is_tls_reset(self._tls, error) else None
        return error

    def receive_rest(self) -> None:
        """Hands over all that arrived before the connection broke. The end is not reported."""
        with suppress(OSError):
            while size := self._record_into(self._protocol.get_buffer(-1)):
                self._protocol.buffer_updated(size)

    def _fail(self, error: Exception) -> None:
        details = {"message": "a connection failed to take bytes", "exception": error, "transport": self}
        self._loop.call_exception_handler(details)
        self._close(error)

    def _watch_for_bytes(self) -> None:
        self._loop.add_reader(self._descriptor, self.receive)

    def pause_reading(self) -> None:
        if not (self._is_closing or self._is_receiving_paused):
            self._is_receiving_paused = True
            self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        if not self._is_closing and self._is_receiving_paused:
            self._is_receiving_paused = False
            self._watch_for_bytes()
            self._loop.call_soon(self.receive)  # the socket does not announce what OpenSSL has read

    # Sending.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends bytes, at once or as soon as the system takes them. The protocol is paused until then.

        They must not change, and no more may be written while the protocol is paused.
        """
        if self._is_closing:
            return
        try:
            sent = self._send_piece(data) if len(data) <= _PIECE else self._send([memoryview(data)])
        except OSError as error:
            self._close(error)
            return
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            self._watch_for_room()
            self._protocol.pause_writing()

    def send(self, batch: Sequence[memoryview]) -> int:
        """Sends as many bytes as the system takes now. Returns their number. The next call must start with the others.

        Raises:
            OSError: the connection broke.
        """
        return self._send(batch)

    def _send(self, views: Sequence[memoryview]) -> int:
        sent = 0
        for piece in _pieces(views):
            taken = self._send_piece(piece)
            sent += taken
            if taken < len(piece) or sent >= _MOST_SENT:
                break
        return sent

    def _send_piece(self, piece: bytes | bytearray | memoryview) -> int:
        """Sends a piece; returns 0 if the system does not take it now.

        Raises:
            OSError: the connection broke.
        """
        try:
            return self._tls.send(piece)
        except ssl.SSLWantWriteError:
            pass
        except ssl.SSLWantReadError:
            self._sending_waits_for_bytes = True
            self._loop.remove_writer(self._descriptor)  # it would announce the same room again and again
        except ssl.SSLEOFError:  # so it calls an error of the system
            raise reset_error() from None
        return 0

    def call_when_writable(self, callback: Callable[[], object]) -> None:
        """Calls back whenever the system takes more, or the connection broke, until `stop_calling`."""
        self._on_room = callback
        self._watch_for_room()

    def stop_calling(self) -> None:
        """Ends `call_when_writable`."""
        self._on_room = None
        self._ignore_room()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_calling()

    def _watch_for_room(self) -> None:
        if not (self._is_closing or self._sending_waits_for_bytes):
            self._loop.add_writer(self._descriptor, self._use_room)

    def _ignore_room(self) -> None:
        if not (self._is_closing or self._unsent or self._on_room or self._receiving_waits_for_room):
            self._loop.remove_writer(self._descriptor)

    def _use_room(self) -> None:
        if self._receiving_waits_for_room:
            self._receiving_waits_for_room = False
            if not self._is_receiving_paused:
                self._watch_for_bytes()
                self._loop.call_soon(self.receive)  # the peer may wait for what OpenSSL could not send
        if self._unsent is not None and not self._send_on(self._unsent):
            return
        if self._on_room is not None:
            self._on_room()
        self._ignore_room()

    def _send_on(self, unsent: memoryview) -> bool:
        """Sends what waits. Returns whether that is all."""
        try:
            sent = self._send([unsent])
        except OSError as error:
            self._close(error)
            return False
        self._unsent = unsent[sent:] or None
        if self._unsent is not None:
            return False
        self._protocol.resume_writing()
        return True

    def get_write_buffer_size(self) -> int:
        return 0 if self._unsent is None else len(self._unsent)

    # The end.

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """Closes at once, with a close notification. Bytes that were not sent are dropped."""
        if not self._is_closing and self._unsent is None:
            with suppress(OSError, ValueError):  # the peer's notification has not come, or the connection broke
                self._tls.unwrap()
        self._close(None)

    def abort(self) -> None:
        """Closes at once, without a close notification."""
        self._close(None)

    def _close(self, error: Exception | None) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._loop.call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            self._tls.close()

    def close_inherited(self) -> None:
        """Closes the copy of a forked child. The event loop of the parent is left alone."""
        self._is_closing = True
        self._tls.close()


_OPEN: Final["weakref.WeakSet[TlsChannel]"] = weakref.WeakSet()


def _close_inherited() -> None:
    for channel in list(_OPEN):
        channel.close_inherited()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


def _pieces(views: Sequence[memoryview]) -> Iterator[memoryview]:
    for view in views:
        if len(view) <= _PIECE:
            yield view
        else:
            for start in range(0, len(view), _PIECE):
                yield view[start : start + _PIECE]


async def _readiness(watch: Callable[[Callable[[], None]], None], stop: Callable[[], object]) -> None:
    ready = asyncio.Event()
    watch(ready.set)
    try:
        await ready.wait()
    finally:
        stop()
