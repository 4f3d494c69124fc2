"""`mv` between two directories of this machine: a file is renamed, and only copied to another file system.

An operator renames within its root, and each local place has a root of its own. A copy from one root to another keeps
to both, and is what `mv` asks for. This layer makes it a rename, so that the source is gone already when it should be
deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from entrepot import Metadata, Unsupported
from entrepot.raw import Accessor, Context, Layer, LayeredAccessor, OpCopy, OpRename, RpCopy, RpRename, oio


@dataclass(frozen=True)
class RenamingLayer(Layer):
    """Renames the source of each copy. Where the storage cannot do that with these two paths, it copies."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _RenamingAccessor(accessor)


class _RenamingAccessor(LayeredAccessor):
    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        response, body = await self.inner.copy(source, target, args)
        rename = partial(self.inner.rename, source, target, OpRename(if_not_exists=args.if_not_exists))
        return response, _RenameOrCopy(rename, body)


class _RenameOrCopy(oio.Copy):
    """A copy whose first step is to try a rename.

    Arguments:
        rename: makes the rename.
        copy: the body of the copy, which is used where there can be no rename.
    """

    __slots__ = ("_copy", "_is_copy", "_is_rename", "_rename")

    def __init__(self, rename: Callable[[], Awaitable[RpRename]], copy: oio.Copy) -> None:
        self._rename = rename
        self._copy = copy
        self._is_rename = self._is_copy = False

    async def next(self) -> int | None:
        if not (self._is_rename or self._is_copy):
            await self._begin()
        return await self._copy.next() if self._is_copy else None

    async def close(self) -> Metadata:
        return Metadata() if self._is_rename else await self._copy.close()

    async def abort(self) -> None:
        await self._copy.abort()

    async def _begin(self) -> None:
        try:
            await self._rename()
            self._is_rename = True
        except Unsupported:
            self._is_copy = True
