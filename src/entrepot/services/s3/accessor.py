"""The s3 service."""

from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final

from entrepot.errors import Unexpected
from entrepot.raw import (
    DEFAULT_WRITE,
    Accessor,
    AccessorInfo,
    OpAbortUpload,
    OpCopy,
    OpList,
    OpListUploads,
    OpPresign,
    OpRead,
    OpStat,
    OpWrite,
    RpAbortUpload,
    RpCopy,
    RpDelete,
    RpList,
    RpListUploads,
    RpPresign,
    RpRead,
    RpStat,
    RpWrite,
    build_abs_path,
    is_dir_path,
    oio,
)
from entrepot.raw.http.reader import HttpReader
from entrepot.raw.http.transport import HttpHeaders, HttpResponse
from entrepot.raw.runtime import Window
from entrepot.types import BytesRange, Capability, EntryMode, Metadata, Scheme

from . import uploads
from .client import S3Client, with_size
from .copier import MAX_COPY, S3Copier
from .deleter import S3Deletions
from .deletion import MAX_DELETIONS
from .errors import error_of_version
from .listing import Listing
from .multipart import MAX_PART, MAX_TOTAL, MIN_PART
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
    write_with_cache_control=True,
    write_with_user_metadata=True,
    write_with_if_match=True,
    write_with_if_not_exists=True,
    write_multi_min_size=MIN_PART,
    write_multi_max_size=MAX_PART,
    write_total_max_size=MAX_TOTAL,
    delete=True,
    delete_with_version=True,
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
    list_uploads=True,
    abort_upload=True,
    presign=True,
    presign_read=True,
    presign_stat=True,
    presign_write=True,
    presign_delete=True,
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
)
"""The same without keys. S3 lets only those who sign say what the headers of a reply shall be. A request that
nobody signs is fair where it reads a public bucket; to let anyone write is not what presigning is for."""

DEFAULT_CONCURRENT: Final = 4
"""How many parts of an object are in flight, unless `concurrent` says otherwise."""


@lru_cache(maxsize=64)
def _part_sizes(chunk: int | None) -> oio.PartSizes:
    return oio.PartSizes(CAPABILITY, OpWrite(chunk=chunk))


class S3Accessor(Accessor):
    """Objects in one bucket.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
        is_list_v1: list by the first version of ListObjects.
        max_copy: how many bytes of an object one request copies, at most.
    """

    def __init__(self, client: S3Client, root: str, *, is_list_v1: bool = False, max_copy: int = MAX_COPY) -> None:
        capability = CAPABILITY if client.is_signing else UNSIGNED_CAPABILITY
        self.info = AccessorInfo(scheme=Scheme.S3, root=root, name=client.core.bucket, native_capability=capability)
        self._client = client
        self._core = client.core
        self._is_list_v1 = is_list_v1
        self._max_copy = max_copy
        self._deletions = S3Deletions(client, root)  # of the store, since it learns what the store takes

    async def stat(self, path: str, args: OpStat) -> RpStat:
        try:
            headers, _ = await self._client.call(self._core.head(self._key(path), args))
        except Unexpected as error:
            if args.version is not None and error.context.get("status") == 400:
                await self._explain(path, args.version)
            raise
        mode = EntryMode.DIR if is_dir_path(path) else EntryMode.FILE
        return RpStat(metadata=self._core.describe_asked(headers, args, mode=mode))

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, HttpReader]:
        reply = RpRead()
        request = self._core.get(self._key(path), args)

        async def send() -> HttpResponse:
            try:
                response = await self._client.open(request)
            except Unexpected as error:
                raise error_of_version(error, args.version) from None
            if response.status != 416 or "content-range" in response.headers:
                return response
            asked = await self.stat(path, args.to_stat())  # Ceph, Swift and MinIO do not tell the size with a refusal
            return with_size(response, asked.metadata.content_length)

        def describe(headers: HttpHeaders, size: int | None) -> Metadata:
            return self._core.describe_asked(headers, args, content_length=size)

        return reply, HttpReader(send, args.range, describe, reply)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.MultipartWriter]:
        upload = S3Upload(self._client, self._key(path), args)
        window: Window[Any] = self._client.runtime.window(args.concurrent or DEFAULT_CONCURRENT)
        return RpWrite(), oio.MultipartWriter(upload, _part_sizes(args.chunk), window)

    async def delete(self) -> tuple[RpDelete, oio.BatchDeleter]:
        return RpDelete(), oio.BatchDeleter(self._deletions.delete_one, self._deletions.delete_many, MAX_DELETIONS)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.PageLister]:
        listing = Listing(self._core, self.info.root, path, args, is_v1=self._is_list_v1)
        return RpList(), oio.PageLister(partial(self._page, listing))

    async def copy(self, source: str, target: str, args: OpCopy) -> RpCopy:
        copier = S3Copier(self._client, self._key(source), self._key(target), args, max_size=self._max_copy)
        return RpCopy(metadata=await copier.copy())

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        try:
            return await self._uploads(path, args, is_encoded=False)
        except Unexpected as error:
            if error.context:  # the storage or the network has failed; else there is a key that XML cannot write
                raise
            return await self._uploads(path, args, is_encoded=True)

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        await S3Upload(self._client, self._key(path), DEFAULT_WRITE).abort(args.id)
        return RpAbortUpload()

    async def _explain(self, path: str, version: str) -> None:
        """Raises why a version is refused, by reading of it: the reply to a HEAD does not say."""
        _, body = await self.read(path, OpRead(version=version, range=BytesRange(0, 1)))
        try:
            await body.read(1)
        finally:
            await body.close()

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        request = self._core.request(self._key(path), args.operation)
        return RpPresign(request=self._client.presign(request, args.expires))

    async def _page(self, listing: Listing, token: str | None) -> oio.Page:
        return listing.page(*await self._client.call(listing.request(token)))

    async def _uploads(self, path: str, args: OpListUploads, *, is_encoded: bool) -> RpListUploads:
        request = uploads.list_uploads(self._core, self._key(path), args.token, is_encoded=is_encoded)
        return uploads.listed_uploads(self._core, self.info.root, path, *await self._client.call(request))

    def _key(self, path: str) -> str:
        return build_abs_path(self.info.root, path)
