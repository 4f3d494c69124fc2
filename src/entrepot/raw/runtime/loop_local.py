"""Values that belong to one event loop of one process, such as connections.

Theory of operation. A value is made on first use and held by an async generator that belongs to its loop.
`loop.shutdown_asyncgens()`, which `asyncio.run` calls, closes that generator, whose `finally` closes the value:
values close by themselves when their loop shuts down. Loops of several threads may use one `LoopLocal`; a lock guards
the table. The values of closed loops leave it when the next value is made.

In a forked child all inherited values and loops are leaked on purpose: a loop shares its epoll with the parent, so
that closing it, or a socket registered with it, would unregister the parent's sockets and hang the parent.
"""

import asyncio
import os
import socket
import threading
import weakref
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import AsyncGenerator, Awaitable, Callable
from selectors import DefaultSelector
from typing import Any, Final, Generic, NamedTuple, TypeVar

from .leak import leak
from .running import running_loop

T = TypeVar("T")

used_loops: "weakref.WeakSet[asyncio.AbstractEventLoop]" = weakref.WeakSet()
_SHARED: Final = ("_selector", "_ssock", "_csock", "_default_executor", "_transports", "_make_self_pipe")
"""What of a loop `_detach` needs. It is private, so that of another Python may lack it; then the loop is only leaked,
and a child that leaves it by `sys.exit` can disturb its parent."""

_SHARED_BY_TRANSPORT: Final = ("_sock", "_buffer")

_all_locals: "weakref.WeakSet[LoopLocal[Any]]" = weakref.WeakSet()


class _Held(NamedTuple, Generic[T]):
    value: T
    keeper: AsyncGenerator[None, None]


class LoopLocal(Generic[T]):
    """A value for each event loop, made on first use.

    Arguments:
        make: makes the value; called on its loop.
        close: closes it; called on its loop. If it holds this object, that stays until the loop ends.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]] | None = None) -> None:
        self._make = make
        self._close = close
        self._reset()
        _all_locals.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[asyncio.AbstractEventLoop, _Held[T]] = {}
        # The values are reachable beyond this object. Collected together with it, in a reference cycle, they
        # would be finalized before they are closed, and in whatever thread that is.
        self._finalizer = weakref.finalize(self, self._held.clear)
        self._finalizer.atexit = False

    async def get(self) -> T:
        loop = running_loop()
        value = self.find(loop)
        return await self._hold(loop) if value is None else value

    def find(self, loop: asyncio.AbstractEventLoop) -> T | None:
        """The value of the running loop; None if it has none yet. Unlike `get`, it costs no coroutine."""
        held = self._held.get(loop)
        return None if held is None else held.value

    async def close(self) -> None:
        held = self._held.get(running_loop())
        if held is not None:
            await held.keeper.aclose()

    async def _hold(self, loop: asyncio.AbstractEventLoop) -> T:
        value = self._make()
        keeper = _keep(value, self._close, weakref.ref(self), loop)
        await anext(keeper)
        used_loops.add(loop)
        with self._lock:
            self._forget_closed_loops()
            self._held[loop] = _Held(value, keeper)
        return value

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Lets go of the value of a loop that is closing it."""
        with self._lock:
            self._held.pop(loop, None)

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._held if loop.is_closed()]:
            del self._held[loop]

    def leak(self) -> None:
        """Lets go of every value without closing or collecting it. For the child of a fork."""
        leak(self._held)
        self._finalizer.detach()
        self._reset()


async def _keep(
    value: T,
    close: Callable[[T], Awaitable[None]] | None,
    owner: "weakref.ref[LoopLocal[T]]",
    loop: asyncio.AbstractEventLoop,
) -> AsyncGenerator[None, None]:
    """Holds the value until the loop shuts down or there is no other reference to it.

    It knows its owner weakly: in a cycle with it, the value would be finalized before it is closed.
    """
    process = os.getpid()
    try:
        yield
    finally:
        if (local := owner()) is not None:
            local.forget(loop)
        # A child that leaves by `sys.exit` shuts the inherited loop down, and must leave the value alone.
        if close is not None and os.getpid() == process:
            await close(value)


def _leak_inherited() -> None:
    for loop in list(used_loops):
        if loop.is_closed():
            continue  # there is nothing of it left to share
        leak(loop)
        if isinstance(loop, BaseSelectorEventLoop) and _has_all(loop, _SHARED):
            _detach(loop)
    used_loops.clear()
    for local in list(_all_locals):
        local.leak()


def _detach(loop: Any) -> None:
    """Gives an inherited loop a selector, a wake-up socket and threads of its own, and cuts its connections off.

    A child that leaves by `sys.exit` passes through `asyncio.run`, which closes the loop: that would take
    the wake-up socket out of the epoll that the parent waits on, and wait for threads that are not here.
    Before that it cancels the tasks. Bytes that they send to a peer in `finally`, such as the close_notify of TLS,
    would get into the middle of the bytes that the parent sends.
    """
    for name in _SHARED:
        leak(getattr(loop, name))
    for transport in list(loop._transports.values()):  # noqa: SLF001
        if _has_all(transport, _SHARED_BY_TRANSPORT):
            _cut_off(transport)
    loop._default_executor = None  # noqa: SLF001
    loop._selector = DefaultSelector()  # noqa: SLF001
    loop._make_self_pipe()  # noqa: SLF001


def _cut_off(transport: Any) -> None:
    """Replaces an inherited socket by one without a reader at its other end."""
    leak(transport)
    leak(transport._sock)  # noqa: SLF001
    transport._buffer.clear()  # noqa: SLF001  - closing would wait until it is sent
    transport._sock, unread = socket.socketpair()  # noqa: SLF001
    transport._sock.setblocking(False)  # noqa: SLF001
    leak(unread)


def _has_all(inherited: object, names: tuple[str, ...]) -> bool:
    return all(hasattr(inherited, name) for name in names)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leak_inherited)
