"""Where a seek leads. One function for every reader, so that none can have an opinion of its own."""

from __future__ import annotations

import os

from entrepot.errors import InvalidInput
from entrepot.types.numbers import as_integer
from entrepot.types.shown import shown


def seek_target(offset: int, whence: int, position: int, size: int | None) -> int:
    """The position that `seek(offset, whence)` means, in a window of `size` bytes.

    Arguments:
        offset: how far, in bytes.
        whence: from the start (`os.SEEK_SET`), the position (`os.SEEK_CUR`) or the end (`os.SEEK_END`).
        position: where the reader is, in bytes from the window's start.
        size: the size of the window in bytes; needed from the end only.

    Raises:
        InvalidInput: the target lies left of the window, or an argument makes no sense.
    """
    offset = as_integer("the offset of a seek", offset)
    if whence == os.SEEK_SET:
        target = offset
    elif whence == os.SEEK_CUR:
        target = position + offset
    elif whence == os.SEEK_END and size is not None:
        target = size + offset
    else:
        raise InvalidInput(f"whence is 0 (start), 1 (position) or 2 (end), not {shown(whence)}")
    if target < 0:
        raise InvalidInput(f"the seek leads {-target} bytes left of the start")
    return target
