"""What a service implements, and the two bases that layers build on.

`Accessor` is the interface: one coroutine an operation, and `info`. A service overrides what it has.
`LayeredAccessor` wraps an accessor and changes the operations that its subclass overrides.
`AroundAccessor` puts one coroutine around each call, the verbs of bodies included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from entrepot.errors import Unsupported
from entrepot.types import Capability, Entry, Metadata

from .oio.delete.api import Delete
from .oio.list.api import List
from .oio.read.api import Read
from .oio.write.api import Write
from .operation import Operation
from .ops import (
    OpAbortUpload,
    OpCopy,
    OpCreateDir,
    OpDelete,
    OpList,
    OpListUploads,
    OpPresign,
    OpRead,
    OpRename,
    OpStat,
    OpWrite,
)
from .rps import (
    RpAbortUpload,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpRename,
    RpStat,
    RpWrite,
)

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

T = TypeVar("T")
Args = TypeVarTuple("Args")

Coro = Coroutine[Any, Any, T]
"""What a call of an `async def` gives. A plain method that returns the one of another call spares a coroutine of its
own, which would do nothing but wait for that."""

OPERATIONS = tuple(operation.value for operation in Operation if "." not in operation.value)
_AS_NATIVE = Capability()


@dataclass(frozen=True, slots=True)
class AccessorInfo:
    """What an accessor is.

    Arguments:
        scheme: the scheme of the service, such as `"s3"`.
        root: the root that every path is relative to, with a slash at both ends.
        name: what the root lies in, such as the bucket or the host; empty where there is no such thing.
        native_capability: what the service itself can do.
        capability: what it can do with what the stack completes; by default what is native.
        gives_snapshots: whether a body gives, without waiting, what the object was when it began, and never a splice
            of two contents. Chunks of it then need no body each.
        is_remote: whether calls go over a network, where they are retried and timed by default. A service that sends
            by `context.http` need not say so: the stack notices.
    """

    scheme: str
    root: str = "/"
    name: str = ""
    native_capability: Capability = Capability()
    capability: Capability = _AS_NATIVE
    gives_snapshots: bool = False
    is_remote: bool = False

    def __post_init__(self) -> None:
        if self.capability is _AS_NATIVE:
            object.__setattr__(self, "capability", self.native_capability)


class Accessor:
    """One storage, behind operations that take a path and a record of arguments.

    Paths arrive normalized (`raw.path`). Operations with a body return it beside the reply, and
    neither opening nor closing it is I/O that can be noticed: the first verb of the body does the work.
    What a subclass leaves out raises `Unsupported`; `info.native_capability` says the same as data.
    """

    __slots__ = ()

    info: AccessorInfo

    async def stat(self, path: str, args: OpStat) -> RpStat:
        """What is known of the object. Requires `Capability.stat`."""
        raise Unsupported("the service has no stat")

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, Read]:
        """A body that gives the bytes of `args.range`. Requires `Capability.read`."""
        raise Unsupported("the service has no read")

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, Write]:
        """A body that takes the new bytes of the object. Requires `Capability.write`."""
        raise Unsupported("the service has no write")

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        """Makes a directory and those above it; one that exists is left as it is. Requires `Capability.create_dir`."""
        raise Unsupported("the service has no create_dir")

    async def delete(self) -> tuple[RpDelete, Delete]:
        """A body that takes deletions of any path. Requires `Capability.delete`."""
        raise Unsupported("the service has no delete")

    async def list(self, path: str, args: OpList) -> tuple[RpList, List]:
        """A body that gives what lies at the path. Requires `Capability.list`."""
        raise Unsupported("the service has no list")

    async def copy(self, source: str, target: str, args: OpCopy) -> RpCopy:
        """Copies an object within the storage, over what is at the target. Requires `Capability.copy`."""
        raise Unsupported("the service has no copy")

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        """Moves an object within the storage, over what is at the target. Requires `Capability.rename`."""
        raise Unsupported("the service has no rename")

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        """One page of the uploads in parts that were begun, of all objects whose path begins with this one.

        Requires `Capability.list_uploads`.
        """
        raise Unsupported("the service has no list_uploads")

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        """Drops an upload in parts. One that is not there any more is no error. Requires `Capability.abort_upload`."""
        raise Unsupported("the service has no abort_upload")

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        """A request that others can send. It needs no I/O. Requires `Capability.presign` and that of its operation."""
        raise Unsupported("the service has no presign")


class LayeredAccessor(Accessor):
    """An accessor around another. A subclass overrides what it changes and calls `self.inner`.

    An operation that it does not override is bound straight to the inner accessor's bound method when
    the stack is built, so that a call of it costs nothing here.
    """

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

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, Write]:
        return await self.inner.write(path, args)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        return await self.inner.create_dir(path, args)

    async def delete(self) -> tuple[RpDelete, Delete]:
        return await self.inner.delete()

    async def list(self, path: str, args: OpList) -> tuple[RpList, List]:
        return await self.inner.list(path, args)

    async def copy(self, source: str, target: str, args: OpCopy) -> RpCopy:
        return await self.inner.copy(source, target, args)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        return await self.inner.rename(source, target, args)

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        return await self.inner.list_uploads(path, args)

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        return await self.inner.abort_upload(path, args)

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        return await self.inner.presign(path, args)


class AroundAccessor(LayeredAccessor):
    """An accessor that puts the coroutine `around` about each call that it names.

    Subclasses override `around` and, where they do not mean every call, narrow `operations`: for all of the class, or
    for one accessor before `super().__init__`.
    """

    operations: frozenset[Operation] = frozenset(Operation)

    def _changes(self, operation: str) -> bool:
        if getattr(type(self), operation) is not getattr(AroundAccessor, operation):
            return True
        return any(named.capability == operation for named in self.operations)

    async def around(self, operation: Operation, path: str, call: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Makes the call. It runs in the caller's task and may be made again.

        The path of a copy or rename is that of the source, that of a deleter as a whole is empty; `args`
        are all that the call is made with.
        """
        return await call(*args)

    def around_named(self, operation: Operation, path: str, call: Callable[[*Args], Coro[T]], *args: *Args) -> Coro[T]:
        """The call, inside `around` if it is one of those that this accessor names."""
        if operation in self.operations:
            return self.around(operation, path, call, *args)
        return call(*args)

    def stat(self, path: str, args: OpStat) -> Coro[RpStat]:
        return self.around_named(_STAT, path, self.inner.stat, path, args)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, Read]:
        reply, body = await self.around_named(_READ, path, self.inner.read, path, args)
        return reply, body if self.operations.isdisjoint(_READER_VERBS) else _AroundReader(self, path, body)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, Write]:
        reply, body = await self.around_named(_WRITE, path, self.inner.write, path, args)
        return reply, body if self.operations.isdisjoint(_WRITER_VERBS) else _AroundWriter(self, path, body)

    def create_dir(self, path: str, args: OpCreateDir) -> Coro[RpCreateDir]:
        return self.around_named(_CREATE_DIR, path, self.inner.create_dir, path, args)

    async def delete(self) -> tuple[RpDelete, Delete]:
        reply, body = await self.around_named(_DELETE, "", self.inner.delete)
        return reply, body if self.operations.isdisjoint(_DELETER_VERBS) else _AroundDeleter(self, body)

    async def list(self, path: str, args: OpList) -> tuple[RpList, List]:
        reply, body = await self.around_named(_LIST, path, self.inner.list, path, args)
        return reply, body if self.operations.isdisjoint(_LISTER_VERBS) else _AroundLister(self, path, body)

    def copy(self, source: str, target: str, args: OpCopy) -> Coro[RpCopy]:
        return self.around_named(_COPY, source, self.inner.copy, source, target, args)

    def rename(self, source: str, target: str, args: OpRename) -> Coro[RpRename]:
        return self.around_named(_RENAME, source, self.inner.rename, source, target, args)

    def list_uploads(self, path: str, args: OpListUploads) -> Coro[RpListUploads]:
        return self.around_named(_LIST_UPLOADS, path, self.inner.list_uploads, path, args)

    def abort_upload(self, path: str, args: OpAbortUpload) -> Coro[RpAbortUpload]:
        return self.around_named(_ABORT_UPLOAD, path, self.inner.abort_upload, path, args)

    def presign(self, path: str, args: OpPresign) -> Coro[RpPresign]:
        return self.around_named(_PRESIGN, path, self.inner.presign, path, args)


