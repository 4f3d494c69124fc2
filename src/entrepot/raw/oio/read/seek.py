"""The arithmetic of seeks: one function for all readers."""

from __future__ import annotations

import os

from entrepot.errors import InvalidInput
from entrepot.types.numbers import as_integer
from entrepot.types.shown import shown


def seek_target(offset: int, whence: int, position: int, size: int | None) -> int:
    """Returns the position that `seek(offset, whence)` moves to, in a window of `size` bytes.

    Arguments:
        offset: the distance in bytes.
        whence: the origin: the start (`os.SEEK_SET`), the position (`os.SEEK_CUR`) or the end (`os.SEEK_END`).
        position: the current position, in bytes from the window's start.
        size: the size of the window in bytes; needed for `os.SEEK_END` only.

    Raises:
        InvalidInput: the target is before the window, or an argument is invalid.
    """
    offset = as_integer("the offset of a seek", offset)
    if whence == os.SEEK_SET:
        target = offset
    elif whence == os.SEEK_CUR:
        target = position + offset
    elif whence == os.SEEK_END and size is not None:
        target = size + offset
    else:
        raise InvalidInput(f"whence must be 0 (start), 1 (position) or 2 (end), not {shown(whence)}")
    if target < 0:
        raise InvalidInput(f"the seek leads {-target} bytes before the start")
    return target
