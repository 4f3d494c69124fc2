"""The runtime without a loop: every wait is a plain blocking call, so that no coroutine ever suspends.

`run` steps such a coroutine to its result. Blocking code on local storage is built on it.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar, TypeVarTuple

from entrepot.errors import Unsupported

from . import base

T = TypeVar("T")
Args = TypeVarTuple("Args")

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class DeadlinePassed(TimeoutError):
    """The time of a scope is over. An error of the system, such as ETIMEDOUT of a connection, is another thing."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Steps a coroutine to its result, without a loop.

    Raises:
        Unsupported: the coroutine waits for something that only an event loop can bring.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    return _give_up(coroutine, f"a coroutine suspended under the inline runtime: it waits for {type(awaited).__name__}")


def _give_up(coroutine: Coroutine[Any, Any, T], message: str) -> T:
    """Raises in the coroutine, where it waits. The coroutine cleans up and adds its context to the error."""
    stuck = Unsupported(message)
    try:
        coroutine.throw(stuck)
    except StopIteration as done:
        result: T = done.value
        return result
    try:
        coroutine.close()
    except RuntimeError as error:  # it waits again while it is being closed
        raise stuck from error
    raise stuck


class InlineRunner(base.Runner):
    """Runs coroutines of the inline runtime, in the thread that calls."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its result.

        Raises:
            Unsupported: the interpreter is clearing its modules, whose behaviour is then undefined.
        """
        if sys.is_finalizing():
            coroutine.close()
            raise Unsupported("the interpreter ends")
        return run(coroutine)

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine."""
        run(coroutine)

    def bring(self, items: Iterable[T]) -> Iterable[T]:
        """The items as they are: the thread that waits draws from them anyway."""
        return items

    def drop(self, held: list[T], close: Callable[[T], Awaitable[None]]) -> None:
        """Closes the objects in the list, such as a reader with its file, and empties it."""
        if not sys.is_finalizing():
            for item in held:
                run(_closed(item, close))
        held.clear()


async def _closed(held: T, close: Callable[[T], Awaitable[None]]) -> None:
    await close(held)


class InlineRuntime(base.Runtime):
    """Waits by blocking the calling thread.

    A timeout is checked before each call. It ends a call that waits with `time_left`, such as one for a response over
    HTTP; a system call on a local disk is not interrupted.
    """

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        time_left()
        return call(*args)

    def call_queue(self) -> base.CallQueue:
        return self  # its calls are made one at a time anyway: a window of this runtime runs none ahead

    async def try_nonblocking(self, attempt: Callable[[*Args], T | None], *args: *Args) -> T | None:
        return None

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, T]]) -> tuple[base.File, T]:
        time_left()
        raw, learned = opener()
        return _File(raw), learned

    async def sleep(self, seconds: float) -> None:
        left = time_left()
        time.sleep(seconds if left is None else min(seconds, left))  # noqa: ASYNC251  (the inline runtime blocks)
        time_left()

    def now(self) -> float:
        return time.monotonic()

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return _Limited(seconds)

    async def with_timeout(self, seconds: float, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        async with _Limited(seconds):
            return await call(*args)

    def window(self, size: int) -> base.Window[T]:
        return _Window(size)

    def lock(self) -> AbstractAsyncContextManager[object]:
        return _Scope(1)

    def limiter(self, permits: int) -> AbstractAsyncContextManager[object]:
        return _Scope(permits)

    async def shield(self, call: Callable[[], Awaitable[T]]) -> T:
        return await call()

    def local(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> base.Local[T]:
        return _ProcessLocal(make, close)


def time_left(seconds: float | None = None) -> float | None:
    """The seconds that a call may block: at most `seconds`, and at most until the deadline of the scopes around it.

    A call that blocks passes it on to the system, so that a scope of `timeout` ends it.

    Arguments:
        seconds: the limit of the call itself; None, the default, is without limit.

    Raises:
        DeadlinePassed: the deadline has passed.
    """
    deadline = _deadline.get()
    if deadline is None:
        return seconds
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlinePassed
    return left if seconds is None else min(seconds, left)


class _Limited:
    """A scope with a deadline, or with that of the scope around it where it comes first."""

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> None:
        outer = _deadline.get()
        own = None if self._seconds is None else time.monotonic() + self._seconds
        self._token = _deadline.set(own if outer is None else outer if own is None else min(outer, own))

    async def __aexit__(self, *exc_info: object) -> None:
        _deadline.reset(self._token)


class _File:
    __slots__ = ("_raw",)

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw

    async def run(self, call: Callable[[io.FileIO, *Args], T], *args: *Args) -> T:
        time_left()
        return call(self._raw, *args)

    def start(self, read: Callable[[io.FileIO, int], bytes], start: int, end: int) -> None:
        return None

    async def close(self) -> None:
        self._raw.close()


class _Window(base.Window[T]):
    """Nothing runs ahead: a call is made when its result is taken."""

    __slots__ = ("_calls", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._calls: deque[Callable[[], Awaitable[T]]] = deque()

    def __len__(self) -> int:
        return len(self._calls)

    def is_full(self) -> bool:
        return len(self._calls) >= self._size

    def spawn(self, call: Callable[[], Awaitable[T]]) -> None:
        self._calls.append(call)

    async def take(self) -> T:
        return await self._calls.popleft()()

    async def close(self) -> None:
        self._calls.clear()


class _Scope:
    __slots__ = ("_permits",)

    def __init__(self, permits: int) -> None:
        self._permits = threading.BoundedSemaphore(permits)

    async def __aenter__(self) -> None:
        if not self._permits.acquire(timeout=time_left()):
            raise DeadlinePassed

    async def __aexit__(self, *exc_info: object) -> None:
        self._permits.release()


class _ProcessLocal(Generic[T]):
    """One value for the process: without a loop all threads share it. A forked child makes its own."""

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None) -> None:
        self._make = make
        self._close = close
        self._held: dict[int, T] = {}

    async def get(self) -> T:
        process = os.getpid()
        if process not in self._held:
            self._held.setdefault(process, self._make())  # of two threads, the first one's stays
        return self._held[process]

    async def close(self) -> None:
        if (process := os.getpid()) in self._held:
            value = self._held.pop(process)
            if self._close is not None:
                await self._close(value)
