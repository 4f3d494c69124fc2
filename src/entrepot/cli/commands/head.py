"""`head`: writes the start of objects."""

from __future__ import annotations

from contextlib import aclosing

import click

from entrepot import BytesRange, Error
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.quantities import SIZE
from entrepot.cli.selection import expanded
from entrepot.cli.session import Session
from entrepot.cli.streams import check_file, write_object
from entrepot.cli.verb import verb


@verb("head")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="How many lines.")
@click.option("-c", "--bytes", "size", type=SIZE, metavar="SIZE", help="How many bytes, instead of lines.")
async def command(session: Session, words: tuple[str, ...], lines: int, size: int | None) -> None:
    """Write the first lines or bytes of objects. Little more than that is requested."""
    async with aclosing(expanded(session, words)) as places:
        async for place in places:
            try:
                check_file(place)
                if size is None:
                    await _write_lines(session, place, lines)
                else:
                    await write_object(session.output, place, range=BytesRange(0, size))
            except Error as error:
                session.fail(place.name, error)


async def _write_lines(session: Session, place: Place, lines: int) -> None:
    if not lines:
        return
    async with await place.operator.open(place.path, "rb") as file:
        for _ in range(lines):
            if not (line := await file.readline()):
                return
            await session.output.write(line)
