"""The metadata of many paths, with a bounded number of requests in flight."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from entrepot.errors import NotADirectory, NotFound
from entrepot.raw import DEFAULT_STAT, Accessor, Context, OpStat, normalize_path
from entrepot.types import Entry, Metadata

from .deleting import Targets
from .iterate import iterate
from .options import Path

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window


async def stat_many(accessor: Accessor, context: Context, targets: Targets, concurrent: int) -> list[Metadata | None]:
    """Returns the metadata of each target, in the order of the targets; None where there is no such object.

    The first other error ends the call.
    """
    results: list[Metadata | None] = []
    window: Window[Metadata | None] = context.runtime.window(concurrent)
    try:
        async with aclosing(iterate(targets)) as items:
            async for target in items:
                if window.is_full():
                    results.append(await window.take())
                window.spawn(partial(_stat_or_none, accessor, *_request_of(target)))
        while window:
            results.append(await window.take())
    finally:
        await window.close()
    return results


def _request_of(target: Path | Entry) -> tuple[str, OpStat]:
    if not isinstance(target, Entry):
        return normalize_path(target), DEFAULT_STAT
    version = target.metadata.version
    return normalize_path(target.path), DEFAULT_STAT if version is None else OpStat(version=version)


async def _stat_or_none(accessor: Accessor, path: str, args: OpStat) -> Metadata | None:
    try:
        return (await accessor.stat(path, args)).metadata
    except (NotFound, NotADirectory):
        return None
