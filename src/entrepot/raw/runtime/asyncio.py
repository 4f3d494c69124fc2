"""The asyncio runtime. It also runs under uvloop and under anyio on asyncio."""

import asyncio
import io
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, TypeVarTuple

import anyio

from . import base
from .loop_local import LoopLocal, used_loops

T = TypeVar("T")
Args = TypeVarTuple("Args")


class AsyncioRuntime(base.Runtime):
    """Waits on the running asyncio loop; blocking calls go to its default executor."""

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        return await _in_thread(call, *args)

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, T]]) -> tuple[base.File, T]:
        opening = _in_thread(opener)
        try:
            raw, learned = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)
            raise
        return _File(raw), learned

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def now(self) -> float:
        return time.monotonic()

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)

    def window(self, size: int) -> base.Window[T]:
        return _Window(size)

    def lock(self) -> AbstractAsyncContextManager[object]:
        return asyncio.Lock()

    def limiter(self, permits: int) -> AbstractAsyncContextManager[object]:
        return asyncio.Semaphore(permits)

    async def shield(self, call: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.ensure_future(call())
        task.add_done_callback(_retrieve)
        await _finish([task])
        return task.result()

    def local(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> base.Local[T]:
        return LoopLocal(make, close)


def _in_thread(call: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    used_loops.add(loop)
    return loop.run_in_executor(None, call, *args)


def _close_opened(opening: asyncio.Future[tuple[io.FileIO, T]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()


class _File:
    """A call whose caller was cancelled still runs in its thread, on this file.

    So the next call waits for it, and the file is closed when it has ended and not before: closing
    it earlier would let the thread work on whatever is opened under the same number next.
    """

    __slots__ = ("_raw", "_running")

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self._running: asyncio.Future[Any] | None = None

    async def run(self, call: Callable[[io.FileIO, *Args], T], *args: *Args) -> T:
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running])
        running = self._running = _in_thread(call, self._raw, *args)
        return await asyncio.shield(running)

    async def close(self) -> None:
        if self._running is None or self._running.done():
            self._raw.close()
            return
        self._running.add_done_callback(lambda _: self._raw.close())
        await asyncio.wait([self._running])


class _Window(base.Window[T]):
    __slots__ = ("_size", "_tasks")

    def __init__(self, size: int) -> None:
        self._size = size
        self._tasks: deque[asyncio.Future[T]] = deque()

    def __len__(self) -> int:
        return len(self._tasks)

    def is_full(self) -> bool:
        return len(self._tasks) >= self._size

    def spawn(self, call: Callable[[], Awaitable[T]]) -> None:
        task = asyncio.ensure_future(call())
        task.add_done_callback(_retrieve)
        self._tasks.append(task)

    async def take(self) -> T:
        result = await asyncio.shield(self._tasks[0])
        self._tasks.popleft()
        return result

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, deque()
        for task in tasks:
            task.cancel()
        await _finish(tasks)


async def _finish(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Waits until all are done, also when the caller is cancelled meanwhile; that is raised afterwards.

    The scope keeps those of anyio off, which would cancel every wait anew.
    """
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while pending := [task for task in tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled


def _retrieve(task: asyncio.Future[Any]) -> None:
    """Looks at the error of a task, which is logged otherwise when nobody is left to take the result."""
    if not task.cancelled():
        task.exception()
