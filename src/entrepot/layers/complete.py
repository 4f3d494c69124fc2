"""Gives every service what an operator promises, from what the service has.

Readers come in four cases, by which verbs the bodies of the service have natively:

    seek   next   what is given
    yes    yes    the body itself
    yes    no     StreamableReader(body)
    no     yes    ByRangeSeekableReader(service)
    no     no     StreamableReader(ByRangeSeekableReader(service))

Besides: an empty range is answered without asking, since the request for it would fetch everything;
a suffix is read by asking the size first where the service has no suffix; the root is a directory.
"""

from __future__ import annotations

from dataclasses import replace

from entrepot.errors import NotFound
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    Layer,
    LayeredAccessor,
    OpRead,
    OpStat,
    RpRead,
    RpStat,
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.types import EntryMode, Metadata


class CompleteLayer(Layer):
    """Part of every stack, right around the service."""

    def wrap(self, accessor: Accessor) -> Accessor:
        return _CompleteAccessor(accessor)


class _CompleteAccessor(LayeredAccessor):
    def __init__(self, inner: Accessor) -> None:
        super().__init__(inner)
        self._native = inner.info.native_capability
        self.info = _completed(inner.info)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        if path != "/":
            return await self.inner.stat(path, args)
        if args.version is not None:
            raise NotFound("the root has no versions")
        root = Metadata(mode=EntryMode.DIR)
        check_conditions(root, args)
        return RpStat(metadata=root)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        if args.range.is_empty:
            return RpRead(), oio.BytesReader(bytes)
        if args.range.suffix is not None and not self._native.read_with_suffix:
            return self._by_range(path, args)
        match self._native.read_can_seek, self._native.read_can_next:
            case True, True:
                return await self.inner.read(path, args)
            case True, False:
                reply, body = await self.inner.read(path, args)
                return reply, oio.StreamableReader(body)
            case _:
                return self._by_range(path, args)

    def _by_range(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        reply = RpRead()
        body: oio.Read = oio.ByRangeSeekableReader(self.inner, path, args, reply)
        return reply, body if self._native.read_can_next else oio.StreamableReader(body)


def _completed(info: AccessorInfo) -> AccessorInfo:
    native = info.native_capability
    if not native.read:
        return info
    suffix = native.read_with_suffix or native.stat
    completed = replace(info.capability, read_can_seek=True, read_can_next=True, read_with_suffix=suffix)
    return replace(info, capability=completed)
