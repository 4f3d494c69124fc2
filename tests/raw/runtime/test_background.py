"""Coroutines that threads without a loop have run on the loop of the process."""

import asyncio
import gc
import threading
import time
from collections.abc import Generator, Sequence
from contextvars import ContextVar
from queue import SimpleQueue

import pytest

from entrepot import Unexpected, Unsupported
from entrepot.raw.runtime import background
from entrepot.raw.runtime.background import BackgroundRunner
from tests.reliability.helpers import run_script

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


def test_what_runs_no_code_is_left_as_it_is():
    for plain in ([1, 2], (1, 2), b"ab", bytearray(b"ab"), "ab", memoryview(b"ab"), None):
        assert runner.bring(plain) is plain


@pytest.mark.parametrize("base", [Sequence, list])
def test_a_sequence_of_the_caller_may_have_coroutines_run_itself(base):
    class Lazy(base):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            if index >= 2:
                raise IndexError
            return runner.run(give(index))

        def __iter__(self):
            return (self[index] for index in range(2))

    assert runner.run(listed(runner.bring(Lazy()))) == [0, 1]


def test_an_iterator_that_cannot_be_closed_fails_the_call():
    class Odd(Generator):
        def send(self, value):
            raise StopIteration

        def throw(self, *exc_info):
            raise StopIteration

        def close(self):
            raise StopIteration("odd")

    with pytest.raises(RuntimeError, match="raised StopIteration when it was closed") as raised:
        runner.run(listed(runner.bring(Odd())))
    assert isinstance(raised.value.__cause__, StopIteration)


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

    closed = []

    async def close(held):
        closed.append((type(held), threading.current_thread()))

    loop_thread, _ = runner.run(thread_and_loop())  # starts the loop: before it there is nothing that belongs to one
    runner.drop([Held()], close)
    runner.run(give(None))
    assert collected == [loop_thread]
    assert closed == [(Held, loop_thread)]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("is_in_a_task", [False, True])
def test_what_would_end_the_loop_ends_the_call_only(kind, is_in_a_task):
    error = kind(3)

    async def leave():
        await asyncio.sleep(0)
        raise error

    async def wait():
        await (asyncio.create_task(leave()) if is_in_a_task else leave())

    thread, _ = runner.run(thread_and_loop())
    with pytest.raises(kind) as raised:
        runner.run(wait())
    assert raised.value is error
    assert runner.run(thread_and_loop())[0] is thread


@pytest.fixture
def shared(monkeypatch):
    """A loop of the test's own in the place of that of the process."""
    shared = background._Shared()
    monkeypatch.setattr(background, "_shared", shared)
    yield shared
    shared.end()


def refuse(*args, **options):
    raise RuntimeError("can't start new thread")


def test_an_interpreter_without_daemon_threads_has_no_loop_and_says_so_for_good(shared, monkeypatch):
    """A subinterpreter, in which another attempt would fail in the same way."""

    def refuse_daemon(*args, daemon, **options):
        raise RuntimeError("daemon threads are disabled in this (sub)interpreter")

    monkeypatch.setattr(threading, "Thread", refuse_daemon)
    with pytest.raises(Unsupported, match="daemon threads are disabled") as raised:
        runner.run(give(7))
    assert not raised.value.is_temporary


def test_an_isolated_subinterpreter_says_so_for_good(shared, monkeypatch):
    """Up to Python 3.11 it refuses the start of any thread, and not a daemon thread before that."""

    def refuse_start(thread):
        raise RuntimeError("thread is not supported for isolated subinterpreters")

    monkeypatch.setattr(threading.Thread, "start", refuse_start)
    with pytest.raises(Unsupported, match="needs a daemon thread: thread is not supported") as raised:
        runner.run(give(7))
    assert not raised.value.is_temporary


def test_a_thread_that_cannot_begin_fails_this_call_and_not_the_next(shared, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Unexpected, match="cannot be started: can't start new thread") as raised:
            runner.run(give(7))
        with pytest.raises(Unexpected):
            runner.finish(give(None))
    assert (raised.value.kind, raised.value.is_temporary) == ("Unexpected", True)
    assert (runner.run(give(7)), shared.is_over) == (7, False)


def test_a_thread_that_cannot_begin_because_the_interpreter_ends_is_not_tried_again(shared, monkeypatch):
    monkeypatch.setattr(background, "_is_interpreter_ending", lambda: True)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Unsupported, match="the interpreter ends"):
            runner.run(give(7))
    with pytest.raises(Unsupported, match="the interpreter ends"):
        runner.run(give(7))


def test_a_loop_whose_thread_has_ended_is_replaced(shared):
    first, loop = runner.run(thread_and_loop())
    shared.running.stop()
    second, _ = runner.run(thread_and_loop())
    assert (loop.is_closed(), first.is_alive(), second.is_alive()) == (True, False, True)


def test_a_loop_that_another_thread_ends_just_now_refuses_the_call(recwarn, monkeypatch):
    closed = asyncio.new_event_loop()
    closed.close()
    monkeypatch.setattr(background, "_loop_for_waiting", lambda: closed)
    with pytest.raises(Unsupported, match="the interpreter ends") as raised:
        runner.run(give(7))
    gc.collect()
    assert (raised.value.kind, [str(one.message) for one in recwarn]) == ("Unsupported", [])


def test_an_interruption_of_a_call_that_has_ended_waits_for_nothing(monkeypatch):
    class Jobs(SimpleQueue):
        def get(self, timeout=None):
            assert timeout is None, "it waits for a task that has ended"
            assert super().get() is None
            raise KeyboardInterrupt

    monkeypatch.setattr(background, "SimpleQueue", Jobs)
    with pytest.raises(KeyboardInterrupt):
        runner.run(give(7))


def test_a_call_that_is_interrupted_before_it_begins_leaves_no_warning(recwarn, monkeypatch):
    begun, is_held, go_on = [], threading.Event(), threading.Event()

    async def begin():
        begun.append(True)

    class Jobs(SimpleQueue):
        def get(self, timeout=None):
            if timeout is None:
                raise KeyboardInterrupt
            go_on.set()
            return super().get(timeout=timeout)

    loop = runner.run(thread_and_loop())[1]
    loop.call_soon_threadsafe(lambda: (is_held.set(), go_on.wait(10)))
    assert is_held.wait(10)
    monkeypatch.setattr(background, "SimpleQueue", Jobs)
    with pytest.raises(KeyboardInterrupt):
        runner.run(begin())
    gc.collect()
    assert (begun, [str(one.message) for one in recwarn]) == ([], [])


def test_the_thread_of_the_loop_gives_back_without_waiting():
    given_back = threading.Event()

    async def give_back():
        await asyncio.sleep(0)
        given_back.set()

    async def collect():
        runner.finish(give_back())
        return given_back.is_set()

    assert runner.run(collect()) is False
    assert given_back.wait(10)


AT_EXIT = """
import asyncio, atexit, threading
from entrepot.raw.runtime.background import BackgroundRunner

def fail():
    raise LookupError("no")

async def block():
    loop = asyncio.get_running_loop()
    print((await loop.getaddrinfo("localhost", 80, family=2))[0][4][0])
    print((await asyncio.to_thread(threading.current_thread)).name)
    try:
        await asyncio.to_thread(fail)
    except LookupError as error:
        print(error)

async def nothing():
    pass

atexit.register(lambda: BackgroundRunner().run(block()))
BackgroundRunner().run(nothing())
"""


def test_what_blocks_is_done_without_a_further_thread_when_the_interpreter_ends():
    ended = run_script(AT_EXIT, None)
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["127.0.0.1", "entrepot", "no"], "")
