"""The azdls service."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from entrepot.errors import ConditionNotMatch, Error, IsADirectory, IsSameFile, NotADirectory, NotFound
from entrepot.raw import (
    AccessorInfo,
    OpCreateDir,
    OpList,
    OpRead,
    OpRename,
    OpStat,
    OpWrite,
    RpCreateDir,
    RpList,
    RpRead,
    RpRename,
    RpStat,
    RpWrite,
    WholeRead,
    WholeWrite,
    is_dir_path,
    oio,
)
from entrepot.raw.effects import note_doubt
from entrepot.raw.file_paths import check_may_exist
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.publication import object_exists
from entrepot.raw.http.reader import HttpReader
from entrepot.raw.http.store import HttpStore
from entrepot.raw.http.stored_headers import write_conditions
from entrepot.raw.path import get_parent
from entrepot.raw.runtime import Window
from entrepot.types import Capability, Entry, EntryMode, Metadata, Scheme
from entrepot.types.records import replace

from .core import AzdlsCore, check_target, is_directory
from .deletions import AzdlsDeletions
from .errors import NO_PARENT
from .listing import Listing
from .writer import MAX_APPEND, MAX_APPENDS, MAX_TOTAL, AzdlsUpload, AzdlsWriter, is_below_a_file, look

CAPABILITY: Final = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_next=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
    write=True,
    write_can_empty=True,
    write_with_content_type=True,
    write_with_content_disposition=True,
    write_with_content_encoding=True,
    write_with_content_language=True,
    write_with_cache_control=True,
    write_with_user_metadata=True,
    write_with_if_match=True,
    write_with_if_not_exists=True,
    write_multi_max_size=MAX_APPEND,
    write_total_max_size=MAX_TOTAL,
    create_dir=True,
    delete=True,
    delete_with_if_match=True,
    delete_with_recursive=True,
    list=True,
    list_with_recursive=True,
    rename=True,
    rename_with_if_not_exists=True,
    presign=True,
    presign_read=True,
    presign_stat=True,
    shared=True,
)

NOT_PRESIGNED: Final = replace(CAPABILITY, presign=False, presign_read=False, presign_stat=False)
"""With a SAS token, which cannot sign."""

GROW_TO: Final = 4 * 1024**4
"""The bytes that a file can have without a hint. For more, all parts would have to be as large as they can be."""

SHORT: Final = 1024**3
"""The size in bytes up to which the default parts of a file are equal in any case."""

DEFAULT_CONCURRENT: Final = 4
"""How many parts of a file are in flight, unless `concurrent` says otherwise."""


@lru_cache(maxsize=64)
def _part_sizes(chunk: int | None, hint: int | None) -> oio.PartSizes:
    args = OpWrite(chunk=chunk, content_length_hint=hint)
    return oio.PartSizes(CAPABILITY, args, max_parts=MAX_APPENDS, grow_to=GROW_TO)


class AzdlsAccessor(HttpStore[AzdlsCore]):
    """Files in one file system.

    Arguments:
        client: sends the requests.
        root: the prefix of every key, normalized.
        can_presign: whether the credentials can sign for others.
    """

    def __init__(self, client: HttpClient[AzdlsCore], root: str, *, can_presign: bool) -> None:
        capability = CAPABILITY if can_presign else NOT_PRESIGNED
        name = client.dialect.filesystem
        info = AccessorInfo(scheme=Scheme.AZDLS, root=root, name=name, native_capability=capability)
        super().__init__(info, client, AzdlsDeletions(client, root))

    async def stat(self, path: str, args: OpStat) -> RpStat:
        key = self._key(path)
        if not key:
            listing = Listing(self._dialect, self.info.root, path, OpList(limit=1))
            listing.page(*await self._client.call(listing.request(None)))
            return RpStat(metadata=Metadata(mode=EntryMode.DIR))
        check_may_exist(key)
        known = await super().stat(path, args)
        if is_dir_path(path) and not known.metadata.is_dir:
            raise NotFound("there is no such directory: a file has the name")
        return known

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, HttpReader]:
        check_may_exist(self._key(path))
        return await super().read(path, args)

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> WholeRead:
        check_may_exist(self._key(path))
        return await super().read_whole(path, args, described)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        hint = args.content_length_hint
        is_short = hint is not None and hint <= SHORT  # whose parts do not depend on the hint
        sizes = _part_sizes(args.chunk, None if is_short else hint)
        window: Window[Any] = self._client.runtime.window(args.concurrent or DEFAULT_CONCURRENT)
        return RpWrite(), AzdlsWriter(AzdlsUpload(self._client, self._key(path), args, sizes), sizes, window)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> WholeWrite:
        return await self.write(path, args)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        key = self._key(path)
        if key:
            check_target(key)
            await self._make_directory(key)
        return RpCreateDir()

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        listing = Listing(self._dialect, self.info.root, path, args)

        async def fetch(token: str | None) -> oio.Page:
            try:
                page = await self._page(listing, token)
            except NotFound:
                return oio.Page([], None)
            return await self._with_itself(path, page) if token is None else page

        return RpList(), oio.PageLister(fetch)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        old, new = self._key(source), self._key(target)
        check_may_exist(old)
        check_target(new)
        if old == new:
            raise IsSameFile("source and target are the same")
        await self._check_is_file(old, "the source is a directory")
        existing = await look(self._client, new)
        if existing is not None and is_directory(existing):
            raise IsADirectory("the target is a directory")
        try:
            await self._rename(old, new, args)
        except Error as error:
            note_doubt(error)
            raise
        return RpRename()

    async def _rename(self, old: str, new: str, args: OpRename) -> None:
        request = self._dialect.rename(old, new, write_conditions(OpWrite(if_not_exists=args.if_not_exists)))
        try:
            await self._client.do(request)
        except ConditionNotMatch as error:
            raise (object_exists(error) if args.if_not_exists else error) from None
        except NotFound as error:
            if error.context.get("code") != NO_PARENT:
                raise
            await self._make_directory(get_parent(new))
            await self._client.do(request)

    async def _make_directory(self, key: str) -> None:
        try:
            await self._client.do(self._dialect.make_directory(key))
        except Error as error:
            found = None if error.is_temporary else await look(self._client, key)
            if found is not None and is_directory(found):
                return
            if found is not None or (not error.is_temporary and await is_below_a_file(self._client, key)):
                raise NotADirectory("a file has the name of the directory, or of one above it") from None
            raise

    async def _check_is_file(self, key: str, message: str) -> None:
        headers, _ = await self._client.call(self._dialect.head(key, OpStat()))
        if is_directory(headers):
            raise IsADirectory(message)

    async def _with_itself(self, path: str, page: oio.Page) -> oio.Page:
        """The first page of a listing, with the directory itself. A file, which has the name, has no contents."""
        key = self._key(path)
        if not page.entries and key:
            found = await look(self._client, key)
            if found is None or not is_directory(found):
                return oio.Page([], None)
        return oio.Page([Entry(path, Metadata(mode=EntryMode.DIR)), *page.entries], page.next_token)
