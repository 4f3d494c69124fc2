"""Listings, pure: ListObjectsV2, ListObjects (V1) and ListObjectVersions of the Amazon S3 API Reference.

Keys are asked for percent-encoded (`encoding-type=url`), since XML cannot write all of them, and decoded
where the reply says that it did so: not every server does. A blank then is `+` or `%20`, and a plus always `%2B`.

Some servers say so of a page and encode the keys in it, but not the common prefixes (moto, in V1). So keys and common
prefixes are read apart, and the texts show whether they were encoded: see `Listing._decoded`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import Final
from urllib.parse import unquote, unquote_plus

from entrepot.errors import Unexpected
from entrepot.raw import OpList, build_abs_path, is_dir_path
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.oio.list.page import Page
from entrepot.types import Entry, EntryMode, Metadata

from .core import Query, S3Core, parse_moment, quoted_etag
from .xml import Document, Row

MAX_KEYS: Final = 1000
"""The most entries that S3 gives in one page."""


class Api(Enum):
    """Which operation of S3 lists."""

    V1 = "V1"
    V2 = "V2"
    VERSIONS = "versions"


_START_AFTER: Final = {Api.V1: "marker", Api.V2: "start-after", Api.VERSIONS: "key-marker"}
_OWN_QUERY: Final[dict[Api, Query]] = {Api.V1: (), Api.V2: (("list-type", "2"),), Api.VERSIONS: (("versions", None),)}
_FILE, _DIRECTORY = EntryMode.FILE, EntryMode.DIR  # on Python 3.11 to look one up takes as long as a call
_PREFIXES: Final = "CommonPrefixes"
_ROWS: Final = frozenset({"Contents", _PREFIXES, "Version", "DeleteMarker"})
_NEVER_ENCODED: Final = re.compile("%(?:(?![0-9A-Fa-f]{2})|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])")
"""What no encoder writes: a percent sign before something else than two digits, or before a letter or a figure."""
_TRUNCATED: Final = {"true": True, "1": True, "false": False, "0": False, "": False}
_ALL_ENCODED: Final = re.compile("[!-~]*")
SEPARATOR: Final = "\n"


class Listing:
    """One listing: what is asked for each of its pages, and what a reply holds.

    The token of a page is what asks for it: of S3 in V2, and else the key that the page before ended with,
    with the version if there are versions. So it can be read here alone.

    Arguments:
        core: the bucket.
        root: the prefix of every key, normalized.
        path: the directory or prefix to list.
        args: the options.
        is_v1: whether to use the first version of the operation.
    """

    def __init__(self, core: S3Core, root: str, path: str, args: OpList, *, is_v1: bool = False) -> None:
        self._core = core
        self._root = root[1:]
        self._prefix = build_abs_path(root, path)
        self._args = args
        self._api = Api.VERSIONS if args.versions or args.deleted else Api.V1 if is_v1 else Api.V2
        self._is_versioned = self._api is Api.VERSIONS

    def request(self, token: str | None) -> HttpRequest:
        """The request for the page of a token; None is the first."""
        query = [*_OWN_QUERY[self._api], ("encoding-type", "url")]
        if self._prefix:
            query.append(("prefix", self._prefix))
        if not self._args.recursive:
            query.append(("delimiter", "/"))
        if self._args.limit is not None:
            query.append(("max-keys", str(max(1, min(self._args.limit, MAX_KEYS)))))
        return self._core.on_bucket("GET", [*query, *self._position(token)])

    def page(self, headers: HttpHeaders, content: bytes) -> Page:
        """What a reply holds. Keys that no path leads to are left out.

        Raises:
            Error: the reply is an error, or nothing that can be understood.
        """
        document = self._core.document(headers, content, "List", _ROWS)
        rows = list(self._keys(document))
        return Page(list(self._entries(rows)), self._next_token(document, rows))

    def _position(self, token: str | None) -> Query:
        if token is None:
            after = self._args.start_after
            return () if after is None else ((_START_AFTER[self._api], build_abs_path(f"/{self._root}", after)),)
        if self._api is not Api.VERSIONS:
            return (("continuation-token" if self._api is Api.V2 else "marker", token),)
        key, _, version = token.rpartition(SEPARATOR)  # a key may hold a line feed, a version none
        return (("key-marker", key), *([("version-id-marker", version)] if version else []))

    def _keys(self, document: Document) -> Iterator[tuple[str, Row]]:
        texts: dict[bool, list[str]] = {True: [], False: []}
        for name, values in document.rows:
            is_prefix = name == _PREFIXES
            text = values.get("Prefix" if is_prefix else "Key")
            if text is None:
                raise Unexpected("the storage lists an object without a key")
            texts[is_prefix].append(text)
        keys = {kind: iter(self._decoded(of_kind, document, is_prefix=kind)) for kind, of_kind in texts.items()}
        return ((next(keys[row[0] == _PREFIXES]), row) for row in document.rows)

    def _decoded(self, texts: Sequence[str], document: Document, *, is_prefix: bool) -> Sequence[str]:
        """The keys, or the common prefixes, of a page as they are.

        They are left as they stand where no encoder writes such a text, or where decoded they would not lie in what
        is listed. Where a character stands that encoders replace, such as a blank, a plus is not one of them.

        Raises:
            Unexpected: one is not UTF-8.
        """
        joint = "/".join(texts)
        if ("%" not in joint and "+" not in joint) or not _is_encoded(document) or _NEVER_ENCODED.search(joint):
            return texts
        decode = unquote_plus if _ALL_ENCODED.fullmatch(joint) else unquote
        keys = [_strictly(decode, text) for text in texts]
        end = document.fields.get("Delimiter") if is_prefix else None
        return keys if self._are_below(keys, end) or not self._are_below(texts, end) else texts

    def _are_below(self, keys: Iterable[str], end: str | None) -> bool:
        """Whether all begin as was asked for; and if `end` is given, have that once behind it, at their end."""
        start = self._prefix
        return all(
            key.startswith(start) and (not end or key.find(end, len(start)) + len(end) == len(key)) for key in keys
        )

    def _entries(self, rows: list[tuple[str, Row]]) -> Iterator[Entry]:
        for key, (name, values) in rows:
            path = self._path(key)
            if path is not None and self._is_asked(path, name, values):
                yield Entry(path, self._metadata(path, name, values))

    def _path(self, key: str) -> str | None:
        """The path of a key; None where none leads to it, or it was not asked for."""
        path = key[len(self._root) :]
        if not key.startswith(self._prefix) or path.startswith("/") or path == self._args.start_after:
            return None
        return path or ("/" if self._root else None)

    def _is_asked(self, path: str, name: str, values: dict[str, str]) -> bool:
        if name == "Contents":
            return True
        if name == "DeleteMarker" and not self._args.deleted:
            return False
        if name == _PREFIXES:  # some servers name the directory that `start_after` lies in
            return self._args.start_after is None or path > self._args.start_after
        return self._args.versions or _is_latest(values)

    def _metadata(self, path: str, name: str, values: dict[str, str]) -> Metadata:
        if name == _PREFIXES:
            return Metadata(mode=EntryMode.DIR)
        mode = _DIRECTORY if is_dir_path(path) else _FILE
        etag, modified = quoted_etag(values.get("ETag")), parse_moment(values.get("LastModified"))
        if not self._is_versioned:
            return Metadata(mode, parse_length(values.get("Size")), etag, modified)
        is_deleted = name == "DeleteMarker"
        return Metadata(
            mode=mode,
            content_length=0 if is_deleted else parse_length(values.get("Size")),
            etag=etag,
            last_modified=modified,
            version=values.get("VersionId") if self._args.versions or is_deleted else None,
            is_current=_is_latest(values),
            is_deleted=is_deleted,
        )

    def _next_token(self, document: Document, rows: list[tuple[str, Row]]) -> str | None:
        if not is_truncated(document):
            return None
        is_v2 = self._api is Api.V2
        token = document.fields.get("NextContinuationToken") if is_v2 else self._next_marker(document, rows)
        if not token:
            raise Unexpected("the storage has more to list and does not say how to ask for it")
        return token

    def _next_marker(self, document: Document, rows: list[tuple[str, Row]]) -> str | None:
        """Where V1 and the listing of versions go on: what the reply says, or else behind the last key in it."""
        is_v1 = self._api is Api.V1
        stated = document.fields.get("NextMarker" if is_v1 else "NextKeyMarker")
        marker = _marker(stated, document, rows) if stated else None
        if is_v1:
            return marker or max((key for key, _ in rows), key=str.encode, default=None)
        if marker:
            return marker + SEPARATOR + document.fields.get("NextVersionIdMarker", "")
        return rows[-1][0] + SEPARATOR + rows[-1][1][1].get("VersionId", "") if rows else None


def _marker(stated: str, document: Document, rows: list[tuple[str, Row]]) -> str:
    """A marker as it is. It is a key that the page ends with; SeaweedFS encodes the keys, and not the marker."""
    last = {row[0] == _PREFIXES: key for key, row in rows}.values()
    key = decoded(stated, document)
    return stated if stated in last and key not in last else key


def _is_latest(values: dict[str, str]) -> bool:
    return values.get("IsLatest", "").strip().lower() == "true"


def is_truncated(document: Document) -> bool:
    """Whether more is to be listed. A response that does not say so is the last page.

    Raises:
        Unexpected: what it says cannot be read. To take that for the end would lose entries.
    """
    stated = document.fields.get("IsTruncated", "").strip().lower()
    if stated not in _TRUNCATED:
        raise Unexpected("the storage does not say whether it has more to list", is_temporary=True)
    return _TRUNCATED[stated]


def decoded(text: str, document: Document) -> str:
    """A key of a reply as it is.

    Raises:
        Unexpected: it is not UTF-8.
    """
    if ("%" not in text and "+" not in text) or not _is_encoded(document):
        return text
    return _strictly(unquote_plus, text)


def _is_encoded(document: Document) -> bool:
    return document.fields.get("EncodingType") == "url"


def _strictly(decode: Callable[..., str], text: str) -> str:
    try:
        return decode(text, errors="strict")
    except UnicodeDecodeError:
        raise Unexpected("the storage lists a key that is not UTF-8") from None
