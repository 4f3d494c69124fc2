"""`find`: lists the objects of a tree that match."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import click

from entrepot import Entry, Error, NotADirectory, NotFound, PathFilter
from entrepot.cli.completion import PLACE
from entrepot.cli.output import record_of
from entrepot.cli.places import Place
from entrepot.cli.selection import Test, entries_in, expanded, tests_of_bounds, with_bounds
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("find")
@click.argument("word", type=PLACE, metavar="[PLACE]", default=".")
@click.option("--name", "include", multiple=True, metavar="GLOB", help="Only names that match. Repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No names that match. Repeatable.")
@click.option("--type", "kind", type=click.Choice(["f", "d"]), help="Only files, or only directories.")
@with_bounds
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards of PLACE are ordinary characters.")
async def command(session: Session, word: str, is_raw: bool, **options: Any) -> None:
    """List the objects below a place that match all of the options, one a line.

    A PLACE that is no directory is compared itself. A GLOB without a slash is compared with the name, another one with
    the path below PLACE. Where PLACE has wildcards, the objects and directories that match it are searched.
    """
    place = session.find(word)
    if is_raw or not place.is_pattern:
        session.check_values()
        try:
            place = await _start(place)
        except Error as error:
            session.fail(place.name, error)
        else:
            await _search(session, place, options)
        return
    async with aclosing(expanded(session, (word,), directories=True)) as matches:
        async for match in matches:
            await _search(session, match, options)


async def _start(place: Place) -> Place:
    """Where the search starts: the directory, or the object if there is no such directory.

    Raises:
        NotFound: there is neither. A mistyped directory is not an empty one.
    """
    directory = place.as_directory()
    try:
        await directory.operator.stat(directory.path)
    except (NotFound, NotADirectory):
        await place.operator.stat(place.path)
        return place
    return directory


async def _search(session: Session, place: Place, options: dict[str, Any]) -> None:
    tests = _tests(options, len(place.prefix) if place.is_directory else place.path.rfind("/") + 1)
    try:
        if not place.is_directory:
            _show(session, place, Entry(place.path, await place.operator.stat(place.path)), tests)
            return
        async with aclosing(entries_in(session, place, is_recursive=True)) as entries:
            async for entry in entries:
                _show(session, place, entry, tests)
    except Error as error:
        session.fail(place.name, error)


def _show(session: Session, place: Place, entry: Entry, tests: list[Test]) -> None:
    if all(test(entry) for test in tests):
        name = place.name_of(entry.path)
        session.output.show(name, **record_of(entry, name))


def _tests(options: dict[str, Any], skipped: int) -> list[Test]:
    accepts = PathFilter(options["include"], options["exclude"]).accepts
    tests: list[Test] = [lambda entry: accepts(entry.path[skipped:].rstrip("/"))]
    if options["kind"] is not None:
        tests.append(lambda entry: entry.is_dir == (options["kind"] == "d"))
    return tests + tests_of_bounds(options)
