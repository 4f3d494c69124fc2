"""`Slots`: how many connections of a pool may be in use, and the requests that wait in line for one.

Theory of operation. A request takes a slot before its connection, and frees it once the connection is given back,
whether that is kept or not: kept connections do not count. Requests without a slot wait in line. A freed slot goes to
the first of them, without becoming free in between. So no slot is free while a request waits, and no request overtakes
another. A turn that is given up, by a timeout or a cancellation, goes to the next.

Where the process can open no further file, the requests wait for the connections that there are (`shrink`): the slots
are then as many as these, until no request waits.

The wait is bounded not by its length but by inactivity of the whole pool: with many waiting each turn comes late, but
it comes.
"""

import asyncio
from collections import deque

from entrepot.errors import Timeout
from entrepot.raw.http import failures
from entrepot.raw.http.configured import Limits
from entrepot.raw.in_line import waiting_in_line

from .sweep import NEVER, Sweep


class _Turn:
    """The place of a request in the line."""

    __slots__ = ("given", "since")

    def __init__(self, given: "asyncio.Future[None]", since: float) -> None:
        self.given = given
        self.since = since


class Slots:
    """The slots of a pool.

    Arguments:
        loop: the event loop of the pool.
        limits: how many slots there are, and how long requests wait while nothing happens.
        sweep: the timer of the pool, which calls `end_patience`.

    Attributes:
        in_use: how many are taken.
        most: how many there are now.
        was_used: whether something happened on a connection since the last look of the timer, so that waiting requests
            keep waiting.
    """

    __slots__ = ("_limit", "_limits", "_loop", "_sweep", "_turns", "_used_at", "in_use", "most", "was_used")

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, sweep: Sweep) -> None:
        self._loop = loop
        self._limits = limits
        self._sweep = sweep
        self._turns: deque[_Turn] = deque()
        self._used_at = 0.0
        self.in_use = 0
        self.most = self._limit = NEVER if limits.in_use is None else limits.in_use
        self.was_used = False

    @property
    def are_awaited(self) -> bool:
        """Whether requests wait in line."""
        return bool(self._turns)

    async def take(self) -> None:
        """Takes a slot, and waits for it if none is free.

        Raises:
            Timeout: all connections were inactive for too long.
        """
        if self.in_use < self.most:
            self.in_use += 1
            return
        turn = _Turn(self._loop.create_future(), self._loop.time())
        self._turns.append(turn)
        self._sweep.include(self._limits.patience)
        try:
            with waiting_in_line("max_connections"):
                await turn.given
        except BaseException:
            if turn.given.done() and not turn.given.cancelled() and turn.given.exception() is None:
                self.free()  # it was given at the same time
            elif turn in self._turns:
                self._turns.remove(turn)
            raise

    def free(self) -> None:
        """Frees a slot, or gives it to the request that waits longest."""
        while self._turns:
            turn = self._turns.popleft()
            if not turn.given.done():
                turn.given.set_result(None)
                return
        self.in_use -= 1
        self.most = self._limit

    def shrink(self) -> bool:
        """Removes a slot for whose connection there is no file. Returns False if it is the only one in use.

        Nobody could take it over: the connection of the next request would need a file as well.
        """
        if self.in_use == 1:
            return False
        self.in_use -= 1
        self.most = self.in_use
        return True

    def end_patience(self, now: float) -> float:
        """Fails the requests that have waited while all connections were inactive. Returns the timeout in force."""
        patience = self._limits.patience
        if patience is None or not self._turns:
            return NEVER
        if self.was_used:
            self.was_used = False
            self._used_at = now
        for turn in list(self._turns):
            if now - max(turn.since, self._used_at) >= patience and not turn.given.done():
                self._turns.remove(turn)
                turn.given.set_exception(Timeout(failures.no_connection_free(self.in_use, self._limits.in_use)))
        return patience

    def end(self) -> None:
        """Fails all requests that wait: the connections are closed."""
        while self._turns:
            turn = self._turns.popleft()
            if not turn.given.done():
                turn.given.set_exception(failures.CONNECTIONS_CLOSED.error())
