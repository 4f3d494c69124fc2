"""Pages of a directory's listing.

Theory of operation. A page is the first entries, in some order, after the last entry of the page before. The token of a
page is the sort key of that entry, so that the server keeps nothing between requests, and entries that come or go
meanwhile neither repeat nor hide others. Keys end with the path: no two are equal.

Where the service can start after a path, and the order is by name, the listing ends soon after the page. A service
lists in pages of its own, each with its directories apart from its files, so that an entry can come up to one of those
pages late: that many entries are listed beyond the page. Otherwise the whole directory is listed for each page. No more
of it is kept than four pages.
"""

from __future__ import annotations

import base64
import heapq
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from entrepot import Entry, Operator

from .refusals import Refused

COLUMNS: Final = ("name", "size", "modified")
MOST: Final = 10_000

_SERVICE_PAGE: Final = 1000
"""The most entries of one request to a service. S3 has no larger pages."""

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a listing is wanted.

    Arguments:
        column: the column that the entries are sorted by.
        is_descending: whether the largest come first.
        after: the key of the last entry of the page before; None is the first page.
        limit: the most entries of the page.
    """

    column: str = "name"
    is_descending: bool = False
    after: Key | None = None
    limit: int = 500

    def key(self, entry: Entry) -> Key:
        """The sort key of an entry."""
        if self.column == "size":
            return (-1 if entry.size is None else entry.size, entry.path)
        if self.column == "modified":
            time = entry.metadata.last_modified
            return (0.0 if time is None else time.timestamp(), entry.path)
        return (entry.path,)

    def is_after(self, entry: Entry) -> bool:
        """Whether an entry is on this page or a later one."""
        if self.after is None:
            return True
        key = self.key(entry)
        return key < self.after if self.is_descending else key > self.after

    @property
    def select(self) -> Callable[..., list[Entry]]:
        """The function that takes the first entries in this order."""
        return heapq.nlargest if self.is_descending else heapq.nsmallest


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing.

    Arguments:
        path: the directory.
        entries: the entries, sorted.
        request: the page that was wanted.
        next: the token of the next page; None if this is the last one.
    """

    path: str
    entries: list[Entry]
    request: PageRequest
    next: str | None


def parse_page_request(query: Any) -> PageRequest:
    """The page that a query names: `sort`, `order`, `after` and `limit`.

    Raises:
        Refused: a value is not one of those.
    """
    column, order = query.get("sort", "name"), query.get("order", "asc")
    if column not in COLUMNS or order not in {"asc", "desc"}:
        raise Refused(400, "sort is name, size or modified, and order is asc or desc.")
    limit = query.get("limit", "500")
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST):
        raise Refused(400, f"limit is a number from 1 to {MOST}.")
    token = query.get("after")
    return PageRequest(column, order == "desc", None if token is None else _key_of(token, column), int(limit))


async def load_page(operator: Operator, path: str, request: PageRequest) -> Page:
    """Lists one page of a directory.

    Raises:
        NotFound: there is no such directory.
    """
    entries = await _first_entries(operator, path, request)
    if not entries and request.after is None and path != "/":
        await operator.stat(path)  # an empty listing does not tell an empty directory from none
    page = entries[: request.limit]
    return Page(path, page, request, _token_of(request.key(page[-1])) if len(entries) > len(page) else None)


async def all_entries(operator: Operator, path: str) -> AsyncGenerator[list[Entry], None]:
    """Lists a whole directory, some entries at a time, in the order that the storage has. Nothing of it is kept.

    Raises:
        NotFound: there is no such directory.
    """
    batch: list[Entry] = []
    is_empty = True
    async with aclosing(_entries(operator, path, None, _SERVICE_PAGE)) as entries:
        async for entry in entries:
            is_empty = False
            batch.append(entry)
            if len(batch) == _SERVICE_PAGE:
                yield batch
                batch = []
    if is_empty and path != "/":
        await operator.stat(path)  # an empty listing does not tell an empty directory from none
    yield batch


async def _first_entries(operator: Operator, path: str, request: PageRequest) -> list[Entry]:
    """The entries of the page and one more, if there is one."""
    count, window = request.limit + 1, min(request.limit + 1, _SERVICE_PAGE)
    is_in_order = operator.info.capability.list_with_start_after and request.column == "name"
    is_in_order = is_in_order and not request.is_descending
    kept: list[Entry] = []
    async with aclosing(_entries(operator, path, request if is_in_order else None, window)) as entries:
        async for entry in entries:
            if request.is_after(entry):
                kept.append(entry)
            if is_in_order and len(kept) == count + window:
                break
            if len(kept) == 4 * count:
                kept = request.select(count, kept, key=request.key)
    return request.select(count, kept, key=request.key)


async def _entries(
    operator: Operator, path: str, start: PageRequest | None, per_request: int
) -> AsyncGenerator[Entry, None]:
    """The entries of a directory without itself, from the start of a page."""
    options: dict[str, Any] = {} if start is None else {"limit": per_request}
    if start is not None and start.after is not None:
        options["start_after"] = start.after[-1]
    async with operator.lister(path, **options) as lister:
        async for entry in lister:
            if entry.path != path:
                yield entry


def _token_of(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _key_of(token: str, column: str) -> Key:
    try:
        key = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, RecursionError):
        key = None
    kinds = [str] if column == "name" else [int | float, str]
    if not isinstance(key, list) or len(key) != len(kinds) or not all(map(isinstance, key, kinds)):
        raise Refused(400, "after is not the token of a page in this order.")
    return tuple(key)
