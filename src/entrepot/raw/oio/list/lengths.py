"""The lengths that a listing does not tell."""

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
    """Asks for the length of each file whose entry has none. A page where all have theirs goes through as it is.

    What was asked is kept: when one of the questions fails, the verb goes on with that one.

    Arguments:
        inner: the listing.
        ask: gives the entry with its length, or None if there is no such file any more.
        open_window: gives a window for the questions of one page.
    """

    __slots__ = ("_answers", "_ask", "_inner", "_open_window", "_page", "close")

    def __init__(
        self,
        inner: List,
        ask: Callable[[Entry], Awaitable[Entry | None]],
        open_window: Callable[[], Window[Entry | None]],
    ) -> None:
        self._inner = inner
        self._ask = ask
        self._open_window = open_window
        self._page: Sequence[Entry] | None = None
        self._answers: list[Entry | None] = []
        self.close = inner.close  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while True:
            if self._page is None:
                self._page = await self._inner.next()
            if self._page is None or not (lacking := _lacking(self._page)):
                page, self._page = self._page, None
                return page
            if entries := await self._complete(self._page, lacking):
                return entries

    async def _complete(self, page: Sequence[Entry], lacking: Sequence[Entry]) -> Sequence[Entry]:
        unasked = lacking[len(self._answers) :]
        await gather((partial(self._ask, entry) for entry in unasked), self._open_window(), self._answers)
        answers, self._answers, self._page = iter(self._answers), [], None
        completed = (next(answers) if _lacks_length(entry) else entry for entry in page)
        return [entry for entry in completed if entry is not None]


def _lacking(page: Sequence[Entry]) -> list[Entry]:
    without = [entry for entry in page if entry.metadata.content_length is None]  # most listings tell all lengths
    return [entry for entry in without if _lacks_length(entry)]


def _lacks_length(entry: Entry) -> bool:
    metadata = entry.metadata
    return metadata.content_length is None and metadata.is_file and not metadata.is_deleted
