"""What the transport does with the content of requests, against a server that takes it or does not."""

import array
import asyncio
import socket
import ssl
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import Timeout, Unexpected
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.raw.http.wire.pieces import PIECE, cut
from entrepot.testing.scripted_server import (
    CLOSE,
    END,
    HOLD,
    PAUSE,
    RESET,
    STALL,
    Action,
    Answer,
    ReceivedRequest,
    ScriptedServer,
    Take,
    whole_response,
)
from tests.sockets import stream_sockets
from tests.transports import SENDING, Transport

SIZE = 16 << 20
LARGE = bytes(range(256)) * (SIZE // 256)
"""More than the buffers of both ends hold."""

SHORT_PATIENCE = 0.15
MiB = 1 << 20


@pytest.fixture
async def transport(client_tls: ssl.SSLContext) -> AsyncIterator[ConfiguredTransport]:
    made = Transport(idle_timeout=5, ssl_context=client_tls)
    yield made
    await made.close()


@pytest.fixture
async def hasty(client_tls: ssl.SSLContext) -> AsyncIterator[ConfiguredTransport]:
    """A transport that does not wait long for servers that take nothing."""
    made = Transport(idle_timeout=SHORT_PATIENCE, ssl_context=client_tls)
    yield made
    await made.close()


@pytest.fixture
def store() -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda asked: [whole_response(b"" if asked.method == "HEAD" else b"stored")]) as server:
        yield server


async def content_of(response: HttpResponse) -> bytes:
    data = b""
    while part := await response.body.read(1 << 62):
        data += part
    await response.body.close()
    return data


async def send(
    transport: ConfiguredTransport, server: ScriptedServer, body: bytes | memoryview | None, method: str = "PUT"
) -> tuple[int, bytes]:
    response = await transport.send(HttpRequest(method, f"{server.endpoint}/a?secret=1", (), body))
    return response.status, await content_of(response)


async def nothing_left(server: ScriptedServer, before: list[str]) -> None:
    """Waits until no connection of the client is open, and no task left, whatever the server does with its end."""
    for _ in range(1000):
        # Looked at in this order: the server may see the end of a connection before our loop has closed it.
        served, left = server.open_connections, stream_sockets()
        if len(left) <= len(before) + served and len(asyncio.all_tasks()) == 1:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail(f"left: {left}, tasks: {asyncio.all_tasks()}")
    server.let_go()
    await asyncio.to_thread(server.wait_until_left)


