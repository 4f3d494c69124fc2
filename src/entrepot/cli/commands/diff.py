"""`diff`: compares two objects, or two trees."""

from __future__ import annotations

import difflib
from contextlib import aclosing
from typing import Final

import click

from entrepot import Error, InvalidInput, NotFound, TransfersFailed, TreeStep
from entrepot.cli.completion import PLACE
from entrepot.cli.exit_codes import FAILED, worst
from entrepot.cli.places import Place
from entrepot.cli.selection import described, entries_in
from entrepot.cli.session import Session
from entrepot.cli.verb import verb

_TEXT_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of an object up to which its lines are compared."""


@verb("diff")
@click.argument("left", type=PLACE, metavar="LEFT")
@click.argument("right", type=PLACE, metavar="RIGHT")
@click.option("--brief", "is_brief", is_flag=True, help="Only say whether two objects differ.")
@click.option("--size-only", is_flag=True, help="Of trees: compare sizes, and not the content.")
async def command(session: Session, left: str, right: str, is_brief: bool, size_only: bool) -> None:
    """Compare two objects, or two trees. The exit code is 1 if they differ.

    Of two texts the lines that differ are shown, of two trees the files. The content of both is read.
    """
    here, there = session.find(left), session.find(right)
    session.check_values()
    try:
        here, left_metadata = await described(here)
        there, right_metadata = await described(there)
        if here.is_directory != there.is_directory:
            raise click.UsageError("one is a directory and the other is not")
        if here.is_directory:
            await _compare_trees(session, here, there, "size" if size_only else "content")
        else:
            sizes = left_metadata.content_length, right_metadata.content_length
            await _compare_objects(session, here, there, is_brief=is_brief or not all(map(_is_short, sizes)))
    except Error as error:
        session.fail(f"{left} {right}", error)


async def _compare_trees(session: Session, here: Place, there: Place, compare: str) -> None:
    """A sync that is not made tells the difference."""

    def note(step: TreeStep) -> None:
        if step.action == "copy":
            changed.append(step.path)
        elif step.action == "delete":
            _show_only_in(session, there, step.path)

    changed: list[str] = []
    try:
        await here.operator.sync(
            there.operator,
            here.path,
            there.path,
            compare=compare,  # type: ignore[arg-type]
            delete=True,
            dry_run=True,
            on_file=note,
        )
    except TransfersFailed as error:  # which does not keep the others from being compared
        for failure in error.failures:
            side = there if failure.context.get("side") == "target" else here
            session.fail(side.name_of(failure.path or side.path), failure)
    except NotFound:  # `here` exists, since it was described, but a sync of a directory without files deletes nothing
        async with aclosing(entries_in(session, there, is_recursive=True)) as entries:
            async for entry in entries:
                if entry.is_file:
                    _show_only_in(session, there, entry.path.removeprefix(there.prefix))
    for path in changed:
        await _say_how(session, here, there, path)


def _show_only_in(session: Session, place: Place, path: str) -> None:
    _differ(session, f"only in {place.name}: {path}", path=path, only_in=place.name)


async def _say_how(session: Session, here: Place, there: Place, path: str) -> None:
    """Says whether a file that is not the same is on both sides."""
    try:
        is_on_both = await there.operator.exists(there.inside(path).path)
    except InvalidInput:
        is_on_both = False  # no file there can have such a name
    except Error as error:
        session.fail(there.name_inside(path), error)
        return
    text = f"different: {path}" if is_on_both else f"only in {here.name}: {path}"
    _differ(session, text, path=path, only_in=None if is_on_both else here.name)


def _differ(session: Session, text: str, **record: object) -> None:
    session.exit_code = worst(session.exit_code, FAILED)
    session.output.show(text, **record)


async def _compare_objects(session: Session, here: Place, there: Place, *, is_brief: bool) -> None:
    if await here.operator.has_same_content(there.operator, here.path, there.path):
        return
    texts = None if is_brief else _texts(await here.operator.read(here.path), await there.operator.read(there.path))
    if texts is None:
        _differ(session, f"{here.name} and {there.name} differ", left=here.name, right=there.name)
        return
    session.exit_code = worst(session.exit_code, FAILED)
    for line in difflib.unified_diff(*texts, here.name, there.name, lineterm=""):
        session.output.show(line, line=line)


def _is_short(size: int | None) -> bool:
    return size is not None and size <= _TEXT_LIMIT


def _texts(left: bytes, right: bytes) -> tuple[list[str], list[str]] | None:
    """The lines of both, or None if one is no text."""
    try:
        return left.decode().splitlines(), right.decode().splitlines()
    except UnicodeDecodeError:
        return None
