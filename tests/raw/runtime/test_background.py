"""Coroutines that threads without a loop have run on the loop of the process."""

import asyncio
import gc
import threading
import time
from contextvars import ContextVar

import pytest

from entrepot import Unsupported
from entrepot.raw.runtime.background import BackgroundRunner

runner = BackgroundRunner()
flavour = ContextVar("flavour", default="none")


async def give(value):
    await asyncio.sleep(0)
    return value


async def listed(items):
    return [item async for item in items]


async def thread_and_loop():
    return threading.current_thread(), asyncio.get_running_loop()


def test_a_coroutine_gives_its_result_and_its_error():
    async def fail():
        await asyncio.sleep(0)
        raise LookupError("no")

    assert runner.run(give(7)) == 7
    with pytest.raises(LookupError, match="no") as raised:
        runner.run(fail())
    assert [entry.name for entry in raised.traceback][-1] == "fail"


def test_all_runners_and_threads_share_one_loop():
    seen = [runner.run(thread_and_loop())]
    threads = [threading.Thread(target=lambda: seen.append(BackgroundRunner().run(thread_and_loop()))) for _ in "abc"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(seen) == 4
    assert len(set(seen)) == 1
    assert seen[0][0] is not threading.current_thread()


async def test_it_works_where_another_loop_runs():
    _, loop = runner.run(thread_and_loop())
    assert loop is not asyncio.get_running_loop()


def test_many_threads_wait_at_the_same_time():
    meeting = threading.Barrier(5)

    async def meet():
        await asyncio.get_running_loop().run_in_executor(None, meeting.wait, 10)
        return True

    met = []
    threads = [threading.Thread(target=lambda: met.append(runner.run(meet()))) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert met == [True] * 5


def test_a_coroutine_sees_the_context_variables_of_its_caller():
    async def look():
        return flavour.get()

    token = flavour.set("salt")
    try:
        assert runner.run(look()) == "salt"
    finally:
        flavour.reset(token)


def test_an_iterable_is_drawn_from_by_the_thread_that_waits():
    drawn_in = []

    def items():
        for number in range(3):
            drawn_in.append(threading.current_thread())
            yield number

    assert runner.run(listed(runner.bring(items()))) == [0, 1, 2]
    assert set(drawn_in) == {threading.current_thread()}


def test_an_iterable_may_have_coroutines_run_itself():
    assert runner.run(listed(runner.bring(runner.run(give(number)) for number in range(3)))) == [0, 1, 2]


def test_a_sequence_is_left_as_it_is():
    for sequence in ([1, 2], b"ab", "ab", memoryview(b"ab")):
        assert runner.bring(sequence) is sequence


@pytest.mark.parametrize("kind", [LookupError, StopIteration])
def test_the_exception_of_an_iterator_arrives_in_the_coroutine(kind):
    class Broken:
        def __iter__(self):
            return self

        def __next__(self):
            raise kind("of the iterator")

    async def take():
        try:
            return await listed(runner.bring(Broken()))
        except LookupError as error:
            return str(error)

    assert runner.run(take()) == ("of the iterator" if kind is LookupError else [])


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_interrupts_the_waiting_thread_cancels_the_coroutine_and_waits_for_its_clean_up(kind):
    ended = []

    def items():
        try:
            yield 1
            raise kind
        finally:
            ended.append("iterator")

    async def take():
        try:
            await listed(runner.bring(items()))
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            ended.append("coroutine")
            raise

    with pytest.raises(kind):
        runner.run(take())
    assert ended == ["iterator", "coroutine"]
    assert runner.run(give(7)) == 7


def test_a_generator_is_closed_when_the_coroutine_has_enough():
    ended = []

    def items():
        try:
            yield from range(10)
        finally:
            ended.append(threading.current_thread())

    held = items()

    async def take():
        drawn = runner.bring(held)
        first = await anext(drawn)
        await drawn.aclose()
        return first

    assert runner.run(take()) == 0
    assert ended == [threading.current_thread()]
    assert list(held) == []


def test_the_thread_of_the_loop_is_not_made_to_wait_for_itself():
    async def nest():
        inner = give(7)
        with pytest.raises(Unsupported, match="would wait for itself") as raised:
            runner.run(inner)
        return raised.value.kind

    assert runner.run(nest()) == "Unsupported"


def test_a_coroutine_that_is_cancelled_from_within_gives_a_cancellation():
    async def give_up():
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    with pytest.raises(asyncio.CancelledError):
        runner.run(give_up())


def test_an_error_leaves_no_cycle_that_keeps_what_was_called_alive():
    class Held:
        pass

    async def fail(held):
        raise LookupError

    gc.collect()
    gc.disable()
    try:
        held = Held()
        alive = []
        Held.__del__ = lambda self: alive.pop()
        alive.append(True)
        with pytest.raises(LookupError) as raised:
            runner.run(fail(held))
        del held, raised
        latest = time.monotonic() + 5
        while alive and time.monotonic() < latest:
            time.sleep(0.001)
        assert alive == []
    finally:
        gc.enable()


def test_what_is_dropped_is_collected_in_the_thread_of_the_loop():
    collected = []

    class Held:
        def __del__(self):
            collected.append(threading.current_thread())

    runner.drop([Held()])
    loop_thread, _ = runner.run(thread_and_loop())
    assert collected == [loop_thread]
