"""`find`: lists the objects of a tree that match."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from entrepot import Entry, Error, PathFilter
from entrepot.cli.completion import PLACE
from entrepot.cli.output import record_of
from entrepot.cli.quantities import DURATION, SIZE
from entrepot.cli.session import Session
from entrepot.cli.verb import verb

Test = Callable[[Entry], bool]


@verb("find")
@click.argument("word", type=PLACE, metavar="[PLACE]", default=".")
@click.option("--name", "include", multiple=True, metavar="GLOB", help="Only names that match. Repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No names that match. Repeatable.")
@click.option("--type", "kind", type=click.Choice(["f", "d"]), help="Only files, or only directories.")
@click.option("--min-size", type=SIZE, metavar="SIZE", help="Only files of at least this size.")
@click.option("--max-size", type=SIZE, metavar="SIZE", help="Only files of at most this size.")
@click.option("--min-age", type=DURATION, metavar="AGE", help="Only files that were not changed for this time.")
@click.option("--max-age", type=DURATION, metavar="AGE", help="Only files that were changed within this time.")
async def command(session: Session, word: str, **options: Any) -> None:
    """List the objects below a place that match all of the options, one a line.

    A GLOB without a slash is compared with the name, another one with the path below PLACE.
    """
    place = session.find(word).as_directory()
    session.check_values()
    tests = _tests(options, len(place.prefix))
    try:
        await place.operator.stat(place.path)  # a mistyped directory is not an empty one
        async with place.operator.lister(place.path, recursive=True) as lister:
            async for entry in lister:
                if entry.path != place.path and all(test(entry) for test in tests):
                    name = place.name_of(entry.path)
                    session.output.show(name, **record_of(entry, name))
    except Error as error:
        session.fail(place.name, error)


def _tests(options: dict[str, Any], skipped: int) -> list[Test]:
    accepts = PathFilter(options["include"], options["exclude"]).accepts
    tests: list[Test] = [lambda entry: accepts(entry.path[skipped:].rstrip("/"))]
    if options["kind"] is not None:
        tests.append(lambda entry: entry.is_dir == (options["kind"] == "d"))
    if options["min_size"] is not None:
        tests.append(lambda entry: entry.size is not None and entry.size >= options["min_size"])
    if options["max_size"] is not None:
        tests.append(lambda entry: entry.size is not None and entry.size <= options["max_size"])
    if options["min_age"] is not None:
        tests.append(lambda entry: (age := _age(entry)) is not None and age >= options["min_age"])
    if options["max_age"] is not None:
        tests.append(lambda entry: (age := _age(entry)) is not None and age <= options["max_age"])
    return tests


def _age(entry: Entry) -> timedelta | None:
    changed = entry.metadata.last_modified
    return None if changed is None else datetime.now(UTC) - changed
