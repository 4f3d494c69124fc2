"""Requests of a process that may open few files: they wait for the connections that there are."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from entrepot.errors import Timeout, Unexpected
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.native import NativeTransport, dialer
from entrepot.raw.http.native.names import SocketAddress
from entrepot.raw.http.native.sockets import connected_socket
from entrepot.testing.scripted_server import PAUSE, ScriptedServer, raw_response, whole_response


class Files:
    """Lets the transport have no more than `limit` sockets. A limit of the process would be one of the server too."""

    def __init__(self) -> None:
        self.limit = 3
        self.refusals = 0
        self._under_way = 0
        self._sockets: list[socket.socket] = []

    async def connected(self, loop: asyncio.AbstractEventLoop, addresses: Sequence[SocketAddress]) -> socket.socket:
        self._sockets = [made for made in self._sockets if made.fileno() >= 0]
        if len(self._sockets) + self._under_way >= self.limit:
            self.refusals += 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self._under_way += 1
        try:
            made = await connected_socket(loop, addresses)
        finally:
            self._under_way -= 1
        self._sockets.append(made)
        return made


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    files = Files()
    monkeypatch.setattr(dialer, "connected_socket", files.connected)
    return files


@pytest.fixture
async def transport() -> AsyncIterator[NativeTransport]:
    transport = NativeTransport(pool_timeout=0.2)
    yield transport
    await transport.close()


async def get(transport: NativeTransport, url: str) -> bytes:
    response = await transport.send(HttpRequest("GET", url))
    try:
        return await response.body.read(100)
    finally:
        await response.body.close()


@pytest.mark.parametrize("is_kept", [True, False])
async def test_requests_wait_for_the_connections_that_there_are(
    files: Files, transport: NativeTransport, is_kept: bool
) -> None:
    answer = whole_response(b"hello") if is_kept else raw_response("200 OK", "Connection: close") + b"hello"
    with ScriptedServer(lambda _: [PAUSE, answer]) as server:
        requests = [get(transport, f"{server.endpoint}/{number}") for number in range(30)]
        assert await asyncio.gather(*requests) == [b"hello"] * 30
        assert files.refusals
        files.limit = 30
        before = files.refusals
        assert await asyncio.gather(*(get(transport, f"{server.endpoint}/a") for _ in range(20))) == [b"hello"] * 20
        assert files.refusals == before
        await transport.close()


async def test_unused_connections_are_closed_for_one_to_another_server(
    files: Files, transport: NativeTransport
) -> None:
    files.limit = 1
    with (
        ScriptedServer(lambda _: [whole_response(b"first")]) as first,
        ScriptedServer(lambda _: [whole_response(b"second")]) as second,
    ):
        for _ in range(3):
            assert await get(transport, f"{first.endpoint}/a") == b"first"
            assert await get(transport, f"{second.endpoint}/a") == b"second"
        await transport.close()


async def test_without_any_file_all_requests_fail_and_none_waits(files: Files, transport: NativeTransport) -> None:
    files.limit = 0
    with ScriptedServer(lambda _: [whole_response(b"hello")]) as server:
        requests = [get(transport, f"{server.endpoint}/a") for _ in range(10)]
        failures = await asyncio.gather(*requests, return_exceptions=True)
        for failure in failures:
            assert isinstance(failure, Unexpected)
            assert (failure.errno, failure.is_temporary) == (errno.EMFILE, True)
            assert "Too many open files" in str(failure)
        files.limit = 1
        assert await get(transport, f"{server.endpoint}/a") == b"hello"
        await transport.close()


async def test_a_wait_for_readers_that_nobody_reads_ends(files: Files, transport: NativeTransport) -> None:
    files.limit = 2
    with ScriptedServer(lambda _: [raw_response("200 OK", "Content-Length: 10") + b"hello"]) as server:
        held = [await transport.send(HttpRequest("GET", f"{server.endpoint}/a")) for _ in range(2)]
        with pytest.raises(Timeout, match=r"all 2 connections are held by open readers.*too many open files"):
            await get(transport, f"{server.endpoint}/a")
        for response in held:
            await response.body.close()
        await transport.close()


async def test_a_cancelled_wait_leaves_its_turn_to_the_next(files: Files, transport: NativeTransport) -> None:
    files.limit = 1
    with ScriptedServer(lambda _: [PAUSE, whole_response(b"hello")]) as server:
        first, second, third = (asyncio.ensure_future(get(transport, f"{server.endpoint}/a")) for _ in range(3))
        while not files.refusals:
            await asyncio.sleep(0)
        second.cancel()
        assert await first == await third == b"hello"
        assert second.cancelled()
        await transport.close()


async def test_a_name_that_cannot_be_looked_up_without_a_file_is_awaited_too(
    monkeypatch: pytest.MonkeyPatch, transport: NativeTransport
) -> None:
    loop = asyncio.get_running_loop()
    with ScriptedServer(lambda _: [PAUSE, whole_response(b"hello")]) as server:
        held = asyncio.ensure_future(get(transport, f"{server.endpoint}/a"))
        await asyncio.sleep(0)

        async def refused(*_: object, **__: object) -> object:
            monkeypatch.undo()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr(loop, "getaddrinfo", refused)
        named = f"{server.endpoint.replace('127.0.0.1', 'localhost')}/a"
        assert await asyncio.gather(held, get(transport, named)) == [b"hello"] * 2
        await transport.close()
