"""`Move`: how the file systems move files, so that none is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from glob import has_magic
from typing import TYPE_CHECKING, Any

from fsspec.utils import glob_translate

from entrepot import ConditionNotMatch, InvalidInput, IsADirectory, Metadata, NotADirectory, NotFound
from entrepot.integrations.directories import (
    check_may_move,
    check_moves,
    check_unchanged,
    keeping_what_is_not_empty,
)

from .pairs import one_or_list

if TYPE_CHECKING:
    from .filesystem import OperatorsFileSystem


class Move:
    """A move of files: a rename of one where the storage can, and otherwise a copy, then a deletion.

    Only what was copied is deleted, and only if it is as it was before the copy.

    Arguments:
        fs: the file system of both paths. Its own coroutines copy and delete, so that a subclass may change them.
    """

    def __init__(self, fs: OperatorsFileSystem) -> None:
        self._fs = fs

    async def file(self, path1: str, path2: str) -> None:
        """Moves one file to another name.

        Raises:
            NotFound: it does not exist.
            ConditionNotMatch: it was changed after it was copied. Both names stay.
        """
        source, target = self._fs.located(path1), self._fs.located(path2)
        if source.operator is target.operator and source.operator.info.capability.rename:
            await source.operator.rename(source.key, target.key)
        else:
            before = await source.operator.stat(source.key)
            await source.copy_to(target)
            await self._delete_copied({path1: before})
        self._fs.forget_above(path1)
        self._fs.forget_above(path2)

    async def __call__(
        self, path1: Any, path2: Any, *, recursive: bool = False, maxdepth: int | None = None, **options: Any
    ) -> None:
        """Moves what the paths mean: see `OperatorsFileSystem.mv`."""
        path1, path2 = one_or_list(path1), one_or_list(path2)
        if path1 == path2:
            return
        if isinstance(path1, str) and isinstance(path2, str):
            if await self._is_rename(path1, path2):
                await self._fs._mv_file(path1, path2)
                return
            await self._check_is_apart(path1, path2, recursive=recursive)
        if recursive:
            await self._check_is_listed_whole([path1] if isinstance(path1, str) else path1)
        sources, targets = await self._fs._pairs(path1, path2, self._fs._isdir, recursive=recursive, maxdepth=maxdepth)
        strip = self._fs._strip_protocol
        check_moves([*map(strip, sources)], [*map(strip, targets)])
        copied, directories = await self._files_and_directories(sources)
        if not sources or (directories and not (recursive and isinstance(path2, str))):
            message = "the path names a directory: recursive=True moves it with its content, to one path"
            raise IsADirectory(message, path=min(directories, default=path1))
        await self._fs._copy(sources, targets, on_error="raise", **options)
        await self._delete_copied(copied, directories)

    async def _is_rename(self, path1: str, path2: str) -> bool:
        """Whether a move is of one file to another name: nothing to expand, and no directory to move it into."""
        strip = self._fs._strip_protocol
        if has_magic(path1) or path2.endswith("/") or strip(path1) == strip(path2):
            return False
        return await self._fs._isfile(path1) and not await self._fs._isdir(path2)

    async def _check_is_apart(self, path1: str, path2: str, *, recursive: bool) -> None:
        """Checks that no directory is moved into itself.

        Raises:
            InvalidInput: the target is in a directory that is moved, or that the pattern may mean.
        """
        source, target = self._fs._strip_protocol(path1), self._fs._strip_protocol(path2)
        if not has_magic(path1):
            if await self._fs._isdir(path1):
                check_may_move(source, target)
        elif recursive:
            matches = re.compile(glob_translate(source)).match
            names = target.split("/")
            if any(matches("/".join(names[:count])) for count in range(1, len(names) + 1)):
                raise InvalidInput("the pattern means the directory that it is moved into, too", path=path1)

    async def _check_is_listed_whole(self, paths: Iterable[str]) -> None:
        """Checks that the listing of each directory lacks nothing, which the move would leave behind.

        Raises:
            Error: the first one of `Lister.left_out`.
        """
        for path in paths:
            for name in await self._fs._glob(path) if has_magic(path) else [path]:
                if await self._fs._isdir(name):
                    located = self._fs.located(name)
                    async with located.operator.lister(located.directory, recursive=True) as lister:
                        while await lister.next_page():
                            pass
                    for error in lister.left_out():
                        raise error

    async def _files_and_directories(self, paths: list[str]) -> tuple[dict[str, Metadata], set[str]]:
        """The metadata of the files among paths, and the directories among them."""
        found = dict(zip(paths, await self._fs._each(self._file_metadata, paths), strict=True))
        files = {path: metadata for path, metadata in found.items() if metadata is not None}
        return files, found.keys() - files.keys()

    async def _file_metadata(self, path: str) -> Metadata | None:
        """The metadata of a file, and not that of a cached listing; None of a directory."""
        located = self._fs.located(path)
        try:
            metadata = await located.operator.stat(located.key or "/")
        except (NotFound, NotADirectory):
            if not await self._fs._isdir(path):
                raise
            return None
        return None if metadata.is_dir else metadata

    async def _delete_copied(self, files: dict[str, Metadata], directories: Iterable[str] = ()) -> None:
        """Deletes files that were copied, by their metadata of before, and then the directories that are empty.

        Raises:
            ConditionNotMatch: a file was changed meanwhile, and stays. All others are deleted.
        """
        same, changes = [], []

        async def compare(path: str) -> None:
            located = self._fs.located(path)
            try:
                check_unchanged(path, files[path], await located.operator.stat(located.key))
            except ConditionNotMatch as change:
                changes.append(change)
            except NotFound:
                return  # another program has deleted it
            else:
                same.append(path)

        await self._fs._each(compare, files)
        await self._fs._rm_all(same)
        with keeping_what_is_not_empty():
            await self._fs._rm_all(directories, as_directories=True)
        for change in changes:
            raise change
