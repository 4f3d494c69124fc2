"""The s3 service."""

from functools import partial
from typing import Any, Final

from entrepot.errors import ConditionNotMatch, NotFound
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    OpCopy,
    OpList,
    OpRead,
    OpStat,
    OpWrite,
    RpCopy,
    RpDelete,
    RpList,
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
from entrepot.types import Capability, EntryMode, Metadata, Scheme

from .client import S3Client, with_size
from .deleter import S3Deletions
from .deletion import MAX_DELETIONS
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
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_version=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
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
    shared=True,
)
DEFAULT_CONCURRENT: Final = 4
"""How many parts of an object are in flight, unless `concurrent` says otherwise."""


class S3Accessor(Accessor):
    """Objects in one bucket.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
        is_list_v1: list by the first version of ListObjects.
    """

    def __init__(self, client: S3Client, root: str, *, is_list_v1: bool = False) -> None:
        self.info = AccessorInfo(scheme=Scheme.S3, root=root, name=client.core.bucket, native_capability=CAPABILITY)
        self._client = client
        self._core = client.core
        self._is_list_v1 = is_list_v1

    async def stat(self, path: str, args: OpStat) -> RpStat:
        headers, _ = await self._client.call(self._core.head(self._key(path), args))
        mode = EntryMode.DIR if is_dir_path(path) else EntryMode.FILE
        return RpStat(metadata=self._core.describe_asked(headers, args, mode=mode))

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, HttpReader]:
        reply = RpRead()
        request = self._core.get(self._key(path), args)

        async def send() -> HttpResponse:
            response = await self._client.open(request)
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
        return RpWrite(), oio.MultipartWriter(upload, oio.PartSizes(CAPABILITY, args), window)

    async def delete(self) -> tuple[RpDelete, oio.BatchDeleter]:
        deletions = S3Deletions(self._client, self.info.root)
        return RpDelete(), oio.BatchDeleter(deletions.delete_one, deletions.delete_many, MAX_DELETIONS)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.PageLister]:
        listing = Listing(self._core, self.info.root, path, args, is_v1=self._is_list_v1)
        return RpList(), oio.PageLister(partial(self._page, listing))

    async def copy(self, source: str, target: str, args: OpCopy) -> RpCopy:
        origin = self._key(source)
        try:
            headers, content = await self._client.call(self._core.copy(origin, self._key(target), args))
            return RpCopy(metadata=self._core.describe_copied(headers, content))
        except NotFound as error:
            if args.if_match is None or not await self._exists(origin, args.source_version):
                raise
            raise ConditionNotMatch("if_match does not hold: there is no target", context=error.context) from None

    async def _exists(self, key: str, version: str | None) -> bool:
        """Whether there is such an object: of a copy S3 says only that something is missing, not what."""
        try:
            await self._client.call(self._core.head(key, OpStat(version=version)))
        except NotFound:
            return False
        return True

    async def _page(self, listing: Listing, token: str | None) -> oio.Page:
        return listing.page(*await self._client.call(listing.request(token)))

    def _key(self, path: str) -> str:
        return build_abs_path(self.info.root, path)
