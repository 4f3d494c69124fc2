"""`mv`: moves objects between any two storages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from functools import partial
from operator import attrgetter
from typing import Any, Final

import click

from entrepot import ConditionNotMatch, Error, IsADirectory, Metadata, NotFound
from entrepot.cli.completion import PLACE
from entrepot.cli.places import Place, check_apart
from entrepot.cli.precious import are_refused, check_for_emptying
from entrepot.cli.selection import described, expanded
from entrepot.cli.session import Session
from entrepot.cli.transfer import (
    CopiedFiles,
    Transfer,
    TreeRules,
    check_for_files,
    file_keywords,
    is_existing_directory,
    is_local_file,
    matches_with_targets,
    with_file_options,
    with_targets,
    with_tree_options,
)
from entrepot.cli.verb import verb

_identity_of: Final = attrgetter("etag", "version", "content_length", "last_modified")
"""What changes when a file is written to, as far as its storage says."""


@verb("mv")
@click.argument("sources", type=PLACE, metavar="SOURCE...", nargs=-1, required=True)
@click.argument("target", type=PLACE, metavar="TARGET")
@click.option("-r", "-R", "--recursive", "is_recursive", is_flag=True, help="Move what is in a directory.")
@click.option("--force", is_flag=True, help="Move also a home directory, or one directly below the root.")
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
@with_tree_options
@with_file_options
async def command(
    session: Session,
    sources: tuple[str, ...],
    target: str,
    is_recursive: bool,
    force: bool,
    is_raw: bool,
    **options: Any,
) -> None:
    """Move objects between any two storages.

    Each object is copied as by `cp`, and deleted when its copy is complete. A file is renamed within one file system.
    With -r the files in the one SOURCE are moved with their paths in it, and directories that a wildcard matches keep
    their names, as in `cp -r`. What cannot be copied, or is changed after it was copied, stays where it is, as do
    directories without files.
    """
    session.guesses_types = not options["no_guess_mime_type"]
    rules = TreeRules(options, copy_options=file_keywords(options, options["chunk"]))
    if not is_recursive:
        check_for_files(options)
    if is_recursive and not is_local_file(session, sources):
        if await are_refused(session, sources, partial(check_for_emptying, force=force), is_raw=is_raw):
            return
        await _trees(session, sources, session.find(target), rules, is_raw=is_raw)
    else:
        await _files(session, sources, target, rules, is_raw=is_raw)


async def _trees(session: Session, sources: tuple[str, ...], target: Place, rules: TreeRules, *, is_raw: bool) -> None:
    if len(sources) > 1:
        raise click.UsageError("-r takes one source: the files of several would be mixed in the target")
    source = session.find(sources[0])
    if is_raw or not source.is_pattern:
        session.check_values()
        await _move_tree(session, source.as_directory(), target.as_directory(), rules)
        return
    async with aclosing(matches_with_targets(session, sources[0], target, rules)) as pairs:
        async for match, place in pairs:
            await (_move_tree if match.is_directory else _move)(session, match, place, rules)


async def _files(session: Session, sources: tuple[str, ...], word: str, rules: TreeRules, *, is_raw: bool) -> None:
    target = session.find(word)
    has_several = len(sources) > 1 or (not is_raw and session.find(sources[0]).is_pattern)
    into = has_several or is_existing_directory(target, word)
    async with (
        aclosing(expanded(session, sources, is_raw=is_raw)) as places,
        aclosing(with_targets(session, places, target, into=into)) as pairs,
    ):
        async for source, place in pairs:
            await _move(session, source, place, rules)


async def _move_tree(session: Session, source: Place, target: Place, rules: TreeRules) -> None:
    copied = CopiedFiles()
    await Transfer(session, "move").tree(source, target, rules, copied)
    if not rules.is_dry:
        await _delete_moved(session, source, copied.metadata)


async def _move(session: Session, source: Place, target: Place, rules: TreeRules) -> None:
    """Moves a file. One whose content the target has already stays, if the content is compared."""
    transfer, keywords, skips_same = Transfer(session, "move"), rules.copy_options, rules.options["checksum"]
    can_rename = source.operator is target.operator and source.operator.info.capability.rename and not skips_same
    if rules.is_dry or not can_rename or keywords.keys() - {"if_not_exists"}:
        how = {"is_dry": rules.is_dry, "resume": False, "skips_same": skips_same}
        if _is_renamed_by_copying(session, source, target):
            source, target = session.renaming(source), session.renaming(target)
        metadata = await transfer.file(source, target, keywords, **how)
        if metadata is not None and not rules.is_dry:
            await _delete(session, source, metadata)
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


def _is_renamed_by_copying(session: Session, source: Place, target: Place) -> bool:
    """Whether a copy may be a rename: no bandwidth limits it, and the target of a link would not be the copy."""
    return source.is_local and target.is_local and session.settings.bandwidth is None and not source.is_link()


async def _delete(session: Session, source: Place, copied: Metadata) -> None:
    try:
        if _is_same(copied, await source.operator.stat(source.path)):
            await source.operator.delete(source.path)
        else:
            _fail_changed(session, source)
    except NotFound:
        return  # somebody else deleted it meanwhile
    except Error as error:
        session.fail(source.name, error)


async def _delete_moved(session: Session, source: Place, copied: Mapping[str, Metadata]) -> None:
    """Deletes the files that were copied, and then the local directories that held them, if no file is left."""
    if not copied:
        return
    try:
        await source.operator.delete_many(await _unchanged(session, source, copied))
        if source.is_local:
            await _delete_emptied_directories(source, copied)
    except NotFound:
        return  # somebody else deleted it meanwhile
    except Error as error:
        session.fail(source.name, error, source.name_of)


async def _unchanged(session: Session, source: Place, copied: Mapping[str, Metadata]) -> list[str]:
    """The files that are as they were when they were copied, by one more listing.

    A large tree takes hours, and the first of its files are written to meanwhile: what was written would be lost.
    """
    same = []
    async with source.operator.lister(source.path, recursive=True) as lister:
        async for entry in lister:
            if (before := copied.get(entry.path)) is None:
                continue
            if _is_same(before, entry.metadata):
                same.append(entry.path)
            else:
                _fail_changed(session, source.at(entry.path))
    return same


def _is_same(before: Metadata, now: Metadata) -> bool:
    return _identity_of(before) == _identity_of(now)


def _fail_changed(session: Session, source: Place) -> None:
    session.fail(source.name, ConditionNotMatch("it was changed after it was copied, and stays"))


async def _delete_emptied_directories(source: Place, copied: Iterable[str]) -> None:
    """Deletes the directories of the files that were copied, from the deepest on.

    A directory with anything in it stays, also with what no listing shows. So does one that was empty before: it was
    not copied, and would be lost.
    """
    entries = await source.operator.list(source.path, recursive=True)
    if not all(entry.is_dir for entry in entries):
        return
    emptied = {directory for path in copied for directory in _directories_of(path, source)}
    for path in sorted(emptied, key=len, reverse=True):
        with suppress(IsADirectory):
            await source.operator.delete(path)


def _directories_of(path: str, tree: Place) -> Iterator[str]:
    """The directories of a tree that a file is in, and the directory of the tree itself unless it is the root."""
    directory = path.rpartition("/")[0]
    while directory and f"{directory}/".startswith(tree.prefix):
        yield f"{directory}/"
        directory = directory.rpartition("/")[0]
