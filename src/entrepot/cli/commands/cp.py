"""`cp`: copies objects between any two storages."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import click

from entrepot import Error
from entrepot.cli.clustered import copy_clustered
from entrepot.cli.completion import PLACE
from entrepot.cli.output import record_of_metadata
from entrepot.cli.places import Place, is_standard
from entrepot.cli.selection import FOLLOW, expanded
from entrepot.cli.session import Session
from entrepot.cli.standard_input import blocks_of_input
from entrepot.cli.streams import write_words
from entrepot.cli.transfer import (
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
from entrepot.cli.versions import VERSION, check_one_object


@verb("cp")
@click.argument("sources", type=PLACE, metavar="SOURCE...", nargs=-1, required=True)
@click.argument("target", type=PLACE, metavar="TARGET")
@click.option("-r", "-R", "--recursive", "is_recursive", is_flag=True, help="Copy what is in a directory.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted copy: what the target has is not copied again.")
@click.option("--cluster", metavar="ADDRESS", help="With -r: copy by the workers of a cluster of Dask (tcp://...).")
@VERSION
@FOLLOW
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
@with_tree_options
@with_file_options
async def command(
    session: Session,
    sources: tuple[str, ...],
    target: str,
    is_recursive: bool,
    resume: bool,
    cluster: str | None,
    is_raw: bool,
    **options: Any,
) -> None:
    """Copy objects between any two storages.

    The store makes the copy if it can; otherwise the content passes through this machine. A copy is visible only when
    it is complete. With several sources, or if TARGET ends with a slash, the copies are put into TARGET. With -r the
    files in the one SOURCE are copied with their paths in it: `cp -r a/ b/` makes b/x of a/x. Directories that a
    wildcard matches keep their names: `cp -r 'a*' b/` makes b/a1/x of a1/x. SOURCE or TARGET may be - for the standard
    input or output.
    """
    session.guesses_types = not options["no_guess_mime_type"]
    if not is_recursive:
        check_for_files(options, has_checksum=True)
    keywords = file_keywords(options, options["chunk"])
    version = options["version"]
    check_one_object(session, sources, version, is_raw=is_raw)
    if version is not None:
        if is_recursive or options["checksum"]:
            raise click.UsageError("--version-id goes with one object: leave out -r and --checksum")
        keywords["source_version"] = version
    if options["follows_links"]:
        if cluster is not None:
            raise click.UsageError("--follow-symlinks does not go with --cluster")
        session.follow_links(sources, target)
    if cluster is not None:
        await _by_cluster(session, cluster, sources, target, options, is_recursive=is_recursive)
        return
    if is_standard(target):
        await write_words(session, sources, is_raw=is_raw, version=version)
    elif any(map(is_standard, sources)):
        await _from_input(session, sources, session.find(target), keywords)
    elif is_recursive and not is_local_file(session, sources):
        await _tree(session, sources, session.find(target), TreeRules(options, resume, keywords), is_raw=is_raw)
    else:
        how = {"is_dry": options["dry_run"], "resume": resume, "skips_same": options["checksum"]}
        await _files(session, sources, target, keywords, is_raw=is_raw, how=how)


async def _by_cluster(
    session: Session,
    cluster: str,
    sources: tuple[str, ...],
    target: str,
    options: dict[str, Any],
    *,
    is_recursive: bool,
) -> None:
    if not is_recursive or len(sources) > 1:
        raise click.UsageError("--cluster copies one directory, with -r")
    source, place = session.find(sources[0]).as_directory(), session.find(target).as_directory()
    session.check_values()
    await copy_clustered(session, cluster, source, place, options, file_keywords(options, None))


async def _files(
    session: Session,
    sources: tuple[str, ...],
    word: str,
    keywords: dict[str, Any],
    *,
    is_raw: bool,
    how: dict[str, bool],
) -> None:
    target = session.find(word)
    has_several = len(sources) > 1 or (not is_raw and session.find(sources[0]).is_pattern)
    into = has_several or is_existing_directory(target, word)
    transfer = Transfer(session, "copy")
    async with (
        aclosing(expanded(session, sources, is_raw=is_raw)) as places,
        aclosing(with_targets(session, places, target, into=into)) as pairs,
    ):
        async for source, place in pairs:
            await transfer.file(source, place, keywords, **how)


async def _tree(session: Session, sources: tuple[str, ...], target: Place, rules: TreeRules, *, is_raw: bool) -> None:
    if len(sources) > 1:
        raise click.UsageError("-r takes one source: the files of several would be mixed in the target")
    source = session.find(sources[0])
    if source.is_pattern and not is_raw:
        await _matches(session, sources[0], target, rules)
        return
    session.check_values()
    await Transfer(session, "copy").tree(source.as_directory(), target.as_directory(), rules)


async def _matches(session: Session, word: str, target: Place, rules: TreeRules) -> None:
    transfer = Transfer(session, "copy")
    how = {"is_dry": rules.is_dry, "resume": rules.skips_same, "skips_same": rules.options["checksum"]}
    async with aclosing(matches_with_targets(session, word, target, rules)) as pairs:
        async for source, place in pairs:
            if source.is_directory:
                await transfer.tree(source, place, rules)
            else:
                await transfer.file(source, place, rules.copy_options, **how)


async def _from_input(session: Session, sources: tuple[str, ...], target: Place, keywords: dict[str, Any]) -> None:
    if len(sources) > 1:
        raise click.UsageError("the standard input is copied alone")
    if target.is_directory:
        raise click.UsageError("the standard input has no name: write the name of the object, not a directory")
    session.check_values()
    try:
        async with aclosing(blocks_of_input()) as blocks:
            metadata = await target.operator.write(target.path, blocks, **keywords)
    except Error as error:
        session.fail(target.name, error)
        return
    Transfer(session, "copy").show("copy", "-", target.name, **record_of_metadata(metadata))
