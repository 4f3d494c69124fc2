"""An operator over a network tries again and gives up in time by default; one that is local pays nothing for that."""

import pickle
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from entrepot import Capability, Error, InvalidInput, Operator, Timeout, Unexpected
from entrepot.layers import ChaosLayer, ConcurrentLimitLayer, LoggingLayer, RetryLayer, TimeoutLayer
from entrepot.layers import timeout as timeouts
from entrepot.raw import Accessor, AccessorInfo, Context, Layer, OpStat, RpStat, ServiceConfig
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport
from entrepot.services import S3, Fs, Http, Memory
from entrepot.testing.scripted_server import CLOSE, STALL, Answer, ReceivedRequest, ScriptedServer, raw_response
from entrepot.testing.transport import MockTransport, reply
from entrepot.types import Metadata
from tests.transports import Transport

CONTENT = b"0123456789abcdefghij"
HALF = len(CONTENT) // 2
BUCKET = S3("b", endpoint="http://h", region="r", access_key_id="k", secret_access_key="s")
SITE = Http("http://h")
ATTEMPTS = 4
HEADERS = [("content-length", "20"), ("etag", '"1"')]
PAGE = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated></ListBucketResult>'


@pytest.fixture(autouse=True)
def _no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance says 0 seconds each time."""
    monkeypatch.setattr("entrepot.layers.retry._fraction", lambda: 0.0)


class Failing:
    """Answers with a status, so many times or always, and then well."""

    def __init__(self, times: int | None = None, status: int = 503) -> None:
        self.left = float("inf") if times is None else times
        self.status = status

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self.left > 0:
            self.left -= 1
            return reply(self.status)
        if "list-type" in request.url:
            return reply(200, PAGE)
        return reply(204) if request.method == "DELETE" else reply(200, _content(request), HEADERS)


def _content(request: HttpRequest) -> bytes:
    return CONTENT if request.method == "GET" else b""


def over(config: ServiceConfig, transport: HttpTransport, *layers: Layer, **options: Any) -> Operator:
    return Operator(config, layers=layers, context=Context(http=transport), **options)


CALLS: dict[str, Callable[[Operator], Awaitable[object]]] = {
    "read": lambda op: op.read("k"),
    "stat": lambda op: op.stat("k"),
    "list": lambda op: op.list("/"),
    "write": lambda op: op.write("k", CONTENT),
    "delete": lambda op: op.delete("k"),
}
ON_EACH = [*((BUCKET, name) for name in CALLS), (SITE, "read"), (SITE, "stat")]
each_call = pytest.mark.parametrize(("config", "name"), ON_EACH, ids=lambda one: getattr(one, "SCHEME", one))


@each_call
@pytest.mark.parametrize("status", [500, 503])
async def test_one_failure_of_the_server_fails_no_call(config: ServiceConfig, name: str, status: int) -> None:
    transport = MockTransport(Failing(1, status))
    await CALLS[name](over(config, transport))
    assert len(transport.requests) == 2


@each_call
async def test_a_server_that_goes_on_failing_is_asked_four_times(config: ServiceConfig, name: str) -> None:
    transport = MockTransport(Failing())
    with pytest.raises(Unexpected) as caught:
        await CALLS[name](over(config, transport))
    assert len(transport.requests) == ATTEMPTS == caught.value.context["attempts"]
    assert caught.value.is_temporary
    assert (caught.value.scheme, caught.value.path) == (config.SCHEME, "/" if name == "list" else "k")


@each_call
async def test_it_is_off_by_one_word(config: ServiceConfig, name: str) -> None:
    transport = MockTransport(Failing())
    op = over(config, transport, resilient=False)
    assert repr(op) == f"Operator({config!r})"
    with pytest.raises(Unexpected):
        await CALLS[name](op)
    with pytest.raises(Unexpected):
        await CALLS[name](op.layer(LoggingLayer()))
    assert len(transport.requests) == 2


class _Nowhere(HttpTransport):
    """A transport that can be pickled and fails for the moment."""

    sent: ClassVar[int] = 0

    async def send(self, request: HttpRequest) -> HttpResponse:
        type(self).sent += 1
        raise Unexpected("no connection", is_temporary=True)


@pytest.mark.parametrize(("is_resilient", "sent"), [(True, ATTEMPTS), (False, 1)])
async def test_a_pickle_keeps_whether_it_is_on(is_resilient: bool, sent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Nowhere, "sent", 0)
    op = over(BUCKET, _Nowhere(), resilient=is_resilient)
    copy = pickle.loads(pickle.dumps(op))
    assert repr(copy) == repr(op)
    with pytest.raises(Unexpected):
        await copy.read("k")
    assert _Nowhere.sent == sent


@pytest.mark.parametrize(("is_resilient", "sent"), [(True, ATTEMPTS), (False, 1)])
def test_the_blocking_twin_does_the_same(is_resilient: bool, sent: int) -> None:
    transport = MockTransport(Failing())
    op = over(BUCKET, transport, resilient=is_resilient).blocking()
    with pytest.raises(Unexpected):
        op.read("k")
    with pytest.raises(Unexpected):
        op.layer(LoggingLayer()).at("d/").stat("k")
    assert len(transport.requests) == 2 * sent


def test_every_constructor_has_the_word() -> None:
    values = {"region": "r", "skip_signature": True}
    for is_resilient in (True, False):
        options: Any = {} if is_resilient else {"resilient": False}
        for op in (
            Operator(S3("b", region="r", skip_signature=True), **options),
            Operator.from_config("s3", bucket="b", **values, **options),
            Operator.from_config("s3", {"bucket": "b", **values}, **options),
            Operator.from_uri("s3://b?region=r&skip_signature=true", **options),
            Operator.from_uri("https://h/", **options),
        ):
            assert ("RetryLayer" in repr(op), "TimeoutLayer" in repr(op)) == (is_resilient, is_resilient)
            assert op.info.is_remote


@pytest.mark.parametrize("value", [None, 1, "no", RetryLayer()])
def test_what_is_neither_true_nor_false_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="resilient must be True or False"):
        Operator(Memory(), resilient=value)


# A real connection


def _cut_once() -> Callable[[ReceivedRequest], Answer]:
    whole = raw_response("200 OK", 'ETag: "1"', "Content-Length: 20", content=CONTENT[:HALF])
    rest = raw_response(
        "206 Partial Content",
        'ETag: "1"',
        "Content-Range: bytes 10-19/20",
        "Content-Length: 10",
        content=CONTENT[HALF:],
    )
    return lambda asked: [whole, CLOSE] if asked.range is None else [rest]


async def test_a_content_that_is_cut_is_read_on_from_there() -> None:
    with ScriptedServer(_cut_once()) as server:
        async with Operator(Http(server.endpoint)) as op, op.reader("a") as reader:
            assert await reader.read() == CONTENT
        assert [asked.range for asked in server.requests] == [None, "bytes=10-19"]


async def test_a_short_content_that_is_cut_is_read_again_and_then_on_from_there() -> None:
    # A whole read of up to 1 MiB has no body that would know its position (raw/http/whole.py); its retry has one.
    with ScriptedServer(_cut_once()) as server:
        async with Operator(Http(server.endpoint)) as op:
            assert await op.read("a") == CONTENT
        assert [asked.range for asked in server.requests] == [None, None, "bytes=10-19"]


async def test_a_transport_that_was_passed_in_keeps_its_patience() -> None:
    with ScriptedServer(lambda asked: [STALL]) as server:
        transport = Transport(idle_timeout=0.1)
        op = over(Http(server.endpoint), transport)
        with pytest.raises(Timeout) as caught:
            await op.read("a")
        await transport.close()
    assert caught.value.context["attempts"] == len(server.requests) == ATTEMPTS


# Time


class _Silent(HttpTransport):
    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        from asyncio import Event

        self.requests.append(request)
        await Event().wait()
        raise AssertionError("nothing wakes it")


async def test_a_call_that_no_transport_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "DEFAULT_SECONDS", 0.03)
    transport = _Silent()
    with pytest.raises(Timeout) as caught:
        await over(BUCKET, transport).stat("k")
    assert (caught.value.operation, caught.value.path) == ("stat", "k")
    assert len(transport.requests) == ATTEMPTS


async def test_how_long_a_request_stands_still_is_left_to_the_transport() -> None:
    transport = MockTransport(Failing(0))
    op = over(BUCKET, transport)
    for call in CALLS.values():
        await call(op)
    assert {(one.connect_timeout, one.idle_timeout) for one in transport.requests} == {(None, None)}


def test_the_time_limit_is_not_in_the_way_of_a_read() -> None:
    context = Context(http=MockTransport(Failing(0)))
    service = BUCKET.build(context)
    limited = TimeoutLayer.default().wrap(service, context)
    assert limited.read == service.read
    assert limited.list == service.list
    assert limited.stat != service.stat


# Layers of the user


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], "TimeoutLayer, RetryLayer"),
        ([LoggingLayer()], "TimeoutLayer, RetryLayer, LoggingLayer"),
        ([LoggingLayer(), RetryLayer()], "TimeoutLayer, LoggingLayer, RetryLayer"),
        ([ConcurrentLimitLayer(1)], "TimeoutLayer, RetryLayer, ConcurrentLimitLayer"),
        ([TimeoutLayer()], "TimeoutLayer, RetryLayer"),
        ([TimeoutLayer(), RetryLayer()], "TimeoutLayer, RetryLayer"),
        ([ConcurrentLimitLayer(1), TimeoutLayer(), LoggingLayer()],
         "ConcurrentLimitLayer, TimeoutLayer, RetryLayer, LoggingLayer"),
    ],
    ids=lambda one: one.replace(", ", " ") if isinstance(one, str) else "",
)  # fmt: skip
def test_a_layer_of_the_user_takes_the_place_of_its_kind(layers: list[Layer], expected: str) -> None:
    at_once = Operator(BUCKET, layers=tuple(layers))
    one_by_one = Operator(BUCKET)
    for layer in layers:
        one_by_one = one_by_one.layer(layer)
    assert repr(at_once) == repr(one_by_one) == f"Operator({BUCKET!r}, {expected})"


async def test_retries_do_not_multiply() -> None:
    transport = MockTransport(Failing())
    with pytest.raises(Unexpected):
        await over(BUCKET, transport, RetryLayer(max_times=1)).read("k")
    assert len(transport.requests) == 2


async def test_a_subclass_is_of_the_kind() -> None:
    class Mine(RetryLayer):
        pass

    transport = MockTransport(Failing())
    with pytest.raises(Unexpected):
        await over(BUCKET, transport, Mine(max_times=2)).read("k")
    assert len(transport.requests) == 3


async def test_what_a_time_limit_of_the_user_ends_is_tried_again() -> None:
    transport = _Silent()
    with pytest.raises(Timeout) as caught:
        await over(BUCKET, transport, TimeoutLayer(timeout=0.03)).stat("k")
    assert len(transport.requests) == ATTEMPTS == caught.value.context["attempts"]


async def test_a_third_partys_layer_that_goes_inside_of_retries_is_inside_of_the_default_ones() -> None:
    class Impatient(Layer):
        goes_inside: ClassVar = {"RetryLayer": "each attempt has its own"}

    op = over(BUCKET, MockTransport(Failing(0)), Impatient())
    assert repr(op).endswith(", TimeoutLayer, Impatient, RetryLayer)")


async def test_faults_that_the_user_adds_are_for_the_user_to_make_good() -> None:
    transport = MockTransport(Failing(0))
    chaos = ChaosLayer(error_ratio=1, operations=["stat"], lost_ratio=0)
    with pytest.raises(Unexpected) as caught:
        await over(BUCKET, transport, chaos).stat("k")
    assert "attempts" not in caught.value.context
    with pytest.raises(Unexpected) as caught:
        await over(BUCKET, transport, chaos, RetryLayer(max_times=2)).stat("k")
    assert caught.value.context["attempts"] == 3
    assert transport.requests == []


async def test_operators_that_were_derived_share_one_budget() -> None:
    transport = MockTransport(Failing())
    op = over(BUCKET, transport)
    derived = op.at("d/").layer(LoggingLayer())
    for _ in range(12):  # 3 retries each, for 14 of 500 tokens
        with pytest.raises(Unexpected):
            await derived.read("k")
    transport.requests.clear()
    with pytest.raises(Unexpected):
        await op.read("k")
    assert len(transport.requests) == 1


async def test_a_write_that_may_have_taken_effect_is_not_made_twice() -> None:
    transport = MockTransport(Failing(1, 500))
    with pytest.raises(Unexpected) as caught:
        await over(BUCKET, transport).write("k", b"x", if_not_exists=True)
    assert len(transport.requests) == 1
    assert caught.value.context["may_have_taken_effect"]


async def test_an_iterator_is_drawn_from_once_and_its_bytes_are_sent_again() -> None:
    transport = MockTransport(Failing(2))
    pieces = iter([b"one", b"two"])
    await over(BUCKET, transport).write("k", pieces)
    assert transport.bodies == [b"onetwo"] * 3


async def test_a_copy_within_the_store_is_tried_again_and_needs_no_equal_layers() -> None:
    done = b'<CopyObjectResult><ETag>"1"</ETag></CopyObjectResult>'
    answers = iter([reply(503), reply(200, done), reply(200, b"", HEADERS)])
    transport = MockTransport(lambda _: next(answers))
    source, target = (over(S3(**{**vars(BUCKET), "root": root}), transport) for root in "ab")
    assert (await source.copy_to(target, "k", "k")).is_server_side
    assert [one.method for one in transport.requests][:2] == ["PUT", "PUT"]


# Which services


class _Flaky(Accessor):
    """Fails the first time."""

    def __init__(self, info: AccessorInfo) -> None:
        self.info = info
        self.calls = 0

    async def stat(self, path: str, args: OpStat) -> RpStat:
        self.calls += 1
        if self.calls == 1:
            raise Unexpected("not now", is_temporary=True)
        return RpStat(metadata=Metadata())


@dataclass(frozen=True)
class Third(ServiceConfig):
    """A service of a third party."""

    SCHEME: ClassVar[str] = "third"

    declares: bool = False
    uses_http: bool = False

    def build(self, context: Context) -> Accessor:
        if self.uses_http:
            assert context.http is not None
        return _Flaky(AccessorInfo("third", native_capability=Capability(stat=True), is_remote=self.declares))


@pytest.mark.parametrize(("declares", "uses_http"), [(True, False), (False, True), (True, True)])
async def test_a_service_that_declares_it_or_uses_http_goes_over_a_network(declares: bool, uses_http: bool) -> None:
    op = over(Third(declares, uses_http), MockTransport(Failing(0)))
    assert op.info.is_remote
    await op.stat("k")
    bare = over(Third(declares, uses_http), MockTransport(Failing(0)), resilient=False)
    assert bare.info.is_remote
    with pytest.raises(Unexpected):
        await bare.stat("k")


async def test_one_that_does_neither_is_left_alone() -> None:
    op = Operator(Third())
    assert not op.info.is_remote
    with pytest.raises(Unexpected):
        await op.stat("k")


@pytest.fixture(params=["memory", "fs"])
def local(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[ServiceConfig]:
    yield Memory() if request.param == "memory" else Fs(str(tmp_path))


def test_a_local_stack_is_the_same_with_and_without(local: ServiceConfig) -> None:
    on, off = Operator(local), Operator(local, resilient=False)
    assert repr(on) == repr(off) == f"Operator({local!r})"
    assert on.info == off.info
    assert not on.info.is_remote
    for operation in ("read", "stat", "write", "list"):
        bound = [getattr(op._accessor, operation) for op in (on, off)]
        assert bound[0].__func__ is bound[1].__func__


def test_a_local_operator_loads_no_retries() -> None:
    code = (
        "import sys; from entrepot import Operator; from entrepot.services import Fs; op = Operator(Fs('.')); "
        "op.at('a/'); op.blocking(); repr(op); "
        "print([name for name in ('retry', 'timeout') if f'entrepot.layers.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


async def test_the_error_of_what_was_not_tried_again_names_the_layer() -> None:
    with pytest.raises(Error, match="see RetryLayer"):
        await over(BUCKET, MockTransport(Failing()), resilient=False).read("k")
