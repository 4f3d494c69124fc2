"""`du`: counts the bytes and objects of trees."""

from __future__ import annotations

import click

from entrepot import Error
from entrepot.cli.completion import PLACE
from entrepot.cli.quantities import human_size
from entrepot.cli.selection import described
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("du")
@click.argument("words", type=PLACE, metavar="[PLACE]...", nargs=-1)
@click.option("-h", "--human", "is_human", is_flag=True, help="Sizes in KiB, MiB ...")
async def command(session: Session, words: tuple[str, ...], is_human: bool) -> None:
    """Count the bytes and objects of trees: a line for each place, of bytes, objects and the place."""
    places = [session.find(word) for word in words or (".",)]
    session.check_values()
    for place in places:
        try:
            found, metadata = await described(place)
            size, files = metadata.content_length or 0, 1
            if found.is_directory:
                usage = await found.operator.du(found.path)
                size, files = usage.size, usage.files
        except Error as error:
            session.fail(place.name, error)
            continue
        shown = human_size(size) if is_human else str(size)
        session.output.show(f"{shown:>13} {files:>9} {found.name}", uri=found.name, size=size, files=files)
