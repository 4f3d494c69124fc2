"""Opening a file that must lie beneath a directory, checked by the kernel (openat2(2), Linux 5.6).

The kernel follows symbolic links and refuses the one that leads out of the directory, in one step:
there is no time between the check and its use. The C library has no function for it. Importing this
module loads ctypes, so it is imported on use.
"""

import ctypes
import errno
import os
from functools import cache
from typing import Any, Final

_NUMBER: Final = 437  # on every architecture but alpha, whose kernel answers ENOSYS to it
_AT_FDCWD: Final = -100
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08
_ATTEMPTS: Final = 128
"""A rename or mount anywhere makes the kernel give up on `..` in a link with EAGAIN. The next time it works."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_SIZE: Final = ctypes.sizeof(_OpenHow)

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t]


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Opens an existing file beneath an open directory and returns its descriptor.

    Raises:
        OSError: EXDEV where a link leads out of the directory, else as open(2).
    """
    how, name, code = _how(flags), os.fsencode(path), errno.EAGAIN
    for _ in range(_ATTEMPTS):
        descriptor: int = _syscall(_NUMBER, directory, name, how, _SIZE)
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), path)


@cache
def _how(flags: int) -> Any:
    """The argument that says how to open. The kernel only reads it, so threads share it."""
    return ctypes.byref(_OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS))


def works() -> bool:
    """Whether the kernel has the call and lets this process make it. Sandboxes often do not."""
    try:
        os.close(open_beneath(_AT_FDCWD, ".", os.O_PATH))
    except OSError:
        return False
    return True