async def test_an_upload_that_is_given_up_is_a_broken_connection_and_no_end_of_the_content(
    hasty: ConfiguredTransport,
) -> None:
    """Some servers store what they have when a connection ends in good order."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        request = HttpRequest("PUT", f"http://127.0.0.1:{server.getsockname()[1]}/a", (), LARGE)
        with pytest.raises(Timeout):
            await hasty.send(request)
        with server.accept()[0] as connection, pytest.raises(ConnectionResetError):
            connection.settimeout(10)
            while await asyncio.to_thread(connection.recv, 1 << 20):
                pass


# What goes over the wire.

WIRE: list[tuple[str, bytes | memoryview | None, str, bytes]] = [
    ("PUT", b"12345", "Content-Length: 5\r\n", b"12345"),
    ("POST", b"12345", "Content-Length: 5\r\n", b"12345"),
    ("PATCH", b"12345", "Content-Length: 5\r\n", b"12345"),
    ("DELETE", b"12345", "Content-Length: 5\r\n", b"12345"),
    ("PUT", memoryview(b"0123456")[1:4], "Content-Length: 3\r\n", b"123"),
    ("PUT", memoryview(bytearray(b"12345")), "Content-Length: 5\r\n", b"12345"),
    ("PUT", memoryview(array.array("I", [0, 0])), "Content-Length: 8\r\n", bytes(8)),
    ("PUT", b"", "Content-Length: 0\r\n", b""),
    ("POST", b"", "Content-Length: 0\r\n", b""),
    ("DELETE", b"", "Content-Length: 0\r\n", b""),
    ("PUT", memoryview(b""), "Content-Length: 0\r\n", b""),
    ("PUT", None, "Content-Length: 0\r\n", b""),
    ("POST", None, "Content-Length: 0\r\n", b""),
    ("DELETE", None, "", b""),
    ("GET", None, "", b""),
    ("HEAD", None, "", b""),
]


@pytest.mark.parametrize(("method", "body", "length", "content"), WIRE)
async def test_content_goes_out_with_its_length_and_nothing_else(
    store: ScriptedServer,
    transport: ConfiguredTransport,
    method: str,
    body: bytes | memoryview | None,
    length: str,
    content: bytes,
) -> None:
    await send(transport, store, body, method)
    host = store.endpoint.removeprefix("http://")
    assert store.requests[0].head.decode() == (
        f"{method} /a?secret=1 HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\nUser-Agent: entrepot\r\n"
        f"{length}\r\n"
    )
    assert store.requests[0].content == content


async def test_headers_of_the_content_are_sent_as_they_stand(
    store: ScriptedServer, transport: ConfiguredTransport
) -> None:
    headers = [("Content-Type", "text/plain"), ("Content-MD5", "x"), ("Content-Encoding", "gzip")]
    response = await transport.send(HttpRequest("PUT", f"{store.endpoint}/a", headers, b"12345"))
    await content_of(response)
    assert [store.requests[0].headers[name.lower()] for name, _ in headers] == ["text/plain", "x", "gzip"]
    assert store.requests[0].headers["content-length"] == "5"


@pytest.mark.parametrize("stated", ["3", "7"])
async def test_the_length_is_that_of_the_content_whatever_is_stated(
    store: ScriptedServer, transport: ConfiguredTransport, stated: str
) -> None:
    url = f"{store.endpoint}/a"
    for _ in range(2):
        await content_of(await transport.send(HttpRequest("PUT", url, [("content-length", stated)], b"12345")))
    assert [asked.content for asked in store.requests] == [b"12345"] * 2
    assert store.connections == 1


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, SIZE])
async def test_large_content_arrives_whole_and_the_connection_is_kept(
    store: ScriptedServer, transport: ConfiguredTransport, size: int
) -> None:
    for _ in range(2):
        assert await send(transport, store, memoryview(LARGE)[:size]) == (200, b"stored")
    assert [asked.content == LARGE[:size] for asked in store.requests] == [True, True]
    assert store.connections == 1


async def test_large_content_arrives_whole_by_tls(tls: ssl.SSLContext | None, transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [whole_response(b"stored")], tls) as server:
        assert await send(transport, server, LARGE) == (200, b"stored")
        assert server.requests[0].content == LARGE


async def test_large_content_is_neither_copied_nor_does_it_hold_up_the_loop(transport: ConfiguredTransport) -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    script: Answer = [*(Take(65536) for _ in range(SIZE // 65536)), whole_response(b"stored")]
    with ScriptedServer(lambda _: script, takes_content=False) as server:
        counting = asyncio.ensure_future(count_turns())
        tracemalloc.start()
        try:
            assert await send(transport, server, LARGE) == (200, b"stored")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            counting.cancel()
        assert peak < 4 * MiB
        assert turns >= SIZE // PIECE - 1


# Nothing is sent twice.


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("fault", [CLOSE, RESET])
@pytest.mark.parametrize("size", [5, SIZE])
async def test_content_is_never_sent_twice(
    transport: ConfiguredTransport, method: str, fault: Action, size: int
) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [fault] if asked.number == 1 else [whole_response(b"stored")]

    with ScriptedServer(script) as server:
        await send(transport, server, None, "GET")
        with pytest.raises(Unexpected) as caught:
            await send(transport, server, LARGE[:size], method)
        assert caught.value.is_temporary
        assert "secret" not in str(caught.value)
        assert [asked.connection for asked in server.requests] == [0, 0]
        assert await send(transport, server, LARGE[:size], method) == (200, b"stored")


@pytest.mark.parametrize("fault", [CLOSE, RESET])
@pytest.mark.parametrize("sees_it", [True, False], ids=["seen by the loop", "not seen yet"])
async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    transport: ConfiguredTransport, fault: Action, sees_it: bool
) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [whole_response(b"stored"), PAUSE, fault] if asked.number == 0 else [whole_response(b"stored")]

    with ScriptedServer(script) as server:
        await send(transport, server, b"12345")
        if sees_it:
            await asyncio.to_thread(server.wait_until_left)
            await asyncio.sleep(0.02)
        else:
            server.wait_until_left()
            time.sleep(0.02)
        assert await send(transport, server, b"12345") == (200, b"stored")
        assert [asked.connection for asked in server.requests] == [0, 1]


# Servers that answer before they have all.

REFUSALS = ["403 Forbidden", "412 Precondition Failed", "503 Slow Down"]


def refusing(status: str, *faults: Action, taken: int = 100_000) -> Callable[[ReceivedRequest], Answer]:
    return lambda asked: (
        [Take(taken), whole_response(b"no", status=status), *faults] if asked.number == 0 else [whole_response(b"yes")]
    )


# What TLS had received when a connection breaks is lost with it.
ENDS = [("plain", CLOSE), ("plain", RESET), ("plain", HOLD), ("plain", STALL), ("tls", HOLD), ("tls", STALL)]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize(("tls", "fault"), ENDS, indirect=["tls"])
async def test_a_refusal_wins_over_the_content(
    transport: ConfiguredTransport, tls: ssl.SSLContext | None, status: str, fault: Action
) -> None:
    with ScriptedServer(refusing(status, fault), tls, takes_content=False) as server:
        before = stream_sockets()
        assert await send(transport, server, LARGE) == (int(status[:3]), b"no")
        await nothing_left(server, before)
        assert await send(transport, server, None, "GET") == (200, b"yes")
        assert [asked.connection for asked in server.requests] == [0, 1]


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("size", [PIECE, SIZE])
def test_a_refusal_is_not_lost_however_fast_the_connection_breaks(
    factory: Callable[[], asyncio.AbstractEventLoop], size: int
) -> None:
    async def main(server: ScriptedServer) -> list[tuple[int, bytes]]:
        transport = Transport(idle_timeout=5)
        replies = [await send(transport, server, LARGE[:size]) for _ in range(30)]
        await transport.close()
        return replies

    script: Answer = [whole_response(b"no", "Connection: close", status="403 Forbidden"), RESET]
    with (
        ScriptedServer(lambda _: script, takes_content=False) as server,
        asyncio.Runner(loop_factory=factory) as run,
    ):
        assert run.run(main(server)) == [(403, b"no")] * 30


async def test_a_refusal_that_came_unseen_before_the_connection_broke_is_received(
    transport: ConfiguredTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def block_the_loop(_: object) -> None:
        server.wait_until_left()
        time.sleep(0.02)

    monkeypatch.setattr("entrepot.raw.http.wire.pieces.PIECE", 1000)
    monkeypatch.setattr(f"{SENDING}._turn_of_the_loop", block_the_loop)
    script: Answer = [Take(10), whole_response(b"no", status="403 Forbidden"), RESET]
    with ScriptedServer(lambda _: script, takes_content=False) as server:
        assert await send(transport, server, LARGE[:5000]) == (403, b"no")


async def test_a_connection_is_not_used_again_after_a_refusal_that_ended_the_sending(
    transport: ConfiguredTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pause(_: object) -> None:
        await asyncio.sleep(0.02)

    def script(asked: ReceivedRequest) -> Answer:
        head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno"
        return [whole_response(b"yes")] if asked.number else [Take(1000), head, PAUSE, PAUSE, b"no"]

    monkeypatch.setattr("entrepot.raw.http.wire.pieces.PIECE", 1000)
    monkeypatch.setattr(f"{SENDING}._turn_of_the_loop", pause)
    with ScriptedServer(script, takes_content=False) as server:
        assert await send(transport, server, LARGE[:100_000]) == (403, b"nono")
        assert await send(transport, server, None, "GET") == (200, b"yes")
        assert [asked.connection for asked in server.requests] == [0, 1]


@given(st.lists(st.binary(max_size=7)), st.integers(1, 9))
def test_content_in_pieces_is_cut_anew_and_nothing_is_lost(pieces: list[bytes], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("entrepot.raw.http.wire.pieces.PIECE", size)
        found = [bytes(one) for one in cut([memoryview(one) if len(one) % 2 else one for one in pieces])]
    assert b"".join(found) == b"".join(pieces)
    assert all(len(one) == size for one in found[:-1])
    assert all(0 < len(one) <= size for one in found[-1:])


def test_large_pieces_are_sent_without_a_copy() -> None:
    content = bytes(3 * PIECE)
    found = list(cut((content, content)))
    assert all(isinstance(one, memoryview) and one.obj is content for one in found)
    assert len(found) == 6


async def test_content_in_pieces_is_sent_as_one(transport: ConfiguredTransport) -> None:
    content = (LARGE[:3], memoryview(LARGE)[3 : PIECE + 5], b"", bytes(PIECE), b"end")
    whole_of_it = b"".join(content)
    with ScriptedServer(lambda _: [whole_response(b"yes")]) as server:
        response = await transport.send(HttpRequest("PUT", f"{server.endpoint}/a", (), content))
        assert (response.status, await response.body.read(10)) == (200, b"yes")
        await response.body.close()
        assert server.requests[0].headers["content-length"] == str(len(whole_of_it))
        assert server.requests[0].content == whole_of_it


async def test_a_refusal_drops_what_the_connection_has_not_taken_of_the_only_piece(
    transport: ConfiguredTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.raw.http.wire.pieces.PIECE", SIZE)
    with ScriptedServer(refusing("403 Forbidden", HOLD, taken=10), takes_content=False) as server:
        before = stream_sockets()
        assert await send(transport, server, LARGE) == (403, b"no")
        await nothing_left(server, before)


async def test_a_refusal_ends_the_sending_also_while_its_own_content_is_awaited(transport: ConfiguredTransport) -> None:
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno"
    with ScriptedServer(lambda _: [head, HOLD], takes_content=False) as server:
        before = stream_sockets()
        response = await transport.send(HttpRequest("PUT", f"{server.endpoint}/a", (), LARGE))
        assert (response.status, await response.body.read(10)) == (403, b"no")
        await response.body.close()
        await nothing_left(server, before)


async def test_an_early_success_counts_once_all_is_sent(transport: ConfiguredTransport) -> None:
    script: Answer = [Take(10), whole_response(b"stored"), PAUSE, Take(SIZE - 10)]
    with ScriptedServer(lambda _: script, takes_content=False) as server:
        assert await send(transport, server, LARGE) == (200, b"stored")
        await asyncio.to_thread(lambda: [time.sleep(0.005) for _ in range(400) if server.taken < SIZE])
        assert server.taken == SIZE


@pytest.mark.parametrize("fault", [CLOSE, RESET, HOLD])
async def test_an_early_success_does_not_count_where_the_rest_is_not_taken(
    hasty: ConfiguredTransport, fault: Action
) -> None:
    with ScriptedServer(lambda _: [Take(10), whole_response(b"stored"), fault], takes_content=False) as server:
        before = stream_sockets()
        with pytest.raises(Unexpected, match="success before it had all content") as caught:
            await send(hasty, server, LARGE)
        assert caught.value.is_temporary
        await nothing_left(server, before)


# Servers that break or stall.


@pytest.mark.parametrize("fault", [CLOSE, RESET])
@pytest.mark.parametrize("taken", [0, MiB])
async def test_a_connection_that_ends_in_the_content_is_a_temporary_error(
    transport: ConfiguredTransport, tls: ssl.SSLContext | None, fault: Action, taken: int
) -> None:
    with ScriptedServer(lambda _: [Take(taken), fault], tls, takes_content=False) as server:
        before = stream_sockets()
        with pytest.raises(Unexpected) as caught:
            await send(transport, server, LARGE)
        assert caught.value.is_temporary
        assert "secret" not in str(caught.value)
        assert len(server.requests) == 1
        await nothing_left(server, before)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_server_that_takes_nothing_is_a_timeout(
    factory: Callable[[], asyncio.AbstractEventLoop], tls: ssl.SSLContext | None, client_tls: ssl.SSLContext
) -> None:
    async def main(server: ScriptedServer) -> None:
        transport = Transport(idle_timeout=SHORT_PATIENCE, ssl_context=client_tls)
        await send(transport, server, None, "GET")
        await transport.close()
        await asyncio.to_thread(server.wait_until_left)
        before = stream_sockets()
        with pytest.raises(Timeout, match="accepted no content") as caught:
            await send(transport, server, LARGE)
        assert caught.value.is_temporary
        assert len(server.requests) == 2
        await nothing_left(server, before)
        await transport.close()

    def script(asked: ReceivedRequest) -> Answer:
        return [HOLD] if asked.method == "PUT" else [whole_response(b"hello")]

    with (
        ScriptedServer(script, tls, takes_content=False) as server,
        asyncio.Runner(loop_factory=factory) as runner,
    ):
        runner.run(main(server))


async def test_a_server_that_ends_its_side_in_the_content_is_not_waited_for(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [Take(1000), PAUSE, PAUSE, END, HOLD], takes_content=False) as server:
        before = stream_sockets()
        with pytest.raises(Unexpected, match="without a response") as caught:
            await send(transport, server, LARGE)
        assert caught.value.is_temporary
        await nothing_left(server, before)


async def test_the_timeout_of_the_request_holds_for_its_content(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [HOLD], takes_content=False) as server:
        request = HttpRequest("PUT", f"{server.endpoint}/a", (), LARGE, idle_timeout=SHORT_PATIENCE)
        with pytest.raises(Timeout, match="accepted no content"):
            await transport.send(request)


async def test_a_server_that_says_nothing_to_all_of_the_content_is_a_timeout(hasty: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [STALL]) as server:
        with pytest.raises(Timeout, match="sent nothing") as caught:
            await send(hasty, server, LARGE)
        assert caught.value.is_temporary
        assert server.requests[0].content == LARGE


async def test_a_slow_server_is_waited_for_as_long_as_it_takes_something(hasty: ConfiguredTransport) -> None:
    # All of it fits into the buffers on our side, and takes five times as long as the server may be silent.
    size, step = MiB, 32 * 1024
    script = [one for _ in range(size // step) for one in (PAUSE, Take(step))]
    with ScriptedServer(
        lambda _: [*script, whole_response(b"stored")], takes_content=False, receive_buffer=4096
    ) as server:
        assert await send(hasty, server, LARGE[:size]) == (200, b"stored")


# Ends.


async def sending(transport: ConfiguredTransport, server: ScriptedServer) -> "asyncio.Task[tuple[int, bytes]]":
    """A request whose content the server has begun to take."""
    going = asyncio.ensure_future(send(transport, server, LARGE))
    while server.taken < 1000:
        await asyncio.sleep(0.002)
    return going


async def test_cancelled_in_the_content_leaves_nothing(
    transport: ConfiguredTransport, tls: ssl.SSLContext | None
) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [Take(1000), HOLD] if asked.method == "PUT" else [whole_response(b"hello")]

    with ScriptedServer(script, tls, takes_content=False) as server:
        await send(transport, server, None, "GET")
        await transport.close()
        await asyncio.to_thread(server.wait_until_left)
        before = stream_sockets()
        for _ in range(10):
            server.taken = 0
            going = await sending(transport, server)
            going.cancel()
            with suppress(asyncio.CancelledError):
                await going
            assert going.cancelled()
        await nothing_left(server, before)
        assert await send(transport, server, None, "GET") == (200, b"hello")


async def test_closing_lets_content_go_on_and_closes_its_connection_then(transport: ConfiguredTransport) -> None:
    script: Answer = [Take(1000), PAUSE, PAUSE, Take(SIZE - 1000), whole_response(b"stored")]
    with ScriptedServer(lambda _: script, takes_content=False) as server:
        going = await sending(transport, server)
        await transport.close()
        assert await going == (200, b"stored")
        await asyncio.to_thread(server.wait_until_left)


def test_a_loop_that_shuts_down_wakes_whoever_sends() -> None:
    transport = Transport()

    async def main(server: ScriptedServer) -> list[tuple[int, bytes] | BaseException]:
        going = await sending(transport, server)
        await asyncio.get_running_loop().shutdown_asyncgens()
        return await asyncio.gather(going, return_exceptions=True)

    with ScriptedServer(lambda _: [Take(1000), HOLD], takes_content=False) as server:
        (error,) = asyncio.run(main(server))
        assert isinstance(error, Unexpected)
        assert error.is_temporary
        server.let_go()
        server.wait_until_left()
