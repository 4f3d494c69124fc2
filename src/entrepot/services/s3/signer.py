"""Authorizes requests to S3: with Signature Version 4, where there are keys."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from entrepot.raw.http.signer import RequestSigner, presigned_headers
from entrepot.raw.http.transport import Content, HttpRequest
from entrepot.raw.runtime import Runtime
from entrepot.signing.aws import Signer, hash_payload
from entrepot.types import PresignedRequest

from .digests import content_md5

T = TypeVar("T")

UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
"""The hash that S3 accepts for content that is not signed."""

INLINE_HASH_LIMIT: Final = 1024 * 1024
"""The most bytes that are hashed in the event loop, which blocks it for less than a millisecond."""


def utc_now() -> datetime:
    """The time that requests are signed with."""
    return datetime.now(UTC)


class S3Signer(RequestSigner):
    """Signs requests to S3.

    Arguments:
        signer: signs; None sends requests unsigned.
        runtime: hashes long contents in a thread.
        now: returns the time.
        is_payload_signed: whether the content of objects is hashed and signed too, and not only the request head.
        has_content_md5: whether the content of objects is sent with its MD5.
    """

    __slots__ = ("_has_content_md5", "_is_payload_signed", "_now", "_runtime", "_signer")

    def __init__(
        self,
        signer: Signer | None,
        runtime: Runtime,
        now: Callable[[], datetime] = utc_now,
        *,
        is_payload_signed: bool = True,
        has_content_md5: bool = False,
    ) -> None:
        self._signer = signer
        self._runtime = runtime
        self._now = now
        self._is_payload_signed = is_payload_signed
        self._has_content_md5 = has_content_md5

    @property
    def is_anonymous(self) -> bool:
        return self._signer is None

    async def sign(self, request: HttpRequest) -> HttpRequest:
        if self._signer is None:
            return request
        payload_hash = await self._hashed(hash_payload, request)
        return self._signer.sign(request, self._now(), payload_hash)  # the time is read last, since hashing takes time

    async def sign_content(self, request: HttpRequest) -> HttpRequest:
        if self._has_content_md5:
            request = request.with_headers([*request.headers, await self._hashed(content_md5, request)])
        if self._signer is None or self._is_payload_signed:
            return await self.sign(request)
        return self._signer.sign(request, self._now(), UNSIGNED_PAYLOAD)

    def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        """Signs the request in its query.

        The content is not signed, since it is not known yet. The validity starts at the time of this machine.
        """
        if self._signer is None:
            return super().presign(request, expires)
        start, seconds = self._now().replace(microsecond=0), int(expires.total_seconds())
        url = self._signer.presign(request, start, seconds, UNSIGNED_PAYLOAD).url
        return PresignedRequest(request.method, url, presigned_headers(request), start + timedelta(seconds=seconds))

    async def _hashed(self, digest: Callable[[Content | None], T], request: HttpRequest) -> T:
        """A digest of the content of a request, computed in a thread where the content is long."""
        if request.size > INLINE_HASH_LIMIT:
            return await self._runtime.blocking(digest, request.body)
        return digest(request.body)
