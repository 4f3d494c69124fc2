"""Events in an order that seldom occurs: what is sent, kept and read stays that of its own request."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import pytest
import uvloop

from entrepot.errors import InvalidInput, Timeout
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.http.native import NativeTransport
from entrepot.raw.http.native.connection import Connection
from entrepot.raw.http.transport import Content
from entrepot.testing.scripted_server import CLOSE, PAUSE, Answer, ReceivedRequest, ScriptedServer, whole_response
from tests.raw.http.native.test_connection import HEAD, Exchange, soon
from tests.reliability.helpers import until
from tests.sockets import stop_accepting

T = TypeVar("T")

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def get(transport: NativeTransport, url: str) -> bytes:
    response, content = await transport.send(HttpRequest("GET", url)), b""
    while piece := await response.body.read(1 << 20):
        content += piece
    await response.body.close()
    return content


class Overfull:
    """A server whose content is followed by another response, in the same record of TLS. It waits to be let go."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.go = asyncio.Event()
        self._tls = tls

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        await stop_accepting(self._server)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/other" in await reader.readuntil(b"\r\n\r\n"):
            writer.write(whole_response(b"right"))
        else:
            writer.write(HEAD % 5)
            await self.go.wait()
            writer.write(b"hello" + whole_response(b"wrong"))
        await reader.read()
        writer.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_bytes_past_the_end_of_content_in_a_buffer_are_not_the_next_response(
    tls: ssl.SSLContext | None, ca_file: str, loop: str
) -> None:
    """TLS may hold them when the content has ended, and a request that goes out at once must not get them."""

    async def use() -> None:
        server = Overfull(tls)
        async with server as url, asyncio.timeout(30):
            transport = NativeTransport(ca_file=ca_file)
            body = (await transport.send(HttpRequest("GET", f"{url}/a"))).body
            reading = await soon(body, 5)
            server.go.set()
            while not body.is_at_end:
                await asyncio.sleep(0)
            assert await get(transport, f"{url}/other") == b"right"
            assert await reading == 5
            await body.close()
            await transport.close()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(use())


class OwnContext(ssl.SSLContext):
    """A configuration whose connections have the TLS of the event loop."""


class Leaving:
    """A server whose response and close notification of TLS arrive together. It closes the connection later."""

    def __init__(self, tls: ssl.SSLContext, response: bytes) -> None:
        self.connections = 0
        self._tls = tls
        self._response = response
        self._ended = threading.Event()

    def __enter__(self) -> str:
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return f"https://127.0.0.1:{self._listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._tls.wrap_bio(incoming, outgoing, server_side=True)

        def received(call: Callable[[], T]) -> T:
            while True:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    accepted.sendall(outgoing.read())
                    incoming.write(accepted.recv(1 << 16))

        with accepted, suppress(OSError):
            received(tls.do_handshake)
            accepted.sendall(outgoing.read())
            received(lambda: tls.read(1 << 16))
            tls.write(self._response)
            with suppress(ssl.SSLWantReadError):
                tls.unwrap()
            accepted.sendall(outgoing.read())
            self._ended.wait()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("of_loop", [False, True])
@pytest.mark.parametrize("tls", ["tls"], indirect=True)
def test_a_connection_that_the_server_ends_with_its_response_gets_no_other_request(
    tls: ssl.SSLContext, ca_file: str, loop: str, *, of_loop: bool
) -> None:
    """The task goes on within the callback that has received both. A PUT would not be sent again by itself."""
    record = 16 * 1024  # a full record is followed by a look at the next one
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (record - 42)
    server = Leaving(tls, head.ljust(record, b"x"))

    async def use() -> None:
        client_tls = OwnContext(ssl.PROTOCOL_TLS_CLIENT) if of_loop else ssl.create_default_context()
        client_tls.load_verify_locations(ca_file)
        transport = NativeTransport(ssl_context=client_tls)
        with server as url:
            for _ in range(3):
                response = await transport.send(HttpRequest("PUT", url, (), b"content"))
                assert response.status == 200
                await response.body.close()
            await transport.close()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(use())
    assert server.connections == 3


@pytest.mark.parametrize("into_a_buffer", [False, True])
@pytest.mark.parametrize("is_resumed", [False, True])
async def test_a_second_reader_takes_nothing_from_the_first(*, into_a_buffer: bool, is_resumed: bool) -> None:
    exchange, buffer = Exchange(), memoryview(bytearray(4))
    exchange.receive(HEAD % 6 + b"a")
    body = exchange.body
    assert await body.read(1) == b"a"
    first = asyncio.ensure_future(body.readinto(buffer))
    await asyncio.sleep(0)
    if is_resumed:
        exchange.receive(b"bc")  # the first reader has not seen it yet
    with pytest.raises(InvalidInput, match="one task at a time"):
        async with asyncio.timeout(1):
            await (body.readinto(memoryview(bytearray(9))) if into_a_buffer else body.read(9))
    exchange.receive(b"def" if is_resumed else b"bcdef")
    size = await first
    rest = b""
    while piece := await body.read(9):
        rest += piece
    assert bytes(buffer[:size]) + rest == b"bcdef"


