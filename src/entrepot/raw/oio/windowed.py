"""`gather`: makes many calls, a few at a time, and keeps their results in order.

Theory of operation. The window bounds how many calls run at the same time. When it is full, the oldest call's result
is awaited before the next call starts, so results arrive in the order of the calls and at most a window of them is
pending. An error or a cancellation ends the loop; `window.close` then cancels the other calls and waits for them, so
no call outlives `gather`, and `results` has the results of all calls before the failed one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

T = TypeVar("T")


async def gather(calls: Iterable[Callable[[], Awaitable[T]]], window: Window[T], results: list[T]) -> None:
    """Makes all calls and appends their results in the order of the calls.

    When a call fails, its error is raised; `results` then has the results of the calls before it, and no call is
    left running.

    Arguments:
        calls: the calls; each is drawn when there is room for it.
        window: runs the calls; it is closed at the end.
        results: receives the results.
    """
    try:
        for call in calls:
            if window.is_full():
                results.append(await window.take())
            window.spawn(call)
        while len(window):
            results.append(await window.take())
    finally:
        await window.close()
