"""Deleting files, and directories with all that lies in them.

A tree is removed from within: one directory is open at a time, entered by its name through no symbolic link
and left by `..`, which must lead back to where it was entered from. So nobody can move the removal
elsewhere by renaming what it passes through or putting a link there. An empty directory is removed by its name and
not entered. Of the others, so many names are remembered that a wide directory is not read once for each, and no more,
so that neither the depth of a tree nor the size of its directories takes memory.
"""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from entrepot.errors import Error, IsADirectory, Unexpected
from entrepot.raw import OpDelete
from entrepot.raw.os_errors import translate_os_errors

from .core import is_reserved, names_directory, relative_path
from .kernel.beneath import attributes_beneath, open_parent, open_root
from .kernel.descriptor import Descriptor
from .kernel.temporary import remove_abandoned
from .kernel.temporary_names import is_temporary_name
from .revocable import Revocable

_ENTER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_EMPTY: Final = (errno.ENOTEMPTY, errno.EEXIST)
_NOT_EMPTY_MESSAGE: Final = "the directory is not empty: recursive=True deletes it with all that lies in it"
_NO_DIRECTORY_ANY_MORE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_TRIES: Final = 3
_RESTARTS: Final = 1000
_NAMES: Final = 256
"""Directories of one directory that are remembered to be entered."""
_WIDE_LEVELS: Final = 64
"""Levels at which so many are remembered. Below them it is one."""

Identity = tuple[int, int]


def delete_many(revocable: Revocable, root: str, deletions: Sequence[tuple[str, OpDelete]]) -> list[Error]:
    """Deletes many paths and returns the errors of those that could not be deleted. Blocks."""
    failures: list[Error] = []
    for path, args in deletions:
        revocable.check_wanted()
        try:
            delete_path(revocable, root, path, args)
        except Error as error:
            failures.append(error.add_context(path=path))
    return failures


def delete_path(revocable: Revocable, root: str, path: str, args: OpDelete) -> None:
    """Deletes what a path names, a symbolic link itself; what is missing is no error. Blocks.

    Arguments:
        revocable: says between two steps whether it is still wanted.
        root: the root directory.
        path: the path; with a slash at its end it means a directory and nothing else.
        args: whether a directory is deleted with all that lies in it.

    Raises:
        IsADirectory: it is a directory, and the path has no slash at its end or the directory is not empty.
        Unexpected: something is being put into the directory all the time. Temporary.
    """
    relative = relative_path(path)
    if is_reserved(relative):
        return
    with translate_os_errors():
        if relative == ".":
            _delete_in_root(revocable, root, args)
            return
        try:
            parent, name = open_parent(root, relative)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            mode = _mode(parent, name)
            if mode is None:  # where nothing may be deleted, asking for it would be an error
                return
            if stat.S_ISDIR(mode):
                _delete_directory(revocable, parent, name, path, args)
            elif not names_directory(path) or _leads_to_directory(root, relative):
                _unlink(parent, name)
        finally:
            os.close(parent)


