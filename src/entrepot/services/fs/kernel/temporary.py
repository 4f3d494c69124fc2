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

Some file systems know the locks of one host alone (NFS with `local_lock`, virtiofs, 9p, FUSE): there the lock of a
writer on another host looks free. So a listing, which was not asked to delete anything, removes only what nothing
was done to for a long time (`Fs.abandoned_after`), and nothing in a stack that is read-only. A writer whose file was
removed all the same finds that out before it publishes: it compares the name with the file that it holds.
"""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from time import time
from typing import Final

from entrepot.errors import Unexpected

from .descriptor import Descriptor
from .publish import publish
from .temporary_names import new_temporary_name

_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LOCK: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
_ATTEMPTS: Final = 16
_REMOVED: Final = " (deleted)"
"""What the kernel puts behind the name of a file that has been removed (proc(5))."""


class Temporary:
    """A file that has not its name yet. It holds the directory that it lies in, and its lock.

    Arguments:
        directory: the open directory, which it closes.
        mode: the permissions to make it with, of which the umask takes its part.
    """

    __slots__ = ("_directory", "_file", "_maker", "_name", "is_published")

    def __init__(self, directory: Descriptor, mode: int) -> None:
        self._directory = directory
        self._file = Descriptor(-1)
        self._maker = os.getpid()
        self.is_published = False
        self._file, self._name = _create(directory.number, mode)

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._file.number

    @property
    def directory(self) -> int:
        """The open directory that it lies in."""
        return self._directory.number

    def publish(self, target: str, *, is_new: bool) -> None:
        """Gives the file its name, in one step.

        Raises:
            ObjectExists: it must be new, and something has that name.
            Unexpected: another process has removed the file, or put another in its place.
        """
        if not self._is_at(self._name):
            raise Unexpected("another process has removed the temporary file that was written", is_temporary=True)
        publish(self._name, target, self.directory, self.directory, is_new=is_new)
        if not self._is_at(target) and self._never_left_its_name():
            raise Unexpected("another process has replaced the temporary file that was written", is_temporary=True)
        self.is_published = True

    def discard(self) -> None:
        """Removes the file, unless it has its name."""
        try:
            if not self.is_published:
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
            if self._is_at(self._name):
                os.unlink(self._name, dir_fd=self.directory)

    def _is_at(self, name: str) -> bool:
        """Whether a name means this file. A name is not an identity: a cleaner may have freed it."""
        try:
            named = os.stat(name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(self.descriptor))

    def _never_left_its_name(self) -> bool:
        """Whether the file lost its temporary name without getting another, so that something else was renamed.

        That is asked of a file that is not at its target: mostly the next writer has replaced it already. The kernel
        remembers the last name of a file that is open and has none any more. Where it does not tell, it is no.
        """
        try:
            last = os.readlink(f"/proc/self/fd/{self.descriptor}")  # noqa: PTH115 - it would be imported for that
        except OSError:
            return False
        return last.endswith(f"/{self._name}{_REMOVED}")


def remove_abandoned(directory: int, name: str, *, unused_for: float = 0.0) -> bool:
    """Removes a temporary file if its writer is dead. Returns whether it did.

    Arguments:
        directory: the open directory that it lies in.
        name: its name there.
        unused_for: seconds that nothing must have been done to it. A free lock alone is no proof of death where locks
            are known to one host alone, so what was not asked to delete anything demands an age too.
    """
    try:
        attributes = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISREG(attributes.st_mode) or time() - _last_use(attributes) < unused_for:
            return False
        descriptor = os.open(name, _LOOK, dir_fd=directory)
    except OSError:  # it is gone, or belongs to somebody else: to remove it is a courtesy, and no duty
        return False
    try:
        return _remove_if_free(descriptor, directory, name)
    finally:
        os.close(descriptor)


def _last_use(attributes: os.stat_result) -> float:
    return max(attributes.st_mtime, attributes.st_ctime)


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


def _create(directory: int, mode: int) -> tuple[Descriptor, str]:
    for _ in range(_ATTEMPTS):
        name = new_temporary_name()
        try:
            file = Descriptor(os.open(name, _CREATE, mode, dir_fd=directory))
        except FileExistsError:
            continue
        if _lock(file.number):
            return file, name
        file.close()
    raise BlockingIOError(errno.EAGAIN, "every temporary file was taken for one that was left behind")


def _lock(descriptor: int) -> bool:
    """Whether a file that was just made is ours. Where there are no locks, nobody takes it from us."""
    try:
        fcntl.flock(descriptor, _LOCK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return os.fstat(descriptor).st_nlink > 0
