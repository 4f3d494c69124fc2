"""A storage of Azure in memory, made from the documentation of Azure, for what Azurite lacks.

It checks every signature and token by itself, keeps versions, lists in pages of three, and can be told to refuse, to be
busy, to answer copies with "pending", and to have directories (`hdi_isfolder`).
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import md5
from itertools import count
from typing import Self
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from entrepot.testing import Answer, ReceivedRequest, ScriptedServer, raw_response

ACCOUNT = "account"
KEY = b64encode(b"the key of the account").decode()
TOKEN = "token-1"
OID, TID = "an-object", "a-tenant"
DELEGATION = b"the user delegation key"
PAGE = 3
START = datetime(2026, 1, 1, tzinfo=UTC)
STORED = {
    "x-ms-blob-content-type": "Content-Type",
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
    "x-ms-blob-cache-control": "Cache-Control",
}
PERMISSIONS = {"GET": "r", "HEAD": "r", "PUT": "cw", "DELETE": "d"}


@dataclass
class Blob:
    """One version of a blob."""

    content: bytes
    version: str
    modified: datetime
    headers: dict[str, str]
    user: dict[str, str]
    kind: str = "BlockBlob"
    tags: dict[str, str] = field(default_factory=dict)
    tier: str = "Hot"
    blocks: dict[str, bytes] = field(default_factory=dict)
    copy_id: str = ""
    encryption: str | None = None

    @property
    def etag(self) -> str:
        return "0x" + md5(f"{self.version}{len(self.content)}".encode()).hexdigest()[:15].upper()


class Refused(Exception):
    """A response that is not a success."""

    def __init__(self, status: int, code: str, *headers: str) -> None:
        super().__init__(code)
        self.status, self.code, self.headers = status, code, headers


class AzureFake:
    """The server, up while it is entered.

    Arguments:
        is_versioned: whether it keeps versions.
        clock: returns its time.

    Attributes:
        tokens: the tokens that are good.
        before: called with each request first; may return other answers than the usual ones.
        pending: how often the state of a copy is still pending.
        delegations: how many user delegation keys were given out.
        refused_parts: how many parts of batches are refused for their credentials.
    """

    def __init__(self, *, is_versioned: bool = True, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.is_versioned = is_versioned
        self.clock = clock
        self.tokens = {TOKEN}
        self.before: Callable[[ReceivedRequest], Answer | None] = lambda request: None
        self.pending = 0
        self.delegations = 0
        self.refused_parts = 0
        self.blobs: dict[str, list[Blob]] = {}  # newest last
        self.gone: set[str] = set()
        self.staged: dict[str, dict[str, bytes]] = {}
        self.server = ScriptedServer(self.answer)
        self._serial = count(1)

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.__exit__(*exc_info)  # type: ignore[arg-type]

    @property
    def endpoint(self) -> str:
        return f"{self.server.endpoint}/{ACCOUNT}"

    def put(self, key: str, content: bytes, **user: str) -> None:
        """Stores a blob without a request."""
        self._store(key, content, {"x-ms-meta-" + name: value for name, value in user.items()})

    def answer(self, request: ReceivedRequest) -> Answer:
        special = self.before(request)
        if special is not None:
            return special
        try:
            return [self._response(request)]
        except Refused as refused:
            body = f"<?xml version='1.0'?><Error><Code>{refused.code}</Code><Message>m</Message></Error>".encode()
            return [self._reply(request, refused.status, body, f"x-ms-error-code: {refused.code}", *refused.headers)]

    def _reply(self, request: ReceivedRequest, status: int, content: bytes, *headers: str) -> bytes:
        shown = b"" if request.method == "HEAD" or status in {204, 304} else content
        lengths = [line for line in headers if line.lower().startswith("content-length:")]
        return raw_response(
            f"{status} -",
            "x-ms-request-id: 1-2-3",
            "x-ms-version: 2022-11-02",
            f"Date: {format_datetime(self.clock(), usegmt=True)}",
            *headers,
            *([] if lengths else [f"Content-Length: {len(shown)}"]),
            content=shown,
        )

    def _response(self, request: ReceivedRequest) -> bytes:
        path, _, text = request.target.partition("?")
        query = dict(parse_qsl(text, keep_blank_values=True))
        self._authorize(request.method, path, query, request)
        key = unquote(path).removeprefix(f"/{ACCOUNT}")
        if query.get("comp") == "userdelegationkey":
            return self._delegation(request)
        container, _, name = key.removeprefix("/").partition("/")
        if container not in {"container", "other"}:
            raise Refused(404, "ContainerNotFound")
        if query.get("comp") == "batch":
            return self._batch(request)
        if not name:
            return self._list(request, query)
        return self._of_blob(request, f"{container}/{name}", query)

    # Credentials

    def _authorize(self, method: str, path: str, query: dict[str, str], request: ReceivedRequest) -> None:
        stated = request.headers.get("authorization", "")
        if "sig" in query:
            self._check_sas(method, unquote(path), query)
        elif stated.startswith("SharedKey "):
            self._check_key(method, path, query, request.headers, stated, len(request.content))
        elif stated.startswith("Bearer "):
            if stated.removeprefix("Bearer ") not in self.tokens:
                raise Refused(401, "InvalidAuthenticationInfo", "WWW-Authenticate: Bearer")
        else:
            raise Refused(409, "PublicAccessNotPermitted")

    def _check_key(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], stated: str, size: int
    ) -> None:
        date = parsedate_to_datetime(headers["x-ms-date"])
        if abs(self.clock() - date) > timedelta(minutes=15):
            raise Refused(403, "AuthenticationFailed")
        names = "content-encoding content-language content-length content-md5 content-type date if-modified-since"
        names += " if-match if-none-match if-unmodified-since range"
        values = {**headers, "content-length": str(size) if size else "", "date": ""}
        lines = [method, *(values.get(name, "") for name in names.split())]
        lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-ms-")]
        lines += [f"/{ACCOUNT}{path}", *(f"{name.lower()}:{query[name]}" for name in sorted(query))]
        if stated != f"SharedKey {ACCOUNT}:{_signature(b64decode(KEY), lines)}":
            raise Refused(403, "AuthenticationFailed")

    def _check_sas(self, method: str, path: str, query: dict[str, str]) -> None:
        get = lambda *names: [query.get(name, "") for name in names]
        resource = f"/blob/{ACCOUNT}{path.removeprefix('/' + ACCOUNT)}"
        if query["sr"] == "c":
            resource = "/".join(resource.split("/")[:4])
        version = query.get("versionid", "") if query["sr"] == "bv" else ""
        last = [*get("sip", "spr", "sv", "sr"), version, *get("ses", "rscc", "rscd", "rsce", "rscl", "rsct")]
        if "skoid" in query:
            own = get("skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid")
            signature = _signature(DELEGATION, [*get("sp", "st", "se"), resource, *own, *last])
        else:
            signature = _signature(b64decode(KEY), [*get("sp", "st", "se"), resource, *get("si"), *last])
        is_over = datetime.fromisoformat(query.get("se", "2026-01-01T00:00:00Z")) < self.clock()
        if signature != query["sig"] or is_over or "http" not in query.get("spr", "http").split(","):
            raise Refused(403, "AuthenticationFailed")
        wanted = "x" if method == "DELETE" and version else PERMISSIONS.get(method, "-")
        if query["sr"] != "c" and not set(wanted) & set(query["sp"]):
            raise Refused(403, "AuthorizationPermissionMismatch")

    def _delegation(self, request: ReceivedRequest) -> bytes:
        if not request.headers["authorization"].startswith("Bearer "):
            raise Refused(403, "AuthenticationFailed")
        self.delegations += 1
        times = {child.tag: child.text for child in ET.fromstring(request.content)}
        values = {"Oid": OID, "Tid": TID, **times, "Service": "b", "Version": "2022-11-02"}
        listed = "".join(f"<Signed{name}>{value}</Signed{name}>" for name, value in values.items())
        value = b64encode(DELEGATION).decode()
        return self._reply(
            request, 200, f"<UserDelegationKey>{listed}<Value>{value}</Value></UserDelegationKey>".encode()
        )

    # One blob

    def _of_blob(self, request: ReceivedRequest, key: str, query: dict[str, str]) -> bytes:
        comp = query.get("comp", "")
        if comp == "tags":
            return self._tags(request, key, query)
        if comp == "copy":
            return self._reply(request, 204, b"")
        if request.method in {"GET", "HEAD"}:
            return self._read(request, key, query)
        self._check_conditions(request, self._current(key))
        if request.method == "DELETE":
            return self._delete(request, key, query)
        if comp == "block":
            self.staged.setdefault(key, {})[query["blockid"]] = request.content
            return self._reply(request, 201, b"")
        if comp == "blocklist":
            return self._commit(request, key)
        if comp == "appendblock":
            return self._append(request, key)
        if "x-ms-copy-source" in request.headers:
            return self._copy(request, key)
        return self._made(request, 201, self._store(key, request.content, request.headers))

    def _current(self, key: str) -> Blob | None:
        return None if key in self.gone or key not in self.blobs else self.blobs[key][-1]

    def _found(self, key: str, query: dict[str, str]) -> Blob:
        if "versionid" not in query:
            blob = self._current(key)
        elif not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", query["versionid"]):
            raise Refused(400, "InvalidQueryParameterValue")
        else:
            matching = [blob for blob in self.blobs.get(key, []) if blob.version == query["versionid"]]
            blob = matching[0] if matching else None
        if blob is None:
            raise Refused(404, "BlobNotFound")
        return blob

    def _check_conditions(self, request: ReceivedRequest, blob: Blob | None) -> None:
        headers = request.headers
        is_reading = request.method in {"GET", "HEAD"}
        if (wanted := headers.get("if-match")) and (blob is None or wanted not in {"*", f'"{blob.etag}"'}):
            raise Refused(412, "ConditionNotMet")
        unwanted = headers.get("if-none-match")
        if unwanted == "*" and blob is not None:
            raise Refused(409, "BlobAlreadyExists")
        if unwanted and blob is not None and unwanted == f'"{blob.etag}"':
            raise Refused(304 if is_reading else 412, "ConditionNotMet")
        if blob is None:
            return
        since, until = headers.get("if-modified-since"), headers.get("if-unmodified-since")
        if since and blob.modified.replace(microsecond=0) <= parsedate_to_datetime(since):
            raise Refused(304 if is_reading else 412, "ConditionNotMet")
        if until and blob.modified.replace(microsecond=0) > parsedate_to_datetime(until):
            raise Refused(412, "ConditionNotMet")

    def _read(self, request: ReceivedRequest, key: str, query: dict[str, str]) -> bytes:
        blob = self._found(key, query)
        self._check_conditions(request, blob)
        if blob.encryption != request.headers.get("x-ms-encryption-key-sha256"):
            raise Refused(409, "BlobUsesCustomerSpecifiedEncryption")
        headers = [*self._described(blob), f"Last-Modified: {format_datetime(blob.modified, usegmt=True)}"]
        overrides = {"rscc": "Cache-Control", "rscd": "Content-Disposition", "rsct": "Content-Type"}
        stored = blob.headers | {name: query[key] for key, name in overrides.items() if key in query and "sig" in query}
        headers += [f"{name}: {value}" for name, value in stored.items()]
        headers += [f"x-ms-meta-{name}: {value}" for name, value in blob.user.items()]
        headers += [f"x-ms-blob-type: {blob.kind}", f"x-ms-access-tier: {blob.tier}", "Accept-Ranges: bytes"]
        if blob.copy_id:
            state, self.pending = ("pending", self.pending - 1) if self.pending > 0 else ("success", 0)
            headers += [f"x-ms-copy-id: {blob.copy_id}", f"x-ms-copy-status: {state}"]
        if request.method == "HEAD":
            return self._reply(request, 200, b"", *headers, f"Content-Length: {len(blob.content)}")
        if (stated := request.headers.get("range")) is None:
            return self._reply(request, 200, blob.content, *headers)
        first, _, last = stated.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last) + 1 if last else len(blob.content), len(blob.content))
        if start >= len(blob.content):
            raise Refused(416, "InvalidRange", f"Content-Range: bytes */{len(blob.content)}")
        ranged = f"Content-Range: bytes {start}-{end - 1}/{len(blob.content)}"
        return self._reply(request, 206, blob.content[start:end], *headers, ranged)

    def _described(self, blob: Blob) -> list[str]:
        return [f'ETag: "{blob.etag}"', *([f"x-ms-version-id: {blob.version}"] if self.is_versioned else [])]

    def _made(self, request: ReceivedRequest, status: int, blob: Blob, *headers: str) -> bytes:
        modified = f"Last-Modified: {format_datetime(blob.modified, usegmt=True)}"
        return self._reply(request, status, b"", *self._described(blob), modified, *headers)

    def _store(self, key: str, content: bytes, headers: dict[str, str], kind: str | None = None) -> Blob:
        serial = next(self._serial)
        blob = Blob(
            content,
            f"{START + timedelta(seconds=serial):%Y-%m-%dT%H:%M:%S.0000000Z}",
            self.clock().replace(microsecond=0),
            {STORED[name]: value for name, value in headers.items() if name in STORED},
            {name[10:]: value for name, value in headers.items() if name.startswith("x-ms-meta-")},
            kind or headers.get("x-ms-blob-type", "BlockBlob"),
            dict(parse_qsl(headers.get("x-ms-tags", ""), keep_blank_values=True)),
            headers.get("x-ms-access-tier", "Hot"),
            encryption=headers.get("x-ms-encryption-key-sha256"),
        )
        old = self.blobs.setdefault(key, [])
        if not self.is_versioned:
            old.clear()
        old.append(blob)
        self.gone.discard(key)
        return blob

    def _commit(self, request: ReceivedRequest, key: str) -> bytes:
        old = self._current(key)
        committed = {} if old is None else old.blocks
        staged, pieces, names = {**committed, **self.staged.pop(key, {})}, [], []
        for child in ET.fromstring(request.content):
            if child.text not in staged:
                raise Refused(400, "InvalidBlockList")
            names.append(child.text)
            pieces.append(staged[child.text])
        blob = self._store(key, b"".join(pieces), request.headers, "BlockBlob")
        blob.blocks = dict(zip(names, pieces, strict=True))
        return self._made(request, 201, blob)

    def _append(self, request: ReceivedRequest, key: str) -> bytes:
        blob = self._found(key, {})
        if blob.kind != "AppendBlob":
            raise Refused(409, "InvalidBlobType")
        if int(request.headers["x-ms-blob-condition-appendpos"]) != len(blob.content):
            raise Refused(412, "AppendPositionConditionNotMet")
        blob.content += request.content
        blob.modified = self.clock().replace(microsecond=0)
        return self._made(request, 201, blob)

    def _copy(self, request: ReceivedRequest, key: str) -> bytes:
        path, _, query = request.headers["x-ms-copy-source"].partition(f"/{ACCOUNT}/")[2].partition("?")
        source = self._found(unquote(path), dict(parse_qsl(query)))
        headers = dict(request.headers)
        if not any(name.startswith("x-ms-meta-") for name in headers):
            headers |= {f"x-ms-meta-{name}": value for name, value in source.user.items()}
        blob = self._store(key, source.content, headers, source.kind)
        blob.headers = dict(source.headers)
        blob.copy_id = blob.version
        state = "pending" if self.pending else "success"
        return self._made(request, 202, blob, f"x-ms-copy-id: {blob.copy_id}", f"x-ms-copy-status: {state}")

    def _delete(self, request: ReceivedRequest, key: str, query: dict[str, str]) -> bytes:
        blob = self._found(key, query)
        if "versionid" in query:
            if blob is self._current(key):
                raise Refused(403, "OperationNotAllowedOnRootBlob")
            self.blobs[key].remove(blob)
            if not self.blobs[key]:
                del self.blobs[key]
                self.gone.discard(key)
        elif self.is_versioned:
            self.gone.add(key)
        else:
            del self.blobs[key]
        return self._reply(request, 202, b"")

    def _tags(self, request: ReceivedRequest, key: str, query: dict[str, str]) -> bytes:
        blob = self._found(key, query)
        if request.method == "PUT":
            found = ET.fromstring(request.content).iter("Tag")
            blob.tags = {tag.findtext("Key", ""): tag.findtext("Value", "") for tag in found}
            return self._reply(request, 204, b"")
        listed = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in blob.tags.items())
        return self._reply(request, 200, f"<Tags><TagSet>{listed}</TagSet></Tags>".encode())

    # Many blobs

    def _batch(self, request: ReceivedRequest) -> bytes:
        boundary = request.headers["content-type"].partition("boundary=")[2]
        answers = []
        for part in request.content.decode().split(f"--{boundary}")[1:-1]:
            outer, _, inner = part.strip().partition("\r\n\r\n")
            number = re.search(r"Content-ID: (\d+)", outer)
            assert number is not None
            head = f"{inner.strip()}\r\n\r\n".encode()
            if self.refused_parts:
                self.refused_parts -= 1
                head = head.replace(b"SharedKey", b"Bearer")
            answer = b"".join(step for step in self.answer(ReceivedRequest(0, 0, head)) if isinstance(step, bytes))
            answers.append(
                f"--answers\r\nContent-Type: application/http\r\nContent-ID: {number[1]}\r\n\r\n".encode() + answer
            )
        content = b"\r\n".join([*answers, b"--answers--"])
        return self._reply(request, 202, content, "Content-Type: multipart/mixed; boundary=answers")

    def _list(self, request: ReceivedRequest, query: dict[str, str]) -> bytes:
        container = "container/"
        prefix, marker = container + query.get("prefix", ""), query.get("marker", "")
        included = query["include"].split(",")
        rows = dict[str, str]()
        for key in sorted(self.blobs):
            if not key.startswith(prefix):
                continue
            slash = key.find("/", len(prefix)) if "delimiter" in query else -1
            if slash >= 0:
                name = key[len(container) : slash + 1]
                if key not in self.gone:
                    rows[f"{name}\t"] = f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>"
                continue
            name = key[len(container) :]
            is_gone = key in self.gone
            for blob in self.blobs[key]:
                is_last = blob is self.blobs[key][-1] and not is_gone
                if is_last or "versions" in included:
                    rows[f"{name}\t{blob.version}"] = self._row(name, blob, is_current=is_last)
            if is_gone and "deletedwithversions" in included:
                rows[f"{name}\tz"] = f"<Blob><Name>{escape(name)}</Name><HasVersionsOnly>true</HasVersionsOnly></Blob>"
        after = [row for row in sorted(rows) if row > marker]
        size = min(int(query.get("maxresults", PAGE)), PAGE)  # a page may be smaller than it was asked to be
        page, rest = after[:size], after[size:]
        following = escape(page[-1]) if rest and page else ""
        listed = "".join(rows[row] for row in page)
        text = f"<Blobs>{listed}</Blobs><NextMarker>{following}</NextMarker>"
        return self._reply(request, 200, f"<EnumerationResults>{text}</EnumerationResults>".encode())

    def _row(self, name: str, blob: Blob, *, is_current: bool) -> str:
        properties = {
            "Etag": blob.etag,
            "Last-Modified": format_datetime(blob.modified, usegmt=True),
            "Content-Length": str(len(blob.content)),
            **blob.headers,
            "BlobType": blob.kind,
            "AccessTier": blob.tier,
        }
        listed = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in properties.items())
        user = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in blob.user.items())
        version = f"<VersionId>{blob.version}</VersionId>" if self.is_versioned else ""
        current = "<IsCurrentVersion>true</IsCurrentVersion>" if is_current and self.is_versioned else ""
        own = f"<Name>{escape(name)}</Name>{version}{current}"
        return f"<Blob>{own}<Properties>{listed}</Properties><Metadata>{user}</Metadata></Blob>"


def _signature(secret: bytes, lines: list[str]) -> str:
    return b64encode(hmac.digest(secret, "\n".join(lines).encode(), "sha256")).decode()
