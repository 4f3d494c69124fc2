"""Calls that run ahead, a few at a time, whose results are kept in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

T = TypeVar("T")


async def gather(calls: Iterable[Callable[[], Awaitable[T]]], window: Window[T], results: list[T]) -> None:
    """Makes all calls and appends their results in the order of the calls.

    When one fails its error is raised; the results of those before it are there, and no call is left running.

    Arguments:
        calls: what to call.
        window: where the calls run; it is closed at the end.
        results: where the results go.
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
