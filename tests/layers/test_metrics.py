"""What Prometheus and OpenTelemetry are told, looked at in a real registry and by a real reader of metrics."""

import asyncio
import gc
import os
import pickle
import subprocess
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, Counter

from entrepot import Capability, InvalidInput, NotFound, Operator, RateLimited, Unexpected
from entrepot.layers import MetricsLayer, RetryLayer
from entrepot.raw import (
    DEFAULT_DELETE,
    DEFAULT_READ,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    Accessor,
    AccessorInfo,
    Context,
    OpRead,
    OpStat,
    OpWrite,
    RpDelete,
    RpRead,
    RpStat,
    RpWrite,
    oio,
)
from entrepot.services import Memory
from entrepot.types import Metadata
from tests.conftest import Storage

LABELS = {"scheme", "namespace", "operation"}


class Told:
    """A layer that reports to Prometheus or to OpenTelemetry, and what came of it, by one set of names."""

    def __init__(self, kind: str) -> None:
        self._registry = CollectorRegistry()
        self._reader = InMemoryMetricReader()
        self._is_prometheus = kind == "prometheus"
        meter = MeterProvider([self._reader]).get_meter("tests")
        self.layer = MetricsLayer(self._registry) if self._is_prometheus else MetricsLayer(meter=meter)

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Name, labels and value of everything that was told. Of a histogram it is how many values it has."""
        yield from self._of_prometheus() if self._is_prometheus else self._of_opentelemetry()

    def value(self, metric: str, operation: str, **labels: str) -> float:
        """The sum over what has these labels, 0 where there is nothing."""
        wanted = {"operation": operation, **labels}.items()
        return sum(value for name, had, value in self.samples() if name == metric and wanted <= had.items())

    def _of_prometheus(self) -> Iterator[tuple[str, dict[str, str], float]]:
        for family in self._registry.collect():
            for sample in family.samples:
                if not sample.name.endswith(("_bucket", "_sum", "_created")):
                    name = sample.name.removesuffix("_total").removesuffix("_count").removesuffix("_seconds")
                    yield name.removeprefix("entrepot_"), sample.labels, sample.value

    def _of_opentelemetry(self) -> Iterator[tuple[str, dict[str, str], float]]:
        data = self._reader.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics if data is not None else []:
            for point in metric.data.data_points:
                labels = {name.removeprefix("entrepot."): str(value) for name, value in point.attributes.items()}
                labels = {{"error.type": "error"}.get(name, name): value for name, value in labels.items()}
                name = metric.name.removeprefix("entrepot.").replace(".", "_")
                yield name, labels, point.value if hasattr(point, "value") else point.count


@pytest.fixture(params=["prometheus", "opentelemetry"])
def told(request: pytest.FixtureRequest) -> Told:
    return Told(request.param)


class Service(Accessor):
    """Waits where it is told to, and fails as often as it is told to."""

    def __init__(self, *errors: BaseException, gate: asyncio.Event | None = None) -> None:
        self.info = AccessorInfo("test", name="bucket", native_capability=Capability(read=True, stat=True))
        self.errors = list(errors)
        self.gate = gate

    async def answer(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        await self.answer()
        return RpStat(metadata=Metadata())

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return RpRead(), _Reader(self)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        return RpWrite(), _Writer(self)

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return RpDelete(), _Deleter(self)


class _Reader(oio.Read):
    def __init__(self, service: Service) -> None:
        self._service = service

    async def read(self, n: int) -> bytes:
        await self._service.answer()
        return bytes(n)

    async def close(self) -> None:
        return


class _Writer(oio.Write):
    def __init__(self, service: Service) -> None:
        self._service = service

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await self._service.answer()

    async def close(self) -> Metadata:
        await self._service.answer()
        return Metadata()

    async def abort(self) -> None:
        return


class _Deleter(oio.Delete):
    def __init__(self, service: Service) -> None:
        self._service = service

    async def delete(self, path: str, args: Any) -> None:
        await self._service.answer()

    async def close(self) -> None:
        await self._service.answer()


async def test_operations_are_counted_with_their_bytes_and_entries_on_every_service(
    told: Told, storage: Storage
) -> None:
    storage.put("a", b"0123456789")
    op = storage.operator.layer(told.layer)
    assert await op.read("a") == b"0123456789"
    async with op.reader("a") as reader:
        assert await reader.read(4) == b"0123"
    await op.stat("a")
    with pytest.raises(NotFound):
        await op.stat("missing")
    labels = {"scheme": storage.scheme, "namespace": op.info.name}
    assert told.value("operations", "read", **labels) == told.value("operation_duration", "read", **labels) == 2
    assert told.value("first_byte", "read", **labels) == 2
    assert told.value("operations", "stat", **labels) == 2
    assert told.value("errors", "stat", error="NotFound", **labels) == 1
    assert 14 <= told.value("bytes", "read", **labels) <= 20
    assert told.value("calls_in_flight", "read") == told.value("calls_in_flight", "stat") == 0


async def test_writes_listings_and_deletions_are_counted_with_what_they_moved(told: Told) -> None:
    op = Operator(Memory()).layer(told.layer)
    await op.write("a", [b"123", memoryview(b"45678").cast("B")])
    await op.write("b", b"")
    assert len(await op.list("/")) == 3
    await op.delete_many(["a", "b"])
    assert (told.value("operations", "write"), told.value("bytes", "write")) == (2, 8)
    assert (told.value("operations", "list"), told.value("entries", "list")) == (1, 3)
    assert (told.value("operations", "delete"), told.value("entries", "delete")) == (2, 2)
    ended = [told.value("operation_duration", operation) for operation in ("write", "list", "delete")]
    assert ended == [2, 1, 2]


async def test_no_path_and_no_other_label_is_told(told: Told, storage: Storage) -> None:
    storage.put("a-secret-name", b"x")
    op = storage.operator.layer(told.layer)
    await op.read("a-secret-name")
    with pytest.raises(NotFound):
        await op.read("another-secret-name")
    samples = list(told.samples())
    assert {name for name, *_ in samples} >= {"operations", "bytes", "errors", "operation_duration", "first_byte"}
    assert all(LABELS <= set(labels) <= LABELS | {"error"} for _, labels, _ in samples)
    assert "secret" not in str(samples)


async def test_calls_in_flight_are_those_that_are_being_made_now(told: Told) -> None:
    gate = asyncio.Event()
    accessor = told.layer.wrap(Service(gate=gate), Context())
    calls = [asyncio.create_task(accessor.stat("a", DEFAULT_STAT)) for _ in range(3)]
    await asyncio.sleep(0)
    assert told.value("calls_in_flight", "stat", namespace="bucket") == 3
    gate.set()
    await asyncio.gather(*calls)
    assert told.value("calls_in_flight", "stat") == 0


async def test_a_cancelled_call_is_in_flight_no_more_and_is_counted_as_cancelled(told: Told) -> None:
    accessor = told.layer.wrap(Service(gate=asyncio.Event()), Context())
    _, reader = await accessor.read("a", DEFAULT_READ)
    calls = [asyncio.create_task(accessor.stat("a", DEFAULT_STAT)), asyncio.create_task(reader.read(1))]
    await asyncio.sleep(0)
    assert (told.value("calls_in_flight", "stat"), told.value("calls_in_flight", "read")) == (1, 1)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await reader.close()
    for operation in ("stat", "read"):
        assert told.value("calls_in_flight", operation) == 0
        assert told.value("errors", operation, error="CancelledError") == 1
        assert told.value("operation_duration", operation) == 1


async def test_an_open_body_that_nobody_uses_is_not_in_flight(told: Told) -> None:
    accessor = told.layer.wrap(Service(), Context())
    _, reader = await accessor.read("a", DEFAULT_READ)
    await reader.read(3)
    assert told.value("operations", "read") == 1
    assert told.value("calls_in_flight", "read") == told.value("operation_duration", "read") == 0
    assert told.value("bytes", "read") == 3
    await reader.close()
    await reader.close()
    assert told.value("operation_duration", "read") == 1


async def test_a_writer_that_failed_ends_when_it_is_aborted_and_one_that_was_published_ends_once(told: Told) -> None:
    accessor = told.layer.wrap(Service(Unexpected("m"), Unexpected("m")), Context())
    _, writer = await accessor.write("a", DEFAULT_WRITE)
    for call in (lambda: writer.write(b"lost"), writer.close):
        with pytest.raises(Unexpected):
            await call()
    assert told.value("operation_duration", "write") == 0
    await writer.abort()
    assert (told.value("errors", "write", error="Unexpected"), told.value("bytes", "write")) == (2, 0)
    _, writer = await accessor.write("a", DEFAULT_WRITE)
    for end in (writer.close, writer.close, writer.abort):
        await end()
    assert told.value("operations", "write") == told.value("operation_duration", "write") == 2


async def test_a_deleter_that_failed_has_ended_and_one_that_goes_on_is_another_operation(told: Told) -> None:
    accessor = told.layer.wrap(Service(Unexpected("m")), Context())
    _, deleter = await accessor.delete()
    with pytest.raises(Unexpected):
        await deleter.delete("a", DEFAULT_DELETE)
    assert told.value("operation_duration", "delete") == 1
    await deleter.delete("a", DEFAULT_DELETE)
    await deleter.close()
    assert told.value("operations", "delete") == told.value("operation_duration", "delete") == 2
    assert told.value("entries", "delete") == 1


@pytest.mark.parametrize("is_inside", [True, False], ids=["inside retry", "outside retry"])
async def test_retries_are_counted_wherever_the_layer_stands(told: Told, is_inside: bool) -> None:
    retry = RetryLayer(max_times=3, min_delay=0.001, max_delay=0.001, notify=told.layer.count_retry)
    accessor: Accessor = Service(RateLimited("m", scheme="test"), RateLimited("m", scheme="test"))
    for layer in (told.layer, retry) if is_inside else (retry, told.layer):
        accessor = layer.wrap(accessor, Context())
    await accessor.stat("a", DEFAULT_STAT)
    assert told.value("retries", "stat", error="RateLimited", scheme="test") == 2
    assert told.value("operations", "stat") == (3 if is_inside else 1)
    assert told.value("errors", "stat") == (2 if is_inside else 0)


def test_the_blocking_twin_counts_the_same(told: Told) -> None:
    op = Operator(Memory()).layer(told.layer).blocking()
    op.write("a", b"123")
    assert op.read("a") == b"123"
    assert told.value("operations", "write") == told.value("operations", "read") == 1
    assert told.value("bytes", "read") == told.value("bytes", "write") == 3


async def test_layers_and_operators_share_the_metrics_of_a_registry() -> None:
    registry = CollectorRegistry()
    for _ in range(2):
        await Operator(Memory()).layer(MetricsLayer(registry)).write("a", b"1")
    labels = {"scheme": "memory", "namespace": "", "operation": "write"}
    assert registry.get_sample_value("entrepot_operations_total", labels) == 2
    assert registry.get_sample_value("entrepot_operation_duration_seconds_bucket", {**labels, "le": "+Inf"}) == 2


@pytest.mark.parametrize(
    "place",
    [{"registry": CollectorRegistry()}, {"meter": MeterProvider([InMemoryMetricReader()]).get_meter("m")}],
    ids=lambda place: next(iter(place)),
)
def test_other_buckets_in_the_same_place_are_refused(place: dict[str, Any]) -> None:
    MetricsLayer(**place, buckets=(1, 2))
    MetricsLayer(**place, buckets=[1.0, 2.0])
    with pytest.raises(InvalidInput, match="with buckets"):
        MetricsLayer(**place)


async def test_the_time_that_the_caller_takes_between_calls_is_not_counted() -> None:
    registry = CollectorRegistry()
    clock = _ClockRuntime()
    accessor = MetricsLayer(registry).wrap(Service(), Context(clock))  # type: ignore[arg-type]
    _, reader = await accessor.read("a", DEFAULT_READ)
    clock.time += 1000
    await reader.read(1)
    await reader.close()
    labels = {"scheme": "test", "namespace": "bucket", "operation": "read"}
    assert registry.get_sample_value("entrepot_operation_duration_seconds_sum", labels) == 3
    assert registry.get_sample_value("entrepot_first_byte_seconds_sum", labels) == 2


class _ClockRuntime:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        self.time += 1
        return self.time


def test_a_registry_that_is_gone_is_not_kept() -> None:
    registry = CollectorRegistry()
    MetricsLayer(registry)
    gone = weakref.ref(registry)
    del registry
    gc.collect()
    assert gone() is None


def test_a_name_that_is_taken_by_others_is_said() -> None:
    registry = CollectorRegistry()
    Counter("entrepot_operations", "of somebody else", registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        MetricsLayer(registry)


def test_it_can_be_pickled_with_the_default_registry() -> None:
    layer = pickle.loads(pickle.dumps(MetricsLayer(buckets=(0.25, 1.0))))
    Operator(Memory()).layer(layer).blocking().write("a", b"1")
    from prometheus_client import REGISTRY

    labels = {"scheme": "memory", "namespace": "", "operation": "write", "le": "0.25"}
    assert REGISTRY.get_sample_value("entrepot_operation_duration_seconds_bucket", labels) == 1


def test_without_the_package_it_says_what_to_install_and_a_meter_needs_none() -> None:
    script = """
