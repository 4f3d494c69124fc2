"""A read into a buffer passes every layer as `reader.read`, and no layer or body that overrides `read` is bypassed."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import pytest
from prometheus_client import CollectorRegistry

from entrepot import Unexpected
from entrepot.layers import ChaosLayer, ConcurrentLimitLayer, MetricsLayer, RetryLayer, ThrottleLayer
from entrepot.raw import (
    DEFAULT_READ,
    Accessor,
    AccessorInfo,
    AroundAccessor,
    Context,
    Layer,
    LayeredAccessor,
    Operation,
    OpRead,
    RpRead,
    oio,
)
from entrepot.raw.http import HttpRequest
from entrepot.testing.transport import MockTransport, reply
from tests.layers.calls import EVERYTHING
from tests.layers.test_every_layer import CHANGING, LAYERS

T = TypeVar("T")
Args = TypeVarTuple("Args")

CONTENT = b"0123456789"


class _Body(oio.BytesReader):
    """Content in memory that records how it is read."""

    def __init__(self, calls: list[str], fails: int) -> None:
        super().__init__(lambda: CONTENT)
        self._calls = calls
        self._fails = fails

    async def read(self, n: int) -> bytes:
        self._calls.append("read")
        return await super().read(n)

    async def readinto(self, buffer: memoryview) -> int:
        self._calls.append("readinto")
        if self._fails:
            self._fails -= 1
            buffer[:2] = b"??"
            raise Unexpected("not now", is_temporary=True)
        data = await super().read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Service(Accessor):
    def __init__(self, fails: int = 0) -> None:
        self.info = AccessorInfo("test", native_capability=EVERYTHING)
        self.calls: list[str] = []
        self._fails = fails

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return RpRead(), _Body(self.calls, self._fails)


async def _read_into(accessor: Accessor, size: int) -> tuple[int, bytes]:
    _, body = await accessor.read("a", DEFAULT_READ)
    buffer = bytearray(size)
    count = await body.readinto(memoryview(buffer))
    return count, bytes(buffer)


# CHANGING has no layer that changes what is read.
@pytest.mark.parametrize(
    "layer", [*LAYERS, *sorted(CHANGING, key=lambda layer: layer.__name__)], ids=lambda layer: layer.__name__
)
async def test_every_layer_of_ours_lets_a_body_read_into_the_buffer(layer: type[Layer]) -> None:
    service = _Service()
    made = LAYERS[layer][0]() if layer in LAYERS else layer(*(["p/"] if layer.__name__ == "PrefixLayer" else []))
    assert await _read_into(made.wrap(service, Context()), 4) == (4, b"0123")
    assert service.calls == ["readinto"]


class _Seen(AroundAccessor):
    """A user's layer, which knows only reads that return bytes."""

    def __init__(self, inner: Accessor) -> None:
        super().__init__(inner)
        self.seen: list[tuple[str, object, object]] = []

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        result = await call(*args)
        if operation is Operation.READER_READ:
            self.seen.append((operation.value, args, result))
        return result


async def test_a_layer_that_does_not_know_it_sees_a_read_that_returns_bytes() -> None:
    service = _Service()
    layer = _Seen(service)
    assert await _read_into(layer, 4) == (4, b"0123")
    assert layer.seen == [("reader.read", (4,), b"0123")]
    assert service.calls == ["read"]


async def test_a_layer_that_does_not_know_it_is_left_alone_by_what_its_base_knows() -> None:
    class Derived(_Seen):
        reads_into = True

    class Further(Derived):
        async def around(
            self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args
        ) -> T:
            return await super().around(operation, path, call, *args)

    assert (Derived.reads_into, Further.reads_into) == (True, False)


async def test_a_body_of_a_users_layer_that_overrides_read_is_not_bypassed() -> None:
    class Upper(oio.StreamableReader):
        pass

    class Reversed(_Body):
        async def read(self, n: int) -> bytes:
            return (await super().read(n))[::-1]

    class Mixin:
        async def read(self, n: int) -> bytes:
            return b"mixed"

    class Mixed(Mixin, _Body):
        pass

    buffer = bytearray(5)
    assert await Reversed([], 0).readinto(memoryview(buffer)) == 5
    assert buffer == b"43210"
    assert await Mixed([], 0).readinto(memoryview(buffer)) == 5
    assert buffer == b"mixed"
    calls: list[str] = []
    assert await Upper(_Body(calls, 0)).readinto(memoryview(buffer)) == 5
    assert calls == ["readinto"]


async def test_a_layer_that_returns_another_body_is_not_bypassed() -> None:
    class Upper(oio.Read):
        def __init__(self, inner: oio.Read) -> None:
            self._inner = inner

        async def read(self, n: int) -> bytes:
            return (await self._inner.read(n)).replace(b"1", b"#")

    class Layered(LayeredAccessor):
        async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
            response, body = await self.inner.read(path, args)
            return response, Upper(body)

    assert await _read_into(Layered(_Service()), 4) == (4, b"0#23")


async def test_a_failed_call_is_retried_and_counted_as_a_read() -> None:
    registry = CollectorRegistry()
    service = _Service(fails=2)
    stack = RetryLayer(min_delay=0).wrap(service, Context())
    stack = MetricsLayer(registry).wrap(stack, Context())
    assert await _read_into(stack, 4) == (4, b"0123")
    assert service.calls == ["readinto"] * 3
    labels = {"scheme": "test", "namespace": "", "operation": "read"}
    assert registry.get_sample_value("entrepot_bytes_total", labels) == 4
    assert registry.get_sample_value("entrepot_first_byte_seconds_count", labels) == 1


async def test_a_throttle_counts_the_bytes_that_arrived_and_not_the_buffer() -> None:
    throttle = ThrottleLayer(bandwidth=1000, burst=100)
    stack = throttle.wrap(_Service(), Context())
    for _ in range(3):  # a buffer counted as bytes to send would wait for minutes
        assert (await _read_into(stack, 1 << 20))[0] == 10


@pytest.mark.parametrize("lost_ratio", [0, 1])
async def test_a_fault_in_a_read_into_a_buffer_moves_nothing(lost_ratio: float) -> None:
    chaos = ChaosLayer(seed=4, error_ratio=0.5, truncate_ratio=0.5, lost_ratio=lost_ratio, operations=["reader.read"])
    _, body = (
        await RetryLayer(min_delay=0, max_times=50, budget=None)
        .wrap(chaos.wrap(_Service(), Context()), Context())
        .read("a", DEFAULT_READ)
    )
    buffer, received = bytearray(3), b""
    while count := await body.readinto(memoryview(buffer)):
        received += buffer[:count]
    assert received == CONTENT


async def test_a_limit_of_http_calls_holds_while_content_is_received() -> None:
    context = ConcurrentLimitLayer(1, http_limit=1).wrap_context(
        Context(http=MockTransport(lambda _: reply(200, b"content")))
    )
    body = (await context.http.send(HttpRequest("GET", "http://h/a"))).body
    buffer = bytearray(16)
    assert await body.readinto(memoryview(buffer)) == 7
    assert buffer[:7] == b"content"
    assert await body.readinto(memoryview(buffer)) == 0
