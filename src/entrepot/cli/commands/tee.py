"""`tee`: copies the standard input to objects and to the standard output."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import click

from entrepot import Error
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
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
    try:
        async with AsyncExitStack() as opened:
            copies = [await opened.enter_async_context(_written(place, is_appended=append)) for place in places]
            blocks = await opened.enter_async_context(aclosing(blocks_of_input()))
            async for block in blocks:
                for write in copies:
                    await write(block)
                await session.output.write(block)
    except Error as error:
        session.fail(error.context["place"], error)


@asynccontextmanager
async def _written(place: Place, *, is_appended: bool) -> AsyncGenerator[Callable[[bytes], Awaitable[None]], None]:
    """Opens an object and yields the function that writes to it. An error says in which place it occurred."""

    async def write(block: bytes) -> None:
        try:
            await writer.write(block)
        except Error as error:
            error.add_context(place=place.name)
            raise

    options = {"append": True} if is_appended else {}
    try:
        async with place.operator.writer(place.path, **options) as writer:  # type: ignore[arg-type]
            yield write
    except Error as error:
        error.add_context(place=place.name)
        raise
