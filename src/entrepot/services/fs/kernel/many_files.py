"""The metadata of many files of one directory, by a few calls of C code for all of them.

statx(2) writes the attributes of all files into one block of memory, from which only the needed ones are taken:
`os.stat` would make an object of 22 numbers for each.

Importing this module loads ctypes, so it is imported on use.
"""

import ctypes
import os
import stat
from collections.abc import Sequence
from itertools import repeat
from struct import Struct
from typing import Any, Final

from entrepot.types import Metadata

from .attributes import metadata_of_numbers
from .blocks import Blocks
from .handles import handles_at

_AT_SYMLINK_NOFOLLOW: Final = 0x100
_AT_NO_AUTOMOUNT: Final = 0x800
_FLAGS: Final = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
_WANTED: Final = 0x7C3
"""STATX_TYPE, STATX_MODE, STATX_MTIME, STATX_CTIME, STATX_INO, STATX_SIZE and STATX_BLOCKS."""
_attributes_in: Final = Struct("=28xH2xQQQ40xqI4xqI132x").iter_unpack
"""Of each `struct statx`: mode, inode, size, blocks, and the times of the last change and modification."""
_SIZE: Final = 256
_blocks: Final = Blocks(_SIZE)
_SECOND: Final = 1_000_000_000


def _no_call(*_: Any) -> int:
    return -1


_call: Any = getattr(ctypes.CDLL(None), "statx", _no_call)
"""Declared without argument types and without `errno`, as the call for a handle is."""


def describe_many(directory: int, names: Sequence[str]) -> list[Metadata] | None:
    """What `describe` returns for each of some regular files in an open directory, in half of the time.

    Arguments:
        directory: the open directory.
        names: the names in it, ASCII, at least one and at most `blocks.AT_ONCE`.

    Returns:
        None where one of them is something else or cannot be looked at, or where the size may not be the length.
    """
    encoded = [name.encode() for name in names]
    with _blocks.taken() as block:
        if any(map(_call, repeat(directory), encoded, repeat(_FLAGS), repeat(_WANTED), block.each)):
            return None
        files = list(_attributes_in(block.view[: len(names) * _SIZE]))
    if not all(map(stat.S_ISREG, {file[0] for file in files})):
        return None
    if 0 in {file[3] for file in files} and not os.fstatvfs(directory).f_blocks:
        return None
    handles = handles_at(directory, encoded, [file[1] for file in files])
    return [
        metadata_of_numbers(inode, size, changed * _SECOND + changed_part, modified * _SECOND + modified_part, handle)
        for (_, inode, size, _, changed, changed_part, modified, modified_part), handle in zip(
            files, handles, strict=True
        )
    ]
