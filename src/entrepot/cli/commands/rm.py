"""`rm`: deletes objects."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

import click

from entrepot import Error, IsADirectory
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place
from entrepot.cli.precious import are_refused, check_for_deletion
from entrepot.cli.selection import described, entries_in, expanded
from entrepot.cli.session import Session
from entrepot.cli.transfer import Transfer
from entrepot.cli.verb import verb
from entrepot.cli.versions import VERSION, check_one_object


@verb("rm")
@click.argument("words", type=PLACE, metavar="PLACE...", nargs=-1, required=True)
@click.option("-r", "-R", "--recursive", "is_recursive", is_flag=True, help="Delete directories with all in them.")
@click.option(
    "-f", "--force", is_flag=True, help="What does not exist is no error; delete a whole bucket or file system."
)
@click.option("-n", "--dry-run", is_flag=True, help="Delete nothing, and say what would be deleted.")
@VERSION
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
async def command(
    session: Session,
    words: tuple[str, ...],
    is_recursive: bool,
    force: bool,
    dry_run: bool,
    version: str | None,
    is_raw: bool,
) -> None:
    """Delete objects, and with -r directories.

    A whole bucket or mounted file system is deleted only with --force. The working directory, home directories and the
    directories above them, and those directly below the root, are never deleted: name what is in them. With
    --version-id that version is deleted for good; if it is a deletion mark, the object is there again.
    """
    check_one_object(session, words, version, is_raw=is_raw)
    if version is not None and is_recursive:
        raise click.UsageError("--version-id goes with one object: leave out -r")
    check = partial(check_for_deletion, force=force)
    if await are_refused(session, words, check, is_raw=is_raw, directories=is_recursive):
        return
    report = Transfer(session, "delete")
    async with aclosing(expanded(session, words, is_raw=is_raw, directories=is_recursive)) as places:
        async for place in places:
            try:
                if version is not None:
                    await _delete_version(report, place, version, is_dry=dry_run)
                else:
                    await _delete(session, report, place, is_recursive=is_recursive, is_dry=dry_run)
            except FileNotFoundError as error:
                if not force:
                    session.fail(place.name, error)
            except Error as error:
                session.fail(place.name, error, place.name_of)


async def _delete(session: Session, report: Transfer, place: Place, *, is_recursive: bool, is_dry: bool) -> None:
    found = await _found(place)
    if not found.is_directory:
        if not is_dry:
            await found.operator.delete(found.path)
        report.show("delete", found.name, is_dry=is_dry)
        return
    if not is_recursive:
        raise IsADirectory("this is a directory: delete it with -r")
    if is_dry:
        await _show_files(session, report, found)
        return
    await found.operator.remove_tree(found.path)
    report.show("delete", found.name)


async def _delete_version(report: Transfer, place: Place, version: str, *, is_dry: bool) -> None:
    if not is_dry:
        await place.operator.delete(place.path, version=version)
    report.show("delete", place.name, is_dry=is_dry, version=version)


async def _found(place: Place) -> Place:
    """The place, as a directory if it is one. A link that leads nowhere, or where this user may not look, is a file."""
    try:
        return (await described(place))[0]
    except Error:
        if place.is_link():
            return place
        raise


async def _show_files(session: Session, report: Transfer, place: Place) -> None:
    async with aclosing(entries_in(session, place, is_recursive=True)) as entries:
        async for entry in entries:
            if entry.is_file:
                report.show("delete", place.name_of(entry.path), is_dry=True, size=entry.size)
