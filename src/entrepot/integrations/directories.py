"""Directories of keys: those that exist only because a key has their name in it, and those that are moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from entrepot import Entry, EntryMode, InvalidInput, Metadata


def check_may_move(source: str, target: str) -> None:
    """Checks the paths of a move of a directory, whose last step deletes the source with all that is in it then.

    Arguments:
        source: the directory, with or without slashes at its ends.
        target: its new path.

    Raises:
        InvalidInput: the target is the directory itself, or is in it.
    """
    outer = f"{source.strip('/')}/"
    if outer == "/" or f"{target.strip('/')}/".startswith(outer):
        raise InvalidInput("a directory cannot be moved into itself", path=source)


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
