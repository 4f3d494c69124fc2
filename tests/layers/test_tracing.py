"""Spans as an exporter gets them, and the headers that a server sees."""

import asyncio
import pickle
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.propagators.textmap import CarrierT, Setter, TextMapPropagator, default_setter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from entrepot import InvalidInput, NotFound, Operator, Unexpected
from entrepot.layers import TracingLayer
from entrepot.raw import (
    DEFAULT_READ,
    DEFAULT_STAT,
    Accessor,
    AccessorInfo,
    Context,
    OpRead,
    OpStat,
    RpRead,
    RpStat,
    ServiceConfig,
    oio,
)
from entrepot.raw.http.settings import HttpServiceConfig
from entrepot.raw.telemetry import Telemetry
from entrepot.services import S3, Fs, Http, Memory
from entrepot.testing import MockTransport, RecordingTransport, reply
from tests.conftest import Storage, s3_config


class Traced:
    """A tracer, and the spans that it exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("tests")
        self.layer = TracingLayer(self.tracer)

    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self) -> list[str]:
        return [span.name for span in self.spans()]


@pytest.fixture
def traced() -> Traced:
    return Traced()


class Service(Accessor):
    """Answers with what it is told, and remembers which span was the current one."""

    def __init__(self, *answers: Any) -> None:
        self.info = AccessorInfo("test", name="place")
        self.answers = list(answers)
        self.seen: list[trace.Span] = []

    def answer(self) -> Any:
        self.seen.append(trace.get_current_span())
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return self.answer()

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return RpRead(), _Reader(self)


class _Reader(oio.Read):
    def __init__(self, service: Service) -> None:
        self._service = service

    async def read(self, n: int) -> bytes:
        return self._service.answer()

    async def close(self) -> None:
        self._service.seen.append(trace.get_current_span())


def _events(span: ReadableSpan) -> list[tuple[str, Any]]:
    return [(event.name, (event.attributes or {}).get("entrepot.call")) for event in span.events]


async def test_each_operation_is_one_span_with_its_body(traced: Traced, storage: Storage) -> None:
    storage.put("a", b"0123456789")
    op = storage.operator.layer(traced.layer)
    assert await op.read("a") == b"0123456789"
    (span,) = traced.spans()
    name = op.info.name
    assert span.name == (f"read {name}" if name else "read")
    assert span.kind is (SpanKind.CLIENT if op.info.is_remote else SpanKind.INTERNAL)
    known = dict(span.attributes or {})
    assert (known["entrepot.scheme"], known["entrepot.operation"]) == (storage.scheme, "read")
    assert (known["entrepot.path"], known["entrepot.bytes"]) == ("a", 10)
    assert known.get("entrepot.namespace", "") == name
    assert _events(span) == [("first byte", None)]
    assert span.status.status_code is StatusCode.UNSET
    assert span.end_time is not None


async def test_every_operation_has_a_span_that_says_what_it_moved(traced: Traced) -> None:
    op = Operator(Memory()).layer(traced.layer)
    await op.write("a", b"123")
    await op.copy("a", "b")
    await op.list("/")
    await op.delete("a")
    write, copy, listing, delete = (dict(span.attributes or {}) for span in traced.spans())
    assert traced.named() == ["write", "copy", "list", "delete"]
    assert (write["entrepot.path"], write["entrepot.bytes"]) == ("a", 3)
    assert (copy["entrepot.path"], copy["entrepot.target"]) == ("a", "b")
    assert (listing["entrepot.path"], listing["entrepot.entries"]) == ("/", 3)
    assert (delete["entrepot.path"], delete["entrepot.entries"]) == ("a", 1)


async def test_places_have_the_names_of_the_conventions_as_well(traced: Traced, tmp_path: Any) -> None:
    answers = MockTransport(lambda request: reply(200, b"", [("Content-Length", "0")]))
    s3 = S3(bucket="b", root="/deep", region="r", endpoint="http://h", skip_signature=True)
    await Operator(s3, context=Context(http=answers)).layer(traced.layer).stat("a/b")
    await Operator(Fs(tmp_path)).layer(traced.layer).write("a b", b"")
    on_s3, on_fs = (dict(span.attributes or {}) for span in traced.spans())
    assert (on_s3["aws.s3.bucket"], on_s3["aws.s3.key"]) == ("b", "deep/a/b")
    assert on_fs["file.path"] == f"{tmp_path}/a b"


class _Declaring(Memory):
    """A service of another package, which declares its names."""

    TELEMETRY = Telemetry(name="pond.name", path="pond.duck", is_rooted=True)


async def test_any_service_may_declare_names_of_its_own(traced: Traced) -> None:
    await Operator(_Declaring(root="/deep")).layer(traced.layer).write("a b", b"")
    [attributes] = (dict(span.attributes or {}) for span in traced.spans())
    assert (attributes["pond.name"], attributes["pond.duck"]) == ("", "/deep/a b")


async def test_the_span_is_a_child_of_the_callers_and_the_current_one_in_each_call(traced: Traced) -> None:
    service = Service(b"1", b"2")
    accessor = traced.layer.wrap(service, Context())
    with traced.tracer.start_as_current_span("request") as parent:
        _, reader = await accessor.read("a", DEFAULT_READ)
        assert trace.get_current_span() is parent
    await reader.read(1)
    await asyncio.create_task(reader.read(1))
    await reader.close()
    assert trace.get_current_span() is trace.INVALID_SPAN
    span = traced.spans()[-1]
    assert span.parent is not None
    assert span.parent.span_id == parent.get_span_context().span_id
    assert {one.get_span_context().span_id for one in service.seen} == {span.get_span_context().span_id}
    assert len(service.seen) == 3


async def test_a_failure_is_an_event_and_the_status_of_the_span(traced: Traced) -> None:
    op = Operator(Memory()).layer(traced.layer)
    with pytest.raises(NotFound):
        await op.read("missing")
    (span,) = traced.spans()
    assert _events(span) == [("exception", "reader.read")]
    assert (span.attributes or {})["error.type"] == "NotFound"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "NotFound")


async def test_a_failure_that_went_away_is_an_event_and_not_the_status(traced: Traced) -> None:
    accessor = traced.layer.wrap(Service(Unexpected("m", is_temporary=True), b"1"), Context())
    _, reader = await accessor.read("a", DEFAULT_READ)
    with pytest.raises(Unexpected):
        await reader.read(1)
    assert await reader.read(1) == b"1"
    await reader.close()
    (span,) = traced.spans()
    assert _events(span) == [("exception", "reader.read"), ("first byte", None)]
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in (span.attributes or {})


async def test_a_cancelled_operation_ends_without_the_status_of_a_failure(traced: Traced) -> None:
    accessor = traced.layer.wrap(Service(asyncio.CancelledError()), Context())
    with pytest.raises(asyncio.CancelledError):
        await accessor.stat("a", DEFAULT_STAT)
    (span,) = traced.spans()
    assert _events(span) == [("cancelled", "stat")]
    assert (span.attributes or {})["error.type"] == "CancelledError"
    assert span.status.status_code is StatusCode.UNSET


async def test_calls_at_the_same_time_do_not_mix_their_spans(traced: Traced) -> None:
    config = Memory()
    op = Operator(config).layer(traced.layer)
    config.table.put("a", b"x" * 100)

    async def request(number: int) -> int:
        with traced.tracer.start_as_current_span(f"request {number}") as parent:
            await op.read("a", chunk=10, concurrent=4)
            return parent.get_span_context().span_id

    parents = await asyncio.gather(*(request(number) for number in range(5)))
    reads = [span for span in traced.spans() if span.name == "read"]
    assert {span.parent.span_id for span in reads if span.parent} == set(parents)
    assert len(reads) == 50


def test_the_blocking_twin_has_the_same_spans_below_those_of_its_thread(traced: Traced, storage: Storage) -> None:
    storage.put("a", b"1")
    op = storage.operator.layer(traced.layer).blocking()
    with traced.tracer.start_as_current_span("request") as parent:
        assert op.read("a") == b"1"
    read, _ = traced.spans()
    assert read.parent is not None
    assert read.parent.span_id == parent.get_span_context().span_id


async def test_a_name_that_is_no_utf8_does_not_keep_a_span_from_being_exported(traced: Traced) -> None:
    accessor = traced.layer.wrap(Service(RpStat.__new__(RpStat)), Context())
    await accessor.stat("a\udcff", DEFAULT_STAT)
    (span,) = traced.spans()
    assert (span.attributes or {})["entrepot.path"] == "a\\udcff"


def _sent(recorder: RecordingTransport, name: str) -> list[str]:
    return [value for request in recorder.requests for key, value in request.headers if key.lower() == name]


async def test_servers_take_requests_with_the_headers_of_the_trace(traced: Traced, storage: Storage) -> None:
    recorded = RecordingTransport()
    storage.put("a", b"0123456789")
    op = Operator(storage.config, context=Context(http=recorded)).layer(traced.layer)
    assert await op.read("a") == b"0123456789"
    await op.stat("a")
    spans = {format(span.get_span_context().span_id, "016x") for span in traced.spans()}
    sent = _sent(recorded, "traceparent")
    assert {one.split("-")[2] for one in sent} == (spans if isinstance(storage.config, HttpServiceConfig) else set())
    assert len(sent) == len(recorded.requests)


async def test_an_upload_in_parts_with_the_headers_of_the_trace_is_taken_by_servers_that_check_signatures(
    traced: Traced, seaweedfs_server: Any, moto_server: Any, juicefs_server: Any
) -> None:
    for server in (seaweedfs_server, moto_server, juicefs_server):
        recorder = RecordingTransport()
        op = Operator(s3_config(server), context=Context(http=recorder)).layer(traced.layer)
        content = bytes(range(256)) * 4 * 1024 * 6
        await op.write("a", content, chunk=5 * 1024 * 1024, concurrent=2)
        assert await op.read("a") == content
        await op.delete("a")
        assert len(_sent(recorder, "traceparent")) == len(recorder.requests) > 4
        signed = [value for value in _sent(recorder, "authorization") if "traceparent" in value]
        assert not signed
    assert [span.status.status_code for span in traced.spans()] == [StatusCode.UNSET] * 9


async def test_the_headers_of_a_request_stay_as_they_are_but_for_those_behind_them(traced: Traced) -> None:
    plain = await _headers_of(None)
    with_trace = await _headers_of(traced.layer)
    assert with_trace[: len(plain)] == plain
    assert [name for name, _ in with_trace[len(plain) :]] == ["traceparent"]
    assert await _headers_of(TracingLayer(traced.tracer, propagate=False)) == plain


async def _headers_of(layer: TracingLayer | None, config: ServiceConfig | None = None) -> list[tuple[str, str]]:
    transport = MockTransport(lambda request: reply(200, b"", [("Content-Length", "0")]))
    op = Operator(config or Http("http://h/", token="t"), context=Context(http=transport))
    await (op.layer(layer) if layer is not None else op).stat("a")
    return list(transport.requests[0].headers)


async def test_the_baggage_of_the_application_is_not_sent(traced: Traced) -> None:
    token = context.attach(baggage.set_baggage("user", "somebody"))
    try:
        headers = await _headers_of(traced.layer)
    finally:
        context.detach(token)
    assert "somebody" not in str(headers)


class _Inventing(TextMapPropagator):
    def extract(self, *arguments: Any, **named: Any) -> Any:
        raise AssertionError("a client has nothing to extract")

    def inject(self, carrier: CarrierT, context: Any = None, setter: Setter[CarrierT] = default_setter) -> None:
        setter.set(carrier, "b3", "0")
        setter.set(carrier, "X-Amz-Trace", "1")

    @property
    def fields(self) -> set[str]:
        return {"b3", "X-Amz-Trace"}


async def test_the_headers_of_another_propagator_are_signed(traced: Traced) -> None:
    layer = TracingLayer(traced.tracer, propagator=_Inventing())
    s3 = S3(bucket="b", region="r", endpoint="http://h", access_key_id="k", secret_access_key="s")
    headers = dict(await _headers_of(layer, s3))
    assert (headers["b3"], headers["X-Amz-Trace"]) == ("0", "1")
    assert "SignedHeaders=b3;host;x-amz-content-sha256;x-amz-date;x-amz-trace," in headers["Authorization"]


async def test_a_service_that_signs_no_headers_gets_all_of_them(traced: Traced) -> None:
    headers = dict(await _headers_of(TracingLayer(traced.tracer, propagator=_Inventing())))
    assert (headers["b3"], headers["X-Amz-Trace"]) == ("0", "1")


def test_a_local_operator_makes_no_transport(tmp_path: Any) -> None:
    script = """
