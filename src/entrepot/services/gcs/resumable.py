"""Writes in chunks, one after the other: resumable uploads of the JSON API.

Theory of operation. Content of one chunk is stored by one request. Longer content starts a session, and each chunk is
sent to its URL with its place in the object (`Content-Range`). The storage answers 308 and states how many bytes it
keeps, which may be fewer than were sent; those leave the queue. All chunks but the last are a multiple of 256 KiB. The
last one states the size of the object, and the object appears when the storage has it. The conditions are checked when
the session starts and when the object appears.

A chunk that failed or was cancelled may have been stored all the same (`_is_unsure`). The next verb then asks for the
state of the session first, and goes on from there. If it was the last one, the session has the object that it made.
A session that the storage lost starts again if no bytes of it were dropped here.
"""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from entrepot.errors import ConditionNotMatch, Error, InvalidInput, NotFound, ObjectExists, Unexpected
from entrepot.raw.http.headers import parse_length
from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.raw.oio.write.byte_queue import ByteQueue
from entrepot.raw.oio.write.staged import StagedWriter, with_length
from entrepot.types import Metadata

from .core import DEFAULT_TYPE
from .resource import describe, new_resource, parse_resource
from .stored import NewObject

CHUNK_UNIT: Final = 256 * 1024
"""All chunks but the last are a multiple of this."""

MAX_SIZE: Final = 5 * 1024**4
"""The most bytes of an object."""

_PERSISTED: Final = 308
_ENDED: Final = frozenset({200, 201})
_ANSWERS: Final = _ENDED | {_PERSISTED}
_CANCELLED: Final = frozenset({200, 204, 404, 410, 499})
_LOST: Final = frozenset({404, 410})


