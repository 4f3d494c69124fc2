"""Renaming to a free name, checked by the kernel (renameat2(2), Linux 3.15).

Importing this module loads ctypes, so it is imported on use.
"""

import ctypes
import errno
import os
from typing import Final

_NOREPLACE: Final = 1
_MISSING: Final = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)
"""The kernel does not have the call, or the file system does not support the flag, or a sandbox forbids the call. Where
the file may not be renamed at all, the other way raises the same error."""

_call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
if _call is not None:
    _call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]


def rename_new(source: str, target: str, source_directory: int, target_directory: int) -> bool:
    """Renames a file. Returns False if the system cannot do that without replacing a file.

    Raises:
        OSError: FileExistsError where the target exists, else as rename(2).
    """
    if _call is None:
        return False
    if not _call(source_directory, os.fsencode(source), target_directory, os.fsencode(target), _NOREPLACE):
        return True
    code = ctypes.get_errno()
    if code in _MISSING:
        return False
    raise OSError(code, os.strerror(code))
