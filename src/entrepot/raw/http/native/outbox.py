"""`Outbox`: requests that are made in one turn of the event loop are sent together.

Theory of operation. A server answers the first request while the next ones are made. Sent one by one, the responses to
them are spread over several turns of the loop, each of which costs a look at all sockets. Sent together, at the end of
the turn, they also arrive together: with 32 requests in flight a request takes a fifth less time of the processor.

A request waits in its connection (`Connection.start`), which forgets it if its exchange ends first, and only the
connection in the outbox. None waits for longer than `PATIENCE` and one step of a task: callers may compute for long
with what they received before they make the next request.
"""

from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from .connection import Connection

PATIENCE: Final = 0.001
"""Seconds after which a request waits no longer for the end of the turn, once another one is made."""


class Outbox:
    """The connections of a pool whose requests have not been sent.

    Arguments:
        loop: the event loop of the pool.
    """

    __slots__ = ("_connections", "_loop", "_since")

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self._loop = loop
        self._connections: list[Connection] = []
        self._since = 0.0

    def add(self, connection: "Connection") -> None:
        """Has a connection send its request soon."""
        now = monotonic()
        if not self._connections:
            self._since = now
            self._loop.call_soon(self._send)
        self._connections.append(connection)
        if now - self._since > PATIENCE:
            self._send()

    def _send(self) -> None:
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.send_request()
