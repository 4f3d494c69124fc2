"""Records whether a call leads to any I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from entrepot.raw import Context, Layer
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport

if TYPE_CHECKING:
    import io

    from entrepot.raw.runtime import CallQueue, Local, Runtime, Window
    from entrepot.raw.runtime.base import File

T = TypeVar("T")
Args = TypeVarTuple("Args")


class IoRecorder(Layer):
    """A layer that records every request that is sent and every blocking call that is made below it.

    Attributes:
        calls: the requests and calls, in order. A service in memory makes none.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def wrap_context(self, context: Context) -> Context:
        runtime = _RecordedRuntime(context.runtime, self.calls)
        return context.replace(runtime=runtime, http=_RecordedTransport(context, self.calls))


class _RecordedTransport(HttpTransport):
    """Gets the transport of the context with the first request, and not before."""

    def __init__(self, context: Context, calls: list[str]) -> None:
        self._context = context
        self._calls = calls

    async def send(self, request: HttpRequest) -> HttpResponse:
        self._calls.append(f"{request.method} request")
        return await self._context.http.send(request)


class _RecordedQueue:
    """A queue of blocking calls, which are recorded."""

    def __init__(self, inner: CallQueue, calls: list[str]) -> None:
        self._inner = inner
        self._calls = calls

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        self._calls.append("blocking call")
        return await self._inner.blocking(call, *args)


class _RecordedRuntime:
    """The runtime of a context, whose blocking calls are recorded."""

    def __init__(self, inner: Runtime, calls: list[str]) -> None:
        self._inner = inner
        self._calls = calls

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        self._calls.append("blocking call")
        return await self._inner.blocking(call, *args)

    async def blocking_long(self, call: Callable[[*Args], T], *args: *Args) -> T:
        self._calls.append("blocking call")
        return await self._inner.blocking_long(call, *args)

    def call_queue(self) -> CallQueue:
        return _RecordedQueue(self._inner.call_queue(), self._calls)

    async def try_nonblocking(self, attempt: Callable[[*Args], T | None], *args: *Args) -> T | None:
        self._calls.append("nonblocking attempt")
        return await self._inner.try_nonblocking(attempt, *args)

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, T]]) -> tuple[File, T]:
        self._calls.append("opening of a file")
        return await self._inner.open_file(opener)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    def now(self) -> float:
        return self._inner.now()

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return self._inner.timeout(seconds)

    async def with_timeout(self, seconds: float, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        return await self._inner.with_timeout(seconds, call, *args)

    def window(self, size: int) -> Window[T]:
        return self._inner.window(size)

    def lock(self) -> AbstractAsyncContextManager[object]:
        return self._inner.lock()

    def limiter(self, permits: int) -> AbstractAsyncContextManager[object]:
        return self._inner.limiter(permits)

    async def shield(self, call: Callable[[], Awaitable[T]]) -> T:
        return await self._inner.shield(call)

    def local(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> Local[T]:
        return self._inner.local(make, close)
