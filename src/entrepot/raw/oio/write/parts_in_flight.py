"""Calls that send parts of an object, several at a time, each until it has succeeded."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

MAX_IN_FLIGHT: Final = 128 * 1024 * 1024
"""The most bytes in flight, unless a single call has more."""

Call = Callable[[], Awaitable[None]]


class PartsInFlight:
    """A window of calls. When one has failed its error is raised, and the next verb makes it again.

    A verb that raises or is cancelled leaves the other calls in flight. The next one waits until they have ended
    and makes all those again that failed, so that a short outage is one error and not one for each call. No more
    than `MAX_IN_FLIGHT` bytes are held by calls, or those of one call where that has more. A call that never ends
    is waited for: that it ends is up to the limits of the transport.

    Arguments:
        window: where the calls run.
    """

    __slots__ = ("_failed", "_in_flight", "_window")

    def __init__(self, window: Window[None]) -> None:
        self._window = window
        self._in_flight: deque[tuple[Call, int]] = deque()
        self._failed: list[tuple[Call, int]] = []

    def __len__(self) -> int:
        """How many calls have not been seen to succeed."""
        return len(self._in_flight) + len(self._failed)

    def has_room(self, size: int) -> bool:
        """Whether a call that sends so many bytes can be added now. Not before those that failed are made again."""
        if self._failed or self._window.is_full():
            return False
        return not self._in_flight or size + sum(held for _, held in self._in_flight) <= MAX_IN_FLIGHT

    def spawn(self, call: Call, size: int) -> None:
        """Adds a call that sends so many bytes, for which there is room."""
        self._window.spawn(call)
        self._in_flight.append((call, size))

    async def make_room(self, size: int) -> None:
        """Waits until there is room for a call that sends so many bytes."""
        await self._resend()
        while not self.has_room(size):
            await self._settle_oldest()

    async def drain(self) -> None:
        """Waits until every call has succeeded."""
        await self._resend()
        await self.settle()

    async def settle(self) -> None:
        """Waits for every call in flight, and makes none again."""
        while self._in_flight:
            await self._settle_oldest()

    async def close(self) -> None:
        """Cancels what is in flight, waits until it has ended, and forgets what failed."""
        try:
            await self._window.close()
        finally:
            self._in_flight.clear()
            self._failed.clear()

    async def _resend(self) -> None:
        if self._failed:
            while self._in_flight:
                with suppress(Exception):  # made again below: if it still fails, that is raised
                    await self._settle_oldest()
        while self._failed:
            self.spawn(*self._failed.pop())

    async def _settle_oldest(self) -> None:
        try:
            await self._window.take()
        except BaseException:
            if len(self._window) < len(self._in_flight):  # else the caller was cancelled, and the call goes on
                self._failed.append(self._in_flight.popleft())
            raise
        self._in_flight.popleft()
