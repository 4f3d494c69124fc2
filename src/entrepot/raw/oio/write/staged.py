"""The life of a writer whose object appears on close: open, then published or aborted, and never both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from entrepot.errors import InvalidInput
from entrepot.types import Metadata

from .api import Write


class StagedWriter(Write, ABC):
    """Keeps the rules of `Write` about how a body ends; a subclass says what its three steps do.

    Once `close` was called, `write` is refused, also when that close failed: some of the object may be
    stored by then as the end of it. What is left is to call `close` again, or `abort`.
    """

    __slots__ = ("_is_aborted", "_is_closing", "_is_discarded", "_published")

    def __init__(self) -> None:
        self._is_closing = False
        self._is_aborted = False
        self._is_discarded = False
        self._published: Metadata | None = None

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        self._check_not_aborted()
        if self._is_closing:
            raise InvalidInput("the writer is being closed" if self._published is None else "the writer is closed")
        content = data if isinstance(data, bytes) else memoryview(data).cast("B")
        if content:
            await self._take(content)

    async def close(self) -> Metadata:
        self._check_not_aborted()
        self._is_closing = True
        if self._published is None:
            self._published = await self._publish()
        return self._published

    async def abort(self) -> None:
        if self._published is not None or self._is_discarded:
            return
        self._is_aborted = True
        await self._discard()
        self._is_discarded = True

    @abstractmethod
    async def _take(self, content: bytes | memoryview) -> None:
        """Takes bytes, at least one. When it raises or is cancelled it has taken none of them."""

    @abstractmethod
    async def _publish(self) -> Metadata:
        """Makes the object appear. Called again after it failed, it does what is left to do."""

    @abstractmethod
    async def _discard(self) -> None:
        """Drops all there is. Called again after it failed."""

    def _check_not_aborted(self) -> None:
        if self._is_aborted:
            raise InvalidInput("the writer was aborted")


def with_length(metadata: Metadata, length: int) -> Metadata:
    """What the storage said of an object, and its length in bytes where the storage did not say it."""
    return metadata if metadata.content_length is not None else replace(metadata, content_length=length)
