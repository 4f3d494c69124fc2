"""`mkdir`: makes directories."""

from __future__ import annotations

import click

from entrepot import Error
from entrepot.cli.completion import PLACE
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("mkdir")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
async def command(session: Session, words: tuple[str, ...]) -> None:
    """Make directories, with those above them. One that exists is no error.

    An object store has no directories: there an empty object with a slash at its end stands for one.
    """
    places = [session.find(word) for word in words]
    session.check_values()
    for place in places:
        try:
            await place.operator.create_dir(place.as_directory().path)
        except Error as error:
            session.fail(place.name, error)
