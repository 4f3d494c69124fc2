"""`Outgoing`: what a connection sends, and how much of it the server has accepted.

Theory of operation. The bytes of a request go from the sender into the buffer of the event loop's transport, from there
into that of the system, and are accepted once the server's system has acknowledged them. A sender hands over more only
while the transport is not paused (`drain`), or as much as the system takes at a time (`send`, `writable`).

`handed` counts the content that was handed over in an exchange, and `unsent` what of the request is in one of the
buffers. While their difference grows, the server takes content, and need not respond yet.

One task sends at a time, and no other waits. The connection wakes it when more is accepted, and at the end.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from entrepot.raw.http.wire.sockets import unacknowledged

from .direct import Direct, DirectSocket, is_possible
from .tls_channel import TlsChannel


class Outgoing:
    """What a connection sends.

    Arguments:
        loop: the event loop of the connection.

    Attributes:
        handed: how many bytes of content were handed over in this exchange.
        has_ended: whether the connection has ended.
        is_paused: whether the transport accepts no more bytes now.
        taken: how many bytes of content the server had accepted at the last look.
    """

    __slots__ = ("_loop", "_sender", "_wire", "handed", "has_ended", "is_paused", "taken")

    _wire: Any  # asyncio.Transport, whose methods the event loops implement with different classes

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sender: asyncio.Future[None] | None = None  # what the task that sends waits for
        self.handed = self.taken = 0
        self.has_ended = self.is_paused = False

    # Called by the connection.

    def start(self, wire: Any) -> None:
        """Notes the transport, before which nothing is sent. With TLS in a tunnel the connection may end before."""
        self._wire = wire

    def pause(self) -> None:
        """Makes senders wait."""
        self.is_paused = True

    def resume(self) -> None:
        """Ends `pause`."""
        self.is_paused = False
        self._wake()

    def end(self) -> None:
        """Records that the connection has ended."""
        self.has_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._sender is not None and not self._sender.done():
            self._sender.set_result(None)

    def unsent(self) -> int:
        """How many bytes the server has not acknowledged yet, as far as the system reports it."""
        if not self.handed or self._wire.is_closing():
            return 0
        size: int = self._wire.get_write_buffer_size()
        return size + unacknowledged(descriptor_of(self._wire))

    def has_taken_more(self, unsent: int) -> bool:
        """Whether the server has accepted content since `note_taken`.

        Arguments:
            unsent: what `unsent` says.
        """
        return self.handed - unsent > self.taken

    def note_taken(self, unsent: int) -> None:
        """Records how much content the server has accepted.

        Arguments:
            unsent: what `unsent` says.
        """
        self.taken = self.handed - unsent

    # Called by the sender.

    def write(self, data: bytes | memoryview) -> None:
        """Hands content to the transport, which may buffer it.

        Raises:
            OSError: the connection is closed.
        """
        self._check_open()
        self.handed += len(data)
        self._wire.write(data)

    async def drain(self) -> None:
        """Waits until the transport accepts more.

        Raises:
            OSError: the connection is closed.
        """
        if self.is_paused and not self.has_ended:
            self._sender = self._loop.create_future()
            await self._sender
        if self.has_ended:
            raise _closed()

    @property
    def can_send_directly(self) -> bool:
        """Whether content can be sent by `direct_socket` now."""
        if self._wire.is_closing() or self._wire.get_write_buffer_size():
            return False
        if isinstance(self._wire, TlsChannel):
            return True
        return self._wire.get_extra_info("ssl_object") is None and is_possible(self._loop)

    def direct_socket(self) -> Direct:
        """What sends content without a copy: a second descriptor of the socket, or the channel with TLS.

        Raises:
            OSError: the connection is closed, or there are too many open files.
        """
        self._check_open()
        if isinstance(self._wire, TlsChannel):
            return self._wire
        return DirectSocket(self._loop, self._wire.get_extra_info("socket"))

    def send(self, direct: Direct, batch: Sequence[memoryview]) -> int:
        """Sends as many bytes of content as the system takes now. Returns their number.

        Raises:
            OSError: the connection is closed.
        """
        self._check_open()
        sent = direct.send(batch)
        self.handed += sent
        return sent

    async def writable(self, direct: Direct) -> None:
        """Waits until the system takes more, or the connection has ended."""
        self._sender = self._loop.create_future()
        direct.call_when_writable(self._wake)
        try:
            await self._sender
        finally:
            direct.stop_calling()

    def _check_open(self) -> None:
        if self._wire.is_closing():
            raise _closed()


def descriptor_of(wire: Any) -> int:
    """The descriptor of a transport. Look it up each time: once the connection is closed, another one may have it."""
    descriptor: int = wire.get_extra_info("socket").fileno()
    return descriptor


def _closed() -> ConnectionResetError:
    return ConnectionResetError("the connection is closed")
