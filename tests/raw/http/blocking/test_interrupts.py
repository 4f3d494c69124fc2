"""Ctrl-C at each place where the interpreter looks for it: the pool keeps all its turns, and no connection is lost.

The interpreter looks for a signal after each call, at the start of a function and at the end of each round of a loop.
So one request is made again and again, and interrupted at the first such place in the transport, at the second ...
"""

import dis
import gc
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
import trustme

from entrepot.errors import Timeout
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.http.blocking import BlockingTransport, connection
from entrepot.raw.runtime import inline
from entrepot.testing.scripted_server import ScriptedServer, whole_response
from tests.raw.http.blocking.helpers import get

ROOM = str(Path(connection.__file__).parent)
_TOOL = 4
"""A number of `sys.monitoring` that no known tool uses."""
SHORT, LONG = whole_response(b"hello"), whole_response(bytes(100_000))


class Interrupt:
    """Traces a call, and interrupts it where the transport's code is interrupted for the `number`th time."""

    def __init__(self, number: int) -> None:
        self.left = number
        self._before: dict[FrameType, int] = {}

    def during(self, call: Callable[[], object]) -> None:
        try:
            if sys.version_info >= (3, 12):  # whose tracing misses instructions of code that was traced before
                self._monitor(call)
            else:
                self._trace(call)
        finally:
            self._before.clear()

    def _trace(self, call: Callable[[], object]) -> None:
        before = sys.gettrace()  # such as that of a measurement of coverage
        sys.settrace(self._start)
        try:
            call()
        finally:
            sys.settrace(before)

    def _monitor(self, call: Callable[[], object]) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        monitoring.use_tool_id(_TOOL, "interrupts")
        monitoring.register_callback(_TOOL, monitoring.events.INSTRUCTION, self._at_instruction)
        monitoring.set_events(_TOOL, monitoring.events.INSTRUCTION)
        try:
            call()
        finally:
            monitoring.set_events(_TOOL, 0)
            monitoring.register_callback(_TOOL, monitoring.events.INSTRUCTION, None)
            monitoring.free_tool_id(_TOOL)

    def _at_instruction(self, code: CodeType, _: int) -> None:
        frame = sys._getframe(1)
        if threading.current_thread() is threading.main_thread() and self._concerns(code):
            self._step(frame, "opcode", None)

    def _concerns(self, code: CodeType) -> bool:
        """Whether code is interrupted. An interrupt in a finalizer is reported, and ends nothing else."""
        return code.co_filename.startswith(ROOM) and code.co_name != "__del__"

    def _start(self, frame: FrameType, event: str, arg: object) -> Any:
        if not self._concerns(frame.f_code):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        if event != "opcode":
            return self._step
        before, self._before[frame] = self._before.get(frame), frame.f_lasti
        if before is not None and _looks_for_signals(frame.f_code.co_code, before):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
        return self._step


def _looks_for_signals(code: bytes, place: int) -> bool:
    name, argument = dis.opname[code[place]], code[place + 1]
    if name == "RESUME":
        return argument < 2
    return name.startswith(("CALL", "JUMP_BACKWARD")) and "INTRINSIC" not in name


def interrupted_everywhere(prepare: Callable[[], object], call: Callable[[], object]) -> Iterator[int]:
    """Makes a call until an interrupt comes after its end. Yields the number of each interrupt."""
    number = 0
    while True:
        prepare()
        number += 1
        interrupt = Interrupt(number)
        try:
            interrupt.during(call)
        except KeyboardInterrupt:
            gc.collect(0)
        if interrupt.left > 0:
            return
        yield number


def check_everywhere(
    transport: BlockingTransport, url: str, prepare: Callable[[], object], call: Callable[[], object]
) -> None:
    """Interrupts a call everywhere. After each interrupt the only turn is free, and closing leaves no connection."""
    others = set(connection._open)
    for number in interrupted_everywhere(prepare, call):
        try:
            inline.run(get(transport, url))
        except Timeout:
            pytest.fail(f"the turn of the request that was interrupted at place {number} is lost")
        inline.run(transport.close())
        assert connection._open <= others, f"a connection is lost at place {number}"
    assert number > 30


# A socket that was interrupted before it is part of a connection is closed by its own finalizer, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_handshake_gives_its_turn_back() -> None:
    authority = trustme.CA()
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    client_tls = ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    authority.configure_trust(client_tls)
    with ScriptedServer(lambda _: [SHORT], tls=server_tls) as server:
        transport = BlockingTransport(max_connections=1, pool_timeout=0.5, ssl_context=client_tls)

        def prepare() -> None:
            inline.run(transport.close())

        check_everywhere(transport, server.endpoint, prepare, lambda: inline.run(get(transport, server.endpoint)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("content", [SHORT, LONG], ids=["at once", "in pieces"])
@pytest.mark.parametrize("is_kept", [False, True], ids=["new connection", "kept connection"])
def test_an_interrupted_request_gives_its_turn_back(content: Any, is_kept: bool) -> None:
    with ScriptedServer(lambda _: [content]) as server:
        transport, url = BlockingTransport(max_connections=1, pool_timeout=0.5), server.endpoint

        def prepare() -> None:
            inline.run(transport.close())
            if is_kept:
                inline.run(get(transport, url))

        check_everywhere(transport, url, prepare, lambda: inline.run(get(transport, url)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_request_that_is_interrupted_in_line_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body that has the only turn is closed when the request is about to wait for it."""
    held: list[HttpResponse] = []

    def close_and_wait(seconds: float | None) -> float | None:
        if held:
            inline.run(held.pop().body.close())
        return inline.time_left(seconds)

    monkeypatch.setattr("entrepot.raw.http.blocking.pool.time_left", close_and_wait)
    with ScriptedServer(lambda _: [LONG]) as server:
        transport, url = BlockingTransport(max_connections=1, pool_timeout=0.5), server.endpoint

        def prepare() -> None:
            held.clear()
            held.append(inline.run(transport.send(HttpRequest("GET", url))))

        def call() -> None:
            inline.run(get(transport, url))

        check_everywhere(transport, url, prepare, call)
