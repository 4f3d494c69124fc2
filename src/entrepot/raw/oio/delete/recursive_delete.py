"""Recursive deletion for services that delete single paths.

Theory of operation. The tree is walked, contents before directories, and the paths of each page are deleted in batches,
several at a time in a window; then the directory itself is deleted. On a flat store, where directories are only names,
a server may skip entries of a listing while entries are deleted from it, so there the walk is repeated until it finds
nothing. There a directory may also be listed before its contents, and some servers keep one that is deleted before them
or in the same request: it is deleted once a page has ended outside of it. Failures are collected during a walk and
raised as one `DeletionsFailed` at its end, after all other deletions of it. What the listing leaves out is not deleted,
so it is a failure too. A cancellation leaves a tree that is partly deleted; calling again deletes the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.errors import DeletionsFailed, Error, InvalidInput, IsADirectory, Unexpected
from entrepot.raw.oio.list.api import List
from entrepot.raw.oio.windowed import gather
from entrepot.raw.ops import DEFAULT_DELETE, OpDelete

from .api import NOT_EMPTY, Delete
from .deletions import contents_first, make_deletions

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

CONCURRENT: Final = 8
"""The number of deleting requests in flight."""
MAX_PASSES: Final = 32
"""The most walks of a tree on a flat store that still has entries."""


class RecursiveDeleter(Delete):
    """Deletes a tree by walking it. Deletions that are not recursive go to the service's body.

    A flat store would delete the name of a directory and leave its contents, so a deletion that is not recursive is
    checked there: a directory that is not empty is refused, as a file system does. Contents that were deleted through
    this body before do not count, because the service's body may still hold their deletions back.

    For `"a/"` it deletes all contents, then the directory itself, and never the object `"a"`. For `"a"` it deletes
    the same and the object `"a"` too; never `"ab"`. The root stays. One page of the walk is in memory.

    Arguments:
        single: the body for deletions that are not recursive.
        open_deleter: opens a body of the service for a batch of deletions.
        walk: opens the recursive listing of a directory, with each directory after its contents
            unless the store is flat.
        open_window: makes a window for the batches of one page.
        batch: the most deletions in a request of the service; None is any number.
        is_flat: whether directories are only names.
        has_contents: whether a directory has contents other than these paths; None if the body checks it.
    """

    __slots__ = (
        "_batch",
        "_deleted",
        "_has_contents",
        "_is_flat",
        "_open_deleter",
        "_open_window",
        "_single",
        "_walk",
        "close",
    )

    def __init__(
        self,
        single: Delete,
        open_deleter: Callable[[], Awaitable[Delete]],
        walk: Callable[[str], Awaitable[List]],
        open_window: Callable[[], Window[Sequence[Error]]],
        *,
        batch: int | None,
        is_flat: bool,
        has_contents: Callable[[str, Collection[str]], Awaitable[bool]] | None = None,
    ) -> None:
        self._single = single
        self._open_deleter = open_deleter
        self._walk = walk
        self._open_window = open_window
        self._batch = batch
        self._is_flat = is_flat
        self._has_contents = has_contents
        self._deleted: set[str] = set()
        self.close = single.close  # type: ignore[method-assign]

    async def delete(self, path: str, args: OpDelete) -> None:
        """Deletes one path, or a path and all of its contents.

        Raises:
            IsADirectory: the directory is not empty, and the deletion is not recursive.
            DeletionsFailed: some deletions failed, with one error each; all others of the walk were made.
            Unexpected: the directory was still not empty after many walks. Temporary.
            InvalidInput: a recursive deletion names a version or an etag, which identifies one object.
        """
        if not args.recursive:
            await self._delete_single(path, args)
        elif args.version is not None or args.if_match is not None:
            raise InvalidInput(
                "version and if_match identify one object, which cannot be deleted recursively: leave out recursive",
                path=path,
            )
        else:
            await self._delete_tree(path)

    async def _delete_single(self, path: str, args: OpDelete) -> None:
        if self._has_contents is not None and args.version is None:
            if path.endswith("/") and await self._has_contents(path, self._deleted):
                raise IsADirectory(NOT_EMPTY, path=path)
            self._deleted.add(path)
        if path != "/":
            await self._single.delete(path, args)

    async def _delete_tree(self, path: str) -> None:
        directory = path if path.endswith("/") else f"{path}/"
        was_there = await self._empty(directory)
        _raise_if_any(await self._delete_all(self._own_paths(path, directory, was_there)))

    async def _empty(self, directory: str) -> bool:
        """Deletes the contents of a directory. Returns whether the directory itself exists and must be deleted."""
        was_there = False
        for _ in range(MAX_PASSES):
            has_contents, has_itself = await self._sweep(directory)
            was_there = was_there or has_itself or (has_contents and not self._is_flat)
            if not has_contents or not self._is_flat:
                return was_there
        raise Unexpected(
            f"the directory still has entries after {MAX_PASSES} walks that deleted all they found",
            path=directory,
            is_temporary=True,
        )

    async def _sweep(self, directory: str) -> tuple[bool, bool]:
        """Walks once and deletes all contents. Returns whether it found contents, and the directory's own entry."""
        has_contents = has_itself = False
        failures, open_directories = list[Error](), list[str]()
        lister = await self._walk(directory)
        try:
            while (page := await lister.next()) is not None:
                paths = [entry.path for entry in page if entry.path != directory]
                has_itself = has_itself or len(paths) < len(page)
                has_contents = has_contents or bool(paths)
                if self._is_flat:
                    paths, open_directories = _split_open([*open_directories, *paths], page[-1].path)
                failures += await self._delete_all(paths)
            failures += await self._delete_all(open_directories)
            failures += [each.as_error() for each in lister.left_out()]
        finally:
            await lister.close()
        _raise_if_any(failures)
        return has_contents, has_itself

    def _own_paths(self, path: str, directory: str, was_there: bool) -> Sequence[str]:
        """Returns the paths to delete last: the directory if it exists, and the object if `path` means it."""
        if directory == "/":
            return ()
        directories = (directory,) if was_there else ()
        is_object = path != directory and (self._is_flat or not was_there)
        return (*directories, path) if is_object else directories

    async def _delete_all(self, paths: Sequence[str]) -> Sequence[Error]:
        failures = list[Sequence[Error]]()
        for group in contents_first((path, DEFAULT_DELETE) for path in paths):
            size = self._batch or -(-len(group) // CONCURRENT) or 1
            batches = (group[start : start + size] for start in range(0, len(group), size))
            calls = (partial(make_deletions, self._open_deleter, batch) for batch in batches)
            await gather(calls, self._open_window(), failures)
        return [failure for of_batch in failures for failure in of_batch]


def _split_open(paths: Iterable[str], last: str) -> tuple[list[str], list[str]]:
    """Splits paths into those that can be deleted, and the directories that the listing has not left yet.

    Arguments:
        paths: the paths that were listed.
        last: the one that was listed last.
    """
    complete, still_open = list[str](), list[str]()
    for path in paths:
        (still_open if path.endswith("/") and last.startswith(path) else complete).append(path)
    return complete, still_open


def _raise_if_any(failures: Sequence[Error]) -> None:
    if failures:
        raise DeletionsFailed.of(failures)
