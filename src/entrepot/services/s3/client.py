"""Sends requests to a bucket: signs them, reads replies, and raises what is no success."""

from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from entrepot.errors import Unexpected
from entrepot.raw.http.errors import read_error_body
from entrepot.raw.http.reader import RANGE_STATUSES
from entrepot.raw.http.transport import Content, HttpBody, HttpHeaders, HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.runtime import Runtime
from entrepot.signing.aws import UNSIGNED_PAYLOAD, Signer, hash_payload
from entrepot.types import PresignedRequest

from .core import S3Core
from .digests import content_md5
from .errors import actual_size

T = TypeVar("T")

REPLY_LIMIT: Final = 16 * 1024 * 1024
"""The most bytes of a reply that is read at once. A page of 1,000 keys as long as can be, all escaped, has 4 MiB."""

INLINE_HASH_LIMIT: Final = 1024 * 1024
"""The most bytes that are hashed where they hold up everybody, for less than a millisecond."""

_SUCCESS: Final = range(200, 300)
_PIECE: Final = 256 * 1024


def utc_now() -> datetime:
    """The time that requests are signed with."""
    return datetime.now(UTC)


class S3Client:
    """Sends to one bucket. Every request is signed when it is sent, so that one sent again is signed anew.

    Arguments:
        core: knows the bucket, and reads errors.
        signer: signs; None sends unsigned.
        http: sends. Redirects are not followed: a signature holds for one host.
        runtime: hashes long contents where they hold up nobody.
        now: tells the time.
        is_payload_signed: whether the content of objects is hashed and signed too, and not only what is asked.
        has_content_md5: whether the content of objects is sent with its MD5.
    """

    __slots__ = ("_has_content_md5", "_http", "_is_payload_signed", "_now", "_signer", "core", "runtime")

    def __init__(
        self,
        core: S3Core,
        signer: Signer | None,
        http: HttpTransport,
        runtime: Runtime,
        now: Callable[[], datetime] = utc_now,
        *,
        is_payload_signed: bool = True,
        has_content_md5: bool = False,
    ) -> None:
        self.core = core
        self.runtime = runtime
        self._signer = signer
        self._http = http
        self._now = now
        self._is_payload_signed = is_payload_signed
        self._has_content_md5 = has_content_md5

    @property
    def is_signing(self) -> bool:
        """Whether it has keys."""
        return self._signer is not None

    def presign(self, request: HttpRequest, expires: timedelta) -> PresignedRequest:
        """The request as others can send it, signed by its query if there are keys.

        The Host header is not among what they must send: every client makes the same of the URL. The content is
        not signed, since it is not known; and the time is that of this machine.
        """
        headers = {name: value for name, value in request.headers if name != "Host"}
        if self._signer is None:
            return PresignedRequest(request.method, request.url, headers)
        moment, seconds = self._now().replace(microsecond=0), int(expires.total_seconds())
        url = self._signer.presign(request, moment, seconds).url
        return PresignedRequest(request.method, url, headers, moment + timedelta(seconds=seconds))

    async def open(self, request: HttpRequest) -> HttpResponse:
        """A reply with the content of an object, or a 416, which the reader knows how to take.

        Raises:
            Error: what any other reply means.
        """
        response = await self._send(request, RANGE_STATUSES)
        return with_size(response, actual_size(await read_error_body(response))) if response.status == 416 else response

    async def call(self, request: HttpRequest) -> tuple[HttpHeaders, bytes]:
        """Headers and content of a reply that is a success, read to its end.

        Raises:
            Error: what any other reply means.
        """
        return await _whole(await self._send(request, _SUCCESS))

    async def do(self, request: HttpRequest) -> HttpHeaders:
        """The headers of the response to a request whose success has no content.

        Raises:
            Error: what any other response means, and a success whose content is an error.
        """
        return await self._done(await self._send(request, _SUCCESS))

    async def store(self, request: HttpRequest) -> HttpHeaders:
        """The same of a request whose content is that of an object, or a part of it."""
        payload_hash = None if self._is_payload_signed else UNSIGNED_PAYLOAD
        if self._has_content_md5:
            request = request.with_headers([*request.headers, await self._hashed(content_md5, request)])
        return await self._done(await self._send(request, _SUCCESS, payload_hash))

    async def _done(self, response: HttpResponse) -> HttpHeaders:
        headers, content = await _whole(response)
        self.core.check_done(headers, content)
        return headers

    async def _send(
        self, request: HttpRequest, expected: Container[int], payload_hash: str | None = None
    ) -> HttpResponse:
        response = await self._http.send(await self._signed(request, payload_hash))
        if response.status in expected:
            return response
        raise self.core.error(response.status, response.headers, await read_error_body(response))

    async def _signed(self, request: HttpRequest, payload_hash: str | None) -> HttpRequest:
        """The request with its proof. The moment is taken last: hashing takes its time."""
        if self._signer is None:
            return request
        if payload_hash is None:
            payload_hash = await self._hashed(hash_payload, request)
        return self._signer.sign(request, self._now(), payload_hash)

    async def _hashed(self, digest: Callable[[Content | None], T], request: HttpRequest) -> T:
        """A digest of the content of a request, made in a thread where it is long."""
        if request.size > INLINE_HASH_LIMIT:
            return await self.runtime.blocking(digest, request.body)
        return digest(request.body)


async def _whole(response: HttpResponse) -> tuple[HttpHeaders, bytes]:
    try:
        return response.headers, await _read_all(response.body)
    finally:
        await response.body.close()


async def _read_all(body: HttpBody) -> bytes:
    pieces, size = list[bytes](), 0
    while piece := await body.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > REPLY_LIMIT:
            raise Unexpected(f"the reply of the storage has more than {REPLY_LIMIT} bytes")
    return b"".join(pieces)


def with_size(response: HttpResponse, size: int | None) -> HttpResponse:
    """A 416 whose headers tell the size of the object, if it is known."""
    if "content-range" in response.headers or size is None:
        return response
    headers = HttpHeaders([*response.headers.items(), ("content-range", f"bytes */{size}")])
    return HttpResponse(response.status, headers, response.body, response.url)
