"""What only the transport over aiohttp has: its protocol, its errors, and the private names that fail silently."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakSet

import pytest

from entrepot.errors import Error, Timeout, Unexpected
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.aiohttp import AiohttpTransport
from entrepot.raw.http.aiohttp.content import send_first
from entrepot.raw.http.aiohttp.errors import translated
from entrepot.raw.http.aiohttp.handler import _LITTLE, MUCH, Handler
from entrepot.raw.http.aiohttp.sockets import Socket
from entrepot.raw.http.wire.pieces import PIECE
from entrepot.testing.scripted_server import PAUSE, STALL, Answer, ReceivedRequest, ScriptedServer, raw_response


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    made = AiohttpTransport(idle_timeout=5)
    yield made
    await made.close()


async def get(transport: AiohttpTransport, url: str) -> bytes:
    response, data = await transport.send(HttpRequest("GET", url)), b""
    while part := await response.body.read(1 << 62):
        data += part
    await response.body.close()
    return data


class Held:
    """Answers with half of its content, and with the rest once it may."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def __call__(self, asked: ReceivedRequest) -> Answer:
        yield raw_response("200 OK", "Content-Length: 10") + b"hello"
        while not self.may_end.is_set():
            yield PAUSE
        yield b"world"


# Private names that fail silently: where another version lacks one, everything works, but not as it is meant.


async def handler_of(transport: AiohttpTransport, server: ScriptedServer) -> Handler:
    """The connection of a request that waits for its reply."""
    asyncio.ensure_future(get(transport, f"{server.endpoint}/a")).add_done_callback(lambda task: task.exception())
    while not server.requests:
        await asyncio.sleep(0.005)
    pool = (await transport._pools.get()).current()
    (handler,) = pool._connector._made
    return handler


async def test_the_timer_is_ours_and_is_not_started_anew_for_each_piece(transport: AiohttpTransport) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        assert asked.number == 0
        yield raw_response("200 OK", "Content-Length: 10")
        for _ in range(10):
            yield PAUSE
            yield b"a"
        yield STALL

    with ScriptedServer(script) as server:
        handler = await handler_of(transport, server)
        alarm = handler._alarm
        assert alarm is not None
        while not handler.is_idle:
            await asyncio.sleep(0.01)
        assert handler._alarm is alarm
        assert handler._read_timeout_handle is None


@pytest.mark.parametrize("is_tls", [False, True])
async def test_as_much_is_received_at_once_as_a_reply_shows_to_have(
    server_tls: ssl.SSLContext, ca_file: str, is_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: list[Socket] = []

    def acknowledge(own: Socket) -> None:
        acknowledged.append(own)

    monkeypatch.setattr(Socket, "acknowledge", acknowledge)
    transport = AiohttpTransport(ca_file=ca_file)
    with ScriptedServer(Held(), server_tls if is_tls else None) as server:
        handler = await handler_of(transport, server)
        connection: Any = handler.transport
        receiver = connection._ssl_protocol if is_tls else connection
        assert receiver.max_size == _LITTLE
        assert acknowledged == []
        handler.data_received(b"HTTP/1.1 200 OK\r\n\r\n".ljust(_LITTLE))
        assert receiver.max_size == MUCH
        assert acknowledged == [handler._socket]  # what comes next may wait for that
        handler.expect(has_content=True, idle_timeout=None)
        assert receiver.max_size == _LITTLE
        await transport.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux can be told to acknowledge at once")
async def test_what_came_is_acknowledged_at_once_where_that_is_asked_for(transport: AiohttpTransport) -> None:
    with ScriptedServer(Held()) as server:
        handler = await handler_of(transport, server)
        own = handler.transport.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 0
        handler._socket.acknowledge()
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1
        await transport.close()


# Errors.


@pytest.mark.parametrize(
    ("foreign", "kind"),
    [(TimeoutError(), Timeout), (OSError(5, "broken"), Unexpected), (ssl.SSLError(1, "bad"), Unexpected)],
)
def test_what_python_raises_itself_is_translated_too(foreign: BaseException, kind: type[Error]) -> None:
    assert type(translated(foreign)) is kind


def test_our_own_errors_pass() -> None:
    error = Unexpected("ours")
    assert translated(error) is error


# Sending.


class Connection:
    """One that takes all at once, and brings a refusal after some pieces."""

    def __init__(self, refused_after: int) -> None:
        self.pieces, self._refused_after = list[bytes](), refused_after

    @property
    def is_refused(self) -> bool:
        return len(self.pieces) >= self._refused_after

    def note_content(self, size: int, *, is_last: bool) -> None:
        assert 0 < size <= PIECE
        assert is_last == (len(self.pieces) == 3)

    def start_timeout(self) -> None:
        assert self.pieces

    @property
    def writing_paused(self) -> bool:
        return False

    def has_news(self) -> bool:
        return False

    def send(self, piece: bytes | memoryview) -> None:
        self.pieces.append(bytes(piece).removeprefix(b"head"))

    async def drain(self) -> None:
        assert self.pieces


@pytest.mark.parametrize(("refused_after", "sent"), [(9, 4), (2, 2)])
async def test_the_loop_has_its_turn_before_each_piece_however_fast_they_are_taken(
    refused_after: int, sent: int
) -> None:
    content, turns = os.urandom(3 * PIECE + 1), list[int]()
    connection: Any = Connection(refused_after)
    going = send_first(connection, b"head", [content])
    assert going is not None
    turns.append(len(connection.pieces))
    while not going.done():
        await asyncio.sleep(0)
        turns.append(len(connection.pieces))
    assert set(turns) >= set(range(1, sent + 1))
    assert b"".join(connection.pieces) == content[: sent * PIECE]


async def test_a_timer_that_runs_when_a_reply_ends_does_not_break_the_idle_connection() -> None:
    handler = Handler(asyncio.get_running_loop(), WeakSet())
    handler.connection_made(asyncio.Transport())
    handler.expect(has_content=True, idle_timeout=0.01)
    handler.start_timeout()
    handler.rest()
    await asyncio.sleep(0.03)
    assert handler.exception() is None
