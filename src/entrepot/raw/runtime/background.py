"""Runs coroutines for threads without a loop: on one event loop per process, in a thread of its own.

The loop starts with the first call and ends with the interpreter. A forked child starts its own. The
thread that calls waits, and meanwhile does what only it may do: it draws from the iterables that it
passed in, whose code may well block, or make such a call itself.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar, TypeVarTuple

from entrepot.errors import Unsupported

from . import base
from .loop_local import used_loops

T = TypeVar("T")
Args = TypeVarTuple("Args")

GRACE: Final = 5.0
"""How many seconds an interrupted call has to clean up, and what still runs when the interpreter ends."""

_END: Final[Any] = object()


class BackgroundRunner(base.Runner):
    """Runs coroutines on the loop of this process that all such runners share."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its result. An exception of the waiting thread, such as that of Ctrl-C, cancels it.

        Raises:
            Unsupported: the interpreter has ended the loop; or it is the thread of the loop that calls, and would wait
                for itself.
        """
        thread = _shared.get()
        if thread is None:
            coroutine.close()
            _stop_if_daemon()
            raise Unsupported("the interpreter ends, and the event loop that serves blocking calls has ended before")
        if thread.is_current():
            coroutine.close()
            raise Unsupported("a blocking call on the event loop that serves blocking calls would wait for itself")
        return _Call(thread.loop, coroutine).result()

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine that gives back what is held. When the loop has ended, it has closed all that was on it."""
        if _shared.get() is None:
            coroutine.close()
        else:
            self.run(coroutine)

    def bring(self, items: Iterable[T]) -> Iterable[T] | AsyncIterable[T]:
        """The same items, drawn by the thread that waits. A sequence, which runs no code, is left as it is."""
        if isinstance(items, Sequence) or not isinstance(items, Iterable):
            return items
        return _drawn(iter(items))

    def drop(self, held: list[Any]) -> None:
        """Empties a list on the loop: what is collected with it may belong to that."""
        thread = _shared.running
        if thread is not None and not thread.loop.is_closed():
            thread.loop.call_soon_threadsafe(held.clear)


class _Call(Generic[T]):
    """One coroutine, and the thread that waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def result(self) -> T:
        """Waits for the result, and does the jobs that come meanwhile."""
        try:
            self._loop.call_soon_threadsafe(self._start)
            while (job := self._jobs.get()) is not None:
                job()
        except BaseException:
            self._interrupt()
            raise
        task, self._task = self._task, None
        assert task is not None
        try:
            return task.result()
        finally:
            del task  # the traceback of its error would hold it, in a cycle

    async def in_waiting_thread(self, call: Callable[[*Args], T], *args: *Args) -> T:
        """Has the waiting thread make a call. What it raises that is no `Exception` interrupts that thread."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(partial(self._do, done, call, *args))
        return await done

    def _start(self) -> None:
        _current.set(self)
        self._task = self._loop.create_task(self._coroutine)
        self._task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # looked at: nobody takes it when the waiting thread was interrupted
        if _shared.get() is not None:  # else the interpreter ends, and the waiting thread ends with it in silence
            self._jobs.put(None)

    def _do(self, done: asyncio.Future[T], call: Callable[..., T], *args: Any) -> None:
        try:
            result = call(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes to where the call was wanted
            self._loop.call_soon_threadsafe(_settle, done.set_exception, done, error)
        else:
            self._loop.call_soon_threadsafe(_settle, done.set_result, done, result)

    def _interrupt(self) -> None:
        """Cancels the coroutine and gives it some time to clean up."""
        self._loop.call_soon_threadsafe(self._cancel)
        latest = time.monotonic() + GRACE
        try:
            while (job := self._jobs.get(timeout=max(0.0, latest - time.monotonic()))) is not None:
                job()
        except Empty:
            return

    def _cancel(self) -> None:
        if self._task is None:  # the interruption came before the start
            self._start()
        if self._task is not None:
            self._task.cancel()


_current: ContextVar[_Call[Any]] = ContextVar("call")


def _settle(settle: Callable[[Any], None], done: asyncio.Future[Any], outcome: object) -> None:
    if not done.done():  # the task may have been cancelled meanwhile
        settle(outcome)


async def _drawn(iterator: Iterator[T]) -> AsyncGenerator[T, None]:
    """What an iterator gives, drawn by the thread that waits for the call. A generator is closed in the end."""
    call = _current.get()
    try:
        while (item := await call.in_waiting_thread(next, iterator, _END)) is not _END:
            yield item
    finally:
        if isinstance(iterator, Generator):
            await call.in_waiting_thread(iterator.close)


class _LoopThread:
    """A loop, and the thread that it runs in."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        used_loops.add(self.loop)
        self._thread = threading.Thread(target=self._serve, name="entrepot", daemon=True)

    def start(self) -> bool:
        """Starts it; False when the interpreter ends and lets no thread begin."""
        try:
            self._thread.start()
        except RuntimeError:
            self.loop.close()
            return False
        return True

    def is_current(self) -> bool:
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Cancels what runs, closes what the loop holds, and waits for that."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(GRACE)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        # Not what asyncio.Runner does: that starts a thread, which an interpreter that ends refuses
        self.loop.run_until_complete(_cancel_all())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


def _stop_if_daemon() -> None:
    """Stops a daemon thread, as the interpreter is about to do. An exception would only print its traceback."""
    if threading.current_thread().daemon:
        threading.Event().wait()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Shared:
    """The loop of this process, made on first use."""

    def __init__(self) -> None:
        self.running: _LoopThread | None = None
        self._is_over = False
        self._lock = threading.RLock()  # a collection of garbage on the way may make a call as well

    def get(self) -> _LoopThread | None:
        """The loop; None when the interpreter has ended it."""
        if self.running is None and not self._is_over:
            with self._lock:
                if self.running is None:
                    self.running = _LoopThread()
                    if not self.running.start():
                        self.running, self._is_over = None, True
        return None if self._is_over else self.running

    def end(self) -> None:
        """Ends the loop for good."""
        self._is_over = True
        thread, self.running = self.running, None
        if thread is not None:
            thread.stop()

    def forget(self) -> None:
        """For the child of a fork: the loop is its parent's, and its thread is not here."""
        self.running = None
        self._lock = threading.RLock()


_shared = _Shared()
atexit.register(_shared.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shared.forget)
