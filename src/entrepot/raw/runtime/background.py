"""Runs coroutines for threads without a loop, on one background event loop per process.

Theory of operation. The loop starts with the first call, in a daemon thread, and ends with the interpreter
(`atexit`). A forked child starts another one. `_Call` is one coroutine and the thread that waits for it:

- the calling thread hands the coroutine to the loop and then waits on a queue of jobs; None ends the wait;
- a job is work that only the calling thread may do: drawing from an iterable that the caller passed in, whose code
  may block or make a blocking call itself;
- an exception in the waiting thread, such as KeyboardInterrupt, cancels the task; the thread waits up to `GRACE`
  seconds for its cleanup and then raises;
- SystemExit and KeyboardInterrupt inside of the coroutine would end the loop, so they are carried to the waiting
  thread.

Any number of threads wait at the same time. After the interpreter's end the loop is gone: new calls raise
`Unsupported`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.thread import ThreadPoolExecutor  # in an atexit handler it would be too late to import this
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar, TypeVarTuple

from entrepot.errors import Unexpected, Unsupported

from . import base
from .greenlets import GreenletSelector, threads_are_greenlets
from .loop_local import used_loops
from .running import call_on

T = TypeVar("T")
Args = TypeVarTuple("Args")

GRACE: Final = 5.0
"""How many seconds an interrupted call has to clean up. Tasks have the same time when the interpreter ends."""

_TOO_LATE: Final = "the interpreter ends, and the event loop that serves blocking calls has ended before"
_ISOLATED: Final = "isolated subinterpreters"
"""A part of the message by which Python refuses to start any thread in one of them."""

_END: Final[Any] = object()
_PLAIN: Final = (list, tuple)
_TEXT: Final = (str, bytes, bytearray, memoryview)


class BackgroundRunner(base.Runner):
    """Runs coroutines on the loop of this process that all such runners share."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its result. An exception in the waiting thread, such as Ctrl-C, cancels it.

        Raises:
            Unsupported: the interpreter has ended the loop, or has no daemon threads for it; or it is the thread of the
                loop that calls, and would wait for itself.
            Unexpected: the system has no thread or no file left for the loop. Temporary.
        """
        try:
            loop = _loop_for_waiting()
        except BaseException:
            coroutine.close()
            raise
        return _Call(loop, coroutine).result()

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine that releases resources. When the loop has ended, it has closed all that was on it.

        The thread of the loop, where garbage may be collected, does not wait for it.
        """
        thread = _shared.running
        if thread is not None and thread.is_current():
            thread.spawn(coroutine)
        elif _shared.is_over:
            coroutine.close()
        else:
            self.run(coroutine)

    def bring(self, items: Iterable[T]) -> Iterable[T] | AsyncIterable[T]:
        """The same items, drawn by the thread that waits. What runs no code of anybody's is left as it is."""
        if type(items) in _PLAIN or isinstance(items, _TEXT) or not isinstance(items, Iterable):
            return items
        return _drawn(iter(items))

    def drop(self, held: list[T], close: Callable[[T], Awaitable[None]]) -> None:
        """Closes and releases on the loop, since the resources, and objects collected with them, may belong to it."""
        thread = _shared.running
        if thread is not None:
            call_on(thread.loop, lambda: thread.spawn(_closed_and_dropped(held, close)))


def is_running() -> bool:
    """Whether the loop of this process runs."""
    return _shared.running is not None


def _loop_for_waiting() -> asyncio.AbstractEventLoop:
    """The loop, for a thread that may wait for it."""
    thread = _shared.get()
    if thread is None:
        _stop_if_daemon()
        raise Unsupported(_TOO_LATE)
    if thread.is_current():
        raise Unsupported("a blocking call on the event loop that serves blocking calls would wait for itself")
    return thread.loop


async def _closed_and_dropped(held: list[T], close: Callable[[T], Awaitable[None]]) -> None:
    try:
        for item in held:
            await close(item)
    finally:
        held.clear()


