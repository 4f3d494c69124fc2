"""The bases of layers: accessors around an accessor, and the wrappers of the bodies that they return.

- `LayeredAccessor` forwards every operation; a subclass overrides the operations that it changes.
- `AroundAccessor` runs one coroutine, `around`, for each call that it names: operations and the verbs of bodies.

Theory of operation. A stack is built once and called often, so both bases decide at construction what passes
through them. An operation that a layer leaves alone is bound straight to the inner accessor's bound method (an
instance attribute hides the class's method): a call of it costs nothing here, however many such layers there are
(646 to 319 ns through four). The bodies of `AroundAccessor` do the same with verbs that the layer does not name, and a
body of which no verb is named is returned unwrapped.

No layer is bypassed by `read_whole` and `write_whole`, whether it knows them or not. A layer that changes `read` in any
way, and has no rule for `read_whole`, opens its own body. A rule belongs to the class that has it: a subclass that
overrides `read`, `around`, `around_named` or `operations` must state its own, and gets the default otherwise. A rule
sees less than the verbs: on success only bytes or metadata, and everything else as a body. `CompleteLayer` turns the
failure of a service into a body whose verb fails, so retries, measures and errors of a failure are those of the verb.

`around` runs in the caller's task and starts none of its own, so a cancellation reaches the call directly. One
accessor serves any number of calls at the same time; one body serves one task at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import cache
from typing import Any, TypeVar, TypeVarTuple

from entrepot.types import Entry, Metadata

from .accessor import OPERATIONS, WHOLE_OPERATIONS, Accessor, WholeRead, WholeWrite
from .oio.copy.api import Copy
from .oio.delete.api import Delete
from .oio.list.api import LeftOut, List
from .oio.read.api import Read
from .oio.write.api import Write
from .operation import Operation
from .ops import (
    OpAbortUpload,
    OpCopy,
    OpCreateDir,
    OpDelete,
    OpGetTags,
    OpList,
    OpListUploads,
    OpPresign,
    OpRead,
    OpRename,
    OpSetTags,
    OpSharedUpload,
    OpStat,
    OpWrite,
)
from .overrides import keep_override
from .rps import (
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpGetTags,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpRename,
    RpSetTags,
    RpSharedUpload,
    RpStat,
    RpWrite,
)

T = TypeVar("T")
Args = TypeVarTuple("Args")

Coro = Coroutine[Any, Any, T]
"""The coroutine of a call. A plain method that returns the coroutine of an inner call saves one of its own, which would
only await the inner one."""


class LayeredAccessor(Accessor):
    """An accessor around another. A subclass overrides the operations that it changes and calls `self.inner`.

    Every other operation is the inner accessor's bound method, so that a call of it costs nothing here.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        for whole, operation in WHOLE_OPERATIONS.items():
            for replaced in (operation, "around", "around_named", "operations"):
                keep_override(cls, replaced, whole, getattr(LayeredAccessor, whole))
        super().__init_subclass__(**options)  # has nothing left to do

    def __init__(self, inner: Accessor) -> None:
        self.inner = inner
        self.info = inner.info
        for operation in OPERATIONS:
            if not self._changes(operation):
                setattr(self, operation, getattr(inner, operation))

    def _changes(self, operation: str) -> bool:
        return getattr(type(self), operation) is not getattr(LayeredAccessor, operation)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        return await self.inner.stat(path, args)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, Read]:
        return await self.inner.read(path, args)

    def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> Coro[WholeRead]:
        """Passes the call on if this accessor does not change `read`, and opens its own body otherwise."""
        return self.inner.read_whole(path, args, described) if self.read == self.inner.read else self.read(path, args)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, Write]:
        return await self.inner.write(path, args)

    def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> Coro[WholeWrite]:
        """Passes the call on if this accessor does not change `write`, and opens its own body otherwise."""
        return self.inner.write_whole(path, data, args) if self.write == self.inner.write else self.write(path, args)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        return await self.inner.create_dir(path, args)

    async def delete(self) -> tuple[RpDelete, Delete]:
        return await self.inner.delete()

    async def list(self, path: str, args: OpList) -> tuple[RpList, List]:
        return await self.inner.list(path, args)

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, Copy]:
        return await self.inner.copy(source, target, args)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        return await self.inner.rename(source, target, args)

    async def get_tags(self, path: str, args: OpGetTags) -> RpGetTags:
        return await self.inner.get_tags(path, args)

    async def set_tags(self, path: str, args: OpSetTags) -> RpSetTags:
        return await self.inner.set_tags(path, args)

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        return await self.inner.list_uploads(path, args)

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        return await self.inner.abort_upload(path, args)

    async def shared_upload(self, path: str, args: OpSharedUpload, content: bytes) -> RpSharedUpload:
        return await self.inner.shared_upload(path, args, content)

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        return await self.inner.presign(path, args)


