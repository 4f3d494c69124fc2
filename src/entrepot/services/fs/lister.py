"""Listing a directory, a page at a time, or all that lies beneath it."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final

from entrepot.errors import Error, InvalidInput, NotADirectory
from entrepot.raw import normalize_path, oio
from entrepot.raw.log import WARNING, log
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.os_errors import meaning_of, translate_os_errors
from entrepot.types import Entry, Metadata

from .core import is_reserved
from .kernel.attributes import may_misstate_size, metadata_of, unless_stored
from .kernel.beneath import describe_beneath, open_beneath, open_root
from .kernel.describe import describe
from .kernel.descriptor import Descriptor
from .kernel.temporary import remove_abandoned
from .kernel.temporary_names import is_temporary_name

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

_READ: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK
_STEP: Final = 256
"""Entries that are found without looking whether the walk was closed meanwhile."""
_OPEN_LEVELS: Final = 32
"""Directories that are held open on the way down. Those deeper are read at once, and closed."""
_CLOSED_TO_US: Final = frozenset({errno.EACCES, errno.EPERM, errno.EXDEV, errno.ENAMETOOLONG})


class FsLister(oio.List):
    """Takes the pages of a walk, each by one hop to a thread.

    A page has a number, so that one whose caller was cancelled is given again and none twice.
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

    async def close(self) -> None:
        self._is_closed = True
        self._walk.close()


