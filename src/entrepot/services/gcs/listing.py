"""Listings, pure: Objects: list of the JSON API.

The storage lists from `startOffset` on, that name included, so an equal one is left out here. It states objects and
common prefixes apart; they are merged in the order of their names, in UTF-8, which is the storage's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from entrepot.errors import Unexpected
from entrepot.raw import OpList, build_abs_path
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.url import encode_query
from entrepot.raw.oio.list.page import Page
from entrepot.types import Entry, EntryMode, Metadata

from .core import GcsCore
from .resource import Resource, describe, parse_resource

MAX_RESULTS: Final = 1000
"""The most entries that the storage returns in one page."""

_FILE, _DIRECTORY = EntryMode.FILE, EntryMode.DIR  # on Python 3.11 to look one up takes as long as a call
_FIELDS: Final = (
    "nextPageToken,prefixes,items(name,size,updated,timeDeleted,etag,generation,md5Hash,crc32c,storageClass,contentType,"
    "contentEncoding,contentDisposition,contentLanguage,cacheControl,metadata)"
)
"""The fields of a page. Without the parameter, a page is ten times as long."""


class Listing:
    """One listing: builds the request for each page and reads its response.

    Arguments:
        core: the dialect.
        root: the prefix of every key, normalized.
        path: the directory or prefix to list.
        args: the options.
    """

    def __init__(self, core: GcsCore, root: str, path: str, args: OpList) -> None:
        self._core = core
        self._root = root[1:]
        self._prefix = build_abs_path(root, path)
        self._args = args

    def request(self, token: str | None) -> HttpRequest:
        """The request for the page of a token; None is the first."""
        args = self._args
        after = None if args.start_after is None else build_abs_path(f"/{self._root}", args.start_after)
        limit = None if args.limit is None else str(max(1, min(args.limit, MAX_RESULTS)))
        stated = {
            "prefix": self._prefix or None,
            "delimiter": None if args.recursive else "/",
            "versions": "true" if args.versions else None,
            "startOffset": after,
            "maxResults": limit,
            "fields": _FIELDS,
            "pageToken": token,
        }
        query = [(name, value) for name, value in stated.items() if value is not None]
        url = f"{self._core.endpoint}{self._core.bucket_path}/o{encode_query(query)}"
        return HttpRequest("GET", url, self._core.every)

    def page(self, headers: HttpHeaders, content: bytes) -> Page:
        """The entries in a response. Keys that no path leads to are left out.

        Raises:
            Unexpected: it cannot be understood.
        """
        document = parse_resource(content)
        rows = [(_name(item), item) for item in _rows(document, "items", dict)]
        rows += [(prefix, None) for prefix in _rows(document, "prefixes", str)]
        rows.sort(key=lambda row: row[0].encode("utf-8", "surrogatepass"))
        token = document.get("nextPageToken")
        unnamed: list[str] = []
        entries = list(self._entries(rows, unnamed))
        return Page(entries, token if isinstance(token, str) and token else None, unnamed=tuple(unnamed))

    def _entries(self, rows: list[tuple[str, Resource | None]], unnamed: list[str]) -> Iterator[Entry]:
        """The entries of rows. Keys that no path leads to are added to `unnamed`."""
        root, after = len(self._root), self._args.start_after
        for key, item in rows:
            path = key[root:]
            is_reached = key.startswith(self._prefix) and path != after
            if is_reached and path.startswith("/"):
                unnamed.append(path)
                continue
            if not is_reached or (item is None and after is not None and path < after):
                continue  # the storage also lists the directory that contains `start_after`
            if path or root:
                yield Entry(path or "/", self._metadata(path, item))

    def _metadata(self, path: str, item: Resource | None) -> Metadata:
        if item is None:
            return Metadata(_DIRECTORY)
        mode = _DIRECTORY if not path or path[-1] == "/" else _FILE
        if self._args.versions:
            return describe(item, mode=mode, is_current="timeDeleted" not in item)
        return describe(item, mode=mode, has_version=False)  # so that deleting the entry deletes the object


def _rows(document: Resource, name: str, kind: type) -> list[Any]:
    rows = document.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, kind) for row in rows):
        raise Unexpected(f"the storage states {name} that are not a list of {kind.__name__}", is_temporary=True)
    return rows


def _name(item: Resource) -> str:
    name = item.get("name")
    if not isinstance(name, str):
        raise Unexpected("the storage lists an object without a name")
    return name
