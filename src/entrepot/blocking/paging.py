"""The base of `BlockingLister`: runs the event loop once for each page, not for each entry."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from entrepot.errors import Error
from entrepot.facade.lister import Lister
from entrepot.raw.runtime import Runner
from entrepot.types import Entry

from .base import BlockingBody


class Pages(BlockingBody[Lister]):
    """A lister that keeps the current page itself."""

    def __init__(self, inner: Lister, runner: Runner) -> None:
        super().__init__(inner, runner)
        self._page: Sequence[Entry] = ()
        self._taken = 0

    def next(self) -> Entry | None:
        """Returns the next entry; None means the end."""
        if self._is_page_used_up() and not self._turn_page(_next_page(self._inner)):
            return None
        self._taken += 1
        return self._page[self._taken - 1]

    def next_page(self) -> Sequence[Entry] | None:
        """Returns the rest of the current page, or else the next page, never empty; None means the end."""
        if self._is_page_used_up() and not self._turn_page(self._inner.next_page()):
            return None
        taken, self._taken = self._taken, len(self._page)
        return self._page[taken:] if taken else self._page

    def __iter__(self) -> Iterator[Entry]:
        """Yields the entries from the position on. The lister can still be used after the loop is left."""
        calls = self._calls
        last_use = calls.uses
        calls.loops += 1
        try:
            while (entry := self.next()) is not None:
                last_use = calls.uses
                yield entry
        except GeneratorExit:
            if calls.is_free:  # otherwise another call uses the lister
                self._runner.finish(calls.release_unless_used(last_use))
            raise
        finally:
            calls.loops -= 1

    @staticmethod
    async def _let_go(inner: Lister) -> None:
        await inner.aclose()

    def _is_page_used_up(self) -> bool:
        return self._taken == len(self._page) or self._calls.is_closed  # a closed lister refuses the call

    def _turn_page(self, fetch: Coroutine[Any, Any, Sequence[Entry] | None]) -> bool:
        page = self._run(fetch)
        if page is not None:
            self._page, self._taken = page, 0
        return page is not None


async def _next_page(lister: Lister) -> Sequence[Entry] | None:
    """The next page, with errors that name `next` as the operation."""
    try:
        return await lister.next_page()
    except Error as error:
        error.operation = "lister.next"
        raise
