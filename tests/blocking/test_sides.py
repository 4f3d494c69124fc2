"""Which blocking calls over a network run in the calling thread, and which on the background event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from entrepot import BlockingOperator, Operator
from entrepot.blocking.sides import INLINE, ONE_PIECE
from entrepot.errors import ConditionNotMatch
from entrepot.layers import ConcurrentLimitLayer, LoggingLayer, PrefixLayer, RetryLayer, ThrottleLayer, TimeoutLayer
from entrepot.raw import Accessor, AroundAccessor, Context, Layer, Operation
from entrepot.raw.http.aiohttp import AiohttpTransport
from entrepot.raw.runtime.background import BackgroundRunner
from entrepot.services import S3, Http
from entrepot.signing.aws import Credentials
from entrepot.testing.scripted_server import OneObject, ReceivedRequest, ScriptedServer, whole_response

CONTENT = b"0123456789"
LOOP, THREAD = "loop", "thread"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(OneObject(CONTENT)) as running:
        yield running


@pytest.fixture
def on_loop(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the coroutines that ran on the background loop."""
    ran = list[str]()
    run = BackgroundRunner.run

    def recorded(self: BackgroundRunner, coroutine: Any) -> Any:
        ran.append(coroutine.__qualname__)
        return run(self, coroutine)

    monkeypatch.setattr(BackgroundRunner, "run", recorded)
    return ran


def s3(server: ScriptedServer, **options: Any) -> S3:
    keys = {"access_key_id": "a", "secret_access_key": "b"} if "credentials" not in options else {}
    return S3(bucket="b", endpoint=server.endpoint, region="us-east-1", **keys, **options)


CALLS: dict[str, tuple[Callable[[BlockingOperator], object], str]] = {
    "read": (lambda op: op.read("a"), THREAD),
    "a range": (lambda op: op.read("a", range=(2, 4)), THREAD),
    "read in chunks": (lambda op: op.read("a", chunk=3), LOOP),
    "read_with": (lambda op: op.read_with("a").range(2, 4).run(), THREAD),
    "read_with in chunks": (lambda op: op.read_with("a").chunk(3).run(), LOOP),
    "read_text": (lambda op: op.read_text("a"), THREAD),
    "read_with_metadata": (lambda op: op.read_with_metadata("a"), THREAD),
    "read_with_metadata in chunks": (lambda op: op.read_with_metadata("a", chunk=3), LOOP),
    "stream": (lambda op: b"".join(op.reader("a")), THREAD),
    "stream in chunks": (lambda op: b"".join(op.reader("a", chunk=3)), LOOP),
    "fetch": (lambda op: op.reader("a").fetch([(0, 2), (5, 7)]), LOOP),
    "stat": (lambda op: op.stat("a"), THREAD),
    "exists": (lambda op: op.exists("a"), THREAD),
    "write": (lambda op: op.write("a", b"x"), THREAD),
    "write long": (lambda op: op.write("a", bytes(ONE_PIECE - 1)), THREAD),
    "write in parts": (lambda op: op.write("a", b"x", chunk=5 << 20), LOOP),
    "write an iterator": (lambda op: op.write("a", iter([b"x"])), LOOP),
    "write_text": (lambda op: op.write_text("a", "x"), THREAD),
    "a writer": (lambda op: op.writer("a").close(), LOOP),
    "delete": (lambda op: op.delete("a"), THREAD),
    "list": (lambda op: op.list("/"), THREAD),
    "a lister": (lambda op: list(op.lister("/")), LOOP),
    "delete_many": (lambda op: op.delete_many(["a"]), LOOP),
    "presign_read": (lambda op: op.presign_read("a", timedelta(minutes=1)), THREAD),
    "create_dir": (lambda op: op.create_dir("a/"), THREAD),
    "a file that is read": (lambda op: op.open("a", "rb").close(), THREAD),
    "a file that is written": (lambda op: op.open("a", "wb").close(), LOOP),
}
LISTED = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
DELETED = b'<?xml version="1.0"?><DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>'


def storage(request: ReceivedRequest) -> list[bytes]:
    if "list-type" in request.target:
        return [whole_response(LISTED)]
    if request.method == "DELETE":
        return [b"HTTP/1.1 204 No Content\r\n\r\n"]
    if request.method == "POST":
        return [whole_response(DELETED)]
    if request.method == "PUT":
        return [whole_response(b"", 'ETag: "1"')]
    return OneObject(CONTENT)(request)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_with_one_request_needs_no_loop(name: str, on_loop: list[str]) -> None:
    call, side = CALLS[name]
    with ScriptedServer(storage) as running:
        op = Operator(s3(running)).blocking()
        call(op)
        assert bool(on_loop) is (side == LOOP)
        op.close()


