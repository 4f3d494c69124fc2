"""Which objects the words of a command line mean: patterns are expanded, and directories are recognized."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import click

from entrepot import Entry, EntryMode, Error, Lister, Metadata, NotFound

from .places import Place
from .quantities import DURATION, SIZE
from .session import Session

NO_MATCH = "nothing matches"

Test = Callable[[Entry], bool]

_BOUNDS: Final = (
    click.option("--min-size", type=SIZE, metavar="SIZE", help="Only files of at least this size."),
    click.option("--max-size", type=SIZE, metavar="SIZE", help="Only files of at most this size."),
    click.option("--min-age", type=DURATION, metavar="AGE", help="Only files that were not changed for this time."),
    click.option("--max-age", type=DURATION, metavar="AGE", help="Only files that were changed within this time."),
)


FOLLOW: Final = click.option(
    "--follow-symlinks", "follows_links", is_flag=True,
    help="Follow local symbolic links wherever they lead, also to directories.",
)  # fmt: skip


def with_bounds(function: Any) -> Any:
    """Gives a verb the options that choose files by size and age."""
    for option in reversed(_BOUNDS):
        function = option(function)
    return function


def tests_of_bounds(options: dict[str, Any]) -> list[Test]:
    """The tests that a file must pass, from the values of `with_bounds`. A file of unknown size or time passes none."""
    now = datetime.now(UTC)
    oldest = None if options["max_age"] is None else now - options["max_age"]
    newest = None if options["min_age"] is None else now - options["min_age"]
    return [
        *_between(lambda entry: entry.size, options["min_size"], options["max_size"]),
        *_between(lambda entry: entry.metadata.last_modified, oldest, newest),
    ]


def _between(value_of: Callable[[Entry], Any], least: Any, most: Any) -> list[Test]:
    tests: list[Test] = []
    if least is not None:
        tests.append(lambda entry: (value := value_of(entry)) is not None and value >= least)
    if most is not None:
        tests.append(lambda entry: (value := value_of(entry)) is not None and value <= most)
    return tests


async def expanded(
    session: Session, words: tuple[str, ...], *, is_raw: bool = False, directories: bool = False
) -> AsyncGenerator[Place, None]:
    """Yields the places of words, those of a pattern one by one. A word that fails is reported, and the others go on.

    The caller handles each place before the next one, and reports what fails. After some refusals of the credentials in
    a row, the other places in the same storage are left out, and a pattern is not listed further.

    Arguments:
        session: reports.
        words: the words.
        is_raw: take wildcards as ordinary characters.
        directories: whether a pattern without a slash at its end matches directories too.
    """
    places = [session.find(word) for word in words]
    session.check_values()
    for place in places:
        if session.refusals.are_final(place.operator):
            session.leave_out()
            continue
        is_pattern = place.is_pattern and not is_raw
        meant = matches(session, place, directories=directories) if is_pattern else _alone(place)
        session.refusals.begin()
        try:
            async with aclosing(meant) as found:
                async for match in found:
                    if session.refusals.are_final(place.operator):
                        session.leave_out()
                        break
                    session.refusals.begin()
                    yield match
                    session.refusals.end(place.operator)
        except Error as error:
            session.fail(place.name, error)
            session.refusals.end(place.operator)


async def _alone(place: Place) -> AsyncGenerator[Place, None]:
    yield place


async def matches(session: Session, pattern: Place, *, directories: bool = False) -> AsyncGenerator[Place, None]:
    """Yields what a pattern matches: objects, and then directories. If there is nothing, that is reported.

    A pattern with `**` matches no directories, unless it ends with a slash: the objects in them match it already.
    Directories are listed first, so that one which the caller makes for the objects is not among them.
    """
    has_directories = directories and not pattern.is_directory and "**" not in pattern.path
    found = [entry async for entry in pattern.operator.glob(f"{pattern.path}/")] if has_directories else []
    is_empty = not found
    async with pattern.operator.glob(pattern.path) as lister:  # which lists the same directories, or more
        async for entry in lister:
            is_empty = False
            yield pattern.at(entry.path)
        fail_left_out(session, pattern, lister)
    for entry in found:
        yield pattern.at(entry.path)
    if is_empty:
        session.fail(pattern.name, NotFound(NO_MATCH))


async def entries_in(session: Session, place: Place, *, is_recursive: bool = False) -> AsyncGenerator[Entry, None]:
    """Yields the entries in a directory, without the directory itself. What the listing lacks is reported at its end.

    Arguments:
        session: reports.
        place: the directory.
        is_recursive: with everything below.
    """
    async with place.operator.lister(place.path, recursive=is_recursive) as lister:
        while page := await lister.next_page():
            for entry in page:
                if entry.path != place.path:
                    yield entry
        fail_left_out(session, place, lister)


def fail_left_out(session: Session, place: Place, lister: Lister) -> None:
    """Reports what a listing lacks: directories that may not be read, and names that no path can have."""
    for error in lister.left_out():
        session.fail(place.name_of(error.path or "/"), error)


async def described(place: Place, version: str | None = None) -> tuple[Place, Metadata]:
    """The metadata of a place, which is a directory if it is no object and something is below it.

    Arguments:
        place: the place.
        version: the version; no directory has one.

    Raises:
        NotFound: there is neither.
    """
    if not place.is_directory:
        try:
            metadata = await place.operator.stat(place.path, version=version)
        except NotFound:
            if version is not None or not await has_contents(place):
                raise
            return place.as_directory(), Metadata(EntryMode.DIR)
        return (place.as_directory() if metadata.is_dir else place), metadata
    return place, await place.operator.stat(place.path)


async def has_contents(place: Place) -> bool:
    """Whether anything is below a place."""
    if not place.operator.info.capability.list:
        return False
    async with place.operator.lister(place.as_directory().path, limit=1) as lister:
        async for entry in lister:
            return entry.path != place.as_directory().path or entry.is_dir
    return False