@pytest.mark.parametrize("loop", LOOPS)
def test_closing_while_a_connection_is_made_lets_its_request_go_on(
    tls: ssl.SSLContext | None, ca_file: str, loop: str
) -> None:
    async def use(url: str) -> None:
        transport = NativeTransport(idle_timeout=5, ca_file=ca_file)
        pool = (await transport._pools.get()).current()
        request = asyncio.ensure_future(get(transport, url))
        async with asyncio.timeout(30):
            while not pool._made:
                await asyncio.sleep(0)
            await transport.close()
            assert await request == b"hello"
        assert pool.is_closed
        assert not pool._made
        assert not pool._new

    with (
        ScriptedServer(lambda _: [whole_response(b"hello")], tls) as server,
        asyncio.Runner(loop_factory=LOOPS[loop]) as runner,
    ):
        runner.run(use(server.endpoint))


async def test_a_request_is_sent_once_more_on_a_new_connection_and_not_on_another_kept_one() -> None:
    """Each connection of this server ends with its second request, and does not say so before."""
    seen = set[int]()

    def script(request: ReceivedRequest) -> Answer:
        if request.connection in seen:
            return [PAUSE, CLOSE]
        seen.add(request.connection)
        return [whole_response(b"hello")]

    with ScriptedServer(script) as server:
        transport = NativeTransport(idle_timeout=5, max_connections=1)
        assert await get(transport, server.endpoint) == b"hello"
        assert await asyncio.gather(*(get(transport, server.endpoint) for _ in range(2))) == [b"hello"] * 2
        await transport.close()


async def test_after_closing_a_connection_ends_with_its_own_response_whatever_becomes_of_the_others() -> None:
    with ScriptedServer(lambda _: [whole_response(bytes(4 << 20))]) as server:
        transport = NativeTransport()
        bodies = [(await transport.send(HttpRequest("GET", server.endpoint))).body for _ in range(2)]
        await transport.close()
        while await bodies[0].read(1 << 20):
            pass
        await bodies[0].close()
        await until(lambda: server.open_connections == 1)
        bodies.clear()  # the other one is never closed
        await until(lambda: server.open_connections == 0)


def test_a_request_belongs_to_the_task_that_awaits_it_and_not_to_the_one_that_made_it() -> None:
    transport = NativeTransport()

    async def read(request: Coroutine[Any, Any, HttpResponse]) -> bytes:
        response = await request
        content = await response.body.read(100)
        await response.body.close()
        return content

    async def make(url: str) -> Coroutine[Any, Any, HttpResponse]:
        assert await get(transport, url) == b"hello"
        return transport.send(HttpRequest("GET", url))

    with (
        ScriptedServer(lambda _: [whole_response(b"hello")]) as server,
        asyncio.Runner() as first,
        asyncio.Runner() as second,
    ):
        assert second.run(read(first.run(make(server.endpoint)))) == b"hello"
        assert first.run(read(transport.send(HttpRequest("GET", server.endpoint)))) == b"hello"
    assert server.connections == 2


async def test_an_idle_timeout_of_zero_is_not_that_of_the_transport() -> None:
    transport = NativeTransport(idle_timeout=None)
    with ScriptedServer(lambda _: [PAUSE]) as server:
        async with asyncio.timeout(10):
            with pytest.raises(Timeout):
                await transport.send(HttpRequest("GET", server.endpoint, idle_timeout=0.0))
        await transport.close()


@pytest.mark.parametrize("content", [b"content", (b"a" * 20_000, b"b" * 500_000)], ids=["short", "long"])
async def test_a_request_of_which_nothing_was_sent_goes_out_on_a_new_connection_whatever_it_changes(
    monkeypatch: pytest.MonkeyPatch, content: Content
) -> None:
    """The kept connection ended after it was looked at."""

    def is_usable(connection: Connection) -> bool:
        connection.cut_off()
        return True

    monkeypatch.setattr(Connection, "is_usable", is_usable)
    with ScriptedServer(lambda _: [whole_response(b"hello")]) as server:
        transport = NativeTransport()
        assert await get(transport, server.endpoint) == b"hello"
        response = await transport.send(HttpRequest("PUT", server.endpoint, body=content))
        await response.body.close()
        assert [request.method for request in server.requests] == ["GET", "PUT"]
        assert server.requests[1].content == b"".join(HttpRequest("PUT", server.endpoint, body=content).pieces)
        await transport.close()
