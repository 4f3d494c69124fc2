"""The dialect of Cloud Storage, pure: requests of the JSON API are built and their responses read. Nothing is sent.

The source is the reference of the Cloud Storage JSON API (Objects), and of the XML API for presigned requests: a URL
can be signed for the XML API only. The version of an object is its generation.

An object with the content encoding gzip is inflated by the storage unless the request accepts gzip. Every read does, so
that it returns the bytes as they are stored, in ranges too.
"""

import json
import re
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final
from urllib.parse import quote

from entrepot.errors import Error, InvalidInput, Unexpected
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, DEFAULT_WRITE, OpCopy, OpDelete, OpList, OpRead, OpStat, OpWrite
from entrepot.raw.conditions import check_conditions
from entrepot.raw.http.conditions import check_honoured, check_version
from entrepot.raw.http.dialect import ContentCheck, Dialect, ListRequests, ObjectArgs
from entrepot.raw.http.headers import header_etag, header_text, parse_metadata, quoted_etag
from entrepot.raw.http.ranges import range_header
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest
from entrepot.raw.http.url import Query, check_key, encode_key, encode_name, encode_query
from entrepot.types import Checksum, Metadata
from entrepot.types.records import replace

from .checksums import STORED_ENCODING, content_check, stated_hash
from .errors import response_error
from .resource import STORED, Resource, describe, new_resource, parse_resource

MAX_KEY_BYTES: Final = 1024
DEFAULT_TYPE: Final = "application/octet-stream"
GENERATION: Final = "x-goog-generation"

_GZIP: Final = ("Accept-Encoding", "gzip")
_GENERATION: Final = re.compile("[0-9]{1,19}")
_SNAPSHOT: Final = re.compile("([0-9]+)/([0-9]+)")
_RESERVED: Final = ".well-known/acme-challenge/"


