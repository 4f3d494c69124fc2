"""A copy for storage that copies a whole object by one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from entrepot.types import Metadata

from .staged import StagedCopier


class OneShotCopier(StagedCopier):
    """Copies the object by one call on close.

    Arguments:
        copy: copies the object and returns the metadata of the target. It cleans up after itself where it fails or is
            cancelled. Called once, and again after a failure.
    """

    __slots__ = ("_copy",)

    def __init__(self, copy: Callable[[], Awaitable[Metadata]]) -> None:
        super().__init__()
        self._copy = copy

    async def _advance(self) -> None:
        return None

    async def _publish(self) -> Metadata:
        return await self._copy()

    async def _discard(self) -> None:
        """Nothing is stored before `close`."""
