"""The transport, against a server that writes down every byte."""

import asyncio
import gc
import os
import pickle
import ssl
import subprocess
import threading
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
import uvloop

from entrepot import Operator
from entrepot.errors import (
    ConfigInvalid,
    ContentIncomplete,
    Error,
    InvalidInput,
    PermissionDenied,
    Timeout,
    Unexpected,
    Unsupported,
)
from entrepot.layers import RetryLayer
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.services import Http
from entrepot.testing.scripted_server import (
    CLOSE,
    PAUSE,
    RESET,
    STALL,
    Answer,
    ReceivedRequest,
    ScriptedServer,
    Together,
    chunked,
    raw_response,
    whole_response,
)
from tests.sockets import stop_accepting, stream_sockets
from tests.strict import STRICT, warnings_of
from tests.transports import NAME, ROOM, Transport, is_any_in_use, waiting_requests

BUFFER = 256 * 1024


@pytest.fixture
async def transport() -> AsyncIterator[ConfiguredTransport]:
    made = Transport(idle_timeout=5)
    yield made
    await made.close()


@pytest.fixture
def hello() -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda _: [whole_response(b"hello")]) as server:
        yield server


async def content_of(response: HttpResponse) -> bytes:
    data = b""
    while part := await response.body.read(1 << 62):
        data += part
    await response.body.close()
    return data


async def get(transport: ConfiguredTransport, url: str) -> bytes:
    return await content_of(await transport.send(HttpRequest("GET", url)))


# What goes over the wire.

TARGETS = [
    "/a/../b",
    "/a/./b",
    "/a%2Fb",
    "/%7Ea~",
    "/a+b%2Bc%20d",
    "//a//b/",
    "/%C3%A9%c3%a9",
    "/a?b=c%2F&d=+e%20&f",
    "/a;b=c,d:e@f!g$h&i'j(k)*l",
    "/%25%32%65",
    "/",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_a_request_goes_out_as_it_stands(
    hello: ScriptedServer, transport: ConfiguredTransport, target: str
) -> None:
    headers = [("x-amz-Date", "now"), ("Range", "bytes=0-1"), ("authorization", "a"), ("X-Amz-Meta", "a  b")]
    await content_of(await transport.send(HttpRequest("GET", hello.endpoint + target, headers)))
    host = hello.endpoint.removeprefix("http://")
    assert hello.requests[0].head.decode() == (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\nUser-Agent: entrepot\r\n"
        "x-amz-Date: now\r\nRange: bytes=0-1\r\nauthorization: a\r\nX-Amz-Meta: a  b\r\n\r\n"
    )


async def test_headers_of_the_request_stand_before_those_of_the_transport(
    hello: ScriptedServer, transport: ConfiguredTransport
) -> None:
    given = [("User-Agent", "me"), ("Accept-Encoding", "gzip"), ("Host", "elsewhere")]
    await content_of(await transport.send(HttpRequest("GET", f"{hello.endpoint}/a", given)))
    headers = hello.requests[0].headers
    assert (headers["user-agent"], headers["accept-encoding"], headers["host"]) == ("me", "gzip", "elsewhere")


@pytest.mark.parametrize(
    ("path", "header"), [("/a", ("X", "a\r\nsecret: 1")), ("/a", ("X", "secret\0")), ("/a\r\nsecret: 1", ("X", "a"))]
)
async def test_what_would_end_a_line_is_refused_before_anything_is_sent(
    hello: ScriptedServer, transport: ConfiguredTransport, path: str, header: tuple[str, str]
) -> None:
    with pytest.raises(InvalidInput, match="control character") as caught:
        await transport.send(HttpRequest("GET", hello.endpoint + path, [header]))
    assert "secret" not in str(caught.value)
    assert not caught.value.is_temporary
    assert hello.connections == 0


async def test_userinfo_in_the_url_is_sent_as_credentials_and_not_as_a_part_of_the_url(
    hello: ScriptedServer, transport: ConfiguredTransport
) -> None:
    await get(transport, hello.endpoint.replace("//", "//user:pass@") + "/a")
    assert hello.requests[0].target == "/a"
    assert hello.requests[0].headers["host"] == hello.endpoint.removeprefix("http://")
    assert hello.requests[0].headers["authorization"] == "Basic dXNlcjpwYXNz"


async def test_a_reply_that_only_announces_another_is_passed_over(transport: ConfiguredTransport) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with ScriptedServer(lambda _: [b"HTTP/1.1 100 Continue\r\n\r\n", early, PAUSE, whole_response(b"hello")]) as server:
        for _ in range(2):
            assert await get(transport, f"{server.endpoint}/a") == b"hello"
        assert server.connections == 1


async def test_silence_after_a_reply_that_only_announces_another_is_a_timeout() -> None:
    transport = Transport(idle_timeout=0.1)
    with ScriptedServer(lambda _: [b"HTTP/1.1 103 Early Hints\r\n\r\n", STALL]) as server:
        with pytest.raises(Timeout, match="sent nothing") as caught:
            await transport.send(HttpRequest("GET", f"{server.endpoint}/a?secret=1"))
        assert caught.value.is_temporary
        assert "secret" not in str(caught.value)
        await asyncio.to_thread(server.wait_until_left)
        await transport.close()


async def test_a_status_below_those_that_announce_another_reply_is_given_back(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [whole_response(b"hello", status="099 Odd")]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        assert (response.status, await content_of(response)) == (99, b"hello")


async def test_the_scheme_of_a_url_may_be_in_capitals(hello: ScriptedServer, transport: ConfiguredTransport) -> None:
    assert await get(transport, hello.endpoint.replace("http", "HTTP") + "/a") == b"hello"


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".invalid"])
async def test_a_host_that_there_cannot_be_is_refused(transport: ConfiguredTransport, host: str) -> None:
    with pytest.raises(InvalidInput, match="the URL cannot be used") as caught:
        await transport.send(HttpRequest("GET", f"http://{host}/a?secret=1"))
    assert not caught.value.is_temporary
    assert "secret" not in str(caught.value)


