"""Polling without a thread, for events that only repeated attempts show, such as a lock of another process."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.032


T = TypeVar("T")


async def poll(runtime: "Runtime", attempt: Callable[[], Awaitable[T | None]]) -> T:
    """Makes attempts until one returns a result other than None. The runtime sleeps between them, 1 to 32 ms."""
    pause = _FIRST_PAUSE
    while (result := await attempt()) is None:
        await runtime.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return result
