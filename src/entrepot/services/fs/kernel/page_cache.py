"""Whether the kernel has a part of a file in memory (cachestat(2), Linux 6.5). The call never waits for a disk.

The C library may have no function for it. Importing this module loads ctypes, so it is imported on use.
"""

import ctypes
import errno
import os
from typing import Any, Final

_NUMBER: Final = 451  # on every architecture but alpha, whose kernel answers ENOSYS to it
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

_Query: Final[Any] = ctypes.c_uint64 * 7
"""A `struct cachestat_range` (offset, length) followed by a `struct cachestat`, whose first field is the number of
pages in memory."""
_RESULT: Final = 16
"""The offset of the `struct cachestat`."""

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
"""Declared without argument types, for the same reason as in `openat2`."""


def is_cached(descriptor: int, start: int, end: int) -> bool:
    """Whether every page of a range of an open file is in memory. True for an empty range.

    Raises:
        OSError: the kernel does not have the call, or does not allow it for this file.
    """
    first, last = start // _PAGE, -(-end // _PAGE)
    if last <= first:
        return True
    return _cached_pages(descriptor, first * _PAGE, (last - first) * _PAGE) == last - first


def works() -> bool:
    """Whether the kernel has the call and allows this process to use it. Sandboxes often do not."""
    try:
        _cached_pages(-1, 0, _PAGE)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


def _cached_pages(descriptor: int, offset: int, length: int) -> int:
    query = _Query(offset, length)
    if _syscall(_NUMBER, descriptor, ctypes.byref(query), ctypes.byref(query, _RESULT), 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(query[2])
