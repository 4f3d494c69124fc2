"""Deletions of many paths, and the errors of those that failed, which say whose they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import copy

from entrepot.errors import DeletionsFailed, Error
from entrepot.raw.ops import OpDelete

from .api import Delete

Deletion = tuple[str, OpDelete]
"""A path, and how it is to be deleted."""


def of_deletion(error: Error, path: str, args: OpDelete) -> Error:
    """The same error with the path and the version of a deletion, whatever it was said to be about before."""
    error.path = path
    if isinstance(error, OSError):
        error.filename = path
    if args.version is not None:
        error.context["version"] = args.version
    return error


def failures_of(error: Error, asked: Iterable[Deletion]) -> Sequence[Error]:
    """One error for each deletion that failed: those that the error names, or else all that were asked for."""
    if isinstance(error, DeletionsFailed):
        return error.failures
    return [of_deletion(copy(error), path, args) for path, args in asked]


async def make_deletions(
    open_deleter: Callable[[], Awaitable[Delete]], deletions: Iterable[Deletion]
) -> Sequence[Error]:
    """Makes deletions and returns the errors of those that failed, one for each, with its path and version.

    None is tried twice. A body keeps what failed and would try it again, so a new one goes on with the others.

    Arguments:
        open_deleter: gives a body of the service.
        deletions: what is to be deleted.
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
            if taken and isinstance(error, DeletionsFailed):  # of those before; this one was not taken
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
