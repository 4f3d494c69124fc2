"""Listings, pure: ListObjectsV2, ListObjects (V1) and ListObjectVersions of the Amazon S3 API Reference.

Keys are requested percent-encoded (`encoding-type=url`), since XML cannot write all of them. They are decoded if the
response states that they are encoded: not every server encodes them. A blank is then `+` or `%20`, and a plus is always
`%2B`.

Some servers state that a page is encoded and encode its keys, but not its common prefixes (moto, in V1). Keys and
common prefixes are therefore decoded apart, and the texts show whether they were encoded: see `Listing._decoded`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from operator import attrgetter
from typing import Final
from urllib.parse import unquote, unquote_plus

from entrepot.errors import Unexpected
from entrepot.raw import OpList, build_abs_path, is_dir_path
from entrepot.raw.http.headers import parse_iso_time, parse_iso_times, parse_length, quoted_etag
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.url import Query
from entrepot.raw.http.xml import Document, Row
from entrepot.raw.oio.list.page import Page
from entrepot.types import Entry, EntryMode, Metadata
from entrepot.types.patterns import pattern

from .core import S3Core
from .row_scanner import MARKER, ScannedPage, scan

MAX_KEYS: Final = 1000
"""The most entries that S3 returns in one page."""


class Api(Enum):
    """The operation of S3 that lists."""

    V1 = "V1"
    V2 = "V2"
    VERSIONS = "versions"


_START_AFTER: Final = {Api.V1: "marker", Api.V2: "start-after", Api.VERSIONS: "key-marker"}
_OWN_QUERY: Final[dict[Api, Query]] = {Api.V1: (), Api.V2: (("list-type", "2"),), Api.VERSIONS: (("versions", None),)}
_path_of: Final = attrgetter("path")
_FILE, _DIRECTORY = EntryMode.FILE, EntryMode.DIR  # on Python 3.11 to look one up takes as long as a call
_new_metadata: Final = Metadata.__new__  # called for each row: without the call of the class a third of the time less
_PREFIXES: Final = "CommonPrefixes"
_OBJECT: Final = "Contents"
_ROWS: Final = frozenset({_OBJECT, _PREFIXES, "Version", "DeleteMarker"})
_NEVER_ENCODED: Final = pattern("%(?:(?![0-9A-Fa-f]{2})|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])")
"""Text that no encoder writes: a percent sign without two hexadecimal digits, or an encoded letter or digit."""
_TRUNCATED: Final = {"true": True, "1": True, "false": False, "0": False, "": False}
_ALL_ENCODED: Final = pattern("[!-~]*")
SEPARATOR: Final = "\n"


class Listing:
    """One listing: builds the request for each page and reads its response.

    The token of a page is the continuation token of S3 in V2. In V1 it is the last key of the page before, and in a
    listing of versions that key and its version. Only this class reads it.

    Arguments:
        core: the dialect.
        root: the prefix of every key, normalized.
        path: the directory or prefix to list.
        args: the options.
    """

    def __init__(self, core: S3Core, root: str, path: str, args: OpList) -> None:
        self._core = core
        self._root = root[1:]
        self._prefix = build_abs_path(root, path)
        self._args = args
        self._unnamed: list[str] = []
        self._api = Api.VERSIONS if args.versions or args.deleted else Api.V1 if core.is_list_v1 else Api.V2
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
        """The entries in a response. Keys that no path leads to are left out.

        Raises:
            Error: the response is an error, or cannot be understood.
        """
        self._unnamed.clear()
        scanned = None if self._is_versioned else scan(content)
        if scanned is not None:
            document = self._core.document(headers, scanned.rest, "List", _ROWS)
            if [row for row in document.rows if row[0] != _PREFIXES] == [MARKER]:
                return self._scanned_page(document, scanned)
        document = self._core.document(headers, content, "List", _ROWS)
        rows = self._keys(document)
        entries = self._in_order(self._entries(rows), document)
        return Page(entries, self._next_token(document, rows), unnamed=tuple(self._unnamed))

    def _scanned_page(self, document: Document, scanned: ScannedPage) -> Page:
        position = document.rows.index(MARKER)
        del document.rows[position]
        rows = self._keys(document)
        keys = self._decoded(scanned.keys, document, is_prefix=False)
        objects = self._objects(keys, scanned)
        entries = self._in_order([*self._entries(rows[:position]), *objects, *self._entries(rows[position:])], document)
        if self._api is Api.V1:  # its next page starts after a key of this one
            rows[position:position] = [(key, MARKER) for key in keys]
        return Page(entries, self._next_token(document, rows), unnamed=tuple(self._unnamed))

    def _in_order(self, entries: list[Entry], document: Document) -> list[Entry]:
        """The entries of a page in the order of their keys: a page states its common prefixes apart.

        Together the pages are in order, and a listing that was left can go on with `start_after`.
        """
        if any(name == _PREFIXES for name, _ in document.rows):
            entries.sort(key=_path_of)  # stable: the versions of an object stay in their order
            if self._prefix == self._root:
                entries.sort(key=_is_below)  # the path of the root, "/", is after some others, and its key before all
        return entries

    def _position(self, token: str | None) -> Query:
        if token is None:
            after = self._args.start_after
            return () if after is None else ((_START_AFTER[self._api], build_abs_path(f"/{self._root}", after)),)
        if self._api is not Api.VERSIONS:
            return (("continuation-token" if self._api is Api.V2 else "marker", token),)
        key, _, version = token.rpartition(SEPARATOR)  # a key may hold a line feed, a version does not
        return (("key-marker", key), *([("version-id-marker", version)] if version else []))

    def _keys(self, document: Document) -> list[tuple[str, Row]]:
        try:
            keys = [values["Key"] for name, values in document.rows if name != _PREFIXES]
            prefixes = [values["Prefix"] for name, values in document.rows if name == _PREFIXES]
        except KeyError:
            raise Unexpected("the storage lists an object without a key") from None
        decoded_keys = iter(self._decoded(keys, document, is_prefix=False))
        decoded_prefixes = iter(self._decoded(prefixes, document, is_prefix=True))
        return [(next(decoded_prefixes if row[0] == _PREFIXES else decoded_keys), row) for row in document.rows]

    def _decoded(self, texts: Sequence[str], document: Document, *, is_prefix: bool) -> Sequence[str]:
        """The decoded keys, or common prefixes, of a page.

        They stay unchanged if no encoder writes such texts, or if the decoded ones would not be in the listed directory
        while the texts themselves are. If a text has a character that encoders replace, such as a blank, a plus in it
        is not an encoded blank.

        Raises:
            Unexpected: a key is not UTF-8.
        """
        joint = "/".join(texts)
        if ("%" not in joint and "+" not in joint) or not _is_encoded(document) or _NEVER_ENCODED.search(joint):
            return texts
        decode = unquote_plus if _ALL_ENCODED.fullmatch(joint) else unquote
        keys = _all_decoded(decode, texts)
        end = document.fields.get("Delimiter") if is_prefix else None
        return keys if self._are_below(keys, end) or not self._are_below(texts, end) else texts

    def _are_below(self, keys: Iterable[str], end: str | None) -> bool:
        """Whether all start with the prefix; and if `end` is given, have it after that once, at their end."""
        start = self._prefix
        return all(
            key.startswith(start) and (not end or key.find(end, len(start)) + len(end) == len(key)) for key in keys
        )

    def _objects(self, keys: Sequence[str], scanned: ScannedPage) -> list[Entry]:
        """The entries of scanned rows. A loop over columns leaves no tuples to the garbage collector."""
        times = parse_iso_times(scanned.modified)
        columns = (scanned.sizes, scanned.etags, times, scanned.storage_classes)
        return [
            Entry(
                path,
                _new_metadata(
                    Metadata,
                    _DIRECTORY if path[-1] == "/" else _FILE,
                    int(size),
                    f'"{etag}"',
                    modified,
                    storage_class=storage_class,
                ),
            )
            for path, size, etag, modified, storage_class in zip(self._paths(keys), *columns, strict=True)
            if path is not None
        ]

    def _entries(self, rows: list[tuple[str, Row]]) -> list[Entry]:
        return [
            Entry(path, self._metadata(path, name, values))
            for path, (_, (name, values)) in zip(self._paths(key for key, _ in rows), rows, strict=True)
            if path is not None and (name == _OBJECT or self._is_requested(path, name, values))
        ]

    def _paths(self, keys: Iterable[str]) -> Iterator[str | None]:
        """The path of each key; None if no path leads to it, which `_unnamed` notes, or it was not requested."""
        prefix, root, after = self._prefix, len(self._root), self._args.start_after
        of_root = "/" if root else None
        for key in keys:
            path = key[root:]
            is_requested = key.startswith(prefix) and path != after
            if is_requested and path.startswith("/"):
                self._unnamed.append(path)
                is_requested = False
            yield (path or of_root) if is_requested else None

    def _is_requested(self, path: str, name: str, values: dict[str, str]) -> bool:
        if name == "DeleteMarker" and not self._args.deleted:
            return False
        if name == _PREFIXES:  # some servers list the directory that contains `start_after`
            return self._args.start_after is None or path > self._args.start_after
        return self._args.versions or _is_latest(values)

    def _metadata(self, path: str, name: str, values: dict[str, str]) -> Metadata:
        if name == _PREFIXES:
            return Metadata(_DIRECTORY)
        mode = _DIRECTORY if is_dir_path(path) else _FILE
        get = values.get
        size, etag, modified = parse_length(get("Size")), quoted_etag(get("ETag")), parse_iso_time(get("LastModified"))
        if not self._is_versioned:
            return Metadata(mode, size, etag, modified, storage_class=get("StorageClass"))
        is_deleted = name == "DeleteMarker"
        return Metadata(
            mode=mode,
            content_length=0 if is_deleted else size,
            etag=etag,
            last_modified=modified,
            version=get("VersionId") if self._args.versions or is_deleted else None,
            is_current=_is_latest(values),
            is_deleted=is_deleted,
            storage_class=get("StorageClass"),
        )

    def _next_token(self, document: Document, rows: list[tuple[str, Row]]) -> str | None:
        if not is_truncated(document):
            return None
        is_v2 = self._api is Api.V2
        token = document.fields.get("NextContinuationToken") if is_v2 else self._next_marker(document, rows)
        if not token:
            raise Unexpected("the storage has more pages and does not state the token of the next one")
        return token

    def _next_marker(self, document: Document, rows: list[tuple[str, Row]]) -> str | None:
        """The next page in V1 and of versions: the marker stated in the response, or else its last key."""
        is_v1 = self._api is Api.V1
        stated = document.fields.get("NextMarker" if is_v1 else "NextKeyMarker")
        marker = _marker(stated, document, rows) if stated else None
        if is_v1:
            return marker or max((key for key, _ in rows), key=str.encode, default=None)
        if marker:
            return marker + SEPARATOR + document.fields.get("NextVersionIdMarker", "")
        return rows[-1][0] + SEPARATOR + rows[-1][1][1].get("VersionId", "") if rows else None


def _marker(stated: str, document: Document, rows: list[tuple[str, Row]]) -> str:
    """The decoded marker. It is the last key of the page; SeaweedFS encodes the keys but not the marker."""
    last = {row[0] == _PREFIXES: key for key, row in rows}.values()
    key = decoded(stated, document)
    return stated if stated in last and key not in last else key


def _is_below(entry: Entry) -> bool:
    return entry.path != "/"


def _is_latest(values: dict[str, str]) -> bool:
    return values.get("IsLatest", "").strip().lower() == "true"


def is_truncated(document: Document) -> bool:
    """Whether there is another page. A response that does not state it is the last page.

    Raises:
        Unexpected: the statement cannot be read. Taking it for the end would lose entries.
    """
    stated = document.fields.get("IsTruncated", "").strip().lower()
    if stated not in _TRUNCATED:
        raise Unexpected("the storage does not state whether there is another page", is_temporary=True)
    return _TRUNCATED[stated]


def decoded(text: str, document: Document) -> str:
    """A key of a response, decoded if the response is encoded.

    Raises:
        Unexpected: it is not UTF-8.
    """
    if ("%" not in text and "+" not in text) or not _is_encoded(document):
        return text
    return _strictly(unquote_plus, text)


def _is_encoded(document: Document) -> bool:
    return document.fields.get("EncodingType") == "url"


def _all_decoded(decode: Callable[..., str], texts: Sequence[str]) -> Sequence[str]:
    """All texts in one call, which takes a third of the time; one by one if a decoded text has a line feed."""
    keys = _strictly(decode, "\n".join(texts)).split("\n")
    return keys if len(keys) == len(texts) else [_strictly(decode, text) for text in texts]


def _strictly(decode: Callable[..., str], text: str) -> str:
    try:
        return decode(text, errors="strict")
    except UnicodeDecodeError:
        raise Unexpected("the storage lists a key that is not UTF-8") from None
