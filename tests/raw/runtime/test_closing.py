"""A thread that has something for an event loop, which another thread closes at the same moment."""

import asyncio
import inspect
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from entrepot.cli.patient_thread import PatientThread
from entrepot.raw.http import HttpRequest
from entrepot.raw.runtime import background
from entrepot.raw.runtime.background import BackgroundRunner
from entrepot.raw.runtime.running import call_on
from entrepot.testing.scripted_server import STALL, ScriptedServer, raw_response
from tests.transports import IS_BLOCKING, Transport


@contextmanager
def closing(loop: asyncio.AbstractEventLoop) -> Iterator[list[object]]:
    """A block in which a loop seems open until a call comes to it, and closed to that call. Gives what came."""
    came = list[object]()

    def refuse(*call: object, context: object = None) -> None:
        came.append(call)
        raise RuntimeError("Event loop is closed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "is_closed", lambda: bool(came))
        patch.setattr(loop, "call_soon_threadsafe", refuse)
        yield came


def test_a_loop_makes_a_call_from_a_thread_unless_it_is_closed() -> None:
    loop, made = asyncio.SelectorEventLoop(), list[int]()
    assert call_on(loop, made.append, 7)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert not call_on(loop, made.append, 8)
    assert made == [7]


def test_an_open_loop_that_refuses_a_call_says_why() -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("not now")

    loop = asyncio.SelectorEventLoop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", refuse)
        with pytest.raises(RuntimeError, match="not now"):
            call_on(loop, print)
    loop.close()


@pytest.mark.skipif(IS_BLOCKING, reason="it has no event loop")
def test_a_body_that_nobody_closes_is_dropped_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    raised = list[Any]()
    monkeypatch.setattr(sys, "unraisablehook", raised.append)

    async def main(endpoint: str) -> None:
        transport = Transport()
        held = [await transport.send(HttpRequest("GET", f"{endpoint}/a"))]
        with closing(asyncio.get_running_loop()) as came:
            held.clear()
            assert len(came) == 1

    with (
        ScriptedServer(lambda _: [raw_response("200 OK", "Content-Length: 10") + b"hello", STALL]) as server,
        asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
    ):
        runner.run(main(server.endpoint))
    assert [one.exc_value for one in raised] == []


def test_an_interrupted_call_closes_its_coroutine() -> None:
    async def called() -> None: ...

    loop, coroutine = asyncio.SelectorEventLoop(), called()
    with closing(loop) as came:
        background._Call(loop, coroutine)._interrupt()
        assert len(came) == 1
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    loop.close()


def test_what_nobody_closed_is_left_to_a_loop_that_is_closed() -> None:
    async def running() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def close(_: object) -> None:
        pytest.fail("there is no loop for it")

    runner = BackgroundRunner()
    with closing(runner.run(running())) as came:
        runner.drop([object()], close)
        assert len(came) == 1


def test_a_patient_thread_goes_on_after_a_call_that_nobody_awaits(monkeypatch: pytest.MonkeyPatch) -> None:
    raised = list[Any]()
    monkeypatch.setattr(threading, "excepthook", raised.append)
    thread, entered, may_go = PatientThread(), threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert may_go.wait(30)

    async def give_up() -> None:
        waiting = asyncio.ensure_future(thread.call(wait))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        waiting.cancel()

    async def use() -> int:
        may_go.set()
        return await asyncio.wait_for(thread.call(lambda: 7), 30)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(give_up())
        with closing(runner.get_loop()) as came:
            assert asyncio.run(use()) == 7
            assert len(came) == 1
    assert raised == []
