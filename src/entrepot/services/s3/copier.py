"""Copies within and between buckets: by CopyObject, or in ranges where the object is too large for that.

`RangedCopier` has the mechanism and its theory of operation. CopyObject copies up to 5 GiB. In ranges, each request
names the etag that the source had at the lookup, and the etag is compared once more before the copy becomes visible,
since not every server honours the header. Both ways copy the metadata of the source, with the changes that the call
states, but only CopyObject copies its tags, which are not headers: a copy in ranges has none.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from entrepot.errors import ConditionNotMatch, Error, InvalidInput, NotFound, Unexpected
from entrepot.raw import OpCopy, OpStat, OpWrite
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.headers import etag_header, parse_length
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.transport import Header, HttpHeaders, HttpRequest
from entrepot.raw.oio import Part, RangedUpload
from entrepot.types import Metadata

from . import multipart
from .core import STORED, S3Core
from .encrypted import check_encrypted
from .multipart import MAX_PART, MAX_TOTAL
from .writer import S3Upload

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

MAX_COPY: Final = MAX_PART
"""The most bytes of an object that CopyObject copies."""

_SOURCE_IF_MATCH: Final = "x-amz-copy-source-if-match"
_REFUSED_SIZE: Final = frozenset({"InvalidRequest", "EntityTooLarge"})
"""The codes that refuse a source which is too large: the first from Amazon, which has other meanings too; the second
from Ceph."""


@dataclass(frozen=True, slots=True)
class _Source:
    """The source as it was at the lookup.

    Arguments:
        size: its bytes.
        lookup: finds it again, and no other version of it.
        headers: name it in a request to copy a range of it.
        carried: the headers of the new upload: its metadata, and what the configuration adds to new objects.
    """

    size: int
    lookup: OpStat
    headers: list[Header]
    carried: list[Header]


@dataclass(frozen=True, slots=True)
class SourceObject:
    """The object to copy, which may be in another bucket than the copy.

    Arguments:
        client: sends requests to its bucket.
        key: its key.
    """

    client: HttpClient[S3Core]
    key: str

    def named(self, version: str | None) -> Header:
        """The header that names it as the source of a copy."""
        return self.client.dialect.copy_source(self.key, version)

    async def look_up(self, args: OpStat) -> HttpHeaders:
        """Its headers.

        Raises:
            ConditionNotMatch: a condition of the arguments does not hold.
        """
        dialect = self.client.dialect
        headers, _ = await self.client.call(dialect.head(self.key, args))
        dialect.describe_requested(headers, args)
        return headers


class S3Copy(RangedUpload):
    """The requests that copy one object.

    Arguments:
        client: sends the requests to the bucket of the copy.
        source: the source.
        target: the key of the copy.
        args: the version of the source, the conditions on the target, and hints.
        max_size: how many bytes one request copies, at most.
    """

    __slots__ = (
        "_args",
        "_client",
        "_core",
        "_id",
        "_is_unchanged",
        "_max_size",
        "_pinned",
        "_refusal",
        "_source",
        "_target",
        "_upload",
        "_written",
    )

    def __init__(
        self, client: HttpClient[S3Core], source: SourceObject, target: str, args: OpCopy, *, max_size: int = MAX_COPY
    ) -> None:
        self._client = client
        self._core = client.dialect
        self._source = source
        self._target = target
        self._args = args
        self._max_size = max_size
        self._upload = S3Upload(client, target, OpWrite(if_match=args.if_match, if_not_exists=args.if_not_exists))
        self._written = args.to_write()
        self._pinned: _Source | None = None
        self._refusal: Error | None = None  # of a copy by one request, perhaps because of the size
        self._id: str | None = None
        self._is_unchanged = False  # at a lookup after its last range was copied

    @property
    def is_large(self) -> bool:
        """Whether the hint says that the source is too large for one request."""
        return (self._args.source_content_length_hint or 0) > self._max_size

    async def copy_whole(self) -> Metadata | None:
        try:
            return await self._copy_whole()
        except (InvalidInput, Unexpected) as error:
            if error.context.get("code") not in _REFUSED_SIZE:
                raise
            self._refusal = error
            return None

    async def start(self) -> Iterator[range] | Metadata:
        if self._pinned is None:
            headers = await self._look_up()
            if self._fits(headers):
                if self._refusal is not None:
                    raise self._refusal
                return await self._copy_whole()
            self._pinned = self._pin(headers)
        request = multipart.initiate_with(self._core, self._target, self._pinned.carried)
        self._id = multipart.upload_id(self._core, *await self._client.call(request))
        return multipart.copy_ranges(self._pinned.size, self._args.chunk)

    async def copy_part(self, number: int, part: range) -> Part:
        upload, source = self._started()
        request = multipart.copy_part(self._core, self._target, upload, number, source.headers, part)
        try:
            return multipart.copied_part(self._core, *await self._client.call(request), number, len(part))
        except ConditionNotMatch as error:
            raise _changed(error) from None

    async def complete(self, parts: Sequence[Part]) -> Metadata:
        upload, source = self._started()
        if not self._is_unchanged:  # once: a copy over its source changes it, also if the response was lost
            await self._check_unchanged(source)
            self._is_unchanged = True
        return await self._upload.complete(upload, parts)

    async def abort(self) -> None:
        if self._id is not None:
            await self._upload.abort(self._id)

    async def _copy_whole(self) -> Metadata:
        try:
            headers, content = await self._client.call(await self._request())
            copied = self._core.describe_copied(headers, content)
        except NotFound as error:
            if self._args.if_match is None or not await self._does_source_exist():
                raise
            raise ConditionNotMatch("if_match does not hold: there is no target", context=error.context) from None
        except Error as error:
            raise self._interpreted(error) from None
        await check_encrypted(self._client, self._target, headers)
        return copied

    async def _request(self) -> HttpRequest:
        """CopyObject. If the call replaces some of the metadata, all of it must be stated, so it is looked up first.

        A source that changes in between is refused by its etag, where the server honours that.
        """
        named = self._source.named(self._args.source_version)
        if not self._args.replaces_metadata:
            return self._core.copy(named, self._target, self._args)
        found = await self._look_up()
        request = self._core.copy(named, self._target, self._args, STORED.replaced(found, self._written))
        etag = self._core.describe(found).etag
        pinned = [] if etag is None else [(_SOURCE_IF_MATCH, etag_header(etag))]
        return request.with_headers([*request.headers, *pinned])

    def _interpreted(self, error: Error) -> Error:
        """The error of a copy by one request, with what a condition on the target makes of it."""
        has_condition = self._args.if_not_exists or self._args.if_match is not None
        if has_condition and leaves_doubt(error):
            return error.add_context(may_have_taken_effect=True)
        if isinstance(error, ConditionNotMatch) and self._args.if_not_exists:
            return object_exists(error)
        return error

    async def _does_source_exist(self) -> bool:
        """Whether the source exists: the response to a copy says only that something is missing, not what."""
        with suppress(NotFound):
            await self._look_up()
            return True
        return False

    async def _look_up(self) -> HttpHeaders:
        return await self._source.look_up(OpStat(version=self._args.source_version))

    def _fits(self, headers: HttpHeaders) -> bool:
        return (parse_length(headers.get("content-length")) or 0) <= self._max_size

    def _pin(self, headers: HttpHeaders) -> _Source:
        metadata = self._core.describe(headers)
        if metadata.etag is None or metadata.content_length is None:
            raise Unexpected("the storage does not state size and etag of the source, so ranges of it cannot be pinned")
        if metadata.content_length > MAX_TOTAL:
            raise InvalidInput(f"the object has more than {MAX_TOTAL} bytes, the most that can be copied")
        version = self._args.source_version
        named = self._source.named(version)
        return _Source(
            size=metadata.content_length,
            lookup=OpStat(version=version, if_match=metadata.etag),
            headers=[named, (_SOURCE_IF_MATCH, etag_header(metadata.etag))],
            carried=[*STORED.replaced(headers, self._written), *self._core.fixed.of_write(self._written)],
        )

    def _started(self) -> tuple[str, _Source]:
        """The upload, and the source whose ranges it has."""
        if self._id is None or self._pinned is None:
            raise Unexpected("the upload of the copy was not started")
        return self._id, self._pinned

    async def _check_unchanged(self, source: _Source) -> None:
        try:
            await self._source.look_up(source.lookup)
        except ConditionNotMatch as error:
            raise _changed(error) from None


def _changed(error: ConditionNotMatch) -> ConditionNotMatch:
    return ConditionNotMatch("the source changed while it was copied", context=error.context)
