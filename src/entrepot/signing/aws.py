"""AWS Signature Version 4, pure: in the headers of a request, or in its query.

The source is "AWS Signature Version 4 for API requests" in the AWS IAM User Guide. The signer does not know any
service: its caller names the one that goes into the scope of the signature. Two choices suit S3 and do not hurt others:
the path is signed as it is sent, neither normalized nor encoded again (other services expect a second encoding, which
changes nothing in paths of unreserved characters), and the hash of the content is always sent in a header.

The signature covers the path and query of the URL as they stand, and the headers that the request has when it is
signed, except those that a proxy or a service mesh may change on the way (`NEVER_SIGNED`). A layer that adds a header
to a signed request by `HttpRequest.with_headers` gets a request that is signed again. Headers that a transport adds
later, such as Accept-Encoding, are not signed.
"""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.form import Form
from entrepot.raw.http.transport import Content, HashedContent, Header, HttpRequest
from entrepot.types.records import replace

from .keyed_hash import keyed_states

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()

NEVER_SIGNED: Final = frozenset(
    {
        "baggage",
        "connection",
        "expect",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "user-agent",
        "x-amzn-trace-id",
    }
)
"""Names of headers that a signature leaves out, since proxies and service meshes change them."""

TOKEN_HEADER: Final = "x-amz-security-token"  # noqa: S105 - the name of a header

_HASH_HEADER: Final = "x-amz-content-sha256"
_DATE_HEADER: Final = "x-amz-date"
_ADDED: Final = frozenset({"authorization", _HASH_HEADER, _DATE_HEADER})
_FORMS: Final = 64
"""How many combinations of header names a signing key remembers. User metadata may have any number of them."""

_MIN_ORIGIN: Final = len("http://h")
"""The first slash from here on is that of the path: neither of those before the host is."""

