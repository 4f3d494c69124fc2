"""A recursive listing made of listings of one level.

Theory of operation. The walk is a stack of levels, one for each directory from the start down to the current one. A
level holds its directory's listing and the subdirectories of the last page that are still to be visited. Each step
either descends into the next subdirectory, reads the next page and returns its files, or closes a finished level and
returns its own entry. The state changes only after the awaited call has returned, so the next verb repeats a step
that failed or was cancelled. One task uses the walk at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from entrepot.errors import Error, NotADirectory, NotFound, PermissionDenied
from entrepot.raw.log import log_left_out
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.types import Entry

from .api import LeftOut, List


class FlatLister(List):
    """Walks a tree and yields each directory after its contents, so that entries can be deleted as they come.

    The start directory comes last, if its own listing has it. One page of each directory on the way down is in
    memory. A subdirectory that no longer exists or is not a directory any more is left out. One without permission to
    list comes without its contents, with a warning in the log `entrepot.listing`, and is in `left_out`. For the start
    directory these errors are raised.

    Arguments:
        list_directory: opens the listing of one directory, one level deep.
        path: the directory to start at.
    """

    __slots__ = ("_is_closed", "_left_out", "_list_directory", "_path", "_stack")

    def __init__(self, list_directory: Callable[[str], Awaitable[List]], path: str) -> None:
        self._list_directory = list_directory
        self._path = path
        self._left_out: list[LeftOut] = []
        self._stack: list[_Level] | None = None
        self._is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        """Returns the next files, or a directory whose contents came before."""
        check_not_closed(self._is_closed)
        if self._stack is None:
            self._stack = [_Level(self._path, None, await self._list_directory(self._path))]
        while self._stack:
            if entries := await self._step(self._stack):
                return entries
        return None

    def left_out(self) -> Sequence[LeftOut]:
        open_levels = (each for level in self._stack or () for each in level.lister.left_out())
        return [*self._left_out, *open_levels]

    async def close(self) -> None:
        """Closes the listings of all levels."""
        self._is_closed = True
        async with AsyncExitStack() as closing:
            for level in self._stack or ():
                closing.push_async_callback(level.lister.close)

    async def _step(self, stack: list[_Level]) -> Sequence[Entry]:
        level = stack[-1]
        if level.directories:
            return await self._descend(stack, level.directories)
        if not level.is_done:
            return await self._read_on(level)
        await level.lister.close()
        stack.pop()
        self._left_out += level.lister.left_out()
        return level.own_entry()

    async def _descend(self, stack: list[_Level], directories: deque[Entry]) -> Sequence[Entry]:
        entry = directories[0]
        left_out: Sequence[Entry] = ()
        try:
            stack.append(_Level(entry.path, entry, await self._list_directory(entry.path)))
        except (NotFound, NotADirectory):
            pass  # it was deleted during the walk
        except PermissionDenied as error:
            self._leave_out(entry.path, error)
            left_out = (entry,)
        directories.popleft()
        return left_out

    async def _read_on(self, level: _Level) -> Sequence[Entry]:
        try:
            return level.take(await level.lister.next())
        except (NotFound, NotADirectory, PermissionDenied) as error:
            if level.path == self._path:
                raise
            is_denied = isinstance(error, PermissionDenied)
            if is_denied:
                self._leave_out(level.path, error)
            level.give_up(keeps_own=is_denied)
            return ()

    def _leave_out(self, path: str, error: Error) -> None:
        """Notes a directory without permission to list, with a warning."""
        self._left_out.append(LeftOut(path, error))
        log_left_out("left out what is in the directory %r, which may not be listed: %s", path, error)


class _Level:
    """One directory on the way down.

    Attributes:
        own: the directory's entry, which comes after its contents.
        directories: the subdirectories of the last page that the walk has not visited yet.
        is_done: whether the listing has ended.
    """

    __slots__ = ("directories", "is_done", "lister", "own", "path")

    def __init__(self, path: str, own: Entry | None, lister: List) -> None:
        self.path = path
        self.own = own
        self.lister = lister
        self.directories: deque[Entry] = deque()
        self.is_done = False

    def take(self, page: Sequence[Entry] | None) -> Sequence[Entry]:
        """Keeps the directories of a page and returns the rest."""
        if page is None:
            self.is_done = True
            return ()
        return [entry for entry in page if not self._keeps(entry)]

    def give_up(self, *, keeps_own: bool) -> None:
        """Ends this level, because the directory cannot be listed. One that no longer exists loses its own entry."""
        self.is_done = True
        self.own = self.own if keeps_own else None

    def own_entry(self) -> Sequence[Entry]:
        """Returns the directory's entry, if it has one."""
        return () if self.own is None else (self.own,)

    def _keeps(self, entry: Entry) -> bool:
        if entry.path == self.path:
            self.own = self.own or entry
            return True
        is_below = self.path == "/" or entry.path.startswith(self.path)
        if is_below and entry.path.endswith("/"):  # another directory would lead back up, and into an endless walk
            self.directories.append(entry)
            return True
        return False
