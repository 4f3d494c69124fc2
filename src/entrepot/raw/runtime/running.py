"""The running asyncio loop and task, or one clear error where there is none; and the clock of a loop.

Without these checks a coroutine that is stepped by hand or by another library (trio, curio) ends with whatever asyncio
or that library raises at the first wait: RuntimeError, TypeError, or nothing at all.

The timers of a loop count on the loop's clock. It is `time.monotonic` for asyncio and uvloop, and another one for loops
of tests on which time passes virtually, or of trio. A duration that is compared with a timer must be measured on it.
"""

import asyncio
import time
from collections.abc import Callable
from types import FunctionType
from typing import TypeVarTuple

from entrepot.errors import InvalidInput, Unsupported

Args = TypeVarTuple("Args")

_ADVICE = "run it by asyncio, uvloop or anyio on asyncio, or call op.blocking()"


def running_loop() -> asyncio.AbstractEventLoop:
    """Returns the running event loop.

    Raises:
        Unsupported: no asyncio loop runs.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        raise Unsupported(f"this needs a running asyncio event loop: {_ADVICE}") from error


def is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this loop runs here."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def is_another_loop_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether another loop runs here. In a forked child that leaves an inherited loop, no loop runs."""
    try:
        return asyncio.get_running_loop() is not loop
    except RuntimeError:
        return False


def require_task() -> asyncio.AbstractEventLoop:
    """Refuses to wait outside of a task: a timer could not cancel the wait. Returns the running event loop.

    Raises:
        Unsupported: no asyncio task runs here.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError as error:
        raise Unsupported(f"this needs a running asyncio event loop: {_ADVICE}") from error
    if asyncio.current_task(loop) is None:
        raise Unsupported("this runs outside of a task: make one of it by asyncio.create_task")
    return loop


def is_cancelled() -> bool:
    """Whether the running task itself was cancelled, not a future that it waits for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def of_another_loop() -> InvalidInput:
    """Returns the error for an object that was opened on one event loop and is used on another."""
    return InvalidInput("this belongs to another event loop: open a reader, writer or lister on each loop")


def call_on(loop: asyncio.AbstractEventLoop, callback: Callable[[*Args], object], *args: *Args) -> bool:
    """Has a loop make a call soon, from any thread. Returns False where the loop is closed: it makes no call any more.

    Another thread may close the loop at any moment, so it is of no use to ask for that before.
    """
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise
        return False
    return True


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Returns the clock of a loop: `time.monotonic` where that is the same.

    asyncio's method takes more time, and uvloop's is only as late as the start of the current iteration. uvloop is
    compiled, and a clock of a test is a function of Python.
    """
    clock = getattr(loop.time, "__func__", loop.time)
    has_own = isinstance(clock, FunctionType) and clock is not asyncio.BaseEventLoop.time
    return loop.time if has_own else time.monotonic


def may_run_within_itself(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a task may run the loop while the loop runs it, as `nest_asyncio` allows in notebooks.

    Such a package replaces methods of the class of the loop, at any time. uvloop is compiled, and refuses it.
    """
    run = type(loop).run_forever
    return run is not asyncio.BaseEventLoop.run_forever and isinstance(run, FunctionType)


def now() -> float:
    """The time on the clock of the running loop; without a loop that of `time.monotonic`."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return time.monotonic()
    return clock_of(loop)()
