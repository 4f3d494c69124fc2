"""Authorizes requests to Azure Storage, presigns them, and corrects refusals: old credentials, and a clock that is off.

A presigned request is a shared access signature (SAS) for one blob. An account key signs it. With a token of Entra ID a
user delegation key does, which Azure gives out for seven days at most. A SAS token cannot sign another one, and a
request that holds the token itself would permit all that the token permits, so none is made of it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from entrepot.errors import Error, PermissionDenied, Unexpected, Unsupported
from entrepot.raw.http.correction import Refusal
from entrepot.raw.http.error_table import plain_name
from entrepot.raw.http.signer import RequestSigner, presigned_headers
from entrepot.raw.http.transport import HttpHeaders, HttpRequest, HttpTransport
from entrepot.raw.http.xml import find_text, parse
from entrepot.types import PresignedRequest
from entrepot.types.records import replace

from .azure import (
    VERSION_HEADER,
    AzureAccessToken,
    AzureAccountKey,
    AzureCredentials,
    AzureSasToken,
    Permit,
    UserDelegationKey,
    authorized,
    decoded_key,
    service_sas,
    user_delegation_sas,
)
from .azure_shared_key import AUTHORIZATION, SharedKey
from .call import failure, fetch
from .clock import Clock
from .provider import CredentialCache

MAX_DELEGATION: Final = timedelta(days=7)
"""How long a user delegation key is valid, at most."""

RENEWAL_SECONDS: Final = 300.0
"""How long a user delegation key is held, at least, before one that ends later is requested, and a token before a
refusal without a code is a reason to replace it."""

OVERRIDDEN: Final = timedelta(minutes=15)
"""How long the SAS of a request with other headers for its response is valid."""

_OF_KEY: Final = {
    "object_id": "Oid",
    "tenant_id": "Tid",
    "start": "Start",
    "expiry": "Expiry",
    "service": "Service",
    "version": "Version",
}
"""The elements of a user delegation key, each with `Signed` before its name."""

_OVERRIDES: Final = frozenset({"rscc", "rscd", "rsct"})
_VERSION: Final = "versionid"
_NOT_SENT: Final = frozenset({VERSION_HEADER[0], AUTHORIZATION.lower()})
_REFUSED: Final = frozenset({401, 403})
_CODES_OF_OLD_TOKENS: Final = frozenset({None, "AuthenticationFailed", "InvalidAuthenticationInfo", "ExpiredToken"})


class AzureSigner(RequestSigner):
    """Authorizes requests to one account.

    Arguments:
        credentials: the credentials; None sends requests without any.
        delegation: the user delegation keys of the account, by which a token presigns.
        account: the name of the account.
        base_path: the start of the path of all URLs, before the container: `"/devstoreaccount1"` at the emulator.
        clock: the time that requests are signed with.
    """

    __slots__ = ("_account", "_base_path", "_clock", "_credentials", "_delegation", "_shared_key")

    def __init__(
        self,
        credentials: CredentialCache[AzureCredentials] | None,
        delegation: CredentialCache[UserDelegationKey] | None,
        account: str,
        base_path: str,
        clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._delegation = delegation
        self._account = account
        self._base_path = base_path
        self._clock = clock
        self._shared_key: tuple[AzureAccountKey, SharedKey] | None = None  # of the last credentials

    @property
    def is_anonymous(self) -> bool:
        return self._credentials is None

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest | None:
        if self._credentials is None:
            return request
        credentials = self._credentials.fresh()
        if credentials is None or _is_overridden(request):
            return None
        return self._authorized(request, credentials)

    async def sign(self, request: HttpRequest) -> HttpRequest:
        if self._credentials is None:
            return request
        credentials = await self._credentials.get()
        if _is_overridden(request):
            query, _ = await self._sas(request, credentials, self._clock() + OVERRIDDEN)
            return replace(request, url=_with_query(request.url, query))
        return self._authorized(request, credentials)

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        """Adds a shared access signature for this blob and this operation to the URL.

        It covers neither the headers nor the content. It is valid from now, and not longer than its key.

        Raises:
            Unsupported: the credentials are a SAS token.
            Error: there are no credentials, or Azure gives no user delegation key.
        """
        headers = presigned_headers(request)
        sent = {name: value for name, value in headers.items() if name.lower() not in _NOT_SENT}
        if self._credentials is None:
            return PresignedRequest(request.method, request.url, headers)
        credentials = await self._credentials.get()
        start = self._clock().replace(microsecond=0)
        end = start + timedelta(seconds=int(expires.total_seconds()))
        query, end = await self._sas(request, credentials, end)
        return PresignedRequest(request.method, _with_query(request.url, query), sent, end)

    def explain(self, error: Error, sent: HttpRequest) -> Error:
        """Adds where the refused credentials come from."""
        used = None if self._credentials is None else self._credentials.held
        if used is None or not used.source or not isinstance(error, PermissionDenied):
            return error
        return error.add_context(credentials=used.source)

    def _authorized(self, request: HttpRequest, credentials: AzureCredentials) -> HttpRequest:
        """The request with its credentials. What signs with an account key is kept: it knows what requests share."""
        if not isinstance(credentials, AzureAccountKey):
            return authorized(request, credentials, self._clock())
        kept = self._shared_key
        if kept is None or kept[0] is not credentials:
            self._shared_key = kept = credentials, SharedKey(credentials.account, credentials.secret)
        return kept[1].sign(request, self._clock.now())

    async def _sas(self, request: HttpRequest, credentials: AzureCredentials, end: datetime) -> tuple[str, datetime]:
        """The query of a SAS for a request, and its end, which is not later than that of the key."""
        if isinstance(credentials, AzureAccountKey):
            return service_sas(credentials, self._resource(request), _permit(request, end)), end
        if not isinstance(credentials, AzureAccessToken) or self._delegation is None:
            raise Unsupported("a SAS token cannot sign for others: use an account key, or credentials of Entra ID")
        key = await _key_until(self._delegation, end)
        end = end if key.expires_at is None else min(end, key.expires_at)
        return user_delegation_sas(key, self._account, self._resource(request), _permit(request, end)), end

    def _resource(self, request: HttpRequest) -> str:
        """The container and the blob, as a SAS names them."""
        return unquote(urlsplit(request.url).path).removeprefix(self._base_path)


class DelegationKeys:
    """Loads user delegation keys of one account (Get User Delegation Key).

    Arguments:
        url: the URL of the account's blob service, without a slash at its end.
        host: the value of the Host header.
        credentials: the credentials of Entra ID.
        http: sends the requests.
        clock: the time.
    """

    __slots__ = ("_clock", "_credentials", "_host", "_http", "_url")

    def __init__(
        self, url: str, host: str, credentials: CredentialCache[AzureCredentials], http: HttpTransport, clock: Clock
    ) -> None:
        self._url = url
        self._host = host
        self._credentials = credentials
        self._http = http
        self._clock = clock

    async def load(self) -> UserDelegationKey:
        """Requests a key that is valid as long as Azure allows.

        Raises:
            PermissionDenied: the user may not have one: the role Storage Blob Delegator allows it.
            Error: Azure cannot be reached, or its response cannot be understood.
        """
        start = self._clock().replace(microsecond=0)
        times = f"<Start>{_text(start)}</Start><Expiry>{_text(start + MAX_DELEGATION)}</Expiry>"
        content = f'<?xml version="1.0" encoding="utf-8"?><KeyInfo>{times}</KeyInfo>'.encode()
        url = f"{self._url}/?restype=service&comp=userdelegationkey"
        request = HttpRequest("POST", url, [("Host", self._host), VERSION_HEADER], content)
        response = await fetch(self._http, authorized(request, await self._credentials.get(), start))
        if response.status != 200:
            raise failure(
                "the request for a user delegation key",
                response.status,
                stated_code(response.headers, response.content) or "",
            )
        key = _parsed_key(parse(response.content).fields)
        if key is None:
            raise Unexpected("the storage sent a user delegation key that cannot be read", is_temporary=True)
        return key


class RenewedTokens:
    """Replaces a token that Azure refuses as expired or revoked, and any other credentials that a function returns.

    Arguments:
        credentials: the credentials of the client.
    """

    __slots__ = ("_credentials",)

    def __init__(self, credentials: CredentialCache[AzureCredentials]) -> None:
        self._credentials = credentials

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Returns the request if there are other credentials now.

        Raises:
            Error: the storage states that the credentials are old, and the provider of others failed.
        """
        code = stated_code(refusal.headers, refusal.content)
        if refusal.status not in _REFUSED or code not in _CODES_OF_OLD_TOKENS:
            return None
        if code is None and self._credentials.age < RENEWAL_SECONDS:  # a proxy refuses, and young tokens are not old
            return None
        current = await self._credentials.get()
        if not _is_sent_with(refusal.sent, current):
            return refusal.request  # another request has replaced them
        return None if await self._credentials.renew(current) == current else refusal.request


