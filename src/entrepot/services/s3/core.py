"""The dialect of S3, pure: the requests for one object are built and their responses read here. Nothing is sent.

The source is the Amazon S3 API Reference: GetObject, HeadObject, PutObject, DeleteObject and CopyObject. Listings,
deletions of many objects, uploads in parts and errors have modules of their own in this folder.
"""

from collections.abc import Container, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from entrepot.errors import Error, Unexpected
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, DEFAULT_WRITE, OpCopy, OpDelete, OpList, OpRead, OpStat, OpWrite
from entrepot.raw.http.conditions import check_version
from entrepot.raw.http.dialect import Dialect, ListRequests, ObjectArgs
from entrepot.raw.http.headers import (
    conditional_headers,
    header_etag,
    header_text,
    parse_iso_time,
    parse_metadata,
    quoted_etag,
)
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.stored_headers import StoredHeaders, write_conditions
from entrepot.raw.http.transport import Content, Header, HttpHeaders, HttpRequest
from entrepot.raw.http.url import Query, check_key, checked_key, encode_key, encode_query
from entrepot.raw.http.xml import Document, is_error, parse
from entrepot.types import Metadata
from entrepot.types.records import replace

from .errors import actual_size, response_error
from .headers.checksums import MODE, Algorithm, ContentCheck, content_check, stated_checksums
from .headers.fixed_headers import NO_HEADERS, FixedHeaders
from .location.buckets import is_arn

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
NULL_VERSION: Final = "null"
VERSION: Final = "x-amz-version-id"
STORAGE_CLASS: Final = "x-amz-storage-class"
MAX_KEY_BYTES: Final = 1024

STORED: Final = StoredHeaders("x-amz-meta-", has_encoded_words=True)


