"""Calls that send parts of an object, several at a time, each until it has succeeded.

Theory of operation. Every call is in one of two places: `_in_flight`, which mirrors the window's queue in order, or
`_failed`. The oldest call in flight is awaited first:

- it succeeds: it leaves `_in_flight`;
- it fails: it moves to `_failed`, and the verb that waited raises its error;
- the waiting caller is cancelled: the window still has the call (its length is the evidence), so it stays in flight.

The next verb waits for the calls in flight, collects their failures, and then makes all failed calls again, so a
short outage is one error and not one per call. A retried call has the same arguments. One task uses the object at a
time; the calls run in the window's tasks.
"""

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
    """A bounded set of calls in flight. A failed call raises its error once, and the next verb makes it again.

    The calls hold at most `MAX_IN_FLIGHT` bytes, or one larger call. A verb waits for its calls without a limit of its
    own: the transport's timeouts end a call that hangs.

    Arguments:
        window: runs the calls.
    """

    __slots__ = ("_failed", "_in_flight", "_window")

    def __init__(self, window: Window[None]) -> None:
        self._window = window
        self._in_flight: deque[tuple[Call, int]] = deque()
        self._failed: list[tuple[Call, int]] = []

    def __len__(self) -> int:
        """The number of calls that are not known to have succeeded."""
        return len(self._in_flight) + len(self._failed)

    def has_room(self, size: int) -> bool:
        """Whether a call with `size` bytes can be added now. False while failed calls wait to be made again."""
        if self._failed or self._window.is_full():
            return False
        return not self._in_flight or size + sum(bytes_held for _, bytes_held in self._in_flight) <= MAX_IN_FLIGHT

    def spawn(self, call: Call, size: int) -> None:
        """Adds a call with `size` bytes. There must be room for it."""
        self._window.spawn(call)
        self._in_flight.append((call, size))

    async def make_room(self, size: int) -> None:
        """Waits until there is room for a call with `size` bytes."""
        await self._resend()
        while not self.has_room(size):
            await self._settle_oldest()

    async def drain(self) -> None:
        """Waits until every call has succeeded."""
        await self._resend()
        await self.settle()

    async def settle(self) -> None:
        """Waits for every call in flight, without making failed calls again."""
        while self._in_flight:
            await self._settle_oldest()

    async def close(self) -> None:
        """Cancels the calls in flight, waits until they have ended, and drops the failed ones."""
        try:
            await self._window.close()
        finally:
            self._in_flight.clear()
            self._failed.clear()

    async def _resend(self) -> None:
        if self._failed:
            while self._in_flight:
                with suppress(Exception):  # the call is made again below: if it fails again, that error is raised
                    await self._settle_oldest()
        while self._failed:
            self.spawn(*self._failed.pop())

    async def _settle_oldest(self) -> None:
        try:
            await self._window.take()
        except BaseException:
            if len(self._window) < len(self._in_flight):  # else the caller was cancelled, and the call continues
                self._failed.append(self._in_flight.popleft())
            raise
        self._in_flight.popleft()
