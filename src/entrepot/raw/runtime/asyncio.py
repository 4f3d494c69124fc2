"""The asyncio runtime. It also runs under uvloop and under anyio on asyncio."""

import asyncio
import io
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from types import coroutine
from typing import Any, TypeVar, TypeVarTuple

from . import base
from .deadlines import Deadlines
from .loop_local import LoopLocal
from .running import call_on, is_running, now, of_another_loop, require_task, running_loop
from .threads import LONGEST_TURN, ThreadCalls, in_thread, in_thread_for_long, queue_of

T = TypeVar("T")
Args = TypeVarTuple("Args")


_deadlines = LoopLocal(lambda: Deadlines(running_loop()))


class AsyncioRuntime(base.Runtime):
    """Waits on the running asyncio loop; blocking calls go to its default executor."""

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        return await in_thread(call, *args)

    async def blocking_long(self, call: Callable[[*Args], T], *args: *Args) -> T:
        return await in_thread_for_long(call, *args)

    async def try_nonblocking(self, attempt: Callable[[*Args], T | None], *args: *Args) -> T | None:
        running_loop()
        await _turn()  # else a task that only makes such calls would starve the others
        return attempt(*args)

    def call_queue(self) -> base.CallQueue:
        return _CallQueue()

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, T]]) -> tuple[base.File, T]:
        file = _File()
        try:
            return file, await file.open(opener)
        except asyncio.CancelledError:
            await file.close()
            raise

    async def sleep(self, seconds: float) -> None:
        running_loop()
        await asyncio.sleep(seconds)

    now = staticmethod(now)

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        require_task()
        return asyncio.timeout(seconds)

    async def with_timeout(self, seconds: float, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        started = time.monotonic()
        made = call(*args).__await__()
        try:
            awaited = next(made)
        except StopIteration as done:
            answer: T = done.value
            return answer
        loop = require_task()
        deadlines = _deadlines.find(loop) or await _deadlines.get()
        async with asyncio.timeout_at(None) as scope:  # not before: a call that never waits needs none
            deadlines.add(scope, started + seconds)
            try:
                return await _going_on(made, awaited)
            finally:
                deadlines.remove(scope)

    def window(self, size: int) -> base.Window[T]:
        return _Window(size)

    def lock(self) -> AbstractAsyncContextManager[object]:
        return asyncio.Lock()

    def limiter(self, permits: int) -> AbstractAsyncContextManager[object]:
        return asyncio.Semaphore(permits)

    async def shield(self, call: Callable[[], Awaitable[T]]) -> T:
        running_loop()
        task = asyncio.ensure_future(call())
        task.add_done_callback(_retrieve)
        await _finish([task])
        return task.result()

    def local(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> base.Local[T]:
        return LoopLocal(make, close)


@coroutine
def _turn() -> Generator[None, None, None]:
    """One turn of the loop: `asyncio.sleep(0)` without a coroutine around it."""
    yield


@coroutine
def _going_on(made: Generator[Any, Any, T], awaited: object) -> Generator[Any, Any, T]:
    """The rest of a call that was stepped to its first wait."""
    while True:
        try:
            yield awaited
        except BaseException as error:  # noqa: BLE001 - it is for the call, which raises it, waits once more or ends
            try:
                awaited = made.throw(error)
            except StopIteration as done:
                answer: T = done.value
                return answer
        else:
            return (yield from made)


class _CallQueue(base.CallQueue):
    """Its thread finds the next call when it has made one, without waiting for the loop between them."""

    __slots__ = ("_calls", "_loop")

    _calls: ThreadCalls

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        loop = running_loop()
        if self._loop is not loop:  # a job of a loop that was closed would never be seen to end
            self._loop, self._calls = loop, queue_of(loop)
        return await self._calls.submit(loop, call, args)


class _File:
    """A call whose caller was cancelled still runs in its thread, on this file.

    So the next call waits for it. Closing does not wait, and yet the file is closed when that call has
    ended and not before: closing it earlier would let the thread work on whatever is opened under the
    same number next. The thread does it then, because the loop may be gone by that time.
    """

    __slots__ = ("_in_use", "_is_closed", "_raw", "_running")

    def __init__(self) -> None:
        self._raw: io.FileIO | None = None
        self._running: asyncio.Future[Any] | None = None
        self._in_use = threading.Lock()
        self._is_closed = False

    async def open(self, opener: Callable[[], tuple[io.FileIO, T]]) -> T:
        return await self._in_turn(self._open, opener)

    async def run(self, call: Callable[[io.FileIO, *Args], T], *args: *Args) -> T:
        return await self._in_turn(self._call, call, *args)

    def start(self, read: Callable[[io.FileIO, int], bytes], start: int, end: int) -> "_Started":
        started = _Started(running_loop())
        running = self._running = in_thread(self._use, self._call, started.read, read, start, end)
        started.follow(running)
        return started

    async def close(self) -> None:
        self._is_closed = True
        if self._running is not None:
            _cancel(self._running)  # a call that no thread has started is not made
        self._close_unless_in_use()

    async def _in_turn(self, call: Callable[[*Args], T], *args: *Args) -> T:
        if self._running is not None and not self._running.done():
            await _ended(self._running)
        running = self._running = in_thread(self._use, call, *args)
        return await asyncio.shield(running)

    def _open(self, opener: Callable[[], tuple[io.FileIO, T]]) -> T:
        self._raw, learned = opener()
        return learned

    def _call(self, call: Callable[[io.FileIO, *Args], T], *args: *Args) -> T:
        if self._raw is None:
            raise ValueError("the file is closed")
        return call(self._raw, *args)

    def _use(self, call: Callable[[*Args], T], *args: *Args) -> T:
        try:
            with self._in_use:
                return call(*args)
        finally:
            if self._is_closed:
                self._close_unless_in_use()

    def _close_unless_in_use(self) -> None:
        """Of the one who closes and the thread that ends its call, the later one gets the lock at any rate."""
        if self._in_use.acquire(blocking=False):
            try:
                if self._raw is not None:
                    self._raw.close()
                    self._raw = None
            finally:
                self._in_use.release()


class _Started(base.Started):
    """Pieces that a thread reads one after the other, as long as the caller waits for each of them.

    Theory of operation. Between two thread calls the thread waits for the loop and the loop for the thread, which takes
    as long as reading a MiB. A caller that waits for a piece wants the one after it, too. So if the thread finds
    it waiting at the end of a piece, it passes that on (`_pieces`), wakes the loop, and reads the next one meanwhile.
    Else the piece is the result of the call (`_running`), and the caller starts another one. So the way of a piece
    says whether the thread goes on, whatever the caller does at the same time.

    At most two pieces are here, one of which is being read. A caller that was cancelled does not wait, so that the
    thread ends with the piece that it is reading. All state but `_pieces` belongs to the loop's thread.
    """

    __slots__ = ("_is_awaited", "_loop", "_pieces", "_running", "_waiter", "is_over")

    _running: asyncio.Future[bytes | None]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_awaited = False
        self.is_over = False

    def read(self, raw: io.FileIO, read: Callable[[io.FileIO, int], bytes], position: int, end: int) -> bytes | None:
        """Reads pieces in a thread, and returns the last one. Blocks."""
        turn_ends = time.monotonic() + LONGEST_TURN
        while True:
            piece = read(raw, position)
            position += len(piece)
            if position >= end or not self._wants_more() or time.monotonic() > turn_ends:
                return piece
            self._pieces.append(piece)
            del piece  # the caller alone holds it now
            if not call_on(self._loop, self._wake):  # no task waits any more
                return None

    def follow(self, running: asyncio.Future[bytes | None]) -> None:
        """Notes the thread call that `read` runs in."""
        self._running = running
        running.add_done_callback(_retrieve)
        running.add_done_callback(self._wake)

    async def result(self) -> bytes | None:
        if self._is_here():
            await _turn()  # else a task whose results are always there would starve the others
        elif _is_foreign(self._running):
            await _ended(self._running)
        else:
            await self._arrival()
        if self._pieces:
            return self._pieces.popleft()
        self.is_over = True
        return self._running.result() if self._running.done() else None

    def _wants_more(self) -> bool:
        """Whether the caller waits, and not for a piece that was passed on already."""
        return self._is_awaited and not self._pieces

    def _is_here(self) -> bool:
        return bool(self._pieces) or self._running.done()

    async def _arrival(self) -> None:
        self._is_awaited = True
        try:
            while not self._is_here():
                self._waiter = self._loop.create_future()
                await self._waiter
        finally:
            self._is_awaited = False
            self._waiter = None

    def _wake(self, _ended: object = None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


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
        running_loop()
        task = asyncio.ensure_future(call())
        task.add_done_callback(_retrieve)
        self._tasks.append(task)

    async def take(self) -> T:
        task = self._tasks[0]
        if not task.done() and not _is_foreign(task):
            await asyncio.wait([task])
        if _is_foreign(task) and (task.cancelled() or not task.done()):
            raise of_another_loop()
        self._tasks.popleft()
        return task.result()

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, deque()
        for task in tasks:
            _cancel(task)
        await _finish([task for task in tasks if not _is_foreign(task)])


def _is_foreign(task: asyncio.Future[Any]) -> bool:
    """Whether the task belongs to another loop, which may run in another thread or be closed."""
    return not is_running(task.get_loop())


def _cancel(task: asyncio.Future[Any]) -> None:
    """Cancels a task of any loop. Where that loop is closed, the task has ended or never will."""
    if not _is_foreign(task):
        task.cancel()
    else:
        call_on(task.get_loop(), task.cancel)


async def _ended(call: asyncio.Future[Any]) -> None:
    """Waits for a call in a thread. A closed loop misses its end; then the next call waits for the file's lock."""
    if not _is_foreign(call):
        await asyncio.wait([call])
    elif not call.get_loop().is_closed():
        raise of_another_loop()


async def _finish(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Waits until all are done, also if the caller is cancelled; the cancellation is raised afterwards."""
    if not tasks:
        return  # maybe without a loop
    cancelled: asyncio.CancelledError | None = None
    with _shield_from_anyio():
        while pending := [task for task in tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled


def _shield_from_anyio() -> AbstractContextManager[object]:
    """A scope that shields from anyio's scopes, which would cancel every wait again.

    There are none outside of a task, where the scope cannot be made, and in a program that has not imported anyio. An
    import here would take a tenth of the time of the first request.
    """
    if asyncio.current_task() is None or "anyio" not in sys.modules:
        return nullcontext()
    from anyio import CancelScope

    return CancelScope(shield=True)


def _retrieve(task: asyncio.Future[Any]) -> None:
    """Retrieves the error of a task, which asyncio logs otherwise if no caller takes the result."""
    if not task.cancelled():
        task.exception()
