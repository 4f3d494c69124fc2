"""The file beside a target that takes its place when it is complete, and what dead writers left of such files.

Its writer holds a lock (flock(2)) on it until it has its name or is gone, and the system frees the lock
of a process that dies. So one whose lock is free was left behind, and whoever meets it removes it.

Between making the file and locking it there is a moment in which it looks left behind. Therefore:

- Who removes takes the lock, without waiting, looks whether the name still means that file, and holds
  the lock until the name is gone.
- Who writes takes the lock, without waiting, right after making the file. If somebody has it, or the file has
  no name any more, it was met in that moment: the writer makes another file, under another name.

A file that has been locked by its writer can be locked by nobody else. File systems without locks keep
what was left.
"""

import errno
import fcntl
import os
import stat
from binascii import crc32
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from .core import TEMPORARY_PREFIX, TEMPORARY_SUFFIX
from .held import Held
from .placing import place

_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LOCK: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
_ATTEMPTS: Final = 16


class Temporary:
    """A file that has not its name yet. It holds the directory that it lies in, and its lock.

    Arguments:
        directory: the open directory, which it closes.
        target: the name that the file is to have there.
        mode: the permissions to make it with, of which the umask takes its part.
    """

    __slots__ = ("_directory", "_file", "_maker", "_name", "is_placed")

    def __init__(self, directory: Held, target: str, mode: int) -> None:
        self._directory = directory
        self._file = Held(-1)
        self._maker = os.getpid()
        self.is_placed = False
        self._file, self._name = _create(directory.number, target, mode)

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._file.number

    @property
    def directory(self) -> int:
        """The open directory that it lies in."""
        return self._directory.number

    def place(self, target: str, *, is_new: bool) -> None:
        """Gives the file its name, in one step.

        Raises:
            ObjectExists: it must be new, and something has that name.
        """
        place(self._name, target, self.directory, self.directory, is_new=is_new)
        self.is_placed = True

    def discard(self) -> None:
        """Removes the file, unless it has its name."""
        try:
            if not self.is_placed:
                self._remove()
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of the file, of its lock and of the directory."""
        try:
            self._file.close()
        finally:
            self._directory.close()

    def __del__(self) -> None:
        """Discards what nobody ended, as an interrupt does. A forked child must not remove that of its parent."""
        if hasattr(self, "_name") and self.descriptor >= 0 and self._maker == os.getpid():
            with suppress(OSError):  # it is a courtesy: whoever meets the file removes it
                self.discard()

    def _remove(self) -> None:
        """Removes the file if it still has this name: one who was interrupted may have given it the other already."""
        with suppress(FileNotFoundError):
            named = os.stat(self._name, dir_fd=self.directory, follow_symlinks=False)
            if os.path.samestat(named, os.fstat(self.descriptor)):
                os.unlink(self._name, dir_fd=self.directory)


def remove_leftover(directory: int, name: str) -> bool:
    """Removes a temporary file if its writer is dead. Returns whether it did."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return False
        descriptor = os.open(name, _LOOK, dir_fd=directory)
    except OSError:  # it is gone, or belongs to somebody else: to remove it is a courtesy, and no duty
        return False
    try:
        return _remove_if_free(descriptor, directory, name)
    finally:
        os.close(descriptor)


def _remove_if_free(descriptor: int, directory: int, name: str) -> bool:
    try:
        fcntl.flock(descriptor, _LOCK)
        named = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not os.path.samestat(named, os.fstat(descriptor)):
            return False
        os.unlink(name, dir_fd=directory)
    except OSError:  # its writer lives, or it is gone, or it may not be removed
        return False
    return True


def _create(directory: int, target: str, mode: int) -> tuple[Held, str]:
    for name in _names(target):
        try:
            file = Held(os.open(name, _CREATE, mode, dir_fd=directory))
        except FileExistsError:
            remove_leftover(directory, name)
            continue
        if _lock(file.number):
            return file, name
        file.close()
    raise BlockingIOError(errno.EAGAIN, "every temporary file was taken for one that was left behind")


def _names(target: str) -> Iterator[str]:
    """First the one name that depends on the target alone, where a dead writer of the same target is met."""
    yield f"{TEMPORARY_PREFIX}{crc32(os.fsencode(target)):016x}{TEMPORARY_SUFFIX}"
    for _ in range(_ATTEMPTS):
        yield f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}{TEMPORARY_SUFFIX}"


def _lock(descriptor: int) -> bool:
    """Whether a file that was just made is ours. Where there are no locks, nobody takes it from us."""
    try:
        fcntl.flock(descriptor, _LOCK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return os.fstat(descriptor).st_nlink > 0
