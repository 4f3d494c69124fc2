"""Copies within the bucket: by CopyObject, or in ranges where the object is too large for that.

`RangedCopy` has the mechanism and its theory of operation. CopyObject copies up to 5 GiB. In ranges, each request names
the etag that the source had at the lookup, and the etag is compared once more before the copy becomes visible, since
not every server honours the header. Both ways copy the metadata of the source, but only CopyObject copies its tags,
which are not headers: a copy in ranges has none.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from entrepot.errors import ConditionNotMatch, Error, InvalidInput, NotFound, Unexpected
from entrepot.raw import OpCopy, OpStat, OpWrite
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.headers import etag_header
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.ranged_copy import RangedCopy, RangedUpload
from entrepot.raw.http.transport import Header, HttpHeaders
from entrepot.raw.oio import Part
from entrepot.types import Metadata

from . import multipart
from .core import STORED, S3Core
from .multipart import MAX_PART, MAX_TOTAL
from .writer import S3Upload

MAX_COPY: Final = MAX_PART
"""The most bytes of an object that CopyObject copies."""

_REFUSED_SIZE: Final = frozenset({"InvalidRequest", "EntityTooLarge"})
"""The codes that refuse a source which is too large: the first from Amazon, which has other meanings too; the second
from Ceph."""


@dataclass(frozen=True, slots=True)
class _Source:
    """The source as it was at the lookup.

    Arguments:
        key: its key.
        size: its bytes.
        lookup: finds it again, and no other version of it.
        headers: name it in a request to copy a range of it.
        carried: its metadata, as headers of the new upload.
    """

    key: str
    size: int
    lookup: OpStat
    headers: list[Header]
    carried: list[Header]


class S3Copy(RangedCopy):
    """Copies one object.

    Arguments:
        client: sends the requests.
        source: the key of the source.
        target: the key of the copy.
        args: the version of the source, the conditions on the target, and hints.
        max_size: how many bytes one request copies, at most.
    """

    __slots__ = ("_args", "_client", "_core", "_source", "_target")

    def __init__(
        self, client: HttpClient[S3Core], source: str, target: str, args: OpCopy, *, max_size: int = MAX_COPY
    ) -> None:
        super().__init__(client.runtime, max_size, args.source_content_length_hint, args.concurrent)
        self._client = client
        self._core = client.dialect
        self._source = source
        self._target = target
        self._args = args

    async def _copy_whole(self) -> Metadata:
        try:
            headers, content = await self._client.call(self._core.copy(self._source, self._target, self._args))
            return self._core.describe_copied(headers, content)
        except NotFound as error:
            if self._args.if_match is None or not await self._does_source_exist():
                raise
            raise ConditionNotMatch("if_match does not hold: there is no target", context=error.context) from None
        except ConditionNotMatch as error:
            if error.is_temporary or not self._args.if_not_exists:
                raise
            raise object_exists(error) from None

    async def _does_source_exist(self) -> bool:
        """Whether the source exists: the response to a copy says only that something is missing, not what."""
        with suppress(NotFound):
            await self._look_up()
            return True
        return False

    async def _look_up(self) -> HttpHeaders:
        headers, _ = await self._client.call(self._core.head(self._source, OpStat(version=self._args.source_version)))
        return headers

    def _may_be_too_large(self, error: Error) -> bool:
        return error.context.get("code") in _REFUSED_SIZE

    def _upload(self, headers: HttpHeaders) -> RangedUpload:
        return _CopyUpload(self._client, self._pinned(headers), self._target, self._args)

    def _pinned(self, headers: HttpHeaders) -> _Source:
        metadata = self._core.describe(headers)
        if metadata.etag is None or metadata.content_length is None:
            raise Unexpected("the storage does not state size and etag of the source, so ranges of it cannot be pinned")
        if metadata.content_length > MAX_TOTAL:
            raise InvalidInput(f"the object has more than {MAX_TOTAL} bytes, the most that can be copied")
        version = self._args.source_version
        named = self._core.copy_source(self._source, version)
        return _Source(
            key=self._source,
            size=metadata.content_length,
            lookup=OpStat(version=version, if_match=metadata.etag),
            headers=[named, ("x-amz-copy-source-if-match", etag_header(metadata.etag))],
            carried=STORED.carried(headers),
        )


class _CopyUpload(RangedUpload):
    """The upload of a copy, whose parts are ranges of its source."""

    __slots__ = ("_chunk", "_client", "_core", "_id", "_key", "_source", "_upload")

    def __init__(self, client: HttpClient[S3Core], source: _Source, key: str, args: OpCopy) -> None:
        self._client = client
        self._core = client.dialect
        self._source = source
        self._key = key
        self._chunk = args.chunk
        self._upload = S3Upload(client, key, OpWrite(if_match=args.if_match, if_not_exists=args.if_not_exists))
        self._id: str | None = None

    def ranges(self) -> Iterator[range]:
        return multipart.copy_ranges(self._source.size, self._chunk)

    async def start(self) -> None:
        request = multipart.initiate_with(self._core, self._key, self._source.carried)
        self._id = multipart.upload_id(self._core, *await self._client.call(request))

    async def copy_part(self, number: int, part: range) -> Part:
        request = multipart.copy_part(self._core, self._key, self._id or "", number, self._source.headers, part)
        try:
            return multipart.copied_part(self._core, *await self._client.call(request), number, len(part))
        except ConditionNotMatch as error:
            raise _changed(error) from None

    async def finish(self, parts: Sequence[Part]) -> Metadata:
        await self._check_unchanged()
        return await self._upload.complete(self._id or "", parts)

    async def drop(self) -> None:
        if self._id is not None:
            await self._upload.abort(self._id)

    async def _check_unchanged(self) -> None:
        lookup = self._source.lookup
        try:
            headers, _ = await self._client.call(self._core.head(self._source.key, lookup))
            self._core.describe_requested(headers, lookup)
        except ConditionNotMatch as error:
            raise _changed(error) from None


def _changed(error: ConditionNotMatch) -> ConditionNotMatch:
    return ConditionNotMatch("the source changed while it was copied", context=error.context)
