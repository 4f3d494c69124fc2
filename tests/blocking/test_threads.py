"""One blocking operator over a network in many threads, and the time that its calls may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from entrepot import BlockingOperator, Operator
from entrepot.errors import Timeout
from entrepot.layers import RetryLayer, TimeoutLayer
from entrepot.raw.runtime import inline
from entrepot.raw.runtime.inline import InlineRuntime
from entrepot.services import S3, Http
from entrepot.signing.aws import Credentials
from entrepot.signing.provider import CredentialCache
from entrepot.testing.scripted_server import (
    PAUSE,
    STALL,
    Answer,
    OneObject,
    ReceivedRequest,
    ScriptedServer,
    raw_response,
    whole_response,
)

THREADS = 8


class Store:
    """A script that stores objects, and answers each request for the first time with an error."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.seen = set[tuple[str, str]]()

    def __call__(self, request: ReceivedRequest) -> Answer:
        asked = request.method, request.target
        if asked not in self.seen:
            self.seen.add(asked)
            return [whole_response(b"", status="500 Internal Server Error")]
        if request.method == "PUT":
            self.objects[request.target] = request.content
            return [PAUSE, raw_response("200 OK", 'ETag: "1"', "Content-Length: 0")]
        return OneObject(self.objects[request.target])(request)


def test_threads_share_an_operator() -> None:
    store = Store()

    def work(number: int) -> bool:
        content = bytes([number]) * 5000
        for name in (f"{number}/a", f"{number}/b"):
            op.write(name, content)
            with op.reader(name) as reader:
                parts = reader.read(10), op.read(name), op.stat(name).content_length, reader.read()
            if parts != (content[:10], content, len(content), content[10:]):
                return False
        return True

    with ScriptedServer(store) as server:
        config = S3(bucket="b", endpoint=server.endpoint, region="us-east-1", access_key_id="a", secret_access_key="b")
        retries = RetryLayer(min_delay=0, max_delay=0, jitter=False, budget=None)
        with Operator(config, layers=(retries,)).blocking() as op, ThreadPoolExecutor(THREADS) as threads:
            assert all(threads.map(work, range(THREADS)))
        assert server.connections <= 2 * THREADS  # a reader holds one while the other calls are made


def test_credentials_are_loaded_once_for_all_threads() -> None:
    loads = list[int]()

    class Slow:
        async def load(self) -> Credentials:
            loads.append(threading.get_ident())
            time.sleep(0.05)
            return Credentials("a", "b")

    cache = CredentialCache(Slow(), InlineRuntime())
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(lambda _: inline.run(cache.get()), range(THREADS)))
    assert len(loads) == 1
    assert all(one is found[0] for one in found)


STALLED: dict[str, Callable[[BlockingOperator], Any]] = {
    "stat": lambda op: op.stat("a"),
    "read": lambda op: op.read("a"),
    "a reader": lambda op: op.reader("a").read(),
    "write": lambda op: op.write("a", b"x"),
}


@pytest.mark.parametrize("layer", [TimeoutLayer(0.1, 0.1), TimeoutLayer(deadline=0.1)], ids=["idle", "deadline"])
@pytest.mark.parametrize("name", STALLED)
def test_a_server_that_says_nothing_is_a_timeout(name: str, layer: TimeoutLayer) -> None:
    config = {"bucket": "b", "region": "us-east-1", "access_key_id": "a", "secret_access_key": "b"}
    with ScriptedServer(lambda _: [STALL]) as server:
        op = Operator(S3(endpoint=server.endpoint, **config), layers=(layer,), resilient=False).blocking()
        with pytest.raises(Timeout) as caught:
            STALLED[name](op)
        assert caught.value.path == "a"
        op.close()
        server.wait_until_left()


def test_the_default_limit_of_a_call_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.layers.timeout.DEFAULT_SECONDS", 0.1)
    with ScriptedServer(lambda _: [STALL]) as server:
        op = Operator(Http(server.endpoint), layers=(RetryLayer(max_times=1, min_delay=0),)).blocking()
        with pytest.raises(Timeout):
            op.stat("a")
        assert len(server.requests) == 2
        op.close()
