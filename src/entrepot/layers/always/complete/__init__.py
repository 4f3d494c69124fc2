"""Completes every service: adds what an operator promises and the service lacks.

Readers come in four cases, by the verbs that the bodies of the service have natively:

    seek   next   body
    yes    yes    the body itself
    yes    no     StreamableReader(body)
    no     yes    ByRangeSeekableReader(service)
    no     no     StreamableReader(ByRangeSeekableReader(service))

In addition: an empty range is read without a request, since a request for it would fetch everything; a suffix is read
after a request for the size if the service has no suffix ranges; the root is a directory.

The whole operations of a service (`read_whole`, `write_whole`) are used where nothing has to be completed. A body that
the service opens there is completed as above, with what it has received. If the service fails, the failure becomes the
first result of a body, which then makes the next attempt: no other layer has to know these failures. A refused range
(`RangeNotSatisfied`) is requested once more, since only `ByRangeSeekableReader` finds out what it means.

A service is flat if it has `list` and no native `create_dir`: its directories are only names. It gets:

- `stat("x/")`: the metadata of the marker, the object `"x/"`, or a directory if anything is listed below it.
- `create_dir("x/")`: writes the marker, an empty object, if the service can hold one.
- `delete("x/")`: refuses with `IsADirectory` if anything but the marker is below it, unless it is recursive.

Every service that lists gets:

- the directory itself as the first entry, if it exists, and the root always; not with `start_after`.
- the length of each file, by `stat` if the listing has none; files that are gone by then are left out.
- a path without a trailing slash as a prefix: its parent directory is listed and filtered.
- a recursive listing, by listing each directory.
- with `delete`: a recursive deletion, by walking: of `"a/"` the directory and everything below it, of `"a"` the object
  `"a"` too. On a flat store the walk is repeated until nothing is left.

A service that uses `context.http` goes over a network: `info.is_remote` is then True, whatever the service declares.

Creating the root does nothing, and completed deletions never delete it. A name that begins with a slash, which some
stores can hold, has no path: services leave it out of their listings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from entrepot.errors import RangeNotSatisfied
from entrepot.raw import (
    DEFAULT_READ,
    Accessor,
    Context,
    Layer,
    LayeredAccessor,
    OpCreateDir,
    OpList,
    OpRead,
    OpStat,
    OpWrite,
    RpCreateDir,
    RpDelete,
    RpList,
    RpRead,
    RpStat,
    WholeRead,
    WholeWrite,
    is_dir_path,
    oio,
)
from entrepot.raw.layered import Coro
from entrepot.types.records import replace

from .capability import complete_capability, is_flat, operations_left_alone
from .directories import has_contents, stat_directory, stat_root, write_marker
from .listing import Listing

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

T = TypeVar("T")

CONCURRENT: Final = 8
"""The number of requests of one completion in flight."""


class CompleteLayer(Layer):
    """Part of every stack, right around the service. The requests of one completion run 8 at a time."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _CompleteAccessor(accessor, context)


class _CompleteAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor, context: Context) -> None:
        super().__init__(inner)
        self._native = inner.info.native_capability
        self._is_flat = is_flat(self._native)
        # Not a method, so that the stack has no reference cycle and is freed, connections included, with its operator.
        self._open_window: Callable[[], Window[Any]] = partial(_open_window, context)
        self._listing = Listing(inner, self._open_window)
        self.info = replace(complete_capability(inner.info), is_remote=inner.info.is_remote or context.uses_http)
        for operation in operations_left_alone(self.info):
            setattr(self, operation, getattr(inner, operation))
        self._reads_whole, self._writes_whole = (_has_own(inner, whole) for whole in ("read_whole", "write_whole"))

    def stat(self, path: str, args: OpStat) -> Coro[RpStat]:
        return self._stat_directory(path, args) if is_dir_path(path) else self.inner.stat(path, args)

    async def _stat_directory(self, path: str, args: OpStat) -> RpStat:
        if path == "/":
            return stat_root(args)
        return await (stat_directory(self.inner, path, args) if self._is_flat else self.inner.stat(path, args))

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        if args.range.is_empty:
            return RpRead(), oio.BytesReader(bytes)
        if not (self._has_range(args) and self._native.read_can_seek):
            return self._by_range(path, args)
        return self._with_next(*await self.inner.read(path, args))

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        is_one_request = args is DEFAULT_READ or (self._has_range(args) and not args.range.is_empty)
        if not (self._reads_whole and is_one_request):
            return await self.read(path, args)
        failure: Exception | None = None
        try:
            content = await self.inner.read_whole(path, args, described)
        except RangeNotSatisfied:
            pass
        except Exception as error:  # noqa: BLE001 - the body raises it
            failure = error
        else:
            if isinstance(content, bytes):
                return content
            return self._with_next(*content) if self._native.read_can_seek else self._by_range(path, args, content)
        try:
            reply, body = await self.read(path, args)
            return reply, body if failure is None else oio.FailedReader(body, failure)
        finally:
            del failure  # its traceback refers to this frame

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        if not self._writes_whole:
            return await self.inner.write(path, args)
        try:
            return await self.inner.write_whole(path, data, args)
        except Exception as error:  # noqa: BLE001 - the body raises it
            failure = error
        try:
            reply, body = await self.inner.write(path, args)
            return reply, oio.FailedWriter(body, failure)
        finally:
            del failure  # its traceback refers to this frame

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        if path == "/":
            return RpCreateDir()
        if self._is_flat:
            return await write_marker(self.inner, path)
        return await self.inner.create_dir(path, args)

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        reply, body = await self.inner.delete()
        return reply, oio.RecursiveDeleter(
            body,
            self._open_deleter,
            self._listing.walk,
            self._open_window,
            batch=self._native.delete_max_size,
            is_flat=self._is_flat,
            has_contents=partial(has_contents, self.inner) if self._is_flat else None,
        )

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        return await self._listing.open(path, args)

    def _has_range(self, args: OpRead) -> bool:
        """Whether the service can read the range by one request."""
        return args.range.suffix is None or self._native.read_with_suffix

    def _by_range(
        self, path: str, args: OpRead, opened: tuple[RpRead, oio.Read] | None = None
    ) -> tuple[RpRead, oio.Read]:
        reply = RpRead()
        return self._with_next(reply, oio.ByRangeSeekableReader(self.inner, path, args, reply, opened))

    def _with_next(self, reply: RpRead, body: oio.Read) -> tuple[RpRead, oio.Read]:
        return reply, body if self._native.read_can_next else oio.StreamableReader(body)

    async def _open_deleter(self) -> oio.Delete:
        _, body = await self.inner.delete()
        return body


def _has_own(service: Accessor, whole: str) -> bool:
    """Whether a service has a whole operation of its own."""
    return getattr(getattr(service, whole), "__func__", None) is not getattr(Accessor, whole)


def _open_window(context: Context) -> Window[T]:
    return context.runtime.window(CONCURRENT)
