"""Listings of directories, pure: Path List of the Azure Data Lake Storage REST API Reference."""

import json
from collections.abc import Iterator
from typing import Any, Final

from entrepot.errors import ContentIncomplete, Unexpected
from entrepot.raw import OpList, build_abs_path
from entrepot.raw.http.headers import parse_http_date, parse_length, quoted_etag
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.oio.list.page import Page
from entrepot.raw.temporary_names import is_temporary_name
from entrepot.signing.azure_errors import check_origin
from entrepot.types import Entry, EntryMode, Metadata

from .core import AzdlsCore

MAX_RESULTS: Final = 5000
"""The most entries that Azure returns in one page."""


class Listing:
    """One listing: builds the request for each page and reads its response. The token is the continuation of Azure.

    Arguments:
        core: the dialect.
        root: the prefix of every key, normalized.
        path: the directory, with a slash at its end.
        args: the options.
        with_temporary: whether temporary files are entries too.
    """

    def __init__(self, core: AzdlsCore, root: str, path: str, args: OpList, *, with_temporary: bool = False) -> None:
        self._core = core
        self._root = len(root) - 1
        self._key = build_abs_path(root, path)
        self._args = args
        self._with_temporary = with_temporary

    def request(self, token: str | None) -> HttpRequest:
        """The request for the page of a token; None is the first."""
        query = [("recursive", "true" if self._args.recursive else "false")]
        if self._args.limit is not None:
            query.append(("maxResults", str(min(self._args.limit, MAX_RESULTS))))
        if token is not None:
            query.append(("continuation", token))
        return self._core.list(self._key, query)

    def page(self, headers: HttpHeaders, content: bytes) -> Page:
        """The entries in a response.

        Raises:
            ContentIncomplete: it is truncated, or otherwise no JSON. Temporary.
            Unexpected: it is not one to this request.
        """
        check_origin(headers)
        try:
            paths = json.loads(content)["paths"]
            entries = list(self._entries(paths))
        except json.JSONDecodeError:
            raise ContentIncomplete("the response of the storage is not JSON, or is truncated") from None
        except (TypeError, KeyError, AttributeError, RecursionError, UnicodeDecodeError):
            raise Unexpected("the response of the storage is not one to a listing", is_temporary=True) from None
        return Page(entries, headers.get("x-ms-continuation") or None)

    def _entries(self, paths: list[dict[str, Any]]) -> Iterator[Entry]:
        for values in paths:
            name: str = values["name"]
            is_directory = str(values.get("isDirectory", "")).lower() == "true"
            key = f"{name}/" if is_directory else name
            is_seen = self._with_temporary or not is_temporary_name(name.rpartition("/")[2])
            if key.startswith(self._key) and key != self._key and is_seen:
                yield Entry(key[self._root :], _metadata(values, is_directory=is_directory))


def _metadata(values: dict[str, Any], *, is_directory: bool) -> Metadata:
    if is_directory:
        return Metadata(EntryMode.DIR)
    return Metadata(
        content_length=parse_length(str(values.get("contentLength", "0"))),
        etag=quoted_etag(values.get("etag")),
        last_modified=parse_http_date(values.get("lastModified", "")),
    )
