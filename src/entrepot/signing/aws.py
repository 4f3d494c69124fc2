"""AWS Signature Version 4, pure: in the headers of a request, or in its query.

The source is "AWS Signature Version 4 for API requests" in the AWS IAM User Guide, with what "Authenticating
Requests" in the Amazon S3 API Reference says of S3: the path is signed as it is sent, neither normalized
nor encoded again, and the hash of the content is a header of its own.

What is signed here is what is sent: the path and query of the URL as they stand, and every header that
the request has by then. What a transport adds later, such as Accept-Encoding, is not signed.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import quote

from entrepot.raw.http.transport import Content, Header, HttpRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"

_A_SECOND: Final = timedelta(seconds=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs. None of it is shown in a repr.

    Arguments:
        access_key_id: the public half of the key.
        secret_access_key: the secret half.
        session_token: the token that belongs to temporary credentials.
    """

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class _Second(NamedTuple):
    """A second as signatures write it."""

    begin: datetime
    end: datetime
    stamp: str


class _Day(NamedTuple):
    """What is the same for all that is signed on a day. What its key signs is added to a copy of `keyed`."""

    date: str
    scope: str
    keyed: hmac.HMAC


class Signer:
    """Signs requests to one region with one set of credentials.

    Arguments:
        credentials: who signs.
        region: the region that the request goes to.
        service: the service that it goes to.
    """

    __slots__ = ("_credentials", "_day", "_region", "_second", "_service")

    def __init__(self, credentials: Credentials, region: str, service: str = "s3") -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._day = _Day("", "", hmac.new(b"", digestmod="sha256"))
        self._second = _Second(_NEVER, _NEVER, "")

    def sign(self, request: HttpRequest, moment: datetime, payload_hash: str | None = None) -> HttpRequest:
        """The request with the headers that prove who sends it. It must have its Host header already.

        Arguments:
            request: what is to be sent; its content is part of what is signed.
            moment: when it is sent. Servers refuse one that is 15 minutes off their clock.
            payload_hash: the hash of the content if it is known, from `hash_payload`.
        """
        payload_hash = payload_hash or hash_payload(request.body)
        stamp = self._stamp(moment)
        headers = [*request.headers, ("x-amz-content-sha256", payload_hash), ("x-amz-date", stamp)]
        if self._credentials.session_token is not None:
            headers.append(("x-amz-security-token", self._credentials.session_token))
        prepared = request.with_headers(headers)
        headers.append(("Authorization", self.authorization(prepared, stamp, payload_hash)))
        return prepared

    def presign(
        self, request: HttpRequest, moment: datetime, expires: int, payload_hash: str = UNSIGNED_PAYLOAD
    ) -> HttpRequest:
        """The request with the proof in its query, so that whoever has the URL can send it.

        Arguments:
            request: what is to be sent; all of its headers must then be sent with it.
            moment: the start of the time that it holds for.
            expires: the length of that time, in seconds.
            payload_hash: the SHA-256 of the content, where that is settled already.
        """
        stamp = self._stamp(moment)
        proof = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self._credentials.access_key_id}/{self._on(stamp[:8]).scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": canonical_headers(request.headers)[1],
        }
        if self._credentials.session_token is not None:
            proof["X-Amz-Security-Token"] = self._credentials.session_token
        joint = "&" if "?" in request.url else "?"
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in proof.items())
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
        """What the signing key signs: the time, the scope and the hash of a canonical request."""
        sent = canonical.encode("utf-8", "surrogateescape")  # an etag may hold bytes that are not UTF-8
        return "\n".join((ALGORITHM, stamp, self._on(stamp[:8]).scope, hashlib.sha256(sent).hexdigest()))

    def _on(self, date: str) -> _Day:
        """Scope and key of a day, kept until another day is asked for. They change as one: threads share this."""
        day = self._day
        if day.date != date:
            key = f"AWS4{self._credentials.secret_access_key}".encode()
            for part in (date, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            scope = f"{date}/{self._region}/{self._service}/aws4_request"
            self._day = day = _Day(date, scope, hmac.new(key, digestmod="sha256"))
        return day

    def _stamp(self, moment: datetime) -> str:
        """A moment to the second. The last one is kept, since many requests are signed within it."""
        second = self._second
        if not second.begin <= moment < second.end:
            begin = moment.astimezone(UTC).replace(microsecond=0)
            self._second = second = _Second(begin, begin + _A_SECOND, begin.strftime("%Y%m%dT%H%M%SZ"))
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
    """A request as it is signed. The names of its headers are the last line but one."""
    path, query = _target(request.url)
    headers, names = canonical_headers(request.headers)
    return "\n".join((request.method, path, canonical_query(query), headers, names, payload_hash))


def canonical_headers(headers: Iterable[Header]) -> tuple[str, str]:
    """The headers as they are signed, a line each, and their names. Repeated ones are joined in order."""
    values: dict[str, str] = {}
    for name, value in headers:
        key, text = name.lower(), " ".join(value.split())
        values[key] = f"{values[key]},{text}" if key in values else text
    names = sorted(values)
    return "".join([f"{name}:{values[name]}\n" for name in names]), ";".join(names)


def canonical_query(query: str) -> str:
    """An encoded query as it is signed: sorted by name, then by value, each with an equals sign."""
    if not query:
        return ""
    pairs = sorted(part.partition("=")[::2] for part in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


def _target(url: str) -> tuple[str, str]:
    """Path and query of an absolute URL, as they stand."""
    target, _, query = url.partition("?")
    return "/" + target.partition("://")[2].partition("/")[2], query
