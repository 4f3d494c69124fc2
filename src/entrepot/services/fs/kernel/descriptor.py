"""An open file descriptor with an owner that closes it once.

Theory of operation. A `KeyboardInterrupt` (Ctrl-C) may be raised between any two bytecodes. A descriptor that passes
through Python code as a plain integer is lost if the interrupt comes before the integer reaches its owner, and stays
open until the process ends. So a descriptor gets its owner inside one call of C code: `list.__init__` takes the result
of the system call from `map`, which runs no bytecode in between. Closing works the same way backwards: `pop` and
`os.close` run in one call, so that the number is forgotten in the same step in which it is closed. A closed number
soon belongs to another file, and must not be closed a second time.

An owner that was dropped by an exception closes its descriptor when it is collected, which is at once on CPython.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Final

_LAST: Final = (-1,)
_is_descriptor: Final = (-1).__lt__  # which is C code, as `map` and `filter` are


class Descriptor(list[int]):
    """The owner of one descriptor, or of none. Make one with `owned` or `open_at`.

    As a context manager it returns the number, and closes the descriptor at the end. Threads may close it at the same
    time: it is closed once.
    """

    __slots__ = ()

    @property
    def number(self) -> int:
        """The descriptor, or -1 after it was closed."""
        return self[0] if self else -1

    def close(self) -> None:
        """Closes the descriptor, unless it is closed.

        Raises:
            OSError: as close(2), which some network file systems use to report errors of earlier writes.
        """
        if self:
            try:
                list(map(os.close, map(self.pop, _LAST)))
            except IndexError:  # another thread was faster
                return

    def __enter__(self) -> int:
        return self[0]

    def __exit__(self, *error: object) -> None:
        if self:
            self.close()

    def __del__(self) -> None:
        """Closes a descriptor that was not closed, as after an interrupt."""
        if self:
            self.close()


def owned(call: Callable[..., int], *arguments: object) -> Descriptor:
    """Owns the descriptor that a call returns; nothing if it returns -1, as a system call that failed.

    The call must be C code, else an interrupt can lose the result.
    """
    return Descriptor(filter(_is_descriptor, map(call, *zip(arguments, strict=True))))


def open_at(path: str, flags: int, mode: int = 0o777, directory: int | None = None) -> Descriptor:
    """Opens a path as open(2) does, relative to an open directory if one is given. Links are not special here.

    Raises:
        OSError: as open(2).
    """
    if directory is None:  # half of the time
        return Descriptor(map(os.open, (path,), (flags,), (mode,)))
    return Descriptor(map(partial(os.open, dir_fd=directory), (path,), (flags,), (mode,)))