def _verbs_of(body: str) -> frozenset[Operation]:
    return frozenset(verb for verb in Operation if verb.value.startswith(f"{body}."))


# On Python 3.11 to look up a member of an enum takes as long as a call, and each call through here names some.
_STAT, _READ, _WRITE, _DELETE, _LIST = (
    Operation.STAT, Operation.READ, Operation.WRITE, Operation.DELETE, Operation.LIST,
)  # fmt: skip
_COPY, _RENAME, _CREATE_DIR, _PRESIGN = Operation.COPY, Operation.RENAME, Operation.CREATE_DIR, Operation.PRESIGN
_LIST_UPLOADS, _ABORT_UPLOAD = Operation.LIST_UPLOADS, Operation.ABORT_UPLOAD
_READER_READ, _READER_SEEK = Operation.READER_READ, Operation.READER_SEEK
_READER_NEXT, _READER_CLOSE = Operation.READER_NEXT, Operation.READER_CLOSE
_WRITER_WRITE, _WRITER_CLOSE, _WRITER_ABORT = Operation.WRITER_WRITE, Operation.WRITER_CLOSE, Operation.WRITER_ABORT
_DELETER_DELETE, _DELETER_CLOSE = Operation.DELETER_DELETE, Operation.DELETER_CLOSE
_LISTER_NEXT, _LISTER_CLOSE = Operation.LISTER_NEXT, Operation.LISTER_CLOSE

_METHODS = {verb: verb.value.partition(".")[2] for verb in Operation}
_READER_VERBS = _verbs_of("reader")
_WRITER_VERBS = _verbs_of("writer")
_DELETER_VERBS = _verbs_of("deleter")
_LISTER_VERBS = _verbs_of("lister")


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
        if not layer.operations >= _READER_VERBS:
            _bind_unnamed(self, inner, _READER_VERBS, layer)

    @property
    def is_at_end(self) -> bool:
        return self._inner.is_at_end

    def read(self, n: int) -> Coro[bytes]:
        return self._around(_READER_READ, self._path, self._inner.read, n)

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

    def close(self) -> Coro[None]:
        return self._around(_LISTER_CLOSE, self._path, self._inner.close)
