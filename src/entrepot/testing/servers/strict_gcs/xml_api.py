"""The XML API: objects for signed URLs, and multipart uploads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from itertools import count
from typing import Any, Final
from urllib.parse import unquote
from xml.sax.saxutils import escape

from .bucket import INVALID, NOT_MET, Bucket, Conditions, Refused, StoredObject, conditions_of
from .json_api import Answer, Call, check_etags, media

MIN_PART: Final = 5 * 1024**2
_CONDITIONS: Final = ("x-goog-if-generation-match", "x-goog-if-generation-not-match", "x-goog-if-metageneration-match")
_ACLS: Final = frozenset({"private", "public-read", "authenticated-read", "project-private", "bucket-owner-read"})
_FIELDS: Final = {
    "content-type": "contentType",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "cache-control": "cacheControl",
    "x-goog-storage-class": "storageClass",
}


@dataclass
class _Upload:
    bucket: str
    key: str
    fields: dict[str, Any]
    initiated: datetime = field(default_factory=lambda: datetime.now(UTC))
    parts: dict[int, bytes] = field(default_factory=dict)


class XmlApi:
    """The objects of all buckets, by the XML API.

    Arguments:
        bucket: returns a bucket by its name.

    Attributes:
        min_part: the fewest bytes of a part that is not the last.
    """

    def __init__(self, bucket: Callable[[str], Bucket]) -> None:
        self._bucket = bucket
        self.min_part = MIN_PART
        self._uploads: dict[str, _Upload] = {}
        self._serial = count(1)

    @property
    def uploads(self) -> list[str]:
        """The keys of the uploads that have not ended."""
        return [upload.key for upload in self._uploads.values()]

    def answer(self, call: Call) -> Answer:
        """The response to a request."""
        name, _, key = map(unquote, call.path[1:].partition("/"))
        bucket = self._bucket(name)
        if not key:
            return self._listed(call, name)
        if "uploads" in call.query or "uploadId" in call.query:
            return self._multipart(call, bucket, name, key)
        conditions = conditions_of(call.headers, *_CONDITIONS)
        match call.method:
            case "GET" | "HEAD":
                found = bucket.get(key, call.query.get("generation"))
                conditions.check(found)
                check_etags(call.headers, f'"{found.etag}-xml"')
                answer = media(call, found, f'"{found.etag}-xml"')
                answer.headers |= {
                    header: call.query[f"response-{header.lower()}"]
                    for header in ("Content-Type", "Content-Disposition")
                    if f"response-{header.lower()}" in call.query
                }
                return answer
            case "PUT":
                made = bucket.put(StoredObject(key, call.content, _fields(call)), conditions)
                return Answer(200, {"x-goog-generation": str(made.generation), "ETag": f'"{made.etag}-xml"'})
            case "DELETE":
                bucket.delete(key, call.query.get("generation"), conditions)
                return Answer(204)
            case _:
                raise Refused(400, INVALID)

    def _multipart(self, call: Call, bucket: Bucket, name: str, key: str) -> Answer:
        if any(name in call.headers for name in _CONDITIONS):
            raise Refused(400, INVALID, "a multipart upload takes no conditions")
        if "uploads" in call.query:
            upload = f"upload-{next(self._serial)}"
            self._uploads[upload] = _Upload(name, key, _fields(call))
            return _document("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
        named = call.query["uploadId"]
        started = self._uploads.get(named)
        if started is None or started.key != key:
            raise Refused(404, "notFound/NoSuchUpload")
        match call.method:
            case "PUT":
                started.parts[int(call.query["partNumber"])] = call.content
                return Answer(200, {"ETag": _etag(call.content)})
            case "DELETE":
                del self._uploads[named]
                return Answer(204)
            case _:
                content = self._joined(started, call.content.decode())
                made = bucket.put(StoredObject(key, content, started.fields, is_composite=True), Conditions())
                del self._uploads[named]
                answer = _document("CompleteMultipartUploadResult", f"<ETag>&quot;{made.etag}-1&quot;</ETag>")
                answer.headers["x-goog-generation"] = str(made.generation)
                return answer

    def _listed(self, call: Call, bucket: str) -> Answer:
        """A page with one upload."""
        after = (call.query.get("key-marker", ""), call.query.get("upload-id-marker", ""))
        prefix = call.query.get("prefix", "")
        places = sorted(
            (upload.key, named)
            for named, upload in self._uploads.items()
            if upload.bucket == bucket and upload.key.startswith(prefix) and (upload.key, named) > after
        )
        rows = "".join(
            f"<Upload><Key>{escape(key)}</Key><UploadId>{named}</UploadId>"
            f"<Initiated>{self._uploads[named].initiated.isoformat()}</Initiated></Upload>"
            for key, named in places[:1]
        )
        more = f"<IsTruncated>{'true' if len(places) > 1 else 'false'}</IsTruncated>"
        if len(places) > 1:
            key, named = places[0]
            more += f"<NextKeyMarker>{escape(key)}</NextKeyMarker><NextUploadIdMarker>{named}</NextUploadIdMarker>"
        return _document("ListMultipartUploadsResult", more + rows)

    def _joined(self, upload: _Upload, listed: str) -> bytes:
        named = re.findall(r"<PartNumber>(\d+)</PartNumber><ETag>(?:&quot;|\")?([0-9a-f]+)", listed)
        parts = [upload.parts[int(number)] for number, _ in named]
        is_right = all(_etag(part) == f'"{etag}"' for part, (_, etag) in zip(parts, named, strict=True))
        if not is_right or any(len(part) < self.min_part for part in parts[:-1]):
            raise Refused(400, f"{INVALID.partition('/')[0]}/InvalidPart")
        return b"".join(parts)


def xml_refusal(error: Refused) -> Answer:
    """The error in the XML API."""
    code = error.reason.partition("/")[2]
    return Answer(
        error.status,
        {"Content-Type": "application/xml"},
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{error.message}</Message></Error>".encode(),
    )


def _fields(call: Call) -> dict[str, Any]:
    if call.headers.get("x-goog-acl", "private") not in _ACLS:
        raise Refused(400, NOT_MET.replace("PreconditionFailed", "InvalidArgument"), "no such access control")
    fields: dict[str, Any] = {field: call.headers[name] for name, field in _FIELDS.items() if name in call.headers}
    prefix = "x-goog-meta-"
    stored = {name.removeprefix(prefix): value for name, value in call.headers.items() if name.startswith(prefix)}
    return fields | ({"metadata": stored} if stored else {})


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


def _document(root: str, content: str) -> Answer:
    text = f"<?xml version='1.0' encoding='UTF-8'?><{root} xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
    return Answer(200, {"Content-Type": "application/xml"}, f"{text}{content}</{root}>".encode())
