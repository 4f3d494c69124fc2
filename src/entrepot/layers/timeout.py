"""Limits the duration of calls, and the time that a body may receive or send nothing."""

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
    OpCopy,
    OpDelete,
    Operation,
    OpList,
    OpRead,
    OpWrite,
    RpCopy,
    RpDelete,
    RpList,
    RpRead,
    RpWrite,
    WholeRead,
    WholeWrite,
    oio,
)
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.in_line import awaited_option
from entrepot.raw.layered import Coro
from entrepot.types.numbers import as_seconds

T = TypeVar("T")
Args = TypeVarTuple("Args")

_STREAMING: Final = frozenset({
    Operation.READER_READ, Operation.READER_NEXT, Operation.READER_SEEK, Operation.WRITER_WRITE, Operation.LISTER_NEXT,
})  # fmt: skip
_CONTENT: Final = _STREAMING | {Operation.WRITER_CLOSE, Operation.SHARED_UPLOAD}
_COPYING: Final = frozenset({Operation.COPIER_NEXT, Operation.COPIER_CLOSE})
_DELETING: Final = frozenset({Operation.DELETER_DELETE, Operation.DELETER_CLOSE})
_ABORTING: Final = frozenset({Operation.WRITER_ABORT, Operation.COPIER_ABORT})
_OPENING: Final = frozenset({Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST, Operation.COPY})

DEFAULT_SECONDS: Final = 60.0
"""The limit of a call, and of an idle body, in a stack over a network to which no `TimeoutLayer` was added."""

_idle: ContextVar[float | None] = ContextVar("idle", default=None)
"""The idle limit of the requests of the current call. The tasks that it starts inherit it."""


