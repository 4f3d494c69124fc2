"""One timer for the time limits of all calls on an event loop.

Theory of operation. Most calls end long before their limit, so that a timer of their own is made and cancelled for
nothing. Here each call has only a scope of asyncio without a deadline, and an entry in a table. One timer fires at the
earliest deadline that was in the table when it was set. It gives the scopes that are late a deadline that has passed,
upon which asyncio ends them by its own rules of cancellation, and is set again for the earliest of the others. So no
call ends early, and the timer may find nothing to do, at most once within the shortest limit.
"""

import asyncio
from time import monotonic
from typing import Final

from .running import clock_of

_NEVER: Final = float("inf")

_SHORTEST: Final = 0.001
"""The least seconds until the timer fires. uvloop rounds to milliseconds, so that it may fire just too early."""


class Deadlines:
    """The deadlines of the calls that wait on one event loop.

    Arguments:
        loop: the event loop.
    """

    __slots__ = ("_by_scope", "_clock", "_loop", "_next", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._clock = clock_of(loop)
        self._by_scope: dict[asyncio.Timeout, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = _NEVER

    def add(self, scope: asyncio.Timeout, deadline: float) -> None:
        """Ends a scope, which was entered, at a time of `time.monotonic`, unless it is removed before."""
        if self._clock is not monotonic:
            deadline += self._clock() - monotonic()
        self._by_scope[scope] = deadline
        if deadline < self._next:
            self._set(deadline, self._clock())

    def remove(self, scope: asyncio.Timeout) -> None:
        """Takes a scope out before it is left."""
        self._by_scope.pop(scope, None)

    def _set(self, deadline: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = deadline
        self._timer = self._loop.call_later(max(deadline - now, _SHORTEST), self._fire)

    def _fire(self) -> None:
        self._timer, self._next = None, _NEVER
        now = self._clock()
        for scope in [scope for scope, deadline in self._by_scope.items() if deadline <= now]:
            del self._by_scope[scope]
            scope.reschedule(self._loop.time())
        if self._by_scope:
            self._set(min(self._by_scope.values()), now)
