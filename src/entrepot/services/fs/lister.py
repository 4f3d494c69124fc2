"""Listing a directory, or the whole tree below it, a page at a time.

Theory of operation.

- `Walk` goes down depth first. `_levels` is the stack of directories that the walk is in; each has an open `scandir`
  iterator. More than 32 levels down, a directory is read as a whole and closed, so that a deep tree does not take all
  descriptors. `_ahead` is the directory to enter next.
- A thread call fills one page (`_entries`) and returns it. Pages have numbers: the next number fills a new page, the
  last number returns the same page again. So a page whose caller was cancelled is not lost.
- One thread works on a walk at a time (`_in_use`). `close` may come from another thread: it closes the directories, or
  leaves that to the thread that is filling a page, which checks `_is_closed` every 256 entries.
- The names of a directory are read up to 256 at a time (`_pending`), and none after one that is not a regular file. The
  files among them are looked at together (`_files`). Any other name, and each of them where that fails, is looked at by
  itself (`_entry_of`). So the content of a directory follows its entry, and a file is looked at shortly before it is
  returned.
- After an error the walk goes on where it was: an entry whose attributes could not be read is tried again by the next
  call. A directory that vanished is left out. So is one that may not be read, which `left_out` names; only for the
  directory that the caller listed, that is an error.
- Symbolic links are described as the file that they lead to, by a confined open, and never entered.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Sequence
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final

from entrepot.errors import Error, NotADirectory
from entrepot.raw import oio
from entrepot.raw.file_paths import is_reserved
from entrepot.raw.log import log_left_out
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.os_errors import meaning_of, translate_os_errors
from entrepot.raw.path import is_path
from entrepot.raw.temporary_names import PREFIX, is_temporary_name
from entrepot.types import Entry, EntryMode, Metadata

from .kernel.attributes import may_misstate_size, metadata_of, unless_stored
from .kernel.beneath import describe_beneath, open_beneath, open_root
from .kernel.describe import describe, describe_files
from .kernel.descriptor import Descriptor
from .kernel.temporary import remove_abandoned

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

_DIRECTORY: Final = EntryMode.DIR
_READ: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK
_STEP: Final = 256
"""Names that are looked at together, and entries between two checks whether the walk was closed."""
_OPEN_LEVELS: Final = 32
"""Levels whose directories stay open. A deeper directory is read as a whole, and closed."""
_CLOSED_TO_US: Final = frozenset({errno.EACCES, errno.EPERM, errno.EXDEV, errno.ENAMETOOLONG})


class FsLister(oio.List):
    """Returns the pages of a walk, each by one thread call.

    A page has a number, so that a page whose caller was cancelled is returned again, and no page twice.
    """

    __slots__ = ("_is_closed", "_number", "_runtime", "_walk")

    def __init__(self, runtime: Runtime, walk: Walk) -> None:
        self._runtime = runtime
        self._walk = walk
        self._number = 0
        self._is_closed = False

    async def next(self) -> Sequence[Entry] | None:
        check_not_closed(self._is_closed)
        page = await self._runtime.blocking(self._walk.page, self._number + 1)
        self._number += 1
        return page

    def left_out(self) -> Sequence[oio.LeftOut]:
        return tuple(self._walk.left_out)

    async def close(self) -> None:
        self._is_closed = True
        self._walk.close()


class Walk:
    """The entries of a directory, in the order of the file system. Its methods block.

    A symbolic link is described as the file or directory that it leads to, and is not entered; a link that leads to
    nothing or out of the root has the mode UNKNOWN. An entry that is made or deleted during the walk may be missing;
    any other is returned once.

    Arguments:
        root: the root directory.
        relative: the directory to list, relative to the root.
        prefix: the prefix of the paths of its entries.
        is_recursive: whether the content of its directories is listed too.
        size: entries of a page, except the last one.
        abandoned_after: seconds without a change after which a temporary file is removed, if its lock is free;
            0 is never.

    Attributes:
        left_out: what the pages so far lack.
    """

    def __init__(
        self, root: str, relative: str, prefix: str, *, is_recursive: bool, size: int, abandoned_after: int
    ) -> None:
        self._root = root
        self._abandoned_after = abandoned_after
        self._is_recursive = is_recursive
        self._size = size
        self._in_use = Lock()
        self._is_closed = False
        self._levels: list[_Level] = []
        self._top = relative, prefix
        self._ahead = None if is_reserved(relative) else self._top
        self._entries: list[Entry] = []
        self._page: list[Entry] | None = None
        self._made = 0
        self._unnamed = 0
        self.left_out: list[oio.LeftOut] = []

    def page(self, number: int) -> list[Entry] | None:
        """The page with a number, counted from 1; None past the last. The same number returns the same page again."""
        try:
            with self._in_use, translate_os_errors():
                if number > self._made:
                    self._fill()
                    self._page, self._entries = self._entries or None, []
                    self._made = number
                return self._page
        finally:
            if self._is_closed:
                self._close_unless_in_use()

    def close(self) -> None:
        """Closes the open directories. If a thread is filling a page, it closes them when it ends."""
        self._is_closed = True
        self._close_unless_in_use()

    def _close_unless_in_use(self) -> None:
        """Closes all, unless a thread has the lock. The later of `close` and the end of a page always gets the lock."""
        if self._in_use.acquire(blocking=False):
            try:
                while self._levels:
                    self._levels.pop().close()
            finally:
                self._in_use.release()

    def _fill(self) -> None:
        """Collects the entries of a page. After an error it goes on where it was."""
        while len(self._entries) < self._size and not self._is_closed:
            if self._ahead is not None:
                self._descend(*self._ahead)
                self._ahead = None
            elif not self._levels:
                break
            else:
                self._find(self._levels[-1])

    def _descend(self, relative: str, prefix: str) -> None:
        is_top = (relative, prefix) == self._top
        try:
            level = _Level(self._root, relative, prefix, is_top=is_top, abandoned_after=self._abandoned_after)
        except Error:
            raise
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR) or (error.errno == errno.ELOOP and not is_top):
                return  # it is not a directory, or not any more
            self._pass_over(error, prefix, is_top)
            return
        self._entries += [level.self_entry()] if is_top else []
        self._levels.append(level)

    def _find(self, level: _Level) -> None:
        """Adds entries of a directory: all, or until the page is full, or until a directory to enter."""
        try:
            size = min(self._size, len(self._entries) + _STEP)
            directory = level.take(self._entries, size, is_read_whole=len(self._levels) > _OPEN_LEVELS)
        except OSError as error:
            self._pass_over(error, level.prefix, len(self._levels) == 1)
            level.is_over = True
            directory = None
        if directory is not None and self._is_recursive:
            self._ahead = directory, self._entries[-1].path
        elif level.is_over:
            self._ascend()

    def _pass_over(self, error: OSError, prefix: str, is_top: bool) -> None:
        """Leaves out a directory that may not be read. Raises other errors, and any error of the listed directory."""
        if is_top or error.errno not in _CLOSED_TO_US:
            raise error
        meaning = meaning_of(error)
        self.left_out.append(oio.LeftOut(prefix, meaning))
        log_left_out("left out of the listing: %r: %s", prefix, meaning.message)

    def _ascend(self) -> None:
        level = self._levels.pop()
        level.close()
        if level.first_unnamed is not None:
            self._unnamed += level.unnamed
            self.left_out.append(oio.left_out_names(level.prefix or "/", level.first_unnamed, level.unnamed))
        if not self._levels and self._unnamed:
            log_left_out(
                "left out of the listing: %d names that cannot be in a path: not UTF-8, or with a line break",
                self._unnamed,
            )


class _Level:
    """One directory that a walk is in."""

    def __init__(self, root: str, relative: str, prefix: str, *, is_top: bool, abandoned_after: int) -> None:
        self._root = root
        self._abandoned_after = abandoned_after
        self._relative = relative
        self.prefix = prefix
        self.unnamed = 0
        self.first_unnamed: bytes | None = None
        self.is_over = False
        self._pending = deque[os.DirEntry[str]]()
        self._files_ahead = 0
        self._failure: OSError | None = None
        self._inner: str | None = None
        self._read: deque[tuple[Entry, str | None]] | None = None
        self._gathered = deque[tuple[Entry, str | None]]()
        self._stored: os.statvfs_result | None = None
        self._directory = _open(root, relative, _READ if is_top else _READ | os.O_NOFOLLOW)
        self._names = os.scandir(self._directory.number)

    def __del__(self) -> None:
        """Closes a level that an interrupt left open."""
        if hasattr(self, "_names"):
            self.close()

    def self_entry(self) -> Entry:
        """The entry of the directory."""
        return Entry(self.prefix or "/", metadata_of(os.fstat(self._directory.number)))

    def take(self, entries: list[Entry], size: int, *, is_read_whole: bool) -> str | None:
        """Adds entries until the list has the size, or a directory to enter was added, or there are no more.

        Arguments:
            entries: the list to extend.
            size: the length that the list may reach.
            is_read_whole: whether to read the whole directory first, and close it.

        Returns:
            The directory that was added last, relative to the root; None where no directory to enter was added.
        """
        if is_read_whole and self._read is None:
            self._read = self._read_whole()
            self.close()
        return self._scan(entries, size) if self._read is None else self._take_read(self._read, entries, size)

    def close(self) -> None:
        try:
            self._names.close()
        finally:
            self._directory.close()

    def _read_whole(self) -> deque[tuple[Entry, str | None]]:
        """All entries, each with its relative path if it is a directory to enter. After an error it goes on."""
        while not self.is_over:
            entries = list[Entry]()
            inner = self._scan(entries, 1)
            self._gathered.extend((entry, inner) for entry in entries)
        self.is_over = False
        return self._gathered

    def _take_read(self, read: deque[tuple[Entry, str | None]], entries: list[Entry], size: int) -> str | None:
        while len(entries) < size:
            if not read:
                self.is_over = True
                break
            entry, inner = read.popleft()
            entries.append(entry)
            if inner is not None:
                return inner
        return None

    def _scan(self, entries: list[Entry], size: int) -> str | None:
        """Adds entries from the open directory, as `take` does."""
        while len(entries) < size:
            if not (self._pending or self._read_names(min(size - len(entries), _STEP))):
                self.is_over = True
                break
            inner = self._take_pending(entries)
            if inner is not None:
                return inner
        return None

    def _read_names(self, most: int) -> bool:
        """Reads at most so many names into `_pending`, and none after one that is not a regular file.

        Returns:
            Whether there were any.
        """
        if self._failure is not None:
            raise self._failure
        pending = self._pending
        try:
            for raw in islice(self._names, most):
                pending.append(raw)
                if not _is_file(raw):
                    break
                self._files_ahead += 1
        except OSError as error:  # the iterator has ended with it, and would report the end of the directory
            self._failure = error
            if not pending:
                raise
        return bool(pending)

    def _take_pending(self, entries: list[Entry]) -> str | None:
        """Adds the entries of the pending names, as `take` does. After an error the rest is still pending."""
        pending, directory = self._pending, self._directory.number
        files = self._files()
        entries += files
        for _ in files:
            pending.popleft()
        while pending:
            entry = self._entry_of(pending[0], directory)
            pending.popleft()
            if entry is not None:
                entries.append(entry)
                if self._inner is not None:
                    return self._inner
        return None

    def _files(self) -> Sequence[Entry]:
        """The entries of the regular files before any other pending name.

        Files are looked at together, by few calls of C code, which takes half of the time of `_entry_of`. Where
        one of them cannot be, there are none, and `_entry_of` finds the cause.
        """
        names = [raw.name for raw in islice(self._pending, self._files_ahead)]
        self._files_ahead = 0
        together = "".join(names)
        if not (together.isascii() and together.isprintable()) or PREFIX in together:
            return ()
        described = describe_files(self._directory.number, names) if names else None
        if described is None:
            return ()
        prefix = self.prefix
        return [Entry(prefix + name, metadata) for name, metadata in zip(names, described, strict=True)]

    def _entry_of(self, raw: os.DirEntry[str], directory: int) -> Entry | None:
        """The entry of a name in the open directory; None if it is left out.

        `_inner` becomes its relative path, if it is to be entered.
        """
        self._inner, name = None, raw.name
        if is_temporary_name(name):
            if self._abandoned_after:
                remove_abandoned(directory, name, unused_for=self._abandoned_after)
            return None
        if not (name.isascii() and name.isprintable()) and not is_path(name):
            self.unnamed += 1
            self.first_unnamed = self.first_unnamed or os.fsencode(name)
            return None
        try:
            attributes = raw.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(attributes.st_mode):
            metadata = self._of_link(name, attributes)
        else:
            metadata = self._of(attributes, describe(attributes, directory, name))
            if metadata.mode is _DIRECTORY:
                self._inner = self._relative_to_root(name)
        path = f"{self.prefix}{name}"
        return Entry(f"{path}/" if metadata.mode is _DIRECTORY else path, metadata)

    def _of(self, attributes: os.stat_result, metadata: Metadata) -> Metadata:
        if not attributes.st_blocks and may_misstate_size(attributes) and metadata.is_file:
            return unless_stored(metadata, self._file_system())
        return metadata

    def _file_system(self) -> os.statvfs_result:
        if self._stored is None:
            self._stored = os.fstatvfs(self._directory.number)
        return self._stored

    def _of_link(self, name: str, link: os.stat_result) -> Metadata:
        with open_root(self._root) as directory:
            try:
                return self._of(*describe_beneath(directory, self._relative_to_root(name)))
            except OSError:  # it leads to nothing, or out of the root
                return metadata_of(link)

    def _relative_to_root(self, name: str) -> str:
        return name if self._relative == "." else f"{self._relative}/{name}"


def _open(root: str, relative: str, flags: int) -> Descriptor:
    try:
        opened = open_root(root)
    except NotADirectoryError:
        raise NotADirectory("the root is not a directory") from None
    with opened as directory:
        return open_beneath(directory, relative, flags)


def _is_file(raw: os.DirEntry[str]) -> bool:
    try:
        return raw.is_file(follow_symlinks=False)
    except OSError:  # which looking at it raises again
        return False
