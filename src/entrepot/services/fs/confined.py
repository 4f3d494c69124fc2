"""The only way from a path to a file: beneath the root, whatever the path and the links in it say.

By `openat2` where the kernel has it and lets us, else component by component (`walk`). Both follow a
symbolic link that stays inside the root and refuse one that leaves it, an absolute one included.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from .walk import walked

_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def opened_root(root: str) -> Iterator[int]:
    """The root directory, open.

    It is opened anew for each operation: that takes a microsecond, and there is no descriptor to be
    lost, inherited by a forked child, or left on a directory that was replaced.
    """
    descriptor = os.open(root, _DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_beneath(root: int, path: str, flags: int) -> int:
    """Opens what exists under a path and returns its descriptor."""
    if kernel_confines():
        from . import openat2

        return openat2.open_beneath(root, path, flags)
    with walked(root, path) as (directory, name):
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)


@contextmanager
def found_beneath(root: int, path: str) -> Iterator[tuple[os.stat_result, int]]:
    """The attributes of what exists under a path, and a descriptor on the file system that it lies on.

    It is not opened for reading, so a device or the other end of a FIFO notices nothing.
    """
    if not kernel_confines():
        with walked(root, path) as (directory, name):
            yield _attributes_of(name, directory), directory
        return
    descriptor = open_beneath(root, path, os.O_PATH)
    try:
        yield os.fstat(descriptor), descriptor
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


def make_directories(root: int, path: str) -> int:
    """Opens a directory, and makes it and those above it where they are missing."""
    try:
        return open_directory(root, path)
    except FileNotFoundError:
        return _make_each(root, path.split("/"))


def _make_each(root: int, names: list[str]) -> int:
    here = open_directory(root, ".")
    for depth, name in enumerate(names, 1):
        try:
            _make(name, here)
        finally:
            os.close(here)
        here = open_directory(root, "/".join(names[:depth]))
    return here


def _make(name: str, directory: int) -> None:
    try:
        os.mkdir(name, dir_fd=directory)
    except FileExistsError:
        return


@cache
def kernel_confines() -> bool:
    """Whether `openat2` can be used. Asked once: the answer holds as long as the process."""
    if sys.platform != "linux":
        return False
    from . import openat2

    return openat2.works()
