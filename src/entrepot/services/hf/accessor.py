"""The hf service."""

from __future__ import annotations

from functools import partial
from typing import Final

from entrepot.errors import Error, IsADirectory, NotADirectory, NotFound
from entrepot.raw import (
    AccessorInfo,
    OpCopy,
    OpCreateDir,
    OpList,
    OpRename,
    OpStat,
    OpWrite,
    RpCopy,
    RpCreateDir,
    RpDelete,
    RpList,
    RpRename,
    RpStat,
    RpWrite,
    build_abs_path,
    is_dir_path,
    oio,
)
from entrepot.raw.conditions import check_conditions
from entrepot.raw.effects import note_doubt
from entrepot.raw.http.store import HttpStore
from entrepot.types import Capability, Metadata, Scheme
from entrepot.types.records import replace

from .answers import KEEP, stored_metadata
from .commits import MAX_CHANGES, Change, delete_operation, file_operation
from .core import HfDialect, TreeListing
from .deleter import Deletions
from .hub import Hub
from .repository import check_names
from .writer import HfWriter, check_target

MAX_SIZE: Final = 50 * 1000**3
"""The most bytes of a file that the hub takes by Git LFS."""

READING: Final = Capability(
    stat=True,
    stat_with_if_match=True,
    stat_with_if_none_match=True,
    stat_with_if_modified_since=True,
    stat_with_if_unmodified_since=True,
    read=True,
    read_can_next=True,
    read_with_suffix=True,
    read_with_if_match=True,
    read_with_if_none_match=True,
    list=True,
    list_with_recursive=True,
    shared=True,
)
"""The capability without any token."""

CAPABILITY: Final = replace(
    READING,
    write=True,
    write_can_empty=True,
    write_with_if_match=True,
    write_with_if_none_match=True,
    write_with_if_not_exists=True,
    write_total_max_size=MAX_SIZE,
    create_dir=True,
    delete=True,
    delete_with_if_match=True,
    delete_with_recursive=True,
    delete_max_size=MAX_CHANGES,
    copy=True,
    copy_with_if_not_exists=True,
    copy_with_if_match=True,
    rename=True,
    rename_with_if_not_exists=True,
)


class HfAccessor(HttpStore[HfDialect]):
    """Files in one repository, at one revision.

    Arguments:
        hub: the repository.
        root: the directory of every path, normalized.
        can_write: whether there may be a token.
    """

    def __init__(self, hub: Hub, root: str, *, can_write: bool) -> None:
        repository = hub.client.dialect.repository
        capability = CAPABILITY if can_write else READING
        name = f"{repository.repo_type}s/{repository.repo_id}@{repository.revision}"
        info = AccessorInfo(scheme=Scheme.HF, root=root, name=name, native_capability=capability)
        super().__init__(info, hub.client)
        self._hub = hub
        self._removals = Deletions(hub, root)

    async def stat(self, path: str, args: OpStat) -> RpStat:
        entry = await self._hub.entry(self._name(path))
        if entry is None or (is_dir_path(path) and not entry.is_dir):
            raise NotFound("there is no such file or directory")
        metadata = entry.metadata()
        check_conditions(metadata, args)
        return RpStat(metadata=metadata)

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, oio.Write]:
        return RpWrite(), HfWriter(self._hub, self._name(path), args, MAX_SIZE)

    async def create_dir(self, path: str, args: OpCreateDir) -> RpCreateDir:
        key = self._name(path)
        keeper = f"{key}/{KEEP}"
        entries = await self._hub.entries([key, keeper])
        if key in entries and not entries[key].is_dir:
            raise NotADirectory("the path names a file")
        if keeper not in entries:
            operation = file_operation(keeper, b"")
            await self._hub.commits.commit(Change((operation,), frozenset({keeper}), f"Create {key}/"))
        return RpCreateDir()

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        return RpDelete(), oio.BatchDeleter(self._removals.delete_one, self._removals.delete_many, MAX_CHANGES)

    async def list(self, path: str, args: OpList) -> tuple[RpList, oio.List]:
        listing = self._dialect.listing(self.info.root, path, args)
        return RpList(), oio.PageLister(partial(self._tree_page, listing))

    async def copy(self, source: str, target: str, args: OpCopy) -> tuple[RpCopy, oio.Copy]:
        return RpCopy(), oio.OneShotCopier(partial(self._copy, self._name(source), self._name(target), args))

    async def rename(self, source: str, target: str, args: OpRename) -> RpRename:
        key, new = self._name(source), self._name(target)

        async def plan(revision: str) -> Change:
            entry = await self._hub.file(key, revision=revision)
            await self._check_target(new, OpWrite(if_not_exists=args.if_not_exists), revision)
            moved = await self._hub.copy_operation(entry, new, revision=revision)
            return Change((moved, delete_operation(key)), frozenset({key, new}), f"Rename {key} to {new}")

        try:
            await self._hub.commits.commit_planned(plan)
        except Error as error:
            note_doubt(error)
            raise
        return RpRename()

    def _name(self, path: str) -> str:
        """The path in the repository, without a slash at its end."""
        key = build_abs_path(self.info.root, path)
        check_names(key)
        return key.removesuffix("/")

    async def _tree_page(self, listing: TreeListing, token: str | None) -> oio.Page:
        try:
            return await self._page(listing, token)
        except NotFound:  # of the directory; a missing repository or revision is another error
            return oio.Page([], None)

    async def _copy(self, source: str, target: str, args: OpCopy) -> Metadata:
        entry = await self._hub.file(source)
        operation = await self._hub.copy_operation(entry, target)
        change = Change((operation,), frozenset({target}), f"Copy {source} to {target}")
        conditions = OpWrite(if_not_exists=args.if_not_exists, if_match=args.if_match)

        async def plan(revision: str) -> Change:
            await self._check_target(target, conditions, revision)
            return change

        if conditions == OpWrite():
            await self._hub.commits.commit(change)
        else:
            try:
                await self._hub.commits.commit_planned(plan)
            except Error as error:
                note_doubt(error)
                raise
        return stored_metadata(entry.oid, entry.size, is_lfs=entry.is_lfs)

    async def _check_target(self, key: str, conditions: OpWrite, revision: str) -> None:
        """Checks the target of a copy or rename.

        Raises:
            IsADirectory: a directory is there.
            ConditionNotMatch: a condition does not hold.
        """
        entry = await self._hub.entry(key, revision=revision)
        check_target(entry, conditions)
        if entry is not None and entry.is_dir:
            raise IsADirectory("the target is a directory")
