"""The azblob service."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Any, Final

from entrepot.errors import Error
from entrepot.raw import (
    DEFAULT_WRITE,
    AccessorInfo,
    OpCopy,
    OpGetTags,
    OpRead,
    OpSetTags,
    OpWrite,
    RpCopy,
    RpGetTags,
    RpSetTags,
    RpWrite,
    WholeWrite,
    oio,
)
from entrepot.raw.effects import leaves_doubt
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.store import HttpStore
from entrepot.raw.http.transport import HttpResponse
from entrepot.raw.layered import Coro
from entrepot.raw.runtime import Window
from entrepot.types import Capability, Scheme
from entrepot.types.records import replace

from . import tagging
from .copier import AzblobCopy
from .core import AzblobCore
from .deleter import MAX_DELETIONS, AzblobDeletions
from .empty_ranges import as_refused
from .writer import MAX_APPEND, MAX_BLOCK, MAX_BLOCKS, MAX_TOTAL, AzblobUpload, check_append

CAPABILITY: Final = Capability(
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
    write_with_append=True,
    write_with_content_type=True,
    write_with_content_disposition=True,
    write_with_content_encoding=True,
    write_with_content_language=True,
    write_with_cache_control=True,
    write_with_user_metadata=True,
    write_with_tags=True,
    write_with_storage_class=True,
    write_with_if_match=True,
    write_with_if_none_match=True,
    write_with_if_not_exists=True,
    write_multi_max_size=MAX_BLOCK,
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
    copy_with_user_metadata=True,
    copy_with_tags=True,
    copy_with_storage_class=True,
    get_tags=True,
    set_tags=True,
    presign=True,
    presign_read=True,
    presign_stat=True,
    presign_write=True,
    presign_delete=True,
    shared=True,
)

_OVERRIDES: Final = tuple(name for name in Capability.__slots__ if "_with_override_" in name)
"""The flags of what Azure does only for a signature in the URL, which an account key or a token makes."""

APPEND_SIZE: Final = 8 * 1024**2
"""The most bytes of one append, unless `chunk` says otherwise."""

SHORT: Final = 1024**3
"""The size in bytes up to which the default blocks of a blob are equal in any case."""

DEFAULT_CONCURRENT: Final = 4
"""How many blocks of a blob are in flight, unless `concurrent` says otherwise."""


class Presigning(Enum):
    """The requests that can be presigned."""

    SIGNED = "everything"
    UNSIGNED = "reads of a public container, since unsigned writes by anyone are not what presigning is for"
    NONE = "nothing: a SAS token cannot sign, and the receiver does not have a key that blobs are encrypted with"


@lru_cache(maxsize=64)
def _part_sizes(chunk: int | None, hint: int | None) -> oio.PartSizes:
    return oio.PartSizes(CAPABILITY, OpWrite(chunk=chunk, content_length_hint=hint), max_parts=MAX_BLOCKS)


class AzblobAccessor(HttpStore[AzblobCore]):
    """Blobs in one container.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
        presigning: what can be presigned.
        has_own_key: whether blobs are encrypted with a key of the caller: Azure then copies none.
        source: the accessor that sources of copies belong to; None is this one.
    """

    def __init__(
        self,
        client: HttpClient[AzblobCore],
        root: str,
        presigning: Presigning,
        *,
        has_own_key: bool = False,
        source: AzblobAccessor | None = None,
    ) -> None:
        capability = _capability(presigning, has_own_key=has_own_key)
        info = AccessorInfo(
            scheme=Scheme.AZBLOB, root=root, name=client.dialect.container, native_capability=capability
        )
        super().__init__(info, client, AzblobDeletions(client, root))  # kept, since they learn what the server supports
        self._presigning = presigning
        self._source = source

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        if args.append:
            check_append(args)
        upload = AzblobUpload(self._client, self._key(path), args)
        if args.append:
            size = min(args.chunk or APPEND_SIZE, MAX_APPEND)
            return RpWrite(), oio.AppendWriter(upload.find_end, upload.append, size)
        return RpWrite(), self._block_writer(upload, args)

    def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> Coro[WholeWrite]:
        if args.append or len(data) > self.part_sizes(args).size(1):
            return self.write(path, args)
        content = data if isinstance(data, bytes) else bytes(data)
        return self._store_plainly(path, content) if args is DEFAULT_WRITE else self._store(path, content, args)

    async def _store(self, path: str, content: bytes, args: OpWrite) -> WholeWrite:
        upload = AzblobUpload(self._client, self._key(path), args)
        try:
            return await upload.store(content)
        except Error as error:
            # The next attempt is made by the same upload, which knows that this one may have stored the blob.
            return RpWrite(), oio.FailedWriter(self._block_writer(upload, args), error)

    def _next_attempt(self, path: str, error: Error) -> oio.MultipartWriter:
        upload = AzblobUpload(self._client, self._key(path), DEFAULT_WRITE, is_unsure=leaves_doubt(error))
        return self._block_writer(upload, DEFAULT_WRITE)

    def part_sizes(self, args: OpWrite) -> oio.PartSizes:
        """The sizes of the blocks of a write, kept for the next one of the same kind."""
        hint = args.content_length_hint
        is_short = hint is not None and hint <= SHORT  # whose blocks do not depend on the hint
        return _part_sizes(args.chunk, None if is_short else hint)

    def copying_from(self, source: AzblobAccessor) -> AzblobAccessor:
        """This accessor, except that the source of a copy is a blob of another one."""
        accessor = AzblobAccessor(self._client, self.info.root, self._presigning, source=source)
        accessor.info = replace(self.info, copies_from_elsewhere=True)
        return accessor

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.OneShotCopier]:
        there = self._source or self
        copy = AzblobCopy(self._client, there._client, there._key(source), self._key(target), args)  # noqa: SLF001
        return RpCopy(), oio.OneShotCopier(copy.copy)

    async def get_tags(self, path: str, args: OpGetTags) -> RpGetTags:
        request = tagging.get_tags(self._dialect, self._key(path), args.version)
        return RpGetTags(tags=tagging.tags_of(self._dialect, *await self._client.call(request)))

    async def set_tags(self, path: str, args: OpSetTags) -> RpSetTags:
        await self._client.do(tagging.set_tags(self._dialect, self._key(path), args.tags, args.version))
        return RpSetTags()

    async def _with_size(self, response: HttpResponse, path: str, args: OpRead) -> HttpResponse:
        return await super()._with_size(as_refused(response), path, args)

    def _block_writer(self, upload: AzblobUpload, args: OpWrite) -> oio.MultipartWriter:
        window: Window[Any] = self._client.runtime.window(args.concurrent or DEFAULT_CONCURRENT)
        return oio.MultipartWriter(upload, self.part_sizes(args), window)


def _capability(presigning: Presigning, *, has_own_key: bool) -> Capability:
    """The capability of an accessor with its credentials."""
    flags = dict[str, bool]()
    if presigning is not Presigning.SIGNED:
        flags |= dict.fromkeys(("presign_write", "presign_delete", *_OVERRIDES), False)
    if presigning is Presigning.NONE:
        flags |= dict.fromkeys(("presign", "presign_read", "presign_stat"), False)
    if has_own_key:
        flags |= {name: False for name in Capability.__slots__ if name == "copy" or name.startswith("copy_with_")}
    return replace(CAPABILITY, **flags) if flags else CAPABILITY
