"""The gcs service."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from entrepot.errors import Error
from entrepot.raw import (
    DEFAULT_WRITE,
    AccessorInfo,
    OpAbortUpload,
    OpCopy,
    OpDelete,
    OpListUploads,
    OpPresign,
    OpRead,
    OpStat,
    OpWrite,
    RpAbortUpload,
    RpCopy,
    RpListUploads,
    RpPresign,
    RpWrite,
    WholeWrite,
    oio,
)
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.store import HttpStore, explained_listing
from entrepot.raw.layered import Coro
from entrepot.raw.runtime import Window
from entrepot.types import Capability, Scheme
from entrepot.types.records import replace

from .batch import MAX_DELETIONS
from .copier import Rewrite
from .core import GcsCore
from .deleter import GcsDeletions
from .parts import MAX_PART, MIN_PART, XmlUpload
from .resumable import MAX_SIZE, ResumableWriter
from .snapshots import resolved_to_sign
from .stored import NewObject
from .uploads import list_uploads, listed_uploads

CAPABILITY: Final = Capability(
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
    read_with_override_content_type=True,
    read_with_override_content_disposition=True,
    write=True,
    write_can_empty=True,
    write_with_content_type=True,
    write_with_content_disposition=True,
    write_with_content_encoding=True,
    write_with_content_language=True,
    write_with_cache_control=True,
    write_with_user_metadata=True,
    write_with_storage_class=True,
    write_with_acl=True,
    write_with_if_match=True,
    write_with_if_not_exists=True,
    write_multi_min_size=MIN_PART,
    write_multi_max_size=MAX_PART,
    write_total_max_size=MAX_SIZE,
    delete=True,
    delete_with_version=True,
    delete_with_if_match=True,
    delete_max_size=MAX_DELETIONS,
    list=True,
    list_can_prefix=True,
    list_with_recursive=True,
    list_with_start_after=True,
    list_with_versions=True,
    copy=True,
    copy_with_if_not_exists=True,
    copy_with_if_match=True,
    copy_with_source_version=True,
    copy_with_content_type=True,
    copy_with_content_disposition=True,
    copy_with_content_encoding=True,
    copy_with_content_language=True,
    copy_with_cache_control=True,
    copy_with_user_metadata=True,
    copy_with_storage_class=True,
    copy_with_acl=True,
    presign=True,
    presign_read=True,
    presign_stat=True,
    presign_write=True,
    presign_delete=True,
    shared=True,
)
UNSIGNED_CAPABILITY: Final = replace(
    CAPABILITY,
    read_with_override_content_type=False,
    read_with_override_content_disposition=False,
    presign_write=False,
    presign_delete=False,
)
"""The same without credentials. Presigning is then offered for reads of a public bucket, and the storage overrides
headers in signed requests only."""

DEFAULT_CHUNK: Final = 8 * 1024**2
"""The bytes of a chunk of a resumable upload, unless `chunk` says otherwise."""

DEFAULT_CONCURRENT: Final = 4
"""How many parts of an object are in flight, unless `concurrent` says otherwise."""


SHORT: Final = 1024**3
"""The size in bytes up to which the default parts of an object are equal in any case."""


@lru_cache(maxsize=64)
def _sizes_for(chunk: int | None, hint: int | None) -> oio.PartSizes:
    return oio.PartSizes(CAPABILITY, OpWrite(chunk=chunk, content_length_hint=hint))


def _part_sizes(args: OpWrite) -> oio.PartSizes:
    """The sizes of the parts of a write, kept for the next one of the same kind."""
    hint = args.content_length_hint
    return _sizes_for(args.chunk, None if hint is not None and hint <= SHORT else hint)


class GcsAccessor(HttpStore[GcsCore]):
    """Objects in one bucket.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
        has_parts: whether the server has multipart uploads of the XML API.
        source: the accessor that sources of copies belong to; None is this one.
    """

    def __init__(
        self, client: HttpClient[GcsCore], root: str, *, has_parts: bool, source: GcsAccessor | None = None
    ) -> None:
        signed = UNSIGNED_CAPABILITY if client.is_anonymous else CAPABILITY
        capability = replace(signed, list_uploads=has_parts, abort_upload=has_parts)
        info = AccessorInfo(
            scheme=Scheme.GCS,
            root=root,
            name=client.dialect.bucket,
            native_capability=capability,
            reads_describe_all=False,
        )
        super().__init__(
            info, client, GcsDeletions(client, root)
        )  # kept, since it learns whether the server has batches
        self._has_parts = has_parts
        self._source = source

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        return RpWrite(), self._writer(NewObject(self._client, self._key(path), args), args)

    def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> Coro[WholeWrite]:
        if len(data) > self._chunk(args):
            return self.write(path, args)
        content = data if isinstance(data, bytes) else bytes(data)
        return self._store_plainly(path, content) if args is DEFAULT_WRITE else self._store(path, content, args)

    async def _store(self, path: str, content: bytes, args: OpWrite) -> WholeWrite:
        target = NewObject(self._client, self._key(path), args)
        try:
            return await target.store(content)
        except Error as error:
            # The next attempt is made by the same publication, which knows that this one may have stored the object.
            return RpWrite(), oio.FailedWriter(self._writer(target, args), error)

    def _next_attempt(self, path: str, error: Error) -> oio.Write:
        target = NewObject(self._client, self._key(path), DEFAULT_WRITE, is_unsure=leaves_doubt(error))
        return self._writer(target, DEFAULT_WRITE)

    def _writer(self, target: NewObject, args: OpWrite) -> oio.Write:
        if not self._has_parts_for(args):
            return ResumableWriter(target, self._chunk(args))
        window: Window[Any] = self._client.runtime.window(args.concurrent or DEFAULT_CONCURRENT)
        return oio.MultipartWriter(XmlUpload(target, args), _part_sizes(args), window)

    def _has_parts_for(self, args: OpWrite) -> bool:
        """Whether long content is sent in parts, which take no conditions, and which not every server has."""
        return self._has_parts and args.if_match is None and not args.if_not_exists

    def _chunk(self, args: OpWrite) -> int:
        """The most bytes that are stored by one request."""
        if self._has_parts_for(args):
            return _part_sizes(args).size(1)
        return args.chunk or DEFAULT_CHUNK

    def copying_from(self, source: GcsAccessor) -> GcsAccessor:
        """This accessor, except that the source of a copy is an object of another one."""
        accessor = GcsAccessor(self._client, self.info.root, has_parts=self._has_parts, source=source)
        accessor.info = replace(self.info, copies_from_elsewhere=True)
        return accessor

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        there = self._source or self
        return RpCopy(), Rewrite(self._client, there._client, there._key(source), self._key(target), args)  # noqa: SLF001 - of this class

    async def list_uploads(self, path: str, args: OpListUploads) -> RpListUploads:
        with explained_listing():
            response = await self._client.call(list_uploads(self._dialect, self._key(path), args.token))
        return listed_uploads(self.info.root, path, *response)

    async def abort_upload(self, path: str, args: OpAbortUpload) -> RpAbortUpload:
        target = NewObject(self._client, self._key(path), DEFAULT_WRITE)
        await XmlUpload(target, DEFAULT_WRITE).abort(args.id)
        return RpAbortUpload()

    async def presign(self, path: str, args: OpPresign) -> RpPresign:
        operation = args.operation
        if isinstance(operation, OpRead | OpStat | OpWrite | OpDelete) and operation.if_match is not None:
            args = replace(args, operation=await resolved_to_sign(self._client, self._key(path), operation))
        return await super().presign(path, args)