import sys
from entrepot import Operator
from entrepot.layers import TracingLayer
from entrepot.services import Fs
op = Operator(Fs(sys.argv[1])).layer(TracingLayer()).blocking()
op.write("a", b"1")
print("aiohttp" in sys.modules, op.read("a"))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["False", "b'1'"], done.stderr


def test_without_the_package_it_says_what_to_install() -> None:
    script = """
import sys
sys.modules["opentelemetry"] = None
import entrepot.layers
from entrepot import ConfigInvalid
try:
    entrepot.layers.TracingLayer()
except ConfigInvalid as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "entrepot[tracing]" in done.stdout, done.stderr


def test_the_layers_import_no_optional_package() -> None:
    packages = ("prometheus_client", "opentelemetry")
    script = f"""
import sys
import entrepot.layers
from entrepot.layers import LoggingLayer, MetricsLayer, TracingLayer
print(sorted(set({packages!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "[]", done.stderr


def test_it_can_be_pickled_with_the_global_tracer() -> None:
    layer = pickle.loads(pickle.dumps(TracingLayer(propagate=False)))
    op = Operator(Memory()).layer(layer).blocking()
    op.write("a", b"1")
    assert op.read("a") == b"1"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [({"tracer": "t"}, "tracer"), ({"propagator": 3}, "propagator"), ({"propagate": None}, "propagate")],
)
def test_arguments_that_cannot_work_are_refused_by_name(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=field) as caught:
        TracingLayer(**arguments)
    assert caught.value.kind == "InvalidInput"