@dataclass(frozen=True, slots=True)
class GcsCore(Dialect):
    """Builds the requests to one bucket and reads its responses.

    The storage has conditions on etags for reads only. For all else, `if_match` is here a *snapshot*: the generation
    and metageneration of the object that had the etag, which `Snapshots` looks up.

    Arguments:
        endpoint: the URL of the server, without a slash at its end.
        host: the value of the Host header.
        bucket: the name of the bucket.
        default_storage_class: the storage class of new objects that name none.
        predefined_acl: the predefined access control of new objects that name none.

    Attributes:
        every: the headers of every request.
        plain_read: all headers of a read without options.
        bucket_path: the path of the bucket in the JSON API.
        objects_url: the URL of the objects in the JSON API, without a slash at its end.
        plain_write: all headers of a write without options.
    """

    endpoint: str
    host: str
    bucket: str
    default_storage_class: str | None = None
    predefined_acl: str | None = None
    every: tuple[Header, ...] = field(init=False, repr=False)
    plain_read: tuple[Header, ...] = field(init=False, repr=False)
    plain_write: tuple[Header, ...] = field(init=False, repr=False)
    bucket_path: str = field(init=False, repr=False)
    objects_url: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        every = (("Host", self.host),)
        path = f"/storage/v1/b/{quote(self.bucket, safe='')}"
        object.__setattr__(self, "every", every)
        object.__setattr__(self, "plain_read", (*every, _GZIP))
        object.__setattr__(self, "plain_write", (*every, ("Content-Type", DEFAULT_TYPE)))
        object.__setattr__(self, "bucket_path", path)
        object.__setattr__(self, "objects_url", f"{self.endpoint}{path}/o")

    def get(self, key: str, args: OpRead) -> HttpRequest:
        """Objects: get, with its content."""
        if args is DEFAULT_READ:  # most reads: nothing to look for
            return HttpRequest("GET", f"{self.object_url(key)}?alt=media", self.plain_read)
        headers = [*self.plain_read, *_etag_conditions(args)]
        if (stated := range_header(args.range)) is not None:
            headers.append(("Range", stated))
        return HttpRequest("GET", self.object_url(key, [("alt", "media"), *version_query(args.version)]), headers)

    def head(self, key: str, args: OpStat) -> HttpRequest:
        """Objects: get."""
        if args is DEFAULT_STAT:
            return HttpRequest("GET", self.object_url(key), self.every)
        return HttpRequest(
            "GET", self.object_url(key, version_query(args.version)), [*self.every, *_etag_conditions(args)]
        )

    def put(self, key: str, content: bytes, args: OpWrite) -> HttpRequest:
        """Objects: insert, by a media upload if only the content type is stored with it, else by a multipart upload."""
        if args is DEFAULT_WRITE and self.default_storage_class is None:
            url = self.upload_url("media", self.new_object_query(key, args))
            return HttpRequest("POST", url, self.plain_write, content)
        resource = new_resource(args, self.default_storage_class)
        query = self.new_object_query(key, args)
        if resource.keys() <= {"contentType"}:
            typed = ("Content-Type", resource.get("contentType", DEFAULT_TYPE))
            return HttpRequest("POST", self.upload_url("media", query), [*self.every, typed], content)
        boundary = token_hex(16)
        before, after = _around(resource, boundary)
        headers = [*self.every, ("Content-Type", f"multipart/related; boundary={boundary}")]
        return HttpRequest("POST", self.upload_url("multipart", query), headers, (before, content, after))

    def with_content(self, request: HttpRequest, content: bytes) -> HttpRequest:
        pieces = request.pieces
        return request.with_content((pieces[0], content, pieces[-1]) if len(pieces) == 3 else content)

    def delete(self, key: str, args: OpDelete) -> HttpRequest:
        """Objects: delete."""
        query = [*version_query(args.version), *snapshot_conditions(args)]
        return HttpRequest("DELETE", self.object_url(key, query), self.every)

    def check_new(self, key: str, args: OpWrite) -> None:
        """Refuses a new object that the storage cannot have.

        Raises:
            InvalidInput: the key or the metadata cannot be sent.
        """
        _check_key(key)
        new_resource(args, None)

    def can_delete(self, key: str, version: str | None) -> bool:
        """Whether a deletion can be written down, which one of many must be."""
        try:
            self.delete(key, OpDelete(version=version))
        except InvalidInput:
            return False
        return True

    def request(self, key: str, args: ObjectArgs) -> HttpRequest:
        """The request to presign, of the XML API."""
        from .presigned import presigned

        return presigned(self, key, args)

    def listing(self, root: str, path: str, args: OpList) -> ListRequests:
        """Objects: list."""
        from .listing import Listing

        return Listing(self, root, path, args)

    def object_url(self, key: str, query: Query = ()) -> str:
        """The URL of an object in the JSON API.

        Raises:
            InvalidInput: no object can have this key.
        """
        _check_key(key)
        return f"{self.objects_url}/{encode_name(key)}{encode_query(query) if query else ''}"

    def object_path(self, key: str) -> str:
        """The path of that URL."""
        _check_key(key)
        return f"{self.bucket_path}/o/{encode_name(key)}"

    @property
    def xml_bucket_url(self) -> str:
        """The URL of the bucket in the XML API."""
        return f"{self.endpoint}/{quote(self.bucket, safe='')}"

    def xml_url(self, key: str) -> str:
        """The URL of an object in the XML API."""
        _check_key(key)
        return f"{self.xml_bucket_url}/{encode_key(key)}"

    def upload_url(self, kind: str, query: Query) -> str:
        """The URL of an upload of this kind in the JSON API."""
        return f"{self.endpoint}/upload{self.bucket_path}/o{encode_query([('uploadType', kind), *query])}"

    def new_object_query(self, key: str, args: OpWrite) -> list[tuple[str, str | None]]:
        """The query of a request that creates an object: its name, the conditions and the access control."""
        _check_key(key)
        acl = args.acl or self.predefined_acl
        return [("name", key), *snapshot_conditions(args), *([("predefinedAcl", acl)] if acl else [])]

    def describe(self, headers: HttpHeaders, **overrides: Any) -> Metadata:
        if user_metadata := STORED.user_metadata(headers):
            overrides["user_metadata"] = user_metadata
        stated = stated_hash(headers)
        if "crc32c" in stated:
            overrides["checksums"] = (Checksum("crc32c", stated["crc32c"]),)
        return parse_metadata(
            headers,
            **overrides,
            etag=quoted_etag(header_etag(headers)),
            content_md5=stated.get("md5"),
            storage_class=header_text(headers, "x-goog-storage-class"),
            version=header_text(headers, GENERATION),
        )

    def describe_requested(self, headers: HttpHeaders, args: OpRead | OpStat, **overrides: Any) -> Metadata:
        check_origin(headers)
        check_version(header_text(headers, GENERATION), args)
        metadata = Dialect.describe_requested(self, headers, args, **overrides)
        stated = {"content_type": args.override_content_type, "content_disposition": args.override_content_disposition}
        named = {name: value for name, value in stated.items() if value is not None}
        return replace(metadata, **named) if named else metadata  # only the XML API overrides them itself

    def describe_found(self, headers: HttpHeaders, content: bytes, args: OpStat, **overrides: Any) -> Metadata:
        metadata = describe(parse_resource(content), **overrides)
        if args is DEFAULT_STAT:  # nothing was requested
            return metadata
        check_version(metadata.version, args)
        check_honoured(metadata, replace(args, if_modified_since=None, if_unmodified_since=None))
        check_conditions(metadata, replace(args, if_match=None, if_none_match=None))  # its times have fractions
        return metadata

    def describe_created(self, headers: HttpHeaders, content: bytes, size: int) -> Metadata:
        return describe(parse_resource(content))

    def check_done(self, headers: HttpHeaders, content: bytes) -> None:
        if content.lstrip().startswith(b"<"):
            raise not_of_storage()

    def error(self, status: int, headers: HttpHeaders, content: bytes, args: ObjectArgs | None = None) -> Error:
        return response_error(self.bucket, status, headers, content)

    def content_check(self, headers: HttpHeaders) -> ContentCheck | None:
        """The check of a whole content.

        Raises:
            Unexpected: as `check_origin`, or something on its way has compressed it, since the request accepts gzip.
        """
        check_origin(headers)
        if headers.get(STORED_ENCODING) == "identity" and headers.get("content-encoding") == "gzip":
            raise Unexpected("the content was compressed on its way, and is not the stored one")
        return content_check(headers)


