"""What only the asyncio runtime does: cancellation, threads that outlive their caller, and many loops."""

import asyncio
import gc
import io
import os
import selectors
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.raw.runtime.threads import PATIENCE
from tests.strict import warnings_of

runtime = AsyncioRuntime()


@pytest.fixture
def gate():
    """What a call in a thread waits for."""
    return threading.Event()


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"content")
    return file


def other_tasks():
    return asyncio.all_tasks() - {asyncio.current_task()}


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_blocking_call_holds_up_nobody(gate):
    call = asyncio.ensure_future(runtime.blocking(gate.wait, 10))
    await asyncio.sleep(0)
    assert not call.done()
    gate.set()
    assert await call is True


async def test_a_cancelled_blocking_call_returns_before_its_thread(gate):
    ended = []

    def work():
        gate.wait(10)
        ended.append(True)

    call = asyncio.ensure_future(runtime.blocking(work))
    await asyncio.sleep(0.01)
    await cancelled(call)
    assert ended == []
    gate.set()


async def test_a_file_whose_opener_ends_after_the_cancellation_is_closed(gate, path):
    opened = []

    def opener():
        gate.wait(10)
        opened.append(io.FileIO(path))
        return opened[0], None

    call = asyncio.ensure_future(runtime.open_file(opener))
    await asyncio.sleep(0.01)
    await cancelled(call)
    gate.set()
    await until(lambda: opened and opened[0].closed)


async def test_an_opener_that_fails_after_the_cancellation_is_heard_by_nobody(gate, caplog):
    def opener():
        gate.wait(10)
        raise FileNotFoundError

    call = asyncio.ensure_future(runtime.open_file(opener))
    await asyncio.sleep(0.01)
    await cancelled(call)
    gate.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    await asyncio.sleep(0)
    gc.collect()
    assert caplog.records == []


async def test_a_file_is_closed_only_after_the_thread_is_done_with_it(gate, path):
    raw, seen = io.FileIO(path), []
    file, _ = await runtime.open_file(lambda: (raw, None))

    def slow(raw):
        gate.wait(10)
        seen.append((raw.closed, raw.read()))

    call = asyncio.ensure_future(file.run(slow))
    await asyncio.sleep(0.01)
    await cancelled(call)
    await file.close()
    assert (seen, raw.closed) == ([], False)
    gate.set()
    await until(lambda: raw.closed)
    assert seen == [(False, b"content")]


async def test_a_call_that_no_thread_has_begun_is_not_begun_after_the_close(gate, path):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    raw, begun = io.FileIO(path), []
    file, _ = await runtime.open_file(lambda: (raw, None))
    hung = asyncio.ensure_future(runtime.blocking(gate.wait, 10))
    for call in (file.run(begun.append), runtime.open_file(lambda: (begun.append(None), None))):
        waiting = asyncio.ensure_future(call)
        await asyncio.sleep(0)
        await cancelled(waiting)
    await file.close()
    assert raw.closed
    gate.set()
    await hung
    await runtime.blocking(len, "")
    assert begun == []


@pytest.mark.parametrize("verb", ["open", "run"])
def test_a_file_is_closed_although_its_loop_is_gone_when_the_thread_ends(gate, path, verb):
    opened = []

    def opener():
        if verb == "open":
            gate.wait(10)
        opened.append(io.FileIO(path))
        return opened[0], None

    async def leave():
        asyncio.get_running_loop().set_default_executor(executor)
        async with runtime.timeout(0.01):
            file, _ = await runtime.open_file(opener)
            try:
                await file.run(lambda raw: gate.wait(10))
            finally:
                await file.close()

    with ThreadPoolExecutor(1) as executor:
        loop = asyncio.new_event_loop()
        with pytest.raises(TimeoutError):
            loop.run_until_complete(leave())
        loop._default_executor = None  # closing the loop waits for no thread of it then
        loop.close()
        gate.set()
    assert opened[0].closed


