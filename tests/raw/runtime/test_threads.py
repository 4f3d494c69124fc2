"""Calls that share the threads of a loop: none waits for another for long, none is lost, and none is made in vain."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from entrepot.errors import Unexpected
from entrepot.raw.runtime import threads as hops
from entrepot.raw.runtime.asyncio import AsyncioRuntime

runtime = AsyncioRuntime()


class CountingExecutor(ThreadPoolExecutor):
    """Counts the jobs that it was given."""

    def __init__(self, threads):
        super().__init__(threads)
        self.jobs = 0

    def submit(self, *args, **options):
        self.jobs += 1
        return super().submit(*args, **options)


@pytest.fixture
def gate():
    """What a call in a thread waits for. It is open when the test has ended."""
    event = threading.Event()
    yield event
    event.set()


async def hang_for_long(gate):
    """A call that hangs, known to be stuck. On a busy machine its thread may start late."""
    has_started = threading.Event()

    def hang():
        has_started.set()
        return gate.wait(30)

    hung = asyncio.ensure_future(runtime.blocking(hang))
    while not has_started.is_set():
        await asyncio.sleep(hops.PATIENCE)
    await asyncio.sleep(2 * hops.PATIENCE)
    return hung


ONLY_ASYNCIO = pytest.mark.skipif(
    os.environ.get("ENTREPOT_TEST_LOOP") == "uvloop", reason="only the loops of asyncio say what they have scheduled"
)


def looks():
    """The looks that the running loop has scheduled."""
    callbacks = [timer._callback for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
    return [callback for callback in callbacks if isinstance(getattr(callback, "__self__", None), hops.ThreadCalls)]


def calls_of(call, *args):
    return [asyncio.ensure_future(runtime.blocking(call, *args)) for _ in range(3)]


async def test_calls_that_come_together_share_a_job_and_each_gets_its_own_result():
    executor = CountingExecutor(4)
    asyncio.get_running_loop().set_default_executor(executor)
    async with asyncio.timeout(10):
        results = await asyncio.gather(*(runtime.blocking(pow, 2, exponent) for exponent in range(2000)))
    assert results == [2**exponent for exponent in range(2000)]
    assert executor.jobs < 200


async def test_a_job_leaves_the_thread_to_others_after_its_longest_turn(gate, monkeypatch):
    monkeypatch.setattr(hops, "LONGEST_TURN", 0)
    monkeypatch.setattr(hops, "PATIENCE", 30)  # or a second job starts, if this thread waits for a core meanwhile
    loop, order = asyncio.get_running_loop(), []
    loop.set_default_executor(ThreadPoolExecutor(1))

    def take_long():
        gate.wait(30)
        time.sleep(2 * hops.TOGETHER)
        order.append("first")

    calls = [asyncio.ensure_future(runtime.blocking(take_long))]
    await asyncio.sleep(0)
    calls.append(asyncio.ensure_future(runtime.blocking(order.append, "second")))
    await asyncio.sleep(0)
    calls.append(loop.run_in_executor(None, order.append, "another user"))
    gate.set()
    await asyncio.gather(*calls)
    assert order == ["first", "another user", "second"]


async def test_a_job_whose_turn_is_over_has_another_in_its_place_though_others_move(gate, monkeypatch):
    hung = await hang_for_long(gate)
    monkeypatch.setattr(hops, "LONGEST_TURN", 0)
    has_started, may_end = threading.Event(), threading.Event()

    def take_long():
        has_started.set()
        may_end.wait(30)
        time.sleep(2 * hops.TOGETHER)

    first = asyncio.ensure_future(runtime.blocking(take_long))
    while not has_started.is_set():
        await asyncio.sleep(hops.PATIENCE)
    await asyncio.sleep(2 * hops.PATIENCE)
    monkeypatch.setattr(hops, "PATIENCE", 30)  # so that every job moves, and no look starts one
    behind = asyncio.ensure_future(runtime.blocking(len, "abc"))
    await asyncio.sleep(0)
    may_end.set()
    async with asyncio.timeout(10):
        assert await behind == 3
    gate.set()
    await asyncio.gather(hung, first)


async def test_a_call_that_hangs_holds_up_neither_those_before_nor_those_behind_it(gate):
    before = calls_of(len, "abc")
    hung = asyncio.ensure_future(runtime.blocking(gate.wait, 30))
    behind = calls_of(len, "abcd")
    async with asyncio.timeout(10):
        assert await asyncio.gather(*before, *behind) == [3] * 3 + [4] * 3
    assert not hung.done()
    gate.set()
    assert await hung is True


async def test_calls_beside_one_that_is_known_to_hang_wait_for_no_look_of_the_loop(gate, monkeypatch):
    hung = await hang_for_long(gate)
    monkeypatch.setattr(hops.ThreadCalls, "_look", lambda *_: None)
    async with asyncio.timeout(10):
        for _ in range(5):
            assert await runtime.blocking(len, "abc") == 3
    assert not hung.done()
    gate.set()
    assert await hung is True


async def test_a_loop_looks_when_calls_come_beside_one_that_hangs(gate):
    hung = await hang_for_long(gate)
    meeting = threading.Barrier(3)
    async with asyncio.timeout(10):
        assert sorted(await asyncio.gather(*calls_of(meeting.wait, 10))) == [0, 1, 2]
    gate.set()
    assert await hung is True


async def test_results_are_not_kept_by_a_thread_that_hangs_in_a_later_call(gate, monkeypatch):
    monkeypatch.setattr(hops, "TOGETHER", 30)
    may_go_on = threading.Event()
    calls = (may_go_on.wait, 10), (len, "abc"), (gate.wait, 30)
    first, second, hung = (asyncio.ensure_future(runtime.blocking(call, *args)) for call, *args in calls)
    await asyncio.sleep(0)
    may_go_on.set()
    async with asyncio.timeout(10):
        assert await asyncio.gather(first, second) == [True, 3]
    assert not hung.done()
    gate.set()
    assert await hung is True


@ONLY_ASYNCIO
async def test_calls_without_others_beside_them_need_no_timer(gate):
    for _ in range(3):
        assert await runtime.blocking(len, "abc") == 3
    hung = asyncio.ensure_future(runtime.blocking(gate.wait, 30))
    await asyncio.sleep(0)
    assert looks() == []
    behind = asyncio.ensure_future(runtime.blocking(len, "abc"))
    await asyncio.sleep(0)
    assert len(looks()) == 1
    assert await behind == 3
    gate.set()
    assert await hung is True


@ONLY_ASYNCIO
async def test_a_queue_needs_no_looks_though_its_calls_wait_for_each_other(gate, monkeypatch):
    monkeypatch.setattr(hops, "TOGETHER", 30)
    queue, may_go_on = runtime.call_queue(), threading.Event()
    calls = (may_go_on.wait, 30), (len, "abc"), (gate.wait, 30)
    first, second, hung = (asyncio.ensure_future(queue.blocking(call, *args)) for call, *args in calls)
    await asyncio.sleep(0)
    assert looks() == []
    may_go_on.set()
    async with asyncio.timeout(10):
        assert await asyncio.gather(first, second) == [True, 3]
    assert not hung.done()
    gate.set()
    assert await hung is True


@ONLY_ASYNCIO
async def test_a_loop_looks_no_more_once_no_call_waits(gate):
    hung = calls_of(gate.wait, 30)
    meanwhile = calls_of(len, "abc")
    async with asyncio.timeout(10):
        assert await asyncio.gather(*meanwhile) == [3, 3, 3]
        await asyncio.sleep(3 * hops.PATIENCE)
    assert looks() == []
    assert not any(call.done() for call in hung)
    gate.set()
    assert await asyncio.gather(*hung) == [True] * 3


async def test_as_many_calls_hang_at_once_as_there_may_be_threads():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(hops.THREADS))
    meeting = threading.Barrier(hops.THREADS)
    async with asyncio.timeout(10):
        met = await asyncio.gather(*(runtime.blocking(meeting.wait, 10) for _ in range(hops.THREADS)))
    assert sorted(met) == list(range(hops.THREADS))


async def test_a_call_behind_as_many_as_there_may_be_threads_is_made_when_one_has_ended(gate):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(hops.THREADS))
    may_end = threading.Event()
    ends = asyncio.ensure_future(runtime.blocking(may_end.wait, 30))
    hung = [asyncio.ensure_future(runtime.blocking(gate.wait, 30)) for _ in range(hops.THREADS - 1)]
    waiting = asyncio.ensure_future(runtime.blocking(len, "abc"))
    await asyncio.sleep(10 * hops.PATIENCE)
    assert not waiting.done()
    may_end.set()
    async with asyncio.timeout(10):
        assert (await waiting, await ends) == (3, True)
    assert not any(call.done() for call in hung)
    gate.set()
    assert await asyncio.gather(*hung) == [True] * (hops.THREADS - 1)


async def test_calls_without_end_leave_the_only_thread_to_others_of_the_executor():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    is_over = False

    async def call_on_and_on():
        while not is_over:
            await runtime.blocking(len, "")

    callers = [asyncio.ensure_future(call_on_and_on()) for _ in range(50)]
    async with asyncio.timeout(10):
        for _ in range(5):
            assert await asyncio.to_thread(len, "abc") == 3
    is_over = True
    await asyncio.gather(*callers)


async def test_what_is_cancelled_before_a_thread_has_begun_it_is_not_made(gate):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    made = []
    hung = asyncio.ensure_future(runtime.blocking(gate.wait, 30))
    waiting = calls_of(made.append, "made")
    await asyncio.sleep(0.01)
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)
    gate.set()
    await hung
    assert await runtime.blocking(len, made) == 0


async def test_the_error_of_one_call_is_that_of_no_other():
    failing = asyncio.ensure_future(runtime.blocking(divmod, 1, 0))
    others = calls_of(len, "abc")
    with pytest.raises(ZeroDivisionError):
        await failing
    assert await asyncio.gather(*others) == [3, 3, 3]


async def test_stop_iteration_of_a_call_is_told_and_not_waited_for_without_end():
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="StopIteration") as raised:
            await runtime.blocking(next, iter(()))
    assert isinstance(raised.value.__cause__, StopIteration)


async def test_an_interruption_in_a_thread_comes_to_the_caller():
    async def interrupted():
        with pytest.raises(SystemExit):
            await runtime.blocking(os.sys.exit, 3)
        return "caught"

    assert await interrupted() == "caught"


async def test_an_executor_that_was_shut_down_refuses_the_call():
    executor = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(executor)
    executor.shutdown()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shutdown"):
            await runtime.blocking(len, "abc")


async def test_a_system_without_threads_is_a_temporary_error_and_its_job_makes_no_later_call(monkeypatch):
    executor = ThreadPoolExecutor(2)
    asyncio.get_running_loop().set_default_executor(executor)

    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Unexpected, match="no more threads") as raised:
            await runtime.blocking(str)
    assert raised.value.is_temporary
    refused = executor._work_queue.get_nowait()
    waiting = hops._of_loops[asyncio.get_running_loop()]._waiting
    waiting.append((asyncio.get_running_loop().create_future(), str, ()))
    refused.run()
    assert len(waiting) == 1
    waiting.clear()
    assert await runtime.blocking(str, 1) == "1"


@pytest.mark.parametrize("ends", ["before the refusal", "after it"])
async def test_a_refused_job_that_a_thread_has_begun_makes_its_call(gate, monkeypatch, ends):
    executor, may_go_on, has_begun = ThreadPoolExecutor(2), threading.Event(), threading.Event()
    asyncio.get_running_loop().set_default_executor(executor)
    executor.submit(may_go_on.wait, 30)
    if ends == "before the refusal":
        gate.set()

    def take_then_refuse(_):
        may_go_on.set()
        assert has_begun.wait(30)
        if gate.is_set():
            time.sleep(0.05)
        raise RuntimeError("can't start new thread")

    def call():
        has_begun.set()
        return gate.wait(30)

    with monkeypatch.context() as patch:
        patch.setattr(hops, "TOGETHER", 30)
        patch.setattr(threading.Thread, "start", take_then_refuse)
        called = asyncio.ensure_future(runtime.blocking(call))
        await asyncio.sleep(0)
        gate.set()
        async with asyncio.timeout(10):
            assert await called is True
    assert await runtime.blocking(len, "abc") == 3


async def test_calls_that_wait_when_their_executor_is_shut_down_are_refused_or_made(gate):
    executor = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(executor)
    made = []
    hung = asyncio.ensure_future(runtime.blocking(gate.wait, 30))
    waiting = [asyncio.ensure_future(runtime.blocking(made.append, number)) for number in range(3 * hops.TURN)]
    await asyncio.sleep(0.01)
    executor.shutdown(wait=False)
    gate.set()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(hung, *waiting, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, RuntimeError)]
    assert (outcomes[0], len(made) + len(refused)) == (True, len(waiting))
    assert made == list(range(len(made)))


async def test_calls_whose_jobs_are_cancelled_with_their_executor_do_not_wait_without_end(caplog):
    executor, may_end = ThreadPoolExecutor(1), threading.Event()
    asyncio.get_running_loop().set_default_executor(executor)
    executor.submit(may_end.wait, 30)
    waiting = calls_of(len, "abc")
    await asyncio.sleep(0)
    executor.shutdown(wait=False, cancel_futures=True)
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    may_end.set()
    assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 3
    assert caplog.records == []


async def test_a_result_is_not_held_by_the_thread_that_made_it():
    class Result:
        pass

    held = weakref.ref(await runtime.blocking(Result))
    await asyncio.sleep(0)  # the loop itself holds it until then
    gc.collect()
    assert held() is None


async def test_an_error_that_came_from_a_thread_is_in_no_cycle():
    class Failure(Exception):
        pass

    def fail():
        raise Failure

    async def failed():
        try:
            await runtime.blocking(fail)
        except Failure as error:
            return weakref.ref(error)

    gc.disable()
    try:
        error = await failed()
        await asyncio.sleep(0)  # the loop itself holds it until then
        assert error() is None
    finally:
        gc.enable()


def test_a_loop_that_has_ended_is_held_by_nothing():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(runtime.blocking(len, ""))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    ended = weakref.ref(loop)
    del loop
    gc.collect()
    assert ended() is None


def test_a_loop_that_was_closed_while_a_thread_worked_is_not_told(caplog):
    may_end, ended = threading.Event(), []

    def work():
        may_end.wait(10)
        ended.append(True)

    loop, executor = asyncio.new_event_loop(), ThreadPoolExecutor(1)
    loop.set_default_executor(executor)
    with pytest.raises(TimeoutError):
        loop.run_until_complete(asyncio.wait_for(runtime.blocking(work), 0.01))
    loop._default_executor = None  # closing the loop waits for no thread of it then
    loop.close()
    may_end.set()
    executor.shutdown()
    assert (ended, caplog.records) == ([True], [])


async def test_a_forked_child_makes_its_calls_in_threads_of_its_own(gate):
    hung = asyncio.ensure_future(runtime.blocking(gate.wait, 30))
    await asyncio.sleep(0.01)
    child = os.fork()
    if child == 0:
        asyncio._set_running_loop(None)
        os._exit(asyncio.run(runtime.blocking(len, "abc")))
    async with asyncio.timeout(10):
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
    gate.set()
    assert (os.waitstatus_to_exitcode(status), await hung) == (3, True)


MADE_ONCE = """
import asyncio, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from entrepot.raw.runtime.asyncio import AsyncioRuntime