class _Call(Generic[T]):
    """One coroutine, and the thread that waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None
        self._exit: BaseException | None = None
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def result(self) -> T:
        """Waits for the result, and does the jobs that come before it."""
        try:
            self._hand_over()
            while (job := self._jobs.get()) is not None:
                job()
        except BaseException:
            self._interrupt()
            raise
        task, self._task = self._task, None
        exit_, self._exit = self._exit, None
        assert task is not None
        try:
            if exit_ is not None:
                raise exit_
            return task.result()
        finally:
            del task, exit_  # the traceback of an error would hold them, in a cycle

    async def in_waiting_thread(self, call: Callable[[*Args], T], *args: *Args) -> T:
        """Has the waiting thread make a call. What it raises that is no `Exception` interrupts that thread."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(partial(self._do, done, call, *args))
        return await done

    def _hand_over(self) -> None:
        if not call_on(self._loop, self._start):  # another thread has ended the loop just now
            raise Unsupported(_TOO_LATE)

    def _start(self) -> None:
        _current.set(self)
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(self._finish)

    async def _run(self) -> T:
        """Runs the coroutine. What would end the loop is carried past it, to the waiting thread."""
        try:
            return await self._coroutine
        except (SystemExit, KeyboardInterrupt) as error:
            self._exit = error
            raise asyncio.CancelledError from None

    def _finish(self, task: asyncio.Task[T]) -> None:
        self._coroutine.close()  # it may have been cancelled before it began
        if not task.cancelled():
            task.exception()  # retrieved here: an interrupted thread does not wait for it any more
        if not _shared.is_over:  # else the interpreter ends, and the waiting thread ends with it in silence
            self._jobs.put(None)

    def _do(self, done: asyncio.Future[T], call: Callable[..., T], *args: Any) -> None:
        try:
            result = call(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes to where the call was wanted
            call_on(self._loop, _settle, done.set_exception, done, _as_settled(error))
        else:
            call_on(self._loop, _settle, done.set_result, done, result)

    def _interrupt(self) -> None:
        """Cancels the coroutine and gives it some time to clean up. One that has just ended has done that."""
        if self._task is not None and self._task.done():
            return
        if not call_on(self._loop, self._cancel):
            self._coroutine.close()
            return
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
    if not done.done():  # the task may have been cancelled since
        settle(outcome)


def _as_settled(error: Exception) -> Exception:
    """An exception as a future takes it, which no `StopIteration` may be; a generator raises the same for it."""
    if not isinstance(error, StopIteration):
        return error
    failure = RuntimeError("the iterator raised StopIteration when it was closed")
    failure.__cause__ = error
    return failure


async def _drawn(iterator: Iterator[T]) -> AsyncGenerator[T, None]:
    """What an iterator gives, drawn by the thread that waits for the call. A generator is closed in the end."""
    call = _current.get()
    try:
        while (item := await call.in_waiting_thread(next, iterator, _END)) is not _END:
            yield item
    finally:
        if isinstance(iterator, Generator):
            await call.in_waiting_thread(iterator.close)


class _Executor(ThreadPoolExecutor):
    """Threads for blocking calls, such as looking up a host. An interpreter that ends refuses new threads.

    The loop then makes the call itself; a caller in an `atexit` handler waits for it in any case.

    Arguments:
        away: the block of the loop in which a thread is started, which waits until it runs.
    """

    def __init__(self, away: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(thread_name_prefix="entrepot")
        self._away = away

    def submit(self, call: Callable[..., T], /, *args: Any, **options: Any) -> Future[T]:
        try:
            with self._away():
                return super().submit(call, *args, **options)
        except RuntimeError:
            if not _is_interpreter_ending():
                raise
        return _made(call, *args, **options)


def _made(call: Callable[..., T], *args: Any, **options: Any) -> Future[T]:
    """A call that is made at once, as a future."""
    made: Future[T] = Future()
    try:
        made.set_result(call(*args, **options))
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes to where the call was wanted
        made.set_exception(error)
    return made


def _is_interpreter_ending() -> bool:
    """Whether its end has begun. `sys.is_finalizing` says so only behind the `atexit` handlers."""
    return not threading.main_thread().is_alive()


def _daemon_thread(serve: Callable[[], None]) -> threading.Thread:
    """A thread that the end of the interpreter does not wait for. Subinterpreters have none.

    Raises:
        Unsupported: this interpreter has none.
    """
    try:
        return threading.Thread(target=serve, name="entrepot", daemon=True)
    except RuntimeError as error:
        raise _never(error) from error


def _never(error: RuntimeError) -> Unsupported:
    """The error of an interpreter that has no thread for the loop, and never will."""
    return Unsupported(f"the event loop that serves blocking calls needs a daemon thread: {error}")


class _LoopThread:
    """A loop, and the thread that it runs in."""

    def __init__(self) -> None:
        self._thread = _daemon_thread(self._serve)
        self._selector = GreenletSelector() if threads_are_greenlets() else None
        self.loop = asyncio.SelectorEventLoop(self._selector) if self._selector else asyncio.new_event_loop()
        self.loop.set_default_executor(_Executor(self._selector.away if self._selector else nullcontext))
        used_loops.add(self.loop)
        self._spawned: set[asyncio.Task[None]] = set()
        self._is_ending = False

    def start(self) -> None:
        """Starts it.

        Raises:
            RuntimeError: the system lets no thread begin, or the interpreter that ends.
            Unsupported: this interpreter may start none.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            self.loop.close()
            if _ISOLATED in str(error):
                raise _never(error) from error
            raise

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def is_current(self) -> bool:
        return threading.current_thread() is self._thread

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine without a waiting caller. Called in the loop's thread; its handler gets the errors."""
        task = self.loop.create_task(coroutine)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

    def stop(self) -> None:
        """Cancels the running tasks, closes the values that the loop holds, and waits for both."""
        self._is_ending = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(GRACE)

    def _serve(self) -> None:
        with self._selector.serving(self.loop) if self._selector else nullcontext():
            self._serve_calls()

    def _serve_calls(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._is_ending:
                self._run()
        finally:
            # asyncio.Runner starts a thread here, which an interpreter that ends refuses
            self.loop.run_until_complete(_cancel_all())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def _run(self) -> None:
        """Runs the loop until it is stopped, or a task of a call raises an exception that stops the loop.

        A task that awaits that one gets the exception as well, and so does the thread that waits for the call.
        """
        with suppress(SystemExit, KeyboardInterrupt):
            self.loop.run_forever()


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
        self.is_over = False
        self._lock = threading.RLock()  # a collection of garbage on the way may make a call as well

    def get(self) -> _LoopThread | None:
        """The loop; None when the interpreter has ended it.

        Raises:
            Unexpected: it cannot be started now. The next call tries again.
            Unsupported: it can never be started in this interpreter.
        """
        if not self.is_over and not self._is_running():
            with self._lock:
                if not self._is_running():
                    self._start()
        return None if self.is_over else self.running

    def _is_running(self) -> bool:
        return self.running is not None and self.running.is_alive()

    def _start(self) -> None:
        try:
            thread = _LoopThread()
            thread.start()
        except Unsupported:
            raise
        except (RuntimeError, OSError) as error:
            if not _is_interpreter_ending():
                message = f"the event loop that serves blocking calls cannot be started: {error}"
                raise Unexpected(message, is_temporary=True) from error
            self.is_over = True
        else:
            self.running = thread

    def end(self) -> None:
        """Ends the loop for good."""
        self.is_over = True
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
