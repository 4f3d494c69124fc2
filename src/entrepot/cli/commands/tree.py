"""`tree`: draws a tree."""

from __future__ import annotations

from contextlib import aclosing

import click

from entrepot import Entry, Error, NotADirectory
from entrepot.cli.completion import PLACE
from entrepot.cli.output import record_of
from entrepot.cli.places import Place
from entrepot.cli.quantities import human_size
from entrepot.cli.selection import described, entries_in
from entrepot.cli.session import Session
from entrepot.cli.verb import verb


@verb("tree")
@click.argument("word", type=PLACE, metavar="[PLACE]", default=".")
@click.option("-L", "--depth", type=click.IntRange(1), help="How many directories deep.")
@click.option("-d", "--directories", "is_directories", is_flag=True, help="Without files.")
@click.option("-s", "--size", "has_sizes", is_flag=True, help="With the sizes of files.")
async def command(session: Session, word: str, depth: int | None, is_directories: bool, has_sizes: bool) -> None:
    """Draw a tree of directories and files."""
    place = session.find(word)
    session.check_values()
    try:
        place, _ = await described(place)
        if not place.is_directory:
            raise NotADirectory("this is a file")
        session.output.show(place.name, uri=place.name, type="directory")
        drawing = _Drawing(session, depth, is_directories=is_directories, has_sizes=has_sizes)
        await drawing.draw(place, "", 1)
        session.note(
            f"{_count(drawing.directories, 'directory', 'directories')}, {_count(drawing.files, 'file', 'files')}"
        )
    except Error as error:
        session.fail(place.name, error)


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


class _Drawing:
    """Draws directories, one listing after the other.

    Arguments:
        session: has the output.
        depth: how many directories deep; None is all.
        is_directories: leave out files.
        has_sizes: show the sizes of files.

    Attributes:
        directories: how many directories were drawn.
        files: how many files.
    """

    def __init__(self, session: Session, depth: int | None, *, is_directories: bool, has_sizes: bool) -> None:
        self._session = session
        self._depth = depth
        self._is_directories = is_directories
        self._has_sizes = has_sizes
        self.directories = 0
        self.files = 0

    async def draw(self, place: Place, indent: str, depth: int) -> None:
        """Draws what is in a directory."""
        entries = await self._entries(place)
        for number, entry in enumerate(entries, 1):
            is_last = number == len(entries)
            self._show(place, entry, f"{indent}{'└── ' if is_last else '├── '}")
            if entry.is_dir and (self._depth is None or depth < self._depth):
                await self.draw(place.at(entry.path), f"{indent}{'    ' if is_last else '│   '}", depth + 1)

    async def _entries(self, place: Place) -> list[Entry]:
        """The entries of a directory to draw. If it cannot be listed, that is reported and the others go on."""
        try:
            async with aclosing(entries_in(self._session, place)) as entries:
                return [entry async for entry in entries if entry.is_dir or not self._is_directories]
        except Error as error:
            self._session.fail(place.name, error)
            return []

    def _show(self, place: Place, entry: Entry, branch: str) -> None:
        self.directories += entry.is_dir
        self.files += not entry.is_dir
        size = f" [{human_size(entry.size)}]" if self._has_sizes and entry.size is not None else ""
        uri = place.name_of(entry.path)
        self._session.output.show(f"{branch}{entry.name}{size}", **record_of(entry, uri))
