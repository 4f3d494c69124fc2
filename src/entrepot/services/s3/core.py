"""The s3 service, pure: the requests for one object are built and the replies are read here. Nothing is sent.

The source is the Amazon S3 API Reference: GetObject, HeadObject, PutObject, DeleteObject and CopyObject.
Listings, deletions of many, objects sent in parts, and errors have modules of their own beside this one.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from entrepot.errors import Error, InvalidInput, Unexpected
from entrepot.raw import OpCopy, OpDelete, OpRead, OpStat, OpWrite
from entrepot.raw.http.conditions import check_honoured, check_version
from entrepot.raw.http.headers import conditional_headers, header_etag, header_text, in_utc, parse_metadata
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.transport import Content, Header, HttpHeaders, HttpRequest
from entrepot.types import Metadata

from .errors import is_error, reply_error
from .headers import USER_METADATA, condition_headers, stored_headers
from .xml import Document, parse

NULL_VERSION: Final = "null"
VERSION: Final = "x-amz-version-id"
MAX_KEY_BYTES: Final = 1024

Query = Sequence[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class S3Core:
    """What a bucket is asked and what it answers.

    Arguments:
        url: the URL of the bucket, without a slash at its end.
        host: the value of the Host header.
        bucket: the name of the bucket.
        region: the region that requests are signed for, if they are.
    """

    url: str
    host: str
    bucket: str
    region: str | None

    def get(self, key: str, args: OpRead) -> HttpRequest:
        """GetObject. The range must not be empty: no header says so, and everything would come."""
        asked = range_header(args.range)
        headers = conditional_headers(args)
        if asked is not None:
            headers.append(("Range", asked))
        return self.on_object("GET", key, _reading_query(args), headers)

    def head(self, key: str, args: OpStat) -> HttpRequest:
        """HeadObject."""
        return self.on_object("HEAD", key, _reading_query(args), conditional_headers(args))

    def put(self, key: str, content: bytes, args: OpWrite) -> HttpRequest:
        """PutObject."""
        return self.on_object("PUT", key, (), [*stored_headers(args), *condition_headers(args)], content)

    def delete(self, key: str, version: str | None) -> HttpRequest:
        """DeleteObject."""
        return self.on_object("DELETE", key, _version_query(version))

    def request(self, key: str, args: OpRead | OpStat | OpWrite | OpDelete) -> HttpRequest:
        """The one request that makes an operation, whichever it is; that of a write without its content."""
        match args:
            case OpRead():
                return self.get(key, args)
            case OpStat():
                return self.head(key, args)
            case OpWrite():
                return self.put(key, b"", args)
            case OpDelete():
                return self.delete(key, args.version)

    def copy(self, source: str, target: str, args: OpCopy) -> HttpRequest:
        """CopyObject. What is stored beside the source is copied with it."""
        headers: list[Header] = [self.copy_source(source, args.source_version), *condition_headers(args)]
        return self.on_object("PUT", target, (), headers, b"")

    def copy_source(self, key: str, version: str | None) -> Header:
        """The header that says what is copied."""
        return "x-amz-copy-source", f"/{self.bucket}/{_encoded_key(key)}{_encoded_query(_version_query(version))}"

    def on_object(
        self, method: str, key: str, query: Query = (), headers: Sequence[Header] = (), body: Content | None = None
    ) -> HttpRequest:
        """A request about one object.

        Raises:
            InvalidInput: there can be no object with this key.
        """
        url = f"{self.url}/{_encoded_key(key)}{_encoded_query(query)}"
        return HttpRequest(method, url, [("Host", self.host), *headers], body)

    def on_bucket(
        self, method: str, query: Query, headers: Sequence[Header] = (), body: bytes | None = None
    ) -> HttpRequest:
        """A request about the bucket. Its query is never empty."""
        path = "" if "/" in self.url.partition("://")[2] else "/"
        return HttpRequest(method, f"{self.url}{path}{_encoded_query(query)}", [("Host", self.host), *headers], body)

    def describe(self, headers: HttpHeaders, **overrides: Any) -> Metadata:
        """What the headers of a reply say of the object; `overrides` are what the caller knows better."""
        names = [name for name in headers if name.startswith(USER_METADATA)]
        if names:
            texts = {name.removeprefix(USER_METADATA): header_text(headers, name) or "" for name in names}
            overrides["user_metadata"] = texts
        return parse_metadata(headers, version=stated_version(headers), **overrides)

    def describe_asked(self, headers: HttpHeaders, args: OpRead | OpStat, **overrides: Any) -> Metadata:
        """The same of a reply to a request, which must be of what was asked for.

        Raises:
            ConditionNotMatch: it is of another version, or a condition does not hold.
        """
        check_version(header_text(headers, VERSION), args)
        metadata = self.describe(headers, **overrides)
        check_honoured(metadata, args)
        return metadata

    def describe_copied(self, headers: HttpHeaders, content: bytes) -> Metadata:
        """What the reply to a copy says of the target. Its length is not told.

        Raises:
            Error: the content says that the copy failed, in spite of the status.
        """
        fields = self.document(headers, content, "CopyObject").fields
        return Metadata(
            etag=quoted_etag(fields.get("ETag")),
            last_modified=parse_moment(fields.get("LastModified")),
            version=stated_version(headers),
        )

    def document(self, headers: HttpHeaders, content: bytes, root: str, rows: Container[str] = ()) -> Document:
        """The content of a reply whose status is 200, which may be an error all the same.

        Arguments:
            headers: the headers of the reply.
            content: its body.
            root: what the name of its outermost element begins with. Some servers leave out "Result" at its end.
            rows: the elements in that which are rows.

        Raises:
            Error: it is an error, or nothing that can be understood.
        """
        document = parse(content, rows)
        if document.root == "Error":
            raise self.error(200, headers, content)
        if not document.root.startswith(root):
            raise Unexpected(f"the storage answers with something else than to a {root}", is_temporary=True)
        return document

    def check_done(self, headers: HttpHeaders, content: bytes) -> None:
        """Passes if a response with a successful status has no error as its content.

        Raises:
            Error: it has. The storage began to answer before it knew.
        """
        if content and is_error(content):
            raise self.error(200, headers, content)

    def error(self, status: int, headers: HttpHeaders, content: bytes) -> Error:
        """The error that a reply means.

        Arguments:
            status: its status.
            headers: its headers.
            content: its body, or the first part of it; empty in the reply to a HEAD.
        """
        return reply_error(self.bucket, self.region, status, headers, content)


def stored_metadata(headers: HttpHeaders, size: int) -> Metadata:
    """What the reply to a PUT says of the object that it made, of `size` bytes."""
    return Metadata(content_length=size, etag=header_etag(headers), version=stated_version(headers))


def stated_version(headers: HttpHeaders) -> str | None:
    """The version that a reply names. "null" is no version of its own: it names what was written last without one."""
    version = header_text(headers, VERSION)
    return None if version == NULL_VERSION else version


def quoted_etag(text: str | None) -> str | None:
    """An etag out of XML, with its quotes: some servers leave them out there, and not in headers."""
    if not text or text == '""':
        return None
    return text if text.endswith('"') else f'"{text}"'


def parse_moment(text: str | None) -> datetime | None:
    """A time out of XML (ISO 8601), in UTC; None where it cannot be read, since a wrong date is no reason to fail."""
    try:
        return in_utc(datetime.fromisoformat(text or ""))
    except (ValueError, OverflowError):
        return None


def is_key(key: str) -> bool:
    """Whether there can be an object with this key. An empty one would mean the bucket, in a DELETE too."""
    return 0 < len(key) <= MAX_KEY_BYTES and (key.isascii() or len(key.encode()) <= MAX_KEY_BYTES)


def check_key(key: str) -> None:
    """Refuses what no object can be called.

    Raises:
        InvalidInput: the key is empty, or longer than S3 takes.
    """
    if not is_key(key):
        raise InvalidInput(
            f"a key, the root included, has 1 to {MAX_KEY_BYTES} bytes of UTF-8, not {len(key.encode())}"
        )


def _encoded_key(key: str) -> str:
    check_key(key)
    return quote(key, safe="/")


def _encoded_query(query: Query) -> str:
    if not query:
        return ""
    return "?" + "&".join(name if value is None else f"{name}={quote(value, safe='')}" for name, value in query)


def _reading_query(args: OpRead | OpStat) -> Query:
    """The version that is asked for, and what the headers of the reply shall say."""
    overrides = {
        "response-content-type": args.override_content_type,
        "response-content-disposition": args.override_content_disposition,
        "response-cache-control": args.override_cache_control,
    }
    stated = [(name, value) for name, value in overrides.items() if value is not None]
    return (*_version_query(args.version), *stated)


def _version_query(version: str | None) -> Query:
    return () if version is None else (("versionId", version),)
