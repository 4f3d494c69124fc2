"""Counts and times operations, for Prometheus or OpenTelemetry."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, Context, Layer, Operation
from entrepot.raw.observation import Observation, ObservedAccessor, kind_of
from entrepot.types.shown import shown

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from prometheus_client import CollectorRegistry

    from .retry import RetryEvent

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the duration histograms, in seconds."""

Count = Callable[[float], object]
CountKind = Callable[[str], object]


class MetricsLayer(Layer):
    """Counts operations, bytes, entries, retries, and errors by kind, and measures durations.

    Added before a `RetryLayer` it sees each attempt, added after it the final results; `count_retry` counts retries.
    Labels are the scheme, the operation (`"read"`, never a verb of its body), the namespace (such as the bucket)
    and the kind of an error; never a path. The documentation describes each metric.

    Arguments:
        registry: the Prometheus registry; None is the default one of `prometheus-client`. Layers
            with the same registry share their metrics.
        meter: the OpenTelemetry meter, instead of Prometheus.
        buckets: the upper bounds of the histograms of durations, in seconds, rising. By default from 1 ms to 5 min.

    Raises:
        ConfigInvalid: neither registry nor meter is given, and `prometheus-client` is not installed.
        InvalidInput: an argument cannot work, or the registry or meter has these metrics with other buckets.
    """

    WORKS_WITHOUT_LOOP = True

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        meter: Meter | None = None,
        buckets: Sequence[float] = BUCKETS,
    ) -> None:
        if meter is not None and registry is not None:
            raise InvalidInput("registry and meter exclude each other")
        if registry is not None and not hasattr(registry, "register"):
            raise InvalidInput(f"registry is a CollectorRegistry of prometheus-client, not {shown(registry)}")
        if meter is not None and not hasattr(meter, "create_histogram"):
            raise InvalidInput(f"meter is a Meter of OpenTelemetry, not {shown(meter)}")
        self._registry = registry
        self._meter = meter
        self._buckets = _checked_buckets(buckets)
        self._instruments()

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        meters = _MetersOfStack(self._instruments(), accessor)
        return ObservedAccessor(accessor, partial(_Measured, accessor, context, meters))

    def count_retry(self, event: RetryEvent) -> None:
        """Counts a retry that a `RetryLayer` reports: `RetryLayer(notify=metrics.count_retry)`.

        A layer cannot see that a call is a retry. The namespace is not a label of this metric.
        """
        error, operation = event.error, Operation(event.operation).capability
        self._instruments().retry(str(error.scheme or ""), operation, error.kind)

    def _instruments(self) -> Instruments:
        if self._meter is not None:
            return _instruments_in(self._meter, self._buckets, _opentelemetry_instruments)
        registry = _default_registry() if self._registry is None else self._registry
        return _instruments_in(registry, self._buckets, _prometheus_families)


def _checked_buckets(buckets: Any) -> tuple[float, ...]:
    bounds = tuple(buckets) if isinstance(buckets, Iterable) and not isinstance(buckets, str) else ()
    numbers = [bound for bound in bounds if _is_bound(bound)]
    if not bounds or len(numbers) < len(bounds) or bounds[0] <= 0 or sorted(set(bounds)) != list(bounds):
        raise InvalidInput(f"buckets are numbers of seconds above 0 that rise, at least one, not {shown(buckets)}")
    return tuple(map(float, bounds))


def _is_bound(bound: object) -> bool:
    is_number = isinstance(bound, int | float) and not isinstance(bound, bool)
    return is_number and (bound == math.inf or 0 < bound <= sys.float_info.max)  # type: ignore[operator]


class Meters(NamedTuple):
    """The meters of one operation of one storage."""

    begin: Count
    fly: Count
    move: Count
    pass_entries: Count
    time: Count
    time_first_byte: Count
    fail: CountKind


class Instruments(NamedTuple):
    """All metrics of one registry or meter.

    Arguments:
        of: the meters of a scheme, a namespace and an operation.
        retry: counts a retry, by scheme, operation and kind of error.
    """

    of: Callable[[str, str, str], Meters]
    retry: Callable[[str, str, str], object]


class _MetersOfStack(dict[Operation, Meters]):
    """The meters of one stack, looked up by operation and made on first use."""

    def __init__(self, instruments: Instruments, accessor: Accessor) -> None:
        super().__init__()
        self._make = partial(instruments.of, str(accessor.info.scheme), accessor.info.name)

    def __missing__(self, operation: Operation) -> Meters:
        made = self[operation] = self._make(operation.value)
        return made


class _Measured(Observation[None]):
    def __init__(self, inner: Accessor, context: Context, meters: _MetersOfStack) -> None:
        super().__init__(inner, context)
        self._of_stack = meters

    def started(self) -> None:
        self._meters = self._of_stack[self.operation]
        self._meters.begin(1)

    def entered(self) -> None:
        self._meters.fly(1)

    def left(self, token: None) -> None:
        self._meters.fly(-1)

    def got_first_byte(self) -> None:
        self._meters.time_first_byte(self.seconds)

    def moved(self, size: int) -> None:
        self._meters.move(size)

    def passed(self, entries: int) -> None:
        self._meters.pass_entries(entries)

    def failed(self, call: Operation, path: str, error: BaseException) -> None:
        self._meters.fail(kind_of(error))

    def ended(self) -> None:
        self._meters.time(self.seconds)