def check_origin(headers: HttpHeaders) -> None:
    """Passes if a response has content of the storage, with its generation, and is not perhaps a page of a proxy.

    Raises:
        Unexpected: it has none.
    """
    if GENERATION not in headers:
        raise not_of_storage()


def not_of_storage() -> Unexpected:
    """The error of a response that the storage did not send."""
    return Unexpected("the response is not one of the storage: is this its endpoint?", is_temporary=True)


def version_query(version: str | None, name: str = "generation") -> Query:
    """The query that names a version of an object.

    Raises:
        InvalidInput: it is not a generation.
    """
    if version is None:
        return ()
    if not _GENERATION.fullmatch(version):
        raise InvalidInput("a version of this storage is a generation: a number")
    return ((name, version),)


def snapshot(resource: Resource) -> str:
    """The snapshot of an object, for `if_match`."""
    return f"{resource.get('generation')}/{resource.get('metageneration')}"


def snapshot_of(if_match: str) -> tuple[str, str]:
    """The generation and metageneration of a snapshot.

    Raises:
        InvalidInput: it is an etag, which is to be looked up first.
    """
    match = _SNAPSHOT.fullmatch(if_match)
    if match is None:
        raise InvalidInput("if_match was not looked up")
    return match[1], match[2]


def snapshot_conditions(args: OpWrite | OpCopy | OpDelete) -> Query:
    """The conditions on the object that is replaced or deleted."""
    if not isinstance(args, OpDelete) and args.if_not_exists:
        return (("ifGenerationMatch", "0"),)
    if args.if_match is None:
        return ()
    if args.if_match == "*":
        return (("ifGenerationNotMatch", "0"),)
    generation, metageneration = snapshot_of(args.if_match)
    return ("ifGenerationMatch", generation), ("ifMetagenerationMatch", metageneration)


def _etag_conditions(args: OpRead | OpStat) -> list[Header]:
    """The conditions of a read. The storage writes etags without quotes. What it ignores is checked in the response."""
    stated = (("If-Match", args.if_match), ("If-None-Match", args.if_none_match))
    return [(name, value.replace('"', "")) for name, value in stated if value is not None]


def _check_key(key: str) -> None:
    check_key(key, MAX_KEY_BYTES)
    if key in {".", ".."}:
        raise InvalidInput("the storage does not accept the keys '.' and '..': set a root")
    if key.startswith(_RESERVED):
        raise InvalidInput(f"the storage reserves keys that start with {_RESERVED!r}")


def _around(resource: Resource, boundary: str) -> tuple[bytes, bytes]:
    """What comes before and after the content in the body of a multipart upload (RFC 2387)."""
    typed = resource.get("contentType", DEFAULT_TYPE)
    stated = f"Content-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(resource)}"
    before = f"--{boundary}\r\n{stated}\r\n--{boundary}\r\nContent-Type: {typed}\r\n\r\n"
    return before.encode(), f"\r\n--{boundary}--\r\n".encode()
