"""An accessor over any key-value store, so that such a service is its calls and its configuration.

Theory of operation. A key is the root followed by the path; a directory is only a prefix of keys. A value is stored
whole, by one call: a writer collects the content in memory and stores it on `close`, and content over the limit of a
value is refused before any I/O. A reader loads its range by one call, so that its bytes are of one value. Seeks of a
reader over a store with ranges are other ranges, and so other calls; a store that returns only whole values has one
call for each reader.

A listing requests pages of keys, each after the last key of the page before. A listing of one level need not see all
keys below a directory: where a page ends in a directory, the next one starts after all of that directory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from entrepot.errors import (
    ConditionNotMatch,
    ContentIncomplete,
    Error,
    InvalidInput,
    NotFound,
    ObjectExists,
    StorageFull,
    Unsupported,
)
from entrepot.raw.effects import note_doubt
from entrepot.types import BytesRange, Capability, Entry, EntryMode, Metadata

from .accessor import Accessor, AccessorInfo
from .conditions import check_conditions
from .oio.copy.one_shot import OneShotCopier
from .oio.delete.batch_delete import BatchDeleter
from .oio.delete.deletions import Deletion, of_deletion
from .oio.list.api import List
from .oio.list.hierarchy import HierarchyLister
from .oio.list.page import Page, PageLister
from .oio.read.loaded import LoadedReader
from .oio.write.append import AppendWriter
from .oio.write.one_shot import OneShotWriter
from .ops import OpCopy, OpDelete, OpList, OpRead, OpRename, OpStat, OpWrite
from .path import build_abs_path, is_dir_path, is_path
from .rps import RpCopy, RpDelete, RpList, RpRead, RpRename, RpStat, RpWrite

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

CAPABILITY: Final = Capability(
    stat=True,
    read=True,
    read_with_suffix=True,
    write=True,
    write_can_empty=True,
    delete=True,
    shared=True,
)
"""What every store of keys and values has."""

LISTING: Final = {
    "list": True,
    "list_can_prefix": True,
    "list_with_recursive": True,
    "list_with_start_after": True,
}
"""The flags of a store that has `scan`."""

PAGE_SIZE: Final = 1000
"""The keys of a page by default."""

PIECE: Final = 8 * 1024 * 1024
"""The bytes of one append to a store whose values have no limit."""

LAST: Final = "\U0010ffff"
"""Sorts after every other character, in the order of code points and of UTF-8."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The facts of a stored value.

    Arguments:
        size: the bytes of the whole value; None, in a listing, if the store does not say.
        version: the store's name for this state of the value, if it has one; it becomes the etag.
    """

    size: int | None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A value, or the requested range of it.

    Arguments:
        content: the bytes of the range.
        stored: the facts of the whole value.
    """

    content: bytes
    stored: Stored


Scanned: TypeAlias = tuple[Sequence[tuple[str, Stored]], str | None]
"""Keys with the facts of their values, and the key to go on after; None at the end."""

Scan: TypeAlias = Callable[[str, int], Awaitable[Scanned]]
"""Takes the key to go on after, and the most keys."""


def part_of(content: bytes, part: BytesRange, version: str | None = None) -> Found:
    """The range of a value that the store returned whole.

    Raises:
        RangeNotSatisfied: the range starts past the end of the value.
    """
    start, end = part.resolve(len(content))
    whole = Stored(len(content), version)
    return Found(content if end - start == len(content) else content[start:end], whole)


