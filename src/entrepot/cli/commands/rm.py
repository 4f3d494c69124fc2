"""`rm`: deletes objects."""

from __future__ import annotations

import os
from contextlib import aclosing

import click

from entrepot import Error, InvalidInput, IsADirectory
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.selection import described, entries_in, expanded
from entrepot.cli.session import Session
from entrepot.cli.transfer import Transfer
from entrepot.cli.verb import verb


@verb("rm")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("-r", "-R", "--recursive", "is_recursive", is_flag=True, help="Delete directories with all in them.")
@click.option("-f", "--force", is_flag=True, help="What does not exist is no error; and delete a whole bucket.")
@click.option("-n", "--dry-run", is_flag=True, help="Delete nothing, and say what would be deleted.")
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
async def command(
    session: Session, words: tuple[str, ...], is_recursive: bool, force: bool, dry_run: bool, is_raw: bool
) -> None:
    """Delete objects, and with -r directories.

    A whole bucket is deleted only with --force, the working directory and those above it never.
    """
    report = Transfer(session, "delete")
    async with aclosing(expanded(session, words, is_raw=is_raw, directories=is_recursive)) as places:
        async for place in places:
            try:
                await _delete(session, report, place, is_recursive=is_recursive, is_dry=dry_run, force=force)
            except FileNotFoundError as error:
                if not force:
                    session.fail(place.name, error)
            except Error as error:
                session.fail(place.name, error, place.name_of)


async def _delete(
    session: Session, report: Transfer, place: Place, *, is_recursive: bool, is_dry: bool, force: bool
) -> None:
    found = await _found(place)
    if not found.is_directory:
        if not is_dry:
            await found.operator.delete(found.path)
        report.show("delete", found.name, is_dry=is_dry)
        return
    if not is_recursive:
        raise IsADirectory("this is a directory: delete it with -r")
    _check_meant(found, force=force)
    if is_dry:
        await _show_files(session, report, found)
        return
    await found.operator.remove_tree(found.path)
    report.show("delete", found.name)


async def _found(place: Place) -> Place:
    """The place, as a directory if it is one. A link that leads nowhere, or where this user may not look, is a file."""
    try:
        return (await described(place))[0]
    except Error:
        if place.is_link():
            return place
        raise


def _check_meant(place: Place, *, force: bool) -> None:
    """Refuses what an empty variable or a slip makes of a command, such as `rm -r s3://bucket/$NAME`."""
    if place.is_local:
        here, doomed = os.path.realpath("."), place.local_path()
        if os.path.commonpath((here, doomed)) == doomed:
            raise InvalidInput("the working directory and those above it are not deleted")
    elif place.path == "/" and not force:
        raise InvalidInput("this is the whole storage: delete all of it with --force")


async def _show_files(session: Session, report: Transfer, place: Place) -> None:
    async with aclosing(entries_in(session, place, is_recursive=True)) as entries:
        async for entry in entries:
            if entry.is_file:
                report.show("delete", place.name_of(entry.path), is_dry=True, size=entry.size)
