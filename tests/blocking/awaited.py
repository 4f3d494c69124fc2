"""A `BlockingOperator` that looks like an `Operator`, so that the behaviour suite can be run on it.

Each call is made in a thread. It cannot be cancelled, so whoever is cancelled waits for it and gets its result.
"""

import asyncio
from collections.abc import AsyncIterable

import anyio
from anyio import EndOfStream

from entrepot import Operator
from entrepot.blocking import BlockingLister, BlockingOperator, BlockingReader, BlockingWriter

_END = object()


async def in_thread(call, *args, **options):
    with anyio.CancelScope(shield=True):
        return await asyncio.to_thread(call, *args, **options)


class AwaitedOperator(Operator):
    """An operator whose calls are those of its blocking twin."""

    def __init__(self, operator):
        self._twin = operator if isinstance(operator, BlockingOperator) else operator.blocking()

    @property
    def info(self):
        return self._twin.info

    def layer(self, layer):
        return AwaitedOperator(self._twin.layer(layer))

    def __reduce__(self):
        return type(self), (self._twin,)

    def __getattribute__(self, name):
        if name.startswith("_") or name in ("info", "layer"):
            return super().__getattribute__(name)
        twin = self._twin
        if name in ("reader", "writer", "lister"):
            return lambda path, **options: Opening(getattr(twin, name), path, options)
        return lambda *args, **options: in_thread(getattr(twin, name), *(map(without_await, args)), **options)


def without_await(argument):
    """An operator as its twin, and an async iterable as an iterable, for another thread than that of the loop."""
    if isinstance(argument, Operator):
        return argument._twin if isinstance(argument, AwaitedOperator) else argument.blocking()
    return drawn(aiter(argument), asyncio.get_running_loop()) if isinstance(argument, AsyncIterable) else argument


def drawn(items, loop):
    async def draw():
        return await anext(items, _END)

    while (item := asyncio.run_coroutine_threadsafe(draw(), loop).result()) is not _END:
        yield item


class Opening:
    """What is awaited, entered or iterated."""

    def __init__(self, call, path, options):
        self._call = call
        self._path = path
        self._options = options

    def __await__(self):
        return self._open().__await__()

    async def _open(self):
        return AWAITED[type(opened := await in_thread(self._call, self._path, **self._options))](opened)

    async def __aenter__(self):
        self._entered = await self
        return self._entered

    async def __aexit__(self, *exc_info):
        await self._entered.__aexit__(*exc_info)

    async def __aiter__(self):
        async with await self as opened:
            async for item in opened:
                yield item


class Awaited:
    """A blocking reader, writer or lister, each of whose methods is awaited."""

    def __init__(self, twin):
        self._twin = twin

    def __getattr__(self, name):
        method = getattr(self._twin, {"aclose": "close"}.get(name, name))
        return lambda *args, **options: in_thread(method, *args, **options)

    def tell(self):
        return self._twin.tell()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        await in_thread(self._twin.__exit__, *exc_info)

    async def __aiter__(self):
        items = iter(self._twin)
        try:
            while (item := await in_thread(next, items, _END)) is not _END:
                yield item
        finally:
            await in_thread(items.close)


class AwaitedReader(Awaited):
    async def receive(self, max_bytes=65536):
        if not (data := await in_thread(self._twin.read1, max_bytes)):
            raise EndOfStream
        return data


AWAITED = {BlockingReader: AwaitedReader, BlockingWriter: Awaited, BlockingLister: Awaited}
