"""`mv`: moves objects between any two storages."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import click

from entrepot import Error, IsADirectory, NotFound
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place, check_apart
from entrepot.cli.selection import described, expanded
from entrepot.cli.session import Session
from entrepot.cli.transfer import (
    Transfer,
    TreeRules,
    check_for_files,
    file_keywords,
    is_existing_directory,
    target_of,
    with_file_options,
    with_tree_options,
)
from entrepot.cli.verb import verb


@verb("mv")
@click.argument("sources", type=PLACE, metavar="SOURCE...", nargs=-1, required=True)
@click.argument("target", type=PLACE, metavar="TARGET")
@click.option("-r", "-R", "--recursive", "is_recursive", is_flag=True, help="Move what is in a directory.")
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
@with_tree_options
@with_file_options
async def command(
    session: Session, sources: tuple[str, ...], target: str, is_recursive: bool, is_raw: bool, **options: Any
) -> None:
    """Move objects between any two storages.

    Each object is copied as by `cp`, and deleted when its copy is complete. Within one file system it is renamed.
    """
    session.guesses_types = not options["no_guess_mime_type"]
    keywords = file_keywords(options, options["chunk"])
    if not is_recursive:
        check_for_files(options)
        await _files(session, sources, target, keywords, is_raw=is_raw, is_dry=options["dry_run"])
        return
    if len(sources) > 1:
        raise click.UsageError("-r takes one source: the files of several would be mixed in the target")
    source, there = session.find(sources[0]).as_directory(), session.find(target).as_directory()
    session.check_values()
    copied = await Transfer(session, "move").tree(source, there, TreeRules(options, copy_options=keywords))
    if copied is not None and not options["dry_run"]:
        await _delete_moved(session, source, copied)


async def _files(
    session: Session, sources: tuple[str, ...], word: str, keywords: dict[str, Any], *, is_raw: bool, is_dry: bool
) -> None:
    target = session.find(word)
    has_several = len(sources) > 1 or (not is_raw and session.find(sources[0]).is_pattern)
    into = has_several or is_existing_directory(target, word)
    async with aclosing(expanded(session, sources, is_raw=is_raw)) as places:
        async for source in places:
            await _move(session, source, target_of(source, target, into=into), keywords, is_dry=is_dry)


async def _move(session: Session, source: Place, target: Place, keywords: dict[str, Any], *, is_dry: bool) -> None:
    transfer = Transfer(session, "move")
    can_rename = source.operator is target.operator and source.operator.info.capability.rename
    if is_dry or not can_rename or keywords.keys() - {"if_not_exists"}:
        if await transfer.file(source, target, keywords, is_dry=is_dry, resume=False) and not is_dry:
            await _delete(session, source)
        return
    try:
        found, _ = await described(source)
        if found.is_directory:
            raise IsADirectory("this is a directory: move it with -r")
        check_apart(found, target)
        await found.operator.rename(found.path, target.path, **keywords)
    except Error as error:
        session.fail(source.name, error)
    else:
        transfer.show("move", source.name, target.name)


async def _delete(session: Session, source: Place) -> None:
    try:
        await source.operator.delete(source.path)
    except Error as error:
        session.fail(source.name, error)


async def _delete_moved(session: Session, source: Place, copied: list[str]) -> None:
    """Deletes the files that were copied, and then the directory if nothing is left in it."""
    try:
        await source.operator.delete_many([source.inside(path).path for path in copied])
        if source.is_local and source.path != "/" and not (await source.operator.du(source.path)).files:
            await source.operator.remove_tree(source.path)
    except NotFound:
        return  # somebody else deleted it meanwhile
    except Error as error:
        session.fail(source.name, error)
