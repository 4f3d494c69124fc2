"""The transport over blocking sockets: the same results and errors as the one over aiohttp, and what threads add."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import socket
import socketserver
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from entrepot.errors import ContentIncomplete, Error, InvalidInput, PermissionDenied, Timeout, Unexpected
from entrepot.raw.http import HttpBody, HttpRequest, HttpTransport
from entrepot.raw.http.aiohttp import AiohttpTransport
from entrepot.raw.http.blocking import BlockingTransport, connect
from entrepot.raw.runtime import inline
from entrepot.raw.runtime.inline import InlineRuntime
from entrepot.testing.scripted_server import (
    CLOSE,
    HOLD,
    PAUSE,
    RESET,
    STALL,
    Answer,
    DeadConnections,
    ReceivedRequest,
    ScriptedServer,
    Take,
    chunked,
    raw_response,
    whole_response,
)
from tests.sockets import respond_early

PATIENCE = 0.2
HELLO = whole_response(b"hello")
LONG = bytes(16 << 20)
RUNTIME = InlineRuntime()


@pytest.fixture
def transport(client_tls: ssl.SSLContext) -> Iterator[BlockingTransport]:
    made = BlockingTransport(idle_timeout=5, ssl_context=client_tls)
    yield made
    inline.run(made.close())


async def asked(transport: HttpTransport, request: HttpRequest) -> tuple[int, bytes]:
    response = await transport.send(request)
    try:
        content = b""
        while piece := await response.body.read(1 << 20):
            content += piece
    finally:
        await response.body.close()
    return response.status, content


def ask(transport: BlockingTransport, url: str, method: str = "GET", body: Any = None) -> tuple[int, bytes]:
    return inline.run(asked(transport, HttpRequest(method, url, body=body)))


ANSWERS: dict[str, Answer] = {
    "a length": [HELLO],
    "chunks": [raw_response("200 OK", "Transfer-Encoding: chunked") + chunked(b"he", b"llo") + b"0\r\n\r\n"],
    "the end of the connection": [raw_response("200 OK") + b"hello", CLOSE],
    "a reset at the end": [raw_response("200 OK") + b"hello", PAUSE, RESET],
    "no content": [raw_response("204 No Content")],
    "in pieces": [HELLO[:10], PAUSE, HELLO[10:30], PAUSE, HELLO[30:]],
    "informational": [raw_response("100 Continue") + raw_response("103 Early Hints"), PAUSE, HELLO],
    "many informational": [raw_response("100 Continue") * 20 + HELLO],
    "too much": [HELLO + b"more"],
    "not HTTP": [b"220 ftp ready\r\n\r\n"],
    "half a head": [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE],
    "nothing": [CLOSE],
    "a reset": [RESET],
    "half the content": [HELLO[:-2], CLOSE],
    "a reset in the content": [HELLO[:-2], PAUSE, RESET],
    "half a chunk": [raw_response("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhel", CLOSE],
    "a bad chunk beside the head": [raw_response("200 OK", "Transfer-Encoding: chunked") + b"x\r\nhello\r\n"],
    "a chunk without a size": [raw_response("200 OK", "Transfer-Encoding: chunked"), PAUSE, b"x\r\nhello\r\n0\r\n\r\n"],
    "two lengths": [raw_response("200 OK", "Content-Length: 5", "Content-Length: 6") + b"hello"],
    "a length and chunks": [raw_response("200 OK", "Content-Length: 5", "Transfer-Encoding: chunked") + b"hello"],
    "another coding": [raw_response("200 OK", "Transfer-Encoding: gzip") + b"hello", CLOSE],
    "a huge head": [raw_response("200 OK", "X: " + "y" * 70_000)],
    "no colon": [b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
    "silence": [STALL],
    "silence in the head": [HELLO[:20], STALL],
    "silence in the content": [HELLO[:-2], STALL],
    "an error": [whole_response(b"no", status="503 Service Unavailable")],
}


def outcome(call: Callable[[], object]) -> object:
    """The result of a call, or what distinguishes its error."""
    try:
        return call()
    except Error as error:
        return type(error), error.message, error.is_temporary


@pytest.mark.parametrize("read", [0, 2, 5])
def test_content_that_arrived_with_its_head_is_taken_without_a_coroutine(
    transport: BlockingTransport, read: int
) -> None:
    with ScriptedServer(lambda _: [HELLO]) as server:
        body = inline.run(transport.send(HttpRequest("GET", server.endpoint))).body
        assert inline.run(body.read(read)) + (body.take_rest() or b"") == b"hello"
        assert body.is_at_end
        assert body.take_rest() == inline.run(body.read(1)) == b""


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("name", ANSWERS)
def test_it_gives_what_the_transport_over_aiohttp_gives(name: str, method: str) -> None:
    with ScriptedServer(lambda _: ANSWERS[name]) as server:
        request = HttpRequest(method, f"{server.endpoint}/a", body=b"content" if method == "PUT" else None)
        patience = PATIENCE if name.startswith("silence") else 30
        blocking = BlockingTransport(idle_timeout=patience)
        ours = outcome(lambda: inline.run(asked(blocking, request)))
        theirs = outcome(lambda: asyncio.run(asked(AiohttpTransport(idle_timeout=patience), request)))
        assert ours == theirs
        inline.run(blocking.close())
        server.let_go()


UPLOADS: dict[str, Answer] = {
    "a refusal": [Take(1000), whole_response(b"no", status="403 Forbidden"), STALL],
    "a refusal and a reset": [Take(1000), whole_response(b"no", status="403 Forbidden"), RESET],
    "a success too early": [Take(1000), HELLO, HOLD],
    "a reset": [Take(1000), RESET],
    "no more is taken": [Take(1000), HOLD],
    "all is taken": [Take(len(LONG)), HELLO],
}


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("name", UPLOADS)
def test_content_that_is_refused_is_not_sent_to_its_end(
    name: str, is_tls: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    script = UPLOADS[name]
    with ScriptedServer(lambda _: script, server_tls if is_tls else None, takes_content=False) as server:
        patience = 30 if name == "all is taken" else PATIENCE
        transport = BlockingTransport(idle_timeout=patience, ssl_context=client_tls)
        found = outcome(lambda: ask(transport, f"{server.endpoint}/a", "PUT", LONG))
        expected: dict[str, Any] = {
            "a refusal": (403, b"no"),
            "a success too early": (Unexpected, "the server reported success before it had all content", True),
            "no more is taken": (Timeout, "the server accepted no content for too long", True),
            "all is taken": (200, b"hello"),
        }
        if name in expected:
            assert found == expected[name]
        else:  # how much is known depends on what arrived before the connection broke
            assert found == (403, b"no") or found[0] is Unexpected  # type: ignore[index]
        assert len(server.requests) == 1
        server.let_go()
        inline.run(transport.close())


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
def test_content_that_an_early_response_cuts_off_ends_as_a_broken_connection(
    status: str, is_tls: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    may_go_on = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as threads:
        seen = threads.submit(respond_early, server, status, server_tls if is_tls else None, may_go_on)
        transport = BlockingTransport(idle_timeout=PATIENCE, ssl_context=client_tls)
        url = f"http{'s' * is_tls}://127.0.0.1:{server.getsockname()[1]}/a"
        found = outcome(lambda: ask(transport, url, "PUT", LONG))
        assert found[0] == (Unexpected if status == "200 OK" else 403)  # type: ignore[index]
        may_go_on.set()
        inline.run(transport.close())
        assert seen.result() is not None


def test_a_reset_over_tls_is_no_end_of_content(transport: BlockingTransport, server_tls: ssl.SSLContext) -> None:
    """Without a length, an end of the connection is the end of the content, also where TLS was not closed."""
    cut, complete = [raw_response("200 OK") + b"hello", PAUSE, RESET], [raw_response("200 OK") + b"hello", CLOSE]
    scripts: dict[str, Answer] = {"/cut": cut, "/complete": complete, "/first": [HELLO]}
    with ScriptedServer(lambda asked: scripts[asked.target], server_tls) as server:

        def send(path: str) -> HttpBody:
            assert ask(transport, f"{server.endpoint}/first") == (
                200,
                b"hello",
            )  # the reset may come after session tickets
            return inline.run(transport.send(HttpRequest("GET", f"{server.endpoint}{path}"))).body

        body = send("/complete")
        assert [inline.run(body.read(5)), inline.run(body.read(5))] == [b"hello", b""]
        body = send("/cut")
        assert inline.run(body.read(5)) == b"hello"
        with pytest.raises(ContentIncomplete, match="the connection broke"):
            inline.run(body.read(5))
        body = send("/cut")
        assert inline.run(body.read(5)) == b"hello"
        with pytest.raises(ContentIncomplete, match="the connection broke"):
            inline.run(body.readinto(memoryview(bytearray(9))))


def test_an_end_over_tls_without_a_notification_is_the_end_of_content(
    transport: BlockingTransport, server_tls: ssl.SSLContext
) -> None:
    """OpenSSL sends an alert after it. The system of a server that is gone answers with a reset."""

    def serve(listening: socket.socket) -> None:
        for _ in range(5):
            with server_tls.wrap_socket(listening.accept()[0], server_side=True) as connection:
                connection.recv(10_000)
                connection.sendall(raw_response("200 OK") + b"hello")

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as threads:
        listening.settimeout(10)
        serving = threads.submit(serve, listening)
        for _ in range(5):
            assert ask(transport, f"https://127.0.0.1:{listening.getsockname()[1]}/a") == (200, b"hello")
        serving.result()


def test_tls(transport: BlockingTransport, server_tls: ssl.SSLContext) -> None:
    with ScriptedServer(lambda request: [HELLO], server_tls) as server:
        url = f"{server.endpoint}/a"
        assert [ask(transport, url) for _ in range(3)] == [(200, b"hello")] * 3
        assert ask(transport, url, "PUT", LONG) == (200, b"hello")
        assert server.connections == 1
        with pytest.raises(Unexpected, match="the server's certificate is not trusted") as caught:
            ask(BlockingTransport(), url)
        assert not caught.value.is_temporary


@pytest.mark.parametrize(("method", "requests"), [("GET", 2), ("HEAD", 2), ("PUT", 1)])
@pytest.mark.parametrize("fault", [CLOSE, RESET])
def test_a_request_on_a_dead_connection_is_repeated_if_it_may_be(
    transport: BlockingTransport, method: str, requests: int, fault: Any
) -> None:
    with ScriptedServer([[HELLO], [fault], [whole_response(b"")]]) as server:
        ask(transport, f"{server.endpoint}/a")
        found = outcome(lambda: ask(transport, f"{server.endpoint}/b", method))
        assert found == (200, b"") if requests == 2 else found[0] is Unexpected  # type: ignore[index]
        assert len(server.requests) == 1 + requests


def test_bytes_that_come_behind_a_response_are_not_the_next_one(transport: BlockingTransport) -> None:
    late: Answer = [HELLO, PAUSE, whole_response(b"WRONG")]
    with ScriptedServer(lambda request: late if request.target == "/first" else [HELLO]) as server:
        ask(transport, f"{server.endpoint}/first")
        time.sleep(0.2)
        assert ask(transport, f"{server.endpoint}/second") == (200, b"hello")
        assert server.connections == 2


# Time


def blackhole() -> socket.socket:
    """A server that accepts connections, and never says anything."""
    return socket.create_server(("127.0.0.1", 0), backlog=1)


PHASES: dict[str, Answer] = {
    "the head": [STALL],
    "the rest of the head": [HELLO[:10], STALL],
    "the content": [HELLO[:-2], STALL],
    "sending": [Take(1000), HOLD],
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_deadline_of_the_runtime_ends_each_wait(phase: str) -> None:
    transport = BlockingTransport(idle_timeout=30)
    is_sending = phase == "sending"
    with ScriptedServer(lambda _: PHASES[phase], takes_content=not is_sending) as server:
        request = HttpRequest("PUT" if is_sending else "GET", f"{server.endpoint}/a", body=LONG if is_sending else None)
        started = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            inline.run(RUNTIME.with_timeout(0.1, asked, transport, request))
        assert not isinstance(caught.value, Error)  # the scope's error, which its owner translates
        assert time.monotonic() - started < 20
        server.let_go()
        server.wait_until_left()


def test_a_deadline_ends_connecting_and_the_handshake(client_tls: ssl.SSLContext) -> None:
    with blackhole() as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/a"
        with pytest.raises(TimeoutError) as caught:
            inline.run(RUNTIME.with_timeout(0.1, asked, BlockingTransport(), HttpRequest("GET", url)))
        assert not isinstance(caught.value, Error)
        with pytest.raises(Timeout, match="no connection to the server in time"):
            ask(BlockingTransport(connect_timeout=0.1, ssl_context=client_tls), url)


def test_after_a_deadline_a_body_is_read_on(transport: BlockingTransport) -> None:
    may_go_on = threading.Event()

    def script(request: ReceivedRequest) -> Answer:
        yield HELLO[:-2]
        while not may_go_on.is_set():
            yield PAUSE
        yield HELLO[-2:]

    with ScriptedServer(script) as server:
        response = inline.run(transport.send(HttpRequest("GET", f"{server.endpoint}/a")))
        with suppress(TimeoutError):
            assert inline.run(RUNTIME.with_timeout(0.1, response.body.read, 100)) == b"hel"
            inline.run(RUNTIME.with_timeout(0.1, response.body.read, 100))
        may_go_on.set()
        assert inline.run(response.body.read(100)) == b"lo"
        assert inline.run(response.body.read(100)) == b""


def test_the_next_address_is_tried_when_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, transport: BlockingTransport
) -> None:
    with ScriptedServer(lambda _: [HELLO]) as server, socket.socket() as refusing:
        port = int(server.endpoint.rpartition(":")[2])
        refusing.bind(("127.0.0.1", 0))
        places = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", refusing.getsockname()[1])),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(connect.socket, "getaddrinfo", lambda *args, **options: places)
        assert ask(transport, f"http://some.host:{port}/a") == (200, b"hello")


def test_an_address_that_cannot_be_reached_is_a_temporary_error(transport: BlockingTransport) -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        with pytest.raises(Unexpected, match="no connection to the server") as caught:
            ask(transport, f"http://127.0.0.1:{refusing.getsockname()[1]}/a")
        assert caught.value.is_temporary
    with pytest.raises(InvalidInput, match="host name is not valid"):
        ask(transport, f"http://{'a' * 70}.example/a")


# Proxies


class Tunnels(socketserver.ThreadingTCPServer):
    """A proxy that connects to whatever it is asked for."""

    daemon_threads = True
    heads: list[bytes]


class _Tunnel(socketserver.StreamRequestHandler):
    server: Tunnels

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.rfile.readline()
        self.server.heads.append(head)
        host, _, port = head.split()[1].decode().partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pump, args=(there, self.connection))
            back.start()
            _pump(self.connection, there)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_tls_goes_through_a_tunnel_of_the_proxy(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    with ScriptedServer(lambda _: [HELLO], server_tls) as server, Tunnels(("127.0.0.1", 0), _Tunnel) as proxy:
        proxy.heads = []
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = f"http://user:pass@127.0.0.1:{proxy.server_address[1]}"
        transport = BlockingTransport(proxy=address, ssl_context=client_tls)
        assert [ask(transport, f"{server.endpoint}/a") for _ in range(2)] == [(200, b"hello")] * 2
        (head,) = proxy.heads
        assert head.startswith(f"CONNECT {server.endpoint.rpartition('/')[2]} HTTP/1.1\r\n".encode())
        assert b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n" in head
        inline.run(transport.close())
        proxy.shutdown()


def test_a_host_that_cannot_be_one_is_refused_behind_a_proxy_too() -> None:
    with ScriptedServer(lambda _: [raw_response("200 OK"), HOLD]) as proxy:
        transport = BlockingTransport(proxy=proxy.endpoint)
        with pytest.raises(InvalidInput, match="host name is not valid"):
            ask(transport, f"https://{'a' * 70}.example/a")
        inline.run(transport.close())


def test_a_proxy_gets_the_whole_url_of_a_request_without_tls() -> None:
    with ScriptedServer(lambda _: [HELLO]) as proxy:
        transport = BlockingTransport(proxy=proxy.endpoint.replace("//", "//user:pass@"))
        assert ask(transport, "http://storage.invalid/a?b=c") == (200, b"hello")
        (received,) = proxy.requests
        assert received.target == "http://storage.invalid/a?b=c"
        assert received.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
        inline.run(transport.close())


def test_a_tunnel_that_is_refused_is_no_response_of_the_storage() -> None:
    refusal = raw_response("407 Proxy Authentication Required", "Content-Length: 0")
    with ScriptedServer(lambda _: [refusal]) as proxy:
        with pytest.raises(PermissionDenied, match="the proxy does not let the connection through"):
            ask(BlockingTransport(proxy=proxy.endpoint), "https://storage.invalid/a")
        proxy.wait_until_left()


# Threads


def test_threads_share_connections_up_to_the_limit() -> None:
    transport = BlockingTransport(max_connections=2, idle_timeout=20)
    answers = {f"/{number}": b"content of %d" % number for number in range(40)}
    with ScriptedServer(lambda request: [PAUSE, whole_response(answers[request.target])]) as server:
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda target: ask(transport, f"{server.endpoint}{target}"), answers))
        assert found == [(200, content) for content in answers.values()]
        assert server.connections == 2
        inline.run(transport.close())
        server.wait_until_left()


def test_a_request_waits_for_its_turn_only_while_connections_are_active() -> None:
    transport = BlockingTransport(max_connections=1, pool_timeout=0.2)
    with ScriptedServer(lambda _: [HELLO[:-1], STALL]) as server:
        held = inline.run(transport.send(HttpRequest("GET", f"{server.endpoint}/a")))
        with pytest.raises(Timeout, match="all 1 connections are held by open readers"):
            ask(transport, f"{server.endpoint}/b")
        with pytest.raises(TimeoutError):
            inline.run(RUNTIME.with_timeout(0.05, asked, transport, HttpRequest("GET", f"{server.endpoint}/b")))
        inline.run(held.body.close())
        server.script = lambda _: [HELLO]
        assert ask(transport, f"{server.endpoint}/b") == (200, b"hello")


def test_idle_connections_are_few_and_do_not_last() -> None:
    transport = BlockingTransport(max_idle_connections=1, keepalive_timeout=0.1)
    with ScriptedServer(lambda _: [PAUSE, HELLO]) as server:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: ask(transport, f"{server.endpoint}/a"), range(4)))
        assert server.connections >= 1
        time.sleep(0.2)
        before = server.connections
        ask(transport, f"{server.endpoint}/a")
        assert server.connections == before + 1
        inline.run(transport.close())
        server.wait_until_left()


def test_a_body_that_is_dropped_gives_its_connection_up(transport: BlockingTransport) -> None:
    with ScriptedServer(lambda _: [HELLO[:-1], STALL]) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        response = inline.run(transport.send(HttpRequest("GET", f"{server.endpoint}/a")))
        cycle: list[Any] = [response]
        cycle.append(cycle)
        del response, cycle
        gc.collect()
        server.wait_until_left()


def test_a_transport_that_is_dropped_closes_its_connections() -> None:
    with ScriptedServer(lambda _: [HELLO]) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(BlockingTransport(), f"{server.endpoint}/a")  # not in a cycle, so that it needs no collection
        server.wait_until_left()


def test_ctrl_c_closes_the_connection(monkeypatch: pytest.MonkeyPatch, transport: BlockingTransport) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with ScriptedServer(lambda _: [HELLO[:-2], STALL]) as server:
        response = inline.run(transport.send(HttpRequest("GET", f"{server.endpoint}/a")))
        inline.run(response.body.read(100))
        with monkeypatch.context() as patch:
            patch.setattr("entrepot.raw.http.blocking.waiting.Waiter.wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                inline.run(response.body.read(100))
            with pytest.raises(KeyboardInterrupt):
                ask(transport, f"{server.endpoint}/b")
        with pytest.raises(ContentIncomplete):
            inline.run(response.body.read(100))
        server.wait_until_left()
        server.script = lambda _: [HELLO]
        assert ask(transport, f"{server.endpoint}/c") == (200, b"hello")


# Processes


def in_child(call: Callable[[], object]) -> str:
    """What a call returns or raises in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, repr(outcome(call)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read().decode()
    os.waitpid(child, 0)
    return told


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_a_forked_child_has_connections_of_its_own(
    is_tls: bool, transport: BlockingTransport, server_tls: ssl.SSLContext
) -> None:
    may_go_on = threading.Event()

    def script(request: ReceivedRequest) -> Answer:
        if request.target != "/long":
            return [HELLO]
        return long()

    def long() -> Any:
        yield HELLO[:-2]
        while not may_go_on.is_set():
            yield PAUSE
        yield HELLO[-2:]

    with ScriptedServer(script, server_tls if is_tls else None) as server:
        url = f"{server.endpoint}/a"
        ask(transport, url)
        response = inline.run(transport.send(HttpRequest("GET", f"{server.endpoint}/long")))
        assert inline.run(response.body.read(100)) == b"hel"
        before = server.connections
        assert "before a fork" in in_child(lambda: inline.run(response.body.read(100)))
        assert in_child(lambda: ask(transport, url)) == "(200, b'hello')"
        assert server.connections == before + 1
        assert ask(transport, url) == (200, b"hello")
        may_go_on.set()
        assert inline.run(response.body.read(100)) == b"lo"
        assert server.connections == before + 2


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_processes_of_a_pool_share_no_connection() -> None:
    transport = BlockingTransport()
    with ScriptedServer(lambda request: [whole_response(request.target.encode())]) as server:
        ask(transport, f"{server.endpoint}/a")
        with multiprocessing.get_context("fork").Pool(2) as pool:
            jobs = [pool.apply_async(ask, (transport, f"{server.endpoint}/{number}")) for number in range(8)]
            assert [job.get(20)[1] for job in jobs] == [b"/%d" % number for number in range(8)]
        assert ask(transport, f"{server.endpoint}/b") == (200, b"/b")


def test_dead_connections_are_dropped_together(transport: BlockingTransport) -> None:
    with ScriptedServer(DeadConnections(4, lambda _: [HELLO])) as server:
        for _ in range(3):
            with suppress(Unexpected):
                ask(transport, f"{server.endpoint}/a")
        assert ask(transport, f"{server.endpoint}/a") == (200, b"hello")