async def test_a_call_on_a_file_waits_for_the_one_whose_caller_has_gone(gate, path):
    file, _ = await runtime.open_file(lambda: (io.FileIO(path), None))
    order = []

    def slow(_):
        gate.wait(10)
        order.append("first")

    call = asyncio.ensure_future(file.run(slow))
    await asyncio.sleep(0.01)
    await cancelled(call)
    second = asyncio.ensure_future(file.run(lambda _: order.append("second")))
    await asyncio.sleep(0.01)
    assert order == []
    gate.set()
    await second
    await file.close()
    assert order == ["first", "second"]


async def test_a_queue_makes_its_calls_in_turn_and_by_one_thread(gate):
    queue, order = runtime.call_queue(), []
    calls = [asyncio.ensure_future(queue.blocking(lambda: (order.append(1), gate.wait(10))))]
    calls += [asyncio.ensure_future(queue.blocking(order.append, number)) for number in (2, 3)]
    await until(lambda: order)
    await asyncio.sleep(5 * PATIENCE)  # after which other calls would get a thread of their own
    await cancelled(calls[1])
    assert order == [1]
    gate.set()
    await asyncio.gather(calls[0], calls[2])
    assert order == [1, 3]


async def test_a_call_that_waits_in_a_queue_holds_no_thread(gate):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    queue = runtime.call_queue()
    calls = [asyncio.ensure_future(queue.blocking(gate.wait, 10)) for _ in range(3)]
    async with asyncio.timeout(10):
        assert await runtime.blocking(len, "abc") == 3
    gate.set()
    assert await asyncio.gather(*calls) == [True] * 3


def test_a_queue_goes_on_on_the_next_loop_after_one_that_was_closed_during_a_call(gate):
    async def start():
        asyncio.get_running_loop().set_default_executor(executor)
        asyncio.ensure_future(queue.blocking(gate.wait, 10)).add_done_callback(lambda _: None)
        await asyncio.sleep(0.01)

    queue = runtime.call_queue()
    with ThreadPoolExecutor(1) as executor:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(start())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop._default_executor = None  # closing the loop waits for no thread of it then
        loop.close()
        assert asyncio.run(queue.blocking(len, "abc")) == 3
        gate.set()


def positions_read(seen, *gates, size=3):
    """Reads pieces and notes their positions. Each waits for a gate at its end, as long as there are some."""
    left = list(gates)

    def read(raw, position):
        seen.append(position)
        if left:
            assert left.pop(0).wait(10)
        return os.pread(raw.fileno(), size, position)

    return read


async def test_a_started_read_runs_before_its_result_is_wanted_and_before_the_next_call(gate, path):
    file, order = (await runtime.open_file(lambda: (io.FileIO(path), None)))[0], []
    started = file.start(positions_read(order, gate), 1, 7)
    await until(lambda: order)
    waiting = asyncio.ensure_future(started.result())
    await asyncio.sleep(0)
    await cancelled(waiting)
    call = asyncio.ensure_future(file.run(lambda raw: order.append("call")))
    await asyncio.sleep(0.01)
    assert order == [1]
    gate.set()
    await call
    assert [await started.result(), await started.result()] == [b"ont", b"ont"]
    assert order == [1, "call"]
    assert started.is_over
    await file.close()


async def test_a_started_read_goes_on_while_its_caller_waits_for_each_piece(gate, path):
    file, seen, second = (await runtime.open_file(lambda: (io.FileIO(path), None)))[0], [], threading.Event()
    started = file.start(positions_read(seen, gate, second), 0, 7)
    waiting = asyncio.ensure_future(started.result())
    await asyncio.sleep(0)
    gate.set()
    assert (await waiting, started.is_over) == (b"con", False)
    await until(lambda: seen == [0, 3])
    second.set()
    await until(file._running.done)
    assert (await started.result(), started.is_over, seen) == (b"ten", True, [0, 3])  # nobody waited for it
    await file.close()


async def test_a_started_read_ends_at_its_end(path):
    file, seen = (await runtime.open_file(lambda: (io.FileIO(path), None)))[0], []
    content = b""
    while len(content) < 7:  # a caller that does not wait in time starts it again
        started = file.start(positions_read(seen, size=2), len(content), 7)
        while not started.is_over:
            content += await started.result()
    assert (content, seen) == (b"content", [0, 2, 4, 6])
    await file.close()


