"""`du`: counts the bytes and objects of trees."""

from __future__ import annotations

from contextlib import aclosing

import click

from entrepot import Error
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.quantities import human_size
from entrepot.cli.selection import described, entries_in, expanded
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("du")
@click.argument("words", type=PLACE, metavar="[PLACE]...", nargs=-1)
@click.option("-h", "--human", "is_human", is_flag=True, help="Sizes in KiB, MiB ...")
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
async def command(session: Session, words: tuple[str, ...], is_human: bool, is_raw: bool) -> None:
    """Count the bytes and objects of trees: a line for each place, of bytes, objects and the place."""
    async with aclosing(expanded(session, words or (".",), is_raw=is_raw, directories=True)) as places:
        async for place in places:
            try:
                found, size, files = await _used(session, place)
            except Error as error:
                session.fail(place.name, error)
                continue
            shown = human_size(size) if is_human else str(size)
            session.output.show(f"{shown:>13} {files:>9} {found.name}", uri=found.name, size=size, files=files)


async def _used(session: Session, place: Place) -> tuple[Place, int, int]:
    """The place as it was found, its bytes and its objects."""
    found, metadata = await described(place)
    if not found.is_directory:
        return found, metadata.content_length or 0, 1
    size = files = 0
    async with aclosing(entries_in(session, found, is_recursive=True)) as entries:
        async for entry in entries:
            if entry.is_file:
                size, files = size + (entry.size or 0), files + 1
    return found, size, files
