"""`sync`: brings a tree up to date with another one."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from entrepot.cli.completion import PLACE
from entrepot.cli.precious import are_refused, check_for_emptying
from entrepot.cli.selection import FOLLOW
from entrepot.cli.session import Session
from entrepot.cli.transfer import Transfer, TreeRules, file_keywords, with_content_options, with_tree_options
from entrepot.cli.verb import verb


@verb("sync")
@click.argument("source", type=PLACE, metavar="SOURCE")
@click.argument("target", type=PLACE, metavar="TARGET")
@click.option("--delete", is_flag=True, help="Delete the files of TARGET that SOURCE lacks. Try it with --dry-run.")
@click.option("--force", is_flag=True, help="Delete also in a home directory, or one directly below the root.")
@FOLLOW
@with_tree_options
@with_content_options
async def command(
    session: Session, source: str, target: str, delete: bool, force: bool, follows_links: bool, **options: Any
) -> None:
    """Copy the files of SOURCE that TARGET does not have yet.

    By default a file is the same if it has the same size, and is no older at the target or has the same MD5 as its
    etag. A sync that was interrupted goes on where it was. Files that are left out by --include and --exclude are not
    deleted. A SOURCE without files deletes nothing.
    """
    session.guesses_types = not options["no_guess_mime_type"]
    if follows_links:
        session.follow_links([source], target)
    here, there = session.find(source).as_directory(), session.find(target).as_directory()
    rules = TreeRules(options, skips_same=True, copy_options=file_keywords(options, options["chunk"]))
    session.check_values()
    if delete and await are_refused(session, (target,), partial(check_for_emptying, force=force), is_raw=True):
        return
    await Transfer(session, "copy").tree(here, there, rules, delete=delete)