class KeyValueStore(ABC):
    """The calls of a store. A service implements the abstract ones, and the others as far as the store has them.

    Keys are text; a store encodes them in UTF-8. A call raises only errors of `entrepot.errors`. `None` for a value
    means that there is no such key.
    """

    @abstractmethod
    async def get(self, key: str, part: BytesRange, version: str | None) -> Found | None:
        """Returns a range of a value, by one call that sees one state of it.

        Raises:
            RangeNotSatisfied: the range starts past the end of the value.
        """

    @abstractmethod
    async def find(self, key: str, version: str | None) -> Stored | None:
        """Returns the facts of a value."""

    @abstractmethod
    async def put(self, key: str, content: bytes, *, if_not_exists: bool, if_match: str | None) -> Stored | None:
        """Stores a value. Returns None if a condition does not hold, and stores nothing then."""

    @abstractmethod
    async def delete(self, keys: Sequence[str]) -> None:
        """Deletes keys by one call. Keys that do not exist are not an error."""

    async def delete_matching(self, key: str, if_match: str) -> bool:
        """Deletes a key if its value has the etag. Returns whether it does."""
        raise Unsupported("the store has no conditional deletion")

    async def scan(self, prefix: str, after: str, limit: int) -> Scanned:
        """Returns the first keys that start with the prefix and follow `after`, in the order of code points.

        The second value is the key to go on after; None at the end. It may follow keys that are left out.
        """
        raise Unsupported("the store cannot list its keys")

    def scanner(self, prefix: str) -> Scan:
        """Returns `scan` for the pages of one listing. A store without order keeps the sorted keys in it."""
        return partial(self.scan, prefix)

    async def append(self, key: str, content: bytes) -> Stored:
        """Adds bytes to the end of a value, or creates it."""
        raise Unsupported("the store has no append")

    async def copy(self, source: str, target: str, *, if_not_exists: bool) -> Stored | None:
        """Stores the value of one key under another one.

        Raises:
            ObjectExists: `if_not_exists` does not hold.
        """
        raise Unsupported("the store has no copy")

    async def rename(self, source: str, target: str, *, if_not_exists: bool) -> bool:
        """Moves a value to another key, in one step. Returns False if there is no source.

        Raises:
            ObjectExists: `if_not_exists` does not hold.
        """
        raise Unsupported("the store has no rename")


class KeyedAccessor(Accessor):
    """Objects in a key-value store.

    Arguments:
        info: the description of the service. `write_total_max_size` of its capability is the limit of a value, and
            `delete_max_size` the most keys of one deletion.
        store: makes the calls.
        max_key_size: the most bytes of a key in UTF-8; None is no limit.
    """

    def __init__(self, info: AccessorInfo, store: KeyValueStore, max_key_size: int | None = None) -> None:
        self.info = info
        self._store = store
        self._max_key_size = max_key_size

    async def stat(self, path: str, args: OpStat) -> RpStat:
        metadata = _metadata(path, _existing(await self._store.find(self._key(path), args.version)))
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, LoadedReader]:
        response = RpRead()
        return response, LoadedReader(partial(self._load, path, args, response))

    async def read_whole(self, path: str, args: OpRead, described: RpRead | None = None) -> bytes:
        return await self._load(path, args, described or RpRead())

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, OneShotWriter | AppendWriter]:
        if args.append:
            return RpWrite(), self._appender(path)
        return RpWrite(), OneShotWriter(partial(self._put, path, args))

    async def write_whole(
        self, path: str, data: bytes | bytearray | memoryview, args: OpWrite
    ) -> Metadata | tuple[RpWrite, OneShotWriter | AppendWriter]:
        if args.append:
            return await self.write(path, args)
        return await self._put(path, args, bytes(data))

    async def delete(self) -> tuple[RpDelete, BatchDeleter]:
        return RpDelete(), BatchDeleter(
            self._delete_one, self._delete_many, self.info.native_capability.delete_max_size or 1
        )

    async def list(self, path: str, args: OpList) -> tuple[RpList, List]:
        prefix = self._key(path)
        lister = PageLister(partial(self._page, self._store.scanner(prefix), prefix, args))
        return RpList(), lister if args.recursive else HierarchyLister(lister, path)

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, OneShotCopier]:
        async def copy() -> Metadata:
            copied = self._store.copy(self._key(source), self._key(target), if_not_exists=args.if_not_exists)
            return _metadata(target, _existing(await copied))

        return RpCopy(), OneShotCopier(copy)

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        renamed = self._store.rename(self._key(source), self._key(target), if_not_exists=args.if_not_exists)
        if not await renamed:
            raise _not_found()
        return RpRename()

    def _key(self, path: str) -> str:
        key = build_abs_path(self.info.root, path)
        if self._max_key_size is not None and len(key.encode()) > self._max_key_size:
            raise InvalidInput(f"the root and the path have more than {self._max_key_size} bytes, the most of a key")
        return key

    async def _load(self, path: str, args: OpRead, response: RpRead) -> bytes:
        found = await self._store.get(self._key(path), args.range, args.version)
        if found is None:
            raise _not_found()
        metadata = _metadata(path, found.stored)
        check_conditions(metadata, args)
        start, end = args.range.resolve(found.stored.size or 0)
        if len(found.content) != end - start:
            raise ContentIncomplete(f"the store returned {len(found.content)} of {end - start} bytes")
        response.metadata = metadata
        return found.content

    async def _put(self, path: str, args: OpWrite, content: bytes) -> Metadata:
        limit = self.info.native_capability.write_total_max_size
        if limit is not None and len(content) > limit:
            raise InvalidInput(f"the content has {len(content)} bytes, a value at most {limit}")
        put = self._store.put(self._key(path), content, if_not_exists=args.if_not_exists, if_match=args.if_match)
        stored = await put
        if stored is None:
            raise _exists() if args.if_not_exists else ConditionNotMatch("if_match does not hold")
        return _metadata(path, stored)

    def _appender(self, path: str) -> AppendWriter:
        key = self._key(path)
        limit = self.info.native_capability.write_total_max_size

        async def find_end() -> int:
            stored = await self._store.find(key, None)
            return 0 if stored is None else stored.size or 0

        async def append(end: int, pieces: Sequence[bytes]) -> Metadata:
            content = b"".join(pieces)
            if limit is not None and end + len(content) > limit:
                raise StorageFull(f"the value would have {end + len(content)} bytes, a value has at most {limit}")
            return _metadata(path, await self._store.append(key, content))

        return AppendWriter(find_end, append, PIECE if limit is None else limit + 1)

    async def _delete_one(self, path: str, args: OpDelete) -> None:
        if args.if_match is None:
            await self._store.delete([self._key(path)])
        elif not await self._delete_matching(self._key(path), args.if_match):
            raise ConditionNotMatch("if_match does not hold")

    async def _delete_matching(self, key: str, if_match: str) -> bool:
        """Deletes a key under a condition. The same call again could not tell that the first one succeeded."""
        try:
            return await self._store.delete_matching(key, if_match)
        except Error as error:
            note_doubt(error)
            raise

    async def _delete_many(self, deletions: Sequence[Deletion]) -> Sequence[Error]:
        """Deletes by one call, apart from the deletions with a condition."""
        if keys := [self._key(path) for path, args in deletions if args.if_match is None]:
            await self._store.delete(keys)
        failures = list[Error]()
        for path, args in deletions:
            if args.if_match is not None:
                try:
                    await self._delete_one(path, args)
                except Error as error:
                    failures.append(of_deletion(error, path, args))
        return failures

    async def _page(self, scan: Scan, prefix: str, args: OpList, token: str | None) -> Page:
        after = self._start(prefix, args) if token is None else token
        rows, last = await scan(after, args.limit or PAGE_SIZE)
        if last is not None and not args.recursive:
            last = _past_directory(prefix, last)
        start, entries, unnamed = len(self.info.root) - 1, list[Entry](), list[str]()
        for key, stored in rows:
            path = key[start:] or "/"
            if key and is_path(path):
                entries.append(Entry(path, _metadata(path, stored, is_listed=True)))
            else:
                unnamed.append(key[start:])
        return Page(entries, last, unnamed=tuple(unnamed))

    def _start(self, prefix: str, args: OpList) -> str:
        if args.start_after is None:
            return ""
        after = self._key(args.start_after)
        return after if args.recursive else _past_directory(prefix, after)


