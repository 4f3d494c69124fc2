"""Cancelling a call on its way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from entrepot.errors import Error

T = TypeVar("T")

MOMENTS: Final = (0, 1, 2, 3, 5, 8, 13, 0.001, 0.003, 0.01)
"""When to cancel: after so many turns of the event loop, or after so many seconds."""


TRIES: Final = 3
"""How often a call is made again that meets a server busy with itself."""

PAUSE: Final = 0.1
"""Seconds in between."""


async def interrupt(call: Callable[[], Awaitable[object]], moment: float) -> bool:
    """Makes a call and cancels it at a moment. Says whether it had ended by itself before.

    Raises:
        Error: the call ended with it.
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
        await _wait(moment)
        group.cancel_scope.cancel()
    for error in outcome:
        if error is not None:
            raise error
    return bool(outcome)


async def again(call: Callable[[], Awaitable[T]]) -> T:
    """Makes a call that was interrupted again.

    A server may be busy with the interrupted one still, and say so by a temporary error.

    Raises:
        Error: it ended with it, and is not temporary or has been so each time.
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
    """The results of calls made at the same time, in order; where one failed with an error of ours, the error.

    Raises:
        Exception: one failed with another.
    """
    results: list[object] = [None] * len(calls)

    async def make(index: int, call: Callable[[], Awaitable[object]]) -> None:
        try:
            results[index] = await call()
        except Exception as error:  # noqa: BLE001  given or raised below, outside of the group
            results[index] = error

    async with anyio.create_task_group() as group:
        for index, call in enumerate(calls):
            group.start_soon(make, index, call)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, Error):
            raise result
    return results


async def _wait(moment: float) -> None:
    if isinstance(moment, float):
        await anyio.sleep(moment)
        return
    for _ in range(int(moment)):
        await checkpoint()
