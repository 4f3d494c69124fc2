"""The base of writers whose object appears on close.

States: open, closing (`close` was called and has not succeeded), published, aborted (`abort` was called), discarded
(its cleanup has succeeded). A writer is published or aborted, never both. Failed steps are repeated by the same verb.

A `close` that was cancelled, or ended with a temporary error that is no refusal, may have published the object unseen
(`_may_be_stored`). A condition of the write may then not hold because of the object itself, so the error of a later
`close` says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from entrepot.errors import ConditionNotMatch, Error, InvalidInput
from entrepot.raw.effects import leaves_doubt
from entrepot.types import Metadata
from entrepot.types.records import replace

from .api import Write


class StagedWriter(Write, ABC):
    """Keeps the rules of `Write` about the end of a body; a subclass implements three steps.

    After `close` was called, `write` is refused, also if that `close` failed: the last bytes may be stored as the
    end of the object. The caller can only call `close` again, or `abort`.
    """

    __slots__ = ("_is_aborted", "_is_closing", "_is_discarded", "_may_be_stored", "_published")

    def __init__(self) -> None:
        self._is_closing = False
        self._is_aborted = False
        self._is_discarded = False
        self._may_be_stored = False
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
            was_unsure, self._may_be_stored = self._may_be_stored, True
            try:
                self._published = await self._publish()
            except Error as error:
                self._may_be_stored = was_unsure or leaves_doubt(error)
                if was_unsure and isinstance(error, ConditionNotMatch):
                    error.add_context(may_have_taken_effect=True)
                raise
        return self._published

    async def abort(self) -> None:
        if self._published is not None or self._is_discarded:
            return
        self._is_aborted = True
        await self._discard()
        self._is_discarded = True

    @abstractmethod
    async def _take(self, content: bytes | memoryview) -> None:
        """Takes bytes, at least one. If it raises or is cancelled, it has taken none of them."""

    @abstractmethod
    async def _publish(self) -> Metadata:
        """Makes the object appear. Called again after a failure, it continues."""

    @abstractmethod
    async def _discard(self) -> None:
        """Drops all written bytes. Called again after a failure."""

    def _check_not_aborted(self) -> None:
        if self._is_aborted:
            raise InvalidInput("the writer was aborted")


def with_length(metadata: Metadata, length: int) -> Metadata:
    """Returns the storage's metadata of an object, completed with its length in bytes if that is missing."""
    return metadata if metadata.content_length is not None else replace(metadata, content_length=length)
