"""Authorizes requests to Cloud Storage: by a token in each, or by the signature of a URL."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from entrepot.errors import Error, PermissionDenied, Unsupported
from entrepot.raw.http.correction import Refusal
from entrepot.raw.http.signer import RequestSigner, presigned_headers
from entrepot.raw.http.transport import HttpRequest
from entrepot.signing.clock import Clock
from entrepot.signing.google import (
    BlobSigner,
    GoogleToken,
    Machine,
    Source,
    default_source,
    file_source,
    given_source,
    remote_signer,
)
from entrepot.signing.google import check_given as check_credential
from entrepot.signing.google.urls import unsigned_url
from entrepot.signing.provider import CredentialCache, Provider, check_source, provider_of
from entrepot.types import PresignedRequest

if TYPE_CHECKING:
    from entrepot.raw import Context

    from .config import Gcs

ADVICE: Final = "Set credential_path, credential, token or credentials, or skip_signature=True for a public bucket."

_SHARED_BY: Final = (
    *("scope", "service_account", "credential", "credential_path", "disable_vm_metadata", "disable_config_load"),
    "http_settings",
)
"""The options that tokens depend on. Operators of one context that agree in them share their tokens."""

SignerOf = Callable[[], Awaitable[BlobSigner]]


class TokenSigner(RequestSigner):
    """Adds a token to each request.

    Arguments:
        tokens: the tokens; None sends requests without.
        signer: returns the signer of URLs.
        clock: the time.
    """

    __slots__ = ("_clock", "_signer", "_tokens")

    def __init__(self, tokens: CredentialCache[GoogleToken] | None, signer: SignerOf | None, clock: Clock) -> None:
        self._tokens = tokens
        self._signer = signer
        self._clock = clock

    @property
    def is_anonymous(self) -> bool:
        return self._tokens is None

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest | None:
        if self._tokens is None:
            return request
        token = self._tokens.fresh()
        return None if token is None else _with_token(request, token)

    async def sign(self, request: HttpRequest) -> HttpRequest:
        return request if self._tokens is None else _with_token(request, await self._tokens.get())

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        """Signs the URL of the request. The content is not signed."""
        if self._signer is None:
            return await super().presign(request, expires)
        signer = await self._signer()
        start, seconds = self._clock().replace(microsecond=0), int(expires.total_seconds())
        unsigned = unsigned_url(request, signer.email, start, seconds)
        url = unsigned.signed(await signer.sign(unsigned.text))
        return PresignedRequest(request.method, url, presigned_headers(request), start + timedelta(seconds=seconds))

    def explain(self, error: Error, sent: HttpRequest) -> Error:
        """Adds where the refused token comes from."""
        held = None if self._tokens is None else self._tokens.held
        if held is None or not isinstance(error, PermissionDenied):
            return error
        return error.add_context(credentials=held.source or None)


class RenewedToken:
    """Replaces a token that the storage does not accept any more (401).

    Arguments:
        tokens: the tokens of the client.
    """

    __slots__ = ("_tokens",)

    def __init__(self, tokens: CredentialCache[GoogleToken]) -> None:
        self._tokens = tokens

    async def correct(self, refusal: Refusal) -> HttpRequest | None:
        """Returns the request if there is another token now.

        Raises:
            Error: the source of another one failed.
        """
        if refusal.status != 401:
            return None
        current = await self._tokens.get()
        if _authorization(current) not in refusal.sent.headers:
            return refusal.request  # another request has replaced it
        return None if await self._tokens.renew(current) == current else refusal.request


def check_given(config: Gcs) -> None:
    """Passes if the credentials in a configuration are of a kind that is known.

    Raises:
        ConfigInvalid: they are not.
    """
    if config.credential is not None:
        check_credential(config.credential)
    if config.credentials is not None:
        check_source(config.credentials, GoogleToken)


def credential_cache(config: Gcs, context: Context, clock: Clock) -> CredentialCache[GoogleToken] | None:
    """The tokens of a configuration; None if requests are sent without. No I/O.

    Raises:
        ConfigInvalid: the credential is not valid.
    """
    if config.is_anonymous:
        return None
    runtime = context.runtime
    if config.token is not None:
        return CredentialCache.fixed(GoogleToken(config.token, source="configuration"), runtime)
    if config.credentials is not None:
        provider: Provider[GoogleToken] = provider_of(config.credentials, GoogleToken, runtime)
    else:
        provider = _source(config, context, clock)
    # The provider holds a function of the user, so that its id stays its own
    key = "gcs tokens", id(config.credentials), *(getattr(config, name) for name in _SHARED_BY)
    return context.shared(key, lambda: CredentialCache(provider, runtime, now=clock.timestamp))


def url_signer(config: Gcs, context: Context, tokens: CredentialCache[GoogleToken], clock: Clock) -> SignerOf:
    """The signer of URLs: the key of the service account, or the service of Google that signs for one."""
    email = config.service_account

    async def signer() -> BlobSigner:
        signs = None
        if config.token is None and config.credentials is None:
            signs = await _source(config, context, clock).signer(tokens.get)
        elif email is not None and "@" in email:
            signs = remote_signer(_machine(config, context, clock), email, tokens.get)
        if signs is None:
            raise Unsupported("these credentials sign no URLs: set service_account, or use those of a service account")
        return signs

    return signer


def _source(config: Gcs, context: Context, clock: Clock) -> Source:
    machine = _machine(config, context, clock)
    if config.credential is not None:
        return given_source(config.credential, machine)
    if config.credential_path is not None:
        return file_source(config.credential_path, machine)
    return default_source(machine)


def _machine(config: Gcs, context: Context, clock: Clock) -> Machine:
    return Machine(
        context.http,
        context.runtime,
        environ=None if config.disable_config_load else os.environ,
        scope=config.scope,
        service_account=config.service_account,
        is_metadata_disabled=config.disable_vm_metadata,
        clock=clock,
        advice=ADVICE,
    )


def _with_token(request: HttpRequest, token: GoogleToken) -> HttpRequest:
    return request.with_headers([*request.headers, _authorization(token)])


def _authorization(token: GoogleToken) -> tuple[str, str]:
    return "Authorization", f"Bearer {token.value}"
