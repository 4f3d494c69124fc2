"""`AwakeTimeout`: a time limit that does not count the time in which the event loop was blocked.

Theory of operation. After a turn that was longer than the limit, such as the first steps of a hundred thousand tasks,
the loop finds the end of the wait and the timer of the limit in the same turn. `asyncio.timeout` then ends the wait,
though nothing was late but the loop. So the limit is cut into parts, each with a timer, and a part counts for at most
twice its length, however late its timer is.
"""

import asyncio
from types import TracebackType
from typing import Final

from .running import clock_of

_PARTS: Final = 10

_SHORTEST: Final = 0.001
"""The least seconds of a part. uvloop rounds to milliseconds, so that its timer may fire just too early."""


class AwakeTimeout:
    """Ends what is awaited in its block by `TimeoutError`, as `asyncio.timeout` does. It is never early.

    Arguments:
        seconds: the time that the loop runs until then; None is without limit.
    """

    __slots__ = ("_clock", "_left", "_looked_at", "_loop", "_part", "_scope", "_timer")

    def __init__(self, seconds: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock_of(self._loop)
        self._left = seconds or 0.0
        self._part = max(self._left / _PARTS, _SHORTEST)
        self._scope = asyncio.timeout(None if self._left > 0 else seconds)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._scope.__aenter__()
        if self._left > 0:
            self._wait()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._scope.__aexit__(exc_type, exc, traceback)

    def _wait(self) -> None:
        self._looked_at = self._clock()
        self._timer = self._loop.call_later(max(min(self._left, self._part), _SHORTEST), self._look)

    def _look(self) -> None:
        self._left -= min(self._clock() - self._looked_at, 2 * self._part)
        if self._left > 0:
            self._wait()
        else:
            self._scope.reschedule(self._loop.time())
