"""Listings, pure: List Blobs of the Azure Storage REST API Reference.

User metadata is requested with each page, since only it distinguishes directories of hierarchical accounts from empty
blobs: both are blobs without content there (`hdi_isfolder`). Such a blob `a` is the entry `a/`, and comes once, though
a page may also have the prefix `a/`.

Entries come in the order of their paths, so that a listing can be continued after any of them. The storage lists the
blob `a` before `a-b`, and the path `a/` is after it: such an entry is held back until the names have passed it.

The storage cannot start in the middle. With `start_after` all pages are requested, and what comes before it is left
out here. Such pages have as many names as possible, whatever the limit is.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final

from entrepot.errors import Unexpected
from entrepot.raw import OpList, build_abs_path
from entrepot.raw.http.headers import parse_http_date, parse_length, quoted_etag
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.http.xml import Document, Row
from entrepot.raw.oio.list.page import Page
from entrepot.types import Entry, EntryMode, Metadata
from entrepot.types.frozen_mapping import EMPTY

from .core import AzblobCore, is_folder
from .row_scanner import ROW_DEPTH, ROWS, scan

MAX_RESULTS: Final = 1500
"""Entries of a page. Azure has up to 5,000, which do not fit into a response (`RESPONSE_LIMIT`) if each blob has as
much metadata as it may have, 8 KiB."""

_FILE, _DIRECTORY = EntryMode.FILE, EntryMode.DIR  # on Python 3.11 to look one up takes as long as a call
_PREFIX: Final = "BlobPrefix"
_METADATA: Final = "Metadata/"
_new_metadata: Final = Metadata.__new__  # takes two thirds of the time of a call of the class

_State = tuple[bool, bool | None, str | None]
"""Whether a blob is deleted, whether it is the current version, and its version."""

_CURRENT: Final[_State] = (False, None, None)
"""The state of each blob of a listing of neither versions nor deleted blobs."""


class Listing:
    """One listing: builds the request for each page and reads its response. The token is the marker of Azure.

    Arguments:
        core: the dialect.
        root: the prefix of every key, normalized.
        path: the directory or prefix to list.
        args: the options.
    """

    def __init__(self, core: AzblobCore, root: str, path: str, args: OpList) -> None:
        self._core = core
        self._root = len(root) - 1
        self._prefix = build_abs_path(root, path)
        self._args = args
        self._is_versioned = args.versions or args.deleted
        self._unnamed: list[str] = []
        self._folders = set[str]()
        self._held = list[Entry]()
        self._is_started = args.start_after is None

    def request(self, token: str | None) -> HttpRequest:
        """The request for the page of a token; None is the first."""
        query = [("comp", "list")]
        if self._prefix:
            query.append(("prefix", self._prefix))
        if not self._args.recursive:
            query.append(("delimiter", "/"))
        limit = self._args.limit if self._is_started else None
        query.append(("maxresults", str(min(limit or MAX_RESULTS, MAX_RESULTS))))
        if token is not None:
            query.append(("marker", token))
        return self._core.on_container("GET", [*query, ("include", ",".join(self._included()))])

    def page(self, headers: HttpHeaders, content: bytes) -> Page:
        """The entries in a response. Keys that no path leads to are left out.

        Raises:
            Error: the response cannot be understood.
        """

        def parse(content: bytes) -> Document:
            return self._core.document(headers, content, "EnumerationResults", ROWS, ROW_DEPTH)

        document = scan(content, parse) or parse(content)
        names = [_name(values) for _, values in document.rows]
        self._unnamed.clear()
        entries = sorted([*self._held, *self._entries(document.rows)], key=_place)
        token = document.fields.get("NextMarker") or None
        reached = len(entries) if token is None else self._reached(entries, names)
        entries, self._held = entries[:reached], entries[reached:]
        self._is_started = self._is_started or bool(entries)
        left_out = () if entries else [_identity(values) for _, values in document.rows]
        return Page(entries, token, left_out, tuple(self._unnamed))

    def _reached(self, entries: list[Entry], names: list[str]) -> int:
        """How many entries come before all of those that the next page can have."""
        last = max(names, default="")[self._root :]
        return bisect_right(entries, last, key=_place)

    def _included(self) -> list[str]:
        versions = ["versions"] if self._args.versions else []
        deleted = ["deletedwithversions"] if self._args.deleted else []
        return ["metadata", *versions, *deleted]

    def _entries(self, rows: list[Row]) -> Iterator[Entry]:
        for name, values in rows:
            key = values["Name"]
            user_metadata = _user_metadata(values)
            is_directory = name == _PREFIX or (bool(user_metadata) and is_folder(user_metadata))
            path = self._path(key, is_directory=is_directory)
            if path is not None and not (is_directory and self._is_repeated(path, is_prefix=name == _PREFIX)):
                yield Entry(path, self._metadata(path, name, values, user_metadata))

    def _path(self, key: str, *, is_directory: bool) -> str | None:
        """The path of a key; None if no path leads to it, or it was not requested."""
        if not key.startswith(self._prefix):
            return None
        path = key[self._root :]
        if path.startswith("/"):
            self._unnamed.append(path)
            return None
        if is_directory and not path.endswith("/"):
            path += "/"
        after = self._args.start_after
        if after is not None and path <= after:
            return None
        return path or ("/" if self._root else None)

    def _is_repeated(self, path: str, *, is_prefix: bool) -> bool:
        """Whether a prefix was listed before, as a blob that stands for the directory."""
        if is_prefix:
            return path in self._folders
        self._folders.add(path)
        return False

    def _metadata(self, path: str, name: str, values: dict[str, str], user_metadata: Mapping[str, str]) -> Metadata:
        if name == _PREFIX:
            return Metadata(_DIRECTORY)
        get = values.get
        is_deleted, is_current, version = self._state(values) if self._is_versioned else _CURRENT
        return _new_metadata(
            Metadata,
            _DIRECTORY if path[-1] == "/" else _FILE,
            0 if is_deleted else parse_length(get("Properties/Content-Length")),
            quoted_etag(get("Properties/Etag")),
            parse_http_date(get("Properties/Last-Modified", "")),
            get("Properties/Content-Type") or None,
            get("Properties/Content-Encoding") or None,
            get("Properties/Content-Disposition") or None,
            get("Properties/Cache-Control") or None,
            get("Properties/Content-MD5") or None,
            version,
            is_current,
            is_deleted,
            user_metadata,
            get("Properties/Content-Language") or None,
            get("Properties/AccessTier") or None,
        )

    def _state(self, values: dict[str, str]) -> _State:
        get = values.get
        is_deleted = _is_true(get("HasVersionsOnly")) or _is_true(get("Deleted"))
        is_current = is_deleted or _is_true(get("IsCurrentVersion"))
        return is_deleted, is_current, (get("VersionId") or None) if self._args.versions and not is_deleted else None


def _name(values: Mapping[str, str]) -> str:
    name = values.get("Name")
    if name is None:
        raise Unexpected("the storage lists a blob without a name")
    return name


def _identity(values: Mapping[str, str]) -> str:
    """What no other row of a listing is equal in."""
    return f"{values['Name']} {values.get('VersionId', '')}"


def _place(entry: Entry) -> str:
    """The place of an entry in the order of a listing. The blob of the root itself comes first."""
    return "" if entry.path == "/" else entry.path


def _is_true(text: str | None) -> bool:
    return text is not None and text.lower() == "true"


def _user_metadata(values: dict[str, str]) -> Mapping[str, str]:
    if _METADATA not in "\n".join(values):  # most blobs have none
        return EMPTY
    return {name.removeprefix(_METADATA).lower(): value for name, value in values.items() if name.startswith(_METADATA)}
