"""Blocks of memory that system calls fill, one record for each of many files.

A block belongs to one call of a function at a time, and not to a thread: a signal handler may list a directory in the
middle of another listing, in the same thread.

Importing this module loads ctypes, so it is imported on use.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

AT_ONCE: Final = 256
"""The records of a block."""


class Block:
    """The memory of `AT_ONCE` records, with `view` for Python and `each`, a pointer to each record, for the calls."""

    __slots__ = ("each", "view")

    def __init__(self, size: int) -> None:
        content = bytearray(AT_ONCE * size)
        self.view = memoryview(content)
        self.each: list[Any] = [
            ctypes.byref(ctypes.c_char.from_buffer(content, index * size)) for index in range(AT_ONCE)
        ]


class Blocks:
    """The blocks for one kind of record. They are used again, since making one takes longer than describing 20 files.

    Arguments:
        size: bytes of a record.
    """

    __slots__ = ("_free", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = list[Block]()

    @contextmanager
    def taken(self) -> Iterator[Block]:
        """Yields a block that nothing else uses, with the records of its last use in it."""
        try:
            block = self._free.pop()
        except IndexError:
            block = Block(self._size)
        yield block
        self._free.append(block)  # not after an exception: then it is freed
