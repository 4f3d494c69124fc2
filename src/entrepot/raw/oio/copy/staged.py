"""The base of copies that are made in steps, and whose target appears on close.

States: open, published (`close` has succeeded), aborted (`abort` was called), discarded (its cleanup has succeeded). A
copy is published or aborted, never both. Failed steps are repeated by the same verb.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from entrepot.errors import InvalidInput
from entrepot.types import Metadata

from .api import Copy


class StagedCopier(Copy, ABC):
    """Keeps the rules of `Copy` about the end of a body; a subclass implements three steps."""

    __slots__ = ("_is_aborted", "_is_discarded", "_published")

    def __init__(self) -> None:
        self._is_aborted = False
        self._is_discarded = False
        self._published: Metadata | None = None

    async def next(self) -> int | None:
        self._check_not_aborted()
        return None if self._published is not None else await self._advance()

    async def close(self) -> Metadata:
        self._check_not_aborted()
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
    async def _advance(self) -> int | None:
        """Makes one step and returns its bytes; None if no step is left. Called again after a failure, it continues."""

    @abstractmethod
    async def _publish(self) -> Metadata:
        """Makes the target visible. Called again after a failure, it continues."""

    @abstractmethod
    async def _discard(self) -> None:
        """Drops what was copied. Called again after a failure."""

    def _check_not_aborted(self) -> None:
        if self._is_aborted:
            raise InvalidInput("the copy was aborted")
