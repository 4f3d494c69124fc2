"""`ArchiveAccessor`: the operations of a service over an archive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

from entrepot.errors import ConfigInvalid, NotFound
from entrepot.raw import (
    Accessor,
    AccessorInfo,
    Context,
    OpList,
    OpRead,
    OpStat,
    RpList,
    RpRead,
    RpStat,
    build_abs_path,
    build_rel_path,
    normalize_root,
    oio,
)
from entrepot.raw.composite import CompositeConfig
from entrepot.raw.conditions import check_conditions
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.types import Capability, Entry

from .index import AnyMember, Index, SharedIndex, Window
from .member_body import MemberBody
from .stored import StoredArchive

M = TypeVar("M", bound=AnyMember)

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
    list=True,
    list_can_prefix=True,
    list_with_recursive=True,
    list_with_start_after=True,
)


class ArchiveAccessor(Accessor, Generic[M]):
    """The members of an archive, for reading.

    The index of the archive is built by the first call and kept. Before a name is said to be missing, and before a
    listing, the archive is requested by `stat`, and if it has changed, another index is built. A read of an archive
    that has changed finds out by itself.

    Arguments:
        config: the configuration of the service.
        context: has the storage of the archive.
        build: builds the index of an archive.
    """

    def __init__(
        self, config: CompositeConfig, context: Context, build: Callable[[StoredArchive], Awaitable[Index[M]]]
    ) -> None:
        storage = context.open_storage(config.source)
        name = f"{storage.info.name}{storage.info.root}{config.path}"
        self.info = AccessorInfo(
            config.SCHEME,
            normalize_root(config.root),
            name=name,
            native_capability=CAPABILITY,
            chunks_from_one_body=True,
            is_remote=storage.info.is_remote,
        )

        async def build_present() -> Index[M]:
            with _archive_exists():
                return await build(StoredArchive(storage, config.path))

        self._config = config
        self._storage = storage
        self._index = _shared_index(config, context, build_present)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        index, key, member = await self._find(path)
        metadata = index.describe(key, member)
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def read(self, path: str, args: OpRead) -> tuple[RpRead, MemberBody]:
        response = RpRead()
        used: Index[M] | None = None

        async def open_member() -> oio.Read:
            nonlocal used
            used, key, member = await self._find(path)
            response.metadata = used.describe(key, member)
            check_conditions(response.metadata, args)
            start, end = args.range.resolve(member.size)
            archive = used.archive.through(self._storage)
            return await used.open(archive, member, Window(start, end, args.read_ahead))

        def forget() -> None:
            if used is not None:
                self._index.forget(used)

        return response, MemberBody(open_member, forget)

    async def list(self, path: str, args: OpList) -> tuple[RpList, MemberLister]:
        async def entries() -> Iterator[Entry]:
            return self._entries(await self._present(), path, args)

        return RpList(), MemberLister(entries, args.limit or PAGE_SIZE)

    def _entries(self, index: Index[M], path: str, args: OpList) -> Iterator[Entry]:
        root = self.info.root
        prefix = build_abs_path(root, path)
        after = "" if args.start_after is None else build_abs_path(root, args.start_after)
        walk = index.tree.below if args.recursive else index.tree.children
        for key, member in walk(prefix, after):
            yield Entry(build_rel_path(root, key), index.describe(key, member))

    async def _find(self, path: str) -> tuple[Index[M], str, M]:
        """The index, and the member at a path with its key.

        Raises:
            NotFound: the archive has no such member.
        """
        key = build_abs_path(self.info.root, path)
        held = self._index.held
        index = held or await self._index.get()
        member = index.tree.find(key)
        if member is None and held is not None:
            index = await self._present()
            member = index.tree.find(key)
        if member is None:
            raise NotFound("the archive has no such member")
        return index, key, member

    async def _present(self) -> Index[M]:
        """The index of the present version of the archive."""
        held = self._index.held
        if held is not None:
            with _archive_exists():
                has_changed = await held.archive.through(self._storage).has_changed()
            if has_changed:
                self._index.forget(held)
        return await self._index.get()


@contextmanager
def _archive_exists() -> Iterator[None]:
    """Makes an error of the configuration of the archive's `NotFound`, which would say that a member is missing."""
    try:
        yield
    except NotFound as error:
        raise ConfigInvalid("the archive does not exist", scheme=error.scheme, path=error.path) from error


def _shared_index(
    config: CompositeConfig, context: Context, build: Callable[[], Awaitable[Index[M]]]
) -> SharedIndex[M]:
    """The index of all accessors of one configuration and context, such as those of `op` and `op.at("a/")`.

    It lives as long as one of them, which holds the configuration too.
    """
    indexes: WeakValueDictionary[int, SharedIndex[M]] = context.shared("indexes of archives", WeakValueDictionary)
    index = indexes.get(id(config))
    return index or indexes.setdefault(id(config), SharedIndex(context.runtime, build))


class MemberLister(oio.List):
    """Yields entries in pages.

    Arguments:
        begin: returns the entries, when the first page is requested.
        page_size: the most entries in a page.
    """

    __slots__ = ("_begin", "_entries", "_is_closed", "_page_size")

    def __init__(self, begin: Callable[[], Awaitable[Iterator[Entry]]], page_size: int) -> None:
        self._begin = begin
        self._page_size = page_size
        self._entries: Iterator[Entry] | None = None
        self._is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        check_not_closed(self._is_closed)
        if self._entries is None:
            self._entries = await self._begin()
        return list(islice(self._entries, self._page_size)) or None

    async def close(self) -> None:
        self._is_closed = True
