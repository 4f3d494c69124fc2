"""The only way from a path to a file: beneath the root, whatever the path and the links in it say.

By `openat2` where the kernel has it and lets us, else component by component (`walk`). Both follow a
symbolic link that stays inside the root and refuse one that leaves it, an absolute one included.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Final, TypeVar

from entrepot.errors import Error, NotFound, Unexpected
from entrepot.types import Metadata

from .beneath_by_walking import walked
from .describe import describe
from .descriptor import Descriptor
from .publish import sync_directory

_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_BY_NAME: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_PERHAPS_A_LINK: Final = (errno.ELOOP, errno.ENOTDIR)
_NOT_BY_PATH: Final = (errno.ELOOP, errno.ENAMETOOLONG)
_ATTEMPTS: Final = 8

T = TypeVar("T")


def open_root(root: str) -> int:
    """Opens the root directory.

    That is done anew for each operation: it takes less than a microsecond, and there is no descriptor to
    be lost, inherited by a forked child, or left on a directory that was replaced.
    """
    return os.open(root, _DIRECTORY)


def open_beneath(root: int, path: str, flags: int) -> int:
    """Opens what exists under a path and returns its descriptor."""
    if not kernel_confines():
        with walked(root, path) as (directory, name):
            return os.open(name, flags | _BY_NAME, dir_fd=directory)
    if is_in_root(path) and not flags & os.O_PATH:  # which would open the link itself
        try:
            return os.open(path, flags | _BY_NAME, dir_fd=root)
        except OSError as error:
            if error.errno not in _PERHAPS_A_LINK:
                raise
    return _by_kernel()(root, path, flags)


def is_in_root(path: str) -> bool:
    """Whether a path is one name, which leads out of the root only if it is a link, and is cheaper to look at."""
    return "/" not in path and path != ".."


def attributes_beneath(root: int, path: str) -> os.stat_result:
    """The attributes of what exists under a path.

    It is not opened for reading, so a device or the other end of a FIFO notices nothing.
    """
    return _look_at(root, path, _attributes)


def describe_beneath(root: int, path: str) -> tuple[os.stat_result, Metadata]:
    """The same, and the metadata that they amount to."""
    return _look_at(root, path, _described)


def describe_without_links(root: str, relative: str) -> tuple[os.stat_result, Metadata] | None:
    """The same beneath a root that is not open, if no symbolic link leads there, be it above the root.

    None where one does, or the kernel does not tell. Without links and `..` no path leaves the root, so that opening
    the root, a quarter of what this takes, can be left out.
    """
    if not kernel_confines():
        return None
    try:
        descriptor = _by_kernel_without_links()(f"{root}/{relative}", os.O_PATH)
    except OSError as error:
        if error.errno in _NOT_BY_PATH:
            return None
        raise
    try:
        return _described(os.fstat(descriptor), descriptor, "")
    finally:
        os.close(descriptor)


def _look_at(root: int, path: str, seen: Callable[[os.stat_result, int, str], T]) -> T:
    """What a function makes of the attributes of what exists under a path, and of where it was found."""
    if is_in_root(path):
        attributes = os.stat(path, dir_fd=root, follow_symlinks=False)
        if not stat.S_ISLNK(attributes.st_mode):
            return seen(attributes, root, path)
    if not kernel_confines():
        with walked(root, path) as (directory, name):
            return seen(_attributes_of(name, directory), directory, name)
    descriptor = open_beneath(root, path, os.O_PATH)
    try:
        return seen(os.fstat(descriptor), descriptor, "")
    finally:
        os.close(descriptor)


def _attributes(attributes: os.stat_result, _directory: int, _name: str) -> os.stat_result:
    return attributes


def _described(attributes: os.stat_result, directory: int, name: str) -> tuple[os.stat_result, Metadata]:
    return attributes, describe(attributes, directory, name)


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
    if not parent:
        return directory, name
    try:
        return open_directory(directory, parent), name
    finally:
        os.close(directory)


def put_in_parent(root: str, relative: str, put: Callable[[Descriptor, str], T], *, fsync: bool) -> T:
    """Puts something into the directory that a relative path lies in, which is made where it is missing.

    Until something lies in it somebody may delete the directory, or one above it. Then it is made once more.

    Arguments:
        root: the root directory.
        relative: the path, relative to it.
        put: gets the open directory, which it may keep unless it raises, and the name in it. What raises
            `FileNotFoundError` is called again, so what is missing for another reason it raises as ours.
        fsync: as `make_directory`.

    Raises:
        Unexpected: it was deleted each time. Temporary.
    """
    parent, _, name = relative.rpartition("/")
    return _unless_deleted(lambda: _put(_make_once(root, parent or ".", fsync), name, put))


def _put(directory: int, name: str, put: Callable[[Descriptor, str], T]) -> T:
    held = Descriptor(directory)
    try:
        return put(held, name)
    except BaseException:
        held.close()
        raise


def _unless_deleted(call: Callable[[], T]) -> T:
    for _ in range(_ATTEMPTS):
        try:
            return call()
        except Error:
            raise
        except FileNotFoundError:
            continue
    raise Unexpected("the directory is deleted again and again while it is made", is_temporary=True)


def make_directory(root: str, relative: str, *, fsync: bool) -> int:
    """Opens a directory, and makes it and those above it, the root included, where they are missing.

    Arguments:
        root: the root directory.
        relative: the directory, relative to it.
        fsync: whether the names of those that were made are forced to the disk.

    Raises:
        NotFound: there is a symbolic link to nothing.
        Unexpected: somebody deleted each time what was made. Temporary.
    """
    return _unless_deleted(lambda: _make_once(root, relative, fsync))


def _make_once(root: str, relative: str, fsync: bool) -> int:
    try:
        directory = open_root(root)
    except FileNotFoundError:
        _make_root(root, fsync)
        directory = _open_made(lambda: open_root(root), root, None)
    if relative == ".":
        return directory
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
    """Makes a directory and those above it that are missing: up to the first that can be made, and down again."""
    missing = [path]
    while not _is_made(missing[-1], fsync):
        missing.append(os.path.dirname(missing[-1]))  # noqa: PTH120 - as little is imported as possible
    for directory in missing[-2::-1]:
        if not _is_made(directory, fsync):  # somebody has deleted the one above it, or that is a link to nothing
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _is_made(path: str, fsync: bool) -> bool:
    """Makes a directory unless there is something. False where the one above it is missing."""
    try:
        os.mkdir(path)  # noqa: PTH102 - the same
    except FileExistsError:
        return True
    except FileNotFoundError:
        return False
    if fsync:
        _sync_path(os.path.dirname(path))  # noqa: PTH120 - the same
    return True


def _sync_path(path: str) -> None:
    directory = os.open(path, _DIRECTORY)
    try:
        sync_directory(directory)
    finally:
        os.close(directory)


def _make_each(root: int, names: list[str], fsync: bool) -> int:
    here = open_directory(root, ".")
    for depth, name in enumerate(names, 1):
        path = "/".join(names[:depth])
        try:
            _make(name, here, fsync)
            inner = _open_made(partial(open_directory, root, path), name, here)
        finally:
            os.close(here)
        here = inner
    return here


def _open_made(open_it: Callable[[], int], name: str, directory: int | None) -> int:
    try:
        return open_it()
    except FileNotFoundError as error:
        if stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            raise NotFound("there is a symbolic link to nothing in the path") from error
        raise


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


@cache
def _by_kernel_without_links() -> Callable[[str, int], int]:
    """The other function of `openat2`, likewise."""
    from . import openat2

    return openat2.open_without_links
