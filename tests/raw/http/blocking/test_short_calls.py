"""System calls that keep the interpreter: they behave as those of `socket`."""

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from errno import EBADF
from typing import Any

import pytest

from entrepot.raw.http import HttpRequest
from entrepot.raw.http.blocking import BlockingTransport, connection
from entrepot.raw.runtime import inline
from entrepot.testing.scripted_server import STALL, ScriptedServer, whole_response
from tests.raw.http.blocking.helpers import get

if os.name != "posix":
    pytest.skip("this system has no such calls", allow_module_level=True)

from entrepot.raw.http.blocking.short_calls import ShortCalls

Pair = tuple[ShortCalls, socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Short calls, their socket and its peer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    with ours, theirs:
        ours.setblocking(False)
        yield ShortCalls(ours), ours, theirs


def test_bytes_are_sent_as_they_are_until_no_more_are_accepted(pair: Pair) -> None:
    calls, _, theirs = pair
    assert calls.send(b"a\0b") == 3
    assert theirs.recv(10) == b"a\0b"
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += calls.send(bytes(connection.LITTLE))
    assert sent
    while sent:
        sent -= len(theirs.recv(sent))


def test_bytes_the_end_and_a_reset_are_readable(pair: Pair) -> None:
    calls, ours, theirs = pair
    assert not calls.is_readable()
    theirs.sendall(b"a")
    assert calls.is_readable()
    assert ours.recv(10) == b"a"
    assert not calls.is_readable()
    theirs.shutdown(socket.SHUT_WR)
    assert calls.is_readable()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    with pytest.raises(ConnectionError):  # of the kind that the system has for it
        calls.send(b"a")
        calls.send(b"a")
    assert calls.is_readable()


def test_a_closed_socket_is_not_another_one_with_its_descriptor(pair: Pair) -> None:
    calls, ours, _ = pair
    descriptor = ours.fileno()
    ours.close()
    with closing(socket.socket()) as other:
        os.dup2(other.fileno(), descriptor)
        try:
            with pytest.raises(OSError, match="descriptor") as caught:
                calls.send(b"a")
            assert caught.value.errno == EBADF
            assert calls.is_readable()  # so that nobody uses the connection
        finally:
            os.close(descriptor)


def test_no_other_thread_runs_during_a_call(pair: Pair) -> None:
    """So what another thread would receive leaves no room, however long this one waits in the system."""
    calls, ours, theirs = pair
    with pytest.raises(BlockingIOError):
        while True:
            ours.send(bytes(connection.LITTLE))
    ours.setblocking(True)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50_000))
    may_receive, is_over = threading.Event(), threading.Event()

    def receive() -> None:
        may_receive.wait()
        while not is_over.is_set():
            theirs.recv(1 << 20)

    receiver = threading.Thread(target=receive)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody takes the interpreter from this thread
    try:
        receiver.start()
        may_receive.set()
        with pytest.raises(BlockingIOError):
            calls.send(b"a")
    finally:
        sys.setswitchinterval(interval)
        is_over.set()
        ours.shutdown(socket.SHUT_WR)
        receiver.join()


def test_connections_use_them_while_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    send = ShortCalls.send

    def noted(self: ShortCalls, data: bytes) -> int:
        sent.append(data)
        return send(self, data)

    monkeypatch.setattr(ShortCalls, "send", noted)
    monkeypatch.setattr(connection, "_open", set())  # without those of other tests
    transport = BlockingTransport()
    with ScriptedServer(lambda request: _script(request.target)) as server:
        for name in ("a", "b"):
            assert inline.run(get(transport, f"{server.endpoint}/{name}")) == 5
        assert not sent  # one connection, which served both
        other = inline.run(transport.send(HttpRequest("GET", f"{server.endpoint}/stalls")))
        for name in ("c", "d"):
            assert inline.run(get(transport, f"{server.endpoint}/{name}")) == 5
        assert [data.split()[1] for data in sent] == [b"/d"]
        inline.run(other.body.close())
        inline.run(transport.close())


def test_a_system_without_them_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = BlockingTransport()
    with ScriptedServer(lambda request: _script(request.target)) as server:
        other = inline.run(transport.send(HttpRequest("GET", f"{server.endpoint}/stalls")))
        with monkeypatch.context() as patch:
            patch.setattr(connection, "_short_calls", None)
            for name in ("a", "b"):
                assert inline.run(get(transport, f"{server.endpoint}/{name}")) == 5
        inline.run(other.body.close())
        inline.run(transport.close())


@pytest.mark.parametrize("what", ["ctypes", "the system"])
def test_they_are_not_there_without(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    assert connection._find_short_calls() is ShortCalls
    if what == "ctypes":
        monkeypatch.delitem(sys.modules, ShortCalls.__module__)
        monkeypatch.setitem(sys.modules, "ctypes", None)
    else:
        monkeypatch.setattr("entrepot.raw.http.blocking.connection.os.name", "nt")
    assert connection._find_short_calls() is None


def _script(target: str) -> list[Any]:
    whole = whole_response(b"hello")
    return [whole[:-1], STALL] if target == "/stalls" else [whole]
