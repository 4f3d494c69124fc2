"""Publishing a file under its name: replacing the file there, or only if the name is free."""

import errno
import os
import stat
import sys
from typing import Final

from entrepot.errors import IsADirectory, ObjectExists, Unsupported

from .attributes import check_is_regular
from .descriptor import open_at
from .permissions import Permissions, permissions_at

_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_NO_FSYNC: Final = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES)


def check_target(directory: int, name: str, *, is_new: bool) -> Permissions | None:
    """The permissions of the file that will be replaced, or None where there is none.

    Arguments:
        directory: the open directory that it lies in.
        name: its name there.
        is_new: whether the name must be free.

    Raises:
        IsADirectory, Unsupported: the name belongs to a directory or a special file, which a file must not replace.
        ObjectExists: the name is taken, and must be free.
    """
    try:
        attributes = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(attributes.st_mode):
        raise IsADirectory("the path names a directory")
    if is_new:
        raise _exists()
    if stat.S_ISLNK(attributes.st_mode):
        return None
    check_is_regular(attributes)
    return permissions_at(directory, name, attributes)


def publish(source: str, target: str, source_directory: int, target_directory: int, *, is_new: bool) -> None:
    """Gives a file another name in one step.

    Raises:
        ObjectExists: the target exists, and must be new.
        Unsupported: it must be new, and the file system cannot check that; or the target is a mount point.
        OSError: as rename(2).
    """
    try:
        if not is_new:
            os.rename(source, target, src_dir_fd=source_directory, dst_dir_fd=target_directory)
            return
        if not _by_kernel(source, target, source_directory, target_directory):
            _link(source, target, source_directory, target_directory)
            _unlink_linked(source, target, source_directory, target_directory)
    except FileExistsError:
        raise _exists() from None
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise Unsupported(
            "the file is a mount point (a file that is bind-mounted by itself), which cannot be replaced in one step: "
            "mount its directory instead"
        ) from error


def sync_directory(directory: int) -> None:
    """Forces the names in a directory to the disk, where the file system does that for directories."""
    try:
        opened = open_at(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, directory=directory)
    except FileNotFoundError:  # the directory was deleted, with all that was put into it
        return
    with opened as descriptor:
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_FSYNC:
                raise


def _by_kernel(source: str, target: str, source_directory: int, target_directory: int) -> bool:
    if sys.platform != "linux":
        return False
    from .renameat2 import rename_new

    return rename_new(source, target, source_directory, target_directory)


def _link(source: str, target: str, source_directory: int, target_directory: int) -> None:
    """Adds a second name, which link(2) does only if it is free. A process that dies now leaves the file both names."""
    try:
        os.link(source, target, src_dir_fd=source_directory, dst_dir_fd=target_directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise Unsupported("this file system cannot make a file only where there is none") from error


def _unlink_linked(source: str, target: str, source_directory: int, target_directory: int) -> None:
    """Removes the first of the two names, if both still lead to the same file.

    Where it may not be removed, as in a directory with the sticky bit, the second name is removed.
    """
    if not _is_one_file(source, target, source_directory, target_directory):
        return
    try:
        os.unlink(source, dir_fd=source_directory)
    except FileNotFoundError:  # another process has deleted or renamed it
        return
    except OSError:
        if _is_one_file(source, target, source_directory, target_directory):
            os.unlink(target, dir_fd=target_directory)
        raise


def _is_one_file(source: str, target: str, source_directory: int, target_directory: int) -> bool:
    try:
        first = os.stat(source, dir_fd=source_directory, follow_symlinks=False)
        return os.path.samestat(first, os.stat(target, dir_fd=target_directory, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _exists() -> ObjectExists:
    return ObjectExists("if_not_exists does not hold: there is something at the path")