@cache
def _methods_of(operations: frozenset[Operation]) -> frozenset[str]:
    """The methods of an accessor that make these operations or return the bodies with these verbs."""
    return frozenset(operation.capability for operation in operations)


class AroundAccessor(LayeredAccessor):
    """An accessor that runs each call that it names inside its coroutine `around`.

    Subclasses override `around`. A subclass that means only some calls narrows `operations`: for the class, or for
    one accessor before `super().__init__`.

    A `reader.read` may also receive into a buffer: `args` is then the buffer, a memoryview, and the result the number
    of bytes. A class whose `around` expects that says so by `reads_into = True`. In any other that defines `around`,
    such a call becomes a `reader.read` that returns bytes, and these are copied.
    """

    operations: frozenset[Operation] = frozenset(Operation)
    reads_into: bool = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "around" in vars(cls) and "reads_into" not in vars(cls):
            cls.reads_into = False

    def _changes(self, operation: str) -> bool:
        if getattr(type(self), operation) is not getattr(AroundAccessor, operation):
            return True
        return operation in _methods_of(self.operations)

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes the call, in the caller's task. An override may make it more than once.

        Arguments:
            operation: the operation or the verb.
            path: the path of the call; the source of a copy or rename; empty for opening or closing a deleter.
            call: the inner accessor's or body's bound method.
            args: all of its arguments.
        """
        return await call(*args)

    def around_named(self, operation: Operation, path: str, call: Callable[[*Args], Coro[T]], *args: *Args) -> Coro[T]:
        """Makes the call, inside `around` if this accessor names it."""
        if operation in self.operations:
            return self.around(operation, path, call, *args)
        return call(*args)

    def around_reader(self, path: str, response: RpRead, body: Read) -> tuple[RpRead, Read]:
        """Returns an opened body whose verbs run inside `around`, as far as this accessor names them."""
        return response, body if self.operations.isdisjoint(_READER_VERBS) else _AroundReader(self, path, body)

    def around_writer(self, path: str, response: RpWrite, body: Write) -> tuple[RpWrite, Write]:
        """The same for a body that takes data."""
        return response, body if self.operations.isdisjoint(_WRITER_VERBS) else _AroundWriter(self, path, body)

    def stat(self, path: str, args: OpStat) -> Coro[RpStat]:
        return self.around_named(_STAT, path, self.inner.stat, path, args)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, Read]:
        return self.around_reader(path, *await self.around_named(_READ, path, self.inner.read, path, args))

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, Write]:
        return self.around_writer(path, *await self.around_named(_WRITE, path, self.inner.write, path, args))

    def create_dir(self, path: str, args: OpCreateDir) -> Coro[RpCreateDir]:
        return self.around_named(_CREATE_DIR, path, self.inner.create_dir, path, args)

    async def delete(self) -> tuple[RpDelete, Delete]:
        response, body = await self.around_named(_DELETE, "", self.inner.delete)
        return response, body if self.operations.isdisjoint(_DELETER_VERBS) else _AroundDeleter(self, body)

    async def list(self, path: str, args: OpList) -> tuple[RpList, List]:
        response, body = await self.around_named(_LIST, path, self.inner.list, path, args)
        return response, body if self.operations.isdisjoint(_LISTER_VERBS) else _AroundLister(self, path, body)

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, Copy]:
        response, body = await self.around_named(_COPY, source, self.inner.copy, source, target, args)
        return response, body if self.operations.isdisjoint(_COPIER_VERBS) else _AroundCopier(self, source, body)

    def rename(self, source: str, target: str, args: OpRename) -> Coro[RpRename]:
        return self.around_named(_RENAME, source, self.inner.rename, source, target, args)

    def get_tags(self, path: str, args: OpGetTags) -> Coro[RpGetTags]:
        return self.around_named(_GET_TAGS, path, self.inner.get_tags, path, args)

    def set_tags(self, path: str, args: OpSetTags) -> Coro[RpSetTags]:
        return self.around_named(_SET_TAGS, path, self.inner.set_tags, path, args)

    def list_uploads(self, path: str, args: OpListUploads) -> Coro[RpListUploads]:
        return self.around_named(_LIST_UPLOADS, path, self.inner.list_uploads, path, args)

    def abort_upload(self, path: str, args: OpAbortUpload) -> Coro[RpAbortUpload]:
        return self.around_named(_ABORT_UPLOAD, path, self.inner.abort_upload, path, args)

    def shared_upload(self, path: str, args: OpSharedUpload, content: bytes) -> Coro[RpSharedUpload]:
        return self.around_named(_SHARED_UPLOAD, path, self.inner.shared_upload, path, args, content)

    def presign(self, path: str, args: OpPresign) -> Coro[RpPresign]:
        return self.around_named(_PRESIGN, path, self.inner.presign, path, args)


def _verbs_of(body: str) -> frozenset[Operation]:
    return frozenset(verb for verb in Operation if verb.value.startswith(f"{body}."))


# On Python 3.11 the lookup of an enum member takes as long as a call, and each call through here names several.
_STAT, _READ, _WRITE, _DELETE, _LIST = (
    Operation.STAT, Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST,
)  # fmt: skip
_COPY, _RENAME, _CREATE_DIR, _PRESIGN = Operation.COPY, Operation.RENAME, Operation.CREATE_DIR, Operation.PRESIGN
_GET_TAGS, _SET_TAGS = Operation.GET_TAGS, Operation.SET_TAGS
_LIST_UPLOADS, _ABORT_UPLOAD = Operation.LIST_UPLOADS, Operation.ABORT_UPLOAD
_SHARED_UPLOAD = Operation.SHARED_UPLOAD
_READER_READ, _READER_SEEK = Operation.READER_READ, Operation.READER_SEEK
_READER_NEXT, _READER_CLOSE = Operation.READER_NEXT, Operation.READER_CLOSE
_WRITER_WRITE, _WRITER_CLOSE, _WRITER_ABORT = Operation.WRITER_WRITE, Operation.WRITER_CLOSE, Operation.WRITER_ABORT
_DELETER_DELETE, _DELETER_CLOSE = Operation.DELETER_DELETE, Operation.DELETER_CLOSE
_LISTER_NEXT, _LISTER_CLOSE = Operation.LISTER_NEXT, Operation.LISTER_CLOSE
_COPIER_NEXT, _COPIER_CLOSE, _COPIER_ABORT = Operation.COPIER_NEXT, Operation.COPIER_CLOSE, Operation.COPIER_ABORT

_METHODS = {verb: verb.value.partition(".")[2] for verb in Operation}
_READER_VERBS = _verbs_of("reader")
_WRITER_VERBS = _verbs_of("writer")
_DELETER_VERBS = _verbs_of("deleter")
_LISTER_VERBS = _verbs_of("lister")
_COPIER_VERBS = _verbs_of("copier")


def _bind_unnamed(body: object, inner: object, verbs: frozenset[Operation], layer: AroundAccessor) -> None:
    """Gives the body the inner body's own verbs where the layer does not name them."""
    for verb in verbs - layer.operations:
        name = _METHODS[verb]
        setattr(body, name, getattr(inner, name))


