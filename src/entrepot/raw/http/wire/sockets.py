"""System calls on connected sockets, for facts that an event loop does not report.

Each is called only while the socket is open: after that, its descriptor may belong to another one.
"""

import errno
import os
import select
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from .looks import Look, look_for

if TYPE_CHECKING:
    import ssl

if sys.platform == "linux":
    import fcntl
    import termios

_PIECE: Final = 64 * 1024
_NO_LINGER: Final = struct.pack("ii", 1, 0)


def readability(descriptor: int) -> Look | None:
    """A look that reports received bytes or the end; None on a system that has none (Windows)."""
    return look_for(descriptor, select.POLLIN) if hasattr(select, "poll") else None


def acknowledge(connection: socket.socket) -> None:
    """Makes the system acknowledge received bytes at once, where it can (Linux).

    Otherwise it waits up to 40 ms for more. On loopback, whose segments are larger than one receive, a peer may wait
    for the acknowledgement before it sends the rest of its response.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def unacknowledged(descriptor: int) -> int:
    """How many sent bytes the peer has not acknowledged; 0 on systems other than Linux.

    These can be megabytes, which take minutes on a slow line.
    """
    if sys.platform != "linux":
        return 0
    result = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(result, sys.byteorder)


def reset_at_close(connection: socket.socket) -> None:
    """Makes the end of the connection an error for the peer, and no end of its input.

    Some servers take the end of a request that was cut off for the end of its content, and store what they have.
    """
    with suppress(OSError):  # it is closed, or nobody is at the other end
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def is_tls_reset(connection: socket.socket, error: "ssl.SSLEOFError") -> bool:
    """Whether a connection with TLS that ended without a close notification was reset.

    Several versions of Python report either as this error. OpenSSL 3 has a reason of its own for an end, and sends an
    alert, which a peer that has closed its socket answers with a reset. Without that reason the socket is asked: after
    a reset it has no peer any more.
    """
    if getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING":
        return False
    try:
        connection.getpeername()
    except OSError:
        return True
    return False


def reset_error() -> ConnectionResetError:
    """The error of the system for a connection that was reset."""
    return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def receive(descriptor: int) -> bytes:
    """Bytes that the system has received and the event loop has not read; empty at the end of the connection.

    Raises:
        OSError: there are none, or the connection broke.
    """
    return os.read(descriptor, _PIECE)
