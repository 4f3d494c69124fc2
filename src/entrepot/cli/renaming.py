"""`mv` between two directories of this machine: a file is renamed, and only copied to another file system.

An operator renames within its root, and each local place has a root of its own. A copy from one root to another keeps
to both, and is what `mv` asks for. This layer makes it a rename, so that the source is gone already when it should be
deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from entrepot import Metadata, Unsupported
from entrepot.raw import Accessor, Context, Layer, LayeredAccessor, OpCopy, OpRename, RpCopy, oio
from entrepot.raw.oio.copy.api import copy_to_end


@dataclass(frozen=True)
class RenamingLayer(Layer):
    """Renames the source of each copy. Where the storage cannot do that with these two paths, it copies."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _RenamingAccessor(accessor, context)


class _RenamingAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor, context: Context) -> None:
        super().__init__(inner)
        self._context = context

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.OneShotCopier]:
        return RpCopy(), oio.OneShotCopier(partial(self._move, source, target, args))

    async def _move(self, source: str, target: str, args: OpCopy) -> Metadata:
        try:
            await self.inner.rename(source, target, OpRename(if_not_exists=args.if_not_exists))
        except Unsupported:
            _, body = await self.inner.copy(source, target, args)
            return await copy_to_end(body, self._context.runtime)
        return Metadata()
