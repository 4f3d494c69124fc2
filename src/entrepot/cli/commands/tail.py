"""`tail`: writes the end of objects."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

import click

from entrepot import BytesRange, Error
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.quantities import SIZE
from entrepot.cli.selection import expanded
from entrepot.cli.session import Session
from entrepot.cli.streams import check_file, write_object
from entrepot.cli.verb import verb

_BLOCK: Final = 64 * 1024
"""Bytes of the first request for lines; each further one is for twice as many."""


@verb("tail")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="How many lines.")
@click.option("-c", "--bytes", "size", type=SIZE, metavar="SIZE", help="How many bytes, instead of lines.")
async def command(session: Session, words: tuple[str, ...], lines: int, size: int | None) -> None:
    """Write the last lines or bytes of objects. Little more than that is requested."""
    async with aclosing(expanded(session, words)) as places:
        async for place in places:
            try:
                check_file(place)
                start = await _start_of_lines(place, lines) if size is None else await _start_of_bytes(place, size)
                await write_object(session.output, place, range=BytesRange(start))
            except Error as error:
                session.fail(place.name, error)


async def _start_of_bytes(place: Place, size: int) -> int:
    metadata = await place.operator.stat(place.path)
    return max(0, (metadata.content_length or 0) - size)


async def _start_of_lines(place: Place, lines: int) -> int:
    """Where the last lines start. The object is read from its end on, until enough of them are found."""
    size = (await place.operator.stat(place.path)).content_length or 0
    end, block, missing = size, _BLOCK, lines
    if not missing:
        return size
    while end:
        start = max(0, end - block)
        part = await place.operator.read(place.path, range=(start, end))
        if end == size and part.endswith(b"\n"):
            part = part[:-1]  # it ends the last line and starts none
        position = len(part)
        while (position := part.rfind(b"\n", 0, position)) >= 0:
            missing -= 1
            if not missing:
                return start + position + 1
        end, block = start, block * 2
    return 0
