"""Writes in parts, several at a time: multipart uploads of the XML API.

The source is "XML API multipart uploads" of the Cloud Storage documentation. They take no conditions, so a write with
one is a resumable upload, and servers other than Google's seldom have them. The completed
object has another etag in the XML API than in the JSON API, so it is looked up in the latter.

A completion may have made the object visible before its response was lost. The storage then has no such upload, and
the metadata of the object does not show which upload made it. The error says that.
"""

from collections.abc import Sequence
from typing import Final

from entrepot.errors import Error, NotFound, Unexpected
from entrepot.raw import OpStat, OpWrite
from entrepot.raw.http.headers import header_etag
from entrepot.raw.http.transport import Content, Header, HttpRequest
from entrepot.raw.http.url import Query, encode_query
from entrepot.raw.http.xml import Document, escaped, parse
from entrepot.raw.oio import MultipartUpload, Part
from entrepot.types import Metadata

from .errors import NO_SUCH_UPLOAD
from .presigned import stored_headers
from .resource import describe
from .snapshots import look_up
from .stored import NewObject

MIN_PART: Final = 5 * 1024**2
"""The fewest bytes of a part, unless it is the last."""

MAX_PART: Final = 5 * 1024**3
"""The most bytes of a part."""


class XmlUpload(MultipartUpload):
    """Stores one object.

    Arguments:
        target: the object.
        args: the metadata to store.
    """

    def __init__(self, target: NewObject, args: OpWrite) -> None:
        self._target = target
        self._client = target.client
        self._core = target.client.dialect
        self._args = args

    async def store(self, content: bytes) -> Metadata:
        return await self._target.store(content)

    async def initiate(self) -> str:
        headers = stored_headers(self._core, self._args)
        _, content = await self._client.call(self._request("POST", [("uploads", None)], headers))
        upload = _document(content, "InitiateMultipartUpload").fields.get("UploadId", "").strip()
        if not upload:
            raise Unexpected("the storage started an upload without an id", is_temporary=True)
        return upload

    async def upload_part(self, upload: str, number: int, content: Sequence[bytes | memoryview]) -> Part:
        request = self._request("PUT", [("partNumber", str(number)), ("uploadId", upload)], body=tuple(content))
        etag = header_etag(await self._client.store(request))
        if etag is None:
            raise Unexpected("the storage stored a part without stating its etag", is_temporary=True)
        return Part(number, etag, request.size)

    async def complete(self, upload: str, parts: Sequence[Part]) -> Metadata:
        listed = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escaped(part.etag)}</ETag></Part>" for part in parts
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        request = self._request("POST", [("uploadId", upload)], body=body)
        publication = await self._target.publication()
        was_unsure = publication.is_unsure
        try:
            headers, content = await publication.call(request)
        except Error as error:
            if was_unsure and error.context.get("code") == NO_SUCH_UPLOAD:
                raise _in_doubt(error) from None
            raise
        _document(content, "CompleteMultipartUpload")
        size, version = sum(part.size for part in parts), headers.get("x-goog-generation")
        if version is None:
            return Metadata(content_length=size)
        try:
            return describe(await look_up(self._client, self._target.key, OpStat(version=version)))
        except NotFound:  # it was replaced since then
            return Metadata(content_length=size, version=version)

    async def abort(self, upload: str) -> None:
        try:
            await self._client.do(self._request("DELETE", [("uploadId", upload)]))
        except NotFound:
            return

    def _request(
        self, method: str, query: Query, headers: Sequence[Header] = (), body: Content | None = b""
    ) -> HttpRequest:
        url = f"{self._core.xml_url(self._target.key)}{encode_query(query)}"
        return HttpRequest(method, url, [*self._core.every, *headers], None if method == "DELETE" else body)


def _document(content: bytes, root: str) -> Document:
    document = parse(content)
    if not document.root.startswith(root):
        raise Unexpected(f"the response of the storage is not one to {root}", is_temporary=True)
    return document


def _in_doubt(error: Error) -> Unexpected:
    lost = "the upload no longer exists; an earlier attempt, whose response was lost, may have stored the object"
    return Unexpected(lost, context=error.context)
