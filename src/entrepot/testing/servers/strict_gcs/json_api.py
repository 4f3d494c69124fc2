"""The JSON API: objects, uploads, rewrites and batches."""

from __future__ import annotations

import gzip
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from urllib.parse import unquote

from .bucket import INVALID, Bucket, Conditions, Refused, StoredObject, conditions_of

UNIT: Final = 256 * 1024
_ACLS: Final = frozenset(
    {"authenticatedRead", "bucketOwnerFullControl", "bucketOwnerRead", "private", "projectPrivate", "publicRead"}
)
_ON_OBJECT: Final = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch")
_RANGE: Final = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class Call:
    """A request.

    Arguments:
        method: its method.
        path: its path, percent-encoded.
        query: its query, decoded.
        headers: its headers, by name in lower case.
        content: its content.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass
class Answer:
    """A response."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @classmethod
    def of_json(cls, value: Mapping[str, Any], status: int = 200, **headers: str) -> Answer:
        return cls(status, {"Content-Type": "application/json; charset=UTF-8", **headers}, json.dumps(value).encode())


@dataclass
class _Session:
    """A resumable upload."""

    bucket: str
    name: str
    fields: dict[str, Any]
    conditions: Conditions
    kept: bytes = b""
    made: StoredObject | None = None


