"""The body of a copy: its steps are made in threads."""

from typing import TYPE_CHECKING

from entrepot.raw.oio.copy.staged import StagedCopier
from entrepot.types import Metadata

from .revocable import run_long_revocable
from .transfer import FileCopy

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime


class FsCopier(StagedCopier):
    """Makes a copy of a file. A small one takes a single thread call.

    Arguments:
        runtime: makes the blocking calls.
        copy: the copy.
    """

    __slots__ = ("_copy", "_runtime")

    def __init__(self, runtime: "Runtime", copy: FileCopy) -> None:
        super().__init__()
        self._runtime = runtime
        self._copy = copy

    async def _advance(self) -> int | None:
        if self._copy.published is not None:
            return None
        return await run_long_revocable(self._runtime, self._copy.advance)

    async def _publish(self) -> Metadata:
        if self._copy.published is not None:
            return self._copy.published
        return await run_long_revocable(self._runtime, self._copy.publish)

    async def _discard(self) -> None:
        if self._copy.has_begun:
            await self._runtime.blocking(self._copy.discard)
