"""A layer takes a number or refuses it with `InvalidInput`, and one that it takes breaks no call later."""

import inspect
from collections.abc import Callable, Iterator
from threading import TIMEOUT_MAX
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from entrepot import Error, InvalidInput, Operator
from entrepot.blocking.sides import Side
from entrepot.layers import (
    CapabilityOverrideLayer,
    ChaosLayer,
    ConcurrentLimitLayer,
    MetricsLayer,
    RetryLayer,
    ThrottleLayer,
    TimeoutLayer,
)
from entrepot.raw import Context, Layer
from entrepot.raw.runtime.inline import InlineRunner, InlineRuntime
from entrepot.services import Memory

ABSURD: tuple[Any, ...] = (
    0, -0.0, -1, 1, 1e-320, 5e-324, 1e30, 1.7e308, 10**30, 10**300, 10**308, 10**400, -(10**400), 2**63, 2**64,
    float("inf"), float("-inf"), float("nan"), True, None, "1", "", 1j, object(), (), [1], 10**9, 1e9, TIMEOUT_MAX,
    TIMEOUT_MAX * 2, (1e30,), (10**400,), (float("nan"),), (1, float("nan")), (-1, 1),
)  # fmt: skip


def _registered(**values: Any) -> Layer:
    return MetricsLayer(CollectorRegistry(), **values)


BESIDE: dict[Callable[..., Layer], dict[str, Any]] = {
    RetryLayer: {"max_times": 3},
    TimeoutLayer: {},
    ThrottleLayer: {"bandwidth": 1e9},
    ConcurrentLimitLayer: {"limit": 1},
    ChaosLayer: {"seed": 1},
    CapabilityOverrideLayer: {},
    _registered: {},
}
NAMES: dict[Callable[..., Layer], tuple[str, ...]] = {
    CapabilityOverrideLayer: ("delete_max_size", "write_total_max_size", "write_multi_max_size", "stat"),
    _registered: ("buckets",),
}


def _cases() -> Iterator[Any]:
    for layer, beside in BESIDE.items():
        for name in NAMES.get(layer) or [one for one in inspect.signature(layer).parameters if not one.startswith("_")]:
            yield pytest.param(layer, beside, name, id=f"{layer.__name__}-{name}")


class _NoWait(InlineRuntime):
    """Does not wait, but says what the system would say to so many seconds."""

    async def sleep(self, seconds: float) -> None:
        if not 0 <= seconds <= TIMEOUT_MAX:
            raise OverflowError(f"nothing can wait for {seconds} seconds")


def _use(layer: Layer, *others: Layer) -> None:
    op = Operator(Memory(), layers=(*others, layer), context=Context(runtime=_NoWait())).blocking()
    # On the runtime of this test, in place of the one that waits.
    op._inner = op._operator
    op._plain = op._overlapping = Side(op._operator, InlineRunner())
    for call in (
        lambda: op.write("a", b"bytes"),
        lambda: op.read("a"),
        lambda: op.read("a", chunk=2),
        lambda: op.stat("a"),
        lambda: op.list("/"),
        lambda: op.delete("/", recursive=True),
    ):
        try:
            call()
        except Error:
            continue


@pytest.mark.parametrize(("layer", "beside", "name"), list(_cases()))
def test_an_absurd_number_is_refused_or_works(layer: Callable[..., Layer], beside: dict[str, Any], name: str) -> None:
    refused = 0
    for value in ABSURD:
        try:
            made = layer(**{**beside, name: value})
        except InvalidInput as error:
            refused += 1
            assert not error.is_temporary
            continue
        try:
            _use(made)
            _use(made, ChaosLayer(seed=1, error_ratio=0.5))
        except InvalidInput as error:  # what only the service can refuse
            assert name in str(error)
    assert refused


@pytest.mark.parametrize("value", [1e30, 1e300, 10**30, TIMEOUT_MAX * 2])
@pytest.mark.parametrize(
    "make",
    [
        lambda value: RetryLayer(min_delay=value, max_delay=value),
        lambda value: RetryLayer(max_delay=value),
        lambda value: RetryLayer(max_elapsed=value),
        lambda value: TimeoutLayer(timeout=value),
        lambda value: TimeoutLayer(io_timeout=value),
        lambda value: TimeoutLayer(deadline=value),
        lambda value: ChaosLayer(latency=value),
    ],
)
def test_more_seconds_than_can_be_waited_for_are_refused(make: Callable[[float], Layer], value: float) -> None:
    with pytest.raises(InvalidInput, match="must be at most"):
        make(value)
