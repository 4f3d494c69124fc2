"""Confined opens: the only way from a path to a file, which never leads out of the root.

Theory of operation.

- Each operation opens the root directory and resolves its path below that descriptor. Nothing stays open between two
  operations.
- On Linux 5.6 and newer, `openat2` with RESOLVE_BENEATH resolves the whole path in one system call. There is no time
  between the check and the open in which another process could swap a directory for a link. Elsewhere, and in sandboxes
  that forbid the call, `beneath_by_walking` opens one component after the other, none of them through a link.
  `kernel_confines` says which way is used; it is constant for the life of the process.
- Both ways follow a symbolic link that stays inside the root, and refuse a link that leaves the root and every absolute
  link (EXDEV).
- `stat` and `read` open a path that has no link, that of the root included, as a whole (`open_number_without_links`):
  such a path cannot leave the root. Where there is a link, the general way is used.
- A path of one name in the root takes a short way: it can leave the root only if it is a link, so a plain `open` or
  `stat` that follows no link is enough. If the name turns out to be a link, the general way is used.
- Directories are made on the way down (`make_directory`, `put_in_parent`). Other processes may delete them again before
  something lies in them; then all of it is repeated, up to 8 times.
- An open descriptor has an owner (`Descriptor`) from the system call on, so an interrupt or an exception at any point
  leaves nothing open. The exceptions are the steps of `stat` and `read`: they have a plain integer for three calls,
  because an owner would take as long as the system call.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

from entrepot.errors import Error, NotFound, Unexpected
from entrepot.types import Metadata

from .beneath_by_walking import walked
from .describe import describe
from .descriptor import Descriptor, open_at
from .publish import sync_directory

_DIRECTORY: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_BY_NAME: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_PERHAPS_A_LINK: Final = (errno.ELOOP, errno.ENOTDIR)
_NOT_BY_PATH: Final = (errno.ELOOP, errno.ENAMETOOLONG)
_ATTEMPTS: Final = 8
_MODE: Final = 0o777  # of no effect, because nothing is made

T = TypeVar("T")


def open_root(root: str) -> Descriptor:
    """Opens the root directory.

    Each operation opens it again: that takes less than a microsecond, and leaves no descriptor to be lost, inherited
    by a forked child, or kept on a directory that was replaced.
    """
    return open_at(root, _DIRECTORY)


def open_beneath(root: int, path: str, flags: int) -> Descriptor:
    """Opens an existing file or directory by its path in the root."""
    return _open(root, path, flags, open_at, _by_kernel)


def open_number_beneath(root: int, path: str, flags: int) -> int:
    """As `open_beneath`, but returns a plain integer, which an interrupt can lose. Reads use it for its speed."""
    return _open(root, path, flags, _open_number_at, _number_by_kernel)


def open_root_number(root: str) -> int:
    """As `open_root`, but returns a plain integer, which an interrupt can lose. Reads use it for its speed."""
    return os.open(root, _DIRECTORY)


def _open(
    root: int,
    path: str,
    flags: int,
    by_name: Callable[[str, int, int, int], T],
    by_kernel: Callable[[], Callable[[int, str, int], T]],
) -> T:
    if not kernel_confines():
        with walked(root, path) as (directory, name):
            return by_name(name, flags | _BY_NAME, _MODE, directory)
    if is_in_root(path) and not flags & os.O_PATH:  # which would open the link itself
        try:
            return by_name(path, flags | _BY_NAME, _MODE, root)
        except OSError as error:
            if error.errno not in _PERHAPS_A_LINK:
                raise
    return by_kernel()(root, path, flags)


def _open_number_at(path: str, flags: int, mode: int, directory: int) -> int:
    return os.open(path, flags, mode, dir_fd=directory)


def is_in_root(path: str) -> bool:
    """Whether a path is a single name. It leads out of the root only if it is a link, which is cheap to check."""
    return "/" not in path and path != ".."


def attributes_beneath(root: int, path: str) -> os.stat_result:
    """The attributes of a file or directory by its path in the root.

    It is not opened for reading, so a device or the other end of a FIFO does not notice.
    """
    return _look_at(root, path, _attributes)


def describe_beneath(root: int, path: str) -> tuple[os.stat_result, Metadata]:
    """The attributes of a file or directory by its path in the root, and its metadata."""
    return _look_at(root, path, _attributes_and_metadata)


def attributes_without_links(root: str, relative: str) -> os.stat_result | None:
    """The attributes, if the whole path has no symbolic link, as `open_number_without_links` says."""
    return _look_without_links(root, relative, _attributes)


def describe_without_links(root: str, relative: str) -> tuple[os.stat_result, Metadata] | None:
    """The attributes and the metadata, if the whole path has no symbolic link, as `open_number_without_links` says."""
    return _look_without_links(root, relative, _attributes_and_metadata)


def _look_without_links(root: str, relative: str, look: Callable[[os.stat_result, int, str], T]) -> T | None:
    descriptor = open_number_without_links(root, relative, os.O_PATH)
    if descriptor is None:
        return None
    try:
        return look(os.fstat(descriptor), descriptor, "")
    finally:
        os.close(descriptor)


def open_number_without_links(root: str, relative: str, flags: int) -> int | None:
    """Opens an existing file, if the whole path, including the path of the root, has no symbolic link.

    Returns None where it has one, or the kernel cannot check that. A path without links and `..` cannot leave the root,
    so the root need not be opened, which is a quarter of the time.
    """
    if not kernel_confines():
        return None
    try:
        return _by_kernel_without_links()(f"{root}/{relative}", flags)
    except OSError as error:
        if error.errno in _NOT_BY_PATH:
            return None
        raise


def _look_at(root: int, path: str, look: Callable[[os.stat_result, int, str], T]) -> T:
    """Calls a function with the attributes of a file, and the directory and the name (or the descriptor) to find it."""
    if is_in_root(path):
        attributes = os.stat(path, dir_fd=root, follow_symlinks=False)
        if not stat.S_ISLNK(attributes.st_mode):
            return look(attributes, root, path)
    if not kernel_confines():
        with walked(root, path) as (directory, name):
            return look(_attributes_of(name, directory), directory, name)
    descriptor = open_number_beneath(root, path, os.O_PATH)
    try:
        return look(os.fstat(descriptor), descriptor, "")
    finally:
        os.close(descriptor)


def _attributes(attributes: os.stat_result, _directory: int, _name: str) -> os.stat_result:
    return attributes


def _attributes_and_metadata(attributes: os.stat_result, directory: int, name: str) -> tuple[os.stat_result, Metadata]:
    return attributes, describe(attributes, directory, name)


def file_system_beneath(root: int, path: str) -> os.statvfs_result:
    """The attributes of the file system that holds a file."""
    if not kernel_confines():
        with walked(root, path) as (directory, _):
            return os.fstatvfs(directory)
    with open_beneath(root, path, os.O_PATH) as descriptor:
        return os.fstatvfs(descriptor)


def _attributes_of(name: str, directory: int) -> os.stat_result:
    attributes = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISLNK(attributes.st_mode):  # it has become a link since the walk
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return attributes


def open_directory(root: int, path: str) -> Descriptor:
    """Opens a directory."""
    return open_beneath(root, path, _DIRECTORY)


def open_parent(root: str, relative: str) -> tuple[Descriptor, str]:
    """Opens the parent directory of a relative path. Returns the directory and the name in it."""
    parent, _, name = relative.rpartition("/")
    directory = open_root(root)
    if not parent:
        return directory, name
    with directory as opened_root:
        return open_directory(opened_root, parent), name


def put_in_parent(root: str, relative: str, put: Callable[[Descriptor, str], T], *, fsync: bool) -> T:
    """Puts a file into the parent directory of a relative path, which is made where it is missing.

    As long as the directory is empty, another process may delete it, or a directory above it. Then it is made again.

    Arguments:
        root: the root directory.
        relative: the path, relative to the root.
        put: gets the open directory, which it may keep unless it raises, and the name in it. If it raises
            `FileNotFoundError` it is called again, so it must raise an `Error` where another file is missing.
        fsync: as `make_directory`.

    Raises:
        Unexpected: the directory was deleted each time. Temporary.
    """
    parent, _, name = relative.rpartition("/")
    return _unless_deleted(lambda: _put(_make_once(root, parent or ".", fsync), name, put))


def _put(directory: Descriptor, name: str, put: Callable[[Descriptor, str], T]) -> T:
    try:
        return put(directory, name)
    except BaseException:
        directory.close()
        raise


def _unless_deleted(call: Callable[[], T]) -> T:
    for _ in range(_ATTEMPTS):
        try:
            return call()
        except Error:
            raise
        except FileNotFoundError:
            continue
    raise Unexpected(
        "nothing can be made in the directory: its file system takes no files, as that of /proc, or it is deleted each"
        " time",
        is_temporary=True,
    )


def make_directory(root: str, relative: str, *, fsync: bool) -> Descriptor:
    """Opens a directory, and makes it and the directories above it, the root included, where they are missing.

    Arguments:
        root: the root directory.
        relative: the directory, relative to the root.
        fsync: whether the names of new directories are forced to the disk.

    Raises:
        NotFound: there is a symbolic link to nothing.
        Unexpected: other processes deleted the new directories each time. Temporary.
    """
    return _unless_deleted(lambda: _make_once(root, relative, fsync))


def _make_once(root: str, relative: str, fsync: bool) -> Descriptor:
    if relative != "." and kernel_confines():
        directory = _owner_without_links()(f"{root}/{relative}", _DIRECTORY)
        if directory:  # it exists, and its path cannot leave the root: half of the time
            return directory
    try:
        directory = open_root(root)
    except FileNotFoundError:
        _make_root(root, fsync)
        directory = _open_made(lambda: open_root(root), root, None)
    if relative == ".":
        return directory
    with directory as opened_root:
        return make_directories(opened_root, relative, fsync=fsync)


def make_directories(root: int, path: str, *, fsync: bool = False) -> Descriptor:
    """Opens a directory in the root, and makes it and the directories above it where they are missing."""
    try:
        return open_directory(root, path)
    except FileNotFoundError:
        return _make_each(root, path.split("/"), fsync)


def _make_root(path: str, fsync: bool) -> None:
    """Makes a directory and its missing parents: up to the first that can be made, and down again."""
    missing = [path]
    while not _is_made(missing[-1], fsync):
        missing.append(os.path.dirname(missing[-1]))  # noqa: PTH120 - as little is imported as possible
    for directory in missing[-2::-1]:
        if not _is_made(directory, fsync):  # its parent was deleted again, or is a link to nothing
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _is_made(path: str, fsync: bool) -> bool:
    """Makes a directory unless the name exists. False where the parent is missing."""
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
    with open_at(path, _DIRECTORY) as directory:
        sync_directory(directory)


def _make_each(root: int, names: list[str], fsync: bool) -> Descriptor:
    here = open_directory(root, ".")
    for depth, name in enumerate(names, 1):
        with here as outer:
            _make(name, outer, fsync)
            here = _open_inner(root, "/".join(names[:depth]), name, outer)
    return here


def _open_inner(root: int, path: str, name: str, outer: int) -> Descriptor:
    return _open_made(lambda: open_directory(root, path), name, outer)


def _open_made(open_it: Callable[[], Descriptor], name: str, directory: int | None) -> Descriptor:
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
    """Whether `openat2` can be used. It is tried once: the answer holds as long as the process."""
    if sys.platform != "linux":
        return False
    from . import openat2

    return openat2.works()


@cache
def _by_kernel() -> Callable[[int, str, int], Descriptor]:
    """`openat2.open_beneath`, which is imported on use: an import statement takes a fifth of a `stat`."""
    from . import openat2

    return openat2.open_beneath


@cache
def _number_by_kernel() -> Callable[[int, str, int], int]:
    """`openat2.open_number_beneath`, imported on use for the same reason."""
    from . import openat2

    return openat2.open_number_beneath


@cache
def _by_kernel_without_links() -> Callable[[str, int], int]:
    """`openat2.open_without_links`, imported on use for the same reason."""
    from . import openat2

    return openat2.open_without_links


@cache
def _owner_without_links() -> Callable[[str, int], Descriptor]:
    """`openat2.own_without_links`, imported on use for the same reason."""
    from . import openat2

    return openat2.own_without_links