def _mode(parent: int, name: str) -> int | None:
    """The mode of what has a name, or None where nothing has."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _unlink(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _leads_to_directory(root: str, relative: str) -> bool:
    directory = open_root(root)
    try:
        return stat.S_ISDIR(attributes_beneath(directory, relative).st_mode)
    except OSError:  # a link that leads to nothing, or out of the root
        return False
    finally:
        os.close(directory)


def _delete_directory(revocable: Revocable, parent: int, name: str, path: str, args: OpDelete) -> None:
    if not (args.recursive or names_directory(path)):
        raise IsADirectory("the path names a directory: with a slash at its end it is deleted")
    try:
        if args.recursive:
            _empty(revocable, os.open(name, _ENTER, dir_fd=parent))
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:  # somebody else has deleted it
        return
    except OSError as error:
        if error.errno not in _NOT_EMPTY:
            raise
        if not args.recursive:
            _delete_if_only_abandoned(parent, name)


def _delete_if_only_abandoned(parent: int, name: str) -> None:
    """Deletes a directory in which dead writers left something and nothing else is."""
    directory = os.open(name, _ENTER, dir_fd=parent)
    try:
        _check_shows_nothing(directory)
    finally:
        os.close(directory)
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        raise IsADirectory(_NOT_EMPTY_MESSAGE) from error


def _check_shows_nothing(directory: int) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            if not is_temporary_name(entry.name):
                raise IsADirectory(_NOT_EMPTY_MESSAGE)
            remove_abandoned(directory, entry.name)


def _delete_in_root(revocable: Revocable, root: str, args: OpDelete) -> None:
    """The root itself is kept."""
    try:
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if args.recursive:
        _empty(revocable, directory)
        return
    try:
        _check_shows_nothing(directory)
    finally:
        os.close(directory)


def _empty(revocable: Revocable, directory: int) -> None:
    """Removes all that lies in an open directory, and closes it.

    A file that is being written stays, and so do the directories above it: it comes after the deletion.
    """
    try:
        emptying = _TreeRemoval(directory, revocable.check_wanted)
        try:
            emptying.run()
        finally:
            emptying.close()
    finally:
        os.close(directory)


class _TreeRemoval:
    def __init__(self, directory: int, check_wanted: Callable[[], None]) -> None:
        self._top = directory
        self._opened = Descriptor(os.dup(directory))
        self._check_wanted = check_wanted
        self._way: list[tuple[str, Identity]] = []
        self._ahead: list[list[str]] = [[]]
        self._kept: set[Identity] = set()
        self._tries: Counter[Identity] = Counter()

    @property
    def _here(self) -> int:
        return self._opened.number

    def run(self) -> None:
        for _ in range(_RESTARTS):
            if self._is_emptied():
                return
            self._way.clear()
            self._ahead = [[]]
            self._move_to(os.dup(self._top))
        raise Unexpected("directories are being moved while they are deleted", is_temporary=True)

    def _is_emptied(self) -> bool:
        """Goes through all. False where the way back is lost, for somebody moved or removed what it is in."""
        while True:
            if names := self._ahead[-1] or self._clear():
                self._ahead[-1] = names
                self._enter(names.pop())
            elif not self._way:
                return True
            elif not self._leave():
                return False

    def close(self) -> None:
        self._opened.close()

    def _clear(self) -> list[str]:
        """Removes what is no directory or an empty one, and returns the names of some others."""
        names, most = list[str](), _NAMES if len(self._way) < _WIDE_LEVELS else 1
        with os.scandir(self._here) as entries:
            for entry in entries:
                self._check_wanted()
                if entry.is_dir(follow_symlinks=False):
                    if not self._is_kept(entry) and not self._is_removed_empty(entry.name):
                        names.append(entry.name)
                        if len(names) == most:
                            break
                elif is_temporary_name(entry.name) and entry.is_file(follow_symlinks=False):
                    self._remove_unless_written(entry.name)
                else:
                    _unlink(self._here, entry.name)
        return names

    def _is_removed_empty(self, name: str) -> bool:
        """Removes a directory if nothing lies in it. What else is the matter is met when it is entered."""
        try:
            os.rmdir(name, dir_fd=self._here)
        except OSError:
            return False
        return True

    def _is_kept(self, entry: os.DirEntry[str]) -> bool:
        try:
            return bool(self._kept) and _identity(entry.stat(follow_symlinks=False)) in self._kept
        except FileNotFoundError:
            return False

    def _remove_unless_written(self, name: str) -> None:
        if not remove_abandoned(self._here, name):
            self._kept.add(_identity(os.fstat(self._here)))

    def _enter(self, name: str) -> None:
        try:
            inner = os.open(name, _ENTER, dir_fd=self._here)
        except OSError as error:
            if error.errno not in _NO_DIRECTORY_ANY_MORE:
                raise
            return
        self._way.append((name, _identity(os.fstat(self._here))))
        self._ahead.append([])
        self._move_to(inner)

    def _leave(self) -> bool:
        inner = _identity(os.fstat(self._here))
        name, entered_from = self._way.pop()
        self._ahead.pop()
        try:
            self._move_to(os.open("..", _ENTER, dir_fd=self._here))
        except FileNotFoundError:
            return False
        if _identity(os.fstat(self._here)) != entered_from:
            return False
        self._remove_directory(name, inner, entered_from)
        return True

    def _move_to(self, directory: int) -> None:
        left, self._opened = self._opened, Descriptor(directory)
        left.close()

    def _remove_directory(self, name: str, inner: Identity, outer: Identity) -> None:
        try:
            os.rmdir(name, dir_fd=self._here)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in _NOT_EMPTY:
                raise
            self._keep_or_try_again(inner, outer)

    def _keep_or_try_again(self, inner: Identity, outer: Identity) -> None:
        """What is kept in a directory keeps that one. Else something came meanwhile, and it is met again."""
        self._tries[inner] += 1
        if inner in self._kept:
            self._kept.add(outer)
        elif self._tries[inner] >= _TRIES:
            raise Unexpected("something is being put into the directory while it is deleted", is_temporary=True)


def _identity(attributes: os.stat_result) -> Identity:
    return attributes.st_dev, attributes.st_ino