class JsonApi:
    """The objects of all buckets, by the JSON API.

    Arguments:
        buckets: the buckets, by name.

    Attributes:
        page_size: the most entries of a page.
        rewrite_size: the most bytes that one request of a rewrite copies.
        keeps: returns how many bytes of a chunk that was not the last are kept.
    """

    def __init__(self, buckets: Mapping[str, Bucket]) -> None:
        self._buckets = buckets
        self.page_size = 3
        self.rewrite_size = 1024**4
        self.keeps: Callable[[int], int] = lambda size: size
        self._sessions: dict[str, _Session] = {}
        self._rewrites: dict[str, int] = {}
        self._serial = count(1)

    def bucket(self, name: str) -> Bucket:
        """A bucket."""
        if name not in self._buckets:
            raise Refused(404, "notFound/NoSuchBucket", "The specified bucket does not exist.")
        return self._buckets[name]

    def answer(self, call: Call) -> Answer:
        """The response to a request."""
        if call.path.startswith("/upload/storage/v1/b/"):
            return self._upload(call, unquote(call.path.split("/")[5]))
        if call.path == "/batch/storage/v1":
            return self._batch(call)
        parts = [unquote(part) for part in call.path.split("/")[4:]]  # after /storage/v1/b
        match call.method, parts:
            case "GET", [bucket, "o"]:
                return self._list(call, self.bucket(bucket))
            case "GET", [bucket, "o", name]:
                return self._get(call, self.bucket(bucket), name)
            case "DELETE", [bucket, "o", name]:
                self.bucket(bucket).delete(name, call.query.get("generation"), conditions_of(call.query, *_ON_OBJECT))
                return Answer(204)
            case "POST", [bucket, "o", name, "rewriteTo", "b", target, "o", copy]:
                return self._rewrite(call, self.bucket(bucket), name, self.bucket(target), copy)
            case _:
                raise Refused(400, INVALID, "no such method")

    def _get(self, call: Call, bucket: Bucket, name: str) -> Answer:
        found = bucket.get(name, call.query.get("generation"))
        conditions_of(call.query, *_ON_OBJECT).check(found)
        check_etags(call.headers, found.etag)
        if call.query.get("alt") != "media":
            return Answer.of_json(found.resource)
        return media(call, found, found.etag)

    def _list(self, call: Call, bucket: Bucket) -> Answer:
        query = call.query
        prefix, delimiter, versions = query.get("prefix", ""), query.get("delimiter"), query.get("versions") == "true"
        after = urlsafe_b64decode(query["pageToken"]).decode() if "pageToken" in query else None
        limit = min(int(query.get("maxResults", 1000)), self.page_size)
        items, prefixes, position = list[Any](), dict[str, None](), ""
        for each in bucket.listed(versions=versions):
            place = f"{each.name}\0{each.generation:020}" if versions else each.name
            if not each.name.startswith(prefix) or each.name.encode() < query.get("startOffset", "").encode():
                continue
            end = each.name.find(delimiter, len(prefix)) if delimiter else -1
            common = each.name[: end + 1] if end >= 0 else None
            if after is not None and (place.encode() <= after.encode() or (common and after.startswith(common))):
                continue
            if common in prefixes:
                position = place
                continue
            if len(items) + len(prefixes) == limit:
                token = urlsafe_b64encode(position.encode()).decode()
                return _page(query.get("fields"), items, prefixes, token)
            position = place
            if common is None:
                items.append(each.resource)
            else:
                prefixes[common] = None
        return _page(query.get("fields"), items, prefixes, None)

    def _upload(self, call: Call, bucket: str) -> Answer:
        if "upload_id" in call.query:
            return self._resume(call, call.query["upload_id"])
        held = self.bucket(bucket)
        conditions = conditions_of(call.query, *_ON_OBJECT)
        if call.query.get("predefinedAcl", "private") not in _ACLS:
            raise Refused(400, INVALID, "no such access control")
        match call.query.get("uploadType"):
            case "media":
                typed = {"contentType": call.headers.get("content-type", "application/octet-stream")}
                made = held.put(StoredObject(call.query["name"], call.content, typed), conditions)
                return Answer.of_json(made.resource)
            case "multipart":
                values, content = _related(call)
                name = values.pop("name", None) or call.query["name"]
                return Answer.of_json(held.put(StoredObject(name, content, values), conditions).resource)
            case "resumable":
                values = json.loads(call.content or b"{}")
                if "x-upload-content-type" in call.headers:
                    values.setdefault("contentType", call.headers["x-upload-content-type"])
                session = _Session(bucket, call.query["name"], values, conditions)
                conditions.check(held.current(session.name))
                key = f"session-{next(self._serial)}"
                self._sessions[key] = session
                query = f"uploadType=resumable&upload_id={key}"
                return Answer(200, {"Location": f"https://elsewhere.example{call.path}?{query}"})
            case _:
                raise Refused(400, INVALID, "invalid uploadType")

    def _resume(self, call: Call, key: str) -> Answer:
        session = self._sessions.get(key)
        if session is None:
            raise Refused(404, "notFound/NoSuchUpload")
        if call.method == "DELETE":
            del self._sessions[key]
            return Answer(499)
        if session.made is not None:
            return Answer.of_json(session.made.resource)
        match = _RANGE.fullmatch(call.headers.get("content-range", ""))
        if match is None:
            raise Refused(400, INVALID, "no Content-Range")
        is_last = match[3] != "*"
        if match[1] is not None:
            self._append(session, int(match[1]), int(match[2]), call.content, is_last=is_last)
        if is_last and len(session.kept) == int(match[3]):
            new = StoredObject(session.name, session.kept, session.fields)
            session.made = self.bucket(session.bucket).put(new, session.conditions)
            return Answer.of_json(session.made.resource)
        return Answer(308, {"Range": f"bytes=0-{len(session.kept) - 1}"} if session.kept else {})

    def _append(self, session: _Session, start: int, end: int, content: bytes, *, is_last: bool) -> None:
        if start != len(session.kept) or end - start + 1 != len(content):
            raise Refused(400, INVALID, f"the upload has {len(session.kept)} bytes")
        if not is_last and len(content) % UNIT:
            raise Refused(400, INVALID, "a chunk must be a multiple of 256 KiB")
        size = len(content) if is_last else self.keeps(len(content)) // UNIT * UNIT
        session.kept += content[:size]

    def _rewrite(self, call: Call, bucket: Bucket, name: str, target: Bucket, copy: str) -> Answer:
        source = bucket.get(name, call.query.get("sourceGeneration"))
        conditions_of(
            call.query, "ifSourceGenerationMatch", "ifSourceGenerationNotMatch", "ifSourceMetagenerationMatch"
        ).check(source)
        conditions = conditions_of(call.query, *_ON_OBJECT)
        conditions.check(target.current(copy))
        if call.query.get("destinationPredefinedAcl", "private") not in _ACLS:
            raise Refused(400, INVALID, "no such access control")
        token = call.query.get("rewriteToken")
        copied = self._rewrites.pop(token, 0) if token else 0
        copied += min(self.rewrite_size, len(source.content) - copied)
        sizes = {"totalBytesRewritten": str(copied), "objectSize": str(len(source.content))}
        if copied < len(source.content):
            key = f"rewrite-{next(self._serial)}"
            self._rewrites[key] = copied
            return Answer.of_json({"done": False, "rewriteToken": key, **sizes})
        fields = json.loads(call.content) if call.content else dict(source.fields) | {"storageClass": "STANDARD"}
        made = target.put(StoredObject(copy, source.content, fields, source.is_composite), conditions)
        return Answer.of_json({"done": True, "resource": made.resource, **sizes})

    def _batch(self, call: Call) -> Answer:
        boundary = call.headers["content-type"].partition("boundary=")[2].encode()
        parts = call.content.split(b"--" + boundary)[1:-1]
        if len(parts) > 100:
            raise Refused(400, INVALID, "too many calls")
        outcomes = [self._part(part) for part in parts]
        content = b"".join(b"--of-batch\r\n" + outcome for outcome in reversed(outcomes)) + b"--of-batch--\r\n"
        return Answer(200, {"Content-Type": "multipart/mixed; boundary=of-batch"}, content)

    def _part(self, part: bytes) -> bytes:
        outer, _, inner = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
        named = re.search(rb"Content-ID: <(\d+)>", outer)
        method, target, _ = inner.lstrip(b"\r\n").partition(b"\r\n")[0].decode().split(" ")
        path, _, query = target.partition("?")
        pairs = (pair.partition("=") for pair in query.split("&") if pair)
        try:
            answer = self.answer(Call(method, path, {name: unquote(value) for name, _, value in pairs}, {}))
        except Refused as error:
            answer = refusal(error)
        number = named[1] if named is not None else b""
        head = f"HTTP/1.1 {answer.status} X\r\nContent-Type: application/json\r\n\r\n".encode()
        start = b"Content-Type: application/http\r\nContent-ID: <response-" + number + b">\r\n\r\n"
        return start + head + answer.content + b"\r\n"