async def main():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    runtime, gate = AsyncioRuntime(), threading.Event()
    blocking = runtime.call_queue().blocking if "queue" in sys.argv else runtime.blocking
    hung = asyncio.ensure_future(blocking(gate.wait, 30))
    await asyncio.sleep(0.01)
    calls = [asyncio.ensure_future(blocking(os.write, 1, b"made ")) for _ in range(3)]
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    child = os.fork()
    if child == 0:
        for call in calls:
            call.cancel = lambda message=None: None
        asyncio._set_running_loop(loop)  # asyncio forgets it in a forked child
        await asyncio.sleep(0.1)
        os._exit(0)
    os.waitpid(child, 0)
    gate.set()
    await asyncio.gather(hung, *calls)

asyncio.run(main())
"""


def output(script, *args):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *args]  # from 3.12 on `fork` warns
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.parametrize("way", ["at once", "queue"])
def test_a_forked_child_that_goes_on_in_the_loop_makes_no_call_of_its_parent(way):
    assert output(MADE_ONCE, way) == "made " * 3


QUEUE_OF_TWO = """
import asyncio, os, sys
from entrepot.raw.runtime.asyncio import AsyncioRuntime

async def main():
    loop, queue = asyncio.get_running_loop(), AsyncioRuntime().call_queue()
    running = asyncio.ensure_future(queue.blocking(sys.stdin.readline))
    await asyncio.sleep(0.1)
    child = os.fork()
    if child == 0:
        asyncio._set_running_loop(loop)  # asyncio forgets it in a forked child
        await queue.blocking(os.write, 1, b"child ")
        running.cancel()
        sys.exit(0)
    os.waitpid(child, 0)
    os.write(gate, b"\\n")
    await running
    await queue.blocking(os.write, 1, b"parent")

