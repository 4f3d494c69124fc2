"""What the system knows of a connection that asyncio does not tell."""

import os
import select
import socket
import sys
from asyncio import BaseTransport
from collections.abc import Iterator
from typing import Any

if sys.platform == "linux":
    import fcntl
    import termios


class Socket:
    """The socket of a connection. Ask it nothing once that is closing: its number may be another's.

    Arguments:
        transport: the connection.
    """

    __slots__ = ("_poll", "_receiver", "_transport")

    def __init__(self, transport: BaseTransport) -> None:
        self._transport = transport
        self._receiver: Any = getattr(transport, "_ssl_protocol", transport)
        self._poll: select.poll | None = None

    def has_news(self) -> bool:
        """Whether there is something to read, such as the end, that the event loop has not seen yet.

        False on a system that cannot tell (Windows).
        """
        if not hasattr(select, "poll"):
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._descriptor(), select.POLLIN)
        return bool(self._poll.poll(0))

    def is_open(self) -> bool:
        """Whether the connection still has one. This may be asked at any time."""
        found = self._transport.get_extra_info("socket")
        return found is not None and found.fileno() >= 0

    def receive_at_once(self, size: int) -> None:
        """Sets the most bytes that are received at once, where the event loop lets that be set (uvloop does not).

        asyncio allocates as much each time, however little comes.
        """
        if hasattr(self._receiver, "max_size"):
            self._receiver.max_size = size

    def acknowledge(self) -> None:
        """Has the system tell the peer at once what came, where it can be told to (Linux).

        It waits 40 ms for more otherwise. On loopback, whose segments are larger than what is received at once, a
        peer may wait for that with the rest of its reply.
        """
        if hasattr(socket, "TCP_QUICKACK"):
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def unsent(self) -> int:
        """How many bytes the system holds that the peer has not acknowledged; 0 on a system that does not tell.

        These can be megabytes, which take minutes on a slow line.
        """
        if sys.platform != "linux":
            return 0
        answer = fcntl.ioctl(self._descriptor(), termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(answer, sys.byteorder)

    def rest(self) -> Iterator[bytes]:
        """What was received on a plain connection that broke while it was sent on, and asyncio no longer reads.

        Raises:
            OSError: there is nothing more.
        """
        while data := os.read(self._descriptor(), 65536):
            yield data

    def _descriptor(self) -> int:
        descriptor: int = self._transport.get_extra_info("socket").fileno()
        return descriptor