def media(call: Call, found: StoredObject, etag: str) -> Answer:
    """The content of an object, or a range of it. It is inflated for clients that do not accept gzip."""
    fields, content = found.resource, found.content
    sums = f"crc32c={found.crc32c}" + ("" if found.md5 is None else f",md5={found.md5}")
    headers = {
        "ETag": etag,
        "Content-Type": fields["contentType"],
        "Last-Modified": found.created.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "x-goog-generation": str(found.generation),
        "x-goog-metageneration": "1",
        "x-goog-storage-class": fields["storageClass"],
        "x-goog-hash": sums,
        "x-goog-stored-content-encoding": fields.get("contentEncoding", "identity"),
        "x-goog-stored-content-length": str(len(content)),
    }
    for name, key in (
        ("Cache-Control", "cacheControl"),
        ("Content-Disposition", "contentDisposition"),
        ("Content-Encoding", "contentEncoding"),
        ("Content-Language", "contentLanguage"),
    ):
        if key in fields:
            headers[name] = fields[key]
    if fields.get("contentEncoding") == "gzip" and "gzip" not in call.headers.get("accept-encoding", ""):
        del headers["Content-Encoding"]
        return Answer(200, headers, gzip.decompress(content))
    stated = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("range", ""))
    if stated is None:
        return Answer(200, headers, content)
    size = len(content)
    start = int(stated[1]) if stated[1] else max(0, size - int(stated[2]))
    end = min(int(stated[2]) + 1, size) if stated[1] and stated[2] else size
    if start >= size or (not stated[1] and not int(stated[2])):
        return Answer(416, {"Content-Range": f"bytes */{size}"})
    return Answer(206, headers | {"Content-Range": f"bytes {start}-{end - 1}/{size}"}, content[start:end])


def check_etags(headers: Mapping[str, str], etag: str) -> None:
    """Refuses a request whose conditions on the etag do not hold."""
    wanted, unwanted = (
        [each.strip() for each in headers.get(name, "").split(",") if each] for name in ("if-match", "if-none-match")
    )
    if wanted and etag not in wanted and "*" not in wanted:
        raise Refused(412, "conditionNotMet/PreconditionFailed")
    if etag in unwanted or "*" in unwanted:
        raise Refused(304, "conditionNotMet/NotModified")


def refusal(error: Refused) -> Answer:
    """The error in the JSON API."""
    reason = error.reason.partition("/")[0]
    listed = [{"domain": "global", "reason": reason, "message": error.message}]
    body = {"code": error.status, "message": error.message, "errors": listed}
    return Answer.of_json({"error": body}, error.status)


def _page(fields: str | None, items: list[Any], prefixes: Mapping[str, None], token: str | None) -> Answer:
    named = re.search(r"items\(([^)]*)\)", fields or "")
    if named is not None:
        kept = named[1].split(",")
        items = [{name: value for name, value in item.items() if name in kept} for item in items]
    page: dict[str, Any] = {"items": items} if items else {}
    page |= {"prefixes": list(prefixes)} if prefixes else {}
    return Answer.of_json(page | ({"nextPageToken": token} if token else {}))


def _related(call: Call) -> tuple[dict[str, Any], bytes]:
    """The JSON and the content of a multipart upload."""
    boundary = call.headers["content-type"].partition("boundary=")[2].encode()
    _, first, second, _ = call.content.split(b"--" + boundary)
    values = json.loads(first.partition(b"\r\n\r\n")[2])
    head, _, content = second.partition(b"\r\n\r\n")
    values.setdefault("contentType", re.sub(rb"(?s).*Content-Type: ([^\r]+).*", rb"\1", head).decode())
    return values, content.removesuffix(b"\r\n")
