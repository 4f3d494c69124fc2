"""Calls that are cancelled while they run, calls that run together, and calls that are repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from entrepot.errors import Error

T = TypeVar("T")

CANCEL_TIMES: Final = (0, 1, 2, 3, 5, 8, 13, 0.001, 0.003, 0.01)
"""When to cancel: an int is a number of turns of the event loop, a float a number of seconds."""


TRIES: Final = 3
"""How often a call is made that fails because the server is busy."""

PAUSE: Final = 0.1
"""Seconds in between."""


async def interrupt(call: Callable[[], Awaitable[object]], time: float) -> bool:
    """Makes a call and cancels it at the given time. Returns whether the call had ended by itself before.

    Raises:
        Error: the call failed with it.
    """
    outcome: list[Exception | None] = []

    async def make() -> None:
        try:
            await call()
        except Exception as error:  # noqa: BLE001  raised below, outside of the group
            outcome.append(error)
        else:
            outcome.append(None)

    async with anyio.create_task_group() as group:
        group.start_soon(make)
        await _wait(time)
        group.cancel_scope.cancel()
    for error in outcome:
        if error is not None:
            raise error
    return bool(outcome)


async def again(call: Callable[[], Awaitable[T]]) -> T:
    """Repeats a call that was interrupted.

    A server may still be busy with the interrupted call, and answer with a temporary error.

    Raises:
        Error: the call failed with an error that is not temporary, or failed each time.
    """
    for _ in range(TRIES - 1):
        try:
            return await call()
        except Error as error:
            if not error.is_temporary:
                raise
            await anyio.sleep(PAUSE)
    return await call()


async def together(*calls: Callable[[], Awaitable[object]]) -> list[object]:
    """The results of calls made at the same time, in order. The result of a call that failed is its `Error`.

    Raises:
        Exception: a call failed with another error.
    """
    results: list[object] = [None] * len(calls)

    async def make(index: int, call: Callable[[], Awaitable[object]]) -> None:
        try:
            results[index] = await call()
        except Exception as error:  # noqa: BLE001  returned or raised below, outside of the group
            results[index] = error

    async with anyio.create_task_group() as group:
        for index, call in enumerate(calls):
            group.start_soon(make, index, call)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, Error):
            raise result
    return results


async def _wait(time: float) -> None:
    if isinstance(time, float):
        await anyio.sleep(time)
        return
    for _ in range(int(time)):
        await checkpoint()
