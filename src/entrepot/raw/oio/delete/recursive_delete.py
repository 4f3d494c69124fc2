"""Recursive deletion for a service that deletes one path at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.errors import DeletionsFailed, Error, InvalidInput, Unexpected
from entrepot.raw.oio.list.api import List
from entrepot.raw.oio.windowed import gather
from entrepot.raw.ops import DEFAULT_DELETE, OpDelete

from .api import Delete
from .deletions import make_deletions

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

CONCURRENT: Final = 8
"""How many requests that delete are in flight."""
MAX_PASSES: Final = 32
"""How often a tree on a flat store is listed anew while there is still something in it."""


class RecursiveDeleter(Delete):
    """Deletes a tree by walking it. Other deletions go to the body of the service as they are.

    Of `"a/"` it deletes all beneath, then the directory itself, and never the object `"a"`. Of `"a"` it deletes
    the same, and the object `"a"` too; never `"ab"`. The root stays. In memory is one page of the walk.

    A server may skip entries of a listing from which some were deleted meanwhile. So on a flat store the
    walk is repeated until it finds nothing.

    Arguments:
        single: the body for deletions that are not recursive.
        open_deleter: gives a body of the service for a batch of deletions.
        walk: opens the listing of all beneath a directory, with each directory after its contents
            unless the store is flat.
        open_window: gives a window for the batches of one page.
        batch: how many deletions the service takes at once; None is any number.
        is_flat: whether directories are only names.
    """

    __slots__ = ("_batch", "_is_flat", "_open_deleter", "_open_window", "_single", "_walk", "close")

    def __init__(
        self,
        single: Delete,
        open_deleter: Callable[[], Awaitable[Delete]],
        walk: Callable[[str], Awaitable[List]],
        open_window: Callable[[], Window[Sequence[Error]]],
        *,
        batch: int | None,
        is_flat: bool,
    ) -> None:
        self._single = single
        self._open_deleter = open_deleter
        self._walk = walk
        self._open_window = open_window
        self._batch = batch
        self._is_flat = is_flat
        self.close = single.close  # type: ignore[method-assign]

    async def delete(self, path: str, args: OpDelete) -> None:
        """Deletes one path, or all beneath it and itself.

        Raises:
            DeletionsFailed: what could not be deleted, each once; all others of the walk were.
            Unexpected: the directory was still not empty after many walks; it is temporary.
            InvalidInput: a version was asked for as well, which is that of one object.
        """
        if not args.recursive:
            if path != "/":
                await self._single.delete(path, args)
        elif args.version is not None:
            raise InvalidInput("a version is that of one object, and cannot be deleted recursively", path=path)
        else:
            await self._delete_tree(path)

    async def _delete_tree(self, path: str) -> None:
        directory = path if path.endswith("/") else f"{path}/"
        was_there = await self._empty(directory)
        _raise_if_any(await self._delete_all(self._own_paths(path, directory, was_there)))

    async def _empty(self, directory: str) -> bool:
        """Deletes what lies in a directory, and tells whether there was one to be deleted itself."""
        was_there = False
        for _ in range(MAX_PASSES):
            has_contents, has_itself = await self._sweep(directory)
            was_there = was_there or has_itself or (has_contents and not self._is_flat)
            if not has_contents or not self._is_flat:
                return was_there
        raise Unexpected(
            f"after {MAX_PASSES} times of deleting all that was there, there is still more",
            path=directory,
            is_temporary=True,
        )

    async def _sweep(self, directory: str) -> tuple[bool, bool]:
        """Walks once and deletes what it meets, but not the directory itself. Tells which of both it met."""
        has_contents = has_itself = False
        failures = list[Error]()
        lister = await self._walk(directory)
        try:
            while (page := await lister.next()) is not None:
                paths = [entry.path for entry in page if entry.path != directory]
                has_itself = has_itself or len(paths) < len(page)
                has_contents = has_contents or bool(paths)
                failures += await self._delete_all(paths)
        finally:
            await lister.close()
        _raise_if_any(failures)
        return has_contents, has_itself

    def _own_paths(self, path: str, directory: str, was_there: bool) -> Sequence[str]:
        """What goes when all beneath is gone: the directory if there was one, and the object if it is meant."""
        if directory == "/":
            return ()
        directories = (directory,) if was_there else ()
        is_object = path != directory and (self._is_flat or not was_there)
        return (*directories, path) if is_object else directories

    async def _delete_all(self, paths: Sequence[str]) -> Sequence[Error]:
        size = self._batch or -(-len(paths) // CONCURRENT) or 1
        batches = (paths[start : start + size] for start in range(0, len(paths), size))
        failures = list[Sequence[Error]]()
        await gather((partial(self._delete_batch, batch) for batch in batches), self._open_window(), failures)
        return [failure for of_batch in failures for failure in of_batch]

    async def _delete_batch(self, paths: Iterable[str]) -> Sequence[Error]:
        return await make_deletions(self._open_deleter, [(path, DEFAULT_DELETE) for path in paths])


def _raise_if_any(failures: Sequence[Error]) -> None:
    if failures:
        raise DeletionsFailed.of(failures)