import sys
sys.modules["prometheus_client"] = None
import entrepot.layers
from entrepot import ConfigInvalid
from opentelemetry.metrics import get_meter
entrepot.layers.MetricsLayer(meter=get_meter("x"))
try:
    entrepot.layers.MetricsLayer()
except ConfigInvalid as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "entrepot[metrics]" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"registry": "default"}, "registry"),
        ({"meter": 3}, "meter"),
        ({"registry": CollectorRegistry(), "meter": MeterProvider().get_meter("m")}, "registry and meter"),
        ({"buckets": ()}, "buckets"),
        ({"buckets": 3}, "buckets"),
        ({"buckets": "123"}, "buckets"),
        ({"buckets": (2, 1)}, "buckets"),
        ({"buckets": (1, 1)}, "buckets"),
        ({"buckets": (0, 1)}, "buckets"),
        ({"buckets": (True,)}, "buckets"),
    ],
)
def test_arguments_that_cannot_work_are_refused_by_name(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=field) as caught:
        MetricsLayer(**arguments)
    assert caught.value.kind == "InvalidInput"


FORKING = """
import os, signal, threading
from entrepot import Unexpected
from entrepot.layers import MetricsLayer
from entrepot.layers.retry import RetryEvent
from entrepot.services import Memory

layer = MetricsLayer()
event = RetryEvent("stat", "a", Unexpected("lost", scheme="memory"), 1, 0.1)
stop = threading.Event()

def count():
    while not stop.is_set():
        layer.count_retry(event)
        layer.wrap(Memory().build(context), context)

from entrepot.raw import Context
context = Context()
threads = [threading.Thread(target=count) for _ in range(3)]
for thread in threads:
    thread.start()
codes = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        layer._instruments()  # no more: prometheus-client has locks of its own, which are not given back
        os._exit(0)
    codes.append(os.waitpid(child, 0)[1])
stop.set()
print(codes)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_is_not_left_with_a_lock_that_another_thread_held() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING], capture_output=True, text=True, timeout=50, check=False
    )
    assert (ended.stdout.strip(), ended.stderr, ended.returncode) == (str([0] * 8), "", 0)
