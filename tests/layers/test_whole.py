"""A read or write that a service makes at once looks as one by the verbs of a body, and bypasses no layer."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from entrepot import (
    Capability,
    ContentIncomplete,
    Error,
    Metadata,
    NotFound,
    Operator,
    RangeNotSatisfied,
    Timeout,
    Unexpected,
    layers,
)
from entrepot.layers import (
    CapabilityOverrideLayer,
    ChaosLayer,
    ConcurrentLimitLayer,
    LoggingLayer,
    MetadataFallbackLayer,
    MetricsLayer,
    MimeGuessLayer,
    PrefixLayer,
    ReadOnlyLayer,
    RetryLayer,
    ThrottleLayer,
    TimeoutLayer,
    TracingLayer,
)
from entrepot.raw import (
    DEFAULT_READ,
    Accessor,
    AccessorInfo,
    AroundAccessor,
    Context,
    Layer,
    LayeredAccessor,
    OpRead,
    OpWrite,
    RpRead,
    RpWrite,
    ServiceConfig,
    WholeRead,
    WholeWrite,
    oio,
)
from entrepot.raw.oio.read.api import read_to_end
from tests.layers.slow import FakeTime, turns

CONTENT = b"0123456789"
HANG = "hang"
DESCRIPTION = Metadata(
    content_length=len(CONTENT), etag='"1"', version="1", user_metadata={"entrepot-cache-control": "no-store", "a": "b"}
)
"""What a response says of the object: a header in it is kept by `MetadataFallbackLayer`."""


@dataclass
class Script:
    """What happens to a service, and what has happened.

    Arguments:
        faults: for each request and receive the next one: None, an error, or `HANG`.
        is_large: whether content arrives in two pieces, and is stored by a body.
    """

    faults: list[Exception | str | None] = field(default_factory=list)
    is_large: bool = False
    happened: list[str] = field(default_factory=list)
    stored: list[tuple[bytes, OpWrite]] = field(default_factory=list)

    async def face(self, event: str) -> None:
        self.happened.append(event)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault == HANG:
            await asyncio.Event().wait()


class ByBodies(Accessor):
    """One object, by the verbs of bodies."""

    def __init__(self, capability: Capability, script: Script) -> None:
        self.info = AccessorInfo("test", native_capability=capability)
        self.script = script

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        self.script.happened.append("body")
        response = RpRead()
        return response, Body(self.script, path, args, response)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        self.script.happened.append("body")
        return RpWrite(), oio.OneShotWriter(lambda content: self.store(path, content, args))

    async def store(self, path: str, content: bytes, args: OpWrite) -> Metadata:
        await self.script.face(f"put {path}")
        self.script.stored.append((content, args))
        return Metadata(content_length=len(content), user_metadata=args.user_metadata or {})


class AtOnce(ByBodies):
    """The same object, at once where it is not large."""

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        response = RpRead()
        body = Body(self.script, path, args, response)
        body.kept = await body.read(len(CONTENT))
        if self.script.is_large:
            return response, body
        if described is not None:
            described.metadata = response.metadata
        return body.kept

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        return await self.write(path, args) if self.script.is_large else await self.store(path, bytes(data), args)


class Body(oio.Read):
    def __init__(self, script: Script, path: str, args: OpRead, response: RpRead) -> None:
        self.kept = b""
        self._script = script
        self._path = path
        self._position, self._end = args.range.resolve(len(CONTENT))
        self._response = response

    @property
    def is_at_end(self) -> bool:
        return self._response.metadata is not None and self._position == self._end and not self.kept

    async def read(self, n: int) -> bytes:
        if self.kept or self._position == self._end:
            kept, self.kept = self.kept, b""
            return kept
        is_first = self._response.metadata is None
        await self._script.face(f"get {self._path} from {self._position}" if is_first else "receive")
        self._response.metadata = DESCRIPTION
        size = len(CONTENT) // 2 if self._script.is_large else len(CONTENT)
        piece = CONTENT[self._position : min(self._end, self._position + size)]
        self._position += len(piece)
        return piece

    async def next(self) -> bytes | None:
        return await self.read(len(CONTENT)) or None

    async def close(self) -> None:
        self._script.happened.append("closed")


FORWARD = Capability(
    read=True, read_can_next=True, write=True, write_with_user_metadata=True, write_with_if_not_exists=True
)
"""As a service over HTTP: bodies that read forward only."""


@dataclass(frozen=True)
class Config(ServiceConfig):
    SCHEME: ClassVar[str] = "test"

    service: type[ByBodies] = AtOnce
    capability: Capability = FORWARD
    script: Script = field(default_factory=Script, compare=False)

    def build(self, context: Context) -> Accessor:
        return self.service(self.capability, self.script)


def reset() -> Error:
    return Unexpected("connection reset", is_temporary=True)


CALLS: dict[str, Callable[[Operator], Awaitable[object]]] = {
    "read": lambda op: op.read("a.txt"),
    "read of a range": lambda op: op.read("a.txt", range=(2, 5)),
    "read with metadata": lambda op: op.read_with_metadata("a.txt"),
    "write": lambda op: op.write("a.txt", CONTENT),
    "write if new": lambda op: op.write("a.txt", bytearray(CONTENT), if_not_exists=True),
}
SCENARIOS: dict[str, Callable[[], Script]] = {
    "success": Script,
    "no such object": lambda: Script([NotFound("there is no such object")]),
    "a temporary error, then success": lambda: Script([reset()]),
    "temporary errors to the end": lambda: Script([reset(), reset(), reset()]),
    "an error that is none of ours": lambda: Script([ValueError("a bug")]),
    "large": lambda: Script(is_large=True),
    "large, with an error in the middle": lambda: Script([None, reset()], is_large=True),
    "large, with a last error in the middle": lambda: Script([None, NotFound("gone")], is_large=True),
    "cancelled": lambda: Script([HANG]),
    "cancelled in a retry": lambda: Script([reset(), HANG]),
}


class Recording(Layer):
    """A user's layer: what its `around` sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        seen = self.seen

        class Recorded(AroundAccessor):
            async def around(self, operation: Any, path: str, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
                seen.append(f"{operation} {path}")
                return await call(*args)

        return Recorded(accessor)


class Swapping(Layer):
    """A user's layer that changes the content in bodies of its own."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return Swapped(accessor)


class Swapped(LayeredAccessor):
    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        response, body = await self.inner.read(path, args)
        content = await read_to_end(body)
        return response, oio.BytesReader(content.swapcase)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        response, body = await self.inner.write(path, args)
        return response, SwappedWriter(body)


class SwappedWriter(oio.Write):
    def __init__(self, inner: oio.Write) -> None:
        self._inner = inner
        self.close, self.abort = inner.close, inner.abort

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.write(bytes(data).swapcase())


class Delegating(Layer):
    """A user's layer that knows only `Accessor`, as one written before there were whole operations."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        class Delegated(Accessor):
            info = accessor.info
            read = staticmethod(accessor.read)
            write = staticmethod(accessor.write)

        return Delegated()


LAYERS: dict[str, Callable[[], Layer]] = {
    "none": lambda: PrefixLayer("/"),
    "capability": lambda: CapabilityOverrideLayer(write_with_user_metadata=False),
    "chaos": lambda: ChaosLayer(seed=3, error_ratio=0.2, truncate_ratio=0.3),
    "concurrent limit": lambda: ConcurrentLimitLayer(1),
    "logging": LoggingLayer,
    "metadata": MetadataFallbackLayer,
    "metrics": lambda: MetricsLayer(CollectorRegistry()),
    "mime": MimeGuessLayer,
    "prefix": lambda: PrefixLayer("dir/"),
    "read-only": ReadOnlyLayer,
    "retry": lambda: RetryLayer(max_times=1, jitter=False, budget=None),
    "throttle": lambda: ThrottleLayer(bandwidth=4, burst=6, requests=2),
    "timeout": lambda: TimeoutLayer(5, 4),
    "deadline": lambda: TimeoutLayer(deadline=3),
    "tracing": TracingLayer,
    "recording": Recording,
    "swapping": Swapping,
    "delegating": Delegating,
}


class Instruments:
    """What retries, logs, metrics and spans make of calls."""

    def __init__(self) -> None:
        self._exporter, provider = InMemorySpanExporter(), TracerProvider(resource=Resource({}))
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._registry = CollectorRegistry()
        self._retries: list[tuple[object, ...]] = []
        self._retry = RetryLayer(max_times=2, jitter=False, notify=self._notify)
        self.layers = (
            self._retry,
            LoggingLayer("observed"),
            MetricsLayer(self._registry, buckets=(1,)),
            TracingLayer(provider.get_tracer("tests")),
        )

    def _notify(self, event: Any) -> None:
        self._retries.append((event.operation, event.path, str(event.error), event.attempt, event.delay))

    def facts(self) -> dict[str, object]:
        samples = [sample for family in self._registry.collect() for sample in family.samples]
        return {
            "retries": self._retries,
            "tokens": self._retry._tokens._left,
            "metrics": [
                (one.name, sorted(one.labels.items()), one.value) for one in samples if not one.name.endswith("created")
            ],
            "spans": [
                (
                    span.name,
                    dict(span.attributes or {}),
                    span.status.status_code,
                    [(event.name, _without_trace(event.attributes)) for event in span.events],
                )
                for span in self._exporter.get_finished_spans()
            ],
        }


def _without_trace(attributes: Any) -> dict[str, object]:
    return {name: value for name, value in dict(attributes or {}).items() if name != "exception.stacktrace"}


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(1)
        self.lines: list[tuple[object, ...]] = []

    def emit(self, record: logging.LogRecord) -> None:
        facts = ("operation", "call", "path", "size", "error_kind")
        self.lines.append((record.levelname, record.getMessage(), *(getattr(record, name, None) for name in facts)))


async def outcome(call: Callable[[Operator], Awaitable[object]], op: Operator, script: Script) -> object:
    """The result of a call, or all about its error."""
    task = asyncio.ensure_future(call(op))
    try:
        if HANG in script.faults:
            await turns(60)
            task.cancel()
        return await task
    except Error as error:
        return error.kind, str(error), error.operation, error.path, error.scheme, error.context
    except (ValueError, asyncio.CancelledError) as error:
        return repr(error)


Order = Callable[[Layer, Instruments], tuple[Layer, ...]]


async def facts_of(service: type[ByBodies], order: Order, name: str) -> Any:
    """All that can be observed, by scenario and call, of a service in a stack."""
    found: dict[str, Any] = {}
    logger, records = logging.getLogger("observed"), Records()
    logger.addHandler(records)
    logger.setLevel(logging.DEBUG)
    try:
        for scenario, make in SCENARIOS.items():
            for title in ("read", "read with metadata", "write", "write if new"):
                script, instruments, time, layer = make(), Instruments(), FakeTime(), LAYERS[name]()
                stack = order(layer, instruments)
                config = Config(service, script=script)
                op = Operator(config, layers=stack, context=Context(runtime=time), resilient=False)
                result = await outcome(CALLS[title], op, script)
                found[f"{title}: {scenario}"] = {
                    "result": result,
                    "happened": [event for event in script.happened if event not in {"body", "closed"}],
                    "stored": script.stored,
                    "slept": time.slept,
                    "seen": getattr(layer, "seen", None),
                    "logged": records.lines,
                    **instruments.facts(),
                }
                records.lines = []
    finally:
        logger.removeHandler(records)
    return found


def test_every_layer_that_can_be_added_is_in_this_suite() -> None:
    automatic = {"CompleteLayer", "CorrectnessCheckLayer", "ErrorContextLayer", "TypeEraseLayer"}
    named = {name for name in layers.__all__ if name.endswith("Layer")} - automatic
    missing = named - {type(make()).__name__ for make in LAYERS.values()}
    assert not missing, f"add {', '.join(missing)} to LAYERS in {__file__}"


@pytest.mark.parametrize("name", LAYERS)
async def test_everything_around_a_layer_sees_the_same_as_with_bodies(name: str) -> None:
    def innermost(layer: Layer, instruments: Instruments) -> tuple[Layer, ...]:
        return layer, *instruments.layers

    assert await facts_of(AtOnce, innermost, name) == await facts_of(ByBodies, innermost, name)


@pytest.mark.parametrize("name", [name for name, make in LAYERS.items() if not make().goes_inside])
async def test_everything_inside_a_layer_sees_the_same_as_with_bodies(name: str) -> None:
    def outermost(layer: Layer, instruments: Instruments) -> tuple[Layer, ...]:
        return *instruments.layers, layer

    assert await facts_of(AtOnce, outermost, name) == await facts_of(ByBodies, outermost, name)


PASSED_ON = sorted({*LAYERS} - {"chaos", "recording", "swapping", "delegating"})
"""The layers that have a rule, or need none."""


@pytest.mark.parametrize("name", PASSED_ON)
async def test_our_layers_need_no_body_where_the_service_needs_none(name: str) -> None:
    script = Script()
    op = Operator(Config(script=script), layers=(LAYERS[name](),), context=Context(runtime=FakeTime()))
    assert await op.read("a.txt") == CONTENT
    assert await op.read("a.txt", range=(2, 5)) == CONTENT[2:5]
    content, metadata = await op.read_with_metadata("a.txt", range=(2, 5))
    assert (content, metadata.content_length, metadata.version) == (CONTENT[2:5], len(CONTENT), "1")
    if name != "read-only":
        await op.write("a.txt", CONTENT)
        assert script.stored[0][0] == CONTENT
    # A limit of bytes a second waits for the bytes of a write before it, which only the verb has.
    assert ("body" in script.happened) == (name == "throttle")


async def test_the_default_layers_of_a_remote_service_need_none() -> None:
    script = Script()

    class OverHttp(AtOnce):
        def __init__(self, capability: Capability, script: Script) -> None:
            super().__init__(capability, script)
            self.info = AccessorInfo("test", native_capability=capability, is_remote=True)

    op = Operator(Config(OverHttp, script=script))
    assert "RetryLayer" in repr(op)
    assert await op.read("a.txt") == CONTENT
    assert (await op.write("a.txt", CONTENT)).content_length == len(CONTENT)
    assert script.happened == ["get a.txt from 0", "put a.txt"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layer", [TimeoutLayer(0.02, 0.02), TimeoutLayer(deadline=0.05)], ids=["limits", "deadline"])
async def test_a_service_that_hangs_is_timed_and_retried_as_by_bodies(call: str, layer: TimeoutLayer) -> None:
    async def found(service: type[ByBodies]) -> object:
        script, events = Script([HANG]), []
        retry = RetryLayer(min_delay=0, notify=lambda event: events.append((event.operation, str(event.error))))
        op = Operator(Config(service, script=script), layers=(layer, retry))
        try:
            result: object = await CALLS[call](op)
        except Timeout as error:
            result = str(error)
        return result, events, [event for event in script.happened if event not in {"body", "closed"}]

    by_bodies = await found(ByBodies)
    assert await found(AtOnce) == by_bodies


async def test_a_layer_that_changes_content_is_not_bypassed() -> None:
    script = Script()
    op = Operator(Config(script=script), layers=(Swapping(),))
    await op.write("a.txt", b"aBc")
    assert script.stored[0][0] == b"AbC"


@pytest.mark.parametrize(
    ("layer", "field", "expected"),
    [
        (MimeGuessLayer(), "content_type", "text/plain"),
        (MetadataFallbackLayer(), "cache_control", "no-store"),
        (MetadataFallbackLayer(), "user_metadata", {"a": "b"}),
    ],
)
@pytest.mark.parametrize("service", [AtOnce, ByBodies])
async def test_metadata_passes_through_the_layers_that_change_it(
    service: type[ByBodies], layer: Layer, field: str, expected: object
) -> None:
    op = Operator(Config(service), layers=(layer,))
    content, metadata = await op.read_with_metadata("a.txt")
    assert (content, getattr(metadata, field)) == (CONTENT, expected)


async def test_metadata_of_a_body_that_the_service_opened_comes_from_that_body() -> None:
    script = Script([None, reset(), None], is_large=True)
    op = Operator(Config(script=script), layers=(RetryLayer(min_delay=0),))
    assert await op.read_with_metadata("a.txt") == (CONTENT, DESCRIPTION)
    assert script.happened == ["get a.txt from 0", "receive", "closed", "body", "get a.txt from 5", "closed"]


async def test_a_failed_attempt_does_not_describe_the_object_of_the_next_one() -> None:
    class Replaced(AtOnce):
        async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
            assert described is not None
            described.metadata = Metadata(content_length=1, etag='"old"')  # as of a response whose content breaks off
            raise reset()

    op = Operator(Config(Replaced), layers=(RetryLayer(min_delay=0),))
    assert await op.read_with_metadata("a.txt") == (CONTENT, DESCRIPTION)


@pytest.mark.parametrize("base", [Accessor, LayeredAccessor, AroundAccessor])
def test_a_rule_that_cannot_pass_on_the_metadata_is_refused_when_its_class_is_made(base: type[Accessor]) -> None:
    async def of_before(self: Any, path: str, args: OpRead) -> WholeRead:
        return await self.inner.read_whole(path, args)

    mixin = type("Old", (), {"read_whole": of_before})
    for bases, members in (((base,), {"read_whole": of_before}), ((mixin, base), {})):
        with pytest.raises(TypeError, match=r"Quick\.read_whole does not take `described`.*described=None"):
            type("Quick", bases, members)


async def test_a_rule_with_any_arguments_passes_them_on() -> None:
    class Counted(LayeredAccessor):
        async def read_whole(self, *args: Any) -> WholeRead:
            return await self.inner.read_whole(*args)

    described = RpRead()
    assert await Counted(AtOnce(FORWARD, Script())).read_whole("a.txt", DEFAULT_READ, described) == CONTENT
    assert described.metadata == DESCRIPTION


def _own_read(_: object, path: str, args: OpRead) -> Any:
    async def read() -> tuple[RpRead, oio.Read]:
        return RpRead(), oio.BytesReader(lambda: b"own")

    return read()


def _with_rule(base: type[Accessor]) -> type[Accessor]:
    class Ruled(base):  # type: ignore[valid-type, misc]
        async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
            return await self.inner.read(path, args)

        async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
            return await self.inner.read_whole(path, args, described)

    return Ruled


class Mixin:
    read = _own_read


def _subclass(base: type[Accessor]) -> Accessor:
    return type("Subclass", (base,), {"read": _own_read})(AtOnce(FORWARD, Script()))


def _with_mixin(base: type[Accessor]) -> Accessor:
    return type("Mixed", (Mixin, base), {})(AtOnce(FORWARD, Script()))


def _with_attribute(base: type[Accessor]) -> Accessor:
    accessor = base(AtOnce(FORWARD, Script()))  # type: ignore[call-arg]
    accessor.read = lambda path, args: _own_read(accessor, path, args)  # type: ignore[method-assign]
    return accessor


@pytest.mark.parametrize("overrides", [_subclass, _with_mixin], ids=["subclass", "mixin"])
@pytest.mark.parametrize("base", [LayeredAccessor, AroundAccessor, _with_rule(LayeredAccessor)])
async def test_a_class_that_overrides_read_is_never_bypassed(
    base: type[Accessor], overrides: Callable[[type[Accessor]], Accessor]
) -> None:
    content = await overrides(base).read_whole("a.txt", DEFAULT_READ)
    assert isinstance(content, tuple)
    assert await read_to_end(content[1]) == b"own"


@pytest.mark.parametrize("base", [LayeredAccessor, AroundAccessor])
async def test_an_accessor_that_is_given_a_read_of_its_own_is_not_bypassed(base: type[Accessor]) -> None:
    content = await _with_attribute(base).read_whole("a.txt", DEFAULT_READ)
    assert isinstance(content, tuple)
    assert await read_to_end(content[1]) == b"own"


async def test_a_service_derived_from_ours_may_override_a_verb_alone() -> None:
    class Derived(AtOnce):
        read = _own_read

    assert await Operator(Config(Derived)).read("a.txt") == b"own"


async def test_a_rule_of_around_ends_with_a_subclass_that_overrides_around() -> None:
    inner = RetryLayer().wrap(AtOnce(FORWARD, Script()), Context())
    seen: list[str] = []

    class Counted(type(inner)):  # type: ignore[misc]
        async def around(self, operation: Any, path: str, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
            seen.append(operation)
            return await call(*args)

    counted = Counted.__new__(Counted)
    AroundAccessor.__init__(counted, inner)
    content = await counted.read_whole("a.txt", DEFAULT_READ)
    assert isinstance(content, tuple)
    assert await read_to_end(content[1]) == CONTENT
    assert seen == ["read", "reader.read"]


async def test_a_body_that_the_service_opened_continues_at_its_position_and_is_not_requested_again() -> None:
    script = Script([None, reset(), None], is_large=True)
    op = Operator(Config(script=script), layers=(RetryLayer(min_delay=0),))
    assert await op.read("a.txt") == CONTENT
    assert script.happened == ["get a.txt from 0", "receive", "closed", "body", "get a.txt from 5", "closed"]


async def test_a_body_without_verbs_of_its_own_is_completed() -> None:
    script = Script(is_large=True)
    stack = Operator(Config(script=script, capability=Capability(read=True, read_can_seek=True)))._accessor
    content = await stack.read_whole("a.txt", DEFAULT_READ)
    assert isinstance(content, tuple)
    assert await content[1].next() == CONTENT[:5]


@pytest.mark.parametrize(
    ("range_", "expected"), [((4, 4), b""), ((8, 20), b"89"), ((3, None), b"3456789")], ids=["empty", "past", "open"]
)
async def test_ranges(range_: tuple[int, int | None], expected: bytes) -> None:
    script = Script()
    assert await Operator(Config(script=script)).read("a.txt", range=range_) == expected
    assert len(script.happened) == bool(expected)


async def test_a_refused_range_is_judged_by_the_reader() -> None:
    script = Script([RangeNotSatisfied("no such range"), RangeNotSatisfied("no such range")])
    with pytest.raises(RangeNotSatisfied):
        await Operator(Config(script=script)).read("a.txt", range=(2, 5))
    assert script.happened[:3] == ["get a.txt from 2", "body", "get a.txt from 2"]


async def test_options_of_a_write_that_a_body_must_see_take_a_body() -> None:
    script = Script()
    capability = Capability(write=True, write_can_empty=True, write_with_append=True, write_total_max_size=100)
    op = Operator(Config(script=script, capability=capability))
    await op.write("a", b"")
    await op.write("a", b"x", append=True)
    await op.write("a", [b"x", b"y"])
    assert script.happened == ["body", "put a"] * 3
    with pytest.raises(Error, match="larger than 100 bytes"):
        await op.write("a", bytes(101))
    assert len(script.stored) == 3


async def test_a_stored_length_that_differs_is_an_error() -> None:
    class Short(AtOnce):
        async def store(self, path: str, content: bytes, args: OpWrite) -> Metadata:
            return await super().store(path, content[1:], args)

    with pytest.raises(ContentIncomplete, match="10 bytes were written, but 9 were stored") as caught:
        await Operator(Config(Short)).write("a.txt", CONTENT)
    assert (caught.value.operation, caught.value.path) == ("write", "a.txt")


async def test_a_failure_is_freed_with_its_last_reference() -> None:
    class Gone(AtOnce):
        async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
            raise NotFound("gone")

        async def store(self, path: str, content: bytes, args: OpWrite) -> Metadata:
            raise NotFound("gone")

    op = Operator(Config(Gone), layers=(RetryLayer(min_delay=0),))
    failures = []
    gc.collect()
    gc.disable()
    try:
        for call in CALLS.values():
            try:
                await call(op)
            except NotFound as failure:
                failures.append(weakref.ref(failure))
        assert [failure() for failure in failures] == [None] * len(CALLS)
    finally:
        gc.enable()
