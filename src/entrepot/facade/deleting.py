"""Deletions: of one path, and of many with a bounded number of requests in flight."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from entrepot.errors import DeletionsFailed, Error, InvalidInput
from entrepot.raw import DEFAULT_DELETE, Accessor, Context, OpDelete, get_parent, is_dir_path, normalize_path, oio
from entrepot.raw.oio.delete.deletions import Deletion, contents_first, failures_of, make_deletions
from entrepot.types import Entry
from entrepot.types.shown import shown_type

from .iterate import iterate
from .options import Path
from .refusals import Refusals

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

Targets = Iterable[Path | Entry] | AsyncIterable[Path | Entry]


async def delete_one(accessor: Accessor, path: str, args: OpDelete) -> None:
    """Makes one deletion."""
    body = await _open_deleter(accessor)
    await body.delete(path, args)
    await body.close()


async def delete_many(accessor: Accessor, context: Context, targets: Targets, concurrent: int) -> None:
    """Makes many deletions, in batches as large as the service allows. Directories are deleted last, the deepest first.

    For an entry with a version, that version is deleted. For a deletion mark, this restores the object, so directories
    above it stay.

    Raises:
        DeletionsFailed: some deletions failed, each of which it names once; all others were made. It names also those
            that were not tried, because the storage refused the credentials several times in a row.
    """
    size = accessor.info.capability.delete_max_size or 1
    directories: list[Deletion] = []
    above_versions: set[str] = set()
    failures: list[Error] = []
    refusals = Refusals()
    batches: Window[Sequence[Error]] = context.runtime.window(concurrent)
    try:
        async with aclosing(_in_batches(targets, size, directories, above_versions)) as sized:
            async for batch in sized:
                if batches.is_full():
                    failures += await batches.take()
                batches.spawn(partial(_delete_batch, accessor, batch, refusals))
        while batches:
            failures += await batches.take()
    finally:
        await batches.close()
    directories = [deletion for deletion in directories if deletion[1].version or deletion[0] not in above_versions]
    for group in contents_first(directories):
        for start in range(0, len(group), size):
            failures += await _delete_batch(accessor, group[start : start + size], refusals)
    if failures:
        for failure in failures:
            failure.add_context(scheme=accessor.info.scheme)
        raise DeletionsFailed.of(failures)


def check_targets(targets: Any) -> None:
    """Checks the argument of `delete_many`, and each target in it if it is a sequence.

    Raises:
        InvalidInput: it is a single target, or a target is invalid.
    """
    if isinstance(targets, str | os.PathLike | Entry | Mapping) or not isinstance(targets, Iterable | AsyncIterable):
        raise InvalidInput(f"many paths or entries are needed, in an iterable, not {shown_type(targets)}")
    if isinstance(targets, Sequence):
        for target in targets:
            _deletion_of(target)


def _deletion_of(target: Path | Entry) -> Deletion:
    if not isinstance(target, Entry):
        return normalize_path(target), DEFAULT_DELETE
    version = target.metadata.version
    return normalize_path(target.path), DEFAULT_DELETE if version is None else OpDelete(version=version)


async def _in_batches(
    targets: Targets, size: int, directories: list[Deletion], above_versions: set[str]
) -> AsyncGenerator[list[Deletion], None]:
    """Yields batches of deletions of files. Directories are collected, because their contents may come later.

    So are the paths of the directories above each version that is deleted.
    """
    batch: list[Deletion] = []
    async with aclosing(iterate(targets)) as items:
        async for target in items:
            deletion = _deletion_of(target)
            if deletion[1].version is not None:
                above_versions.update(_directories_above(deletion[0]))
            (directories if is_dir_path(deletion[0]) else batch).append(deletion)
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def _directories_above(path: str) -> Iterator[str]:
    while path != "/":
        path = get_parent(path)
        yield path


async def _delete_batch(accessor: Accessor, batch: Sequence[Deletion], refusals: Refusals) -> Sequence[Error]:
    """Makes deletions, and returns the error of each that failed. Once credentials are refused, nothing is sent."""
    if refusals.final is not None:
        return failures_of(refusals.final, batch)
    failures = await make_deletions(partial(_open_deleter, accessor), batch)
    refusals.note(failures[0] if len(failures) == len(batch) else None)
    return failures


async def _open_deleter(accessor: Accessor) -> oio.Delete:
    _, body = await accessor.delete()
    return body