class TimeoutLayer(Layer):
    """Raises `Timeout`, which is temporary, if the storage is too slow. It belongs inside `RetryLayer`.

    - A call that moves no content takes `timeout` at most: stat, create_dir, rename, presign, deletions, listing and
      aborting uploads, opening a body, and aborting a writer or a copy.
    - A call that moves content has no limit as a whole if the service speaks HTTP. There, connecting and every request
      of a reader, writer or lister may be idle for `io_timeout`: no byte arrives and none is taken. Closing a writer
      may be idle for `timeout`, because the storage needs time to assemble a large object from its parts. If the
      service does its I/O in another way, each verb of a body takes `io_timeout` at most, and closing a writer
      `timeout`.
    - A copy and a recursive deletion take as long as they need. Over HTTP none of their requests may be idle for
      `timeout`, such as the request that copies one range of a large object.
    - With `deadline`, an operation takes that long at most, whatever it moves, and so does a body from its opening to
      its last verb, including the time between its verbs. Only the abort of a writer or a copy still runs afterwards.
      This `Timeout` is not temporary: the same call can no longer succeed. A read with `chunk` opens a body for each
      chunk.

    The limits include the wait for a free connection, if there are as many calls in flight as connections
    (`max_connections`). A `Timeout` that came there says so.

    After a `Timeout` the same verb of a body can be called again. A system call cannot be interrupted: if a local disk
    hangs, its thread continues. The caller of a read or write returns, and a write that is then given up does not
    appear later. A rename, a deletion, a create_dir or a `readinto` returns when its thread has ended: late,
    but nothing happens afterwards. The blocking operator without an event loop (fs, memory) checks the time before
    each system call, so it hangs with a system call that hangs.

    Arguments:
        timeout: seconds, above 0; None leaves the limits of the transport. By default 60.
        io_timeout: seconds, above 0; None leaves the limits of the transport. By default 10.
        deadline: seconds, above 0. By default None: no limit.

    Raises:
        InvalidInput: an argument cannot work.
    """

    WORKS_WITHOUT_LOOP = True
    goes_inside: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "RetryLayer": "one limit would cover all attempts and the delays between them",
            "ThrottleLayer": "the wait for a turn would count as slowness of the storage",
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
        """The layer of a stack over a network to which the caller adds none.

        Over HTTP it limits calls that move no content, and leaves the idle time of requests to the transport: a
        transport that the caller passed in has limits that the caller chose. So it costs a reader nothing.
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
        """Seconds that a call may be idle."""
        return self._io_timeout if operation in _STREAMING else self._timeout

    @property
    def has_deadline(self) -> bool:
        """Whether operations have a deadline."""
        return self._deadline is not None

    def ends_at(self, now: float) -> float | None:
        """The deadline of an operation that starts now."""
        return None if self._deadline is None else now + self._deadline


def _checked(name: str, value: float | None) -> float | None:
    return None if value is None else as_seconds(name, value, above=0)


class _TimeoutAccessor(AroundAccessor):
    operations = frozenset(Operation) - {Operation.READER_CLOSE, Operation.LISTER_CLOSE}  # these do not wait
    reads_into = True

    def __init__(self, inner: Accessor, layer: TimeoutLayer, context: Context) -> None:
        super().__init__(inner)
        self._layer = layer
        self._runtime = context.runtime
        self._limits = {operation: _limit(operation, layer, context) for operation in self.operations}
        self._has_deadline = layer.has_deadline
        self._is_recursive = False
        self.ends_at: float | None = None

    def _for_body(self, *, is_deleter: bool = False) -> _TimeoutAccessor:
        """The accessor of one body, with its deadline, and for a deleter whether it deletes recursively."""
        if not is_deleter and not self._has_deadline:
            return self
        body = copy(self)
        body.ends_at = self._layer.ends_at(self._runtime.now())
        return body

    def read(self, path: str, args: OpRead) -> Coro[tuple[RpRead, oio.Read]]:
        return AroundAccessor.read(self._for_body(), path, args)

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        timed = self._for_body()
        try:
            content = await timed.around(Operation.READER_READ, path, self.inner.read_whole, path, args, described)
        except Timeout as error:
            if error.operation != Operation.READER_READ:
                raise
            response, body = timed.around_reader(path, *await self.inner.read(path, args))
            return response, oio.FailedReader(body, error)
        return content if isinstance(content, bytes) else timed.around_reader(path, *content)

    def write(self, path: str, args: OpWrite) -> Coro[tuple[RpWrite, oio.Write]]:
        return AroundAccessor.write(self._for_body(), path, args)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        timed = self._for_body()
        try:
            stored = await timed.around(Operation.WRITER_CLOSE, path, self.inner.write_whole, path, data, args)
        except Timeout as error:
            if error.operation != Operation.WRITER_CLOSE:
                raise
            response, body = timed.around_writer(path, *await self.inner.write(path, args))
            return response, oio.FailedWriter(body, error)
        return timed.around_writer(path, *stored) if isinstance(stored, tuple) else stored

    def delete(self) -> Coro[tuple[RpDelete, oio.Delete]]:
        return AroundAccessor.delete(self._for_body(is_deleter=True))

    def list(self, path: str, args: OpList) -> Coro[tuple[RpList, oio.List]]:
        return AroundAccessor.list(self._for_body(), path, args)

    def copy(self, source: str, target: str, args: OpCopy) -> Coro[tuple[RpCopy, oio.Copy]]:
        return AroundAccessor.copy(self._for_body(), source, target, args)

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        seconds = self._limits[operation]
        if operation in _DELETING and self._deletes_recursively(args):
            seconds = None
        left = self._left(operation) if self._has_deadline else None
        try:
            if left is not None and left <= 0:
                raise TimeoutError
            limit = seconds if left is None else _least(seconds, left)
            return await (call(*args) if limit is None else self._runtime.with_timeout(limit, call, *args))
        except TimeoutError as error:
            if isinstance(error, Error):
                raise
            is_over = left is not None and (seconds is None or left < seconds)
            message = _message(seconds, awaited_option(error), is_over=is_over)
            raise self._timeout(operation, path, message, is_temporary=not is_over) from error

    def _deletes_recursively(self, args: tuple[object, ...]) -> bool:
        """Whether a deletion of this deleter is recursive, which has no time limit."""
        self._is_recursive |= any(isinstance(arg, OpDelete) and arg.recursive for arg in args)
        return self._is_recursive

    def _left(self, operation: Operation) -> float | None:
        if operation in _ABORTING:
            return None
        now = self._runtime.now()
        ends_at = self._layer.ends_at(now) if self.ends_at is None else self.ends_at
        return None if ends_at is None else ends_at - now

    def _timeout(self, operation: Operation, path: str, message: str, *, is_temporary: bool) -> Timeout:
        scheme = self.info.scheme
        return Timeout(message, scheme=scheme, operation=operation.value, path=path or None, is_temporary=is_temporary)


class _HttpTimeoutAccessor(_TimeoutAccessor):
    """Sets the idle limit of the requests of a call as well."""

    reads_into = True

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        token = _idle.set(_least(_idle.get(), self._layer.idle_limit(operation)))
        try:
            return await super().around(operation, path, call, *args)
        finally:
            _idle.reset(token)

    read_whole = _TimeoutAccessor.read_whole
    write_whole = _TimeoutAccessor.write_whole


class _WholeCallTimeoutAccessor(_TimeoutAccessor):
    """Limits only calls that move no content, and does not touch requests, so that a reader costs nothing.

    Opening a body does no I/O. The accessor has no deadline, so no body needs the time of its opening.
    """

    operations = _TimeoutAccessor.operations - _CONTENT - _COPYING - _OPENING - {Operation.PRESIGN}

    def __init__(self, inner: Accessor, layer: TimeoutLayer, context: Context) -> None:
        super().__init__(inner, layer, context)
        self.read_whole = inner.read_whole  # type: ignore[method-assign]

    read = AroundAccessor.read
    list = AroundAccessor.list
    copy = AroundAccessor.copy

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        stored = await self.inner.write_whole(path, data, args)
        return self.around_writer(path, *stored) if isinstance(stored, tuple) else stored


def _message(seconds: float | None, awaited: str | None, *, is_over: bool) -> str:
    """The message of a timeout.

    Arguments:
        seconds: the limit of the call; None is that of the service.
        awaited: the option of the connections, if the call was still waiting for a free one.
        is_over: whether the deadline has passed.
    """
    waited = "the time limit of the service" if seconds is None else f"{seconds:g} seconds"
    message = "the deadline has passed" if is_over else f"no response within {waited}"
    return message if awaited is None else f"{message}: the call was waiting for a free connection ({awaited})"


def _limit(operation: Operation, layer: TimeoutLayer, context: Context) -> float | None:
    """Seconds that a call as a whole may take, unless it is a recursive deletion; None is no limit."""
    if operation in _COPYING or (operation in _CONTENT and context.uses_http):
        return None
    return layer.idle_limit(operation)


def _least(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


class _IdleTransport(HttpTransport):
    """Sets the idle limit of each request of a call. A request with a lower limit keeps it."""

    def __init__(self, connect_timeout: float | None, inner: HttpTransport) -> None:
        self._connect_timeout = connect_timeout
        self._inner = inner

    async def send(self, request: HttpRequest) -> HttpResponse:
        connect = _least(request.connect_timeout, self._connect_timeout)
        return await self._inner.send(request.with_timeouts(connect, _least(request.idle_timeout, _idle.get())))

    async def close(self) -> None:
        await self._inner.close()
