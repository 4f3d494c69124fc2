"""`stat`: shows the metadata of objects."""

from __future__ import annotations

from contextlib import aclosing

import click

from entrepot import Error
from entrepot.cli.completion import PLACE
from entrepot.cli.output import record_of_metadata
from entrepot.cli.quantities import human_size
from entrepot.cli.selection import described, expanded
from entrepot.cli.session import Session
from entrepot.cli.verb import verb
from entrepot.cli.versions import VERSION, check_one_object


@verb("stat")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@VERSION
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
async def command(session: Session, words: tuple[str, ...], version: str | None, is_raw: bool) -> None:
    """Show the metadata of objects and directories."""
    check_one_object(session, words, version, is_raw=is_raw)
    async with aclosing(expanded(session, words, is_raw=is_raw, directories=True)) as places:
        async for place in places:
            try:
                found, metadata = await described(place, version)
            except Error as error:
                session.fail(place.name, error)
                continue
            record = {"uri": found.name, **record_of_metadata(metadata)}
            session.output.show(_text(record), **record)


def _text(record: dict[str, object]) -> str:
    width = max(map(len, record)) + 1
    return "\n".join(f"{name + ':':<{width}} {_shown(name, value)}" for name, value in record.items())


def _shown(name: str, value: object) -> object:
    if name == "size" and isinstance(value, int):
        return f"{value} ({human_size(value)})" if value >= 1024 else value
    return value
