"""Confined opens by the kernel: the file must lie in a directory or below it (openat2(2), Linux 5.6).

The kernel follows symbolic links and refuses a link that leads out of the directory, in one step:
there is no time between the check and its use. The C library has no function for the call. Importing this
module loads ctypes, so it is imported on use.
"""

import ctypes
import errno
import os
from functools import cache
from typing import Any, Final

from .descriptor import Descriptor, owned

_NUMBER: Final = 437  # on every architecture but alpha, whose kernel answers ENOSYS to it
_AT_FDCWD: Final = -100
_RESOLVE_NO_XDEV: Final = 0x01
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08
_RESOLVE_CACHED: Final = 0x20
_BENEATH: Final = _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS
_BENEATH_CACHED: Final = _RESOLVE_CACHED | _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_XDEV
_ATTEMPTS: Final = 128
"""A rename or mount anywhere makes the kernel give up on `..` in a link with EAGAIN. The next attempt works."""
_PASSING: Final = (errno.EAGAIN, errno.EINTR)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_SIZE: Final = ctypes.sizeof(_OpenHow)

_library: Final = ctypes.CDLL(None, use_errno=True)
_syscall = _library.syscall
_syscall.restype = ctypes.c_long
"""Declared without argument types, which would take a fifth of the time. Each `int` is extended to a register."""


def open_beneath(directory: int, path: str, flags: int) -> Descriptor:
    """Opens an existing file by its path in an open directory.

    Raises:
        OSError: EXDEV where a link leads out of the directory, else as open(2).
    """
    name, how, code = os.fsencode(path), _how(flags, _BENEATH), errno.EAGAIN
    for _ in range(_ATTEMPTS):
        opened = owned(_syscall, _NUMBER, directory, name, how, _SIZE)
        if opened:
            return opened
        code = ctypes.get_errno()
        if code not in _PASSING:
            break
    raise OSError(code, os.strerror(code), path)


def open_number_beneath(directory: int, path: str, flags: int) -> int:
    """As `open_beneath`, but returns the descriptor as a plain integer, which saves the time of an owner."""
    return _open_number(directory, path, _how(flags, _BENEATH))


def open_without_links(path: str, flags: int) -> int:
    """Opens an absolute path that has no symbolic link in it, and returns the descriptor.

    Raises:
        OSError: ELOOP where there is a link, else as open(2).
    """
    return _open_number(_AT_FDCWD, path, _how(flags, _RESOLVE_NO_SYMLINKS))


def own_without_links(path: str, flags: int) -> Descriptor:
    """Opens an absolute path that has no symbolic link in it; the owner of nothing where that is not possible."""
    return owned(_syscall, _NUMBER, _AT_FDCWD, os.fsencode(path), _how(flags, _RESOLVE_NO_SYMLINKS), _SIZE)


def _open_number(directory: int, path: str, how: Any) -> int:
    name, code = os.fsencode(path), errno.EAGAIN
    for _ in range(_ATTEMPTS):
        descriptor: int = _syscall(_NUMBER, directory, name, how, _SIZE)
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code not in _PASSING:
            break
    raise OSError(code, os.strerror(code), path)


def open_cached(path: str, flags: int) -> int:
    """Opens an existing path if the kernel has all components of it in memory, and returns the descriptor.

    Raises:
        OSError: EAGAIN where it has not; EINVAL where the kernel lacks the flag (before Linux 5.12); else as open(2).
    """
    return _open_once(_AT_FDCWD, path, _how(flags, _RESOLVE_CACHED))


def open_cached_without_links(path: str, flags: int) -> int:
    """The same for an absolute path that has no symbolic link in it. It may lead to any mount.

    Past one of FUSE or of a network, the next look at the file may wait for a response: see `handles.mount_of`.

    Raises:
        OSError: as `open_cached`; ELOOP where there is a link.
    """
    return _open_once(_AT_FDCWD, path, _how(flags, _RESOLVE_CACHED | _RESOLVE_NO_SYMLINKS))


def open_cached_beneath(directory: int, path: str, flags: int) -> int:
    """Opens an existing path in an open directory if the kernel has all of it in memory, and returns the descriptor.

    Raises:
        OSError: as `open_cached`; ELOOP where there is a link in the path, EXDEV where another file system begins.
    """
    return _open_once(directory, path, _how(flags, _BENEATH_CACHED))


def _open_once(directory: int, path: str, how: Any) -> int:
    descriptor: int = _syscall(_NUMBER, directory, os.fsencode(path), how, _SIZE)
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return descriptor


@cache
def _how(flags: int, resolve: int) -> Any:
    """The argument that says how to open. The kernel only reads it, so threads share it."""
    return ctypes.byref(_OpenHow(flags | os.O_CLOEXEC, 0, resolve))


def kind_of_file_system(descriptor: int) -> int:
    """The number of the kind of file system that an open file lies on (`f_type` of fstatfs(2))."""
    known = (ctypes.c_long * 64)()  # struct statfs is less than half of it, and starts with f_type
    if _library.fstatfs(descriptor, known):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(known[0])


def works() -> bool:
    """Whether the kernel has the call and allows this process to use it. Sandboxes often do not."""
    try:
        open_beneath(_AT_FDCWD, ".", os.O_PATH).close()
    except OSError:
        return False
    return True
