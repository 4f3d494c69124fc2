"""The interface of a source of tokens, what sources share, and the calls that they make."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlencode

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, Unexpected
from entrepot.raw.http.endpoint import is_loopback, parse_endpoint
from entrepot.raw.http.headers import in_utc
from entrepot.raw.http.transport import Header, HttpRequest, HttpTransport
from entrepot.raw.runtime import Runtime
from entrepot.signing.call import failure, fetch, json_object, text_of
from entrepot.signing.clock import Clock

from .token import GoogleToken

_URL: Final = re.compile(r"([a-z]+://[^/?#@\s]+)(/[\x21\x22\x24-\x7e]*)", re.ASCII)
"""Origin, and path with query: the name of a service account in a path has an at sign."""

LIFETIME: Final = timedelta(hours=1)
"""The life of the tokens that are asked for, which is the longest that every organization allows."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The environment, the connections and the settings of sources.

    Arguments:
        http: sends requests.
        runtime: has threads for files, programs and signatures.
        environ: the environment variables; None if neither they nor the files that they lead to count.
        scope: the OAuth 2.0 scope of tokens.
        service_account: the service account of the machine that the metadata server gives tokens of.
        is_metadata_disabled: whether the metadata server is not asked.
        clock: the time, which is corrected if a service refuses it.
        advice: how the user can set credentials, for the error if there are none.
    """

    http: HttpTransport
    runtime: Runtime
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    scope: str = "https://www.googleapis.com/auth/cloud-platform"
    service_account: str | None = None
    is_metadata_disabled: bool = False
    clock: Clock = field(default_factory=Clock)
    advice: str = ""

    def variable(self, name: str) -> str | None:
        """A variable of the environment; None if it is missing or empty."""
        return (self.environ or {}).get(name) or None


class BlobSigner(NamedTuple):
    """Signs bytes as a service account (RSA with SHA-256).

    Attributes:
        email: the service account.
        sign: returns the signature of bytes.
    """

    email: str
    sign: Callable[[bytes], Awaitable[bytes]]


TokenOf = Callable[[], Awaitable[GoogleToken]]
"""Returns a token that is valid now, from the cache of a caller."""


class Source(Protocol):
    """A source of tokens. It is a `Provider` of them."""

    async def load(self) -> GoogleToken:
        """Gets a token.

        Raises:
            ConfigInvalid: the credential is not valid.
            PermissionDenied: there is none, or it was refused.
            Error: the service that gives out tokens failed. Temporary if it may succeed later.
        """
        ...

    async def signer(self, token: TokenOf) -> BlobSigner | None:
        """The signer of URLs; None if these credentials belong to no service account.

        Arguments:
            token: returns a token of this source, for the service that signs.
        """
        ...


async def post_form(machine: Machine, what: str, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    """The JSON object in the response to a form.

    Arguments:
        machine: sends the request.
        what: the name of the call, for errors.
        url: where to.
        form: the fields. They are secrets.

    Raises:
        PermissionDenied: the credential is refused.
        Error: the service failed. Temporary.
    """
    typed = ("Content-Type", "application/x-www-form-urlencoded")
    return await _post(machine, what, url, [typed], urlencode(form).encode())


async def post_json(machine: Machine, what: str, url: str, values: Mapping[str, Any], token: str) -> Mapping[str, Any]:
    """The JSON object in the response to another one, which is sent with a token.

    Raises:
        Error: as `post_form`.
    """
    headers = [("Content-Type", "application/json"), ("Authorization", f"Bearer {token}")]
    return await _post(machine, what, url, headers, json.dumps(values).encode())


def token_of(machine: Machine, what: str, values: Mapping[str, Any]) -> GoogleToken:
    """The token in a response of an OAuth 2.0 service.

    Raises:
        Unexpected: it has none.
    """
    token, seconds = text_of(values, "access_token"), values.get("expires_in")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 10**9
    expires_at = machine.clock() + timedelta(seconds=seconds) if is_number and seconds is not None else None
    return new_token(what, token, expires_at)


def new_token(what: str, token: str | None, expires_at: datetime | None) -> GoogleToken:
    """A token that a service gave out.

    Raises:
        Unexpected: it is missing, or is none.
    """
    try:
        return GoogleToken(token or "", None if expires_at is None else in_utc(expires_at), what)
    except ConfigInvalid:
        problem = f"the response of {what} has no token"
    raise Unexpected(problem, is_temporary=True)


def checked_url(what: str, url: object) -> str:
    """A URL that secrets are sent to: over TLS, or to this machine.

    Raises:
        ConfigInvalid: it is another. The message begins with `what`, and does not repeat it.
    """
    problem = "is not a URL"
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    if match is not None:
        try:
            endpoint = parse_endpoint(match[1])
        except ConfigInvalid as error:
            problem = f"is not valid: {error.message}"
        else:
            if endpoint.scheme == "https" or is_loopback(endpoint.host):
                return endpoint.origin + match[2]
            problem = "must start with https://"
    raise ConfigInvalid(f"{what} {problem}", operation="configure")


def required(what: str, values: Mapping[str, Any], *names: str) -> Sequence[str]:
    """The texts of a credential.

    Raises:
        ConfigInvalid: one is missing.
    """
    texts = [text_of(values, name) or "" for name in names]
    missing = [name for name, text in zip(names, texts, strict=True) if not text]
    if missing:
        raise ConfigInvalid(f"{what} has no {' and no '.join(missing)}", operation="configure")
    return texts


async def _post(machine: Machine, what: str, url: str, headers: Sequence[Header], content: bytes) -> Mapping[str, Any]:
    request = HttpRequest("POST", url, [("Host", url.split("/")[2]), *headers], content)
    response = await fetch(machine.http, request)
    if response.status // 100 == 2:
        return json_object(f"the response of {what}", response.content)
    error = refused(what, response.status, response.content)
    if isinstance(error, PermissionDenied) and machine.clock.correct(response.headers):
        error = ClockWasOff(error.message)
    raise error


class ClockWasOff(PermissionDenied):
    """A refusal by a service whose time is another. The clock has its time now."""


def refused(what: str, status: int, content: bytes) -> Error:
    """The error of a response that is not a success. Only a plain code is shown: a message may repeat a secret."""
    try:
        code: Any = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        code = None
    code = code.get("status") if isinstance(code, dict) else code
    return failure(what, status, code if isinstance(code, str) and code.replace("_", "").isalnum() else "")
