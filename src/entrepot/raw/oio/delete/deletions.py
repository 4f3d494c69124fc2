"""Makes deletions of many paths and collects the errors, each with the path and version of its deletion."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from copy import copy

from entrepot.errors import DeletionsFailed, Error
from entrepot.raw.ops import OpDelete

from .api import Delete

Deletion = tuple[str, OpDelete]
"""A path, and the arguments of its deletion."""


def of_deletion(error: Error, path: str, args: OpDelete) -> Error:
    """Sets the path and the version of a deletion in an error, and returns the error."""
    error.path = path
    if isinstance(error, OSError):
        error.filename = path
    if args.version is not None:
        error.context["version"] = args.version
    return error


def failures_of(error: Error, deletions: Iterable[Deletion]) -> Sequence[Error]:
    """Returns one error for each failed deletion: the ones that the error names, or else all of `deletions`."""
    if isinstance(error, DeletionsFailed):
        return error.failures
    return [of_deletion(copy(error), path, args) for path, args in deletions]


def contents_first(deletions: Iterable[Deletion]) -> list[list[Deletion]]:
    """Groups deletions so that each directory is in a later group than everything in it.

    Some stores refuse or ignore the deletion of a directory before its contents are gone, also within one request.
    There are as many groups as directories lie in each other, and one where no directory has contents here.
    """
    deletions = list(deletions)
    heights = dict.fromkeys((path for path, _ in deletions if path.endswith("/")), 0)
    if not heights:
        return [deletions]
    for path in sorted({path for path, _ in deletions}, key=len, reverse=True):
        if above := next((name for name in _directories_above(path) if name in heights), None):
            heights[above] = max(heights[above], heights.get(path, 0) + 1)
    groups: list[list[Deletion]] = [[] for _ in range(max(heights.values()) + 1)]
    for deletion in deletions:
        groups[heights.get(deletion[0], 0)].append(deletion)
    return groups


def _directories_above(path: str) -> Iterator[str]:
    """The directories that a path is in, the nearest first."""
    end = len(path) - 1
    while (end := path.rfind("/", 0, end)) >= 0:
        yield path[: end + 1]
    if path != "/":
        yield "/"


async def make_deletions(
    open_deleter: Callable[[], Awaitable[Delete]], deletions: Iterable[Deletion]
) -> Sequence[Error]:
    """Makes deletions and returns one error for each that failed, with its path and version.

    No deletion is tried twice. A body keeps failed deletions and would try them again, so after a failure a new body
    continues with the rest.

    Arguments:
        open_deleter: opens a body of the service.
        deletions: the deletions to make.
    """
    left = deque(deletions)
    failures = list[Error]()
    while left:
        failures += await _make_until_some_failed(await open_deleter(), left)
    return failures


async def _make_until_some_failed(body: Delete, left: deque[Deletion]) -> Sequence[Error]:
    taken = list[Deletion]()
    failures = list[Error]()
    while left:
        deletion = left.popleft()
        try:
            await body.delete(*deletion)
        except Error as error:
            if taken and isinstance(error, DeletionsFailed):  # of earlier deletions; this one was not taken
                left.appendleft(deletion)
                return [*failures, *error.failures]
            failures += failures_of(error, [deletion])
        else:
            taken.append(deletion)
    return [*failures, *await _failures_at_the_end(body, taken)]


async def _failures_at_the_end(body: Delete, taken: Sequence[Deletion]) -> Sequence[Error]:
    try:
        await body.close()
    except Error as error:
        return failures_of(error, taken)
    return ()
