"""How an object is copied within the bucket: by one request, or in ranges where it is too large for that.

CopyObject takes up to 5 GiB. How large the source is need not be known: the storage refuses what is too large,
and only then is it asked. In ranges, each request names the etag that the source had at the beginning, and the
etag is looked at once more before the copy appears, since not every server heeds the first. So a source that
changes meanwhile is an error, and no copy is made of two contents. What is stored beside the source goes along in both
ways, but its tags only with CopyObject: a copy in ranges has none.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from entrepot.errors import ConditionNotMatch, Error, InvalidInput, NotFound, Unexpected
from entrepot.raw import OpCopy, OpStat, OpWrite
from entrepot.raw.http.headers import etag_header, parse_length
from entrepot.raw.http.transport import Header, HttpHeaders
from entrepot.raw.oio.windowed import gather
from entrepot.raw.oio.write.multipart import Part
from entrepot.types import Metadata

from . import multipart
from .client import S3Client
from .headers import carried_headers
from .multipart import MAX_PART, MAX_TOTAL
from .writer import S3Upload, object_exists

MAX_COPY: Final = MAX_PART
"""The most bytes of an object that CopyObject copies."""

DEFAULT_CONCURRENT: Final = 4
"""How many ranges are copied at a time, unless `concurrent` says otherwise."""

_REFUSED_SIZE: Final = frozenset({"InvalidRequest", "EntityTooLarge"})
"""What a source that is too large is refused with: the first by Amazon, for other reasons too; the second by Ceph."""


@dataclass(frozen=True, slots=True)
class _Source:
    """The source as it was at the beginning.

    Arguments:
        size: its bytes.
        asked: what finds it again, and nothing else in its place.
        headers: what names it in a request to copy a range of it.
        carried: what is stored beside it.
    """

    size: int
    asked: OpStat
    headers: list[Header]
    carried: list[Header]


class S3Copier:
    """Copies one object.

    Arguments:
        client: sends the requests.
        source: the key of the source.
        target: the key of the copy.
        args: the version of the source, the conditions on the target, and hints.
        max_size: how many bytes are copied by one request, at most.
    """

    __slots__ = ("_args", "_client", "_core", "_max_size", "_source", "_target")

    def __init__(self, client: S3Client, source: str, target: str, args: OpCopy, *, max_size: int = MAX_COPY) -> None:
        self._client = client
        self._core = client.core
        self._source = source
        self._target = target
        self._args = args
        self._max_size = max_size

    async def copy(self) -> Metadata:
        """Makes the copy and returns what the storage says of it."""
        if (self._args.source_content_length_hint or 0) > self._max_size:
            headers = await self._ask()
            return await (self._copy_whole() if self._fits(headers) else self._copy_in_ranges(headers))
        try:
            return await self._copy_whole()
        except (InvalidInput, Unexpected) as error:
            if error.context.get("code") not in _REFUSED_SIZE or self._fits(headers := await self._ask()):
                raise
            return await self._copy_in_ranges(headers)

    async def _copy_whole(self) -> Metadata:
        try:
            headers, content = await self._client.call(self._core.copy(self._source, self._target, self._args))
            return self._core.describe_copied(headers, content)
        except NotFound as error:
            if self._args.if_match is None or not await self._is_source_there():
                raise
            raise ConditionNotMatch("if_match does not hold: there is no target", context=error.context) from None
        except ConditionNotMatch as error:
            if error.is_temporary or not self._args.if_not_exists:
                raise
            raise object_exists(error) from None

    async def _is_source_there(self) -> bool:
        """Whether there is a source: of a copy S3 says only that something is missing, not what."""
        with suppress(NotFound):
            await self._ask()
            return True
        return False

    async def _ask(self) -> HttpHeaders:
        headers, _ = await self._client.call(self._core.head(self._source, OpStat(version=self._args.source_version)))
        return headers

    def _fits(self, headers: HttpHeaders) -> bool:
        return (parse_length(headers.get("content-length")) or 0) <= self._max_size

    async def _copy_in_ranges(self, headers: HttpHeaders) -> Metadata:
        source = self._pinned(headers)
        upload = _CopyUpload(self._client, self._target, self._args, source.carried)
        runtime = self._client.runtime
        try:
            await runtime.shield(upload.begin)  # or a cancellation would lose the id, and with it the upload
            parts = list[Part]()
            calls = (partial(upload.copy_part, source.headers, *one) for one in self._numbered(source.size))
            await gather(calls, runtime.window(self._args.concurrent or DEFAULT_CONCURRENT), parts)
            await self._check_unchanged(source)
            return await upload.finish(parts)
        except BaseException as cause:
            try:
                await runtime.shield(upload.drop)
            except Error as error:
                cause.add_note(f"and the upload could not be aborted: {error}")
            raise

    def _numbered(self, size: int) -> Iterator[tuple[int, range]]:
        return enumerate(multipart.copy_ranges(size, self._args.chunk), 1)

    def _pinned(self, headers: HttpHeaders) -> _Source:
        metadata = self._core.describe(headers)
        if metadata.etag is None or metadata.content_length is None:
            raise Unexpected("the storage does not tell size and etag of the source, without which no range is safe")
        if metadata.content_length > MAX_TOTAL:
            raise InvalidInput(f"the object has more than {MAX_TOTAL} bytes, the most that can be copied")
        version = self._args.source_version
        named = self._core.copy_source(self._source, version)
        return _Source(
            size=metadata.content_length,
            asked=OpStat(version=version, if_match=metadata.etag),
            headers=[named, ("x-amz-copy-source-if-match", etag_header(metadata.etag))],
            carried=carried_headers(headers),
        )

    async def _check_unchanged(self, source: _Source) -> None:
        try:
            headers, _ = await self._client.call(self._core.head(self._source, source.asked))
            self._core.describe_asked(headers, source.asked)
        except ConditionNotMatch as error:
            raise _changed(error) from None


class _CopyUpload(S3Upload):
    """The upload of a copy, whose parts are ranges of its source."""

    def __init__(self, client: S3Client, key: str, args: OpCopy, carried: list[Header]) -> None:
        super().__init__(client, key, OpWrite(if_match=args.if_match, if_not_exists=args.if_not_exists))
        self._carried = carried
        self._id: str | None = None

    async def begin(self) -> None:
        """Begins it."""
        headers, content = await self._client.call(multipart.initiate_with(self._core, self._key, self._carried))
        self._id = multipart.upload_id(self._core, headers, content)

    async def copy_part(self, source: list[Header], number: int, part: range) -> Part:
        """Copies one range."""
        request = multipart.copy_part(self._core, self._key, self._id or "", number, source, part)
        try:
            return multipart.copied_part(self._core, *await self._client.call(request), number, len(part))
        except ConditionNotMatch as error:
            raise _changed(error) from None

    async def finish(self, parts: list[Part]) -> Metadata:
        """Lets the object appear."""
        return await self.complete(self._id or "", parts)

    async def drop(self) -> None:
        """Leaves nothing of it. No layer sees this request, so nobody else would make it again."""
        if self._id is None:
            return
        try:
            await self.abort(self._id)
        except Error as error:
            if not error.is_temporary:
                raise
            await self.abort(self._id)


def _changed(error: ConditionNotMatch) -> ConditionNotMatch:
    return ConditionNotMatch("the source changed while it was copied", context=error.context)
