"""The runtime without a loop: every wait is a plain blocking call, so that no coroutine ever suspends.

`run` steps such a coroutine to its result. It is what blocking code on local storage stands on.
"""

import io
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar, TypeVarTuple

from entrepot.errors import Unsupported

from . import base

T = TypeVar("T")
Args = TypeVarTuple("Args")

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Steps a coroutine to its result, without a loop.

    Raises:
        Unsupported: the coroutine waits for something that only an event loop can bring.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise Unsupported(f"a coroutine suspended under the inline runtime: it waits for {awaited!r}")


class InlineRuntime(base.Runtime):
    """Waits by blocking the calling thread. A timeout is checked before each call, not during it."""

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        _check_deadline()
        return call(*args)

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, T]]) -> tuple[base.File, T]:
        _check_deadline()
        raw, learned = opener()
        return _File(raw), learned

    async def sleep(self, seconds: float) -> None:
        _check_deadline()
        time.sleep(seconds)
        _check_deadline()

    def now(self) -> float:
        return time.monotonic()

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return _timeout(seconds)

    def window(self, size: int) -> base.Window[T]:
        return _Window(size)

    def lock(self) -> AbstractAsyncContextManager[object]:
        return _Scope(threading.Lock())

    def limiter(self, permits: int) -> AbstractAsyncContextManager[object]:
        return _Scope(threading.BoundedSemaphore(permits))

    async def shield(self, call: Callable[[], Awaitable[T]]) -> T:
        return await call()

    def local(
        self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None
    ) -> base.Local[T]:
        return _ProcessLocal(make, close)


def _check_deadline() -> None:
    deadline = _deadline.get()
    if deadline is not None and time.monotonic() >= deadline:
        raise TimeoutError


@asynccontextmanager
async def _timeout(seconds: float | None) -> AsyncIterator[None]:
    outer = _deadline.get()
    own = None if seconds is None else time.monotonic() + seconds
    token = _deadline.set(own if outer is None else outer if own is None else min(outer, own))
    try:
        yield
    finally:
        _deadline.reset(token)


class _File:
    __slots__ = ("_raw",)

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw

    async def run(self, call: Callable[[io.FileIO, *Args], T], *args: *Args) -> T:
        _check_deadline()
        return call(self._raw, *args)

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
        result = await self._calls[0]()
        self._calls.popleft()
        return result

    async def close(self) -> None:
        self._calls.clear()


class _Scope:
    __slots__ = ("_permit",)

    def __init__(self, permit: threading.Lock | threading.BoundedSemaphore) -> None:
        self._permit = permit

    async def __aenter__(self) -> None:
        self._permit.acquire()

    async def __aexit__(self, *exc_info: object) -> None:
        self._permit.release()


class _ProcessLocal(Generic[T]):
    """One value for the process: without a loop all threads share it. A forked child makes its own."""

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None) -> None:
        self._make = make
        self._close = close
        self._held: tuple[int, T] | None = None

    async def get(self) -> T:
        held = self._held
        if held is None or held[0] != os.getpid():
            held = self._held = (os.getpid(), self._make())
        return held[1]

    async def close(self) -> None:
        held, self._held = self._held, None
        if held is not None and held[0] == os.getpid() and self._close is not None:
            await self._close(held[1])
