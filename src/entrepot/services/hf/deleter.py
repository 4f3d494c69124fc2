"""Deletes files and directories, many in one commit.

git keeps only files. A directory exists while a file is in it, or the empty file `.gitkeep`, which `create_dir` makes.
Deleting a directory deletes that file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from entrepot.errors import Error, InvalidInput, IsADirectory, NotFound
from entrepot.raw import OpDelete, OpWrite, build_abs_path, is_dir_path
from entrepot.raw.effects import note_doubt
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.raw.oio.delete.deletions import Deletion, of_deletion

from .commits import MAX_CHANGES, Change, delete_folder_operation, delete_operation
from .hub import Hub
from .repository import check_names
from .writer import check_target

PLANS: Final = 3
"""How often a commit is planned while others delete the same files."""


@dataclass(slots=True)
class _Plan:
    """What a commit deletes, by path in the repository.

    Attributes:
        files: the files.
        folders: the directories that go with all that is in them.
        failures: the deletions that were refused.
    """

    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    failures: list[Error] = field(default_factory=list)

    def covers(self, key: str) -> bool:
        """Whether a file is deleted by this commit."""
        return key in self.files or self.is_in_folder(key)

    def is_in_folder(self, key: str) -> bool:
        """Whether a directory above a path is deleted with all that is in it."""
        return any(key.startswith(f"{folder}/") for folder in self.folders)

    def changes(self) -> Iterator[Change]:
        """The changes, each of which fits in a commit."""
        folders = {folder for folder in self.folders if not self.is_in_folder(folder)}
        files = {file for file in self.files if not self.is_in_folder(file)}
        keys = [*sorted(folders), *sorted(files)]
        for start in range(0, len(keys), MAX_CHANGES):
            part = keys[start : start + MAX_CHANGES]
            operations = (delete_folder_operation(key) if key in folders else delete_operation(key) for key in part)
            others = f" and {len(part) - 1} more" if len(part) > 1 else ""
            yield Change(tuple(operations), frozenset(part), f"Delete {part[0]}{others}")


class Deletions:
    """Makes the deletions of one repository. Deleting what does not exist succeeds.

    Arguments:
        hub: the repository.
        root: the root of the service, normalized.
    """

    __slots__ = ("_hub", "_root")

    def __init__(self, hub: Hub, root: str) -> None:
        self._hub = hub
        self._root = root

    async def delete_one(self, path: str, args: OpDelete) -> None:
        """Deletes one path.

        Raises:
            IsADirectory: it names a directory that is not empty, or one without its slash.
            ConditionNotMatch: `if_match` does not hold.
        """
        for failure in await self.delete_many([(path, args)]):
            raise failure

    async def delete_many(self, deletions: Sequence[Deletion]) -> list[Error]:
        """Deletes many paths by one commit, and returns the errors of those that were refused."""
        failures, possible = self._checked(deletions)
        plain = [deletion for deletion in possible if deletion[1].if_match is None]
        failures += await self._delete_plain(plain) if plain else []
        for path, args in possible:
            if args.if_match is not None:
                failures += await self._delete_conditionally(path, args)
        return failures

    def _checked(self, deletions: Sequence[Deletion]) -> tuple[list[Error], list[Deletion]]:
        """The errors of the paths that git cannot hold, and the other deletions."""
        failures, possible = list[Error](), list[Deletion]()
        for path, args in deletions:
            try:
                check_names(self._key(path))
            except InvalidInput as error:
                failures.append(of_deletion(error, path, args))
            else:
                possible.append((path, args))
        return failures, possible

    def _key(self, path: str) -> str:
        return build_abs_path(self._root, path).removesuffix("/")

    async def _delete_plain(self, deletions: Sequence[Deletion]) -> list[Error]:
        for left in reversed(range(PLANS)):
            plan = await self._plan(deletions)
            try:
                for change in plan.changes():
                    await self._hub.commits.commit(change)
            except NotFound:  # another process has deleted one of the files meanwhile
                if not left:
                    raise
            else:
                return plan.failures
        return []

    async def _delete_conditionally(self, path: str, args: OpDelete) -> list[Error]:
        key = self._key(path)

        async def plan(revision: str) -> Change:
            check_target(await self._hub.entry(key, revision=revision), OpWrite(if_match=args.if_match))
            return Change((delete_operation(key),), frozenset({key}), f"Delete {key}")

        try:
            await self._hub.commits.commit_planned(plan)
        except Error as error:
            return [of_deletion(note_doubt(error), path, args)]
        return []

    async def _plan(self, deletions: Sequence[Deletion]) -> _Plan:
        plan = _Plan()
        keys = [self._key(path) for path, _ in deletions]
        entries = await self._hub.entries(sorted({key for key in keys if key}))
        refuse = partial(_refuse, plan)
        directories = list[tuple[str, Deletion]]()
        for key, (path, args) in zip(keys, deletions, strict=True):
            entry = entries.get(key)
            is_dir = not key or (entry is not None and entry.is_dir)
            if is_dir and args.recursive:
                await self._delete_below(plan, key)
            elif is_dir and is_dir_path(path):
                directories.append((key, (path, args)))
            elif is_dir:
                refuse(path, args, "the path names a directory: add a slash at its end to delete it")
            elif entry is not None and not is_dir_path(path):
                plan.files.add(key)
        kept = {key for key, _ in directories}
        for key, (path, args) in directories:
            if (keeper := await self._keeper(key, plan, kept)) is None:
                refuse(path, args, NOT_EMPTY)
            else:
                plan.files |= keeper
        return plan

    async def _delete_below(self, plan: _Plan, key: str) -> None:
        """Plans the deletion of a directory with all that is in it."""
        if key:
            plan.folders.add(key)
            return
        async for entry in self._hub.below("", recursive=False):
            (plan.folders if entry.is_dir else plan.files).add(entry.path)

    async def _keeper(self, key: str, plan: _Plan, kept: Iterable[str]) -> set[str] | None:
        """The file that keeps a directory, if nothing else is left in it; None if something is."""
        keeper = set[str]()
        async for entry in self._hub.below(key, recursive=True):
            if entry.is_dir or plan.covers(entry.path):
                continue
            directory = entry.path.rpartition("/")[0]
            if not (entry.keeps_directory and directory in kept):
                return None
            if directory == key and key != self._root.strip("/"):
                keeper.add(entry.path)
        return keeper


def _refuse(plan: _Plan, path: str, args: OpDelete, message: str) -> None:
    plan.failures.append(of_deletion(IsADirectory(message), path, args))