class ResumableWriter(StagedWriter):
    """Stores one object.

    Arguments:
        target: the object.
        chunk: the bytes of a chunk, rounded up to a multiple of `CHUNK_UNIT`.
    """

    __slots__ = ("_chunk", "_content", "_is_unsure", "_offset", "_result", "_session", "_target", "_written")

    def __init__(self, target: NewObject, chunk: int) -> None:
        super().__init__()
        self._target = target
        self._chunk = -(-chunk // CHUNK_UNIT) * CHUNK_UNIT
        self._content = ByteQueue()
        self._session: str | None = None
        self._offset = 0
        self._written = 0
        self._is_unsure = False
        self._result: Metadata | None = None

    async def _take(self, content: bytes | memoryview) -> None:
        if self._written + len(content) > MAX_SIZE:
            raise InvalidInput(f"the object would have more than {MAX_SIZE} bytes, the most that the service takes")
        await self._send_chunks()
        self._content.append(content)
        self._written += len(content)

    async def _publish(self) -> Metadata:
        if self._session is None and self._content.size <= self._chunk:
            metadata = await self._target.store(self._content.join())
        else:
            await self._send_chunks()
            if self._result is None:
                await self._send(self._content.size, is_last=True)
            metadata = self._checked_result()
        self._content.clear()
        return with_length(metadata, self._written)

    async def _discard(self) -> None:
        self._content.clear()
        if self._session is not None:
            await self._target.client.exchange(self._request("DELETE", self._session), _CANCELLED)

    async def _send_chunks(self) -> None:
        """Sends chunks until at most one is left, which may be the last."""
        if self._is_unsure and self._session is not None:
            await self._learn_state(self._session)
        while self._content.size > self._chunk:
            await self._send(self._chunk, is_last=False)

    async def _send(self, size: int, *, is_last: bool) -> None:
        session = self._session or await self._start()
        request = self._request("PUT", session, self._range(size, is_last=is_last), self._content.views(size))
        self._is_unsure = True
        try:
            status, headers, content = await self._target.client.exchange(request, _ANSWERS, is_content=True)
        except Error as error:
            if error.context.get("status") in _LOST:
                self._lose(error)
                raise Unexpected("the storage lost the upload", is_temporary=True, context=error.context) from None
            raise await self._interpreted(error) from None
        before = self._offset
        self._apply(status, headers, content)
        if self._offset == before and self._result is None:
            raise Unexpected("the storage keeps nothing of a chunk", is_temporary=True)
        self._is_unsure = False

    async def _learn_state(self, session: str) -> None:
        """Asks how much of the object the storage has."""
        request = self._request("PUT", session, "bytes */*")
        try:
            status, headers, content = await self._target.client.exchange(request, _ANSWERS)
        except Error as error:
            if error.context.get("status") not in _LOST:
                raise await self._interpreted(error) from None
            self._lose(error)
            return
        self._apply(status, headers, content)
        self._is_unsure = False

    def _lose(self, error: Error) -> None:
        """Forgets a session that the storage no longer has.

        Raises:
            Unexpected: bytes of it were dropped here.
        """
        if self._offset:
            lost = "the storage lost the upload: write the whole object again"
            raise Unexpected(lost, context=error.context) from None
        self._session, self._is_unsure = None, False

    def _apply(self, status: int, headers: HttpHeaders, content: bytes) -> None:
        if status in _ENDED:
            self._result = describe(parse_resource(content))
            return
        kept = _kept(headers)
        if not self._offset <= kept <= self._offset + self._content.size:
            raise Unexpected("the storage states that it keeps other bytes than were sent")
        self._content.drop(kept - self._offset)
        self._offset = kept

    def _checked_result(self) -> Metadata:
        if self._result is None:
            raise Unexpected("the storage keeps only a part of the end of the object", is_temporary=True)
        if self._result.content_length not in {None, self._written}:
            raise Unexpected(
                f"the storage made an object of {self._result.content_length} bytes, and {self._written} were written"
            )
        return self._result

    async def _start(self) -> str:
        args, core = await self._target.args(), self._target.client.dialect
        resource = new_resource(args, core.default_storage_class)
        headers = [
            *core.every,
            ("Content-Type", "application/json"),
            ("X-Upload-Content-Type", resource.get("contentType", DEFAULT_TYPE)),
        ]
        url = core.upload_url("resumable", core.new_object_query(self._target.key, args))
        request = HttpRequest("POST", url, headers, json.dumps(resource).encode())
        try:
            answer, _ = await self._target.client.call(request)
        except Error as error:
            raise await self._interpreted(error) from None
        self._session = core.endpoint + _target(answer.get("location", ""))
        return self._session

    async def _interpreted(self, error: Error) -> Error:
        """The error that a refusal means here: the condition of a new object is that there is none."""
        args = await self._target.args()
        if isinstance(error, ConditionNotMatch) and args.if_not_exists:
            return ObjectExists("if_not_exists does not hold: there is such an object", context=error.context)
        if isinstance(error, NotFound) and args.if_match is not None:
            return ConditionNotMatch("if_match does not hold: there is no object", context=error.context)
        return error

    def _range(self, size: int, *, is_last: bool) -> str:
        end = self._offset + size
        total = str(end) if is_last else "*"
        return f"bytes {self._offset}-{end - 1}/{total}" if size else f"bytes */{total}"

    def _request(
        self, method: str, url: str, stated: str | None = None, content: Sequence[bytes | memoryview] = ()
    ) -> HttpRequest:
        headers = [*self._target.client.dialect.every, *([] if stated is None else [("Content-Range", stated)])]
        return HttpRequest(method, url, headers, tuple(content) if method == "PUT" else None)


def _kept(headers: HttpHeaders) -> int:
    """How many bytes the storage keeps, from its `Range: bytes=0-41`."""
    stated = headers.get("range")
    if stated is None:
        return 0
    last = parse_length(stated.removeprefix("bytes=").removeprefix("0-"))
    if last is None:
        raise Unexpected("the storage states a range that cannot be read")
    return last + 1


def _target(location: str) -> str:
    """The path and query of a session. It is sent to our endpoint: no other host gets the credentials.

    Raises:
        Unexpected: the storage names no session.
    """
    try:
        _, _, path, query, _ = urlsplit(location)
    except ValueError:
        path = query = ""
    if not path or not query:
        raise Unexpected("the storage states no URL for the upload", is_temporary=True)
    return f"{path}?{query}"
