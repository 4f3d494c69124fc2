"""The s3 service."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from entrepot.errors import ConditionNotMatch, Error, NotFound, Unexpected
from entrepot.raw import (
    DEFAULT_WRITE,
    AccessorInfo,
    OpAbortUpload,
    OpCompleteUpload,
    OpCopy,
    OpGetTags,
    OpListUploads,
    OpPart,
    OpPost,
    OpPresign,
    OpRead,
    OpRename,
    OpSetTags,
    OpSharedUpload,
    OpStartUpload,
    OpStat,
    OpUploadPart,
    OpWrite,
    RpAbortUpload,
    RpCopy,
    RpGetTags,
    RpListUploads,
    RpPresign,
    RpRename,
    RpSetTags,
    RpSharedUpload,
    RpStat,
    RpWrite,
    WholeWrite,
    oio,
)
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.store import HttpStore, explained_listing
from entrepot.raw.layered import Coro
from entrepot.raw.runtime import Window
from entrepot.types import BytesRange, Capability, Scheme
from entrepot.types.records import replace

from . import express, multipart, tagging, uploads
from .bucket_probe import BucketProbe
from .copier import MAX_COPY, S3Copy, SourceObject
from .core import S3Core
from .deleter import S3Deletions
from .deletion import MAX_DELETIONS
from .headers.encryption import NO_ENCRYPTION
from .location.buckets import zone_of
from .multipart import DEFAULT_CONCURRENT, MAX_PART, MAX_TOTAL, MIN_PART, check_part_number
from .post import post_form, post_request
from .writer import S3Upload

CAPABILITY = Capability(
    stat=True,
    stat_with_version=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    stat_with_override_content_type=True,
    stat_with_override_content_disposition=True,
    stat_with_override_cache_control=True,
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_version=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
    read_with_override_content_type=True,
    read_with_override_content_disposition=True,
    read_with_override_cache_control=True,
    write=True,
    write_can_empty=True,
    write_with_content_type=True,
    write_with_content_disposition=True,
    write_with_content_encoding=True,
    write_with_content_language=True,
    write_with_cache_control=True,
    write_with_user_metadata=True,
    write_with_tags=True,
    write_with_storage_class=True,
    write_with_acl=True,
    write_with_retain_until=True,
    write_with_legal_hold=True,
    write_with_if_match=True,
    write_with_if_not_exists=True,
    write_multi_min_size=MIN_PART,
    write_multi_max_size=MAX_PART,
    write_total_max_size=MAX_TOTAL,
    delete=True,
    delete_with_version=True,
    delete_with_if_match=True,
    delete_max_size=MAX_DELETIONS,
    list=True,
    list_can_prefix=True,
    list_with_recursive=True,
    list_with_start_after=True,
    list_with_versions=True,
    list_with_deleted=True,
    copy=True,
    copy_with_if_not_exists=True,
    copy_with_if_match=True,
    copy_with_source_version=True,
    copy_with_content_type=True,
    copy_with_content_disposition=True,
    copy_with_content_encoding=True,
    copy_with_cache_control=True,
    copy_with_user_metadata=True,
    copy_with_content_language=True,
    copy_with_tags=True,
    copy_with_storage_class=True,
    copy_with_acl=True,
    get_tags=True,
    set_tags=True,
    list_uploads=True,
    abort_upload=True,
    shared_upload=True,
    presign=True,
    presign_read=True,
    presign_stat=True,
    presign_write=True,
    presign_delete=True,
    presign_post=True,
    presign_part=True,
    shared=True,
)
UNSIGNED_CAPABILITY: Final = replace(
    CAPABILITY,
    stat_with_override_content_type=False,
    stat_with_override_content_disposition=False,
    stat_with_override_cache_control=False,
    read_with_override_content_type=False,
    read_with_override_content_disposition=False,
    read_with_override_cache_control=False,
    presign_write=False,
    presign_delete=False,
    presign_post=False,
    presign_part=False,
)
"""The same without keys. S3 honours overridden response headers only in signed requests. Presigning without keys is
offered for reads of a public bucket; unsigned writes by anyone are not what presigning is for."""

DIRECTORY_CAPABILITY: Final = replace(
    CAPABILITY,
    stat_with_version=False,
    read_with_version=False,
    write_with_append=True,
    write_with_tags=False,
    write_with_storage_class=False,
    write_with_acl=False,
    write_with_retain_until=False,
    write_with_legal_hold=False,
    delete_with_version=False,
    list_can_prefix=False,
    list_with_start_after=False,
    list_with_versions=False,
    list_with_deleted=False,
    copy_with_source_version=False,
    copy_with_tags=False,
    copy_with_storage_class=False,
    copy_with_acl=False,
    rename=True,
    rename_with_if_not_exists=True,
    get_tags=False,
    set_tags=False,
    presign=False,
    presign_read=False,
    presign_stat=False,
    presign_write=False,
    presign_delete=False,
    presign_post=False,
    presign_part=False,
)
"""Of a directory bucket. It lists only by whole directories, and in no order, so that no listing can start after a key.
Requests of a session cannot be presigned for longer than its five minutes, so none are."""

APPEND_SIZE: Final = 8 * 1024**2
"""The most bytes of one append, unless `chunk` says otherwise."""

SHORT: Final = 1024**3
"""The size in bytes up to which the default parts of an object are equal in any case."""


@lru_cache(maxsize=64)
def _part_sizes(chunk: int | None, hint: int | None, *, is_equal: bool) -> oio.PartSizes:
    return oio.PartSizes(CAPABILITY, OpWrite(chunk=chunk, content_length_hint=hint), is_equal=is_equal)


class S3Accessor(HttpStore[S3Core]):
    """Objects in one bucket.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
        max_copy: how many bytes of an object one request copies, at most.
        source: the accessor that sources of copies belong to; None is this one.
        has_equal_parts: whether all parts of an upload but the last must have one size.
    """

    def __init__(
        self,
        client: HttpClient[S3Core],
        root: str,
        *,
        max_copy: int = MAX_COPY,
        has_equal_parts: bool = False,
        source: S3Accessor | None = None,
    ) -> None:
        capability = UNSIGNED_CAPABILITY if client.is_anonymous else CAPABILITY
        if zone_of(client.dialect.bucket) is not None:
            capability = DIRECTORY_CAPABILITY
        info = AccessorInfo(scheme=Scheme.S3, root=root, name=client.dialect.bucket, native_capability=capability)
        super().__init__(info, client, S3Deletions(client, root))  # kept, since they learn what the server supports
        self._max_copy = max_copy
        self._bucket = BucketProbe(client)
        self._source = source
        self._has_equal_parts = has_equal_parts

    async def stat(self, path: str, args: OpStat) -> RpStat:
        try:
            known = self._found(path, args, *await self._client.call(self._dialect.head(self._key(path), args), args))
        except NotFound as error:
            if error.context.get("code") is None:
                await self._bucket.check()
            raise
        except Unexpected as error:
            if args.version is not None and error.context.get("status") == 400:
                await self._explain(path, args.version)
            raise
        self._bucket.is_settled = True
        return known

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        upload = S3Upload(self._client, self._key(path), args)
        if args.append:
            return RpWrite(), oio.AppendWriter(upload.find_end, upload.append, args.chunk or APPEND_SIZE)
        return RpWrite(), self._multipart_writer(upload, args)

    def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> Coro[WholeWrite]:
        if args.append or (len(data) > MIN_PART and len(data) > self.part_sizes(args).size(1)):
            return self.write(path, args)
        content = data if isinstance(data, bytes) else bytes(data)
        dialect = self._dialect
        if args is DEFAULT_WRITE and dialect.checksum is None and dialect.fixed.encryption is NO_ENCRYPTION:
            return self._store_plainly(path, content)
        return self._store(path, content, args)

    async def _store(self, path: str, content: bytes, args: OpWrite) -> WholeWrite:
        upload = S3Upload(self._client, self._key(path), args)
        try:
            return await upload.store(content)
        except Error as error:
            # The next attempt is made by the same upload, which knows that this one may have stored the object.
            return RpWrite(), oio.FailedWriter(self._multipart_writer(upload, args), error)

    def _next_attempt(self, path: str, error: Error) -> oio.MultipartWriter:
        upload = S3Upload(self._client, self._key(path), DEFAULT_WRITE, may_be_complete=leaves_doubt(error))
        return self._multipart_writer(upload, DEFAULT_WRITE)

    def _multipart_writer(self, upload: S3Upload, args: OpWrite) -> oio.MultipartWriter:
        window: Window[Any] = self._client.runtime.window(upload.parts_in_flight)
        return oio.MultipartWriter(upload, self.part_sizes(args), window)

    def part_sizes(self, args: OpWrite) -> oio.PartSizes:
        """The sizes of the parts of a write, kept for the next one of the same kind."""
        hint = args.content_length_hint
        is_short = hint is not None and hint <= SHORT  # whose parts do not depend on the hint
        return _part_sizes(args.chunk, None if is_short else hint, is_equal=self._has_equal_parts)

    def copying_from(self, source: S3Accessor) -> S3Accessor:
        """This accessor, except that the source of a copy is an object of another one."""
        accessor = S3Accessor(self._client, self.info.root, max_copy=self._max_copy, source=source)
        own = replace(self.info.native_capability, rename=False, rename_with_if_not_exists=False)
        accessor.info = replace(self.info, native_capability=own, capability=own, copies_from_elsewhere=True)
        return accessor

    def source_object(self, path: str) -> SourceObject:
        """The source of a copy from this accessor."""
        return SourceObject(self._client, self._key(path))

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.RangedCopier]:
        there = (self._source or self).source_object(source)
        copy = S3Copy(self._client, there, self._key(target), args, max_size=self._max_copy)
        window: Window[Any] = self._client.runtime.window(args.concurrent or DEFAULT_CONCURRENT)
        return RpCopy(), oio.RangedCopier(copy, window, is_large=copy.is_large)

    async def get_tags(self, path: str, args: OpGetTags) -> RpGetTags:
        request = tagging.get_tags(self._dialect, self._key(path), args.version)
        return RpGetTags(tags=tagging.tags_of(self._dialect, *await self._client.call(request)))

    async def set_tags(self, path: str, args: OpSetTags) -> RpSetTags:
        await self._client.do(tagging.set_tags(self._dialect, self._key(path), args.tags, args.version))
        return RpSetTags()

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        match args.operation:
            case OpPost() as post:
                form = post_form(self._dialect, self._key(path), post)
                return RpPresign(
                    request=await self._client.presign_form(post_request(self._dialect), form, args.expires)
                )
            case OpPart(upload=upload, number=number):
                request = multipart.presigned_part(self._dialect, self._key(path), upload, number)
                return RpPresign(request=await self._client.presign(request, args.expires))
            case _:
                return await super().presign(path, args)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        try:
            await self._client.do(express.rename(self._dialect, self._key(source), self._key(target), args))
        except ConditionNotMatch as error:
            raise (object_exists(error) if args.if_not_exists else error) from None
        return RpRename()

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        try:
            return await self._uploads(path, args, is_encoded=False)
        except Unexpected as error:
            if error.context:  # the storage or the network failed; otherwise XML cannot write one of the keys
                raise
            return await self._uploads(path, args, is_encoded=True)

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        await S3Upload(self._client, self._key(path), DEFAULT_WRITE).abort(args.id)
        return RpAbortUpload()

    async def shared_upload(self, path: str, args: OpSharedUpload, content: bytes) -> RpSharedUpload:
        match args.step:
            case OpStartUpload(write=write):
                return RpSharedUpload(upload=await S3Upload(self._client, self._key(path), write).initiate())
            case OpUploadPart(upload=upload, number=number):
                check_part_number(number)
                part = S3Upload(self._client, self._key(path), DEFAULT_WRITE)
                return RpSharedUpload(part=await part.upload_part(upload, number, [content]))
            case OpCompleteUpload(upload=upload, parts=parts):
                whole = S3Upload(self._client, self._key(path), DEFAULT_WRITE, may_be_complete=True)
                return RpSharedUpload(metadata=await whole.complete(upload, parts))

    async def _explain(self, path: str, version: str) -> None:
        """Raises the reason why a version is refused, by a read of it: the response to a HEAD does not state it."""
        _, body = await self.read(path, OpRead(version=version, range=BytesRange(0, 1)))
        try:
            await body.read(1)
        finally:
            await body.close()

    async def _uploads(self, path: str, args: OpListUploads, *, is_encoded: bool) -> RpListUploads:
        request = uploads.list_uploads(self._dialect, self._key(path), args.token, is_encoded=is_encoded)
        with explained_listing():
            response = await self._client.call(request)
        return uploads.listed_uploads(self._dialect, self.info.root, path, *response)
