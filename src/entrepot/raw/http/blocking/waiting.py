"""Waits until a socket can receive or send, for a limited time.

Sockets are non-blocking, and every wait is a poll of its own. So a limit costs no system call, the deadline of the
inline runtime reaches each wait, and Ctrl-C interrupts it. A socket with a timeout of its own would poll as well.
"""

import select
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

from entrepot.raw.runtime.inline import time_left

from .errors import Silent

_LONGEST: Final = 1_000_000_000.0
"""Milliseconds that a poll can take."""

if hasattr(select, "poll"):
    READ, WRITE = select.POLLIN, select.POLLOUT
else:
    READ, WRITE = 1, 4


class Waiter:
    """Waits for one socket.

    Arguments:
        connection: the socket.
        events: what is waited for: `READ`, `WRITE` or both.

    Attributes:
        poll: waits for so many milliseconds, and returns what came; None is without limit.
    """

    __slots__ = ("poll",)

    def __init__(self, connection: socket.socket, events: int) -> None:
        self.poll: Callable[[float | None], list[tuple[int, int]]]
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(connection.fileno(), events)
            self.poll = poll.poll
        else:
            self.poll = _Selected(connection, events).poll

    def wait(self, seconds: float | None) -> int:
        """Waits for one of the events, or the end of the connection, and returns what came.

        Raises:
            Silent: none of them came in `seconds`; None is without limit.
            DeadlinePassed: the deadline of the runtime has passed.
        """
        left = time_left(seconds)
        if left is not None and (left := left * 1000) > _LONGEST:
            left = _LONGEST
        events = self.poll(left)
        if not events:
            time_left(None)
            events = self.poll(0)  # where many threads wait for the interpreter, this one is late, and not the server
        if events:
            return events[0][1]
        raise Silent


class _Selected:
    """The same by `select`, on systems without `poll` (Windows)."""

    def __init__(self, connection: socket.socket, events: int) -> None:
        self._connection = connection
        self._readers = [connection] if events & READ else []
        self._writers = [connection] if events & WRITE else []

    def poll(self, milliseconds: float | None) -> list[tuple[int, int]]:
        """The events of the socket, as `select.poll` returns them."""
        seconds = None if milliseconds is None else milliseconds / 1000
        # Windows reports a connection that failed as an exception.
        readable, writable, failed = select.select(self._readers, self._writers, self._writers, seconds)
        events = (READ if readable else 0) | (WRITE if writable or failed else 0)
        return [(self._connection.fileno(), events)] if events else []


def left_of(seconds: float | None, started: float) -> float | None:
    """The seconds that are left of a time that has started then; None is without limit.

    Raises:
        Silent: none are.
    """
    if seconds is None:
        return None
    left = started + seconds - monotonic()
    if left <= 0:
        raise Silent
    return left