class _AroundReader(Read):
    def __init__(self, layer: AroundAccessor, path: str, inner: Read) -> None:
        self._around = layer.around
        self._path = path
        self._inner = inner
        self._reads_into = layer.reads_into
        if not layer.operations >= _READER_VERBS:
            _bind_unnamed(self, inner, _READER_VERBS, layer)
            if _READER_READ not in layer.operations:
                self.readinto = inner.readinto  # type: ignore[method-assign]

    @property
    def is_at_end(self) -> bool:
        return self._inner.is_at_end

    @property
    def remaining(self) -> int | None:
        return self._inner.remaining

    def read(self, n: int) -> Coro[bytes]:
        return self._around(_READER_READ, self._path, self._inner.read, n)

    def readinto(self, buffer: memoryview) -> Coro[int]:
        if self._reads_into:
            return self._around(_READER_READ, self._path, self._inner.readinto, buffer)
        return super().readinto(buffer)

    def seek(self, offset: int, whence: int = 0) -> Coro[int]:
        return self._around(_READER_SEEK, self._path, self._inner.seek, offset, whence)

    def next(self) -> Coro[bytes | None]:
        return self._around(_READER_NEXT, self._path, self._inner.next)

    def close(self) -> Coro[None]:
        return self._around(_READER_CLOSE, self._path, self._inner.close)


