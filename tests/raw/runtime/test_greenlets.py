"""The background loop of a program whose threads are greenlets: others see no loop of it while it waits."""

import _thread
import asyncio
import os
import threading
from selectors import DefaultSelector

import pytest

from entrepot.raw.runtime.greenlets import GreenletSelector, threads_are_greenlets
from tests.reliability.helpers import run_script


class OtherGreenlets(DefaultSelector):
    """What runs while a loop waits, in place of a selector that switches greenlets."""

    def __init__(self):
        super().__init__()
        self.run = lambda: None

    def select(self, timeout=None):
        self.run()
        return super().select(timeout)


class Selector(GreenletSelector, OtherGreenlets):
    """Ours, above the one in which others run."""


class Outer(asyncio.SelectorEventLoop):
    """A loop that seems to run in another greenlet."""

    runs = False

    def is_running(self):
        return self.runs


@pytest.fixture
def selector():
    return Selector()


@pytest.fixture
def loop(selector):
    loop = asyncio.SelectorEventLoop(selector)
    yield loop
    loop.close()


@pytest.fixture
def outer():
    loop = Outer()
    loop.runs = True
    yield loop
    asyncio._set_running_loop(None)
    loop.runs = False
    loop.close()


def serve(selector, loop, coroutine):
    with selector.serving(loop):
        return loop.run_until_complete(coroutine)


async def step():
    await asyncio.sleep(0)
    return asyncio.get_running_loop()


def test_threads_of_python_are_none(monkeypatch):
    assert not threads_are_greenlets()
    monkeypatch.setattr(_thread, "get_ident", lambda: 1)
    assert threads_are_greenlets()


def test_threads_that_a_debugger_starts_are_those_of_the_system(monkeypatch):
    monkeypatch.setattr(_thread, "start_new_thread", lambda function, args: None)
    assert not threads_are_greenlets()


def test_others_see_no_loop_while_it_waits(selector, loop):
    seen = []
    selector.run = lambda: seen.append(asyncio._get_running_loop())
    assert serve(selector, loop, step()) is loop
    assert len(seen) > 1
    assert set(seen) == {None}
    assert asyncio._get_running_loop() is None


def test_it_runs_beside_a_loop_of_another_greenlet(selector, loop, outer):
    seen = []
    selector.run = lambda: seen.append(asyncio._get_running_loop())
    asyncio._set_running_loop(outer)
    assert serve(selector, loop, step()) is loop
    assert set(seen) == {outer}
    assert asyncio._get_running_loop() is outer


def test_a_loop_that_begins_while_it_waits_is_put_back(selector, loop, outer):
    seen = []

    def begin():
        seen.append(asyncio._get_running_loop())
        asyncio._set_running_loop(outer)

    selector.run = begin
    assert serve(selector, loop, step()) is loop
    assert seen[0] is None
    assert set(seen[1:]) == {outer}


def test_a_loop_that_has_ended_is_not_put_back(selector, loop, outer):
    asyncio._set_running_loop(outer)
    outer.runs = False
    assert serve(selector, loop, step()) is loop
    assert asyncio._get_running_loop() is None


def test_others_may_run_while_a_thread_starts(selector, loop):
    async def look():
        with selector.away():
            away = asyncio._get_running_loop()
        return away, asyncio.get_running_loop()

    assert serve(selector, loop, look()) == (None, loop)


def test_in_a_forked_child_it_never_returns_from_its_wait(selector, loop, monkeypatch):
    parked = []

    class Parked(BaseException):
        """The end of the test, where a greenlet would wait forever."""

    def park(event):
        parked.append(event)
        raise Parked

    monkeypatch.setattr(threading.Event, "wait", park)
    selector.run = lambda: monkeypatch.setattr(os, "getpid", lambda: -1)
    with selector.serving(loop), pytest.raises(Parked):
        selector.select(0)
    assert len(parked) == 1


GEVENT = """
from gevent import monkey
monkey.patch_all()
import asyncio
import gevent
from entrepot.raw.runtime.background import BackgroundRunner

runner, seen = BackgroundRunner(), set()

async def work():
    await asyncio.sleep(0.01)
    await asyncio.get_running_loop().run_in_executor(None, gevent.sleep, 0.01)  # starts a thread
    return 1

def watch():
    while True:
        seen.add(asyncio._get_running_loop())
        gevent.sleep(0)

def run_beside():
    return asyncio.run(work())

watcher = gevent.spawn(watch)
assert runner.run(work()) == 1
assert seen == {None}, seen
watcher.kill()
beside = gevent.spawn(run_beside)
gevent.sleep(0)
calls = [gevent.spawn(runner.run, work()) for _ in range(5)]
gevent.joinall([*calls, beside], raise_error=True)
assert asyncio.run(work()) == 1
print("done")
"""


def test_a_program_over_gevent_runs_loops_of_its_own():
    pytest.importorskip("gevent")
    ended = run_script(GEVENT, None)
    assert (ended.stdout, ended.stderr) == ("done\n", "")
