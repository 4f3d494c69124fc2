"""The pool of blocking connections: what happens between two of its statements."""

import gc
import threading

import pytest

from entrepot.raw.http import HttpRequest
from entrepot.raw.http.blocking import BlockingTransport
from entrepot.raw.http.blocking.connect import Connecting
from entrepot.raw.http.blocking.connection import Connection
from entrepot.raw.runtime import inline
from entrepot.testing.scripted_server import ScriptedServer, whole_response

LONG = whole_response(bytes(1 << 20))


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def get(transport: BlockingTransport, url: str) -> int:
    response, size = await transport.send(HttpRequest("GET", url)), 0
    while piece := await response.body.read(1 << 20):
        size += len(piece)
    await response.body.close()
    return size


def test_a_turn_that_a_collection_of_garbage_gives_back_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection runs while a request without a turn makes its place in line, where nobody sees it yet."""
    with ScriptedServer(lambda _: [LONG]) as server:
        transport = BlockingTransport(max_connections=1, pool_timeout=1)
        held = [inline.run(transport.send(HttpRequest("GET", server.endpoint)))]
        make = threading.Event

        def make_and_collect() -> threading.Event:
            held.clear()
            gc.collect()
            return make()

        with monkeypatch.context() as patch:
            patch.setattr("entrepot.raw.http.blocking.pool.threading.Event", make_and_collect)
            assert inline.run(get(transport, server.endpoint)) == 1 << 20
        assert not transport._pool._out
        inline.run(transport.close())


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
