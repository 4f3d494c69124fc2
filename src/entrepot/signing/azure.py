"""Authorization of requests to Azure Storage, pure: Shared Key, shared access signatures (SAS) and bearer tokens.

The sources are "Create a service SAS" and "Create a user delegation SAS" in the Azure Storage REST API Reference;
Shared Key is in `azure_shared_key.py`. A service decides what it sends; here a request gets its credentials.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.endpoint import is_loopback
from entrepot.raw.http.headers import parse_iso_time
from entrepot.raw.http.transport import Header, HttpRequest
from entrepot.types.records import replace

from .azure_shared_key import AUTHORIZATION, SharedKey

API_VERSION: Final = "2022-11-02"
"""The version of the REST API whose requests and signatures are written here."""

VERSION_HEADER: Final = ("x-ms-version", API_VERSION)
_SOURCES: Final = frozenset({"x-ms-copy-source", "x-ms-rename-source"})


class AzureCredentials:
    """The base of all credentials of Azure Storage.

    Attributes:
        source: where they come from, for errors.
    """

    __slots__ = ()

    source: str

    @property
    def expires_at(self) -> datetime | None:
        """When they expire, with a time zone; None if they do not or it is not known."""
        return None


@dataclass(frozen=True, slots=True)
class AzureAccountKey(AzureCredentials):
    """The key of a storage account, which permits everything.

    Arguments:
        account: the name of the account.
        key: one of its two keys, in base64. A secret.
        source: where it comes from, for errors.

    Raises:
        ConfigInvalid: the key is not base64. The message does not show it.
    """

    account: str
    key: str = field(repr=False)
    source: str = ""
    secret: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        secret = decoded_key(self.key)
        if not secret:
            raise ConfigInvalid("the account key of Azure is not base64, or is empty", operation="configure")
        object.__setattr__(self, "secret", secret)


@dataclass(frozen=True, slots=True)
class AzureSasToken(AzureCredentials):
    """A shared access signature: the query of a URL that others may use for what it permits.

    Arguments:
        token: the query, with or without its question mark. A secret.
        source: where it comes from, for errors.

    Raises:
        ConfigInvalid: it has no signature. The message does not show it.
    """

    token: str = field(repr=False)
    source: str = ""

    def __post_init__(self) -> None:
        token = self.token.strip().removeprefix("?")
        is_query = token.isascii() and token.isprintable() and " " not in token and "#" not in token
        if not is_query or not dict(parse_qsl(token)).get("sig"):
            raise ConfigInvalid("the SAS token of Azure is not a query with a signature (sig=...)")
        object.__setattr__(self, "token", token)

    @property
    def expires_at(self) -> datetime | None:
        return parse_iso_time(dict(parse_qsl(self.token)).get("se"))


@dataclass(frozen=True, slots=True)
class AzureAccessToken(AzureCredentials):
    """A token of Microsoft Entra ID for Azure Storage.

    Arguments:
        token: the token. A secret.
        expiry: when it expires, with a time zone; None if it is not known.
        source: where it comes from, for errors.

    Raises:
        ConfigInvalid: it cannot be sent. The message does not show it.
    """

    token: str = field(repr=False)
    expiry: datetime | None = None
    source: str = ""

    def __post_init__(self) -> None:
        token = self.token.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigInvalid("the access token of Azure is empty, or has characters that no header can have")
        object.__setattr__(self, "token", token)

    @property
    def expires_at(self) -> datetime | None:
        return self.expiry


@dataclass(frozen=True, slots=True)
class UserDelegationKey:
    """A key that signs shared access signatures in the place of an account key (Get User Delegation Key).

    Arguments:
        object_id: the id of the user or application whose permissions count.
        tenant_id: its tenant.
        start: from when the key is valid, as Azure writes it.
        expiry: until when, as Azure writes it.
        service: the service that it is valid for.
        version: the version of the API that made it.
        secret: the key. A secret.
    """

    object_id: str
    tenant_id: str
    start: str
    expiry: str
    service: str
    version: str
    secret: bytes = field(repr=False)

    @property
    def expires_at(self) -> datetime | None:
        return parse_iso_time(self.expiry)


@dataclass(frozen=True, slots=True)
class Permit:
    """The content of a shared access signature.

    Arguments:
        permissions: the letters of the permissions, in Azure's order, such as `"r"` or `"cw"`.
        end: until when it is valid.
        resource: what it is about: `"b"` a blob, `"bv"` a version of one.
        version: the version of the blob, if `resource` is `"bv"`.
        overrides: the headers that responses to reads must have, by parameter: `rscc`, `rscd` and `rsct`.
        is_https_only: whether it is refused over plain HTTP.
    """

    permissions: str
    end: datetime
    resource: str = "b"
    version: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    is_https_only: bool = True


def authorized(request: HttpRequest, credentials: AzureCredentials, now: datetime) -> HttpRequest:
    """The request with its credentials.

    Arguments:
        request: the request. Content must be known: its length is signed.
        credentials: the credentials.
        now: the time, which a request that is signed with an account key states.

    Raises:
        ConfigInvalid: a token would be sent over plain HTTP to another machine, where others could read it.
    """
    if isinstance(credentials, AzureAccountKey):
        return SharedKey(credentials.account, credentials.secret).sign(request, now)
    if isinstance(credentials, AzureSasToken):
        headers = [_with_sas_of_source(header, credentials.token) for header in request.headers]
        return replace(request, url=_with_query(request.url, credentials.token), headers=headers)
    if isinstance(credentials, AzureAccessToken):
        _check_private(request.url)
        return request.with_headers([*request.headers, (AUTHORIZATION, f"Bearer {credentials.token}")])
    raise ConfigInvalid(f"Azure Storage knows no credentials of the kind {type(credentials).__name__}")


def service_sas(key: AzureAccountKey, resource: str, permit: Permit) -> str:
    """The query of a service SAS.

    Arguments:
        key: signs it.
        resource: the container and the blob, not encoded: `"/container/blob"`.
        permit: what it permits.
    """
    stated = _stated(permit)
    lines = [
        *(stated["sp"], "", stated["se"], f"/blob/{key.account}{resource}"),
        *("", "", stated["spr"], stated["sv"], stated["sr"], permit.version or "", ""),
        *_override_lines(permit),
    ]
    return _signed_query(stated, key.secret, lines)


def user_delegation_sas(key: UserDelegationKey, account: str, resource: str, permit: Permit) -> str:
    """The query of a user delegation SAS, which permits no more than its user may do.

    Arguments:
        key: signs it.
        account: the name of the account.
        resource: the container and the blob, not encoded: `"/container/blob"`.
        permit: what it permits.
    """
    of_key = {
        "skoid": key.object_id,
        "sktid": key.tenant_id,
        "skt": key.start,
        "ske": key.expiry,
        "sks": key.service,
        "skv": key.version,
    }
    stated = _stated(permit)
    lines = [
        *(stated["sp"], "", stated["se"], f"/blob/{account}{resource}"),
        *of_key.values(),
        *("", "", ""),  # an authorized, an unauthorized object id, and a correlation id
        *("", stated["spr"], stated["sv"], stated["sr"], permit.version or "", ""),
        *_override_lines(permit),
    ]
    return _signed_query(stated | of_key, key.secret, lines)


def _with_sas_of_source(header: Header, token: str) -> Header:
    """A header; one that names the source of a copy or rename with the token, without which Azure refuses it."""
    name, value = header
    return (name, _with_query(value, token)) if name in _SOURCES else header


def _with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _check_private(url: str) -> None:
    if url.startswith("https:") or is_loopback(urlsplit(url).hostname or ""):
        return
    raise ConfigInvalid("a token of Entra ID is sent over TLS only: use an endpoint with https://")


def _stated(permit: Permit) -> dict[str, str]:
    """The parameters of a SAS without its signature. None of them is empty."""
    return {
        "sv": API_VERSION,
        "spr": "https" if permit.is_https_only else "https,http",
        "se": f"{permit.end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "sr": permit.resource,
        "sp": permit.permissions,
        **permit.overrides,
    }


def _override_lines(permit: Permit) -> list[str]:
    return [permit.overrides.get(name, "") for name in ("rscc", "rscd", "rsce", "rscl", "rsct")]


def _signed_query(stated: Mapping[str, str], secret: bytes, lines: Sequence[str]) -> str:
    parameters = {**stated, "sig": _sign(secret, "\n".join(lines))}
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


def _sign(secret: bytes, text: str) -> str:
    return b64encode(hmac.digest(secret, text.encode(), "sha256")).decode()


def decoded_key(key: str) -> bytes:
    """The bytes of a key in base64; none if it is not."""
    try:
        return b64decode(key, validate=True)
    except ValueError:  # also of text that is not ASCII
        return b""
