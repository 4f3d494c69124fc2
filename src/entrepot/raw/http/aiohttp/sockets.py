"""The socket of an asyncio connection, for facts that asyncio does not report."""

from asyncio import BaseTransport
from collections.abc import Iterator
from typing import Any

from entrepot.raw.http.wire.looks import Look
from entrepot.raw.http.wire.sockets import acknowledge, readability, receive, reset_at_close, unacknowledged


class Socket:
    """The socket of a connection. Only `is_open` may be called once the connection is closing.

    Arguments:
        transport: the connection.
    """

    __slots__ = ("_look", "_receiver", "_transport")

    def __init__(self, transport: BaseTransport) -> None:
        self._transport = transport
        self._receiver: Any = getattr(transport, "_ssl_protocol", transport)
        self._look: Look | None = None

    def has_news(self) -> bool:
        """Whether the socket received bytes, or the end, that the event loop has not seen yet. False on Windows."""
        if self._look is None:
            self._look = readability(self._descriptor())
        return self._look is not None and bool(self._look(0))

    def is_open(self) -> bool:
        """Whether the connection still has its socket. This may be called at any time."""
        connection = self._transport.get_extra_info("socket")
        return connection is not None and connection.fileno() >= 0

    def set_receive_size(self, size: int) -> None:
        """Sets the most bytes of one receive, where the event loop allows it (uvloop does not).

        asyncio allocates that many bytes each time, however few arrive.
        """
        if hasattr(self._receiver, "max_size"):
            self._receiver.max_size = size

    def acknowledge(self) -> None:
        """Acknowledges received bytes to the peer at once, see `wire.sockets`."""
        acknowledge(self._transport.get_extra_info("socket"))

    def reset_at_close(self) -> None:
        """Makes the end of the connection an error for the peer, see `wire.sockets`."""
        if self.is_open():
            reset_at_close(self._transport.get_extra_info("socket"))

    def unsent(self) -> int:
        """How many bytes the system holds that the peer has not acknowledged."""
        return unacknowledged(self._descriptor())

    def rest(self) -> Iterator[bytes]:
        """The bytes received on a plain connection that broke while sending, after which asyncio reads no more.

        Raises:
            OSError: the socket has no more.
        """
        while data := receive(self._descriptor()):  # looked up each time: the connection may be closed in between
            yield data

    def _descriptor(self) -> int:
        descriptor: int = self._transport.get_extra_info("socket").fileno()
        return descriptor