class Metric(NamedTuple):
    """A metric by its parts: `name` as Prometheus has it, `dotted` as OpenTelemetry has it."""

    name: str
    dotted: str
    unit: str
    text: str


OPERATIONS: Final = Metric("operations", "operations", "{operation}", "Operations started.")
IN_FLIGHT: Final = Metric("calls_in_flight", "calls.in_flight", "{call}", "Calls in flight.")
BYTES: Final = Metric("bytes", "bytes", "By", "Bytes of content read or written.")
ENTRIES: Final = Metric("entries", "entries", "{entry}", "Entries listed, and deletions accepted.")
DURATION: Final = Metric("operation_duration_seconds", "operation.duration", "s", "Time in the calls of an operation.")
FIRST_BYTE: Final = Metric("first_byte_seconds", "first_byte", "s", "Time in the calls of a read up to its first byte.")
ERRORS: Final = Metric("errors", "errors", "{error}", "Failed calls, by the kind of error.")
RETRIES: Final = Metric("retries", "retries", "{call}", "Retries by a RetryLayer, by the kind of error.")

_made: WeakKeyDictionary[Any, tuple[tuple[float, ...], Instruments]] = WeakKeyDictionary()
_making: Final = RLock()
"""Held while metrics are made. A fork waits for it, so that a child inherits no lock that is never released."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_making.acquire, after_in_parent=_making.release, after_in_child=_making.release)


def _instruments_in(place: Any, buckets: tuple[float, ...], make: Callable[..., Instruments]) -> Instruments:
    """The metrics of a registry or meter. They are made once: a registry takes each name once."""
    made = _made.get(place)
    if made is None:
        with _making:
            made = _made.get(place) or _made.setdefault(place, (buckets, make(place, buckets)))
    known, instruments = made
    if known != buckets:
        raise InvalidInput(f"this registry or meter has these metrics with buckets {known}, not {buckets}")
    return instruments


def _default_registry() -> CollectorRegistry:
    try:
        from prometheus_client import REGISTRY
    except ImportError as error:
        raise ConfigInvalid("MetricsLayer needs prometheus-client: pip install 'entrepot[metrics]'") from error
    return REGISTRY


def _prometheus_families(registry: CollectorRegistry, buckets: tuple[float, ...]) -> Instruments:
    from prometheus_client import Counter, Gauge, Histogram

    labels = ("scheme", "namespace", "operation")

    def family(make: Any, metric: Metric, *more: str, **options: Any) -> Any:
        return make(f"entrepot_{metric.name}", metric.text, (*labels, *more), registry=registry, **options)

    operations, in_flight = family(Counter, OPERATIONS), family(Gauge, IN_FLIGHT)
    moved, entries = family(Counter, BYTES), family(Counter, ENTRIES)
    duration, first_byte = (family(Histogram, metric, buckets=buckets) for metric in (DURATION, FIRST_BYTE))
    errors = family(Counter, ERRORS, "error")
    retries = Counter(f"entrepot_{RETRIES.name}", RETRIES.text, ("scheme", "operation", "error"), registry=registry)

    def meters(*values: str) -> Meters:
        return Meters(
            begin=operations.labels(*values).inc,
            fly=in_flight.labels(*values).inc,
            move=_late(lambda: moved.labels(*values).inc),
            pass_entries=_late(lambda: entries.labels(*values).inc),
            time=duration.labels(*values).observe,
            time_first_byte=_late(lambda: first_byte.labels(*values).observe),
            fail=lambda kind: errors.labels(*values, kind).inc(),
        )

    def retry(*values: str) -> None:
        retries.labels(*values).inc()

    return Instruments(meters, retry)


def _late(make: Callable[[], Count]) -> Count:
    """A meter that is made on first use, so that an operation that moves no bytes shows no such metric."""
    made = cache(make)

    def count(value: float) -> object:
        return made()(value)

    return count


def _opentelemetry_instruments(meter: Meter, buckets: tuple[float, ...]) -> Instruments:
    def made(make: Any, metric: Metric, **options: Any) -> Any:
        return make(f"entrepot.{metric.dotted}", unit=metric.unit, description=metric.text, **options)

    operations, in_flight = made(meter.create_counter, OPERATIONS), made(meter.create_up_down_counter, IN_FLIGHT)
    moved, entries = made(meter.create_counter, BYTES), made(meter.create_counter, ENTRIES)
    duration, first_byte = (
        made(meter.create_histogram, metric, explicit_bucket_boundaries_advisory=buckets)
        for metric in (DURATION, FIRST_BYTE)
    )
    errors, retries = made(meter.create_counter, ERRORS), made(meter.create_counter, RETRIES)

    def meters(scheme: str, namespace: str, operation: str) -> Meters:
        labels = {"entrepot.scheme": scheme, "entrepot.namespace": namespace, "entrepot.operation": operation}
        return Meters(
            begin=partial(operations.add, attributes=labels),
            fly=partial(in_flight.add, attributes=labels),
            move=partial(moved.add, attributes=labels),
            pass_entries=partial(entries.add, attributes=labels),
            time=partial(duration.record, attributes=labels),
            time_first_byte=partial(first_byte.record, attributes=labels),
            fail=lambda kind: errors.add(1, attributes={**labels, "error.type": kind}),
        )

    def retry(scheme: str, operation: str, kind: str) -> None:
        retries.add(1, attributes={"entrepot.scheme": scheme, "entrepot.operation": operation, "error.type": kind})

    return Instruments(meters, retry)
