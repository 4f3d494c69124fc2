"""Recursion over listings of one level."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from entrepot.errors import NotADirectory, NotFound, PermissionDenied
from entrepot.raw.log import WARNING, log
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.types import Entry

from .api import List


class FlatLister(List):
    """Walks a tree, each directory after all that lies in it, so that what is listed can be deleted as it comes.

    The directory that the walk starts at is given last, if its own listing has it. In memory are one page
    of each directory on the way down to where the walk is. A directory that is gone, or is no
    directory any more, when the walk comes to it is left out, and so is one that may not be
    listed, with a warning in the log `entrepot`. This does not hold for the one that it starts at.

    Arguments:
        list_directory: opens the listing of one directory, one level of it.
        path: the directory to start at.
    """

    __slots__ = ("_is_closed", "_list_directory", "_path", "_stack")

    def __init__(self, list_directory: Callable[[str], Awaitable[List]], path: str) -> None:
        self._list_directory = list_directory
        self._path = path
        self._stack: list[_Level] | None = None
        self._is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        """The next files, or a directory whose contents were given."""
        check_not_closed(self._is_closed)
        if self._stack is None:
            self._stack = [_Level(self._path, None, await self._list_directory(self._path))]
        while self._stack:
            if found := await self._step(self._stack):
                return found
        return None

    async def close(self) -> None:
        """Closes the listings of all directories that the walk is in."""
        self._is_closed = True
        async with AsyncExitStack() as closing:
            for level in self._stack or ():
                closing.push_async_callback(level.lister.close)

    async def _step(self, stack: list[_Level]) -> Sequence[Entry]:
        level = stack[-1]
        if level.directories:
            await self._descend(stack, level.directories)
            return ()
        if not level.is_done:
            return await self._read_on(level)
        await level.lister.close()
        stack.pop()
        return level.farewell()

    async def _descend(self, stack: list[_Level], directories: deque[Entry]) -> None:
        entry = directories[0]
        try:
            stack.append(_Level(entry.path, entry, await self._list_directory(entry.path)))
        except (NotFound, NotADirectory, PermissionDenied) as error:
            _log_left_out(entry.path, error)
        directories.popleft()

    async def _read_on(self, level: _Level) -> Sequence[Entry]:
        try:
            return level.take(await level.lister.next())
        except (NotFound, NotADirectory, PermissionDenied) as error:
            if level.path == self._path:
                raise
            _log_left_out(level.path, error)
            level.give_up()
            return ()


class _Level:
    """One directory of the way down.

    Attributes:
        own: its entry, which is given when it is left.
        directories: those that its last page has and the walk did not visit yet.
        is_done: whether its listing has come to the end.
    """

    __slots__ = ("directories", "is_done", "lister", "own", "path")

    def __init__(self, path: str, own: Entry | None, lister: List) -> None:
        self.path = path
        self.own = own
        self.lister = lister
        self.directories: deque[Entry] = deque()
        self.is_done = False

    def take(self, page: Sequence[Entry] | None) -> Sequence[Entry]:
        """Keeps the directories of a page and gives the rest."""
        if page is None:
            self.is_done = True
            return ()
        return [entry for entry in page if not self._keeps(entry)]

    def give_up(self) -> None:
        """There is no more to be had of this directory, and it is not given either."""
        self.is_done = True
        self.own = None

    def farewell(self) -> Sequence[Entry]:
        return () if self.own is None else (self.own,)

    def _keeps(self, entry: Entry) -> bool:
        if entry.path == self.path:
            self.own = self.own or entry
            return True
        is_below = self.path == "/" or entry.path.startswith(self.path)
        if is_below and entry.path.endswith("/"):  # another would lead back up, and the walk round in circles
            self.directories.append(entry)
            return True
        return False


def _log_left_out(path: str, error: Exception) -> None:
    """Warns of a directory that may not be listed. One that is gone is no news: it was deleted meanwhile."""
    if isinstance(error, PermissionDenied):
        log(WARNING, "left out the directory %r, which may not be listed: %s", path, error)
