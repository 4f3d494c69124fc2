"""Whether a file is closed because of an error.

Many programs close a file in `__exit__` without a word of the error: `fsspec.open`, pandas, text files, the writers of
pyarrow. A file that publishes when it is closed has to know, or half of a content would be published.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

_EXIT_METHODS: Final = frozenset({"__exit__", "__aexit__"})
_DEPTH: Final = 8


def is_leaving_with_error() -> bool:
    """Whether the caller runs in a context manager that is left because of an error.

    A close in an `except` block is not that: the program has handled the error, and wants the file.
    """
    if sys.exc_info()[1] is None:
        return False
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - `inspect` would read source files
    for _ in range(_DEPTH):
        if frame is None:
            return False
        if frame.f_code.co_name in _EXIT_METHODS:
            return True
        frame = frame.f_back
    return False
