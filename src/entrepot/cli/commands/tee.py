"""`tee`: copies the standard input to objects and to the standard output."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing

import click

from entrepot.cli.completion import PLACE
from entrepot.cli.session import Session
from entrepot.cli.standard_input import blocks_of_input
from entrepot.cli.verb import verb


@verb("tee")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("-a", "--append", is_flag=True, help="Append to the objects, where the storage can.")
async def command(session: Session, words: tuple[str, ...], append: bool) -> None:
    """Copy the standard input to objects and to the standard output.

    The objects are visible when the input has ended; if anything fails before that, none of them is changed.
    """
    session.guesses_types = True
    places = [session.find(word) for word in words]
    session.check_values()
    options = {"append": True} if append else {}
    async with AsyncExitStack() as opened:
        writers = [
            await opened.enter_async_context(place.operator.writer(place.path, **options))  # type: ignore[arg-type]
            for place in places
        ]
        blocks = await opened.enter_async_context(aclosing(blocks_of_input()))
        async for block in blocks:
            for writer in writers:
                await writer.write(block)
            await session.output.write(block)
