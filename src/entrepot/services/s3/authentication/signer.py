"""Authorizes requests to S3: with Signature Version 4, where there are credentials."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from entrepot.errors import Error, PermissionDenied
from entrepot.raw.http.form import Form
from entrepot.raw.http.signer import RequestSigner, presigned_headers
from entrepot.raw.http.transport import Content, HashedContent, HttpRequest
from entrepot.raw.runtime import Runtime
from entrepot.signing.aws import EMPTY_SHA256, TOKEN_HEADER, Credentials, Signer, hash_payload, is_signed_with
from entrepot.signing.clock import Clock
from entrepot.signing.provider import CredentialCache
from entrepot.types import PresignedRequest

T = TypeVar("T")

UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
"""The hash that S3 accepts for content that is not signed."""

INLINE_HASH_LIMIT: Final = 1024 * 1024
"""The most bytes that are hashed in the event loop, which blocks it for less than a millisecond."""


class S3Signer(RequestSigner):
    """Signs requests to S3.

    Arguments:
        credentials: the credentials; None sends requests unsigned.
        region: returns the region that requests are signed for.
        runtime: hashes long contents in a thread.
        clock: the time that requests are signed with.
        unsigned_payload: whether the content of objects is left out of signatures; None leaves it out over TLS.
        service: the name of the service in signatures.
        token_header: the header of the token of temporary credentials.
    """

    __slots__ = ("_clock", "_credentials", "_region", "_runtime", "_signer", "_unsigned_payload")

    def __init__(
        self,
        credentials: CredentialCache[Credentials] | None,
        region: Callable[[], str],
        runtime: Runtime,
        clock: Clock,
        *,
        unsigned_payload: bool | None = None,
        service: str = "s3",
        token_header: str = TOKEN_HEADER,
    ) -> None:
        self._credentials = credentials
        self._region = region
        self._runtime = runtime
        self._clock = clock
        self._unsigned_payload = unsigned_payload
        self._signer = Signer(service, token_header)

    @property
    def is_anonymous(self) -> bool:
        return self._credentials is None

    def sign_now(self, request: HttpRequest, *, is_content: bool = False) -> HttpRequest | None:
        if self._credentials is None:
            return request
        credentials = self._credentials.fresh()
        if credentials is None:
            return None
        body = request.body
        if is_content and self._leaves_content_out(request.url):
            payload_hash = UNSIGNED_PAYLOAD
        elif body is None:
            payload_hash = EMPTY_SHA256
        elif request.size > INLINE_HASH_LIMIT and not isinstance(body, HashedContent):
            return None
        else:
            payload_hash = hash_payload(body)
        # The time is read last, since hashing takes time
        return self._signer.at(credentials, self._region(), self._clock.now()).sign(request, payload_hash)

    async def sign(self, request: HttpRequest) -> HttpRequest:
        if self._credentials is None:
            return request
        body = request.body
        payload_hash = hash_payload(None) if body is None else await self._hashed(hash_payload, request)
        return await self._sign(self._credentials, request, payload_hash)

    async def sign_content(self, request: HttpRequest) -> HttpRequest:
        if self._credentials is None or not self._leaves_content_out(request.url):
            return await self.sign(request)
        return await self._sign(self._credentials, request, UNSIGNED_PAYLOAD)

    async def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        """Signs the request in its query.

        The content is not signed, since it is not known yet. The validity starts now, and ends with that of the
        credentials if they expire earlier.
        """
        if self._credentials is None:
            return await super().presign(request, expires)
        credentials = self._credentials.fresh() or await self._credentials.get()
        start, seconds = self._clock().replace(microsecond=0), int(expires.total_seconds())
        url = self._signer.presign(request, credentials, self._region(), start, seconds, UNSIGNED_PAYLOAD).url
        end = start + timedelta(seconds=seconds)
        expires_at = end if credentials.expires_at is None else min(end, credentials.expires_at)
        return PresignedRequest(request.method, url, presigned_headers(request), expires_at)

    async def presign_form(self, request: HttpRequest, form: Form, expires: timedelta) -> PresignedRequest:
        """Signs the policy of the form. It expires as a presigned request does."""
        if self._credentials is None:
            return await super().presign_form(request, form, expires)
        credentials = self._credentials.fresh() or await self._credentials.get()
        start = self._clock().replace(microsecond=0)
        end = start + timedelta(seconds=int(expires.total_seconds()))
        fields = self._signer.presign_form(form, credentials, self._region(), start, end)
        expires_at = end if credentials.expires_at is None else min(end, credentials.expires_at)
        return PresignedRequest(request.method, request.url, expires_at=expires_at, fields=dict(fields))

    def hashes_content(self, url: str) -> bool:
        return self._credentials is not None and not self._leaves_content_out(url)

    def explain(self, error: Error, sent: HttpRequest) -> Error:
        """Adds where the refused credentials come from, and the end of the key id."""
        used = None if self._credentials is None else self._credentials.held
        if used is None or not isinstance(error, PermissionDenied) or not is_signed_with(sent, used):
            return error
        return error.add_context(credentials=used.source or None, access_key_id=f"...{used.hint}")

    async def _sign(self, cache: CredentialCache[Credentials], request: HttpRequest, payload_hash: str) -> HttpRequest:
        credentials = cache.fresh() or await cache.get()
        # The time is read last, since hashing takes time
        return self._signer.at(credentials, self._region(), self._clock.now()).sign(request, payload_hash)

    def _leaves_content_out(self, url: str) -> bool:
        is_over_tls = url.startswith("https:")
        return is_over_tls if self._unsigned_payload is None else self._unsigned_payload

    async def _hashed(self, digest: Callable[[Content | None], T], request: HttpRequest) -> T:
        """A digest of the content of a request, computed in a thread where the content is long."""
        if request.size > INLINE_HASH_LIMIT:
            return await self._runtime.blocking(digest, request.body)
        return digest(request.body)
