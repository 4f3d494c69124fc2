"""File handles (name_to_handle_at(2)): they differ between files that use the same inode number one after the other.

The number of an inode is given to another file as soon as the inode is free, possibly within one tick of the clock
that stamps files. A file handle holds the number and its generation, which is a new one each time. The kernel makes it
from the inode in memory. So the file is not opened, which would need permission to read it and could have an effect on
it, and no disk is waited for.

Some file systems, often of a network or a process, have no generations, and their handles do not identify a file.
A handle is accepted if the kernel could open the file by it, or if it belongs to an overlay, whose handle contains the
handle of the lower file; and it must contain the number of the inode.

Importing this module loads ctypes, so it is imported on use.
"""

import ctypes
import os
import threading
from struct import Struct
from typing import Any, Final

_AT_EMPTY_PATH: Final = 0x1000
_AT_HANDLE_FID: Final = 0x200
"""A handle that identifies a file and need not be able to open it (Linux 6.5)."""
_FID: Final = _AT_EMPTY_PATH | _AT_HANDLE_FID
_OVERLAY: Final = 0xF8
"""The type of the handles of overlayfs, which returns them only with AT_HANDLE_FID."""
_HEADER: Final = 8
_LARGEST: Final = 128
_LOW: Final = 0xFFFFFFFF
_low_number: Final = Struct("=I").pack

_Handle: Final[Any] = ctypes.c_uint32 * ((_HEADER + _LARGEST) // 4)
"""A `struct file_handle`: the length, the type, and the content."""
_mount: Final = ctypes.byref(ctypes.c_int())
"""The kernel writes the number of the mount here; it is not read."""


class _OfThread(threading.local):
    """A buffer for the handle, one for each thread: making a new one would take a fifth of the time."""

    def __init__(self) -> None:
        self.handle = _Handle()


_of_thread: Final = _OfThread()


def _no_call(*_: Any) -> int:
    return -1


_call: Any = getattr(ctypes.CDLL(None), "name_to_handle_at", _no_call)
"""Declared without argument types and without `errno`: both together take as long as the call."""


def handle_at(directory: int, name: str, inode: int) -> str | None:
    """The handle of a file by its name in an open directory; a link is not followed.

    If the name leads to another file by now, the file with the given inode was replaced or renamed. Then any etag of
    it is out of date, and an etag that no file has is right.

    Arguments:
        directory: the open directory, or the open file itself, possibly opened with `O_PATH`.
        name: the name in it, or a path; empty for the file itself.
        inode: the inode number of the file.

    Returns:
        The handle in hexadecimal digits; None without an accepted handle, or where a sandbox forbids the call.
    """
    handle, encoded = _of_thread.handle, name.encode() if name.isascii() else os.fsencode(name)
    handle[0] = _LARGEST
    if _call(directory, encoded, handle, _mount, _AT_EMPTY_PATH) and not _is_of_overlay(directory, encoded, handle):
        return None
    content = bytes(handle)[_HEADER : _HEADER + handle[0]]
    return content.hex() if _low_number(inode & _LOW) in content else None


def _is_of_overlay(directory: int, name: bytes, handle: Any) -> bool:
    """Calls again with AT_HANDLE_FID, as an overlay requires. Returns whether the file is on one and has a handle."""
    handle[0] = _LARGEST
    return not _call(directory, name, handle, _mount, _FID) and handle[1] == _OVERLAY
