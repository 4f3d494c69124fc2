"""`cat`: writes objects to the standard output."""

from __future__ import annotations

from contextlib import aclosing

import click

from entrepot import BytesRange, Error
from entrepot.cli.completion import PLACE
from entrepot.cli.places import is_standard
from entrepot.cli.quantities import RANGE
from entrepot.cli.selection import expanded
from entrepot.cli.session import Session
from entrepot.cli.standard_input import blocks_of_input
from entrepot.cli.streams import write_object
from entrepot.cli.verb import verb


@verb("cat")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("--range", "span", type=RANGE, help="Only these bytes: START:END, START:, :END or -N.")
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
async def command(session: Session, words: tuple[str, ...], span: dict[str, int | None] | None, is_raw: bool) -> None:
    """Write objects to the standard output, one after the other."""
    options = {} if span is None else {"range": BytesRange(**span)}  # type: ignore[arg-type]
    for word in words:
        if is_standard(word):
            async with aclosing(blocks_of_input()) as blocks:
                async for block in blocks:
                    await session.output.write(block)
            continue
        async with aclosing(expanded(session, (word,), is_raw=is_raw)) as places:
            async for place in places:
                try:
                    await write_object(session.output, place, **options)
                except Error as error:
                    session.fail(place.name, error)
