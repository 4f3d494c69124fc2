"""Limits how long a call may take, and how long a body may stand still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from copy import copy
from functools import partial
from types import MappingProxyType
from typing import ClassVar, Final, Self, TypeVar, TypeVarTuple

from entrepot.errors import Error, Timeout
from entrepot.raw import (
    Accessor,
    AroundAccessor,
    Context,
    Layer,
    OpDelete,
    Operation,
    OpList,
    OpRead,
    OpWrite,
    RpDelete,
    RpList,
    RpRead,
    RpWrite,
    oio,
)
from entrepot.raw.accessor import Coro
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport
from entrepot.types.numbers import as_seconds

T = TypeVar("T")
Args = TypeVarTuple("Args")

_STREAMING: Final = frozenset({
    Operation.READER_READ, Operation.READER_NEXT, Operation.READER_SEEK, Operation.WRITER_WRITE, Operation.LISTER_NEXT,
})  # fmt: skip
_CONTENT: Final = _STREAMING | {Operation.WRITER_CLOSE}
_DELETING: Final = frozenset({Operation.DELETER_DELETE, Operation.DELETER_CLOSE})
_OPENING: Final = frozenset({Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST})

DEFAULT_SECONDS: Final = 60.0
"""The limit of a call, and of a body that stands still, where a stack over a network has no `TimeoutLayer` added."""

_idle: ContextVar[float | None] = ContextVar("idle", default=None)
"""How long the requests of the call that is made may stand still. Calls that it lets run ahead inherit it."""


class TimeoutLayer(Layer):
    """Raises `Timeout`, which is temporary, where the storage is too slow. It goes inside `RetryLayer`.

    - A call that moves no content takes `timeout` at most: stat, create_dir, rename, presign, deletions, uploads that
      are listed or aborted, the opening of a body, and the abort of a writer.
    - A call that moves content is never limited as a whole where the service speaks HTTP. There a connection, and
      every request of a reader, writer or lister, may stand still for `io_timeout`: no byte comes, and none is taken.
      A writer that is closed may for `timeout`, since to make a large object of its parts takes the storage a while.
      Where the service does its I/O in another way, each verb of a body takes `io_timeout` at most, and the
      closing of a writer `timeout`.
    - A copy and a recursive deletion take as long as there is to copy or delete. Over HTTP none of their requests
      stands still for `timeout`.
    - With `deadline`, an operation takes that long at most, whatever it moves, and so does a body from its opening to
      its last verb, the time between its verbs included. Only the abort of a writer is still made afterwards. This
      `Timeout` is not temporary: the same call cannot succeed any more. A read with `chunk` opens a body for each
      chunk.

    After a `Timeout` the same verb of a body can be called again. A system call cannot be interrupted, so on a local
    disk that hangs the thread goes on. Whoever reads or writes is let go, and a write that is then given up does not
    appear later. A rename, a deletion or a create_dir returns when its thread has ended, late but certain that
    nothing happens afterwards. In the blocking operator without an event loop (fs, memory) the time is looked at before
    each system call: what hangs in one hangs.

    Arguments:
        timeout: seconds, above 0; None is no limit but what the transport has of its own. By default 60.
        io_timeout: seconds, above 0; None is likewise. By default 10.
        deadline: seconds, above 0. By default None: no limit.

    Raises:
        InvalidInput: an argument cannot work.
    """

    goes_inside: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "RetryLayer": "one limit would hold for all attempts and the waits between them",
            "ThrottleLayer": "waiting for one's turn would count as slowness of the storage",
        }
    )

    def __init__(
        self, timeout: float | None = 60.0, io_timeout: float | None = 10.0, deadline: float | None = None
    ) -> None:
        self._timeout = _checked("timeout", timeout)
        self._io_timeout = _checked("io_timeout", io_timeout)
        self._deadline = _checked("deadline", deadline)
        self._limits_requests = True

    @classmethod
    def default(cls) -> Self:
        """The layer of a stack over a network to which none is added.

        Over HTTP it limits whole calls that move no content, and leaves it to the transport how long a request may
        stand still: one that was passed in has limits that the caller chose. It then costs a reader nothing.
        """
        layer = cls(timeout=DEFAULT_SECONDS, io_timeout=DEFAULT_SECONDS)
        layer._limits_requests = False
        return layer

    def wrap_context(self, context: Context) -> Context:
        return context.around_http(partial(_IdleTransport, self._io_timeout)) if self._limits_requests else context

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        if not context.uses_http:
            return _TimeoutAccessor(accessor, self, context)
        around = _HttpTimeoutAccessor if self._limits_requests else _WholeCallTimeoutAccessor
        return around(accessor, self, context)

    def idle_limit(self, operation: Operation) -> float | None:
        """How many seconds a call may stand still."""
        return self._io_timeout if operation in _STREAMING else self._timeout

    @property
    def has_deadline(self) -> bool:
        """Whether an operation has a time by which it must have ended."""
        return self._deadline is not None

    def ends_at(self, now: float) -> float | None:
        """When what begins now must have ended."""
        return None if self._deadline is None else now + self._deadline


def _checked(name: str, value: float | None) -> float | None:
    return None if value is None else as_seconds(name, value, above=0)


class _TimeoutAccessor(AroundAccessor):
    operations = frozenset(Operation) - {Operation.READER_CLOSE, Operation.LISTER_CLOSE}  # these do not wait

    def __init__(self, inner: Accessor, layer: TimeoutLayer, context: Context) -> None:
        super().__init__(inner)
        self._layer = layer
        self._runtime = context.runtime
        self._limits = {one: _limit(one, layer, context) for one in self.operations}
        self._has_deadline = layer.has_deadline
        self._is_recursive = False
        self.ends_at: float | None = None

    def _for_body(self, *, is_deleter: bool = False) -> _TimeoutAccessor:
        """What remembers when a body was opened, and of a deleter what was asked of it."""
        if not is_deleter and not self._has_deadline:
            return self
        body = copy(self)
        body.ends_at = self._layer.ends_at(self._runtime.now())
        return body

    def read(self, path: str, args: OpRead) -> Coro[tuple[RpRead, oio.Read]]:
        return AroundAccessor.read(self._for_body(), path, args)

    def write(self, path: str, args: OpWrite) -> Coro[tuple[RpWrite, oio.Write]]:
        return AroundAccessor.write(self._for_body(), path, args)

    def delete(self) -> Coro[tuple[RpDelete, oio.Delete]]:
        return AroundAccessor.delete(self._for_body(is_deleter=True))

    def list(self, path: str, args: OpList) -> Coro[tuple[RpList, oio.List]]:
        return AroundAccessor.list(self._for_body(), path, args)

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        seconds = self._limits[operation]
        if operation in _DELETING and self._is_of_all(args):
            seconds = None
        left = self._left(operation) if self._has_deadline else None
        try:
            if left is not None and left <= 0:
                raise TimeoutError
            limit = _least(seconds, left)
            return await (call(*args) if limit is None else self._runtime.with_timeout(limit, call, *args))
        except TimeoutError as error:
            if isinstance(error, Error):
                raise
            is_over = left is not None and (seconds is None or left < seconds)
            raise self._timeout(operation, path, seconds, is_over=is_over) from error

    def _is_of_all(self, args: tuple[object, ...]) -> bool:
        """Whether a deleter was asked for what lies beneath, which takes as long as there is to delete."""
        self._is_recursive |= any(isinstance(one, OpDelete) and one.recursive for one in args)
        return self._is_recursive

    def _left(self, operation: Operation) -> float | None:
        if operation is Operation.WRITER_ABORT:
            return None
        now = self._runtime.now()
        ends_at = self._layer.ends_at(now) if self.ends_at is None else self.ends_at
        return None if ends_at is None else ends_at - now

    def _timeout(self, operation: Operation, path: str, seconds: float | None, *, is_over: bool) -> Timeout:
        waited = "the time that the service itself sets" if seconds is None else f"{seconds:g} seconds"
        message = "the deadline has passed" if is_over else f"no answer came within {waited}"
        return Timeout(
            message, scheme=self.info.scheme, operation=operation.value, path=path or None, is_temporary=not is_over
        )


class _HttpTimeoutAccessor(_TimeoutAccessor):
    """Tells the requests of a call besides how long they may stand still."""

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        token = _idle.set(_least(_idle.get(), self._layer.idle_limit(operation)))
        try:
            return await super().around(operation, path, call, *args)
        finally:
            _idle.reset(token)


class _WholeCallTimeoutAccessor(_TimeoutAccessor):
    """Leaves the requests and the verbs that move content as they are, so that a reader costs nothing more.

    To open a body is no I/O. The accessor has no deadline, and so no body needs to know when it was opened.
    """

    operations = _TimeoutAccessor.operations - _CONTENT - _OPENING - {Operation.COPY, Operation.PRESIGN}

    read = AroundAccessor.read
    list = AroundAccessor.list


def _limit(operation: Operation, layer: TimeoutLayer, context: Context) -> float | None:
    """How many seconds a call as a whole may take, as long as nobody asks for more than one thing by it."""
    if operation is Operation.COPY or (operation in _CONTENT and context.uses_http):
        return None
    return layer.idle_limit(operation)


def _least(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


class _IdleTransport(HttpTransport):
    """Says in each request of a call how long it may stand still. A request that says less keeps that."""

    def __init__(self, connect_timeout: float | None, inner: HttpTransport) -> None:
        self._connect_timeout = connect_timeout
        self._inner = inner

    async def send(self, request: HttpRequest) -> HttpResponse:
        connect = _least(request.connect_timeout, self._connect_timeout)
        return await self._inner.send(request.with_timeouts(connect, _least(request.idle_timeout, _idle.get())))

    async def close(self) -> None:
        await self._inner.close()
