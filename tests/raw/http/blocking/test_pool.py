"""The pool of blocking connections: what happens between two of its statements."""

import gc
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any, cast

import pytest

from entrepot.raw.http import HttpRequest
from entrepot.raw.http.blocking import BlockingTransport
from entrepot.raw.http.blocking import pool as pools
from entrepot.raw.http.blocking.connect import Connecting
from entrepot.raw.http.blocking.connection import Connection
from entrepot.raw.http.blocking.pool import Pool, Turn
from entrepot.raw.http.configured import Limits
from entrepot.raw.runtime import inline
from entrepot.testing.scripted_server import ScriptedServer, whole_response
from tests.raw.http.blocking.helpers import get

LONG = whole_response(bytes(1 << 20))


def test_a_turn_that_a_collection_of_garbage_gives_back_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection runs while a request without a turn makes its place in line, where nobody sees it yet."""
    with ScriptedServer(lambda _: [LONG]) as server:
        transport = BlockingTransport(max_connections=1, pool_timeout=1)
        held = [inline.run(transport.send(HttpRequest("GET", server.endpoint)))]
        wait = Pool._turn_in_line

        def collect_and_wait(*args: Any, **options: Any) -> Turn:
            held.clear()
            gc.collect()
            return wait(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Pool, "_turn_in_line", collect_and_wait)
            assert inline.run(get(transport, server.endpoint)) == 1 << 20
        assert not transport._pool._out
        inline.run(transport.close())


def test_a_collection_of_garbage_at_any_line_of_the_wait_does_not_end_in_a_deadlock() -> None:
    """It gives back the only turn, in the thread that waits for it."""
    steps = 1
    while _waits_with_collection_at(steps):
        steps += 1
    assert steps > 5


def _waits_with_collection_at(step: int) -> bool:
    """Waits for a turn that garbage has. Returns whether the wait has that many lines before it blocks."""
    key, pool = ("host", 80, False, None), Pool(Limits(in_use=1, idle=None, idle_seconds=10, patience=None))
    cycle: list[Any] = [pool.take(key, is_new=True)]
    cycle.append(cycle)
    held, lines = [cycle], 0
    del cycle

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if event == "line" and frame.f_code.co_filename in {pools.__file__, threading.__file__}:
            lines += 1
            if lines == step:
                held.clear()
                gc.collect(0)
        return trace

    def wait() -> None:
        before = sys.gettrace()  # such as that of a measurement of coverage
        sys.settrace(trace)
        try:
            pool.take(key, is_new=True)
        finally:
            sys.settrace(before)

    gc.disable()
    try:
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        while thread.is_alive() and not pool._line:
            thread.join(0.01)
        thread.join(0.2)
        is_reached = lines >= step
        held.clear()
        gc.collect(0)
        thread.join(30)
    finally:
        gc.enable()
    assert not thread.is_alive(), step
    return is_reached


def test_a_connection_that_is_made_while_the_transport_closes_is_closed_with_its_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ScriptedServer(lambda _: [LONG]) as server:
        transport = BlockingTransport()
        make = Connecting.connect

        def make_and_close(self: Connecting) -> Connection:
            inline.run(transport.close())
            return make(self)

        monkeypatch.setattr(Connecting, "connect", make_and_close)
        assert inline.run(get(transport, server.endpoint)) == 1 << 20
        assert not transport._pool._idle


class Idle:
    """A connection that nothing has happened to. Closing it gives others time."""

    generation = 0
    idle_since = sys.float_info.max

    def __init__(self) -> None:
        self.closing = threading.Event()
        self.may_close = threading.Event()

    def has_news(self) -> bool:
        return False

    def close(self) -> None:
        self.closing.set()
        self.may_close.wait(60)


def test_a_turn_that_is_given_up_for_a_lack_of_files_wakes_the_next_and_idle_connections_are_closed_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "_LOOK", 3600)
    here, there = ("here", 80, False, None), ("there", 80, False, None)
    pool = Pool(Limits(in_use=2, idle=None, idle_seconds=10, patience=None))
    kept, idle = pool.take(here, is_new=True), Idle()
    kept.connection = cast("Connection", idle)
    kept.give_back(may_keep=True)
    del kept
    first, second = pool.take(there, is_new=True), pool.take(there, is_new=True)
    with ThreadPoolExecutor(2) as executor:
        third = executor.submit(pool.take, there, is_new=True)
        while not pool._line:
            time.sleep(0.001)
        shrinking = executor.submit(pool.shrink, first)
        idle.closing.wait(60)
        assert pool.shrink(second)  # it waits for the file of the idle one, rather than fail
        assert not third.done()
        idle.may_close.set()
        assert shrinking.result(60)
        third.result(60).give_back(may_keep=False)
    assert not pool._out