@dataclass(frozen=True, slots=True)
class S3Core(Dialect):
    """Builds the requests to one bucket and reads its responses.

    The address is the one that is known when the service is built. `PlacedSigner` moves requests if it turns out to be
    another.

    Arguments:
        url: the URL of the bucket, without a slash at its end.
        host: the value of the Host header.
        bucket: the name of the bucket, or the ARN of an access point.
        region: the region of the bucket as configured, for errors.
        is_list_v1: whether to list by the first version of ListObjects.
        fixed: the headers that the configuration adds to requests.
        checksum: the checksum that writes send with their content; None is none.
        is_content_checked: whether checksums are requested, and the content of reads is compared with them.

    Attributes:
        every: the headers of every request.
        every_read: the headers that the request of every read or stat of an object has in addition.
        plain_read: all headers of a read or stat without options.
        plain_write: all headers of a write without options.
    """

    url: str
    host: str
    bucket: str
    region: str | None
    is_list_v1: bool = False
    fixed: FixedHeaders = NO_HEADERS
    checksum: Algorithm | None = None
    is_content_checked: bool = False
    every: tuple[Header, ...] = field(init=False, repr=False)
    every_read: tuple[Header, ...] = field(init=False, repr=False)
    plain_read: tuple[Header, ...] = field(init=False, repr=False)
    plain_write: tuple[Header, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        checked = (MODE,) if self.is_content_checked else ()
        object.__setattr__(self, "every", (("Host", self.host), *self.fixed.every))
        object.__setattr__(self, "every_read", (*self.fixed.customer_key, *checked))
        object.__setattr__(self, "plain_read", self.every + self.every_read)
        object.__setattr__(self, "plain_write", self.every + self.fixed.of_default)

    def get(self, key: str, args: OpRead) -> HttpRequest:
        """GetObject. The range must not be empty: no header can say so, and the whole object would be sent."""
        if args is DEFAULT_READ:  # most reads: nothing to look for
            return HttpRequest("GET", self.object_url(key), self.plain_read)
        headers = self._reading_headers(args)
        if (stated := range_header(args.range)) is not None:
            headers = [*headers, ("Range", stated)]
        return self.on_object("GET", key, _reading_query(args), headers)

    def head(self, key: str, args: OpStat) -> HttpRequest:
        """HeadObject."""
        if args is DEFAULT_STAT:
            return HttpRequest("HEAD", self.object_url(key), self.plain_read)
        return self.on_object("HEAD", key, _reading_query(args), self._reading_headers(args))

    def put(self, key: str, content: bytes, args: OpWrite) -> HttpRequest:
        """PutObject."""
        if args is DEFAULT_WRITE:
            return HttpRequest("PUT", self.object_url(key), self.plain_write, content)
        headers = self.new_object(args)
        if conditions := write_conditions(args):
            headers = [*headers, *conditions]
        return self.on_object("PUT", key, (), headers, content)

    def new_object(self, args: OpWrite) -> Sequence[Header]:
        """The headers of a request that creates an object, without the conditions.

        Raises:
            InvalidInput: the metadata or a tag cannot be sent.
        """
        return [*STORED.to_store(args), *self.fixed.of_write(args)]

    def delete(self, key: str, args: OpDelete) -> HttpRequest:
        """DeleteObject."""
        return self.on_object("DELETE", key, version_query(args.version), write_conditions(args))

    def request(self, key: str, args: ObjectArgs) -> HttpRequest:
        """The request to presign, without the header that requests checksums: its receiver would have to send it."""
        plain = replace(self, is_content_checked=False) if self.is_content_checked else self
        return Dialect.request(plain, key, args)

    def listing(self, root: str, path: str, args: OpList) -> ListRequests:
        """ListObjectsV2, ListObjects or ListObjectVersions."""
        from .listing import Listing

        return Listing(self, root, path, args)

    def first_key(self) -> HttpRequest:
        """ListObjectsV2, or ListObjects, of at most one key. Its error tells whether the bucket exists."""
        return self.on_bucket("GET", [*(() if self.is_list_v1 else (("list-type", "2"),)), ("max-keys", "1")])

    def copy(self, source: Header, target: str, args: OpCopy, stored: Sequence[Header] | None = None) -> HttpRequest:
        """CopyObject.

        Arguments:
            source: names the source, by `copy_source` of its bucket.
            target: the key of the copy.
            args: the conditions on the target.
            stored: the headers to store with the copy; None copies the metadata of the source with it.
        """
        written = self.fixed.of_write(args.to_write())
        headers = [source, *written, *self.fixed.copy_source, *write_conditions(args)]
        if args.tags is not None:
            headers.append(("x-amz-tagging-directive", "REPLACE"))
        if stored is not None:
            headers += [("x-amz-metadata-directive", "REPLACE"), *stored]
        return self.on_object("PUT", target, (), headers, b"")

    def copy_source(self, key: str, version: str | None) -> Header:
        """The header that names an object of this bucket as the source of a copy."""
        check_key(key, MAX_KEY_BYTES)
        named = f"{self.bucket}/object" if is_arn(self.bucket) else f"/{self.bucket}"
        return "x-amz-copy-source", f"{named}/{encode_key(key)}{encode_query(version_query(version))}"

    def on_object(
        self, method: str, key: str, query: Query = (), headers: Sequence[Header] = (), body: Content | None = None
    ) -> HttpRequest:
        """A request about one object. Headers that are a tuple are the same for many requests, and stay a tuple.

        Raises:
            InvalidInput: no object can have this key.
        """
        url = f"{self.object_url(key)}{encode_query(query)}"
        given = self.every + headers if isinstance(headers, tuple) else [*self.every, *headers]
        return HttpRequest(method, url, given, body)

    def object_url(self, key: str) -> str:
        """The URL of an object.

        Raises:
            InvalidInput: no object can have this key.
        """
        return f"{self.url}/{checked_key(key, MAX_KEY_BYTES)}"

    def on_bucket(
        self, method: str, query: Query, headers: Sequence[Header] = (), body: bytes | None = None
    ) -> HttpRequest:
        """A request about the bucket. Its query is never empty."""
        path = "" if "/" in self.url.partition("://")[2] else "/"
        given = [*self.every, *headers]
        return HttpRequest(method, f"{self.url}{path}{encode_query(query)}", given, body)

    def content_check(self, headers: HttpHeaders) -> ContentCheck | None:
        return content_check(headers) if self.is_content_checked else None

    def describe(self, headers: HttpHeaders, **overrides: Any) -> Metadata:
        if user_metadata := STORED.user_metadata(headers):
            overrides["user_metadata"] = user_metadata
        if STORAGE_CLASS in headers:
            overrides["storage_class"] = header_text(headers, STORAGE_CLASS)
        overrides["checksums"] = stated_checksums(headers)
        return parse_metadata(headers, version=stated_version(headers), **overrides)

    def describe_requested(self, headers: HttpHeaders, args: OpRead | OpStat, **overrides: Any) -> Metadata:
        if args is DEFAULT_READ or args is DEFAULT_STAT:  # nothing was requested
            return self.describe(headers, **overrides)
        if args.version is not None:
            check_version(header_text(headers, VERSION), args)
        return Dialect.describe_requested(self, headers, args, **overrides)

    def describe_stored(self, headers: HttpHeaders, size: int) -> Metadata:
        return Metadata(content_length=size, etag=header_etag(headers), version=stated_version(headers))

    def describe_copied(self, headers: HttpHeaders, content: bytes) -> Metadata:
        """The metadata of the target in the response to a copy. Its length is not stated.

        Raises:
            Error: the content is an error in spite of the status.
        """
        fields = self.document(headers, content, "CopyObject").fields
        return Metadata(
            etag=quoted_etag(fields.get("ETag")),
            last_modified=parse_iso_time(fields.get("LastModified")),
            version=stated_version(headers),
        )

    def document(
        self, headers: HttpHeaders, content: bytes, root: str, rows: Container[str] = (), row_depth: int = 2
    ) -> Document:
        """The content of a response whose status is 200, which may be an error all the same.

        Arguments:
            headers: the headers of the response.
            content: its body.
            root: the start of the name of its outermost element. Some servers leave out "Result" at its end.
            rows: the elements in it that are rows.
            row_depth: their depth, from 1 for the outermost element.

        Raises:
            Error: it is an error, or cannot be understood.
        """
        document = parse(content, rows, row_depth)
        if document.root == "Error":
            raise self.error(200, headers, content)
        if not document.root.startswith(root):
            raise Unexpected(f"the response of the storage is not one to {root}", is_temporary=True)
        return document

    def check_done(self, headers: HttpHeaders, content: bytes) -> None:
        if content and is_error(content):
            raise self.error(200, headers, content)

    def error(self, status: int, headers: HttpHeaders, content: bytes, args: ObjectArgs | None = None) -> Error:
        version = None if args is None or isinstance(args, OpWrite) else args.version
        return response_error(self.bucket, self.region, status, headers, content, version)

    def refused_size(self, content: bytes) -> int | None:
        return actual_size(content)

    def _reading_headers(self, args: OpRead | OpStat) -> Sequence[Header]:
        conditions = conditional_headers(args)
        return [*conditions, *self.every_read] if conditions else self.every_read


def stated_version(headers: HttpHeaders) -> str | None:
    """The version in a response. "null" is not one: it names the object that was last written without a version."""
    version = header_text(headers, VERSION) if VERSION in headers else None
    return None if version == NULL_VERSION else version


def _reading_query(args: OpRead | OpStat) -> Query:
    """The requested version, and the headers that the response must have."""
    content_type, disposition = args.override_content_type, args.override_content_disposition
    cache_control, version = args.override_cache_control, args.version
    if version is None and content_type is None and disposition is None and cache_control is None:
        return ()
    overrides = {
        "response-content-type": content_type,
        "response-content-disposition": disposition,
        "response-cache-control": cache_control,
    }
    stated = [(name, value) for name, value in overrides.items() if value is not None]
    return (*version_query(version), *stated)


def version_query(version: str | None) -> Query:
    """The query that names a version of an object."""
    return () if version is None else (("versionId", version),)