async def test_cookies_are_not_kept(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [whole_response(b"", "Set-Cookie: a=b; Path=/")]) as server:
        await get(transport, f"{server.endpoint}/a")
        await get(transport, f"{server.endpoint}/a")
        assert "cookie" not in server.requests[1].headers


async def test_redirects_are_given_back(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [whole_response(b"", "Location: /b", status="302 Found")]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        assert (response.status, response.headers["location"]) == (302, "/b")
        await response.body.close()
        assert len(server.requests) == 1


# Connections.


async def test_a_connection_is_used_again_once_its_content_was_read(
    hello: ScriptedServer, transport: ConfiguredTransport
) -> None:
    for _ in range(3):
        assert await get(transport, f"{hello.endpoint}/a") == b"hello"
    assert hello.connections == 1


async def test_closing_a_body_early_waits_for_nothing_and_ends_the_connection(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [raw_response("200 OK", "Content-Length: 10") + b"hello", STALL]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        assert await response.body.read(3) == b"hel"
        await response.body.close()
        await response.body.close()
        await asyncio.to_thread(server.wait_until_left)


async def test_a_kept_connection_that_the_server_closed_is_replaced(transport: ConfiguredTransport) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [CLOSE] if asked.number == 1 else [whole_response(b"hello")]

    with ScriptedServer(script) as server:
        assert await get(transport, f"{server.endpoint}/a") == b"hello"
        assert await get(transport, f"{server.endpoint}/a") == b"hello"
        assert [asked.connection for asked in server.requests] == [0, 0, 1]


async def _keep_connections(transport: ConfiguredTransport, server: ScriptedServer, count: int) -> None:
    """Leaves so many connections to the server kept, after which its script goes on."""
    script, server.script = server.script, lambda _: [Together(count), whole_response(b"hello")]
    await asyncio.gather(*(get(transport, f"{server.endpoint}/{number}") for number in range(count)))
    server.script = script
    assert server.connections == count


@pytest.mark.parametrize("fault", [CLOSE, RESET])
@pytest.mark.parametrize(("method", "tries"), [("GET", 1), ("HEAD", 1), ("PUT", 2), ("DELETE", 2)])
async def test_one_dead_kept_connection_ends_all_that_were_kept_with_it(
    transport: ConfiguredTransport, fault: Any, method: str, tries: int
) -> None:
    """A balancer that restarted has forgotten all of them. Each would take one of the tries of a retry."""
    kept = 8

    def script(asked: ReceivedRequest) -> Answer:
        if kept <= asked.number and asked.connection < kept:
            return [fault]
        return (
            [raw_response("200 OK", "Content-Length: 5")]
            if asked.method == "HEAD"
            else [PAUSE, whole_response(b"hello")]
        )

    with ScriptedServer(script) as server:
        await _keep_connections(transport, server, kept)
        for attempt in range(1, tries + 1):
            try:
                response = await transport.send(HttpRequest(method, f"{server.endpoint}/a", body=b""))
            except Unexpected as error:
                assert error.is_temporary
                assert attempt < tries
        assert response.status == 200
        await response.body.close()
        dead, new = (asked.connection for asked in server.requests[kept:])
        assert (dead < kept, new) == (True, kept)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_silent_kept_connection_ends_all_that_were_kept_with_it(
    tls: bool, server_tls: ssl.SSLContext, authority: trustme.CA
) -> None:
    """A firewall that forgot them drops what is sent: each would take the idle timeout to find out."""
    kept, client_tls = 4, ssl.create_default_context()
    authority.configure_trust(client_tls)

    def script(asked: ReceivedRequest) -> Answer:
        return [PAUSE, whole_response(b"hello")] if asked.number < kept or asked.connection >= kept else [STALL]

    transport = Transport(idle_timeout=0.3, ssl_context=client_tls if tls else None)
    with ScriptedServer(script, server_tls if tls else None) as server:
        await _keep_connections(transport, server, kept)
        with pytest.raises(Timeout) as caught:
            await get(transport, f"{server.endpoint}/a")
        assert caught.value.is_temporary
        assert await get(transport, f"{server.endpoint}/a") == b"hello"
        assert server.connections == kept + 1
        await transport.close()


async def _until_open(server: ScriptedServer, count: int) -> None:
    async with asyncio.timeout(10):
        while server.open_connections != count:
            await asyncio.sleep(0.005)


class SilentOnceKept:
    """Answers on each connection until so many requests came; those that stood by then are silent."""

    def __init__(self, kept: int) -> None:
        self._kept = kept

    def __call__(self, asked: ReceivedRequest) -> Answer:
        if asked.number < self._kept or asked.connection >= self._kept:
            return [PAUSE, whole_response(b"hello")]
        return [STALL]


async def test_silence_that_the_caller_does_not_wait_out_ends_the_kept_connections_too(
    transport: ConfiguredTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timeout of the caller's own cancels the request. Each of its attempts would meet another silent connection."""
    monkeypatch.setattr("entrepot.raw.http.dead_connections.SILENCE", 0.1)
    with ScriptedServer(SilentOnceKept(4)) as server:
        await _keep_connections(transport, server, 4)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await get(transport, f"{server.endpoint}/a")
        assert await get(transport, f"{server.endpoint}/a") == b"hello"
        await _until_open(server, 1)


async def test_a_request_that_is_cancelled_at_once_ends_its_own_connection_only(transport: ConfiguredTransport) -> None:
    with ScriptedServer(SilentOnceKept(4)) as server:
        await _keep_connections(transport, server, 4)
        asking = asyncio.ensure_future(get(transport, f"{server.endpoint}/a"))
        while len(server.requests) == 4:
            await asyncio.sleep(0.005)
        asking.cancel()
        await asyncio.wait([asking])
        await _until_open(server, 3)
        await asyncio.sleep(0.05)
        assert server.open_connections == 3


async def test_a_response_that_is_not_http_on_a_kept_connection_ends_those_kept_with_it(
    transport: ConfiguredTransport,
) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [b"no HTTP\r\n\r\n"] if asked.number == 4 else [PAUSE, whole_response(b"hello")]

    with ScriptedServer(script) as server:
        await _keep_connections(transport, server, 4)
        with pytest.raises(Unexpected) as caught:
            await transport.send(HttpRequest("PUT", f"{server.endpoint}/a?secret=1", body=b"x"))
        assert caught.value.is_temporary
        assert "secret" not in str(caught.value)
        await _until_open(server, 0)


async def test_kept_connections_to_another_origin_stay(hello: ScriptedServer, transport: ConfiguredTransport) -> None:
    await get(transport, f"{hello.endpoint}/a")
    with ScriptedServer(lambda asked: [RESET] if asked.number == 1 else [whole_response(b"hello")]) as server:
        for _ in range(2):
            await get(transport, f"{server.endpoint}/a")
    await get(transport, f"{hello.endpoint}/a")
    assert hello.connections == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts the descriptors of the process")
async def test_dead_kept_connections_of_tls_do_not_wait_for_the_peer(server_tls: ssl.SSLContext, ca_file: str) -> None:
    transport, hold = Transport(idle_timeout=0.3, ca_file=ca_file), threading.Event()

    def script(asked: ReceivedRequest) -> Answer:
        if asked.number < 4:
            return [PAUSE, whole_response(b"hello")]
        hold.wait(10)  # the thread of the server: it answers nothing at all, like a network that drops packets
        return [CLOSE]

    with ScriptedServer(script, server_tls) as server:
        await _keep_connections(transport, server, 4)
        before = len(stream_sockets())
        with pytest.raises(Timeout):
            await get(transport, f"{server.endpoint}/a")
        async with asyncio.timeout(30):
            while len(stream_sockets()) > before - 4:
                await asyncio.sleep(0.01)
        hold.set()
        await transport.close()


async def test_a_silent_new_connection_leaves_the_kept_ones_alone() -> None:
    """A request that takes long says nothing of connections that others keep."""

    def script(asked: ReceivedRequest) -> Answer:
        return [STALL] if asked.target == "/slow" else [whole_response(b"hello")]

    transport = Transport(idle_timeout=30)
    with ScriptedServer(script) as server:
        slow = asyncio.ensure_future(transport.send(HttpRequest("GET", f"{server.endpoint}/slow", idle_timeout=0.3)))
        while not server.requests:
            await asyncio.sleep(0.001)
        assert await get(transport, f"{server.endpoint}/fast") == b"hello"
        with pytest.raises(Timeout):
            await slow
        assert await get(transport, f"{server.endpoint}/fast") == b"hello"
        assert server.connections == 2
        await transport.close()


@pytest.mark.parametrize("fault", [CLOSE, RESET])
async def test_a_request_on_a_new_connection_is_never_repeated(transport: ConfiguredTransport, fault: Any) -> None:
    with ScriptedServer(lambda _: [fault]) as server:
        with pytest.raises(Unexpected) as caught:
            await get(transport, f"{server.endpoint}/a?secret=1")
        assert caught.value.is_temporary
        assert "secret" not in str(caught.value)
        assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_a_request_that_changes_something_is_never_repeated(transport: ConfiguredTransport, method: str) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [CLOSE] if asked.number == 1 else [whole_response(b"hello")]

    with ScriptedServer(script) as server:
        await get(transport, f"{server.endpoint}/a")
        with pytest.raises(Unexpected):
            await transport.send(HttpRequest(method, f"{server.endpoint}/a"))
        assert len(server.requests) == 2


async def test_what_comes_unasked_is_not_taken_for_the_next_reply(transport: ConfiguredTransport) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return (
            [whole_response(b"hello"), PAUSE, whole_response(b"wrong")]
            if asked.number == 0
            else [whole_response(b"right")]
        )

    with ScriptedServer(script) as server:
        assert await get(transport, f"{server.endpoint}/a") == b"hello"
        await asyncio.sleep(0.1)
        assert await get(transport, f"{server.endpoint}/a") == b"right"


async def test_requests_beyond_the_limit_wait_their_turn() -> None:
    transport = Transport(max_connections=2)
    with ScriptedServer(lambda _: [PAUSE, whole_response(b"hello")]) as server:
        assert await asyncio.gather(*(get(transport, f"{server.endpoint}/a") for _ in range(6))) == [b"hello"] * 6
        assert server.connections == 2
        await transport.close()


class Held:
    """Answers with half of its content, and with the rest once it may."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def __call__(self, asked: ReceivedRequest) -> Answer:
        yield raw_response("200 OK", "Content-Length: 10") + b"hello"
        while not self.may_end.is_set():
            yield PAUSE
        yield b"world"


async def until_sent(server: ScriptedServer) -> None:
    while not server.sent:
        await asyncio.sleep(0.005)


async def test_closing_lets_what_is_in_flight_go_on_and_closes_it_then(hello: ScriptedServer) -> None:
    transport, script = Transport(max_connections=1), Held()
    with ScriptedServer(script) as server:
        assert await get(transport, f"{hello.endpoint}/a") == b"hello"
        going = [asyncio.ensure_future(get(transport, f"{server.endpoint}/a")) for _ in range(3)]
        await until_sent(server)
        await transport.close()
        await asyncio.to_thread(hello.wait_until_left)
        script.may_end.set()
        assert await asyncio.gather(*going) == [b"helloworld"] * 3
        assert server.connections == 1
        await asyncio.to_thread(server.wait_until_left)


async def test_closing_keeps_a_connection_that_is_read_and_closes_it_with_its_body() -> None:
    transport, script = Transport(), Held()
    with ScriptedServer(script) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        assert await response.body.read(5) == b"hello"
        await transport.close()
        await transport.close()
        assert server.open_connections == 1
        script.may_end.set()
        assert await content_of(response) == b"world"
        await asyncio.to_thread(server.wait_until_left)


async def test_closing_leaves_the_transport_usable(hello: ScriptedServer) -> None:
    transport = Transport()
    for _ in range(2):
        assert await get(transport, f"{hello.endpoint}/a") == b"hello"
        await transport.close()
        await asyncio.to_thread(hello.wait_until_left)
    assert hello.connections == 2


def test_a_loop_that_shuts_down_wakes_whoever_still_reads_or_waits() -> None:
    transport = Transport(max_connections=1)

    async def main(server: ScriptedServer) -> list[Any]:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        tasks = [asyncio.ensure_future(content_of(response))]
        tasks += [asyncio.ensure_future(get(transport, f"{server.endpoint}/a")) for _ in range(3)]
        await waiting(transport, 3)
        await asyncio.get_running_loop().shutdown_asyncgens()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with ScriptedServer(lambda _: [raw_response("200 OK", "Content-Length: 10") + b"hello", STALL]) as server:
        errors = asyncio.run(main(server))
        assert [type(error) for error in errors] == [ContentIncomplete, Unexpected, Unexpected, Unexpected]
        assert all(isinstance(error, Error) and error.is_temporary for error in errors)
        server.wait_until_left()


# Waiting for a connection.


async def never(*_: object, **__: object) -> list[Any]:
    await asyncio.Event().wait()
    return []


@pytest.mark.parametrize(
    ("of_transport", "of_request"), [(0.1, None), (60, 0.1)], ids=["of the transport", "of the request"]
)
async def test_looking_up_a_name_is_part_of_connecting(
    monkeypatch: pytest.MonkeyPatch, of_transport: float, of_request: float | None
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    transport = Transport(connect_timeout=of_transport)
    with pytest.raises(Timeout) as caught:
        await transport.send(HttpRequest("GET", "http://slow.invalid/a?secret=1", connect_timeout=of_request))
    assert caught.value.is_temporary
    assert "no connection" in caught.value.message
    assert "secret" not in str(caught.value)
    await transport.close()


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
async def test_time_in_which_the_loop_was_blocked_is_no_time_of_connecting(
    server_tls: ssl.SSLContext, ca_file: str, *, is_tls: bool
) -> None:
    """A server that responded in time is not late because the loop was."""
    transport = Transport(connect_timeout=0.2, ca_file=ca_file)
    with ScriptedServer(lambda _: [whole_response(b"hello")], tls=server_tls if is_tls else None) as server:
        going = [asyncio.create_task(get(transport, f"{server.endpoint}/a")) for _ in range(3)]
        await asyncio.sleep(0)
        time.sleep(0.3)
        assert await asyncio.gather(*going) == [b"hello"] * 3
    await transport.close()


async def test_a_request_fails_once_nobody_reads_what_holds_all_connections() -> None:
    transport = Transport(max_connections=2, pool_timeout=0.1)
    with ScriptedServer(Held()) as server:
        url = f"{server.endpoint}/a"
        held = [await transport.send(HttpRequest("GET", url)) for _ in range(2)]
        with pytest.raises(Timeout, match="all 2 connections are held by open readers") as caught:
            await transport.send(HttpRequest("GET", url))
        assert "too many open files" not in str(caught.value)
        assert caught.value.is_temporary
        assert len(server.requests) == 2
        await held[0].body.close()
        held[0] = await transport.send(HttpRequest("GET", url))
        for one in held:
            await one.body.close()
        await transport.close()


async def test_a_request_waits_its_turn_as_long_as_another_is_read() -> None:
    patience, content = 1.0, bytes(64 * BUFFER)
    transport = Transport(max_connections=1, pool_timeout=patience)
    with ScriptedServer(lambda _: [whole_response(content)]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        waiting = asyncio.ensure_future(transport.send(HttpRequest("GET", f"{server.endpoint}/a")))
        for _ in range(6):
            await asyncio.sleep(patience / 4)
            assert await response.body.read(1)
        assert not waiting.done()
        await response.body.close()
        await (await waiting).body.close()
        await transport.close()


async def test_a_request_without_a_bound_waits_its_turn() -> None:
    transport = Transport(max_connections=1, pool_timeout=None)
    with ScriptedServer(lambda _: [PAUSE, whole_response(b"hello")]) as server:
        assert await asyncio.gather(*(get(transport, f"{server.endpoint}/a") for _ in range(3))) == [b"hello"] * 3
        await transport.close()


async def waiting(transport: ConfiguredTransport, number: int) -> None:
    """Returns once so many requests wait for their turn."""
    while await waiting_requests(transport) < number:
        await asyncio.sleep(0)


async def test_a_turn_that_is_given_up_is_that_of_the_next() -> None:
    transport, script = Transport(max_connections=1, pool_timeout=1), Held()
    with ScriptedServer(script) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        first, second = (asyncio.ensure_future(get(transport, f"{server.endpoint}/a")) for _ in range(2))
        await waiting(transport, 2)
        script.may_end.set()
        await response.body.close()
        first.cancel()
        assert await second == b"helloworld"
        assert first.cancelled()
        await transport.close()


async def test_a_request_is_not_overtaken_by_those_that_come_later() -> None:
    transport, script = Transport(max_connections=1), Held()
    order = list[int]()

    async def one(number: int) -> None:
        assert await get(transport, f"{server.endpoint}/a") == b"helloworld"
        order.append(number)

    async def hog() -> None:
        for _ in range(5):
            await one(0)

    with ScriptedServer(script) as server:
        tasks = [asyncio.ensure_future(hog())]
        while not server.requests:
            await asyncio.sleep(0)
        for number in (1, 2):
            tasks.append(asyncio.ensure_future(one(number)))
            await waiting(transport, number)
        script.may_end.set()
        await asyncio.gather(*tasks)
        assert sorted(order[:3]) == [0, 1, 2]
        await transport.close()


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_body_that_nobody_closes_gives_its_connection_up(in_thread: bool) -> None:
    transport, script = Transport(max_connections=1), Held()
    with ScriptedServer(script) as server:
        held = [await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))]
        assert await held[0].body.read(5) == b"hello"
        await asyncio.to_thread(held.clear) if in_thread else held.clear()
        script.may_end.set()
        assert await get(transport, f"{server.endpoint}/a") == b"helloworld"
        assert [asked.connection for asked in server.requests] == [0, 1]
        await transport.close()


async def test_a_cancelled_request_leaves_no_connection(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [STALL]) as server:
        for _ in range(5):
            sending = asyncio.ensure_future(get(transport, f"{server.endpoint}/a"))
            before = len(server.requests)
            while len(server.requests) == before:
                await asyncio.sleep(0.001)
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            assert sending.cancelled()
        await asyncio.to_thread(server.wait_until_left)


async def test_dropping_the_transport_closes_its_connections(hello: ScriptedServer) -> None:
    transport = Transport()
    await get(transport, f"{hello.endpoint}/a")
    assert hello.open_connections == 1
    del transport
    gc.collect()
    # The connections close in a task of the loop, which must get its turn.
    while hello.open_connections or len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.005)


# Reading.


async def test_what_has_arrived_is_taken_and_no_more_than_asked(transport: ConfiguredTransport) -> None:
    content = os.urandom(3 * BUFFER)
    with ScriptedServer(lambda _: [whole_response(content)]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        data = b""
        for n in (1, 1000, 70_000, BUFFER, 2 * BUFFER, 1 << 62):
            part = await response.body.read(n)
            assert 0 < len(part) <= n
            data += part
        while part := await response.body.read(1 << 62):
            data += part
        assert data == content
        assert [await response.body.read(1) for _ in range(10)] == [b""] * 10
        await response.body.close()


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_content_is_received_into_buffers_between_other_reads(
    transport: ConfiguredTransport, *, is_chunked: bool
) -> None:
    content = os.urandom(6 * BUFFER + 5)
    pieces = chunked(content[:70_000], content[70_000:]) + b"0\r\n\r\n"
    answer = raw_response("200 OK", "Transfer-Encoding: chunked", content=pieces)
    with ScriptedServer(lambda _: [answer if is_chunked else whole_response(content)]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        data, buffer = b"", memoryview(bytearray(3 * BUFFER))
        assert await response.body.readinto(buffer[:0]) == 0
        for n in (1, 1000, 70_000, BUFFER, 3 * BUFFER):
            size = await response.body.readinto(buffer[:n])
            assert 0 < size <= n
            data += buffer[:size]
            data += await response.body.read(9)
        while size := await response.body.readinto(buffer):
            data += buffer[:size]
        assert data == content
        assert [await response.body.readinto(buffer) for _ in range(3)] == [0] * 3
        await response.body.close()


async def test_a_wait_for_content_into_a_buffer_that_is_cancelled_loses_nothing(
    transport: ConfiguredTransport,
) -> None:
    with ScriptedServer(lambda _: [whole_response(b"abcdef")[:-5], PAUSE, PAUSE, b"bcdef"]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        buffer, data = memoryview(bytearray(8)), await response.body.read(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.body.readinto(buffer), 0.001)
        buffer[:] = b"mine now"
        while size := await response.body.readinto(memoryview(part := bytearray(8))):
            data += part[:size]
        assert (data, bytes(buffer)) == (b"abcdef", b"mine now")
        await response.body.close()


async def test_reading_all_does_not_gather_all_in_memory(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [whole_response(bytes(64 * BUFFER))]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        largest = 0
        while part := await response.body.read(1 << 62):
            largest = max(largest, len(part))
            await asyncio.sleep(0.001)
        assert largest <= 4 * BUFFER
        await response.body.close()


async def test_content_comes_whole_however_it_is_cut_and_the_connection_is_used_again(
    transport: ConfiguredTransport,
) -> None:
    content = os.urandom(700_000)

    def script(asked: ReceivedRequest) -> Answer:
        head = raw_response("200 OK", f"Content-Length: {len(content)}")
        return [head + content[:7], PAUSE, content[7:9], PAUSE, content[9:-1], PAUSE, content[-1:]]

    with ScriptedServer(script) as server:
        assert [await get(transport, f"{server.endpoint}/a") == content for _ in range(3)] == [True] * 3
        assert [asked.connection for asked in server.requests] == [0, 0, 0]


async def test_what_comes_behind_the_content_is_dropped_with_its_connection(transport: ConfiguredTransport) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [raw_response("200 OK", "Content-Length: 10") + b"hello", PAUSE, b"worldHTTP/1.1 200 OK\r\n\r\n"]

    with ScriptedServer(script) as server:
        assert [await get(transport, f"{server.endpoint}/a") for _ in range(2)] == [b"helloworld"] * 2
        assert [asked.connection for asked in server.requests] == [0, 1]


async def test_content_that_nobody_reads_yet_holds_up_no_other_reply_on_its_connection(
    transport: ConfiguredTransport,
) -> None:
    content = bytes(2 * BUFFER + 1)

    def script(asked: ReceivedRequest) -> Answer:
        return [raw_response("200 OK", f"Content-Length: {len(content)}") + content[:1], PAUSE, content[1:]]

    with ScriptedServer(script) as server:
        url = f"{server.endpoint}/a"
        unread = await transport.send(HttpRequest("GET", url))
        while await is_any_in_use(transport):
            await asyncio.sleep(0.005)
        assert await get(transport, url) == content
        assert [asked.connection for asked in server.requests] == [0, 0]
        assert await content_of(unread) == content


@pytest.mark.parametrize("end", [CLOSE, RESET])
async def test_content_that_ends_early_after_much_of_it_is_incomplete(transport: ConfiguredTransport, end: Any) -> None:
    head = raw_response("200 OK", "Content-Length: 300000")
    with ScriptedServer(lambda _: [head + bytes(10), PAUSE, bytes(100_000), PAUSE, end]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        with pytest.raises(ContentIncomplete) as caught:
            await content_of(response)
        assert caught.value.is_temporary


async def test_an_end_of_the_connection_is_no_failure_of_content_that_has_come(transport: ConfiguredTransport) -> None:
    head = raw_response("200 OK", "Content-Length: 100010")
    with ScriptedServer(lambda _: [head + bytes(10), PAUSE, bytes(100_000), CLOSE]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        assert await response.body.read(1) == b"\0"
        await asyncio.to_thread(server.wait_until_left)
        await asyncio.sleep(0.02)
        assert len(await content_of(response)) == 100_009


async def test_the_first_bytes_do_not_wait_for_the_rest(transport: ConfiguredTransport) -> None:
    with ScriptedServer(lambda _: [raw_response("200 OK", "Content-Length: 10") + b"hello", STALL]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        assert await response.body.read(1 << 62) == b"hello"
        await response.body.close()


@pytest.mark.parametrize(
    ("of_transport", "of_request"), [(0.1, None), (60, 0.1)], ids=["of the transport", "of the request"]
)
async def test_silence_in_the_middle_of_content_is_a_timeout(of_transport: float, of_request: float | None) -> None:
    transport = Transport(idle_timeout=of_transport)
    with ScriptedServer(lambda _: [raw_response("200 OK", "Content-Length: 10") + b"hello", PAUSE, STALL]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a", idle_timeout=of_request))
        await response.body.read(5)
        with pytest.raises(Timeout) as caught:
            await response.body.read(5)
        assert caught.value.is_temporary
        await response.body.close()
        await transport.close()


async def test_the_timeout_of_a_request_holds_on_a_connection_that_waited_longer_before(
    transport: ConfiguredTransport,
) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [whole_response(b"hello")] if asked.number == 0 else [STALL]

    with ScriptedServer(script) as server:
        assert await get(transport, f"{server.endpoint}/a") == b"hello"
        with pytest.raises(Timeout, match="sent nothing"):
            await transport.send(HttpRequest("GET", f"{server.endpoint}/a", idle_timeout=0.1))
        assert [asked.connection for asked in server.requests] == [0, 0]


async def test_a_connection_that_breaks_after_its_content_does_not_spoil_it(transport: ConfiguredTransport) -> None:
    chunked = raw_response("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"
    with ScriptedServer(lambda _: [chunked, PAUSE, RESET]) as server:
        response = await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))
        await asyncio.to_thread(server.wait_until_left)
        await asyncio.sleep(0.05)
        assert await content_of(response) == b"hello"


async def test_an_end_that_has_come_is_known_without_asking(transport: ConfiguredTransport) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        return [whole_response(b"hello")] if asked.target == "/known" else [raw_response("200 OK"), b"hello", CLOSE]

    with ScriptedServer(script) as server:
        known = await transport.send(HttpRequest("GET", f"{server.endpoint}/known"))
        assert not known.body.is_at_end
        assert await known.body.read(4) == b"hell"
        assert not known.body.is_at_end
        assert await known.body.read(4) == b"o"
        assert known.body.is_at_end
        await known.body.close()
        unknown = await transport.send(HttpRequest("GET", f"{server.endpoint}/unknown"))
        while await unknown.body.read(5):
            assert not unknown.body.is_at_end
        assert unknown.body.is_at_end
        await unknown.body.close()


# TLS.


async def test_a_certificate_of_the_given_authority_is_trusted(server_tls: ssl.SSLContext, ca_file: str) -> None:
    with ScriptedServer(lambda _: [whole_response(b"hello")], server_tls) as server:
        for transport in (
            Transport(ca_file=ca_file),
            Transport(ssl_context=ssl.create_default_context(cafile=ca_file)),
        ):
            assert await get(transport, f"{server.endpoint}/a") == b"hello"
            await transport.close()


async def test_an_unknown_certificate_is_refused_for_good(
    server_tls: ssl.SSLContext, transport: ConfiguredTransport
) -> None:
    with ScriptedServer(lambda _: [whole_response(b"hello")], server_tls) as server:
        with pytest.raises(Unexpected) as caught:
            await get(transport, f"{server.endpoint}/a")
        assert "certificate" in caught.value.message
        assert not caught.value.is_temporary
        assert server.requests == []


async def test_a_server_of_the_other_scheme_is_named_so(transport: ConfiguredTransport) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(response)
        writer.close()

    cases = (
        (
            "https",
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            "does not speak TLS, .* is https ",
            "http://",
        ),
        ("http", b"\x15\x03\x01\0\x02\x02\x0a", "speaks TLS, .* is http ", "https://"),  # an alert of TLS
    )
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for scheme, response, message, hint in cases:  # noqa: B007 - `answer` sends it
            with pytest.raises(ConfigInvalid, match=message) as caught:
                await get(transport, f"{scheme}://{address}/a")
            assert not caught.value.is_temporary
            assert f" {hint} " in caught.value.context["hint"]


# Loops.

IMPORT = f"{ROOM} import {NAME} as Transport"

PROGRAM = """
import asyncio, contextlib, sys
from entrepot.raw.http import HttpRequest
from TRANSPORT

url, ca_file, loop, way = sys.argv[1:]
shared = Transport(ca_file=ca_file or None)

async def main():
    transport = Transport(ca_file=ca_file or None) if way == "drop" else shared
    if way in ("cancel", "cancel upload"):
        request = HttpRequest("GET", url + "/silent")
        if way == "cancel upload":
            request = HttpRequest("PUT", url + "/silent", (), bytes(16 << 20))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await transport.send(request)
        print("hello")
        return
    response = await transport.send(HttpRequest("GET", url))
    if way.startswith("close transport"):
        await transport.close()
    data = await response.body.read(5)
    if way in ("read", "drop"):
        while await response.body.read(1 << 62):
            pass
    if not way.endswith("abandon"):
        await response.body.close()
    print(data.decode())

def new_loop():
    if loop == "uvloop":
        import uvloop
        return uvloop.new_event_loop()
    return asyncio.new_event_loop()

for _ in range(2):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
""".replace("TRANSPORT", IMPORT)


@pytest.mark.parametrize(
    "way",
    [
        "read",
        "drop",
        "close early",
        "abandon",
        "cancel",
        "cancel upload",
        "close transport",
        "close transport, abandon",
    ],
)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("is_tls", [False, True])
def test_a_loop_that_ends_leaves_nothing_open(
    server_tls: ssl.SSLContext, ca_file: str, is_tls: bool, loop: str, way: str
) -> None:
    # Nobody closes the transport; every warning is an error.
    def script(asked: ReceivedRequest) -> Answer:
        if not asked.target.endswith("silent"):
            return [whole_response(b"hello" + bytes(BUFFER))]
        # Longer than the client lives: nobody answers when it says good-bye.
        time.sleep(0.5)
        return [STALL]

    with ScriptedServer(script, server_tls if is_tls else None, takes_content=False) as server:
        command = [*STRICT, "-c", PROGRAM, f"{server.endpoint}/a"]
        done = subprocess.run(
            [*command, ca_file if is_tls else "", loop, way], capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, done.stdout, warnings_of(done.stderr)) == (0, "hello\nhello\n", "")
        server.wait_until_left()


FORKING_PROGRAM = """
import asyncio, os, sys
from entrepot.raw.http import HttpRequest
from TRANSPORT

transport = Transport()
url, method = sys.argv[1:]
body = bytes(1 << 20) if method == "PUT" else None

async def get():
    response = await transport.send(HttpRequest(method, url, (), body))
    data = await response.body.read(100)
    await response.body.close()
    return data

def in_child(way):
    global transport
    if way == "drop":
        del transport
    elif way == "read":
        asyncio.events._set_running_loop(None)
        assert asyncio.run(get()) == b"hello"
    else:
        sys.exit(0)
    os._exit(0)

async def main():
    await get()
    for way in ("drop", "read", "exit"):
        child = os.fork()
        if child == 0:
            in_child(way)
        assert os.waitpid(child, 0)[1] == 0, way
        assert await get() == b"hello", way
    print("fine")

asyncio.run(main())
""".replace("TRANSPORT", IMPORT)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_parent_goes_on_whatever_its_forked_child_did(hello: ScriptedServer, method: str) -> None:
    command = [*STRICT, "-c", FORKING_PROGRAM, f"{hello.endpoint}/a", method]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "fine\n")
    # The parent used one connection throughout, the child that read one of its own.
    assert hello.connections == 2


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_request_that_is_cancelled_while_it_connects_does_not_hold_up_the_end(
    hello: ScriptedServer, new_loop: Any
) -> None:
    async def main() -> None:
        transport = Transport()
        for turns in range(100):
            sending = asyncio.ensure_future(get(transport, f"{hello.endpoint}/a"))
            for _ in range(turns % 12):
                await asyncio.sleep(0)
            sending.cancel()
            await asyncio.wait({sending})
        async with asyncio.timeout(10):
            await transport.close()

    gc.disable()  # it would hide what is only dropped
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
    finally:
        gc.enable()
    hello.wait_until_left()


def test_one_transport_serves_loop_after_loop_and_anyio(hello: ScriptedServer) -> None:
    transport = Transport()
    url = f"{hello.endpoint}/a"
    assert asyncio.run(get(transport, url)) == b"hello"
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(get(transport, url)) == b"hello"
    assert anyio.run(get, transport, url, backend="asyncio") == b"hello"
    hello.wait_until_left()
    assert hello.connections == 3


def test_without_an_asyncio_loop_the_error_says_so(hello: ScriptedServer) -> None:
    with pytest.raises(Unsupported) as caught:
        get(Transport(), f"{hello.endpoint}/a").send(None)
    assert "asyncio" in caught.value.message
    with pytest.raises(Unsupported):
        Transport().close().send(None)
    assert hello.requests == []


async def test_an_error_of_the_interpreter_is_not_taken_for_a_missing_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(f"{ROOM}.transport.Pool", exhausted)
        made = Transport()
    with pytest.raises(RuntimeError, match="new thread"):
        await made.send(HttpRequest("GET", "http://127.0.0.1:1/"))


# Arguments, proxies, errors.


@pytest.mark.parametrize(
    "arguments",
    [
        {"connect_timeout": 0},
        {"connect_timeout": -1},
        {"idle_timeout": "1"},
        {"idle_timeout": True},
        {"idle_timeout": float("nan")},
        {"connect_timeout": float("inf")},
        {"pool_timeout": 0},
        {"max_connections": 0},
        {"max_connections": 1.5},
        {"max_connections": True},
        {"keepalive_timeout": 0},
        {"max_idle_connections": -1},
        {"ca_file": 1},
        {"ca_file": ""},
        {"client_certificate": "a\0b"},
        {"allow_invalid_certificates": 1},
        {"proxy_excludes": "host"},
        {"user_agent": "a\r\nb: c"},
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Transport(**arguments)


def test_two_ways_to_speak_tls_exclude_each_other(ca_file: str) -> None:
    with pytest.raises(InvalidInput):
        Transport(ca_file=ca_file, ssl_context=ssl.create_default_context())


async def test_a_transport_without_limits_works(hello: ScriptedServer) -> None:
    transport = Transport(connect_timeout=None, idle_timeout=None, max_connections=None, pool_timeout=None)
    assert await get(transport, f"{hello.endpoint}/a") == b"hello"
    await transport.close()


async def test_a_pickled_transport_works_with_the_same_arguments(hello: ScriptedServer) -> None:
    transport = pickle.loads(pickle.dumps(Transport(idle_timeout=3)))
    assert repr(transport) == (
        f"{NAME}(connect_timeout=10.0, idle_timeout=3.0, max_connections=256, pool_timeout=120.0, "
        "keepalive_timeout=15.0, ca_name='ca_file', user_agent='entrepot')"
    )
    assert await get(transport, f"{hello.endpoint}/a") == b"hello"
    await transport.close()


async def test_the_proxy_of_the_environment_gets_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda _: [whole_response(b"proxied")]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.endpoint.replace("//", "//user:password@"))
        transport = Transport()
        assert await get(transport, "http://storage.invalid/a%2Fb") == b"proxied"
        monkeypatch.delenv("http_proxy")
        assert await get(transport, "http://storage.invalid/c") == b"proxied"
        await transport.close()
        assert [asked.target for asked in proxy.requests] == [
            "http://storage.invalid/a%2Fb",
            "http://storage.invalid/c",
        ]
        assert proxy.requests[0].headers["host"] == "storage.invalid"
        assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")


class Tunnel:
    """A proxy that connects to where it is asked to, up while it is entered.

    Arguments:
        response: the head with which it says so.
    """

    def __init__(self, response: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._response = response

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        await stop_accepting(self._server)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        host, _, port = self.heads[-1].split()[1].decode().partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(self._response)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@pytest.mark.parametrize(
    "established",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_a_proxy_sees_nothing_of_what_goes_through_it_by_tls(
    monkeypatch: pytest.MonkeyPatch, server_tls: ssl.SSLContext, ca_file: str, established: bytes
) -> None:
    tunnel = Tunnel(established)
    with ScriptedServer(lambda _: [whole_response(b"hello")], server_tls) as server:
        async with tunnel as address:
            monkeypatch.setenv("https_proxy", f"http://user:pass@{address}")
            transport = Transport(ca_file=ca_file)
            for _ in range(2):
                assert await get(transport, f"{server.endpoint}/a") == b"hello"
            await transport.close()
        assert server.connections == 1
        assert [asked.target for asked in server.requests] == ["/a", "/a"]
        assert "proxy-authorization" not in server.requests[0].headers
        (head,) = tunnel.heads
        assert head.startswith(b"CONNECT 127.0.0.1:")
        assert b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n" in head
        assert b"User-Agent: entrepot\r\n" in head


async def test_the_limit_of_connections_holds_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, server_tls: ssl.SSLContext, ca_file: str
) -> None:
    tunnel = Tunnel()
    with ScriptedServer(lambda _: [PAUSE, whole_response(b"hello")], server_tls) as server:
        async with tunnel as address:
            monkeypatch.setenv("https_proxy", f"http://{address}")
            transport = Transport(ca_file=ca_file, max_connections=2)
            assert await asyncio.gather(*(get(transport, f"{server.endpoint}/a") for _ in range(6))) == [b"hello"] * 6
            await transport.close()
        assert server.connections == len(tunnel.heads) == 2


@pytest.mark.parametrize(
    ("status", "kind", "is_temporary"),
    [
        ("407 Proxy Authentication Required", PermissionDenied, False),
        ("403 Forbidden", PermissionDenied, False),
        ("404 Not Found", Unexpected, False),
        ("429 Too Many Requests", Unexpected, True),
        ("501 Not Implemented", Unexpected, False),
        ("503 Service Unavailable", Unexpected, True),
    ],
)
async def test_a_proxy_that_refuses_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, status: str, kind: type[Error], is_temporary: bool
) -> None:
    with ScriptedServer(lambda _: [raw_response(status, "Content-Length: 0", "Retry-After: 3")]) as proxy:
        monkeypatch.setenv("https_proxy", proxy.endpoint.replace("//", "//user:secret@"))
        transport = Transport()
        with pytest.raises(kind) as caught:
            await get(transport, "https://storage.invalid/a?signature=secret")
        assert type(caught.value) is kind
        assert caught.value.is_temporary == is_temporary
        assert caught.value.context == {"status": int(status[:3]), "retry_after": 3.0}
        assert "secret" not in str(caught.value)
        assert len(proxy.requests) == 1
        await transport.close()


async def test_a_proxy_that_wants_credentials_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(lambda _: [raw_response("407 Proxy Authentication Required", "Content-Length: 0")]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.endpoint)
        op = Operator(Http("http://storage.invalid"), layers=(RetryLayer(max_times=3, min_delay=0.001),))
        with pytest.raises(PermissionDenied, match="proxy") as caught:
            await op.read("a")
        assert (caught.value.is_temporary, caught.value.operation, caught.value.path) == (False, "read", "a")
        assert len(proxy.requests) == 1
        await op.close()


async def test_a_malformed_proxy_variable_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, hello: ScriptedServer
) -> None:
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:99999")
    op = Operator(Http(hello.endpoint))
    with pytest.raises(ConfigInvalid, match="http_proxy") as caught:
        await op.read("a")
    assert (caught.value.operation, caught.value.path) == ("read", "a")
    assert "secret" not in str(caught.value)
    assert hello.requests == []


async def test_no_proxy_is_heeded(monkeypatch: pytest.MonkeyPatch, hello: ScriptedServer) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    transport = Transport()
    assert await get(transport, f"{hello.endpoint}/a") == b"hello"
    await transport.close()


async def test_a_direct_request_goes_past_the_proxy(
    monkeypatch: pytest.MonkeyPatch, hello: ScriptedServer, transport: ConfiguredTransport
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    request = HttpRequest("GET", f"{hello.endpoint}/a", is_direct=True)
    assert await content_of(await transport.send(request)) == b"hello"
    assert request.with_headers([]).with_timeouts(1, 1).with_content(b"").is_direct


async def test_a_proxy_that_is_not_http_is_refused(
    monkeypatch: pytest.MonkeyPatch, transport: ConfiguredTransport
) -> None:
    monkeypatch.setenv("http_proxy", "socks5://user:secret@127.0.0.1:1")
    with pytest.raises(ConfigInvalid) as caught:
        await get(transport, "http://storage.invalid/")
    assert "secret" not in str(caught.value)


async def test_credentials_of_a_proxy_may_have_any_character(
    monkeypatch: pytest.MonkeyPatch, transport: ConfiguredTransport
) -> None:
    with ScriptedServer(lambda _: [whole_response(b"", status="502 Bad Gateway")]) as proxy:
        monkeypatch.setenv("all_proxy", proxy.endpoint.replace("//", "//u%C4%80%40:p%3A%2F%E2%82%AC@"))
        for scheme in ("http", "https"):
            with suppress(Unexpected):
                await get(transport, f"{scheme}://storage.invalid/")
        sent = [asked.headers["proxy-authorization"].removeprefix("Basic ") for asked in proxy.requests]
        assert [b64decode(one).decode() for one in sent] == ["u\u0100@:p:/\u20ac"] * 2


@pytest.mark.parametrize("origin", ["http://us%3Aer:secret@127.0.0.1:1", "https://us%3Aer:secret@127.0.0.1:1"])
async def test_a_user_name_with_a_colon_is_refused(transport: ConfiguredTransport, origin: str) -> None:
    with pytest.raises(InvalidInput, match="the URL cannot be used") as caught:
        await get(transport, f"{origin}/")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a?secret=1", "http://storage.invalid/a?secret=1"])
async def test_no_connection_is_a_temporary_error(transport: ConfiguredTransport, url: str) -> None:
    with pytest.raises(Unexpected) as caught:
        await get(transport, url)
    assert caught.value.is_temporary
    assert "secret" not in str(caught.value)
