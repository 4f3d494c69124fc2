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
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import repeat
from struct import Struct
from typing import Any, Final

from .blocks import AT_ONCE, Blocks

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
_SIZE: Final = _HEADER + _LARGEST
_blocks: Final = Blocks(_SIZE)
_empty: Final = bytes(_Handle(_LARGEST)) * AT_ONCE
_heads_in: Final = Struct(f"=II{_LARGEST}x").iter_unpack
_mount: Final = ctypes.byref(ctypes.c_int())
"""The kernel writes the number of the mount here, where it is not read."""


class _Buffer:
    """Memory for a handle and a mount."""

    __slots__ = ("handle", "mount", "mount_at")

    def __init__(self) -> None:
        self.handle = _Handle()
        self.mount = ctypes.c_int()
        self.mount_at = ctypes.byref(self.mount)


_free: Final = list[_Buffer]()
"""Buffers to use again: making a new one would take a fifth of the time. A call takes one out while it uses it, and a
thread has none of its own, since a signal handler may make the same call in the middle of another one."""


def _taken() -> _Buffer:
    try:
        return _free.pop()
    except IndexError:
        return _Buffer()


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
    buffer, encoded = _taken(), name.encode() if name.isascii() else os.fsencode(name)
    handle, content = buffer.handle, None
    handle[0] = _LARGEST
    if not _call(directory, encoded, handle, _mount, _AT_EMPTY_PATH) or _is_of_overlay(directory, encoded, handle):
        content = _content_of(handle)
    _free.append(buffer)
    return None if content is None else accepted(content, inode)


def mount_of(descriptor: int) -> int | None:
    """The number of the mount that an open file lies in; None without a handle, or where a sandbox forbids the call."""
    return _mount_and_handle(descriptor)[0]


def handle_in_mount(mount: int, descriptor: int) -> bytes | None:
    """The handle of an open file, to be checked by `accepted`; None in another mount, or without a handle.

    The kernel knows both without asking the file system for anything, where `fstat` might wait for a network.
    """
    found, content = _mount_and_handle(descriptor)
    return content if found == mount else None


def _mount_and_handle(descriptor: int) -> tuple[int | None, bytes | None]:
    buffer = _taken()
    found: tuple[int | None, bytes | None] = None, None
    buffer.handle[0] = _LARGEST
    if not _call(descriptor, b"", buffer.handle, buffer.mount_at, _AT_EMPTY_PATH):
        found = buffer.mount.value, _content_of(buffer.handle)
    _free.append(buffer)
    return found


def _content_of(handle: Any) -> bytes:
    return bytes(handle)[_HEADER : _HEADER + handle[0]]


def _is_of_overlay(directory: int, name: bytes, handle: Any) -> bool:
    """Calls again with AT_HANDLE_FID, as an overlay requires. Returns whether the file is on one and has a handle."""
    handle[0] = _LARGEST
    return not _call(directory, name, handle, _mount, _FID) and handle[1] == _OVERLAY


def handles_at(directory: int, names: Sequence[bytes], inodes: Sequence[int]) -> list[str | None]:
    """What `handle_at` returns for each of some files in a directory, in half of the time.

    All have handles of the same type and length, with the number of the inode at the same place. Where one of them has
    not, each is looked at by itself.

    Arguments:
        directory: the open directory.
        names: the names in it, at least one and at most `AT_ONCE`.
        inodes: their inode numbers.
    """
    with _blocks.taken() as block:
        made = block.view[: len(names) * _SIZE]
        made[:] = _empty[: len(made)]
        is_usual = not _call(directory, names[0], block.each[0], _mount, _AT_EMPTY_PATH)
        flags = _AT_EMPTY_PATH if is_usual else _FID  # a directory of an overlay has only files of the overlay
        if not any(map(_call, repeat(directory), names, block.each, repeat(_mount), repeat(flags))):
            heads = set(_heads_in(made))
            length, kind = heads.pop()
            if not heads and (is_usual or kind == _OVERLAY) and _have_numbers(made, length, inodes):
                return [content.hex() for (content,) in _contents_in(length)(made)]
    return [handle_at(directory, os.fsdecode(name), inode) for name, inode in zip(names, inodes, strict=True)]


def _have_numbers(handles: memoryview, length: int, inodes: Sequence[int]) -> bool:
    """Whether each of some handles has the number of its inode where the first one has it."""
    offset = bytes(handles[_HEADER : _HEADER + length]).find(_low_number(inodes[0] & _LOW))
    if offset < 0:
        return False
    return [number for (number,) in _numbers_in(offset)(handles)] == [inode & _LOW for inode in inodes]


@cache
def _contents_in(length: int) -> Callable[[memoryview], Iterator[tuple[bytes]]]:
    return Struct(f"={_HEADER}x{length}s{_LARGEST - length}x").iter_unpack


@cache
def _numbers_in(offset: int) -> Callable[[memoryview], Iterator[tuple[int]]]:
    return Struct(f"={_HEADER + offset}xI{_LARGEST - offset - 4}x").iter_unpack


def accepted(content: bytes, inode: int) -> str | None:
    """A handle in hexadecimal digits; None if it does not contain the number of the inode."""
    return content.hex() if _low_number(inode & _LOW) in content else None
