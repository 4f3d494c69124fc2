"""The only way from a path to a file: beneath the root, whatever the path and the links in it say.

By `openat2` where the kernel has it and lets us, else component by component (`walk`). Both follow a
symbolic link that stays inside the root and refuse one that leaves it, an absolute one included.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Final

from .placing import sync_directory
from .walk import walked

_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


def open_root(root: str) -> int:
    """Opens the root directory.

    That is done anew for each operation: it takes less than a microsecond, and there is no descriptor to
    be lost, inherited by a forked child, or left on a directory that was replaced.
    """
    return os.open(root, _DIRECTORY)


def open_beneath(root: int, path: str, flags: int) -> int:
    """Opens what exists under a path and returns its descriptor."""
    if kernel_confines():
        return _by_kernel()(root, path, flags)
    with walked(root, path) as (directory, name):
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)


def attributes_beneath(root: int, path: str) -> os.stat_result:
    """The attributes of what exists under a path.

    It is not opened for reading, so a device or the other end of a FIFO notices nothing.
    """
    if "/" not in path:  # such a name leads out of the root only if it is a link, and is cheaper to look at
        attributes = os.stat(path, dir_fd=root, follow_symlinks=False)
        if not stat.S_ISLNK(attributes.st_mode):
            return attributes
    if not kernel_confines():
        with walked(root, path) as (directory, name):
            return _attributes_of(name, directory)
    descriptor = open_beneath(root, path, os.O_PATH)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def file_system_beneath(root: int, path: str) -> os.statvfs_result:
    """What the file system that holds a file says of itself."""
    if not kernel_confines():
        with walked(root, path) as (directory, _):
            return os.fstatvfs(directory)
    descriptor = open_beneath(root, path, os.O_PATH)
    try:
        return os.fstatvfs(descriptor)
    finally:
        os.close(descriptor)


def _attributes_of(name: str, directory: int) -> os.stat_result:
    attributes = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISLNK(attributes.st_mode):  # it has become one since the walk
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return attributes


def open_directory(root: int, path: str) -> int:
    """Opens a directory."""
    return open_beneath(root, path, _DIRECTORY)


def open_parent(root: str, relative: str) -> tuple[int, str]:
    """Opens the directory that holds what a relative path names, and gives the name in it."""
    parent, _, name = relative.rpartition("/")
    directory = open_root(root)
    try:
        return open_directory(directory, parent or "."), name
    finally:
        os.close(directory)


def make_parent(root: str, relative: str, *, fsync: bool) -> tuple[int, str]:
    """The same; the directory and those above it, the root included, are made where they are missing."""
    parent, _, name = relative.rpartition("/")
    return make_directory(root, parent or ".", fsync=fsync), name


def make_directory(root: str, relative: str, *, fsync: bool) -> int:
    """Opens a directory, and makes it and those above it, the root included, where they are missing.

    Arguments:
        root: the root directory.
        relative: the directory, relative to it.
        fsync: whether the names of those that were made are forced to the disk.
    """
    try:
        directory = open_root(root)
    except FileNotFoundError:
        _make_root(root, fsync)
        directory = open_root(root)
    try:
        return make_directories(directory, relative, fsync=fsync)
    finally:
        os.close(directory)


def make_directories(root: int, path: str, *, fsync: bool = False) -> int:
    """Opens a directory beneath the root, and makes it and those above it where they are missing."""
    try:
        return open_directory(root, path)
    except FileNotFoundError:
        return _make_each(root, path.split("/"), fsync)


def _make_root(path: str, fsync: bool) -> None:
    parent = os.path.dirname(path)  # noqa: PTH120 - as little is imported as possible
    with suppress(FileExistsError):
        try:
            os.mkdir(path)  # noqa: PTH102 - the same
        except FileNotFoundError:
            _make_root(parent, fsync)
            os.mkdir(path)  # noqa: PTH102 - the same
        if fsync:
            _sync_path(parent)


def _sync_path(path: str) -> None:
    directory = os.open(path, _DIRECTORY)
    try:
        sync_directory(directory)
    finally:
        os.close(directory)


def _make_each(root: int, names: list[str], fsync: bool) -> int:
    here = open_directory(root, ".")
    for depth, name in enumerate(names, 1):
        try:
            _make(name, here, fsync)
        finally:
            os.close(here)
        here = open_directory(root, "/".join(names[:depth]))
    return here


def _make(name: str, directory: int, fsync: bool) -> None:
    try:
        os.mkdir(name, dir_fd=directory)
    except FileExistsError:
        return
    if fsync:
        sync_directory(directory)


@cache
def kernel_confines() -> bool:
    """Whether `openat2` can be used. Asked once: the answer holds as long as the process."""
    if sys.platform != "linux":
        return False
    from . import openat2

    return openat2.works()


@cache
def _by_kernel() -> Callable[[int, str, int], int]:
    """The function of `openat2`, which is imported on use: an import statement is a fifth of a `stat`."""
    from . import openat2

    return openat2.open_beneath