class Walk:
    """The entries of a directory, in the order that the file system has them. Its methods block.

    Symbolic links are told as what they lead to and are not descended into; what leads nowhere, or out of the
    root, is of unknown mode. What comes or goes meanwhile may be given or not, anything else is given once.

    Arguments:
        root: the root directory.
        relative: the directory to list, relative to it.
        prefix: what the paths of its entries begin with.
        is_recursive: whether what lies in its directories is listed as well.
        size: how many entries a page has, but for the last one.
        abandoned_after: seconds after which a temporary file that nothing was done to is removed, if its lock is free;
            0 is never.
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
        self._found: list[Entry] = []
        self._page: list[Entry] | None = None
        self._made = 0
        self._left_out = 0

    def page(self, number: int) -> list[Entry] | None:
        """The page of that number, counted from 1, or None behind the last. Asked again, it is the same page."""
        try:
            with self._in_use, translate_os_errors():
                if number > self._made:
                    self._fill()
                    self._page, self._found = self._found or None, []
                    self._made = number
                return self._page
        finally:
            if self._is_closed:
                self._close_unless_in_use()

    def close(self) -> None:
        """Closes what is open. A thread that is still at it does so when it ends."""
        self._is_closed = True
        self._close_unless_in_use()

    def _close_unless_in_use(self) -> None:
        """Of the one who closes and the thread that ends its page, the later one gets the lock at any rate."""
        if self._in_use.acquire(blocking=False):
            try:
                while self._levels:
                    self._levels.pop().close()
            finally:
                self._in_use.release()

    def _fill(self) -> None:
        """Finds entries for a page. After an error it goes on where it was."""
        while len(self._found) < self._size and not self._is_closed:
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
                return  # it is no directory, or none any more
            self._pass_over(error, prefix, is_top)
            return
        self._found += [level.itself()] if is_top else []
        self._levels.append(level)

    def _find(self, level: _Level) -> None:
        """Takes what is left of a directory, or as much of it as the page has room for, or up to where to descend."""
        try:
            size = min(self._size, len(self._found) + _STEP)
            directory = level.take(self._found, size, at_once=len(self._levels) > _OPEN_LEVELS)
        except OSError as error:
            self._pass_over(error, level.prefix, len(self._levels) == 1)
            level.is_over = True
            directory = None
        if directory is not None and self._is_recursive:
            self._ahead = directory, self._found[-1].path
        elif level.is_over:
            self._ascend()

    def _pass_over(self, error: OSError, prefix: str, is_top: bool) -> None:
        """Leaves out a directory that may not be read, or raises what is another error, or befalls the listing."""
        if is_top or error.errno not in _CLOSED_TO_US:
            raise error
        log(WARNING, "left out of the listing: %r: %s", prefix, meaning_of(error).message)

    def _ascend(self) -> None:
        level = self._levels.pop()
        level.close()
        self._left_out += level.left_out
        if not self._levels and self._left_out:
            log(
                WARNING,
                "left out of the listing: %d names that no path can have: no UTF-8, or a line break",
                self._left_out,
            )


class _Level:
    """One directory that a walk is in."""

    def __init__(self, root: str, relative: str, prefix: str, *, is_top: bool, abandoned_after: int) -> None:
        self._root = root
        self._abandoned_after = abandoned_after
        self._relative = relative
        self.prefix = prefix
        self.left_out = 0
        self.is_over = False
        self._pending: os.DirEntry[str] | None = None
        self._failure: OSError | None = None
        self._inner: str | None = None
        self._read: deque[tuple[Entry, str | None]] | None = None
        self._stored: os.statvfs_result | None = None
        self._directory = Descriptor(_open(root, relative, _READ if is_top else _READ | os.O_NOFOLLOW))
        self._names = os.scandir(self._descriptor)

    @property
    def _descriptor(self) -> int:
        return self._directory.number

    def __del__(self) -> None:
        """Closes what nobody closed, if it was opened."""
        if hasattr(self, "_names"):
            self.close()

    def itself(self) -> Entry:
        """The entry of the directory."""
        return Entry(self.prefix or "/", metadata_of(os.fstat(self._descriptor)))

    def take(self, found: list[Entry], size: int, *, at_once: bool) -> str | None:
        """Adds entries until there are so many, or a directory is among them, or there are no more.

        Arguments:
            found: what they are added to.
            size: how long that is to become.
            at_once: whether to read the whole directory first, and close it.

        Returns:
            The directory that was added last, relative to the root; None where that is none, or none to descend into.
        """
        if at_once and self._read is None:
            self._read = deque((entry, self._inner) for entry in iter(self._scan, None))
            self.close()
        step = self._scan if self._read is None else self._next_read
        while len(found) < size:
            entry = step()
            if entry is None:
                self.is_over = True
                break
            found.append(entry)
            if self._inner is not None:
                return self._inner
        return None

    def close(self) -> None:
        try:
            self._names.close()
        finally:
            self._directory.close()

    def _next_read(self) -> Entry | None:
        assert self._read is not None
        entry, self._inner = self._read.popleft() if self._read else (None, None)
        return entry

    def _scan(self) -> Entry | None:
        """The next entry, and in `_inner` where to look for more if it is a directory to descend into."""
        while (raw := self._raw()) is not None:
            self._pending = raw  # it stays so when it cannot be looked at, to be looked at again
            entry = self._described(raw)
            self._pending = None
            if entry is not None:
                return entry
        return None

    def _raw(self) -> os.DirEntry[str] | None:
        if self._failure is not None:
            raise self._failure
        try:
            return self._pending or next(self._names, None)
        except OSError as error:  # the iterator has ended with it, and would say that the directory has
            self._failure = error
            raise

    def _described(self, raw: os.DirEntry[str]) -> Entry | None:
        self._inner, name = None, raw.name
        if is_temporary_name(name):
            if self._abandoned_after:
                remove_abandoned(self._descriptor, name, unused_for=self._abandoned_after)
            return None
        if not _can_be_in_a_path(name):
            self.left_out += 1
            return None
        try:
            attributes = raw.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(attributes.st_mode):
            metadata = self._of_link(name, attributes)
        else:
            metadata = self._of(attributes, describe(attributes, self._descriptor, name))
            if metadata.is_dir:
                self._inner = self._relative_to_root(name)
        return Entry(f"{self.prefix}{name}/" if metadata.is_dir else f"{self.prefix}{name}", metadata)

    def _of(self, attributes: os.stat_result, metadata: Metadata) -> Metadata:
        if metadata.is_file and may_misstate_size(attributes):
            return unless_stored(metadata, self._file_system())
        return metadata

    def _file_system(self) -> os.statvfs_result:
        if self._stored is None:
            self._stored = os.fstatvfs(self._descriptor)
        return self._stored

    def _of_link(self, name: str, link: os.stat_result) -> Metadata:
        directory = open_root(self._root)
        try:
            return self._of(*describe_beneath(directory, self._relative_to_root(name)))
        except OSError:  # it leads to nothing, or out of the root
            return metadata_of(link)
        finally:
            os.close(directory)

    def _relative_to_root(self, name: str) -> str:
        return name if self._relative == "." else f"{self._relative}/{name}"


def _open(root: str, relative: str, flags: int) -> int:
    try:
        directory = open_root(root)
    except NotADirectoryError:
        raise NotADirectory("the root is no directory") from None
    try:
        return open_beneath(directory, relative, flags)
    finally:
        os.close(directory)


def _can_be_in_a_path(name: str) -> bool:
    if name.isascii() and name.isprintable():
        return True
    try:
        return normalize_path(name) == name
    except InvalidInput:
        return False
