"""Deleting files, and directories with all of their content.

Theory of operation of the recursive deletion (`_TreeRemoval`). A tree is removed from the inside:

- One directory is open at a time (`_here`). Its files and empty directories are removed by name. The names of the other
  directories are remembered in `_ahead`, one list for each level, and entered one after the other.
- A directory is entered by its name, never through a symbolic link, and left by `..`, which must lead to the directory
  that it was entered from: `_way` has the name and the identity (device, inode) of each level. So another process
  cannot move the removal elsewhere by renaming a directory on the way or putting a link there. If `..` leads elsewhere,
  the removal starts again at the top, up to 1,000 times.
- At most 256 names are remembered for a directory, and 1 below level 64; afterwards the directory is read again. So
  a wide directory is not read once for each name, and neither depth nor width takes memory without limit.
- A temporary file whose writer is alive stays, and so do the directories above it (`_kept`). A directory that is not
  empty for another reason was filled at the same time; it is tried 3 times.

Before each entry the removal checks that it is still wanted (`Revocable`). After a cancellation it stops between two
entries; the entries that were removed stay removed.
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
from entrepot.raw.file_paths import is_reserved, names_directory, relative_path
from entrepot.raw.oio.delete.api import NOT_EMPTY
from entrepot.raw.os_errors import translate_os_errors
from entrepot.raw.temporary_names import is_temporary_name

from .kernel.beneath import attributes_beneath, open_parent, open_root
from .kernel.descriptor import Descriptor, open_at, owned
from .kernel.temporary import remove_abandoned
from .revocable import Revocable

_ENTER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_EMPTY: Final = (errno.ENOTEMPTY, errno.EEXIST)
_NO_DIRECTORY_ANY_MORE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_TRIES: Final = 3
_RESTARTS: Final = 1000
_NAMES: Final = 256
"""Names of directories that are remembered for one directory."""
_WIDE_LEVELS: Final = 64
"""Levels at which `_NAMES` names are remembered. Below them one name is."""

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
    """Deletes a file or a directory; a symbolic link itself. A missing path is not an error. Blocks.

    Arguments:
        revocable: is checked between two steps.
        root: the root directory.
        path: the path; with a slash at its end it names only a directory.
        args: whether a directory is deleted with its content.

    Raises:
        IsADirectory: the path leads to a directory, and has no slash at its end or the directory is not empty.
        Unexpected: other processes keep putting files into the directory. Temporary.
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
        with parent as directory:
            mode = _mode(directory, name)
            if mode is None:  # on a read-only file system, unlink(2) would be an error
                return
            if stat.S_ISDIR(mode):
                _delete_directory(revocable, directory, name, path, args)
            elif not names_directory(path) or _leads_to_directory(root, relative):
                _unlink(directory, name)


def _mode(parent: int, name: str) -> int | None:
    """The mode of the file with a name, or None where it is missing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _unlink(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _leads_to_directory(root: str, relative: str) -> bool:
    with open_root(root) as directory:
        try:
            return stat.S_ISDIR(attributes_beneath(directory, relative).st_mode)
        except OSError:  # a link that leads to nothing, or out of the root
            return False


def _delete_directory(revocable: Revocable, parent: int, name: str, path: str, args: OpDelete) -> None:
    if not (args.recursive or names_directory(path)):
        raise IsADirectory("the path names a directory: add a slash at its end to delete it")
    try:
        if args.recursive:
            _empty(revocable, open_at(name, _ENTER, directory=parent))
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:  # another process has deleted it
        return
    except OSError as error:
        if error.errno not in _NOT_EMPTY:
            raise
        if not args.recursive:
            _delete_if_only_abandoned(parent, name)


def _delete_if_only_abandoned(parent: int, name: str) -> None:
    """Deletes a directory in which only abandoned temporary files lie."""
    with open_at(name, _ENTER, directory=parent) as directory:
        _remove_only_abandoned(directory)
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        raise IsADirectory(NOT_EMPTY) from error


def _remove_only_abandoned(directory: int) -> None:
    """Removes abandoned temporary files. Raises `IsADirectory` where the directory has other entries."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if not is_temporary_name(entry.name):
                raise IsADirectory(NOT_EMPTY)
            remove_abandoned(directory, entry.name)


def _delete_in_root(revocable: Revocable, root: str, args: OpDelete) -> None:
    """Deletes the content of the root, if the deletion is recursive. The root itself is kept."""
    try:
        opened = open_at(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if args.recursive:
        _empty(revocable, opened)
        return
    with opened as directory:
        _remove_only_abandoned(directory)


def _empty(revocable: Revocable, opened: Descriptor) -> None:
    """Removes the content of an open directory, and closes the directory.

    A file that is being written stays, and so do the directories above it: its writer publishes after the deletion.
    """
    with opened as directory:
        removal = _TreeRemoval(directory, revocable.check_wanted)
        try:
            removal.run()
        finally:
            removal.close()


class _TreeRemoval:
    def __init__(self, directory: int, check_wanted: Callable[[], None]) -> None:
        self._top = directory
        self._opened = owned(os.dup, directory)
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
            self._move_to(owned(os.dup, self._top))
        raise Unexpected("directories are being moved while they are deleted", is_temporary=True)

    def _is_emptied(self) -> bool:
        """Removes all. False where the way back is lost, because another process moved or removed a directory on it."""
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
        """Removes files and empty directories, and returns the names of some of the other directories."""
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
        """Removes a directory if it is empty. Other errors come again when it is entered."""
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
            inner = open_at(name, _ENTER, directory=self._here)
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
            self._move_to(open_at("..", _ENTER, directory=self._here))
        except FileNotFoundError:
            return False
        if _identity(os.fstat(self._here)) != entered_from:
            return False
        self._remove_directory(name, inner, entered_from)
        return True

    def _move_to(self, directory: Descriptor) -> None:
        left, self._opened = self._opened, directory
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
        """Keeps a directory above a kept file. Else a file came at the same time, and the directory is tried again."""
        self._tries[inner] += 1
        if inner in self._kept:
            self._kept.add(outer)
        elif self._tries[inner] >= _TRIES:
            raise Unexpected("files are being put into the directory while it is deleted", is_temporary=True)


def _identity(attributes: os.stat_result) -> Identity:
    return attributes.st_dev, attributes.st_ino
