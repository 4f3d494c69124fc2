"""What layers that only look on have in common: one object for each operation, which its body reports to as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar, TypeVarTuple, cast

from entrepot.errors import Error

from . import OPERATIONS, Accessor, AroundAccessor, Context, LayeredAccessor, Operation, RpListUploads

T = TypeVar("T")
Args = TypeVarTuple("Args")
Token = TypeVar("Token")

_OPENING: Final = frozenset({Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST})
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
    }
)
_GOING_ON: Final = (_OPENING | _REPEATABLE | {Operation.DELETER_DELETE}) - {Operation.WRITER_CLOSE}

_OPERATIONS: Final = {call: Operation(call.capability) for call in Operation}
"""Which operation a call is of."""


def kind_of(error: BaseException) -> str:
    """The kind of an error of ours, else the name of its class, such as `"CancelledError"`."""
    return error.kind if isinstance(error, Error) else type(error).__name__


def target_of(call: Operation, args: tuple[Any, ...]) -> str:
    """Where a copy or a rename leads, by what it is called with; empty for other calls."""
    return args[1] if call in _TO_A_TARGET else ""


class Observation(AroundAccessor, Generic[Token]):
    """One operation, from its beginning until its body is closed. Subclasses override the hooks.

    It ends with the call where there is no body; with `close` or `abort` of the body; with any failure of a deleter,
    which nobody closes then. A body that goes on after its end, because that failed, is another operation.

    Attributes:
        operation: what was called, such as `read`, never a verb of its body.
        path: what it is about; empty for a deleter that took none or several.
        target: where a copy or rename leads; else empty.
        seconds: how long its calls took so far. What the caller does in between is not counted.
        size: bytes that were read or written so far.
        entries: entries listed, or deletions taken, so far.
        failure: the kind of error that it failed with, unless that call was made again and succeeded. Not the error
            itself, whose traceback would lead back here, in a cycle.
    """

    operation: Operation
    path: str
    target: str

    def __init__(self, inner: Accessor, context: Context) -> None:
        # Not that of the base, which binds operations once for a stack: this is made for each operation.
        self.inner = inner
        self.info = inner.info
        self._now = context.runtime.now
        self._is_over = False
        self._forget()

    def begun(self) -> None:
        """The operation begins."""

    def entered(self) -> Token:
        """A call of it begins: of the operation itself, or of a verb of its body. What it gives `left` is given."""
        return cast("Token", None)

    def left(self, token: Token) -> None:
        """The call has ended, in whatever way."""

    def got_first_byte(self) -> None:
        """The first bytes were read."""

    def moved(self, size: int) -> None:
        """So many bytes more were read or written."""

    def passed(self, entries: int) -> None:
        """So many entries more were listed, or deletions taken."""

    def failed(self, call: Operation, path: str, error: BaseException) -> None:
        """A call failed, or was cancelled."""

    def ended(self) -> None:
        """The operation has ended."""

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        if self._is_over:
            return await call(*args)
        if not self._is_begun:
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
        self._is_begun = False
        self._failed_at: Operation | None = None
        self.failure: str | None = None
        self.seconds = 0.0
        self.size = self.entries = 0

    def _begin(self, call: Operation, path: str, args: tuple[Any, ...]) -> None:
        self._is_begun = True
        self.operation = _OPERATIONS[call]
        self.path = path
        self.target = target_of(call, args)
        self.begun()

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
        if call not in _GOING_ON:
            self._is_over = True
            self.ended()

    def _count_read(self, _: tuple[Any, ...], data: bytes | None) -> None:
        if data:
            is_first, self.size = not self.size, self.size + len(data)
            if is_first:
                self.got_first_byte()
            self.moved(len(data))

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

    def _count_uploads(self, args: tuple[Any, ...], reply: RpListUploads) -> None:
        self._count_listed(args, reply.uploads)


_COUNTS: Final[dict[Operation, Callable[[Any, Any, Any], None]]] = {
    Operation.READER_READ: Observation._count_read,  # noqa: SLF001 - how it counts, by call
    Operation.READER_NEXT: Observation._count_read,  # noqa: SLF001
    Operation.WRITER_WRITE: Observation._count_written,  # noqa: SLF001
    Operation.DELETER_DELETE: Observation._count_deleted,  # noqa: SLF001
    Operation.LISTER_NEXT: Observation._count_listed,  # noqa: SLF001
    Operation.LIST_UPLOADS: Observation._count_uploads,  # noqa: SLF001
}


class ObservedAccessor(LayeredAccessor):
    """An accessor that makes each operation through an observation of its own.

    Arguments:
        inner: what is observed.
        observe: makes an observation of the next operation.
    """

    def __init__(self, inner: Accessor, observe: Callable[[], AroundAccessor]) -> None:
        super().__init__(inner)
        for operation in OPERATIONS:
            setattr(self, operation, _through(observe, getattr(AroundAccessor, operation)))


def _through(observe: Callable[[], AroundAccessor], call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    def observed(*args: Any) -> Awaitable[Any]:
        return call(observe(), *args)

    return observed
