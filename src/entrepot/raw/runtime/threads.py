"""Thread calls: the blocking calls of an event loop, made in the threads of its default executor.

Theory of operation. An executor job costs a queue entry, two futures and a wake-up of the loop. So waiting calls
share a job: its thread makes one call after the other and hands the results to the loop in batches (`TOGETHER`), the
last ones by its end. That also keeps threads from contending when the calls are short.

A long call must not delay the others. A job notes when a call ends, and is stuck if `PATIENCE` seconds have passed
since then. A new call starts a job immediately if there is none or all are stuck. Otherwise it waits, and the loop
looks at the jobs after `PATIENCE` seconds, and again while calls wait: it starts one more job if some job still moves,
one for each waiting call if all are stuck. A job ends when no call waits. It also ends when its turn is over, after
`TURN` calls or `LONGEST_TURN` seconds, so that other users of the executor get the thread; if calls wait then, another
one takes its place behind those users, so that there are as many jobs as before.

A job may get stuck in a call while it has results of earlier ones. That call was submitted while a job ran, so a look
follows, and hands over all results. It does so after it has seen that no call waits: then each job makes its last
call, and the results of all others are there. So no look is needed until the next call, and a loop without thread
calls, or with one at a time, has no timer of ours.

An executor that can start no thread refuses a job, and yet keeps it for the next thread. By then nobody waits for the
end of that job, so it makes no call (`is_refused`). If a thread that has just become free has begun the job before the
executor refused it, the call is made, and both the job and the loop see to its result.

`_waiting` and `_made` are deques that both the loop and the threads use; their operations are atomic, so there is no
lock. A job's note is written by its thread. All other state belongs to the loop's thread. A call that is cancelled
before a thread starts it is not made; a started call runs to its end, and its result is dropped. Calls that may take
seconds, such as a copy of a large file, have a `ThreadCalls` of their own with at most half of the threads, so that a
short call always finds one. With one thread the calls are a queue (`queue_of`). There a look would start nothing, so
there is none, and each result is handed over at once. A forked child drops what it inherited: the threads are its
parent's.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final, TypeAlias, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary, WeakSet

from entrepot.errors import Unexpected

from .leak import leak
from .loop_local import used_loops
from .running import call_on, running_loop

T = TypeVar("T")
Args = TypeVarTuple("Args")

PATIENCE: Final = 0.002
"""Seconds that a call waits behind others before more threads are asked for."""
TOGETHER: Final = 0.0001
"""Seconds of work whose results are handed over together. Longer work is worth a wake-up of the loop."""
TURN: Final = 256
"""Calls that one job makes. Then it lets others have the thread, who use the executor as well."""
LONGEST_TURN: Final = 0.01
"""Seconds after which a job, or a read of a file ahead, begins no other call, for the same reason."""
THREADS: Final = 32
"""The most jobs at a time: as many as the default executor has threads, at most."""
LONG_THREADS: Final = max(1, min(THREADS, (os.cpu_count() or 1) + 4) // 2)
"""The most jobs at a time of calls that take long: half of the threads that the default executor has."""


class _Job:
    """A job of the executor.

    Attributes:
        is_refused: whether the executor has refused it.
        is_turn_over: whether it ended because its turn was over.
        moved_at: when its last call ended, by `monotonic`; before that, when it started.
    """

    __slots__ = ("is_refused", "is_turn_over", "moved_at")

    def __init__(self) -> None:
        self.is_refused = self.is_turn_over = False
        self.moved_at = monotonic()


class ThreadCalls:
    """The blocking calls of one loop. It does not refer to the loop, which must be collectable.

    Arguments:
        threads: the most threads of these calls at a time.
    """

    __slots__ = ("__weakref__", "_is_watched", "_jobs", "_made", "_threads", "_waiting")

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = threads
        self._waiting: deque[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._made: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._jobs: set[_Job] = set()
        self._is_watched = False

    def submit(
        self, loop: asyncio.AbstractEventLoop, call: Callable[[*Args], T], args: tuple[*Args]
    ) -> asyncio.Future[T]:
        """Has a thread make a call. A call that is cancelled before a thread starts it is not made."""
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append((future, call, args))
        if not self._jobs:
            try:
                self._start(loop)
            except BaseException as error:
                try:
                    self._waiting.pop()
                except IndexError:  # the job was begun nevertheless
                    return future
                if _is_of_no_thread(error):
                    raise _no_thread() from error
                raise
        elif self._threads > 1:
            if len(self._waiting) == 1 and not self._one_moves():  # else a look comes for those that waited already
                self._start_more(loop, 1)
            self._watch(loop)
        return future

    def forget(self) -> None:
        """Drops the waiting calls and the jobs. For the child of a fork, which must not repeat those of its parent."""
        leak(self._waiting)
        self._waiting = deque()
        self._jobs = set()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        job = _Job()
        try:
            started = loop.run_in_executor(None, self._work, loop, job)
        except BaseException:
            job.is_refused = True
            loop.call_soon(self._hand_over)
            raise
        started.add_done_callback(partial(self._end, job))
        self._jobs.add(job)

    def _work(self, loop: asyncio.AbstractEventLoop, job: _Job) -> None:
        """Makes calls that wait, in a thread."""
        if job.is_refused:
            return
        handed_over = job.moved_at = started = monotonic()
        for _ in range(TURN):
            try:
                future, call, args = self._waiting.popleft()
            except IndexError:
                break
            if not future.cancelled():
                self._made.append((future, *_outcome(call, args)))
            del future, call, args  # the arguments of a call are released with it, not when the next one has ended
            job.moved_at = now = monotonic()
            if now - handed_over > TOGETHER or self._threads == 1:
                handed_over = now
                call_on(loop, self._hand_over)
                if now - started > LONGEST_TURN:
                    job.is_turn_over = True
                    break
        else:
            job.is_turn_over = True
        if job.is_refused:
            call_on(loop, self._hand_over)

    def _end(self, job: _Job, ended: asyncio.Future[None]) -> None:
        self._jobs.discard(job)  # it is not there after a fork
        self._hand_over()
        if self._waiting and (job.is_turn_over or not self._one_moves()):
            self._start_more(asyncio.get_running_loop(), 1)
        if not ended.cancelled():  # as a job is that waits when its executor is shut down
            ended.result()

    def _hand_over(self) -> None:
        while self._made:
            future, result, error = self._made.popleft()
            if future.done():  # its caller has gone
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_watched:
            self._is_watched = True
            loop.call_later(PATIENCE, self._look, loop)  # its handle is not kept: that holds the loop

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_watched = False
        if self._waiting:
            self._start_more(loop, 1 if self._one_moves() else len(self._waiting))
        if self._waiting:
            self._watch(loop)
        self._hand_over()  # at the end: see the theory of operation

    def _one_moves(self) -> bool:
        """Whether some job is not stuck."""
        patient_since = monotonic() - PATIENCE
        for job in self._jobs:  # noqa: SIM110 - `any` of a generator takes twice as long, for each call
            if job.moved_at > patient_since:
                return True
        return False

    def _start_more(self, loop: asyncio.AbstractEventLoop, wanted: int) -> None:
        try:
            for _ in range(min(wanted, self._threads - len(self._jobs))):
                self._start(loop)
        except RuntimeError as error:  # the executor was shut down, or the system has no thread left
            if not self._jobs:
                self._refuse(error)

    def _refuse(self, refusal: RuntimeError) -> None:
        while self._waiting:
            future, _, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(_no_thread() if _is_of_no_thread(refusal) else refusal)


def _is_of_no_thread(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and str(error) == "can't start new thread"


def _no_thread() -> Unexpected:
    message = "the system lets the process start no more threads: end some, or allow more (ulimit -u)"
    return Unexpected(message, is_temporary=True)


def _outcome(call: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    """The result of a call, or its error. On its own, so that no traceback holds the error or who waits for it."""
    try:
        return call(*args), None
    except StopIteration as error:  # which no future takes
        failure = RuntimeError("a call in a thread raised StopIteration")
        failure.__cause__ = error
        return None, failure
    except BaseException as error:  # noqa: BLE001 - whatever it is, it goes to where the call was wanted
        return None, error


_OfLoops: TypeAlias = WeakKeyDictionary[asyncio.AbstractEventLoop, ThreadCalls]

_of_loops: _OfLoops = WeakKeyDictionary()
_long_of_loops: _OfLoops = WeakKeyDictionary()
_queues: WeakSet[ThreadCalls] = WeakSet()


def in_thread(call: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
    """Has a thread of the running loop make a call."""
    loop = running_loop()
    calls = _of_loops.get(loop)
    if calls is None:
        calls = _of_loops[loop] = ThreadCalls()
        used_loops.add(loop)
    return calls.submit(loop, call, args)


def in_thread_for_long(call: Callable[[*Args], T], *args: *Args) -> asyncio.Future[T]:
    """Has a thread of the running loop make a call that takes long. Such calls have at most `LONG_THREADS`."""
    loop = running_loop()
    calls = _long_of_loops.get(loop)
    if calls is None:
        calls = _long_of_loops[loop] = ThreadCalls(LONG_THREADS)
        used_loops.add(loop)
    return calls.submit(loop, call, args)


def queue_of(loop: asyncio.AbstractEventLoop) -> ThreadCalls:
    """Returns new calls of the running loop, which one thread at a time makes in turn."""
    queue = ThreadCalls(1)
    _queues.add(queue)
    used_loops.add(loop)
    return queue


def _forget_inherited() -> None:
    """Drops all inherited calls in the child of a fork: the threads are its parent's."""
    global _of_loops, _long_of_loops  # emptied, they would end futures that the parent waits for
    for queue in list(_queues):
        queue.forget()
    for of_loops in (_of_loops, _long_of_loops):
        for inherited in list(of_loops.values()):
            inherited.forget()
        leak(of_loops)
    _of_loops, _long_of_loops = WeakKeyDictionary(), WeakKeyDictionary()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
