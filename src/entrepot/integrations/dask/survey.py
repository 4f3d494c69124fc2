"""The survey of a tree: which batches it has, found by many tasks at the same time.

Theory of operation. A *unit* is a part of the tree that one task surveys. The first one is the directory itself. A
survey lists its unit recursively, up to `Limits.probe` names:

- if that was all, the unit is cut into batches;
- if not, the directory is large, and is listed by one level. Its files are cut into batches, and its directories
  become new units: groups of them where the service lists in the order of paths (`list_with_start_after`), since one
  listing then passes over all directories of a group; otherwise one unit for each.
- A group with more names than the probe is split into its directories.
- A level with more names than the probe is continued after its last name, by another unit. A service that cannot
  continue a listing (`Survey.is_too_large`) leaves that level to the client, which streams it.

So a result has a bounded number of names, and the listing of a large tree runs on many workers. The names of the probe
of a large directory are listed twice: less than one part in a hundred of the requests.

A listing leaves out what is in a directory that may not be read, and names that no path can have (`Lister.left_out`).
The survey returns an error for each such directory. Its files would be missing otherwise, and a sync would delete them
at the target.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from entrepot import Entry, Error, Operator, PathFilter

from .items import Batch, Item, Limits, cut, is_border

STATE: Final = ".entrepot/"
"""The directory of a target, relative to it, that has the manifest and the lock. It is not part of the tree."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory of an operator, and the files in it that are meant.

    Arguments:
        operator: the operator.
        path: the directory, with a trailing slash; `"/"` is the root.
        include: patterns of files, as of `Operator.copy_tree`.
        exclude: patterns of files to leave out.
    """

    operator: Operator
    path: str = "/"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """The start of the paths of its objects."""
        return "" if self.path == "/" else self.path

    def at(self, path: str) -> str:
        """The path of an object of the tree in the operator.

        Arguments:
            path: the path relative to the tree.
        """
        return self.prefix + path


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of a tree that one task surveys.

    Arguments:
        directories: the directories, in the order of the listing, with their content.
        after: list only entries after this path. By default all.
        is_level: whether the directory, the only one, is listed by one level.
        attempt: how often the survey was tried before.
    """

    directories: tuple[str, ...]
    after: str | None = None
    is_level: bool = False
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of a survey.

    Arguments:
        batches: the objects.
        units: the parts that are still to be surveyed.
        is_too_large: whether the unit is a level with too many names for one result, which cannot be continued.
        errors: one for each directory of which the listing lacks something.
    """

    batches: tuple[Batch, ...] = ()
    units: tuple[Unit, ...] = ()
    is_too_large: bool = False
    errors: tuple[Error, ...] = ()


async def survey(tree: Tree, unit: Unit, limits: Limits) -> Survey:
    """Surveys a unit.

    Arguments:
        tree: the tree.
        unit: the part of it.
        limits: how much one survey lists, and how the objects are cut into batches.

    Raises:
        Error: a listing failed.
    """
    if not unit.is_level:
        probed = await _probed(tree, unit, limits)
        if probed is not None:
            return probed
        if len(unit.directories) > 1:
            return Survey(units=tuple(Unit((directory,)) for directory in unit.directories))
    return await _level(tree, unit, limits)


def stream(tree: Tree, unit: Unit) -> Iterator[Item | Unit | Error]:
    """Yields the files of one level as they are listed, and a unit for each directory. It lists in this process.

    At the end come the errors of what the listing lacks.

    Arguments:
        tree: the tree.
        unit: the level.
    """
    choose = _Chooser(tree)
    with tree.operator.blocking().lister(unit.directories[0]) as lister:
        for entry in lister:
            if choose.is_directory(entry, unit.directories[0]):
                yield Unit((entry.path,))
            elif choose.accepts(entry):
                yield Item.of(entry, tree.prefix)
        yield from choose.concerning(lister.left_out())


async def _probed(tree: Tree, unit: Unit, limits: Limits) -> Survey | None:
    """The objects of a unit; None if its names are more than the probe."""
    choose = _Chooser(tree)
    items: list[Item] = []
    names = 0
    left_out: list[Error] = []
    async with aclosing(_entries(tree, unit.directories, left_out)) as entries:
        async for entry in entries:
            names += 1
            if names > limits.probe:
                return None
            if choose.accepts(entry):
                items.append(Item.of(entry, tree.prefix))
    return Survey(tuple(cut(items, limits)), errors=choose.concerning(left_out))


def _parent(path: str) -> str:
    return path[: path.rstrip("/").rfind("/") + 1]


async def _entries(tree: Tree, directories: tuple[str, ...], left_out: list[Error]) -> AsyncGenerator[Entry, None]:
    """The entries below some directories of one level.

    Several of them are one listing, from the first one to the last one. Files between them belong to the level.

    Arguments:
        tree: the tree.
        directories: the directories.
        left_out: receives, at the end, an error for each directory of which the listing lacks something.
    """
    if len(directories) == 1:
        async with tree.operator.lister(directories[0], recursive=True) as lister:
            async for entry in lister:
                yield entry
            left_out += lister.left_out()
        return
    first, last = directories[0], directories[-1]
    parent = _parent(first)
    async with tree.operator.lister(parent or "/", recursive=True, start_after=first) as lister:
        async for entry in lister:
            if entry.path > last and not entry.path.startswith(last):
                break
            if "/" in entry.path[len(parent) :]:
                yield entry
        left_out += lister.left_out()


async def _level(tree: Tree, unit: Unit, limits: Limits) -> Survey:
    directory = unit.directories[0]
    can_continue = tree.operator.info.capability.list_with_start_after
    choose, found, last = _Chooser(tree), _Level(limits, can_group=can_continue), ""
    async with tree.operator.lister(directory, start_after=unit.after) as lister:
        async for entry in lister:
            if unit.after is not None and entry.path <= unit.after:
                continue  # a directory whose content comes after its own name
            if found.names >= limits.probe:
                if not can_continue:
                    return Survey(is_too_large=True)
                rest = Unit((directory,), last, is_level=True)
                return found.survey((rest,), choose.concerning(lister.left_out()))
            last = entry.path
            found.names += 1
            if choose.is_directory(entry, directory):
                found.add_directory(entry.path)
            elif choose.accepts(entry):
                found.items.append(Item.of(entry, tree.prefix))
        return found.survey(errors=choose.concerning(lister.left_out()))


@dataclass(slots=True)
class _Level:
    """The entries of one level so far."""

    limits: Limits
    can_group: bool
    names: int = 0
    items: list[Item] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)

    def add_directory(self, path: str) -> None:
        self.group.append(path)
        if not self.can_group or is_border(path, len(self.group), self.limits.group):
            self._close_group()

    def survey(self, more: Iterable[Unit] = (), errors: tuple[Error, ...] = ()) -> Survey:
        """The result. The files of a level that is continued are cut here, so that the result depends on no other."""
        self._close_group()
        return Survey(tuple(cut(self.items, self.limits)), (*self.units, *more), errors=errors)

    def _close_group(self) -> None:
        if self.group:
            self.units.append(Unit(tuple(self.group)))
            self.group = []


class _Chooser:
    """Chooses the entries of a listing that belong to a tree.

    Arguments:
        tree: the tree.
    """

    def __init__(self, tree: Tree) -> None:
        self._start = len(tree.prefix)
        self._state = tree.at(STATE)
        self._filter = PathFilter(tree.include, tree.exclude)

    def is_directory(self, entry: Entry, listed: str) -> bool:
        """Whether an entry of a level is a directory to survey."""
        return entry.is_dir and entry.path not in {listed, self._state, "/"}

    def accepts(self, entry: Entry) -> bool:
        """Whether an entry is a file of the tree."""
        if entry.is_dir or entry.path.startswith(self._state):
            return False
        return self._filter.accepts(entry.path[self._start :])

    def concerning(self, errors: Iterable[Error]) -> tuple[Error, ...]:
        """The errors of directories that may have files of the tree."""
        return tuple(error for error in errors if self._may_have_files(error.path or "/"))

    def _may_have_files(self, directory: str) -> bool:
        if directory.startswith(self._state):
            return False
        return self._filter.accepts_below("" if directory == "/" else directory[self._start :])
