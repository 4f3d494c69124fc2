"""Directories of keys, which exist only because a key has their name in it, and what moves check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Final

from entrepot import ConditionNotMatch, DeletionsFailed, Entry, EntryMode, InvalidInput, IsADirectory, Metadata

_identity_of: Final = attrgetter("etag", "version", "content_length", "last_modified")
"""What changes when a file is written to, as far as its storage says."""


def check_may_move(source: str, target: str) -> None:
    """Checks the paths of a move of a directory.

    Arguments:
        source: the directory, with or without slashes at its ends.
        target: its new path.

    Raises:
        InvalidInput: the target is the directory itself, or is in it.
    """
    outer = f"{source.strip('/')}/"
    if outer == "/" or f"{target.strip('/')}/".startswith(outer):
        raise InvalidInput("a directory cannot be moved into itself", path=source)


def check_moves(sources: Sequence[str], targets: Sequence[str]) -> None:
    """Checks that a move of several files loses none of them.

    Arguments:
        sources: the paths of the files and directories.
        targets: the new path of each.

    Raises:
        InvalidInput: two have the same new path, or one is moved to a path that another one has before the move.
    """
    if len(set(targets)) < len(targets):
        raise InvalidInput("two files would be moved to the same path")
    if overwritten := set(sources).intersection(targets):
        raise InvalidInput("a file would be overwritten before it is moved", path=min(overwritten))


def check_unchanged(path: str, before: Metadata, now: Metadata) -> None:
    """Checks that a file that was copied may be deleted: what was written to it meanwhile would be lost.

    Arguments:
        path: the file.
        before: its metadata from before it was copied.
        now: its metadata.

    Raises:
        ConditionNotMatch: it was changed.
    """
    if _identity_of(before) != _identity_of(now):
        raise ConditionNotMatch("the file was changed after it was copied, and stays", path=path)


@contextmanager
def keeping_what_is_not_empty() -> Iterator[None]:
    """Around a deletion of directories: one that another program has put something into stays."""
    try:
        yield
    except DeletionsFailed as failed:
        if not all(isinstance(error, IsADirectory) for error in failed.failures):
            raise


def with_directories(entries: Iterable[Entry], base: str) -> Iterator[Entry]:
    """Yields the entries of a recursive listing, and one for each directory above them that was not listed.

    Arguments:
        entries: the listing.
        base: the directory that was listed, with a trailing slash; `"/"` is the root. It is not made up.
    """
    above = 0 if base == "/" else len(base)
    seen = {"", base}
    for entry in entries:
        if entry.path in seen and entry.path != base:
            continue
        for directory in _parents(entry.path, above):
            if directory not in seen:
                seen.add(directory)
                yield Entry(directory, Metadata(EntryMode.DIR))
        seen.add(entry.path)
        yield entry


def _parents(path: str, above: int) -> Iterator[str]:
    """The directories of a path below the base, the highest first."""
    end = path.find("/", above)
    while 0 <= end < len(path) - 1:
        yield path[: end + 1]
        end = path.find("/", end + 1)