def etag_of(version: str) -> str:
    """The etag of a version: in quotes."""
    return f'"{version}"'


def _past_directory(prefix: str, key: str) -> str:
    """A key that follows all keys of the directory, directly below the prefix, that a key is in."""
    slash = key.find("/", len(prefix))
    if slash < 0:
        return key
    return max(key, key[: slash + 1] + LAST, key=_bytes_of)  # a name in it may begin with the last character


def _bytes_of(key: str) -> bytes:
    """The bytes of a key, also of one that is not UTF-8 and was read with `surrogateescape`."""
    return key.encode("utf-8", "surrogateescape")


def _metadata(path: str, stored: Stored, *, is_listed: bool = False) -> Metadata:
    """The metadata of a value. The entry of a listing stands for the object, and names no version."""
    return Metadata(
        mode=EntryMode.DIR if is_dir_path(path) else EntryMode.FILE,
        content_length=stored.size,
        etag=None if stored.version is None else etag_of(stored.version),
        version=None if is_listed else stored.version,
    )


def _existing(stored: Stored | None) -> Stored:
    if stored is None:
        raise _not_found()
    return stored


def _not_found() -> NotFound:
    return NotFound("there is no such key")


def _exists() -> ObjectExists:
    return ObjectExists("if_not_exists does not hold: the key exists")


def end_of_prefix(prefix: str) -> str | None:
    """The first text that follows all texts with the prefix, in the order of code points; None if none does."""
    kept = prefix.rstrip(LAST)
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)  # text has no lone surrogates
