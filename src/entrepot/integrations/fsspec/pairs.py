"""The pairs of source and target of `copy`, `get`, `put` and `mv`, by the rules of fsspec."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from fsspec.utils import other_paths, stringify_path

from entrepot import InvalidInput


def one_or_list(paths: Any) -> str | list[str]:
    """Returns one path as a string, and several as a list.

    fsspec takes a list alone for several paths in the order of the caller. It would sort those of a tuple, and so pair
    each with the target of another.
    """
    return str(stringify_path(paths)) if isinstance(paths, str | os.PathLike) else [*map(stringify_path, paths)]


def targets_of(
    paths: Sequence[str], target: str, *, keeps_name: bool = False, in_one_directory: bool = False
) -> list[str]:
    """Returns the path of the copy of each file and directory.

    Arguments:
        paths: the sources.
        target: the path that replaces the one that all sources begin with.
        keeps_name: keep the last name of the path that is replaced. By default False.
        in_one_directory: put all copies directly below the target. By default False.
    """
    if not paths:
        return []
    # fsspec would take a name without a slash for one without a parent, and keep no name of it.
    rooted = [f"/{path.lstrip('/')}" for path in paths]
    targets: list[str] = other_paths(rooted, target, exists=keeps_name, flatten=in_one_directory)
    return targets


def check_pairs(sources: Sequence[str], targets: Sequence[str]) -> None:
    """Checks that each source has a target: one without would not be copied, and a move would delete it.

    Raises:
        InvalidInput: there are fewer or more targets.
    """
    if len(sources) != len(targets):
        raise InvalidInput(f"there are {len(sources)} sources and {len(targets)} targets")


def check_stays_below(directory: str, paths: Iterable[str]) -> None:
    """Checks that no name of a listing, such as `..`, leads out of a local directory.

    Raises:
        InvalidInput: a path is neither the directory nor in it.
    """
    root = os.path.abspath(directory)  # noqa: PTH100 - no I/O
    for path in paths:
        if os.path.commonpath([root, os.path.abspath(path)]) != root:  # noqa: PTH100
            raise InvalidInput("a name of the source leads out of the target directory", path=path)
