"""What tells an inode from those that have its number before and after it: file handles (name_to_handle_at(2)).

The number of an inode is given to another file as soon as the inode is free, possibly within one tick of the clock
that stamps files. A file handle holds the number and its generation, which is another one each time. It is had
without opening the file, which would need permission to read it and could do something to it, and without waiting for
a disk: the kernel makes it of what it knows of the inode.

Some file systems have no generations, and a handle that says nothing: those of a network or of a process often. What
counts is a handle by which the kernel could open the file, or that of an overlay, which holds the handle of the file
beneath it; and it must hold the number of the inode.

Importing this module loads ctypes, so it is imported on use.
"""

import ctypes
import os
import threading
from struct import Struct
from typing import Any, Final

_AT_EMPTY_PATH: Final = 0x1000
_AT_HANDLE_FID: Final = 0x200
"""A handle that tells files apart and need not open them (Linux 6.5)."""
_FID: Final = _AT_EMPTY_PATH | _AT_HANDLE_FID
_OVERLAY: Final = 0xF8
"""The type of the handles of overlayfs, which gives them only so."""
_HEADER: Final = 8
_LARGEST: Final = 128
_LOW: Final = 0xFFFFFFFF
_low_number: Final = Struct("=I").pack

_Handle: Final[Any] = ctypes.c_uint32 * ((_HEADER + _LARGEST) // 4)
"""A `struct file_handle`: the length, the type, and the content."""
_mount: Final = ctypes.byref(ctypes.c_int())
"""Where the kernel puts the number of the mount, which is not read."""


class _OfThread(threading.local):
    """Room for the handle that a thread asks for: to make it takes a fifth of the time."""

    def __init__(self) -> None:
        self.handle = _Handle()


_of_thread: Final = _OfThread()


def _no_call(*_: Any) -> int:
    return -1


_call: Any = getattr(ctypes.CDLL(None), "name_to_handle_at", _no_call)
"""Without the types of its arguments and without `errno`: both together take as long as the call."""


def handle_at(directory: int, name: str, inode: int) -> str | None:
    """The handle of what a name in an open directory means; it does not follow a link.

    If that is another file by now, the inode that is asked about was replaced or renamed. Then any etag that is made of
    it is out of date, and one that no file has is right.

    Arguments:
        directory: the open directory, or the file itself, which may be open as a path only (`O_PATH`).
        name: the name in it, or a path; empty for the file itself.
        inode: the number of its inode.

    Returns:
        The handle in hexadecimal digits; None where there is none that counts, or a sandbox forbids the call.
    """
    handle, encoded = _of_thread.handle, os.fsencode(name) if name else b""
    handle[0] = _LARGEST
    if _call(directory, encoded, handle, _mount, _AT_EMPTY_PATH) and not _is_of_overlay(directory, encoded, handle):
        return None
    content = bytes(handle)[_HEADER : _HEADER + handle[0]]
    return content.hex() if _low_number(inode & _LOW) in content else None


def _is_of_overlay(directory: int, name: bytes, handle: Any) -> bool:
    """Asks once more, as an overlay has to be asked. Returns whether it is one, and answered."""
    handle[0] = _LARGEST
    return not _call(directory, name, handle, _mount, _FID) and handle[1] == _OVERLAY
