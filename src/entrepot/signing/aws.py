"""AWS Signature Version 4, pure: in the headers of a request, or in its query.

The source is "AWS Signature Version 4 for API requests" in the AWS IAM User Guide. The signer does not know any
service: its caller names the one that goes into the scope of the signature. Two choices suit S3 and do not hurt others:
the path is signed as it is sent, neither normalized nor encoded again (other services expect a second encoding, which
changes nothing in paths of unreserved characters), and the hash of the content is always sent in a header.

The signature covers the path and query of the URL as they stand, and every header that the request has when it is
signed. Headers that a transport adds later, such as Accept-Encoding, are not signed.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import quote

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.transport import Content, Header, HttpRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()

_TEXT: Final = re.compile("[!-~]+")
_A_SECOND: Final = timedelta(seconds=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of the caller. Their repr shows none of them.

    Arguments:
        access_key_id: the public half of the key.
        secret_access_key: the secret half.
        session_token: the token that belongs to temporary credentials.
        expires_at: the time of expiry, with a time zone; None if they do not expire.
        source: where they come from, for errors, such as `"environment"` or `"profile 'dev'"`.

    Raises:
        ConfigInvalid: a value is not ASCII text without blanks, the keys are empty, or `expires_at` has no time zone.
    """

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in ("access_key_id", "secret_access_key", "session_token"):
            value = getattr(self, name)
            if name == "session_token" and value is None:
                continue
            if not isinstance(value, str) or not value:
                raise ConfigInvalid(f"{name} of the credentials must be text that is not empty")
            if not _TEXT.fullmatch(value):
                raise ConfigInvalid(f"{name} of the credentials must be ASCII text without blanks and line feeds")
        if self.expires_at is not None and self.expires_at.utcoffset() is None:
            raise ConfigInvalid("expires_at of the credentials must have a time zone, such as datetime.UTC")

    @property
    def hint(self) -> str:
        """The last four characters of the access key id, which errors may show; fewer of a short one."""
        shown = min(4, len(self.access_key_id) // 4)
        return self.access_key_id[len(self.access_key_id) - shown :]


class _Second(NamedTuple):
    """One second of time, and its text in signatures."""

    start: datetime
    end: datetime
    stamp: str


class _Day(NamedTuple):
    """The values that all signatures of one day share. `keyed` is copied for each signature."""

    date: str
    scope: str
    keyed: hmac.HMAC


class Signer:
    """Signs requests to one region with one set of credentials.

    Arguments:
        credentials: the credentials.
        region: the region that the requests go to.
        service: the name of the service in signatures, such as `"s3"`.
    """

    __slots__ = ("_credentials", "_day", "_region", "_second", "_service")

    def __init__(self, credentials: Credentials, region: str, service: str) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._day = _Day("", "", hmac.new(b"", digestmod="sha256"))
        self._second = _Second(_NEVER, _NEVER, "")

    def sign(self, request: HttpRequest, time: datetime, payload_hash: str | None = None) -> HttpRequest:
        """Returns the request with the headers that authenticate it. It must have its Host header already.

        Arguments:
            request: the request; the signature covers its content.
            time: when it is sent. Servers refuse a time that is 15 minutes off their clock.
            payload_hash: the hash of the content if the caller has it, from `hash_payload`, or a constant that the
                service accepts instead.
        """
        payload_hash = payload_hash or hash_payload(request.body)
        stamp = self._stamp(time)
        headers = [*request.headers, ("x-amz-content-sha256", payload_hash), ("x-amz-date", stamp)]
        if self._credentials.session_token is not None:
            headers.append(("x-amz-security-token", self._credentials.session_token))
        prepared = request.with_headers(headers)
        headers.append(("Authorization", self.authorization(prepared, stamp, payload_hash)))
        return prepared

    def presign(self, request: HttpRequest, time: datetime, expires: int, payload_hash: str) -> HttpRequest:
        """Returns the request with the signature in its query, so that anyone who has the URL can send it.

        Arguments:
            request: the request; all of its headers must be sent with it.
            time: the start of its validity.
            expires: the length of its validity, in seconds.
            payload_hash: the SHA-256 of the content, or a constant that the service accepts instead.
        """
        stamp = self._stamp(time)
        parameters = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self._credentials.access_key_id}/{self._on(stamp[:8]).scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": canonical_headers(request.headers)[1],
        }
        if self._credentials.session_token is not None:
            parameters["X-Amz-Security-Token"] = self._credentials.session_token
        joint = "&" if "?" in request.url else "?"
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
        prepared = replace(request, url=f"{request.url}{joint}{query}")
        signature = self.signature(stamp, canonical_request(prepared, payload_hash))
        return replace(prepared, url=f"{prepared.url}&X-Amz-Signature={signature}")

    def authorization(self, request: HttpRequest, stamp: str, payload_hash: str) -> str:
        """The Authorization header of a request that has all its other headers."""
        canonical = canonical_request(request, payload_hash)
        names = canonical.rsplit("\n", 2)[1]
        credential = f"{self._credentials.access_key_id}/{self._on(stamp[:8]).scope}"
        signature = self.signature(stamp, canonical)
        return f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"

    def signature(self, stamp: str, canonical: str) -> str:
        """The signature of a canonical request."""
        signing = self._on(stamp[:8]).keyed.copy()
        signing.update(self.string_to_sign(stamp, canonical).encode())
        return signing.hexdigest()

    def string_to_sign(self, stamp: str, canonical: str) -> str:
        """The text that the signing key signs: the time, the scope and the hash of a canonical request."""
        content = canonical.encode("utf-8", "surrogateescape")  # an etag may hold bytes that are not UTF-8
        return "\n".join((ALGORITHM, stamp, self._on(stamp[:8]).scope, hashlib.sha256(content).hexdigest()))

    def _on(self, date: str) -> _Day:
        """Scope and key of a day, kept until another day is needed. Threads share them as one value."""
        day = self._day
        if day.date != date:
            key = f"AWS4{self._credentials.secret_access_key}".encode()
            for part in (date, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            scope = f"{date}/{self._region}/{self._service}/aws4_request"
            self._day = day = _Day(date, scope, hmac.new(key, digestmod="sha256"))
        return day

    def _stamp(self, time: datetime) -> str:
        """The text of a time, to the second. The last one is kept, since many requests are signed in one second."""
        second = self._second
        if not second.start <= time < second.end:
            start = time.astimezone(UTC).replace(microsecond=0)
            self._second = second = _Second(start, start + _A_SECOND, start.strftime("%Y%m%dT%H%M%SZ"))
        return second.stamp


def hash_payload(content: Content | None) -> str:
    """The SHA-256 of the content, in hexadecimal. It takes about a millisecond for each MiB."""
    if not isinstance(content, tuple):
        return hashlib.sha256(content).hexdigest() if content else EMPTY_SHA256
    joint = hashlib.sha256()
    for piece in content:
        joint.update(piece)
    return joint.hexdigest()


def canonical_request(request: HttpRequest, payload_hash: str) -> str:
    """The canonical form of a request. The names of its headers are the last line but one."""
    path, query = _target(request.url)
    headers, names = canonical_headers(request.headers)
    return "\n".join((request.method, path, canonical_query(query), headers, names, payload_hash))


def canonical_headers(headers: Iterable[Header]) -> tuple[str, str]:
    """The canonical headers, a line each, and their names. Repeated headers are joined in order."""
    values: dict[str, str] = {}
    for name, value in headers:
        key, text = name.lower(), " ".join(value.split())
        values[key] = f"{values[key]},{text}" if key in values else text
    names = sorted(values)
    return "".join([f"{name}:{values[name]}\n" for name in names]), ";".join(names)


def canonical_query(query: str) -> str:
    """The canonical form of an encoded query: sorted by name, then by value, each with an equals sign."""
    if not query:
        return ""
    pairs = sorted(part.partition("=")[::2] for part in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


def _target(url: str) -> tuple[str, str]:
    """Path and query of an absolute URL, as they stand."""
    target, _, query = url.partition("?")
    return "/" + target.partition("://")[2].partition("/")[2], query
