"""A listing that the storage returns as a whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from entrepot.raw.oio.read.api import check_not_closed
from entrepot.types import Entry

from .api import LeftOut, List


class WholeLister(List):
    """Requests all entries by the first verb, for a protocol that cannot continue a listing, and yields them in pages.

    Arguments:
        fetch: requests all entries; it returns what it left out as well. Called again after a failure.
        page: the most entries of a page.
    """

    __slots__ = ("_entries", "_fetch", "_is_closed", "_left_out", "_page")

    def __init__(self, fetch: Callable[[], Awaitable[tuple[Sequence[Entry], Sequence[LeftOut]]]], page: int) -> None:
        self._fetch = fetch
        self._page = page
        self._entries: Sequence[Entry] | None = None
        self._left_out: Sequence[LeftOut] = ()
        self._is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        check_not_closed(self._is_closed)
        if self._entries is None:
            self._entries, self._left_out = await self._fetch()
        page, self._entries = self._entries[: self._page], self._entries[self._page :]
        return page or None

    def left_out(self) -> Sequence[LeftOut]:
        return self._left_out

    async def close(self) -> None:
        self._is_closed = True
        self._entries = ()
