"""Services and runtimes whose time the tests decide about."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from entrepot.raw import Accessor, AroundAccessor, Context, Layer, Operation
from entrepot.raw.runtime.asyncio import AsyncioRuntime


class Hanging(Layer):
    """What goes around a service so that some calls of it wait until they are let go."""

    def __init__(self, *operations: Operation) -> None:
        self.operations = frozenset(operations)
        self.calls: list[str] = []
        self.running = 0
        self.most = 0
        self.gate = asyncio.Event()

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _HangingAccessor(accessor, self)


class _HangingAccessor(AroundAccessor):
    def __init__(self, inner: Accessor, layer: Hanging) -> None:
        super().__init__(inner)
        self._layer = layer

    async def around(self, operation: Operation, path: str, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        layer = self._layer
        layer.calls.append(operation.value)
        if operation not in layer.operations:
            return await call(*args)
        layer.running += 1
        layer.most = max(layer.most, layer.running)
        try:
            await layer.gate.wait()
            return await call(*args)
        finally:
            layer.running -= 1


class FakeTime(AsyncioRuntime):
    """A runtime that waits for no time: sleeping sets its clock forward."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.clock

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.clock + seconds
        await asyncio.sleep(0)
        self.clock = max(self.clock, until)


async def turns(count: int = 20) -> None:
    """Lets all tasks run until they wait."""
    for _ in range(count):
        await asyncio.sleep(0)
