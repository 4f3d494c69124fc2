"""Tunnels through proxies that are reached by TLS, and what proxies answer to CONNECT."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvloop

from entrepot.errors import Error, PermissionDenied, Timeout, Unexpected
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.native import NativeTransport
from entrepot.testing.scripted_server import ScriptedServer, whole_response
from tests.sockets import stop_accepting

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def hello(server_tls: ssl.SSLContext) -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda _: [whole_response(b"hello")], server_tls) as server:
        yield server


class Proxy:
    """A proxy whose answer to CONNECT is given. It connects only if that is a success.

    Arguments:
        answer: what it answers; None is silence, and empty the end of the connection.
        tls: its own TLS, if any.
    """

    def __init__(self, answer: bytes | None, tls: ssl.SSLContext | None) -> None:
        self._answer = answer
        self._tls = tls
        self.connections = 0
        self._writers = list[asyncio.StreamWriter]()
        self._serving = list["asyncio.Task[None] | None"]()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        await stop_accepting(self._server)
        for writer in self._writers:
            if not writer.is_closing():
                writer.transport.abort()
        while any(task is not None and not task.done() for task in self._serving):
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self._serving.append(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._answer_to(await reader.readuntil(b"\r\n\r\n"), reader, writer)
        writer.close()

    async def _answer_to(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._answer is None:
            await reader.read()
        else:
            writer.write(self._answer)
        if self._answer and b" 200" in self._answer[:13]:
            place = head.split()[1].decode()
            with suppress(OSError):
                there, back = await asyncio.open_connection("127.0.0.1", int(place.rpartition(":")[2]))
                self._writers.append(back)
                await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def get(transport: NativeTransport, url: str) -> bytes:
    response = await transport.send(HttpRequest("GET", url))
    try:
        return await response.body.read(100)
    finally:
        await response.body.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_tls_goes_through_tls(hello: ScriptedServer, server_tls: ssl.SSLContext, ca_file: str, loop: str) -> None:
    async def main() -> int:
        proxy = Proxy(b"HTTP/1.1 200 OK\r\n\r\n", server_tls)
        async with proxy as url:
            transport = NativeTransport(ca_file=ca_file, proxy=url)
            for _ in range(2):
                assert await get(transport, f"{hello.endpoint}/a") == b"hello"
            await transport.close()
        return proxy.connections

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        assert runner.run(main()) == 1
    assert len(hello.requests) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\nsecret", PermissionDenied, "the proxy does not let"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", Unexpected, "the response is not valid HTTP (the proxy sent"),
        (b"SSH-2.0\r\n\r\n", Unexpected, "the response is not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, Unexpected, "the head of the response is too large"),
        (b"", Unexpected, "the server closed the connection without a response"),
        (None, Timeout, "no connection to the server in time"),
    ],
    ids=["refusal", "more", "not HTTP", "too large", "end", "silence"],
)
@pytest.mark.parametrize("is_tls", [False, True])
async def test_what_a_proxy_answers(
    server_tls: ssl.SSLContext, ca_file: str, is_tls: bool, answer: bytes | None, kind: type[Error], words: str
) -> None:
    async with Proxy(answer, server_tls if is_tls else None) as url:
        patience = 10.0 if answer is not None else 0.2
        transport = NativeTransport(ca_file=ca_file, proxy=url, connect_timeout=patience)
        with pytest.raises(kind) as caught:
            await get(transport, "https://127.0.0.1:1/a?signature=secret")
        assert words in caught.value.message
        assert "secret" not in str(caught.value)
        await transport.close()
        assert not (await transport._pools.get()).current()._made


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("is_trusted", [False, True])
def test_a_tunnel_whose_tls_fails_is_one_error_and_nothing_is_logged(
    server_tls: ssl.SSLContext, ca_file: str, loop: str, is_trusted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(server: ScriptedServer) -> None:
        async with Proxy(b"HTTP/1.1 200 OK\r\n\r\n", None) as url:
            ca_file_or_none = ca_file if is_trusted else None  # a server without TLS, or one that is not trusted
            transport = NativeTransport(ca_file=ca_file_or_none, proxy=url, connect_timeout=0.5)
            with pytest.raises(Error):
                await get(transport, f"{server.endpoint.replace('http:', 'https:')}/a")
            await asyncio.sleep(0.01)
            assert not (await transport._pools.get()).current()._made
            await transport.close()

    with (
        ScriptedServer(lambda _: [whole_response(b"hello")], None if is_trusted else server_tls) as server,
        asyncio.Runner(loop_factory=LOOPS[loop]) as runner,
    ):
        runner.run(main(server))
    assert [str(record.exc_info or record.getMessage()) for record in caplog.records] == []
