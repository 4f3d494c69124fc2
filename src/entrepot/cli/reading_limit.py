"""`--bandwidth` for files of this machine: only reads are limited.

A copy reads one place and writes another, each with a limit of its own. Where one of them is this machine, the limit of
the other one is enough; two limits in a row would take the sum of both times where a part is large. A copy from one
local file to another has the limit of its reads.
"""

from __future__ import annotations

from entrepot.layers import ThrottleLayer
from entrepot.raw import Accessor, Context, LayeredAccessor, OpRead, RpRead, oio


class ReadingLimitLayer(ThrottleLayer):
    """Limits bytes per second as `ThrottleLayer` does, but of reads alone."""

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return _LimitedReads(accessor, super().wrap(accessor, context))


class _LimitedReads(LayeredAccessor):
    def __init__(self, inner: Accessor, limited: Accessor) -> None:
        super().__init__(inner)
        self._limited = limited

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.Read]:
        return await self._limited.read(path, args)
