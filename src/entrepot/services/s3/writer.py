"""Writes of objects: by one PUT, or in parts.

Theory of operation. `oio.MultipartWriter` decides between the two and calls `S3Upload`: `store` for a PUT, or
`initiate`, `upload_part` (several at a time, in any order) and `complete`. `abort` may follow any of them. Each call
may be made again with the same arguments after it failed, also if it had in fact succeeded:

- a part that is sent again replaces the first one, and a second `initiate` leaves an upload without parts;
- a PUT or a completion may have made the object visible before its response was lost. `Publication` remembers that. If
  a repeated completion then finds no upload, the object is compared with the parts by its etag, and by its checksum;
- an `abort` of an upload that no longer exists succeeds.

Where parts are sent one at a time and hashed, for their signature or a checksum, the next part is hashed meanwhile, so
that the connection never waits for a hash. Parts take turns to be hashed and then to be sent, in their order. A part is
signed when it is sent, since a signature is valid for minutes only. Several parts at a time hash and send beside each
other by themselves, without one more in memory.

A conflict at the end of an upload spends it: S3 requires a new upload, so that error is not temporary.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from entrepot.errors import ConditionNotMatch, Error, NotFound, Unexpected
from entrepot.raw import OpStat, OpWrite
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.publication import Publication
from entrepot.raw.http.transport import Content, HashedContent, Header, HttpRequest, content_size
from entrepot.raw.oio import MultipartUpload, Part
from entrepot.signing.aws import hash_payload
from entrepot.types import Metadata
from entrepot.types.records import replace

from . import express, multipart
from .authentication.signer import INLINE_HASH_LIMIT
from .core import S3Core
from .encrypted import check_encrypted
from .errors import CONFLICT, NO_SUCH_UPLOAD
from .headers.checksums import MODE
from .multipart import DEFAULT_CONCURRENT

_AT_ONCE: Final = nullcontext()


class S3Upload(MultipartUpload):
    """Stores one object.

    Arguments:
        client: sends the requests.
        key: the key of the object.
        args: the metadata to store, and the conditions.
        may_be_complete: whether another process, or an attempt without this object, may have stored it already.

    Raises:
        InvalidInput: the key or the metadata cannot be sent.
    """

    def __init__(self, client: HttpClient[S3Core], key: str, args: OpWrite, *, may_be_complete: bool = False) -> None:
        self._client = client
        self._core = client.dialect
        self._key = key
        self._args = args
        self._checksum = multipart.checksum_of(client.dialect, args)
        self._encryption = client.dialect.fixed.encryption
        self._is_encrypted = False  # as far as the responses about its parts say
        self._publication = Publication(client, key, args, is_unsure=may_be_complete)
        self._turn_to_hash: AbstractAsyncContextManager[object] = _AT_ONCE
        self._turn_to_send: AbstractAsyncContextManager[object] = _AT_ONCE

    @property
    def parts_in_flight(self) -> int:
        """How many parts are sent or hashed at the same time."""
        return 2 if self._hashes_ahead else self._args.concurrent or DEFAULT_CONCURRENT

    @property
    def _hashes_ahead(self) -> bool:
        """Whether a part is hashed while the one before is sent."""
        is_hashed = self._checksum is not None or self._client.hashes_content(self._core.url)
        return self._args.concurrent == 1 and is_hashed

    async def store(self, content: bytes) -> Metadata:
        checksum = None if self._checksum is None else await self._checksum_of(content)
        headers = await self._publication.send(content, self._stated(checksum))
        if not self._encryption.is_stated(headers):
            await check_encrypted(self._client, self._key, headers)
        return self._core.describe_stored(headers, len(content))

    async def find_end(self) -> int:
        """The size of the object in bytes, 0 if there is none."""
        try:
            headers, _ = await self._client.call(self._core.head(self._key, OpStat()))
        except NotFound:
            return 0
        return self._core.describe(headers).content_length or 0

    async def append(self, offset: int, content: Sequence[bytes]) -> Metadata:
        """Adds content to the end of the object, which has `offset` bytes. Only directory buckets can do that."""
        joined = b"".join(content)
        request = express.append(self._core, self._key, offset, joined, self._args)
        checksum = self._stated(await self._checksum_of(joined))
        headers = await self._client.store(request.with_headers([*request.headers, *checksum]))
        await check_encrypted(self._client, self._key, headers)
        return replace(self._core.describe_stored(headers, len(joined)), content_length=offset + len(joined))

    async def initiate(self) -> str:
        if self._hashes_ahead:
            self._turn_to_hash, self._turn_to_send = self._client.runtime.limiter(1), self._client.runtime.limiter(1)
        request = multipart.initiate(self._core, self._key, self._args)
        return multipart.upload_id(self._core, *await self._client.call(request))

    async def upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> Part:
        request = multipart.upload_part(self._core, self._key, upload, number, content)
        async with self._turn_to_hash:
            checksum = await self._checksum_of(request.body or b"")
            request = request.with_headers([*request.headers, *self._stated(checksum)])
            if self._hashes_ahead:
                request = await self._hashed(request)
        async with self._turn_to_send:
            headers = await self._client.store(request)
        self._is_encrypted = self._is_encrypted or self._encryption.is_stated(headers)
        is_kept = self._checksum is not None and self._checksum.is_kept
        return multipart.part_of(headers, number, request.size, checksum if is_kept else None)

    async def complete(self, upload: str, parts: Sequence[Part]) -> Metadata:
        request = multipart.complete(self._core, self._key, upload, parts, self._args)
        was_unsure = self._publication.is_unsure
        try:
            headers, content = await self._publication.call(request)
            completed = multipart.completed(self._core, headers, content, parts)
        except Error as error:
            if was_unsure and error.context.get("code") == NO_SUCH_UPLOAD:
                return await self._recognized(parts, error)
            if error.context.get("code") == CONFLICT:
                raise _conflict(error) from None
            raise
        if not self._is_encrypted:
            await check_encrypted(self._client, self._key, headers)
        return completed

    async def abort(self, upload: str) -> None:
        try:
            await self._client.do(multipart.abort(self._core, self._key, upload))
        except Error as error:
            if error.context.get("code") != NO_SUCH_UPLOAD and not isinstance(error, NotFound):
                raise

    async def _checksum_of(self, content: Content) -> str | None:
        """The checksum of content, computed in a thread where the content is long; None if none is sent."""
        if self._checksum is None:
            return None
        if content_size(content) > INLINE_HASH_LIMIT:
            return await self._client.runtime.blocking(self._checksum.of, content)
        return self._checksum.of(content)

    async def _hashed(self, request: HttpRequest) -> HttpRequest:
        """The request with the hash of its content, if its signature needs it and it takes long."""
        if request.size <= INLINE_HASH_LIMIT or not self._client.hashes_content(request.url):
            return request
        sha256 = await self._client.runtime.blocking(hash_payload, request.pieces)
        return request.with_content(HashedContent(request.pieces, sha256))

    def _stated(self, checksum: str | None) -> list[Header]:
        return [] if checksum is None or self._checksum is None else [(self._checksum.header, checksum)]

    async def _recognized(self, parts: Sequence[Part], error: Error) -> Metadata:
        """The object that an earlier completion made although its response was lost.

        Raises:
            Unexpected: the object that exists now is another one, or cannot be recognized.
        """
        request = self._core.head(self._key, OpStat())
        if not self._core.is_content_checked:
            request = request.with_headers([*request.headers, MODE])
        headers, _ = await self._client.call(request)
        metadata = self._core.describe(headers)
        if not multipart.is_made_of(metadata, parts, self._checksum):
            lost = "the upload no longer exists, and the object is another: it may have been stored and then replaced"
            raise Unexpected(lost, context=error.context)
        if not self._is_encrypted:
            await check_encrypted(self._client, self._key, headers)
        return Metadata(content_length=metadata.content_length, etag=metadata.etag, version=metadata.version)


def _conflict(error: Error) -> Error:
    """The conflict at the end of an upload. S3 requires a new upload then: the same call would fail again."""
    message = "another request was changing the object: write the whole object again"
    return ConditionNotMatch(message, context=error.context)
