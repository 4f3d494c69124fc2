"""The memory service: the model for other services, with nearly every option that an object store has.

`make new-service` starts one with fewer options. Each method takes a path relative to the root and a record of
arguments. Opening a body does no I/O: a body works when its first verb is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

from entrepot.raw import (
    Accessor,
    AccessorInfo,
    OpCopy,
    OpDelete,
    OpGetTags,
    OpList,
    OpRead,
    OpRename,
    OpSetTags,
    OpStat,
    OpWrite,
    RpCopy,
    RpDelete,
    RpGetTags,
    RpList,
    RpRead,
    RpRename,
    RpSetTags,
    RpStat,
    RpWrite,
    build_abs_path,
    build_rel_path,
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.types import Capability, Entry, Metadata, Scheme

from .core import Table

PAGE_SIZE: Final = 1000

CAPABILITY: Final = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_seek=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    read_with_if_modified_since=True,
    read_with_if_unmodified_since=True,
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
    write_with_if_match=True,
    write_with_if_none_match=True,
    write_with_if_not_exists=True,
    delete=True,
    delete_with_if_match=True,
    list=True,
    list_can_prefix=True,
    list_with_recursive=True,
    list_with_start_after=True,
    copy=True,
    copy_with_if_not_exists=True,
    copy_with_if_match=True,
    copy_with_content_type=True,
    copy_with_content_disposition=True,
    copy_with_content_encoding=True,
    copy_with_cache_control=True,
    copy_with_user_metadata=True,
    copy_with_content_language=True,
    copy_with_tags=True,
    rename=True,
    rename_with_if_not_exists=True,
    get_tags=True,
    set_tags=True,
)

VERSIONED: Final = replace(
    CAPABILITY,
    stat_with_version=True,
    read_with_version=True,
    delete_with_version=True,
    list_with_versions=True,
    list_with_deleted=True,
    copy_with_source_version=True,
)


class MemoryAccessor(Accessor):
    """Objects in a table."""

    def __init__(self, table: Table, root: str) -> None:
        capability = VERSIONED if table.versioned else CAPABILITY
        self.info = AccessorInfo(Scheme.MEMORY, root, native_capability=capability, chunks_from_one_body=True)
        self._table = table

    def _key(self, path: str) -> str:
        return build_abs_path(self.info.root, path)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        metadata = self._table.get(self._key(path), args.version).metadata
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.BytesReader]:
        response = RpRead()
        return response, oio.BytesReader(partial(self._load, path, args, response))

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> bytes:
        return bytes(self._load(path, args, described or RpRead()))

    def _load(self, path: str, args: OpRead, response: RpRead) -> bytes | memoryview:
        stored = self._table.get(self._key(path), args.version)
        check_conditions(stored.metadata, args)
        response.metadata = stored.metadata
        if args.range.is_full:
            return stored.content
        start, end = args.range.resolve(len(stored.content))
        return memoryview(stored.content)[start:end]

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.OneShotWriter]:
        async def store(content: bytes) -> Metadata:
            return self._table.put(self._key(path), content, args)

        return RpWrite(), oio.OneShotWriter(store)

    async def write_whole(self, path: str, data: bytes | bytearray | memoryview, args: OpWrite) -> Metadata:
        return self._table.put(self._key(path), bytes(data), args)

    async def delete(self) -> tuple[RpDelete, MemoryDeleter]:
        return RpDelete(), MemoryDeleter(self._table, self.info.root)

    async def list(self, path: str, args: OpList) -> tuple[RpList, MemoryLister]:
        return RpList(), MemoryLister(self._entries(path, args), args.limit or PAGE_SIZE)

    def _entries(self, path: str, args: OpList) -> Iterator[Entry]:
        after = "" if args.start_after is None else self._key(args.start_after)
        for key, metadata in self._table.list(self._key(path), after, args):
            yield Entry(build_rel_path(self.info.root, key), metadata)

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.OneShotCopier]:
        async def copy() -> Metadata:
            return self._table.copy(self._key(source), self._key(target), args)

        return RpCopy(), oio.OneShotCopier(copy)

    async def get_tags(self, path: str, args: OpGetTags) -> RpGetTags:
        return RpGetTags(tags=self._table.get(self._key(path), args.version).tags)

    async def set_tags(self, path: str, args: OpSetTags) -> RpSetTags:
        self._table.set_tags(self._key(path), args.tags, args.version)
        return RpSetTags()

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        self._table.rename(self._key(source), self._key(target), args)
        return RpRename()


class MemoryLister(oio.List):
    """Yields the entries in pages. A page is looked up when it is requested."""

    __slots__ = ("_entries", "_is_closed", "_page_size")

    def __init__(self, entries: Iterator[Entry], page_size: int) -> None:
        self._entries = entries
        self._page_size = page_size
        self._is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        check_not_closed(self._is_closed)
        return list(islice(self._entries, self._page_size)) or None

    async def close(self) -> None:
        self._is_closed = True


class MemoryDeleter(oio.Delete):
    """Deletes each object when it is named."""

    __slots__ = ("_is_closed", "_root", "_table")

    def __init__(self, table: Table, root: str) -> None:
        self._table = table
        self._root = root
        self._is_closed = False

    async def delete(self, path: str, args: OpDelete) -> None:
        check_not_closed(self._is_closed)
        self._table.delete(build_abs_path(self._root, path), args.version, args.if_match)

    async def close(self) -> None:
        self._is_closed = True
