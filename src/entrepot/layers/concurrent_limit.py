"""Limits the number of calls and requests at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from entrepot.errors import InvalidInput
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    LayeredAccessor,
    Operation,
    OpRead,
    OpWrite,
    RpRead,
    WholeRead,
    WholeWrite,
)
from entrepot.raw.http import HttpBody, HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.per_runtime import PerRuntime
from entrepot.types.numbers import as_integer

if TYPE_CHECKING:
    from entrepot.raw.runtime import Local, Runtime

T = TypeVar("T")
Args = TypeVarTuple("Args")
Permits = AbstractAsyncContextManager[object]

_WITHOUT_IO = frozenset({
    Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST, Operation.COPY, Operation.PRESIGN,
    Operation.READER_CLOSE, Operation.LISTER_CLOSE,
})  # fmt: skip


class ConcurrentLimitLayer(Layer):
    """Limits the number of concurrent calls; further calls wait in order of arrival.

    A permit covers one call of an operation or of a verb of a body, and is released when that returns, raises or is
    cancelled. Between its calls a body holds no permit, so an open one does not block others.
    Opening a body, closing a reader or lister, and presigning do no I/O and need no permit.

    A writer sends parts, and a copy ranges, that outlive the call that started them: `http_limit` counts these too. It
    covers a request until the head of its response has arrived, and each read of content.

    All operators with the same layer object share its permits on one event loop. The blocking operators of services
    without a loop share other permits, in all threads. Two layers that several operators share must be in the same
    order in each of them: otherwise two calls may each hold the permit that the other waits for.

    Arguments:
        limit: the number of calls, at least 1.
        http_limit: the number of requests and reads of content, at least 1. By default None: no limit.

    Raises:
        InvalidInput: an argument cannot work; or, when a service is wrapped, the layer is in its stack already.
    """

    def __init__(self, limit: int, http_limit: int | None = None) -> None:
        self._calls = _permits(as_integer("limit", limit, least=1))
        self._requests = None if http_limit is None else _permits(as_integer("http_limit", http_limit, least=1))

    def wrap_context(self, context: Context) -> Context:
        if self._requests is None:
            return context
        return context.around_http(partial(_LimitedTransport, self._requests.on(context.runtime)))

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        permits = self._calls.on(context.runtime)
        if any(isinstance(inner, _LimitedAccessor) and inner.permits is permits for inner in _inside(accessor)):
            raise InvalidInput(
                "the same ConcurrentLimitLayer is in the stack twice, where a call waits for a permit that it holds "
                "itself: add it once, or make another one",
                scheme=accessor.info.scheme,
            )
        return _LimitedAccessor(accessor, permits)


def _inside(accessor: Accessor) -> Iterator[Accessor]:
    """An accessor and the accessors that it wraps, as far as they are layered."""
    yield accessor
    while isinstance(accessor, LayeredAccessor):
        accessor = accessor.inner
        yield accessor


def _permits(count: int) -> PerRuntime[Permits]:
    return PerRuntime(partial(_limiter, count))


def _limiter(count: int, runtime: Runtime) -> Permits:
    return runtime.limiter(count)


class _LimitedAccessor(AroundAccessor):
    operations = frozenset(Operation) - _WITHOUT_IO
    reads_into = True

    def __init__(self, inner: Accessor, permits: Local[Permits]) -> None:
        super().__init__(inner)
        self.permits = permits

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        async with await self.permits.get():
            return await call(*args)

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        content = await self.around(Operation.READER_READ, path, self.inner.read_whole, path, args, described)
        return content if isinstance(content, bytes) else self.around_reader(path, *content)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        stored = await self.around(Operation.WRITER_CLOSE, path, self.inner.write_whole, path, data, args)
        return self.around_writer(path, *stored) if isinstance(stored, tuple) else stored


class _LimitedTransport(HttpTransport):
    def __init__(self, permits: Local[Permits], inner: HttpTransport) -> None:
        self._permits = permits
        self._inner = inner

    async def send(self, request: HttpRequest) -> HttpResponse:
        async with await self._permits.get():
            response = await self._inner.send(request)
        response.body = _LimitedBody(self._permits, response.body)
        return response

    async def close(self) -> None:
        await self._inner.close()


class _LimitedBody(HttpBody):
    __slots__ = ("_inner", "_permits")

    def __init__(self, permits: Local[Permits], inner: HttpBody) -> None:
        self._permits = permits
        self._inner = inner

    @property
    def is_at_end(self) -> bool:
        return self._inner.is_at_end

    async def read(self, n: int) -> bytes:
        async with await self._permits.get():
            return await self._inner.read(n)

    async def readinto(self, buffer: memoryview) -> int:
        async with await self._permits.get():
            return await self._inner.readinto(buffer)

    def take_rest(self) -> bytes | None:
        return self._inner.take_rest()  # it has arrived, so that it takes no part of the network

    async def close(self) -> None:
        await self._inner.close()