class _AroundWriter(Write):
    def __init__(self, layer: AroundAccessor, path: str, inner: Write) -> None:
        self._around = layer.around
        self._path = path
        self._inner = inner
        if not layer.operations >= _WRITER_VERBS:
            _bind_unnamed(self, inner, _WRITER_VERBS, layer)

    def write(self, data: bytes | bytearray | memoryview) -> Coro[None]:
        return self._around(_WRITER_WRITE, self._path, self._inner.write, data)

    def close(self) -> Coro[Metadata]:
        return self._around(_WRITER_CLOSE, self._path, self._inner.close)

    def abort(self) -> Coro[None]:
        return self._around(_WRITER_ABORT, self._path, self._inner.abort)


class _AroundDeleter(Delete):
    def __init__(self, layer: AroundAccessor, inner: Delete) -> None:
        self._around = layer.around
        self._inner = inner
        if not layer.operations >= _DELETER_VERBS:
            _bind_unnamed(self, inner, _DELETER_VERBS, layer)

    def delete(self, path: str, args: OpDelete) -> Coro[None]:
        return self._around(_DELETER_DELETE, path, self._inner.delete, path, args)

    def close(self) -> Coro[None]:
        return self._around(_DELETER_CLOSE, "", self._inner.close)


class _AroundLister(List):
    def __init__(self, layer: AroundAccessor, path: str, inner: List) -> None:
        self._around = layer.around
        self._path = path
        self._inner = inner
        if not layer.operations >= _LISTER_VERBS:
            _bind_unnamed(self, inner, _LISTER_VERBS, layer)

    def next(self) -> Coro[Sequence[Entry] | None]:
        return self._around(_LISTER_NEXT, self._path, self._inner.next)

    def left_out(self) -> Sequence[LeftOut]:
        return self._inner.left_out()

    def close(self) -> Coro[None]:
        return self._around(_LISTER_CLOSE, self._path, self._inner.close)


class _AroundCopier(Copy):
    def __init__(self, layer: AroundAccessor, source: str, inner: Copy) -> None:
        self._around = layer.around
        self._source = source
        self._inner = inner
        if not layer.operations >= _COPIER_VERBS:
            _bind_unnamed(self, inner, _COPIER_VERBS, layer)

    def next(self) -> Coro[int | None]:
        return self._around(_COPIER_NEXT, self._source, self._inner.next)

    def close(self) -> Coro[Metadata]:
        return self._around(_COPIER_CLOSE, self._source, self._inner.close)

    def abort(self) -> Coro[None]:
        return self._around(_COPIER_ABORT, self._source, self._inner.abort)
