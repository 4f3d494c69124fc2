"""One timer for all timeouts of a pool.

Theory of operation. A timer for each request would cost more than writing its head. So each connection only notes that
it was active (`Connection.is_active`), which takes no clock, and one timer looks at all of them some times within the
shortest timeout in force: an active one is given the time of that look, and one that was inactive for its timeout since
then has timed out. So a timeout is never early, and late by a tenth at most. Without connections the timer stops.
"""

import asyncio
from collections.abc import Callable
from typing import Final

PARTS: Final = 10
"""How many times the timer fires within the shortest timeout."""

NEVER: Final = float("inf")

_SHORTEST: Final = 0.001


class Sweep:
    """A timer that fires some times within the shortest timeout in force.

    Arguments:
        loop: the event loop.
        check: looks at everything that can time out. It is given the time on the clock of the loop, and returns the
            shortest timeout in force in seconds, or `NEVER`.

    Attributes:
        period: the shortest timeout in force. A shorter one must be announced by `include`.
    """

    __slots__ = ("_check", "_loop", "_timer", "period")

    def __init__(self, loop: asyncio.AbstractEventLoop, check: Callable[[float], float]) -> None:
        self._loop = loop
        self._check = check
        self._timer: asyncio.TimerHandle | None = None
        self.period = NEVER

    def include(self, timeout: float | None) -> None:
        """Takes a timeout into account; None is without limit."""
        if timeout is not None and timeout < self.period:
            self._start(timeout)

    def _start(self, period: float) -> None:
        self.stop()
        self.period = period
        self._timer = self._loop.call_later(max(period / PARTS, _SHORTEST), self._fire)

    def stop(self) -> None:
        self.period = NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self.stop()
        period = self._check(self._loop.time())
        self.include(period)
