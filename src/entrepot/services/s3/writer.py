"""How an object gets into the bucket: by one PUT, or in parts.

A request that publishes may take effect although its reply is lost. When it is made again, "the condition
does not hold" and "there is no such upload" may therefore be the echo of our own success. Of an upload
that can be found out: its id is ours alone, and what the parts make has a known etag. Of a condition it
cannot, since another writer may have stored the same bytes; so that error stays, and says what it may mean.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from entrepot.errors import ConditionNotMatch, Error, NotFound, ObjectExists, Unexpected
from entrepot.raw import OpStat, OpWrite
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.oio.write.multipart import MultipartUpload, Part
from entrepot.types import Metadata

from . import multipart
from .client import S3Client
from .core import stored_metadata
from .errors import CONFLICT, NO_SUCH_UPLOAD

T = TypeVar("T")


class S3Upload(MultipartUpload):
    """Stores one object.

    Arguments:
        client: sends the requests.
        key: the key of the object.
        args: what is stored beside it, and the conditions.

    Raises:
        InvalidInput: the key, or something to store beside the object, cannot be sent.
    """

    def __init__(self, client: S3Client, key: str, args: OpWrite) -> None:
        self._client = client
        self._core = client.core
        self._put = client.core.put(key, b"", args)
        self._key = key
        self._args = args
        self._is_unsure = False

    async def store(self, content: bytes) -> Metadata:
        headers = await self._publish(self._client.store, self._put.with_content(content))
        return stored_metadata(headers, len(content))

    async def initiate(self) -> str:
        headers, content = await self._client.call(multipart.initiate(self._core, self._key, self._args))
        return multipart.upload_id(self._core, headers, content)

    async def upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> Part:
        request = multipart.upload_part(self._core, self._key, upload, number, content)
        headers = await self._client.store(request)
        return multipart.part_of(headers, number, request.size)

    async def complete(self, upload: str, parts: Sequence[Part]) -> Metadata:
        request = multipart.complete(self._core, self._key, upload, parts, self._args)
        was_unsure = self._is_unsure
        try:
            headers, content = await self._publish(self._client.call, request)
            return multipart.completed(self._core, headers, content, parts)
        except Error as error:
            if was_unsure and error.context.get("code") == NO_SUCH_UPLOAD:
                return await self._recognized(parts, error)
            if error.context.get("code") == CONFLICT:
                raise _spent(error) from None
            raise

    async def abort(self, upload: str) -> None:
        try:
            await self._client.do(multipart.abort(self._core, self._key, upload))
        except Error as error:
            if error.context.get("code") != NO_SUCH_UPLOAD and not isinstance(error, NotFound):
                raise

    async def _publish(self, send: Callable[[HttpRequest], Awaitable[T]], request: HttpRequest) -> T:
        """Makes the request that lets the object appear, and remembers when it may have done so unseen."""
        was_unsure, self._is_unsure = self._is_unsure, True
        try:
            return await send(request)
        except Error as error:
            self._is_unsure = was_unsure or error.is_temporary
            raise self._meant(error, was_unsure) from None

    def _meant(self, error: Error, was_unsure: bool) -> Error:
        """What the refusal means here: S3 calls it not found when `if_match` meets no object."""
        if isinstance(error, NotFound) and self._args.if_match is not None:
            return ConditionNotMatch("if_match does not hold: there is no object", context=error.context)
        if not isinstance(error, ConditionNotMatch) or error.is_temporary:
            return error
        refused = object_exists(error) if self._args.if_not_exists else error
        if was_unsure:
            doubt = "a condition does not hold any more; an attempt before, whose reply was lost, may have stored this"
            return type(refused)(doubt, context=error.context)
        return refused

    async def _recognized(self, parts: Sequence[Part], error: Error) -> Metadata:
        """The object that a completion made although its reply was lost.

        Raises:
            Unexpected: what is there now is something else, or cannot be recognized.
        """
        headers, _ = await self._client.call(self._core.head(self._key, OpStat()))
        found = self._core.describe(headers)
        if not multipart.is_made_of(found, parts):
            lost = "the upload is gone, and the object is not what it makes: it may have been stored and replaced since"
            raise Unexpected(lost, context=error.context)
        return Metadata(content_length=found.content_length, etag=found.etag, version=found.version)


def object_exists(error: ConditionNotMatch) -> ObjectExists:
    """The refusal of a request whose only condition is that there is no object."""
    return ObjectExists("if_not_exists does not hold: there is such an object", context=error.context)


def _spent(error: Error) -> Error:
    """A conflict at the end of an upload, which S3 says to begin anew: the same call would not do."""
    message = "another request was changing the object; everything must be written again"
    return ConditionNotMatch(message, context=error.context)
