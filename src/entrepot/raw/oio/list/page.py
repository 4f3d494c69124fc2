"""A listing of pages, each with the token of the next.

Theory of operation. The token moves only after a page has arrived, so `next` after a failed or cancelled call requests
the same page again. Some servers return tokens or pages in a circle. Tokens that repeat are noticed by `SeenTokens`.
Pages are compared too, because a server may make a new token for the same page: the mark of one page is remembered, and
replaced at the same steps. Empty pages are all equal, so they are not remembered: they restart the steps of the pages,
and `max_empty` bounds their number in a row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from entrepot.errors import Unexpected
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.path import get_parent, is_path
from entrepot.types import Entry

from .api import LeftOut, List, left_out_names
from .tokens import Doubling, SeenTokens

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

MAX_EMPTY: Final = 1_000
"""The most empty pages in a row. A server that filters entries returns some; a circle of them never ends."""


_Content: TypeAlias = Sequence[Entry] | Sequence[str]
"""The entries of a page, or the names that were left out of it."""


@dataclass(frozen=True, slots=True)
class Page:
    """The entries of one request.

    Arguments:
        entries: the entries, possibly none.
        next_token: the token of the next page; None on the last page.
        left_out: if there are no entries, what identifies each row that the client itself has left out, as one before
            `start_after`: a response with rows is no empty page.
        unnamed: the keys, relative to the root, that no path can name. They are in the `left_out` of the listing.
    """

    entries: Sequence[Entry]
    next_token: str | None
    left_out: Sequence[str] = ()
    unnamed: Sequence[str] = ()


class PageLister(List):
    """Requests one page after the other.

    A server whose tokens or pages repeat would be listed without end: that is `Unexpected`, immediately if a page
    names its own token or equals the page before, and otherwise after a bounded number of rounds. Pages are compared
    by all of their entries.

    Arguments:
        fetch: requests the page of a token; None is the first page.
        max_empty: the most empty pages in a row.
    """

    __slots__ = (
        *("_empty", "_fetch", "_is_closed", "_is_done", "_marked_page", "_max_empty", "_tokens", "_unnamed"),
        "_until_page_mark",
    )

    def __init__(self, fetch: Callable[[str | None], Awaitable[Page]], *, max_empty: int = MAX_EMPTY) -> None:
        self._fetch = fetch
        self._max_empty = max_empty
        self._tokens = SeenTokens()
        self._marked_page: _PageMark | None = None
        self._until_page_mark = Doubling()
        self._empty = 0
        self._unnamed: dict[str, tuple[str, int]] = {}
        self._is_done = False
        self._is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        """Returns the entries of the next page that has any.

        Raises:
            Unexpected: a token or a page came again, or there were too many empty pages in a row.
        """
        check_not_closed(self._is_closed)
        while not self._is_done:
            page = await self._fetch(self._tokens.last)
            self._check_is_new(page)
            self._move_to(page.next_token)
            if not self._is_done:  # else no page follows that could be equal
                self._remember(page.entries or page.left_out)
            for key in page.unnamed:
                directory = _directory_of(key)
                first, count = self._unnamed.get(directory, (key, 0))
                self._unnamed[directory] = first, count + 1
            if page.entries:
                return page.entries
        return None

    def left_out(self) -> Sequence[LeftOut]:
        return [left_out_names(directory, first, count) for directory, (first, count) in self._unnamed.items()]

    async def close(self) -> None:
        self._is_closed = True

    def _check_is_new(self, page: Page) -> None:
        token, content = page.next_token, page.entries or page.left_out
        if token is not None and token in self._tokens:
            raise Unexpected("the storage names an earlier page of this listing as the next page")
        if content and self._marked_page is not None and self._marked_page.is_of(content):
            raise Unexpected("the storage returned a page of this listing twice")
        if not content and token is not None and self._empty >= self._max_empty:
            raise Unexpected(f"the storage returned more than {self._max_empty} empty pages in a row")

    def _move_to(self, token: str | None) -> None:
        if token is None:
            self._is_done = True
        else:
            self._tokens.add(token)

    def _remember(self, content: _Content) -> None:
        if not content:
            self._empty += 1
            self._marked_page, self._until_page_mark = None, Doubling()
            return
        self._empty = 0
        if self._until_page_mark.is_due():
            self._marked_page = _PageMark(content)


def _directory_of(key: str) -> str:
    """The directory of a key that no path can name: the nearest one above it that a path can name."""
    directory = get_parent(key)
    while not is_path(directory):
        directory = get_parent(directory)
    return directory


class _PageMark:
    """What is remembered of a page, to know it again: its length, its first entry or name, the last one, a hash of all.

    The entries themselves would be a third page in memory. Most other pages differ in the first entry already.
    """

    __slots__ = ("_ends", "_hash")

    def __init__(self, content: _Content) -> None:
        self._ends = _ends_of(content)
        self._hash = hash(tuple(content))

    def is_of(self, content: _Content) -> bool:
        return self._ends == _ends_of(content) and self._hash == hash(tuple(content))


def _ends_of(content: _Content) -> tuple[int, Entry | str, Entry | str]:
    return len(content), content[0], content[-1]
