"""Completes a listing without lengths, by one request per file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from entrepot.raw.oio.windowed import gather
from entrepot.types import Entry

from .api import List

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window


class LengthLister(List):
    """Requests the length of each file whose entry has none. A page with all lengths passes through unchanged.

    Results are kept: after a failed request, the next call of the verb continues with that request.

    Arguments:
        inner: the listing.
        complete: returns the entry with its length, or None if the file no longer exists.
        open_window: makes a window for the requests of one page.
    """

    __slots__ = ("_complete", "_inner", "_open_window", "_page", "_results", "close", "left_out")

    def __init__(
        self,
        inner: List,
        complete: Callable[[Entry], Awaitable[Entry | None]],
        open_window: Callable[[], Window[Entry | None]],
    ) -> None:
        self._inner = inner
        self._complete = complete
        self._open_window = open_window
        self._page: Sequence[Entry] | None = None
        self._results: list[Entry | None] = []
        self.close = inner.close  # type: ignore[method-assign]
        self.left_out = inner.left_out  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while True:
            if self._page is None:
                self._page = await self._inner.next()
            if self._page is None or not (lacking := _lacking(self._page)):
                page, self._page = self._page, None
                return page
            if entries := await self._complete_page(self._page, lacking):
                return entries

    async def _complete_page(self, page: Sequence[Entry], lacking: Sequence[Entry]) -> Sequence[Entry]:
        remaining = lacking[len(self._results) :]
        await gather((partial(self._complete, entry) for entry in remaining), self._open_window(), self._results)
        results, self._results, self._page = iter(self._results), [], None
        completed = (next(results) if _lacks_length(entry) else entry for entry in page)
        return [entry for entry in completed if entry is not None]


def _lacking(page: Sequence[Entry]) -> list[Entry]:
    without = [entry for entry in page if entry.metadata.content_length is None]  # most listings have all lengths
    return [entry for entry in without if _lacks_length(entry)]


def _lacks_length(entry: Entry) -> bool:
    metadata = entry.metadata
    return metadata.content_length is None and metadata.is_file and not metadata.is_deleted
