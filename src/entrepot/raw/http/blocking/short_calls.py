"""System calls on a non-blocking socket that keep the interpreter.

Theory of operation. The calls of `socket` and `select` let other threads run. That is right for a call that waits. One
that does not wait is over after 1 to 10 us, but by then another thread runs, usually on another core, and this one has
to wait until it is suspended again. With two threads or more, that costs more than the rest of a small request
(`docs/performance/tried.md`). So the two calls before the wait for a response are made here by `ctypes.PyDLL`, with
the same arguments, while no other thread runs. Only POSIX systems have them. The socket must be non-blocking. A
receive after the wait is not among them: it needs memory of its own and a copy, and gains nothing.
"""

import ctypes
import os
import select
import socket
from typing import Final

_NO_SIGNAL: Final = getattr(socket, "MSG_NOSIGNAL", 0)

_libc: Final = ctypes.PyDLL(None, use_errno=True)
_send: Final = _libc.send
_send.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
_send.restype = ctypes.c_ssize_t
_poll: Final = _libc.poll
_poll.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int]
_poll.restype = ctypes.c_int


class _Watched(ctypes.Structure):
    """`struct pollfd`."""

    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


class ShortCalls:
    """The calls on one socket, with the memory that they use.

    Arguments:
        connected: the socket, non-blocking.
    """

    __slots__ = ("_socket", "_watched", "_watched_at")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._watched = _Watched(-1, select.POLLIN)
        self._watched_at = ctypes.addressof(self._watched)

    def send(self, data: bytes) -> int:
        """Sends bytes, and returns how many were accepted. They are copied meanwhile, so they should be few.

        Raises:
            BlockingIOError: none can be accepted now.
            OSError: the connection broke.
        """
        sent: int = _send(self._socket.fileno(), data, len(data), _NO_SIGNAL)
        if sent < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return sent

    def is_readable(self) -> bool:
        """Whether bytes or the end have arrived."""
        self._watched.fd = descriptor = self._socket.fileno()
        return descriptor < 0 or _poll(self._watched_at, 1, 0) != 0