ours, gate = os.pipe()
sys.stdin = open(ours)
asyncio.run(main())
"""


def test_a_queue_goes_on_in_a_forked_child_and_in_its_parent_after_the_child_has_left_the_loop():
    assert output(QUEUE_OF_TWO) == "child parent"


async def test_calls_that_take_long_leave_threads_to_short_ones(gate):
    long = [asyncio.create_task(runtime.blocking_long(gate.wait)) for _ in range(100)]
    await asyncio.sleep(0.05)
    for _ in range(3):
        assert await runtime.blocking(len, "abc") == 3
    assert not any(call.done() for call in long)
    gate.set()
    assert await asyncio.gather(*long) == [True] * 100


async def test_a_call_that_takes_long_is_not_made_once_it_was_cancelled(gate):
    made = []
    long = [asyncio.create_task(runtime.blocking_long(gate.wait)) for _ in range(hops.LONG_THREADS)]
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(runtime.blocking_long(made.append, 1))
    await asyncio.sleep(0.05)
    waiting.cancel()
    gate.set()
    await asyncio.gather(*long)
    await asyncio.wait([waiting])
    assert made == []


def test_calls_are_made_on_uvloop_as_well():
    uvloop = pytest.importorskip("uvloop")

    async def use():
        return await asyncio.gather(*(runtime.blocking(len, "abc") for _ in range(100)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(use()) == [3] * 100
