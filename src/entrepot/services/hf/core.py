"""The requests to the hub and the meaning of its responses, pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from entrepot.errors import Error, Unexpected
from entrepot.raw import OpList, OpRead, build_abs_path, build_rel_path
from entrepot.raw.http.dialect import Dialect, ObjectArgs
from entrepot.raw.http.headers import header_etag, parse_length, parse_metadata
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest
from entrepot.raw.http.url import Query, encode_query
from entrepot.raw.oio import Page
from entrepot.types import Entry, EntryMode, Metadata

from .answers import KEEP, TreeEntry, next_cursor, read_entries
from .errors import response_error
from .repository import Repository, check_names

JSON: Final = ("Content-Type", "application/json")
NDJSON: Final = ("Content-Type", "application/x-ndjson")
LFS_JSON: Final = "application/vnd.git-lfs+json"
FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")

COMMIT: Final = "x-repo-commit"
"""The commit that content is of. The hub states it with content, and in redirects to it."""

MAX_PAGE: Final = 1_000
"""The most entries of a page of a listing."""


class HfDialect(Dialect):
    """The dialect of the hub.

    Arguments:
        repository: the revision that requests are about.
    """

    __slots__ = ("repository",)

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def get(self, key: str, args: OpRead, *, revision: str | None = None) -> HttpRequest:
        check_names(key)
        ranged = range_header(args.range)
        headers = [("Range", ranged)] if ranged else []
        return HttpRequest("GET", self.repository.content(key, revision=revision), headers)

    def paths_info(self, keys: Sequence[str], *, revision: str | None = None) -> HttpRequest:
        """The request for the entries at some paths. The response leaves out paths that do not exist."""
        fields = [*(("paths", key) for key in keys), ("expand", "true")]
        return self.post(self.repository.api("paths-info", revision=revision), FORM, urlencode(fields).encode())

    def head_commit(self) -> HttpRequest:
        """The request for the commit that the revision is at."""
        return HttpRequest("GET", self.repository.api("revision"))

    def post(self, url: str, content_type: Header, content: bytes) -> HttpRequest:
        """A request to the API with content."""
        return HttpRequest("POST", url, [content_type], content)

    def lfs_post(self, url: str, content: bytes) -> HttpRequest:
        """A request of Git LFS."""
        return HttpRequest("POST", url, [("Accept", LFS_JSON), ("Content-Type", LFS_JSON)], content)

    def listing(self, root: str, path: str, args: OpList) -> TreeListing:
        return TreeListing(self, root, path, args)

    def tree(self, key: str, query: Query) -> HttpRequest:
        """The request for a page of the listing of a directory."""
        return HttpRequest("GET", self.repository.tree(key) + encode_query(query))

    def describe(self, headers: HttpHeaders, **overrides: object) -> Metadata:
        """The metadata in the response to a read.

        The response comes from a storage behind the hub, which has its own times and etags. `HubTransport` has added
        the etag and the size that the hub states.

        Raises:
            Unexpected: the hub did not send it.
        """
        self.content_check(headers)
        stated = parse_metadata(headers, **overrides)
        linked = parse_length(headers.get("x-linked-size"))
        size = linked if linked is not None and overrides.get("content_length") is None else stated.content_length
        return Metadata(stated.mode, size, _etag(headers), content_type=stated.content_type)

    def content_check(self, headers: HttpHeaders) -> None:
        """Compares nothing, but no content of another server is handed out: the hub states the commit it is of.

        Raises:
            Unexpected: the hub did not send it.
        """
        if COMMIT not in headers:
            raise Unexpected("the response states no commit: the endpoint may not be a hub", is_temporary=True)

    def error(self, status: int, headers: HttpHeaders, content: bytes, args: ObjectArgs | None = None) -> Error:
        return response_error(status, headers, is_of_api=args is None)


class TreeListing:
    """The listing of one directory, one level or all.

    Arguments:
        dialect: builds the requests.
        root: the root of the service, normalized.
        path: the directory.
        args: the options.
    """

    __slots__ = ("_dialect", "_key", "_path", "_query", "_root")

    def __init__(self, dialect: HfDialect, root: str, path: str, args: OpList) -> None:
        self._dialect = dialect
        self._root = root
        self._path = path
        self._key = build_abs_path(root, path)
        check_names(self._key)
        limit = min(args.limit or MAX_PAGE, MAX_PAGE)
        self._query: Query = [("recursive", str(args.recursive).lower()), ("limit", str(limit))]

    def request(self, token: str | None) -> HttpRequest:
        cursor: Query = [] if token is None else [("cursor", token)]
        return self._dialect.tree(self._key.removesuffix("/"), [*self._query, *cursor])

    def page(self, headers: HttpHeaders, content: bytes) -> Page:
        entries = [self._listed(entry) for entry in read_entries(content) if self._is_listed(entry)]
        return Page(entries, next_cursor(headers))

    def _is_listed(self, entry: TreeEntry) -> bool:
        return entry.path.startswith(self._key) and (not entry.keeps_directory or self._is_own_keeper(entry))

    def _is_own_keeper(self, entry: TreeEntry) -> bool:
        """Whether an entry is the file that keeps the listed directory, and so stands for the directory."""
        return entry.keeps_directory and entry.path == f"{self._key}{KEEP}"

    def _listed(self, entry: TreeEntry) -> Entry:
        if self._is_own_keeper(entry):
            return Entry(self._path, Metadata(mode=EntryMode.DIR))
        path = build_rel_path(self._root, entry.path)
        return Entry(f"{path}/" if entry.is_dir else path, entry.metadata())


def _etag(headers: HttpHeaders) -> str | None:
    """The etag of the file: the one in the redirect of the hub, else the one in the response.

    An etag is made of the content, so that a proxy that calls it weak does not make it so.
    """
    linked = headers.get("x-linked-etag")
    etag = header_etag(headers) if linked is None else linked
    return None if etag is None else etag.removeprefix("W/")
