"""`Accessor`, the interface that every service implements and every layer wraps, and `AccessorInfo`, its description.

One coroutine per operation: `(path, OpXxx) -> RpXxx`. The five operations with a body, read, write, delete, list and
copy, return `(RpXxx, body)`. A service overrides what it supports. The bases of layers are in `layered.py`.

Two more coroutines, `read_whole` and `write_whole`, make a read or a write at once. They are optional: their defaults
return what `read` and `write` return, an opened body. They are no operations of their own: layers count, time, retry
and limit them as the calls of a read or a write that they replace.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import Unsupported
from entrepot.types import Capability, Metadata

from .oio.copy.api import Copy
from .oio.delete.api import Delete
from .oio.list.api import List
from .oio.read.api import Read
from .oio.write.api import Write
from .operation import Operation
from .ops import (
    OpAbortUpload,
    OpCopy,
    OpCreateDir,
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

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

OPERATIONS = tuple(operation.value for operation in Operation if "." not in operation.value)
"""The names of the methods of `Accessor`, without the verbs of bodies."""

WHOLE_OPERATIONS: Final = {"read_whole": "read", "write_whole": "write"}
"""The methods of `Accessor` that make an operation with a body at once, with the operation."""

WholeRead = bytes | tuple[RpRead, Read]
"""The content of a read, or what `Accessor.read` returns."""

WholeWrite = Metadata | tuple[RpWrite, Write]
"""The metadata of the object that a write stored, or what `Accessor.write` returns."""

_AS_NATIVE = Capability()
_CO_VARARGS: Final = 0x04
"""Of `inspect`, which takes long to import."""


@dataclass(frozen=True, slots=True)
class AccessorInfo:
    """The description of an accessor: its service, its root and its capabilities.

    Arguments:
        scheme: the scheme of the service, such as `"s3"`.
        root: the root that every path is relative to, with a slash at both ends.
        name: the container of the root, such as the bucket or the host; empty if the service has none.
        native_capability: the operations and options that the service itself supports.
        capability: these and the ones that the stack completes; by default the native ones.
        chunks_from_one_body: whether a body that is opened with `chunk` reads each chunk without a request, and raises
            `ConditionNotMatch` once the content has changed. Then chunks that are read in turn need no body each.
        is_remote: whether calls go over a network; remote calls are retried and timed by default. A service that
            sends through `context.http` can leave it out: the stack notices.
        copies_from_elsewhere: whether the source of `copy`, and of `rename` if there is one, is a path in another root
            or container, so that equal paths are two objects (`ServiceConfig.builder_of_copies`).
        reads_describe_all: whether the response to a read has the user metadata and all headers of the object. If not,
            a copy that is streamed asks for them by a stat.
    """

    scheme: str
    root: str = "/"
    name: str = ""
    native_capability: Capability = Capability()
    capability: Capability = _AS_NATIVE
    chunks_from_one_body: bool = False
    is_remote: bool = False
    copies_from_elsewhere: bool = False
    reads_describe_all: bool = True

    def __post_init__(self) -> None:
        if self.capability is _AS_NATIVE:
            object.__setattr__(self, "capability", self.native_capability)


class Accessor:
    """The storage interface: operations that take a path and a record of arguments.

    Paths arrive normalized (`raw.path`). Opening or closing a body does no I/O that a caller could notice: the
    first verb of the body does the work. An operation that a subclass does not override raises `Unsupported`;
    `info.native_capability` declares the same as data.

    A class that overrides `read` or `write` and not the whole operation inherits no rule for it from a base that knows
    less: it gets the default, which goes through its own method.
    """

    __slots__ = ()

    info: AccessorInfo

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _check_takes_described(cls)
        for whole, operation in WHOLE_OPERATIONS.items():
            keep_override(cls, operation, whole, getattr(Accessor, whole))

    async def stat(self, path: str, args: OpStat) -> RpStat:
        """Returns the object's metadata. Requires `Capability.stat`."""
        raise Unsupported("the service has no stat")

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, Read]:
        """Opens a body that yields the bytes of `args.range`. Requires `Capability.read`."""
        raise Unsupported("the service has no read")

    def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> Coroutine[Any, Any, WholeRead]:
        """Returns the bytes of `args.range`, or opens a body that yields them. Requires `Capability.read`.

        A service overrides this if it can return small content without a body, in fewer steps. It returns bytes only if
        they are exactly the range, checked as its bodies check them. For larger content, or anything unusual in a
        response, it returns the response and a body that goes on with what has arrived, so that the reader continues at
        its position after a failure, or what `self.read` returns. `CompleteLayer` completes that body as any other.

        An error or a cancellation has read nothing. The call is then made again with `read`.

        Arguments:
            path: the object.
            args: the arguments of the read.
            described: receives the metadata of the object if bytes are returned. The metadata is of the response that
                had these bytes, as a body's would be. With a body it means nothing: its own response describes it. By
                default None: the caller does not need the metadata, and it is not made.
        """
        return self.read(path, args)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, Write]:
        """Opens a body that takes the object's new content. Requires `Capability.write`."""
        raise Unsupported("the service has no write")

    def write_whole(
        self, path: str, data: bytes | bytearray | memoryview, args: OpWrite
    ) -> Coroutine[Any, Any, WholeWrite]:
        """Stores the data, or opens a body that takes it. Requires `Capability.write`.

        A service overrides this if one call stores small data, and if its bodies store nothing before `close`. It
        returns the metadata, with at least the length. If it returns the response and a body, such as for data that is
        stored in parts, it has stored nothing, and the caller writes the data to the body.

        A failure means the same as one of a body's `close`: the object is unchanged, unless the response was lost.

        Arguments:
            path: the object.
            data: at least one byte. A `memoryview` has items of one byte. It does not change during the call.
            args: the arguments of the write.
        """
        return self.write(path, args)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        """Makes a directory and its missing parents, unless they exist. Requires `Capability.create_dir`."""
        raise Unsupported("the service has no create_dir")

    async def delete(self) -> tuple[RpDelete, Delete]:
        """Opens a body that takes deletions of any paths. Requires `Capability.delete`."""
        raise Unsupported("the service has no delete")

    async def list(self, path: str, args: OpList) -> tuple[RpList, List]:
        """Opens a body that yields the entries at the path. Requires `Capability.list`."""
        raise Unsupported("the service has no list")

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, Copy]:
        """Opens a body that copies an object within the storage, over the target. Requires `Capability.copy`."""
        raise Unsupported("the service has no copy")

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        """Moves an object within the storage and replaces the target. Requires `Capability.rename`."""
        raise Unsupported("the service has no rename")

    async def get_tags(self, path: str, args: OpGetTags) -> RpGetTags:
        """Returns the tags of an object. Requires `Capability.get_tags`."""
        raise Unsupported("the service has no get_tags")

    async def set_tags(self, path: str, args: OpSetTags) -> RpSetTags:
        """Replaces all tags of an object. Requires `Capability.set_tags`."""
        raise Unsupported("the service has no set_tags")

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        """Returns one page of the multipart uploads in progress whose object's path starts with `path`.

        Requires `Capability.list_uploads`.
        """
        raise Unsupported("the service has no list_uploads")

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        """Aborts a multipart upload; one that no longer exists is not an error. Requires `Capability.abort_upload`."""
        raise Unsupported("the service has no abort_upload")

    async def shared_upload(self, path: str, args: OpSharedUpload, content: bytes) -> RpSharedUpload:
        """Makes one step of an upload whose parts several processes send. Requires `Capability.shared_upload`.

        Each step can be repeated: a part replaces the one of its number, and a completion whose object exists already,
        made of these parts, succeeds.

        Arguments:
            path: the object.
            args: the step.
            content: the bytes of a part; otherwise empty.
        """
        raise Unsupported("the service has no shared_upload")

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        """Returns a request that others can send. It needs no I/O.

        Requires `Capability.presign` and the flag of the operation in `args`.
        """
        raise Unsupported("the service has no presign")


def _check_takes_described(cls: type[Accessor]) -> None:
    """Refuses a class whose `read_whole` was written before it had `described`, and would fail in its first call.

    Raises:
        TypeError: the class has such a `read_whole`.
    """
    code = getattr(cls.read_whole, "__code__", None)
    if code is None or code.co_argcount > 3 or code.co_flags & _CO_VARARGS:
        return
    raise TypeError(
        f"{cls.__qualname__}.read_whole does not take `described`, the response that receives the metadata: declare it "
        "as read_whole(self, path, args, described=None), and pass `described` on to the inner accessor or fill it"
    )
