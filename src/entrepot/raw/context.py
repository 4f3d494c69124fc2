"""What a service is built with: where it waits, and how it reaches the network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from .telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from .http import HttpTransport
    from .runtime import Runtime


class Context:
    """Runtime and HTTP transport of a stack. Immutable; equal for all operators derived from one.

    Both are made on first use, so that an operator on a local disk never imports an HTTP client, and
    none imports an event loop before it runs on one.

    Arguments:
        runtime: how to wait; by default on the asyncio loop that the caller runs on.
        http: how to send a request; by default aiohttp. One that is passed in is never closed by us.
    """

    __slots__ = ("_connections", "_is_read_only", "_runtime", "_telemetry", "_uses_http")

    def __init__(self, runtime: Runtime | None = None, http: HttpTransport | None = None) -> None:
        self._runtime = runtime
        self._connections = _Connections(http)
        self._uses_http = False
        self._is_read_only = False
        self._telemetry = Telemetry()

    @property
    def runtime(self) -> Runtime:
        """How to wait."""
        if self._runtime is None:
            from .runtime.asyncio import AsyncioRuntime

            self._runtime = AsyncioRuntime()
        return self._runtime

    @property
    def is_about_to_wait(self) -> bool:
        """Whether calls are to be expected in this process: a runtime was given, or asyncio is loaded."""
        return self._runtime is not None or "asyncio" in sys.modules

    @property
    def http(self) -> HttpTransport:
        """How to send a request. A network service asks for it in `build`, never in a coroutine."""
        self._uses_http = True
        return self._connections.transport()

    @property
    def uses_http(self) -> bool:
        """Whether `http` of this very context was asked for. It tells a layer that derived one what its service is."""
        return self._uses_http

    @property
    def is_read_only(self) -> bool:
        """Whether the stack must not change the storage. A service then leaves out changes that nobody asked for.

        What is asked for is refused by the layer that says so; this is for what a service does by itself, such as the
        removal of temporary files that were left behind.
        """
        return self._is_read_only

    @property
    def telemetry(self) -> Telemetry:
        """How traces name the objects of the service that is built, and which headers it signs."""
        return self._telemetry

    def with_telemetry(self, telemetry: Telemetry) -> Context:
        """The same context for a service that declares these names."""
        context = self.replace()
        context._telemetry = telemetry  # noqa: SLF001 - of this class
        return context

    def read_only(self) -> Context:
        """The same context for a stack that must not change the storage, for layers."""
        context = self.replace()
        context._is_read_only = True  # noqa: SLF001 - of this class
        return context

    def replace(self, *, runtime: Runtime | None = None, http: HttpTransport | None = None) -> Context:
        """A context with another runtime or transport, for layers."""
        context = Context(runtime or self._runtime, http)
        if http is None:
            context._connections = self._connections
        context._is_read_only = self._is_read_only
        context._telemetry = self._telemetry
        return context

    def around_http(self, wrap: Callable[[HttpTransport], HttpTransport]) -> Context:
        """A context with something around the transport, for layers. Nothing is made before a service asks for it."""
        context = Context(self._runtime)
        context._connections = _Wrapped(self._connections, wrap)
        context._is_read_only = self._is_read_only
        context._telemetry = self._telemetry
        return context

    async def close(self) -> None:
        """Closes the connections of this loop, unless the transport was passed in."""
        await self._connections.close()

    def __reduce__(self) -> tuple[type[Self], tuple[Runtime | None, HttpTransport | None]]:
        return type(self), (self._runtime, self._connections.given)


class _Connections:
    """The transport of a context and of those derived from it: the given one, or ours, made on first use."""

    __slots__ = ("given", "ours")

    def __init__(self, given: HttpTransport | None) -> None:
        self.given = given
        self.ours: HttpTransport | None = None

    def transport(self) -> HttpTransport:
        if self.given is not None:
            return self.given
        if self.ours is None:
            from .http.aiohttp import AiohttpTransport

            self.ours = AiohttpTransport()
        return self.ours

    async def close(self) -> None:
        if self.ours is not None:
            await self.ours.close()


class _Wrapped(_Connections):
    """Connections with something around their transport. They close as those do that they are made of."""

    __slots__ = ("_inner", "_wrap")

    def __init__(self, inner: _Connections, wrap: Callable[[HttpTransport], HttpTransport]) -> None:
        super().__init__(None)
        self._inner = inner
        self._wrap = wrap

    def transport(self) -> HttpTransport:
        if self.given is None:
            self.given = self._wrap(self._inner.transport())
        return self.given

    async def close(self) -> None:
        await self._inner.close()
