"""Temporary files: the file beside a target that replaces it when complete, and the removal of abandoned ones.

Theory of operation. A writer makes a temporary file, locks it (flock(2)) and keeps the lock until the file has its
final name or the writer is gone. The system frees the lock of a process that dies. So a temporary file whose lock is
free is *abandoned*, and any process that meets it may remove it.

Between making the file and locking it, the file looks abandoned for a short time. Two rules follow:

- A remover takes the lock without waiting, checks that the name still leads to the locked file, and holds
  the lock until the name is removed.
- A writer takes the lock without waiting, right after making the file. If the lock is taken, or the file has
  no name any more, a remover met it in that time: the writer makes another file, under another name.

After a writer has locked its file, no other process can lock it. On file systems without locks, abandoned files stay.

Some file systems apply locks within one host only (NFS with `local_lock`, virtiofs, 9p, FUSE): there the lock of a
writer on another host looks free. So a listing, which was not called to delete, removes only a file that was not
changed for a long time (`Fs.abandoned_after`), and nothing in a read-only stack. A writer whose file was
removed all the same finds out before it publishes: it compares the name with the open file.

A cancelled writer discards its file in the thread that works on it. An interrupted one discards it when the object is
collected.
"""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from time import time
from typing import Final

from entrepot.errors import Unexpected
from entrepot.raw.temporary_names import new_temporary_name

from .descriptor import Descriptor, open_at
from .publish import publish

_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LOCK: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
_ATTEMPTS: Final = 16
_REMOVED: Final = " (deleted)"
"""The kernel appends this to the name of a file that has been removed (proc(5))."""


class Temporary:
    """A file that does not have its final name yet. It owns its open directory, the open file and the lock.

    Arguments:
        directory: the open directory, which the object closes.
        mode: the permissions of the new file, before the umask.
    """

    __slots__ = ("_attributes", "_directory", "_file", "_maker", "_name", "is_published")

    def __init__(self, directory: Descriptor, mode: int) -> None:
        self._directory = directory
        self._file = Descriptor()
        self._maker = os.getpid()
        self.is_published = False
        self._file, self._attributes, self._name = _create(directory.number, mode)

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._file.number

    @property
    def directory(self) -> int:
        """The open directory that it lies in."""
        return self._directory.number

    def publish(self, target: str, *, is_new: bool) -> None:
        """Gives the file its final name, in one step.

        Raises:
            ObjectExists: the name must be new, and is taken.
            Unexpected: another process has removed the file, or put another one at its name.
        """
        if not self._is_at(self._name):
            raise Unexpected("another process has removed the temporary file that was written", is_temporary=True)
        publish(self._name, target, self.directory, self.directory, is_new=is_new)
        if not self._is_at(target) and self._never_left_its_name():
            raise Unexpected("another process has replaced the temporary file that was written", is_temporary=True)
        self.is_published = True

    def discard(self) -> None:
        """Removes the file, unless it was published, and closes all."""
        try:
            if not self.is_published:
                self._remove()
        finally:
            self.close()

    def close(self) -> None:
        """Closes the file, which frees its lock, and the directory."""
        try:
            self._file.close()
        finally:
            self._directory.close()

    def __del__(self) -> None:
        """Discards a file that an interrupt left. A forked child must not remove the file of its parent."""
        if hasattr(self, "_name") and self.descriptor >= 0 and self._maker == os.getpid():
            with suppress(OSError):  # best effort: the next process that meets the file removes it
                self.discard()

    def _remove(self) -> None:
        """Removes the file if it still has its temporary name: an interrupted `publish` may have given it the other."""
        with suppress(FileNotFoundError):
            if self._is_at(self._name):
                os.unlink(self._name, dir_fd=self.directory)

    def _is_at(self, name: str) -> bool:
        """Whether a name leads to this file. A remover may have freed the name for another file."""
        try:
            named = os.stat(name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, self._attributes)

    def _never_left_its_name(self) -> bool:
        """Whether the file lost its temporary name without getting another one, so that another file was renamed.

        This is called for a file that is not at its target: mostly the next writer has replaced it already. The kernel
        remembers the last name of an open file that has no name any more. Where `/proc` does not show it: False.
        """
        try:
            last = os.readlink(f"/proc/self/fd/{self.descriptor}")  # noqa: PTH115 - it would be imported for that
        except OSError:
            return False
        return last.endswith(f"/{self._name}{_REMOVED}")


def remove_abandoned(directory: int, name: str, *, unused_for: float = 0.0) -> bool:
    """Removes a temporary file if it is abandoned. Returns whether it was removed. Best effort.

    Arguments:
        directory: the open directory that it lies in.
        name: its name there.
        unused_for: seconds since the last change that are required. A free lock alone does not prove that the writer
            is dead where locks work within one host only, so a listing requires an age too.
    """
    try:
        attributes = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISREG(attributes.st_mode) or time() - _last_use(attributes) < unused_for:
            return False
        opened = open_at(name, _LOOK, directory=directory)
    except OSError:  # it is gone, or may not be opened
        return False
    with opened as descriptor:
        return _remove_if_free(descriptor, directory, name)


def _last_use(attributes: os.stat_result) -> float:
    return max(attributes.st_mtime, attributes.st_ctime)


def _remove_if_free(descriptor: int, directory: int, name: str) -> bool:
    try:
        fcntl.flock(descriptor, _LOCK)
        named = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not os.path.samestat(named, os.fstat(descriptor)):
            return False
        os.unlink(name, dir_fd=directory)
    except OSError:  # its writer is alive, or it is gone, or may not be removed
        return False
    return True


def _create(directory: int, mode: int) -> tuple[Descriptor, os.stat_result, str]:
    for _ in range(_ATTEMPTS):
        name = new_temporary_name()
        try:
            file = open_at(name, _CREATE, mode, directory=directory)
        except FileExistsError:
            continue
        if (attributes := _locked(file.number)) is not None:
            return file, attributes, name
        file.close()
    raise BlockingIOError(errno.EAGAIN, "other processes locked every new temporary file before its writer did")


def _locked(descriptor: int) -> os.stat_result | None:
    """Locks a new file and returns its attributes; None if it does not belong to its writer.

    On a file system without locks no other process takes it.
    """
    try:
        fcntl.flock(descriptor, _LOCK)
    except BlockingIOError:
        return None
    except OSError:
        return os.fstat(descriptor)
    attributes = os.fstat(descriptor)
    return attributes if attributes.st_nlink > 0 else None
