"""`find`: lists the objects of a tree that match."""

from __future__ import annotations

from typing import Any

import click

from entrepot import Error, PathFilter
from entrepot.cli.completion import PLACE
from entrepot.cli.output import record_of
from entrepot.cli.selection import Test, tests_of_bounds, with_bounds
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("find")
@click.argument("word", type=PLACE, metavar="[PLACE]", default=".")
@click.option("--name", "include", multiple=True, metavar="GLOB", help="Only names that match. Repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No names that match. Repeatable.")
@click.option("--type", "kind", type=click.Choice(["f", "d"]), help="Only files, or only directories.")
@with_bounds
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
    return tests + tests_of_bounds(options)
