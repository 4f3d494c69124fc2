"""`rm`: deletes objects."""

from __future__ import annotations

from contextlib import aclosing

import click

from entrepot import Error, IsADirectory
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.selection import described, expanded
from entrepot.cli.session import Session
from entrepot.cli.transfer import Transfer
from entrepot.cli.verb import verb


@verb("rm")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("-r", "-R", "--recursive", "is_recursive", is_flag=True, help="Delete directories with all in them.")
@click.option("-f", "--force", is_flag=True, help="What does not exist is no error.")
@click.option("-n", "--dry-run", is_flag=True, help="Delete nothing, and say what would be deleted.")
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
async def command(
    session: Session, words: tuple[str, ...], is_recursive: bool, force: bool, dry_run: bool, is_raw: bool
) -> None:
    """Delete objects, and with -r directories."""
    report = Transfer(session, "delete")
    async with aclosing(expanded(session, words, is_raw=is_raw)) as places:
        async for place in places:
            try:
                found = await _delete(place, is_recursive=is_recursive, is_dry=dry_run)
            except FileNotFoundError as error:
                if not force:
                    session.fail(place.name, error)
            except Error as error:
                session.fail(place.name, error)
            else:
                report.show("delete", found.name, is_dry=dry_run)


async def _delete(place: Place, *, is_recursive: bool, is_dry: bool) -> Place:
    found, _ = await described(place)
    if found.is_directory and not is_recursive:
        raise IsADirectory("this is a directory: delete it with -r")
    if not is_dry and found.is_directory:
        await found.operator.remove_tree(found.path)
    elif not is_dry:
        await found.operator.delete(found.path)
    return found
