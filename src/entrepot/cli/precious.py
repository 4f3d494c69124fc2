"""Precious directories: those that nobody means to delete or to empty as a whole.

An empty variable, a stray blank or a misread `~` makes such a command. Every verb that deletes what is in a directory
asks here, for all of its words before it deletes the first thing:

- `rm -r` never deletes the root directory, a directory directly below it, a home directory, the working directory, or
  one above these. `--force` does not change that, since `rm -rf` is a habit; the names of what is in them do.
  It deletes the whole of a storage, such as a bucket or a mounted file system, only with `--force`.
- `mv -r` and `sync --delete` have a use for such directories: a volume in a container, the restoration of a home. They
  empty them only with `--force`, and the working directory without it.

A pattern that matches everything in a directory, such as `d/**`, means the directory, also without `-r`.

Directories are compared as they are written and with their symbolic links resolved, and also those that a remote or a
URI leads to.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from itertools import takewhile
from pathlib import Path
from typing import Final

from entrepot import Error, InvalidInput

from .places import Place
from .session import Session

Check = Callable[[Place], None]

_ANY: Final = frozenset({"*", "**"})
"""The parts of a pattern that match every name."""


async def are_refused(
    session: Session, words: tuple[str, ...], check: Check, *, is_raw: bool = False, directories: bool = True
) -> bool:
    """Whether a check refuses one of the directories that words mean. Each of these is reported.

    Arguments:
        session: reports.
        words: the words whose directories are to be deleted or emptied.
        check: raises `InvalidInput` for a directory.
        is_raw: take wildcards as ordinary characters.
        directories: whether words mean directories too, and not only the files that a pattern matches in them.
    """
    places = [session.find(word) for word in words]
    session.check_values()
    return any([await _is_refused(session, check, place, _directories(place, is_raw, directories)) for place in places])


async def _is_refused(session: Session, check: Check, place: Place, means: AsyncGenerator[Place, None]) -> bool:
    """The same of one word, given the directories that it means.

    A word whose matches cannot be listed is refused: it is not known what it deletes.
    """
    name = place.name
    try:
        async with aclosing(means) as directories:
            async for directory in directories:
                name = directory.name
                check(directory)
    except Error as error:
        session.fail(name, error)
        return True
    return False


def check_for_deletion(place: Place, *, force: bool) -> None:
    """Refuses what `rm -r` does not delete.

    Raises:
        InvalidInput: the directory is precious; or it is a whole storage, and the deletion is not forced.
    """
    if _is_on_this_machine(place):
        names = _names(place)
        if _is_above(names, os.path.realpath(".")):
            raise InvalidInput("the working directory and those above it are not deleted")
        if (kind := _kind(names)) is not None:
            raise InvalidInput(f"{kind} is not deleted as a whole: name what is in it")
        if Path(place.local_path()).is_mount() and not force:
            raise InvalidInput("this is a whole file system: delete all of it with --force")
    if place.path == "/" and not place.is_local and not force:
        raise InvalidInput("this is the whole storage: delete all of it with --force")


def check_for_emptying(place: Place, *, force: bool) -> None:
    """Refuses directories that `mv -r` and `sync --delete` do not empty.

    Raises:
        InvalidInput: the directory is precious, and that is not forced.
    """
    if not force and _is_on_this_machine(place) and (kind := _kind(_names(place))) is not None:
        raise InvalidInput(f"{kind} loses what is in it only with --force (look first: --force --dry-run)")


async def _directories(place: Place, is_raw: bool, directories: bool) -> AsyncGenerator[Place, None]:
    """The place; of a pattern the directory that it empties, or those of this machine that `matches` finds."""
    if is_raw or not place.is_pattern:
        if directories:
            yield place
    elif (emptied := _emptied_by(place)) is not None:
        yield emptied
    elif directories and _is_on_this_machine(place) and (place.is_directory or "**" not in place.path):
        async with place.operator.glob(f"{place.path.rstrip('/')}/") as lister:
            async for entry in lister:
                yield place.at(entry.path)


def _emptied_by(pattern: Place) -> Place | None:
    """The directory all of whose files, at any depth, match a pattern such as `d/**`; None if there is none."""
    names = pattern.path.split("/")
    above = list(takewhile(lambda name: name not in _ANY, names))
    rest = set(names[len(above) :])
    return pattern.at("".join(f"{name}/" for name in above)) if "**" in rest and rest <= _ANY | {""} else None


def _is_on_this_machine(place: Place) -> bool:
    """Whether it is a local path, or in the directory of a remote or a URI."""
    return place.is_local or place.operator.info.scheme == "fs"


def _names(place: Place) -> set[str]:
    """The absolute paths of a place: as it is written, and without symbolic links."""
    written = os.path.join(place.operator.info.root, place.path.lstrip("/"))  # noqa: PTH118
    return {os.path.abspath(written), place.local_path()}  # noqa: PTH100


def _kind(names: set[str]) -> str | None:
    """What makes a directory precious; None if it is an ordinary one, or a file."""
    if "/" in names:
        return "the root directory"
    if any(_is_above(names, home) for home in _homes()):
        return "a home directory, or one above it,"
    if any(path.parent == Path("/") and path.is_dir() for path in map(Path, names)):
        return "a directory directly below the root"
    return None


def _is_above(names: set[str], directory: str) -> bool:
    """Whether one of the names is a directory, or one above it."""
    return any(os.path.commonpath((directory, name)) == name for name in names)


def _homes() -> Iterator[str]:
    """The home directories of the user: of the environment, of the user database, and of the user who called sudo."""
    import pwd  # here, as no other command needs it

    if home := os.environ.get("HOME"):
        yield os.path.realpath(home)
    with suppress(KeyError):  # a container may run under a number that has no name
        yield os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)
    with suppress(KeyError):
        yield os.path.realpath(pwd.getpwnam(os.environ["SUDO_USER"]).pw_dir)