async def test_a_started_read_is_one_piece_ahead_of_a_loop_that_is_held_up(path):
    file, seen = (await runtime.open_file(lambda: (io.FileIO(path), None)))[0], []
    begin = threading.Event()
    started = file.start(positions_read(seen, begin, size=1), 0, 7)
    waiting = asyncio.ensure_future(started.result())
    await asyncio.sleep(0)
    begin.set()
    while len(seen) < 2:
        time.sleep(0.001)  # the loop is held up
    time.sleep(0.02)
    assert seen == [0, 1]
    assert [await waiting, await started.result(), started.is_over] == [b"c", b"o", True]
    await file.close()


async def test_a_started_read_leaves_the_thread_to_others_after_its_turn(path, monkeypatch):
    monkeypatch.setattr("entrepot.raw.runtime.asyncio.LONGEST_TURN", 0)
    file, seen = (await runtime.open_file(lambda: (io.FileIO(path), None)))[0], []
    started = file.start(positions_read(seen), 0, 7)
    assert (await started.result(), started.is_over, seen) == (b"con", True, [0])
    await file.close()


async def test_the_error_of_a_started_read_is_its_result_and_else_dropped(path, caplog):
    file, _ = await runtime.open_file(lambda: (io.FileIO(path), None))
    with pytest.raises(ZeroDivisionError):
        await file.start(lambda _, position: 1 / position, 0, 7).result()
    file.start(lambda _, position: 1 / position, 0, 7)
    assert await file.run(lambda raw: raw.read()) == b"content"
    await file.close()
    del file
    gc.collect()
    assert caplog.records == []


