"""`Context`: the runtime and the HTTP transport that a service is built with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self, TypeVar

from entrepot.errors import ConfigInvalid

from .telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from .accessor import Accessor
    from .config import ServiceConfig
    from .http import HttpTransport
    from .http.settings import TransportSettings
    from .runtime import Local, Runtime

    _Release = Callable[[Any], Awaitable[None]]
    from .storage import Storage

    OpenStorage = Callable[["str | ServiceConfig | Storage", "Context"], Accessor]

T = TypeVar("T")


_Kind = tuple[bool, "TransportSettings | None"]
"""What a transport of ours is made for: whether its calls have no event loop, and the settings of a configuration."""


class Context:
    """The runtime and the HTTP transport of a stack. Immutable; all operators derived from one share it.

    Both are made on first use, so that an operator on a local disk never imports an HTTP client, and
    no operator imports an event loop before it runs on one.

    Arguments:
        runtime: how calls wait; by default on the caller's asyncio loop.
        http: how requests are sent; by default on our own connections, and on blocking sockets for calls without an
            event loop. `close` never closes a transport that was passed in.
    """

    __slots__ = (
        "_connections", "_has_no_loop", "_is_read_only", "_locals", "_open_storage", "_runtime", "_settings", "_shared",
        "_telemetry", "_uses_http",
    )  # fmt: skip

    def __init__(self, runtime: Runtime | None = None, http: HttpTransport | None = None) -> None:
        self._runtime = runtime
        self._connections = _Connections(http)
        self._settings: TransportSettings | None = None
        self._has_no_loop = False
        self._uses_http = False
        self._is_read_only = False
        self._telemetry = Telemetry()
        self._open_storage: OpenStorage | None = None
        self._shared = dict[Any, Any]()
        self._locals: dict[Any, tuple[Local[Any], _Release | None]] = {}

    @property
    def runtime(self) -> Runtime:
        """The runtime of this stack, which waits."""
        if self._runtime is None:
            from .runtime.asyncio import AsyncioRuntime

            self._runtime = AsyncioRuntime()
        return self._runtime

    @property
    def is_about_to_wait(self) -> bool:
        """Whether this process is likely to make calls: a runtime was passed in, or asyncio is loaded."""
        return self._runtime is not None or "asyncio" in sys.modules

    @property
    def http(self) -> HttpTransport:
        """The HTTP transport. Reading it may import, so network services read it in `build`, never in a coroutine.

        Raises:
            ConfigInvalid: the configuration has options of connections, and a transport was passed in.
        """
        self._uses_http = True
        return self._connections.transport(self._kind)

    @property
    def _kind(self) -> _Kind:
        return self._has_no_loop, self._settings

    @property
    def has_given_http(self) -> bool:
        """Whether the transport, or a wrapper around it, was passed in. It may need an event loop."""
        return self._connections.given is not None or isinstance(self._connections, _Wrapped)

    @property
    def uses_http(self) -> bool:
        """Whether `http` of this context object was read. A layer learns so if the service it wraps is remote."""
        return self._uses_http

    @property
    def is_read_only(self) -> bool:
        """Whether the stack must not change the storage.

        The layer that makes a stack read-only refuses the operations that write. This flag stops the changes that a
        service makes by itself, such as the removal of stale temporary files.
        """
        return self._is_read_only

    @property
    def telemetry(self) -> Telemetry:
        """How traces name the objects of the service that is built."""
        return self._telemetry

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """Returns a value that all stacks of one context share on one runtime, such as credentials that expire.

        Arguments:
            key: names the value, and what it depends on.
            make: makes it, the first time.
        """
        place = self._has_no_loop, key
        if place not in self._shared:
            self._shared.setdefault(place, make())  # of two threads, the first one's stays
        value: T = self._shared[place]
        return value

    def shared_local(
        self,
        key: Hashable,
        make: Callable[[], T],
        close: Callable[[T], Awaitable[None]] | None = None,
        release: Callable[[T], Awaitable[None]] | None = None,
    ) -> Local[T]:
        """Returns a value for each event loop that all stacks of one context share, such as a pool of sessions.

        `Context.close` closes the value of the running loop. The next use makes another.

        Arguments:
            key: names the value, and what it depends on.
            make: makes it, on its loop.
            close: closes it, on its loop; also when the loop shuts down.
            release: what `Context.close` does instead, where some of the value is in use until the loop shuts down. The
                value stays.
        """
        place = self._has_no_loop, key
        if place not in self._locals:
            made = self.runtime.local(make, close), release
            self._locals.setdefault(place, made)  # of two threads, the first one's stays
        local: Local[T] = self._locals[place][0]
        return local

    @property
    def has_no_loop(self) -> bool:
        """Whether calls are made without an event loop."""
        return self._has_no_loop

    def open_storage(self, source: str | ServiceConfig | Storage) -> Accessor:
        """Returns the stack of another storage, for a service that is built over it. No I/O.

        Arguments:
            source: an operator, a configuration, or the URI of one.

        Raises:
            ConfigInvalid: the source is not the URI of a service, or this context is not that of an operator.
        """
        if self._open_storage is None:
            raise ConfigInvalid("only an operator can build a service over another storage", operation="configure")
        return self._open_storage(source, self)

    def for_service(
        self, telemetry: Telemetry, settings: TransportSettings | None, open_storage: OpenStorage | None = None
    ) -> Context:
        """The same context for a service that declares these names, and whose connections have these settings.

        Configurations with the same settings share a transport; others have their own.

        Arguments:
            telemetry: the names.
            settings: the settings of connections; None are those of the transport.
            open_storage: builds the stack of another storage in a context.
        """
        context = self.replace()
        context._telemetry = telemetry  # noqa: SLF001 - of this class
        context._settings = settings  # noqa: SLF001 - of this class
        context._open_storage = open_storage  # noqa: SLF001 - of this class
        return context

    def without_loop(self) -> Context:
        """Returns a copy for calls without an event loop: the inline runtime, and connections on blocking sockets."""
        from .runtime.inline import InlineRuntime

        context = self.replace(runtime=InlineRuntime())
        context._has_no_loop = True  # noqa: SLF001 - of this class
        return context

    def read_only(self) -> Context:
        """Returns a copy for a stack that must not change the storage. For layers."""
        context = self.replace()
        context._is_read_only = True  # noqa: SLF001 - of this class
        return context

    def replace(self, *, runtime: Runtime | None = None, http: HttpTransport | None = None) -> Context:
        """Returns a copy with another runtime or transport. For layers."""
        return self._with(runtime or self._runtime, self._connections if http is None else _Connections(http))

    def around_http(self, wrap: Callable[[HttpTransport], HttpTransport]) -> Context:
        """Returns a copy with a wrapper around the transport, made when `http` is first read. For layers."""
        return self._with(self._runtime, _Wrapped(self._connections, wrap))

    def _with(self, runtime: Runtime | None, connections: _Connections) -> Context:
        context = Context(runtime)
        context._connections = connections
        context._has_no_loop = self._has_no_loop
        context._is_read_only = self._is_read_only
        context._settings = self._settings
        context._telemetry = self._telemetry
        context._open_storage = self._open_storage
        context._shared = self._shared
        context._locals = self._locals
        return context

    async def close(self) -> None:
        """Closes the connections of this loop, or of this process without one, unless the transport was passed in.

        The values of `shared_local` that belong to this loop are closed too.
        """
        for (has_no_loop, _), (local, release) in list(self._locals.items()):
            if has_no_loop is self._has_no_loop:
                await (local.close() if release is None else release(await local.get()))
        await self._connections.close(has_no_loop=self._has_no_loop)

    def __reduce__(self) -> tuple[type[Self], tuple[Runtime | None, HttpTransport | None]]:
        return type(self), (self._runtime, self._connections.given)


class _Connections:
    """The transports that a context shares with its copies: the given one, or ours, made on first use.

    There is one of ours for each combination of settings, on event loops and on blocking sockets.
    """

    __slots__ = ("given", "ours")

    def __init__(self, given: HttpTransport | None) -> None:
        self.given = given
        self.ours: dict[_Kind, HttpTransport] = {}

    def transport(self, kind: _Kind) -> HttpTransport:
        if self.given is not None:
            _refuse_options(kind[1])
            return self.given
        if kind not in self.ours:
            self.ours.setdefault(kind, _made(*kind))  # of two threads, the first one's stays
        return self.ours[kind]

    async def close(self, *, has_no_loop: bool) -> None:
        for (is_blocking, _), transport in list(self.ours.items()):
            if is_blocking is has_no_loop:
                await transport.close()


class _Wrapped(_Connections):
    """Connections with a wrapper around each transport. Closing closes the inner connections."""

    __slots__ = ("_inner", "_wrap")

    def __init__(self, inner: _Connections, wrap: Callable[[HttpTransport], HttpTransport]) -> None:
        super().__init__(None)
        self._inner = inner
        self._wrap = wrap

    def transport(self, kind: _Kind) -> HttpTransport:
        if kind not in self.ours:
            self.ours[kind] = self._wrap(self._inner.transport(kind))
        return self.ours[kind]

    async def close(self, *, has_no_loop: bool) -> None:
        await self._inner.close(has_no_loop=has_no_loop)


def _made(has_no_loop: bool, settings: TransportSettings | None) -> HttpTransport:
    if has_no_loop:
        from .http.blocking import BlockingTransport

        return BlockingTransport() if settings is None else BlockingTransport.of(settings)
    from .http.choice import new_transport

    return new_transport(settings)


def _refuse_options(settings: TransportSettings | None) -> None:
    if settings is not None and (chosen := settings.chosen):
        names = ", ".join(chosen)
        raise ConfigInvalid(
            f"{names} cannot be set beside a transport that is passed in: set them in that transport",
            operation="configure",
        )
