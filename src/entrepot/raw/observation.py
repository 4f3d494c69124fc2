"""The base of layers that measure: one `Observation` per operation, which the verbs of its body report to as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar, TypeVarTuple, cast

from entrepot.errors import Error

from . import (
    OPERATIONS,
    WHOLE_OPERATIONS,
    Accessor,
    AroundAccessor,
    Context,
    LayeredAccessor,
    Operation,
    OpRead,
    OpWrite,
    RpListUploads,
    RpRead,
    WholeRead,
    WholeWrite,
)

T = TypeVar("T")
Args = TypeVarTuple("Args")
Token = TypeVar("Token")

_OPENING: Final = frozenset({Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST, Operation.COPY})
_TO_A_TARGET: Final = frozenset({Operation.COPY, Operation.RENAME})
_DELETION: Final = Operation.DELETER_DELETE
_REPEATABLE: Final = frozenset(
    {
        Operation.READER_READ,
        Operation.READER_SEEK,
        Operation.READER_NEXT,
        Operation.WRITER_WRITE,
        Operation.WRITER_CLOSE,
        Operation.LISTER_NEXT,
        Operation.COPIER_NEXT,
        Operation.COPIER_CLOSE,
    }
)
_CLOSING: Final = frozenset({Operation.WRITER_CLOSE, Operation.COPIER_CLOSE})
_CONTINUING: Final = (_OPENING | _REPEATABLE | {Operation.DELETER_DELETE}) - _CLOSING

_READ, _READER_READ, _READER_CLOSE = Operation.READ, Operation.READER_READ, Operation.READER_CLOSE
_WRITE, _WRITER_WRITE, _WRITER_CLOSE = Operation.WRITE, Operation.WRITER_WRITE, Operation.WRITER_CLOSE

_OPERATIONS: Final = {call: Operation(call.capability) for call in Operation}
"""The operation that each call belongs to."""


def kind_of(error: BaseException) -> str:
    """Returns the kind of an `Error`, or else the class name, such as `"CancelledError"`."""
    return error.kind if isinstance(error, Error) else type(error).__name__


def target_of(call: Operation, args: tuple[Any, ...]) -> str:
    """Returns the target among the arguments of a copy or rename; empty for other calls."""
    return args[1] if call in _TO_A_TARGET else ""


class Observation(AroundAccessor, Generic[Token]):
    """One operation, from its start until its body is closed. Subclasses override the hooks.

    An operation without a body ends with its call. One with a body ends with `close` or `abort`, and a deleter also
    with any failure, because callers do not close it then. If that last call fails and the body is used further, the
    further calls count as another operation.

    Attributes:
        operation: the operation, such as `read`, never a verb of its body.
        path: the path of the call; empty for a deleter that took no or several deletions.
        target: the target of a copy or rename; empty for others.
        seconds: the time that its calls took so far, without the caller's time in between.
        size: the bytes read or written so far.
        entries: the entries listed, or deletions taken, so far.
        failure: the kind of the last error, unless that call was repeated and succeeded. The error itself is not kept:
            its traceback refers to this object, in a cycle.
    """

    operation: Operation
    path: str
    target: str
    reads_into = True

    def __init__(self, inner: Accessor, context: Context) -> None:
        # The base's `__init__` binds operations once per stack. This object is made for each operation.
        self.inner = inner
        self.info = inner.info
        self._now = context.runtime.now
        self._is_over = False
        self._forget()

    def started(self) -> None:
        """The operation starts."""

    def entered(self) -> Token:
        """A call starts: the operation itself, or a verb of its body. `left` receives the returned token."""
        return cast("Token", None)

    def left(self, token: Token) -> None:
        """The call has ended, by a result, an error or a cancellation."""

    def got_first_byte(self) -> None:
        """The first bytes were read, before `moved` reports them."""

    def moved(self, size: int) -> None:
        """`size` more bytes were read or written."""

    def passed(self, entries: int) -> None:
        """`entries` more entries were listed, or deletions taken."""

    def failed(self, call: Operation, path: str, error: BaseException) -> None:
        """A call failed, or was cancelled."""

    def ended(self) -> None:
        """The operation has ended."""

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        if self._is_over:
            return await call(*args)
        if not self._is_started:
            self._begin(operation, path, args)
        if operation is _DELETION:
            self.path = "" if self.entries else path
        token, started = self.entered(), self._now()
        try:
            result = await call(*args)
        except BaseException as error:
            self.seconds += self._now() - started
            self._fail(operation, path, error)
            raise
        else:
            self.seconds += self._now() - started
            self._succeed(operation, args, result)
            return result
        finally:
            self.left(token)

    def _forget(self) -> None:
        self._is_started = False
        self._failed_at: Operation | None = None
        self.failure: str | None = None
        self.seconds = 0.0
        self.size = self.entries = 0

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        content = await self._open((_READ, _READER_READ), path, self.inner.read_whole, path, args, described)
        if not isinstance(content, bytes):
            return self.around_reader(path, *content)
        self._succeed(_READER_READ, (), content)
        self._succeed(_READER_CLOSE, (), None)
        return content

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        stored = await self._open((_WRITE, _WRITER_CLOSE), path, self.inner.write_whole, path, data, args)
        if isinstance(stored, tuple):
            return self.around_writer(path, *stored)
        self._succeed(_WRITER_WRITE, (data,), None)
        self._succeed(_WRITER_CLOSE, (), stored)
        return stored

    async def _open(
        self,
        calls: tuple[Operation, Operation],
        path: str,
        call: Callable[..., Awaitable[T]],
        *args: Any,
    ) -> T:
        """Starts the operation by a whole operation of the inner accessor.

        Arguments:
            calls: the call that an error ends, and the call that waits, which a cancellation ends.
            path: the path of the call.
            call: the inner accessor's method.
            args: its arguments.
        """
        opening, waiting = calls
        self._begin(opening, path, args)
        token, started = self.entered(), self._now()
        try:
            result = await call(*args)
        except BaseException as error:
            self.seconds += self._now() - started
            self.failure = kind_of(error)
            if isinstance(error, Exception):
                self.failed(opening, path, error)
            else:
                if waiting is _WRITER_CLOSE:
                    self._succeed(_WRITER_WRITE, args[1:], None)  # the data was taken
                self.failed(waiting, path, error)
            self.ended()
            raise
        else:
            self.seconds += self._now() - started
            return result
        finally:
            self.left(token)

    def _begin(self, call: Operation, path: str, args: tuple[Any, ...]) -> None:
        self._is_started = True
        self.operation = _OPERATIONS[call]
        self.path = path
        self.target = target_of(call, args)
        self.started()

    def _fail(self, call: Operation, path: str, error: BaseException) -> None:
        self.failure = kind_of(error)
        self._failed_at = call
        self.failed(call, path, error)
        if call not in _REPEATABLE:
            self.ended()
            self._forget()

    def _succeed(self, call: Operation, args: tuple[Any, ...], result: Any) -> None:
        if call is self._failed_at:
            self.failure = self._failed_at = None
        if (count := _COUNTS.get(call)) is not None:
            count(self, args, result)
        if call not in _CONTINUING:
            self._is_over = True
            self.ended()

    def _count_read(self, _: tuple[Any, ...], result: bytes | int | None) -> None:
        size = result if isinstance(result, int) else len(result or b"")
        if size:
            is_first, self.size = not self.size, self.size + size
            if is_first:
                self.got_first_byte()
            self.moved(size)

    def _count_written(self, args: tuple[bytes | bytearray | memoryview], _: None) -> None:
        data = args[0]
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        self.size += size
        self.moved(size)

    def _count_deleted(self, _: tuple[Any, ...], __: None) -> None:
        self.entries += 1
        self.passed(1)

    def _count_listed(self, _: tuple[Any, ...], page: Sequence[Any] | None) -> None:
        if page:
            self.entries += len(page)
            self.passed(len(page))

    def _count_uploads(self, args: tuple[Any, ...], response: RpListUploads) -> None:
        self._count_listed(args, response.uploads)


_COUNTS: Final[dict[Operation, Callable[[Any, Any, Any], None]]] = {
    Operation.READER_READ: Observation._count_read,  # noqa: SLF001 - methods of this module, by call
    Operation.READER_NEXT: Observation._count_read,  # noqa: SLF001
    Operation.WRITER_WRITE: Observation._count_written,  # noqa: SLF001
    Operation.DELETER_DELETE: Observation._count_deleted,  # noqa: SLF001
    Operation.LISTER_NEXT: Observation._count_listed,  # noqa: SLF001
    Operation.LIST_UPLOADS: Observation._count_uploads,  # noqa: SLF001
}


class ObservedAccessor(LayeredAccessor):
    """An accessor that makes each operation through a new observation.

    Arguments:
        inner: the accessor to observe.
        observe: makes the observation of the next operation.
    """

    def __init__(self, inner: Accessor, observe: Callable[[], AroundAccessor]) -> None:
        super().__init__(inner)
        for operation in (*OPERATIONS, *WHOLE_OPERATIONS):
            setattr(self, operation, _through(observe, operation))


def _through(observe: Callable[[], AroundAccessor], operation: str) -> Callable[..., Awaitable[Any]]:
    def observed(*args: Any) -> Awaitable[Any]:
        call: Callable[..., Awaitable[Any]] = getattr(observe(), operation)
        return call(*args)

    return observed