async def test_an_error_of_a_started_read_comes_after_the_pieces_before_it(gate, path):
    file, _ = await runtime.open_file(lambda: (io.FileIO(path), None))
    started = file.start(lambda _, position: gate.wait(10) and b"%d" % (1 // (1 - position)), 0, 7)
    waiting = asyncio.ensure_future(started.result())
    await asyncio.sleep(0)
    gate.set()
    assert (await waiting, started.is_over) == (b"1", False)
    with pytest.raises(ZeroDivisionError):
        await started.result()
    await file.close()


def test_a_started_read_whose_loop_was_closed_has_no_result(gate, path):
    async def start():
        asyncio.get_running_loop().set_default_executor(executor)
        file, _ = await runtime.open_file(lambda: (io.FileIO(path), None))
        return file, file.start(lambda raw, position: b"late"[gate.wait(10) :], 0, 7)

    async def go_on(file, started):
        assert await started.result() is None
        gate.set()
        assert await file.run(lambda raw: raw.read()) == b"content"
        await file.close()

    with ThreadPoolExecutor(1) as executor:
        loop = asyncio.new_event_loop()
        file, started = loop.run_until_complete(start())
        loop._default_executor = None  # closing the loop waits for no thread of it then
        loop.close()
        asyncio.run(go_on(file, started))


async def test_a_timeout_cancels_what_waits():
    with pytest.raises(TimeoutError):
        async with runtime.timeout(0.01):
            await asyncio.Event().wait()
    assert asyncio.current_task().cancelling() == 0


async def test_a_limit_cancels_the_call_and_nobody_else():
    left = []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            left.append("by cancellation")

    with pytest.raises(TimeoutError) as caught:
        await runtime.with_timeout(0.01, wait)
    assert left == ["by cancellation"]
    assert asyncio.current_task().cancelling() == 0
    assert isinstance(caught.value.__context__, asyncio.CancelledError)  # the cause too, since Python 3.11.3


async def test_a_call_that_does_not_wait_takes_no_timer(monkeypatch):
    async def give():
        return 7

    monkeypatch.setattr(asyncio, "timeout_at", None)
    assert await runtime.with_timeout(10, give) == 7
    with pytest.raises(TypeError):
        await runtime.with_timeout(10, asyncio.sleep, 0)


async def test_limits_of_any_order_share_one_timer_and_none_ends_early():
    loop, others_are_late = asyncio.get_running_loop(), asyncio.Event()

    async def is_late(seconds, call, *args):
        started = loop.time()
        try:
            await runtime.with_timeout(seconds, call, *args)
        except TimeoutError:
            assert round(loop.time() - started, 6) >= seconds  # uvloop counts in milliseconds
            return True
        return False

    async with asyncio.timeout(10):
        in_time = asyncio.ensure_future(is_late(9, others_are_late.wait))
        late = await asyncio.gather(
            is_late(0.02, asyncio.sleep, 9),
            is_late(0.005, asyncio.sleep, 9),
            is_late(8, asyncio.sleep, 0),
            is_late(0.01, asyncio.sleep, 9),
        )
        others_are_late.set()
        assert late == [True, True, False, True]
        assert not await in_time
    assert asyncio.current_task().cancelling() == 0


async def test_a_call_takes_no_timer_of_its_own_while_one_is_set(monkeypatch):
    timers = []
    await runtime.with_timeout(50, asyncio.sleep, 0)
    monkeypatch.setattr(asyncio.get_running_loop(), "call_at", lambda *args, **options: timers.append(args))
    for seconds in (60, 70, 60):
        await runtime.with_timeout(seconds, asyncio.sleep, 0)
    assert not timers


async def test_a_limit_counts_from_the_beginning_of_the_call():
    async def hold_up_and_wait():
        time.sleep(0.02)
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await runtime.with_timeout(0.01, hold_up_and_wait)


class VirtualSelector(selectors.SelectSelector):
    """Where a loop would wait, its time passes at once."""

    passed = 0.0
    waits = 0

    def select(self, timeout=None):
        if timeout:
            self.passed += timeout
            self.waits += 1
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.virtual = VirtualSelector()
        super().__init__(self.virtual)

    def time(self):
        return self.virtual.passed


def test_on_a_loop_of_virtual_time_limits_take_its_time():
    async def measure():
        loop, started = asyncio.get_running_loop(), runtime.now()
        async with asyncio.timeout(90_000):
            await runtime.with_timeout(7200, asyncio.sleep, 3600)
            with pytest.raises(TimeoutError):
                await runtime.with_timeout(36_000, asyncio.Event().wait)
        return loop.time(), runtime.now() - started, loop.virtual.waits

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        passed, measured, waits = runner.run(measure())
    assert measured == passed == pytest.approx(3600 + 36_000)
    assert waits <= 3  # of the sleep, of the limit that it did not need, and of the last one


def test_time_is_measured_without_a_loop_as_well():
    before = time.monotonic()
    assert before <= runtime.now() <= time.monotonic()


async def test_a_cancelled_call_within_a_limit_is_cancelled_and_not_late():
    task = asyncio.ensure_future(runtime.with_timeout(10, asyncio.Event().wait))
    await asyncio.sleep(0)
    await cancelled(task)
    assert task.cancelled()


async def test_a_call_that_waits_on_when_it_is_cancelled_has_the_word():
    gate = asyncio.Event()

    async def end_in_peace():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await gate.wait()
            await asyncio.sleep(0)
            return "ended in peace"

    task = asyncio.ensure_future(runtime.with_timeout(10, end_in_peace))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    assert await task == "ended in peace"


async def test_a_call_within_a_limit_that_ends_at_the_error_of_its_first_wait_gives_its_result():
    async def fall_back():
        try:
            await runtime.blocking(io.FileIO, "/nowhere/at/all")
        except FileNotFoundError:
            return "nothing there"

    async def stay_calm():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "calm"

    assert await runtime.with_timeout(10, fall_back) == "nothing there"
    task = asyncio.ensure_future(runtime.with_timeout(10, stay_calm))
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "calm"
    assert await runtime.with_timeout(0.01, stay_calm) == "calm"


async def test_a_call_within_a_limit_is_closed_with_its_caller():
    left = []

    async def wait():
        try:
            await asyncio.Event().wait()
        except GeneratorExit:
            left.append("closed")
            raise

    coroutine = runtime.with_timeout(10, wait)
    coroutine.send(None)
    coroutine.close()
    assert left == ["closed"]


async def test_a_window_runs_its_calls_at_the_same_time():
    meeting = asyncio.Barrier(3)
    window = runtime.window(3)
    for _ in range(3):
        window.spawn(meeting.wait)
    async with asyncio.timeout(10):
        met = [await window.take() for _ in range(3)]
    await window.close()
    assert sorted(met) == [0, 1, 2]


async def test_a_cancelled_take_loses_nothing():
    window, gate = runtime.window(1), asyncio.Event()

    async def late():
        await gate.wait()
        return "kept"

    window.spawn(late)
    taking = asyncio.ensure_future(window.take())
    await asyncio.sleep(0)
    await cancelled(taking)
    gate.set()
    assert (len(window), await window.take(), len(window)) == (1, "kept", 0)


@pytest.mark.parametrize("steps", range(5))
async def test_a_take_that_is_cancelled_as_its_result_comes_loses_nothing(steps):
    window, gate = runtime.window(1), asyncio.Event()
    window.spawn(gate.wait)
    taking = asyncio.ensure_future(window.take())
    await asyncio.sleep(0)
    gate.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    is_taken = taking.done()
    taking.cancel()
    await asyncio.wait([taking])
    assert (taking.cancelled(), len(window)) == (not is_taken, int(not is_taken))
    assert is_taken or await window.take() is True


async def test_closing_a_window_waits_for_tasks_that_take_their_time_to_end():
    window, ended = runtime.window(2), []

    async def reluctant():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    window.spawn(reluctant)
    window.spawn(reluctant)
    await asyncio.sleep(0)
    await window.close()
    assert (ended, other_tasks()) == ([True, True], set())


async def test_closing_a_window_leaves_no_task_although_it_is_cancelled_twice():
    window = runtime.window(1)
    may_end = asyncio.Event()

    async def reluctant():
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    window.spawn(reluctant)
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(window.close())
    for _ in range(2):
        await asyncio.sleep(0)
        closing.cancel()
    await asyncio.sleep(0)
    assert not closing.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert other_tasks() == set()


async def test_an_error_that_nobody_takes_from_a_window_is_not_logged(caplog):
    window = runtime.window(2)

    async def fail():
        raise LookupError("no")

    window.spawn(fail)
    window.spawn(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del window
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_shielded_call_runs_to_its_end_however_often_its_caller_is_cancelled(times):
    may_end, ended = asyncio.Event(), []

    async def work():
        await may_end.wait()
        ended.append(True)

    caller = asyncio.ensure_future(runtime.shield(work))
    for _ in range(times):
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    assert (caller.done(), ended) == (False, [])
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert (ended, other_tasks()) == ([True], set())


async def test_a_shielded_call_that_fails_after_the_cancellation_is_not_logged(caplog):
    may_end = asyncio.Event()

    async def work():
        await may_end.wait()
        raise LookupError("no")

    caller = asyncio.ensure_future(runtime.shield(work))
    await asyncio.sleep(0)
    caller.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    del caller
    gc.collect()
    assert caplog.records == []


async def test_a_timeout_around_a_shield_comes_when_the_call_has_ended():
    ended = []

    async def work():
        await asyncio.sleep(0.03)
        ended.append(True)

    with pytest.raises(TimeoutError):
        async with runtime.timeout(0.01):
            await runtime.shield(work)
    assert ended == [True]


async def test_a_cancelled_scope_of_anyio_does_not_reach_a_shielded_call():
    ended = []

    async def work():
        await asyncio.sleep(0.01)
        ended.append(True)

    with anyio.CancelScope() as scope:
        scope.cancel()
        await runtime.shield(work)
        assert ended == [True]
        await anyio.sleep(0)
        pytest.fail("the scope is cancelled")
    assert scope.cancelled_caught


async def test_a_cancelled_scope_of_anyio_does_not_keep_a_window_from_closing():
    window, ended = runtime.window(1), []

    async def reluctant():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    window.spawn(reluctant)
    await asyncio.sleep(0)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await window.close()
    assert (ended, other_tasks()) == ([True], set())


async def test_a_scope_of_anyio_cancels_a_take_and_the_window_goes_on():
    window, gate = runtime.window(1), asyncio.Event()
    window.spawn(gate.wait)
    with anyio.move_on_after(0.01) as scope:
        await window.take()
    assert scope.cancelled_caught
    gate.set()
    assert await window.take() is True


class TestLocals:
    @pytest.fixture
    def values(self):
        return []

    @pytest.fixture
    def closed(self):
        return []

    @pytest.fixture
    def local(self, values, closed):
        def make():
            values.append(object())
            return values[-1]

        async def close(value):
            await asyncio.sleep(0)
            closed.append((value, asyncio.get_running_loop()))

        return runtime.local(make, close)

    def test_each_loop_has_its_own_and_closes_it_when_it_shuts_down(self, local, values, closed):
        loops = []

        async def use():
            loops.append(asyncio.get_running_loop())
            await local.get()

        asyncio.run(use())
        asyncio.run(use())
        assert closed == list(zip(values, loops, strict=True))

    def test_two_loops_at_once_have_two(self, local, values, closed):
        both = threading.Barrier(2)

        async def use():
            await local.get()
            both.wait(10)
            await asyncio.sleep(0)

        threads = [threading.Thread(target=asyncio.run, args=(use(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(values) == 2
        assert {id(value) for value, _ in closed} == {id(value) for value in values}

    def test_many_tasks_of_one_loop_share_one(self, local, values):
        async def use():
            await asyncio.gather(*(local.get() for _ in range(20)))

        asyncio.run(use())
        assert len(values) == 1

    def test_tasks_that_close_at_once_close_it_once(self, local, closed):
        async def use():
            await local.get()
            await asyncio.gather(*(local.close() for _ in range(5)))

        asyncio.run(use())
        assert len(closed) == 1

    def test_closing_on_a_loop_that_has_none_does_nothing(self, local, closed):
        asyncio.run(local.close())
        assert closed == []

    async def test_one_that_nobody_holds_any_more_is_closed(self, closed):
        async def close(value):
            closed.append(value)

        local = runtime.local(lambda: "value", close)
        await local.get()
        del local
        gc.collect()
        await until(lambda: closed)
        assert closed == ["value"]

    def test_a_loop_that_was_closed_without_shutting_down_is_forgotten(self, local, values):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(local.get())
        loop.close()
        asyncio.run(local.get())
        assert len(values) == 2
        assert list(local._held) == []


AWAY_FROM_A_LOOP = """
import asyncio, logging, os, socket, sys
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.raw.runtime import loop_local
logging.getLogger("asyncio").setLevel(logging.ERROR)  # ignores the warning that a callback was slow

async def say_at_the_end(ours, connected):
    _, writer = await asyncio.open_connection(sock=ours)
    connected.set()
    try:
        await asyncio.Event().wait()
    finally:
        writer.write(b"farewell")
        writer.close()
        await writer.wait_closed()

async def main(ours, theirs):
    connected = asyncio.Event()
    speaker = asyncio.ensure_future(say_at_the_end(ours, connected))
    await connected.wait()
    await AsyncioRuntime().local(object).get()
    PREPARE
    child = os.fork()
    if child == 0:
        LEAVE
    os.waitpid(child, 0)
    theirs.setblocking(False)
    try:
        print(theirs.recv(100))
    except BlockingIOError:
        print("nothing was said")
    speaker.cancel()
    await asyncio.wait([speaker])
    print(theirs.recv(100), theirs.recv(100))

ours, theirs = socket.socketpair()
with theirs:
    asyncio.run(main(ours, theirs))
"""


def _forked_in_a_loop(prepare, leave):
    script = AWAY_FROM_A_LOOP.replace("PREPARE", prepare).replace("LEAVE", leave)
    return subprocess.run(
        [sys.executable, "-Xdev", "-Werror", "-c", script], capture_output=True, text=True, timeout=30, check=True
    )


def test_a_child_that_exits_says_nothing_on_the_connections_of_its_parent():
    ended = _forked_in_a_loop(prepare="pass", leave="sys.exit(0)")
    assert (ended.stdout, warnings_of(ended.stderr)) == ("nothing was said\nb'farewell' b''\n", "")


@pytest.mark.parametrize("names", ["_SHARED", "_SHARED_BY_TRANSPORT"])
def test_a_loop_of_a_python_that_names_things_otherwise_is_leaked_without_a_word(names):
    ended = _forked_in_a_loop(f"loop_local.{names} = ('_by_another_name',)", leave="os._exit(0)")
    assert (ended.stdout, warnings_of(ended.stderr)) == ("nothing was said\nb'farewell' b''\n", "")
