"""The blocking transport behind the interface that awaits: each call runs in a thread, by the inline runtime.

So the tests of servers that do wrong, which drive an event loop, run over it unchanged.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from entrepot.errors import Unsupported
from entrepot.raw.http import HttpBody, HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.http.blocking import BlockingTransport
from entrepot.raw.runtime import inline

T = TypeVar("T")

_THREADS = ThreadPoolExecutor(128)
"""As many calls at a time as any test makes: the default executor has few threads on a small machine."""


class InThreads(HttpTransport):
    """A blocking transport with the given arguments, called in threads.

    A caller that is cancelled waits for its thread, which goes on to its end: no thread can be cancelled.
    """

    def __init__(self, **arguments: Any) -> None:
        self.inner = BlockingTransport(**arguments)

    @classmethod
    def of(cls, settings: Any) -> "InThreads":
        return cls(**settings.arguments)

    async def send(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = await _in_thread(lambda: self.inner.send(request))
        response.body = _Body(response.body)
        return response

    async def close(self) -> None:
        await _in_thread(self.inner.close)

    def __repr__(self) -> str:
        return repr(self.inner)


class _Body(HttpBody):
    def __init__(self, inner: HttpBody) -> None:
        self._inner = inner

    @property
    def is_at_end(self) -> bool:
        return self._inner.is_at_end

    async def read(self, n: int) -> bytes:
        return await _in_thread(lambda: self._inner.read(n))

    async def readinto(self, buffer: memoryview) -> int:
        return await _in_thread(lambda: self._inner.readinto(buffer))

    async def close(self) -> None:
        inline.run(self._inner.close())


async def _in_thread(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError as error:
        raise Unsupported("needs a running loop") from error
    thread = asyncio.get_running_loop().run_in_executor(_THREADS, lambda: inline.run(call()))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        if not thread.cancelled() and thread.exception() is None:
            result = thread.result()
            if isinstance(result, HttpResponse):
                inline.run(result.body.close())
        raise
