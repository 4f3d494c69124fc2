"""The dialect of Azure Blob Storage, pure: the requests for one blob are built and their responses read here.

The source is the Azure Storage REST API Reference: Get Blob, Get Blob Properties, Put Blob, Delete Blob and Copy Blob.
Listings, uploads in blocks, appends, tags, deletions of many blobs and errors have modules of their own in this folder.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from entrepot.errors import Error, InvalidInput, IsADirectory, Unexpected, Unsupported
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, DEFAULT_WRITE, OpCopy, OpDelete, OpList, OpRead, OpStat, OpWrite
from entrepot.raw.http.conditions import check_version
from entrepot.raw.http.dialect import Dialect, ListRequests, ObjectArgs
from entrepot.raw.http.headers import conditional_headers, header_etag, header_text, parse_http_date, parse_metadata
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.stored_headers import StoredHeaders, write_conditions
from entrepot.raw.http.transport import Content, Header, HttpHeaders, HttpRequest
from entrepot.raw.http.url import Query, encode_key, encode_query
from entrepot.raw.http.xml import Document, is_error, parse
from entrepot.signing.azure import VERSION_HEADER
from entrepot.signing.azure_errors import check_origin
from entrepot.signing.azure_names import check_key, check_user_metadata
from entrepot.types import EntryMode, Metadata

from .errors import response_error
from .tagging import tags_header

METADATA_PREFIX: Final = "x-ms-meta-"
FOLDER: Final = "hdi_isfolder"
"""The user metadata of a blob that stands for a directory: in hierarchical accounts, and of the tools of Hadoop."""

_FOLDER_HEADER: Final = METADATA_PREFIX + FOLDER

BLOB_TYPE: Final = "x-ms-blob-type"
_BLOCK_BLOB: Final = (BLOB_TYPE, "BlockBlob")
VERSION: Final = "x-ms-version-id"
TIER: Final = "x-ms-access-tier"
_STORED: Final = StoredHeaders(METADATA_PREFIX)
_CONTENT_HEADERS: Final = {
    "Content-Type": "x-ms-blob-content-type",
    "Content-Disposition": "x-ms-blob-content-disposition",
    "Content-Encoding": "x-ms-blob-content-encoding",
    "Content-Language": "x-ms-blob-content-language",
    "Cache-Control": "x-ms-blob-cache-control",
}
"""The headers that are stored with a blob. The names on the right are understood by every request that makes one."""


@dataclass(frozen=True, slots=True)
class AzblobCore(Dialect):
    """Builds the requests to one container and reads its responses.

    Arguments:
        url: the URL of the container, without a slash at its end.
        host: the value of the Host header.
        container: the name of the container.
        storage_class: the access tier of new blobs; None is the account's.
        customer_key: the headers of the key that blobs are encrypted with, if the caller has one.
        is_with_snapshots: whether the deletion of a blob deletes its snapshots too.

    Attributes:
        every: the headers of every request.
        plain_read: all headers of a read or stat without options.
        plain_write: all headers of a write without options.
    """

    url: str
    host: str
    container: str
    storage_class: str | None = None
    customer_key: tuple[Header, ...] = ()
    is_with_snapshots: bool = False
    every: tuple[Header, ...] = field(init=False, repr=False)
    plain_read: tuple[Header, ...] = field(init=False, repr=False)
    plain_write: tuple[Header, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        every = (("Host", self.host), VERSION_HEADER)
        object.__setattr__(self, "every", every)
        object.__setattr__(self, "plain_read", every + self.customer_key)
        object.__setattr__(self, "plain_write", (*every, _BLOCK_BLOB, *self.new_blob(DEFAULT_WRITE)))

    def get(self, key: str, args: OpRead) -> HttpRequest:
        """Get Blob. The range must not be empty: no header can say so, and the whole blob would be sent."""
        if args is DEFAULT_READ:  # most reads: nothing to look for
            return HttpRequest("GET", self.blob_url(key), self.plain_read)
        stated = range_header(args.range)
        ranged = [] if stated is None else [("Range", stated)]
        return self.on_blob("GET", key, _reading_query(args), [*self._reading_headers(args), *ranged])

    def head(self, key: str, args: OpStat) -> HttpRequest:
        """Get Blob Properties."""
        if args is DEFAULT_STAT:
            return HttpRequest("HEAD", self.blob_url(key), self.plain_read)
        return self.on_blob("HEAD", key, _reading_query(args), self._reading_headers(args))

    def put(self, key: str, content: bytes, args: OpWrite) -> HttpRequest:
        """Put Blob, as a block blob."""
        if args is DEFAULT_WRITE:
            return HttpRequest("PUT", self.blob_url(key), self.plain_write, content)
        headers = [_BLOCK_BLOB, *self.new_blob(args), *blob_conditions(args)]
        return self.on_blob("PUT", key, (), headers, content)

    def new_blob(self, args: OpWrite) -> list[Header]:
        """The headers of a request that creates a blob, without the conditions.

        Raises:
            InvalidInput: the metadata or a tag cannot be sent.
        """
        stored = _STORED.to_store(args)
        headers = [(_CONTENT_HEADERS.get(name, name), value) for name, value in stored]
        check_user_metadata(args.user_metadata or {})
        if (tier := args.storage_class or self.storage_class) is not None:
            headers.append((TIER, tier))
        if args.tags is not None:
            headers.append(tags_header(args.tags))
        return [*headers, *self.customer_key]

    def delete(self, key: str, args: OpDelete) -> HttpRequest:
        """Delete Blob. It is refused for a blob with snapshots, unless these may be deleted as well."""
        headers = write_conditions(args)
        if self.is_with_snapshots and args.version is None:
            headers.append(("x-ms-delete-snapshots", "include"))
        return self.on_blob("DELETE", key, version_query(args.version), headers)

    def listing(self, root: str, path: str, args: OpList) -> ListRequests:
        """List Blobs."""
        from .listing import Listing

        return Listing(self, root, path, args)

    def copy(self, source: str, target: str, args: OpCopy) -> HttpRequest:
        """Copy Blob.

        Arguments:
            source: the URL of the source.
            target: the key of the copy.
            args: the conditions on the target, and its metadata.

        Raises:
            Unsupported: the copy would have no user metadata, which no request can say.
        """
        if args.user_metadata is not None and not args.user_metadata:
            raise Unsupported("an empty user_metadata of a copy cannot be sent: Azure would copy the source's")
        headers: list[Header] = [("x-ms-copy-source", source), *self.new_blob(args.to_write())]
        return self.on_blob("PUT", target, (), [*headers, *write_conditions(args)], b"")

    def blob_url(self, key: str, query: Query = ()) -> str:
        """The URL of a blob.

        Raises:
            InvalidInput: no blob can have this key.
        """
        check_key(key)
        return f"{self.url}/{encode_key(key)}{encode_query(query) if query else ''}"

    def on_blob(
        self, method: str, key: str, query: Query = (), headers: Sequence[Header] = (), body: Content | None = None
    ) -> HttpRequest:
        """A request about one blob.

        Raises:
            InvalidInput: no blob can have this key.
        """
        return HttpRequest(method, self.blob_url(key, query), [*self.every, *headers], body)

    def on_container(
        self, method: str, query: Query, headers: Sequence[Header] = (), body: bytes | None = None
    ) -> HttpRequest:
        """A request about the container."""
        url = f"{self.url}{encode_query([('restype', 'container'), *query])}"
        return HttpRequest(method, url, [*self.every, *headers], body)

    def describe(self, headers: HttpHeaders, **overrides: Any) -> Metadata:
        if user_metadata := _STORED.user_metadata(headers):
            overrides["user_metadata"] = user_metadata
            if is_folder(user_metadata):
                overrides["mode"] = EntryMode.DIR
        if TIER in headers:
            overrides["storage_class"] = header_text(headers, TIER)
        if VERSION in headers:
            overrides["version"] = header_text(headers, VERSION)
        return parse_metadata(headers, **overrides)

    def describe_requested(self, headers: HttpHeaders, args: OpRead | OpStat, **overrides: Any) -> Metadata:
        """The metadata in the response to a read or stat.

        Raises:
            ConditionNotMatch: as in every store.
            IsADirectory: it is a read, and the blob stands for a directory.
            Unexpected: no storage of Azure sent the response.
        """
        check_origin(headers)
        if args is DEFAULT_STAT:  # nothing was requested
            return self.describe(headers, **overrides)
        # A server that does not repeat the version has none, and has sent the current blob
        check_version(header_text(headers, VERSION) or "", args)
        metadata = Dialect.describe_requested(self, headers, args, **overrides)
        if isinstance(args, OpRead) and metadata.is_dir:
            raise IsADirectory("the path names a directory")
        return metadata

    def describe_stored(self, headers: HttpHeaders, size: int) -> Metadata:
        return Metadata(
            content_length=size,
            etag=header_etag(headers),
            last_modified=parse_http_date(headers.get("last-modified", "")),
            version=header_text(headers, VERSION) if VERSION in headers else None,
        )

    def content_check(self, headers: HttpHeaders) -> None:
        """Compares nothing, but no content of another server is handed out, and none of a directory.

        Raises:
            IsADirectory: the blob stands for a directory.
            Unexpected: no storage of Azure sent the response.
        """
        check_origin(headers)
        if _FOLDER_HEADER in headers and is_folder(_STORED.user_metadata(headers)):
            raise IsADirectory("the path names a directory")

    def document(
        self, headers: HttpHeaders, content: bytes, root: str, rows: Container[str] = (), row_depth: int = 2
    ) -> Document:
        """The content of a successful response.

        Arguments:
            headers: the headers of the response.
            content: its body.
            root: the name of its outermost element.
            rows: the elements in it that are rows.
            row_depth: their depth, from 1 for the outermost element.

        Raises:
            Error: it is an error, or cannot be understood.
        """
        check_origin(headers)
        document = parse(content, rows, row_depth)
        if document.root != root:
            raise Unexpected(f"the response of the storage is not one of {root}", is_temporary=True)
        return document

    def check_done(self, headers: HttpHeaders, content: bytes) -> None:
        check_origin(headers)
        if content and is_error(content):
            raise self.error(200, headers, content)

    def error(self, status: int, headers: HttpHeaders, content: bytes, args: ObjectArgs | None = None) -> Error:
        version = None if args is None or isinstance(args, OpWrite) else args.version
        return response_error(self.container, status, headers, content, version)

    def _reading_headers(self, args: OpRead | OpStat) -> list[Header]:
        return [*conditional_headers(args), *self.customer_key]


def blob_conditions(args: OpWrite) -> list[Header]:
    """The conditions on the blob that a write replaces.

    Raises:
        InvalidInput: an etag cannot be a header, or two conditions exclude each other.
    """
    conditions = write_conditions(args)
    if args.if_none_match is None:
        return conditions
    if args.if_not_exists:
        raise InvalidInput("if_not_exists and if_none_match are one header, of which there can be only one")
    return [*conditions, *conditional_headers(OpRead(if_none_match=args.if_none_match))]


def is_folder(user_metadata: Mapping[str, str]) -> bool:
    """Whether a blob with this user metadata stands for a directory."""
    return user_metadata.get(FOLDER, "").lower() == "true"


def version_query(version: str | None) -> Query:
    """The query that names a version of a blob."""
    return () if version is None else (("versionid", version),)


def _reading_query(args: OpRead | OpStat) -> Query:
    """The requested version, and the headers that the response must have."""
    overrides = {
        "rscc": args.override_cache_control,
        "rscd": args.override_content_disposition,
        "rsct": args.override_content_type,
    }
    stated = [(name, value) for name, value in overrides.items() if value is not None]
    return (*version_query(args.version), *stated)