def test_every_call_that_may_run_in_the_thread_exists() -> None:
    assert {name for name in INLINE if " " not in name} <= set(dir(BlockingOperator))


class Waits(Layer):
    """A layer of a user, which awaits a function of asyncio."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _Waits(accessor)


class _Waits(AroundAccessor):
    async def around(self, operation: Operation, path: str, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        await asyncio.sleep(0)
        return await call(*args)


class MyRetries(RetryLayer):
    """A subclass of a layer of ours, which may do anything."""


@pytest.mark.parametrize(
    ("layer", "side"),
    [
        (LoggingLayer(), THREAD),
        (PrefixLayer("p/"), THREAD),
        (RetryLayer(), THREAD),
        (TimeoutLayer(deadline=10), THREAD),
        (Waits(), LOOP),
        (MyRetries(), LOOP),
        (ConcurrentLimitLayer(1), LOOP),  # one limit holds for all calls
        (ThrottleLayer(requests=1000), LOOP),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_layer_that_may_need_a_loop_has_one(
    layer: Layer, side: str, server: ScriptedServer, on_loop: list[str]
) -> None:
    with Operator(Http(server.endpoint)).layer(layer).blocking() as op:
        assert op.read("a") == CONTENT
        assert bool(on_loop) is (side == LOOP)


async def _credentials() -> Credentials:
    await asyncio.sleep(0)
    return Credentials("a", "b")


@pytest.mark.parametrize(
    ("options", "side"),
    [({}, THREAD), ({"credentials": Credentials("a", "b")}, THREAD), ({"credentials": _credentials}, LOOP)],
)
def test_a_function_for_credentials_has_a_loop(
    options: dict[str, Any], side: str, server: ScriptedServer, on_loop: list[str]
) -> None:
    with Operator(s3(server, **options)).blocking() as op:
        assert op.read("a") == CONTENT
        assert bool(on_loop) is (side == LOOP)


def test_a_transport_that_was_passed_in_has_a_loop(server: ScriptedServer, on_loop: list[str]) -> None:
    op = Operator(Http(server.endpoint), context=Context(http=AiohttpTransport())).blocking()
    assert op.read("a") == CONTENT
    assert on_loop


def test_a_subclass_of_operator_has_its_methods_called_whatever_the_call(server: ScriptedServer) -> None:
    class Reversed(Operator):
        async def read(self, path: str, **options: Any) -> bytes:  # type: ignore[override]
            await asyncio.sleep(0)
            return (await super().read(path, **options))[::-1]

    op = Reversed(Http(server.endpoint)).blocking()
    assert op.read("a") == op.read("a", chunk=4) == CONTENT[::-1]


def test_ranges_that_are_fetched_are_of_the_object_that_was_read(server: ScriptedServer) -> None:
    with Operator(Http(server.endpoint)).blocking() as op, op.reader("a") as reader:
        assert reader.read(2) == CONTENT[:2]
        server.script = OneObject(bytes(10), '"2"')
        with pytest.raises(ConditionNotMatch):
            reader.fetch([(4, 6)])


def test_what_fetching_learns_holds_for_reading(server: ScriptedServer) -> None:
    with Operator(Http(server.endpoint)).blocking() as op, op.reader("a") as reader:
        assert reader.fetch([(4, 6)]) == [CONTENT[4:6]]
        server.script = OneObject(bytes(10), '"2"')
        with pytest.raises(ConditionNotMatch):
            reader.read(2)


def test_closing_closes_the_connections_of_both_sides(server: ScriptedServer) -> None:
    op = Operator(Http(server.endpoint)).blocking()
    assert op.read("a") == op.read("a", chunk=4) == CONTENT
    assert server.open_connections
    op.close()
    server.wait_until_left()
    assert op.read("a") == CONTENT
    op.close()


def test_closing_starts_no_loop(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, on_loop: list[str]) -> None:
    monkeypatch.setattr("entrepot.raw.runtime.background.is_running", lambda: False)
    with Operator(Http(server.endpoint)).blocking() as op:
        op.read("a")
    server.wait_until_left()
    assert on_loop == []


def test_derived_operators_share_connections(server: ScriptedServer) -> None:
    op = Operator(Http(server.endpoint)).blocking()
    for each in (op, op.at("b/"), op.layer(LoggingLayer())):
        assert each.read("a") == CONTENT
    assert server.connections == 1
    op.close()


def test_operators_with_other_settings_do_not(server: ScriptedServer) -> None:
    config = Http(server.endpoint)
    context = Context()
    ops = [Operator(each, context=context).blocking() for each in (config, replace(config, idle_timeout=3.0))]
    for op in ops:
        assert op.read("a") == CONTENT
    assert server.connections == 2
    for op in ops:
        op.close()