_TEXT: Final = re.compile("[!-~]+")
_PLAIN: Final = re.compile("[!-~]*").fullmatch
_A_SECOND: Final = timedelta(seconds=1)


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
        ConfigInvalid: a value is not ASCII text without blanks, the keys are empty, or `expires_at` is not a
            time with a time zone.
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
        if not isinstance(self.expires_at, datetime | None):
            raise ConfigInvalid(
                f"expires_at of the credentials must be a datetime, not {type(self.expires_at).__name__}"
            )
        if self.expires_at is not None and self.expires_at.utcoffset() is None:
            raise ConfigInvalid("expires_at of the credentials must have a time zone, such as datetime.UTC")

    @property
    def hint(self) -> str:
        """The last four characters of the access key id, which errors may show; fewer of a short one."""
        shown = min(4, len(self.access_key_id) // 4)
        return self.access_key_id[len(self.access_key_id) - shown :]


class _Form:
    """The canonical headers of requests whose headers have the same names, in the same order: all but the values.

    It holds no value, since values may be secret.

    Arguments:
        names: by the name in lower case, in order: the name as the requests write it.
        credential: the start of the Authorization header.
    """

    __slots__ = ("authorization", "sorted", "text")

    def __init__(self, names: Mapping[str, str], credential: str) -> None:
        joined = ";".join(names)
        escaped = [name.replace("%", "%%") for name in names]  # the text is a template of the operator %
        self.text = "".join(f"{name}:%s\n" for name in escaped) + "\n" + ";".join(escaped)
        self.sorted: Callable[[Mapping[str, str]], tuple[str, ...]] = itemgetter(*names.values())
        self.authorization = f"{credential}{joined}, Signature="


class SigningKey:
    """The key that signs requests of one day, derived from credentials, a region and a service.

    Theory of operation. Most requests of a program have one of a few combinations of header names. The canonical form
    of each combination is kept here without the values (`_Form`), so it ends with the credentials that it is for.
    `canonical_headers` makes the same form of any headers. It serves the rest: repeated names, and values with blanks.
    Requests without a header of their own differ only by time and content. For them `Moment` has all but the content.

    Arguments:
        credentials: the credentials.
        region: the region that the requests go to.
        service: the name of the service.
        date: the day, such as `"20240229"`.
    """

    __slots__ = ("_forms", "_head", "_inner", "_outer", "credentials", "date", "region", "scope")

    def __init__(self, credentials: Credentials, region: str, service: str, date: str) -> None:
        key = f"AWS4{credentials.secret_access_key}".encode()
        for part in (date, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self.credentials = credentials
        self.region = region
        self.date = date
        self.scope = f"{date}/{region}/{service}/aws4_request"
        self._head = f"{ALGORITHM} Credential={credentials.access_key_id}/{self.scope}, SignedHeaders="
        self._forms: dict[tuple[str, ...], _Form] = {}
        self._inner, self._outer = keyed_states(key)

    def canonical(self, headers: Sequence[Header]) -> tuple[str, str]:
        """The start of the Authorization header of a request with these headers, and the canonical form of the headers.

        Arguments:
            headers: at least two of them are signed.
        """
        fields = dict(headers)
        form = self._forms.get(tuple(fields)) or self._new_form(fields)
        if form is not None and len(fields) == len(headers) and _PLAIN("".join(values := form.sorted(fields))):
            return form.authorization, form.text % values
        lines, names = canonical_headers(headers)
        return f"{self._head}{names}, Signature=", f"{lines}\n{names}"

    def _new_form(self, names: Collection[str]) -> _Form | None:
        """The form of headers with these names; None if two differ only in case, so that values are joined."""
        by_key = {name.lower(): name for name in names}
        if len(by_key) < len(names):
            return None
        if len(self._forms) >= _FORMS:
            self._forms.clear()
        form = _Form({key: by_key[key] for key in sorted(by_key.keys() - NEVER_SIGNED)}, self._head)
        self._forms[tuple(names)] = form
        return form

    def signature(self, stamp: str, canonical: str) -> str:
        """The signature of a canonical request at a time."""
        return self.sign_text(self.string_to_sign(stamp, canonical))

    def sign_text(self, text: str) -> str:
        """The signature of a text."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        return outer.hexdigest()

    def string_to_sign(self, stamp: str, canonical: str) -> str:
        """The text that is signed: the time, the scope and the hash of a canonical request."""
        return f"{self.start_of_text(stamp)}{_digest(canonical)}"

    def start_of_text(self, stamp: str) -> str:
        """The text that is signed at a time, up to the hash of the canonical request."""
        return f"{ALGORITHM}\n{stamp}\n{self.scope}\n"


_Constant = tuple[str, str, str]
"""What headers that vary only in the hash of the content have in common: the start of the Authorization header, and
their canonical form before and after the hash."""


class Moment:
    """One second in which requests are signed with one key, and what they have in common.

    Arguments:
        key: the key.
        time: a time in that second.
        token_header: the header of the token of temporary credentials.

    Attributes:
        key: the same.
        start: the start of the second.
        end: its end.
        stamp: its text in signatures.
    """

    __slots__ = ("_added", "_constants", "_text", "_token_header", "end", "key", "stamp", "start")

    def __init__(self, key: SigningKey, time: datetime, token_header: str) -> None:
        self.key = key
        self.start = time.astimezone(UTC).replace(microsecond=0)
        self.end = self.start + _A_SECOND
        self.stamp = _stamp(time)
        self._token_header = token_header
        self._added = [(_DATE_HEADER, self.stamp)]
        if key.credentials.session_token is not None:
            self._added.append((token_header, key.credentials.session_token))
        self._text = key.start_of_text(self.stamp)
        self._constants: dict[tuple[Header, ...], _Constant] = {}  # no repr shows it: it may hold a key

    def sign(self, request: HttpRequest, payload_hash: str) -> HttpRequest:
        """Returns a request with the headers that authenticate it. It must have its Host header already.

        Headers that are a tuple are taken for those of many requests, and their canonical form is kept.

        Arguments:
            request: the request.
            payload_hash: the hash of its content, from `hash_payload`, or a constant that the service accepts instead.
        """
        own, url = request.headers, request.url
        if isinstance(own, tuple) and (constant := self._constants.get(own)) is not None:
            authorization, before, after = constant
            text = f"{before}{payload_hash}{after}"
        else:
            authorization, text = self._canonical(own, payload_hash)
        path = url.find("/", _MIN_ORIGIN)
        start = _start(request) if path < 0 or "?" in url else f"{request.method}\n{url[path:]}\n\n"
        signature = self.key.sign_text(self._text + _digest(f"{start}{text}\n{payload_hash}"))
        signed = [*own, (_HASH_HEADER, payload_hash), *self._added, ("Authorization", authorization + signature)]
        return request.signed(signed, partial(self._sign_again, payload_hash))

    def _sign_again(self, payload_hash: str, request: HttpRequest, headers: Sequence[Header]) -> HttpRequest:
        """A signed request with other headers. It keeps its signature if that does not cover the difference."""
        if _covered(headers) == _covered(request.headers) and request.sign_again is not None:
            return request.signed(headers, request.sign_again)
        added = _ADDED | {self._token_header}
        unsigned = [header for header in headers if header[0].lower() not in added]
        return self.sign(replace(request, headers=unsigned), payload_hash)

    def _canonical(self, own: Sequence[Header], payload_hash: str) -> tuple[str, str]:
        """The start of the Authorization header, and the canonical form of the headers."""
        authorization, text = self.key.canonical([*own, (_HASH_HEADER, payload_hash), *self._added])
        line = f"{_HASH_HEADER}:"
        before, found, after = text.partition(f"{line}{payload_hash}\n")
        if found and isinstance(own, tuple) and len(self._constants) < _FORMS:
            self._constants[own] = authorization, before + line, "\n" + after
        return authorization, text


class Signer:
    """Signs requests to one service. The signing key of the last credentials, region and day is kept.

    Arguments:
        service: the name of the service in signatures, such as `"s3"`.
        token_header: the header of the token of temporary credentials, in lower case.
    """

    __slots__ = ("_moment", "_service", "_token_header")

    def __init__(self, service: str, token_header: str = TOKEN_HEADER) -> None:
        self._service = service
        self._token_header = token_header
        self._moment: Moment | None = None

    def at(self, credentials: Credentials, region: str, time: datetime) -> Moment:
        """The second of a time, which signs. The last one is kept, since many requests are signed in one second.

        Threads share it as one value. Its key is kept for the next one of the same day.

        Arguments:
            credentials: the credentials.
            region: the region that requests go to.
            time: when they are sent. Servers refuse a time that is 15 minutes off their clock.
        """
        moment, key = self._moment, None
        if moment is not None and moment.key.credentials is credentials and moment.key.region == region:
            if moment.start <= time < moment.end:
                return moment
            key = moment.key
        date = _stamp(time)[:8]
        if key is None or key.date != date:
            key = SigningKey(credentials, region, self._service, date)
        self._moment = moment = Moment(key, time, self._token_header)
        return moment

    def sign(
        self,
        request: HttpRequest,
        credentials: Credentials,
        region: str,
        time: datetime,
        payload_hash: str | None = None,
    ) -> HttpRequest:
        """Returns the request with the headers that authenticate it. It must have its Host header already.

        Arguments:
            request: the request; the signature covers its content.
            credentials: the credentials.
            region: the region that the request goes to.
            time: when it is sent. Servers refuse a time that is 15 minutes off their clock.
            payload_hash: the hash of the content if the caller has it, from `hash_payload`, or a constant that the
                service accepts instead.
        """
        return self.at(credentials, region, time).sign(request, payload_hash or hash_payload(request.body))

    def presign(
        self,
        request: HttpRequest,
        credentials: Credentials,
        region: str,
        time: datetime,
        expires: int,
        payload_hash: str,
    ) -> HttpRequest:
        """Returns the request with the signature in its query, so that anyone who has the URL can send it.

        Arguments:
            request: the request; all of its headers must be sent with it.
            credentials: the credentials.
            region: the region that the request goes to.
            time: the start of its validity.
            expires: the length of its validity, in seconds.
            payload_hash: the SHA-256 of the content, or a constant that the service accepts instead.
        """
        moment = self.at(credentials, region, time)
        key, stamp = moment.key, moment.stamp
        parameters = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{credentials.access_key_id}/{key.scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": canonical_headers(request.headers)[1],
        }
        if credentials.session_token is not None:
            parameters["X-Amz-Security-Token"] = credentials.session_token
        joint = "&" if "?" in request.url else "?"
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
        prepared = replace(request, url=f"{request.url}{joint}{query}")
        signature = key.signature(stamp, canonical_request(prepared, payload_hash))
        return replace(prepared, url=f"{prepared.url}&X-Amz-Signature={signature}")

    def presign_form(
        self, form: Form, credentials: Credentials, region: str, start: datetime, end: datetime
    ) -> list[Header]:
        """Returns the fields of a form, the signed policy among them.

        The source is "Creating a POST policy" and "Calculating a signature" in the Amazon S3 API Reference.

        Arguments:
            form: the fields to send, and the conditions of the policy.
            credentials: the credentials.
            region: the region that the form is sent to.
            start: the time of the signature.
            end: the time from which the form is refused.
        """
        moment = self.at(credentials, region, start)
        key, stamp = moment.key, moment.stamp
        added = [
            ("x-amz-algorithm", ALGORITHM),
            ("x-amz-credential", f"{credentials.access_key_id}/{key.scope}"),
            ("x-amz-date", stamp),
        ]
        if credentials.session_token is not None:
            added.append(("x-amz-security-token", credentials.session_token))
        conditions = [*form.conditions, *({name: value} for name, value in added)]
        document = {"expiration": f"{end.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}", "conditions": conditions}
        policy = b64encode(json.dumps(document).encode()).decode()
        return [*form.fields, *added, ("policy", policy), ("x-amz-signature", key.sign_text(policy))]


def is_signed_with(request: HttpRequest, credentials: Credentials) -> bool:
    """Whether these credentials signed the headers of a request."""
    headers = {name.lower(): value for name, value in request.headers}
    is_key = f" Credential={credentials.access_key_id}/" in headers.get("authorization", "")
    return is_key and credentials.session_token in {None, *headers.values()}


def hash_payload(content: Content | None) -> str:
    """The SHA-256 of the content, in hexadecimal. To compute it takes about half a millisecond for each MiB."""
    if not isinstance(content, tuple):
        return hashlib.sha256(content).hexdigest() if content else EMPTY_SHA256
    if isinstance(content, HashedContent):
        return content.sha256
    joint = hashlib.sha256()
    for piece in content:
        joint.update(piece)
    return joint.hexdigest()


def canonical_request(request: HttpRequest, payload_hash: str) -> str:
    """The canonical form of a request. The names of its headers are the last line but one."""
    lines, names = canonical_headers(request.headers)
    return f"{_start(request)}{lines}\n{names}\n{payload_hash}"


def canonical_headers(headers: Iterable[Header]) -> tuple[str, str]:
    """The canonical headers, a line each, and their names. Repeated headers are joined in order."""
    values: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key in NEVER_SIGNED:
            continue
        text = " ".join(value.split())
        values[key] = f"{values[key]},{text}" if key in values else text
    names = sorted(values)
    return "".join([f"{name}:{values[name]}\n" for name in names]), ";".join(names)


def canonical_query(query: str) -> str:
    """The canonical form of an encoded query: sorted by name, then by value, each with an equals sign."""
    if not query:
        return ""
    pairs = sorted(part.partition("=")[::2] for part in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


def _digest(canonical: str) -> str:
    """The hash of a canonical request."""
    # An etag may hold bytes that are not UTF-8
    return hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()


def _stamp(time: datetime) -> str:
    """The text of a time, to the second."""
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _start(request: HttpRequest) -> str:
    """The first lines of the canonical form: method, path and query, which are signed as they stand in the URL."""
    target, _, query = request.url.partition("?")
    parts = target.split("/", 3)  # the scheme, nothing, the host and the path
    path = parts[3] if len(parts) == 4 else ""
    return f"{request.method}\n/{path}\n{canonical_query(query) if query else ''}\n"


def _covered(headers: Sequence[Header]) -> list[Header]:
    """The headers that a signature covers, or is."""
    return [header for header in headers if header[0].lower() not in NEVER_SIGNED]
