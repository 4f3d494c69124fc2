"""`Outbox`: requests that are made in one turn of the event loop are sent together.

Theory of operation. A server answers the first request while the next ones are made. Sent one by one, the responses to
them are spread over several turns of the loop, each of which costs a look at all sockets. Sent together, at the end of
the turn, they also arrive together: with 32 requests in flight a request takes a fifth less time of the processor.

A request waits in its connection (`Connection.start`), which forgets it if its exchange ends first, and only the
connection in the outbox. Requests that are made rarely, because callers compute or responses come one by one, do not
wait: what a caller computes after its request would hold that up. And none waits for longer than `PATIENCE` in a turn
that makes many.
"""

from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from .connection import Connection

PATIENCE: Final = 0.001
"""Seconds without a request after which the next one is sent at once, and the most that one waits while others come."""


class Outbox:
    """The connections of a pool whose requests have not been sent.

    Arguments:
        loop: the event loop of the pool.
    """

    __slots__ = ("_added", "_connections", "_loop", "_since")

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self._loop = loop
        self._connections: list[Connection] = []
        self._added = self._since = 0.0

    def add(self, connection: "Connection") -> None:
        """Has a connection send its request soon."""
        now = monotonic()
        is_rare, self._added = now - self._added > PATIENCE, now
        if not self._connections:
            self._since = now
            if not is_rare:
                self._loop.call_soon(self._send)
        self._connections.append(connection)
        if is_rare or now - self._since > PATIENCE:
            self._send()

    def _send(self) -> None:
        connections, self._connections = self._connections, []
        try:
            for connection in connections:
                connection.send_request()
        except BaseException:  # an interrupt: the loop may be run again
            self._connections = connections + self._connections
            self._loop.call_soon(self._send)
            raise
