"""A writer for storage that takes a whole object by one call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from entrepot.types import Metadata

from .byte_queue import ByteQueue
from .staged import StagedWriter, with_length


class OneShotWriter(StagedWriter):
    """Collects the written bytes in memory and stores the whole object by one call on close.

    Arguments:
        store: stores the object and returns its metadata. Called once, also without content, and again after a failure.
    """

    __slots__ = ("_content", "_store")

    def __init__(self, store: Callable[[bytes], Awaitable[Metadata]]) -> None:
        super().__init__()
        self._store = store
        self._content = ByteQueue()

    async def _take(self, content: bytes | memoryview) -> None:
        self._content.append(content)

    async def _publish(self) -> Metadata:
        metadata = await self._store(self._content.join())
        length = self._content.size
        self._content.clear()
        return with_length(metadata, length)

    async def _discard(self) -> None:
        self._content.clear()