class CorrectedClock:
    """Sets the clock of a client to the storage's where it refuses the time of a signature.

    Azure has no code of its own for that: the Date of the response shows it.

    Arguments:
        clock: the clock of the client.
    """

    __slots__ = ("_clock",)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Returns the request if the Date of the response shows that the clock was off."""
        if refusal.status != 403 or stated_code(refusal.headers, refusal.content) not in _CODES_OF_OLD_TOKENS:
            return None
        return refusal.request if self._clock.correct(refusal.headers) else None


def stated_code(headers: HttpHeaders, content: bytes) -> str | None:
    """The code of a refusal: in a header, which the response to a HEAD has too, or in the content."""
    return plain_name(headers.get("x-ms-error-code")) or plain_name(find_text(content, b"Code"))


def _parsed_key(fields: Mapping[str, str]) -> UserDelegationKey | None:
    """The key in a response; None if something is missing in it."""
    values = {name: fields.get(f"Signed{element}", "").strip() for name, element in _OF_KEY.items()}
    secret = decoded_key(fields.get("Value", "").strip())
    return UserDelegationKey(**values, secret=secret) if secret and all(values.values()) else None


def _is_overridden(request: HttpRequest) -> bool:
    """Whether the response must have other headers than the stored ones. Azure does that only for a SAS."""
    return "rsc" in request.url and not _OVERRIDES.isdisjoint(dict(parse_qsl(urlsplit(request.url).query)))


async def _key_until(keys: CredentialCache[UserDelegationKey], end: datetime) -> UserDelegationKey:
    """A key that is valid until then, or as long as possible."""
    key = await keys.get()
    is_short = key.expires_at is not None and key.expires_at < end
    return await keys.renew(key) if is_short and keys.age >= RENEWAL_SECONDS else key


def _permit(request: HttpRequest, end: datetime) -> Permit:
    """The permissions that a request needs."""
    parts = urlsplit(request.url)
    query = dict(parse_qsl(parts.query))
    permissions = {"GET": "r", "HEAD": "r", "PUT": "cw", "DELETE": "d"}[request.method]
    version = query.get(_VERSION)
    if version is not None and request.method == "DELETE":
        permissions = "x"
    overrides = {name: query[name] for name in sorted(_OVERRIDES & query.keys())}
    return Permit(permissions, end, "b" if version is None else "bv", version, overrides, parts.scheme == "https")


def _with_query(url: str, query: str) -> str:
    """The URL with a SAS, without the parameters that the SAS states itself."""
    base, _, old = url.partition("?")
    kept = [pair for pair in old.split("&") if pair and pair.partition("=")[0] not in _OVERRIDES]
    return f"{base}?{'&'.join([*kept, query])}"


def _is_sent_with(sent: HttpRequest, credentials: AzureCredentials) -> bool:
    """Whether a request was sent with these credentials."""
    if isinstance(credentials, AzureSasToken):
        return sent.url.endswith(credentials.token)
    stated = dict(sent.headers).get(AUTHORIZATION, "")
    if isinstance(credentials, AzureAccessToken):
        return stated == f"Bearer {credentials.token}"
    return stated.startswith("SharedKey ")


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
