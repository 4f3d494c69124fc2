"""Gives every service what an operator promises, from what the service has.

Readers come in four cases, by which verbs the bodies of the service have natively:

    seek   next   what is given
    yes    yes    the body itself
    yes    no     StreamableReader(body)
    no     yes    ByRangeSeekableReader(service)
    no     no     StreamableReader(ByRangeSeekableReader(service))

Besides: an empty range is answered without asking, since the request for it would fetch everything;
a suffix is read by asking the size first where the service has no suffix; the root is a directory.

A service is flat if it has `list` and no native `create_dir`: directories are only names there. It gets:

- `stat("x/")`: the marker, which is the object `"x/"`, or that something is listed beneath.
- `create_dir("x/")`: the marker is written, as an empty object, where the service can hold one.

Every service that lists gets:

- the directory itself as the first entry, if it exists, and the root always; not behind a `start_after`.
- the length of each file: asked by `stat` where the listing has none; files that are gone then are left out.
- a path that is no directory as a prefix: the directory that holds it is listed and narrowed.
- a recursive listing, by listing each directory.
- with `delete`: a recursive deletion, by walking: of `"a/"` the directory and all beneath it, of `"a"` the object
  `"a"` too. On a flat store the walk is repeated until nothing is left.

A service that sends by `context.http` goes over a network: `info.is_remote` says so, whatever the service declares.

Making the root is nothing to do, and where deletions are completed it is never deleted. No path leads to a
name that begins with a slash, which some stores can hold: services leave it out of their listings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from entrepot.raw import (
    Accessor,
    Context,
    Layer,
    LayeredAccessor,
    OpCreateDir,
    OpList,
    OpRead,
    OpStat,
    RpCreateDir,
    RpDelete,
    RpList,
    RpRead,
    RpStat,
    is_dir_path,
    oio,
)

from .capability import complete_capability, is_flat, operations_left_alone
from .directories import stat_directory, stat_root, write_marker
from .listing import Listing

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

T = TypeVar("T")

CONCURRENT: Final = 8
"""How many requests of one completion are in flight."""


class CompleteLayer(Layer):
    """Part of every stack, right around the service. The requests of one completion run 8 at a time."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _CompleteAccessor(accessor, context)


class _CompleteAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor, context: Context) -> None:
        super().__init__(inner)
        self._native = inner.info.native_capability
        self._is_flat = is_flat(self._native)
        # Not a method: a stack that is in no cycle goes with the last operator over it, connections included.
        self._open_window: Callable[[], Window[Any]] = partial(_open_window, context)
        self._listing = Listing(inner, self._open_window)
        self.info = replace(complete_capability(inner.info), is_remote=inner.info.is_remote or context.uses_http)
        for operation in operations_left_alone(self.info):
            setattr(self, operation, getattr(inner, operation))

    async def stat(self, path: str, args: OpStat) -> RpStat:
        if path == "/":
            return stat_root(args)
        if self._is_flat and is_dir_path(path):
            return await stat_directory(self.inner, path, args)
        return await self.inner.stat(path, args)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        if args.range.is_empty:
            return RpRead(), oio.BytesReader(bytes)
        if args.range.suffix is not None and not self._native.read_with_suffix:
            return self._by_range(path, args)
        if not self._native.read_can_seek:
            return self._by_range(path, args)
        reply, body = await self.inner.read(path, args)
        return reply, body if self._native.read_can_next else oio.StreamableReader(body)

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
        )

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        return await self._listing.open(path, args)

    def _by_range(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        reply = RpRead()
        body: oio.Read = oio.ByRangeSeekableReader(self.inner, path, args, reply)
        return reply, body if self._native.read_can_next else oio.StreamableReader(body)

    async def _open_deleter(self) -> oio.Delete:
        _, body = await self.inner.delete()
        return body


def _open_window(context: Context) -> Window[T]:
    return context.runtime.window(CONCURRENT)
