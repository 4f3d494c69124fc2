"""`check`: says whether a storage can be reached with these credentials."""

from __future__ import annotations

import click

from entrepot import Error
from entrepot.cli.completion import PLACE
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("check")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
async def command(session: Session, words: tuple[str, ...]) -> None:
    """Say whether storages can be reached and listed with these credentials."""
    places = [session.find(word) for word in words]
    session.check_values()
    for place in places:
        try:
            await place.operator.check()
        except Error as error:
            session.fail(place.name, error)
        else:
            info = place.operator.info
            root = place.at("/").name
            session.output.show(f"ok: {root}", uri=root, scheme=str(info.scheme), is_reachable=True)
