"""Versions of objects: the option that names one, and the listing that shows them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import click

from entrepot import Entry, NotFound

from .output import record_of, shown_time
from .places import Place, is_standard
from .quantities import human_size
from .selection import fail_left_out
from .session import Session

VERSION: Final = click.option(
    "--version-id", "version", metavar="ID", help="This version of the object, as `ls --versions` shows it."
)


def check_one_object(session: Session, words: tuple[str, ...], version: str | None, *, is_raw: bool) -> None:
    """Checks that a version, if one is chosen, is one of a single object.

    Arguments:
        session: finds the place.
        words: the words that are read or deleted.
        version: the value of `VERSION`.
        is_raw: take wildcards as ordinary characters.

    Raises:
        click.UsageError: the words mean anything else.
    """
    if version is None:
        return
    if len(words) > 1 or is_standard(words[0]):
        raise click.UsageError("--version-id goes with one object")
    place = session.find(words[0])
    if place.is_directory or (place.is_pattern and not is_raw):
        raise click.UsageError("--version-id goes with one object, not with a directory or a wildcard")


async def list_versions(
    session: Session, place: Place, *, is_recursive: bool, is_human: bool, is_matched: bool
) -> None:
    """Shows the versions of an object, or of the objects in a directory, and their deletion marks where there are any.

    Arguments:
        session: has the output.
        place: the object or directory.
        is_recursive: with everything below.
        is_human: sizes in larger units.
        is_matched: name entries with their directory.

    Raises:
        NotFound: there is no object, and none was deleted.
    """
    is_empty = True
    async with aclosing(_versions(session, place, is_recursive=is_recursive)) as entries:
        async for entry in entries:
            is_empty = False
            uri = place.name_of(entry.path)
            name = entry.path.removeprefix(place.prefix) if place.is_directory and not is_matched else uri
            session.output.show(_line(entry, name, is_human=is_human), **_record(entry, uri))
    if is_empty and not place.is_directory:
        how = {"is_recursive": is_recursive, "is_human": is_human, "is_matched": is_matched}
        await list_versions(session, place.as_directory(), **how)
    elif is_empty and place.path != "/":
        raise NotFound("there is no object, and none was deleted")


async def _versions(session: Session, place: Place, *, is_recursive: bool) -> AsyncGenerator[Entry, None]:
    has_marks = place.operator.info.capability.list_with_deleted
    async with place.operator.lister(place.path, recursive=is_recursive, versions=True, deleted=has_marks) as lister:
        while page := await lister.next_page():
            wanted = [entry for entry in page if (entry.path != place.path) == place.is_directory]
            for entry in wanted:
                yield entry
            if not place.is_directory and len(wanted) < len(page):
                break  # its name comes before all others that begin with it
        fail_left_out(session, place, lister)


def _line(entry: Entry, name: str, *, is_human: bool) -> str:
    size = "" if entry.size is None else human_size(entry.size) if is_human else str(entry.size)
    size = "deleted" if entry.metadata.is_deleted else size
    return f"{shown_time(entry.metadata.last_modified)} {size:>13} {entry.metadata.version or '-':<32} {name}"


def _record(entry: Entry, uri: str) -> dict[str, Any]:
    facts = {"is_current": entry.metadata.is_current, "is_deleted": entry.metadata.is_deleted or None}
    return record_of(entry, uri) | {name: value for name, value in facts.items() if value is not None}
