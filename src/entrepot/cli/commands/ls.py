"""`ls`: lists directories."""

from __future__ import annotations

from contextlib import aclosing

import click

from entrepot import Entry, Error
from entrepot.cli.completion import PLACE
from entrepot.cli.output import record_of, shown_time
from entrepot.cli.places import Place
from entrepot.cli.quantities import human_size
from entrepot.cli.selection import FOLLOW, described, entries_in, expanded
from entrepot.cli.session import Session
from entrepot.cli.verb import verb
from entrepot.cli.versions import list_versions


@verb("ls")
@click.argument("words", type=PLACE, metavar="[PLACE]...", nargs=-1)
@click.option("-l", "--long", "is_long", is_flag=True, help="With sizes and times.")
@click.option("-h", "--human", "is_human", is_flag=True, help="Sizes in KiB, MiB ... Implies -l.")
@click.option("-r", "-R", "--recursive", "is_recursive", is_flag=True, help="With everything below.")
@click.option("--versions", "has_versions", is_flag=True, help="Each version, and what was deleted, with the ids.")
@FOLLOW
@click.option("--raw", "is_raw", is_flag=True, help="Wildcards are ordinary characters.")
async def command(
    session: Session,
    words: tuple[str, ...],
    is_recursive: bool,
    follows_links: bool,
    is_raw: bool,
    has_versions: bool,
    **shown: bool,
) -> None:
    """List directories: one entry a line, directories with a slash at the end.

    A place that is no directory lists itself. Without a place, the current directory is listed. In the directories that
    a wildcard matches, entries are named with their directory.
    """
    words = words or (".",)
    if follows_links:
        session.follow_links(words)
    show = _Long(session, is_human=shown["is_human"]) if any(shown.values()) else _Short(session)
    is_matched = not is_raw and any(session.find(word).is_pattern for word in words)
    how = {"is_recursive": is_recursive, "is_matched": is_matched}
    async with aclosing(expanded(session, words, is_raw=is_raw, directories=True)) as places:
        async for place in places:
            try:
                if has_versions:
                    await list_versions(session, place, is_human=shown["is_human"], **how)
                else:
                    await _list(session, place, show, **how)
            except Error as error:
                session.fail(place.name, error)


async def _list(session: Session, place: Place, show: _Short, *, is_recursive: bool, is_matched: bool) -> None:
    place, metadata = await described(place)
    if not place.is_directory:
        show.entry(place, Entry(place.path, metadata), place.name)
        return
    async with aclosing(entries_in(session, place, is_recursive=is_recursive)) as entries:
        async for entry in entries:
            name = place.name_of(entry.path) if is_matched else entry.path.removeprefix(place.prefix)
            show.entry(place, entry, name)


class _Short:
    """Shows names.

    Arguments:
        session: has the output.
    """

    def __init__(self, session: Session) -> None:
        self._output = session.output

    def entry(self, place: Place, entry: Entry, name: str) -> None:
        """Shows an entry."""
        self._output.show(self.text(entry, name), **record_of(entry, place.name_of(entry.path)))

    def text(self, entry: Entry, name: str) -> str:
        """The line of an entry."""
        return name


class _Long(_Short):
    """Shows times, sizes and names.

    Arguments:
        session: has the output.
        is_human: sizes in larger units.
    """

    def __init__(self, session: Session, *, is_human: bool) -> None:
        super().__init__(session)
        self._is_human = is_human

    def text(self, entry: Entry, name: str) -> str:
        size = "" if entry.size is None else human_size(entry.size) if self._is_human else str(entry.size)
        return f"{shown_time(entry.metadata.last_modified)} {size:>13} {name}"
