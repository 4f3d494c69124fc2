"""Reads a block of bytes that views are handed out of, into memory that is used again when all of them are gone.

Theory of operation. New memory costs more than what is received into it: the system clears each page first. So the
memory of a large block is kept when nothing refers to it any more, for the next one, at most `KEPT` bytes of it in the
process. It is never given out while anything refers to it: every view, and every view of a view, such as an array of
numpy, refers to an array of ctypes that lies over the memory, and only the end of that array gives the memory back.
Views show received bytes only, never those that the memory had before.

The memory is mapped, so that what is not kept goes back to the system at once. In the heap, kept memory would hold on
to what was freed below it. What is kept may be taken back by the system when memory is short (MADV_FREE): until then it
needs not to be cleared, and afterwards it is new memory again.
"""

from __future__ import annotations

import mmap
from functools import cache
from typing import TYPE_CHECKING, Final
from weakref import finalize

from entrepot.errors import Unsupported

from .api import Read, fill, in_place, read_up_to

if TYPE_CHECKING:
    import ctypes

LARGE: Final = 4 * 1024 * 1024
"""From this many bytes on, a block has such memory. The allocator reuses smaller memory, which has its pages."""

KEPT: Final = 128 * 1024 * 1024
"""The most bytes that are kept for later blocks, as long as the system does not need them: eight files of a usual size,
as many as a program reads at a time. With a quarter of that most blocks are new memory."""

KEPT_FOR_GOOD: Final = 32 * 1024 * 1024
"""The same where the system cannot take them back."""

_STEP: Final = 2 * 1024 * 1024
"""Sizes of memory are multiples of this, so that blocks of similar sizes share it, and it can have large pages."""

_kept: dict[int, mmap.mmap] = {}
"""The memory that is kept, by its identity, so that of two threads one gets it."""


async def read_block(body: Read, n: int) -> bytes | memoryview:
    """Reads `n` bytes, fewer only at the end, as `read_up_to` does, for a caller that hands out views of them.

    Returns bytes, or a read-only view of what was received in memory that is used again.
    """
    if n < LARGE or _bytes_type() is None:
        return await read_up_to(body, n)
    first = b"" if in_place(body, n) else await body.read(n)
    size = len(first) + in_place(body, n - len(first))
    if size < LARGE:
        is_all = not first or len(first) >= n or body.is_at_end
        return first if is_all else b"".join((first, await read_up_to(body, n - len(first))))
    buffer = RecycledBuffer(size)
    with buffer.view() as view:
        view[: len(first)] = first
        filled = len(first) + await fill(body, view[len(first) :])
    block = buffer.taken(filled)
    if filled < size or filled == n or body.is_at_end:
        return block
    return b"".join((block, await read_up_to(body, n - filled)))


class RecycledBuffer:
    """A buffer of a known size that becomes a read-only view.

    Arguments:
        size: the number of bytes.

    Raises:
        Unsupported: the interpreter has no ctypes.
    """

    __slots__ = ("_view",)

    def __init__(self, size: int) -> None:
        bytes_type = _bytes_type()
        if bytes_type is None:
            raise Unsupported("memory that is used again needs ctypes")
        memory = _kept_memory(size) or _new_memory(size)
        lent = (bytes_type * size).from_buffer(memory)
        finalize(lent, _keep, memory).atexit = False
        self._view = memoryview(lent).cast("B")

    def view(self) -> memoryview:
        """The memory, to write to."""
        return self._view[:]

    def taken(self, size: int) -> memoryview:
        """Returns a view of the first `size` bytes."""
        return self._view[:size].toreadonly()


@cache
def _bytes_type() -> type[ctypes.c_ubyte] | None:
    """The type of ctypes whose arrays lie over the memory; None if ctypes cannot be imported, which takes 10 ms."""
    try:
        import ctypes
    except (ImportError, OSError):  # an interpreter without it, or no free descriptor to read it
        return None
    return ctypes.c_ubyte


def _kept_memory(size: int) -> mmap.mmap | None:
    for key, kept in list(_kept.items()):
        if size <= len(kept) <= 2 * size + _STEP and (memory := _kept.pop(key, None)) is not None:
            return memory
    return None


def _new_memory(size: int) -> mmap.mmap:
    length = -(-size // _STEP) * _STEP
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return mmap.mmap(-1, length)
    memory = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE)  # a forked child has a copy
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _keep(memory: mmap.mmap) -> None:
    limit = KEPT if _may_be_taken_back(memory) else KEPT_FOR_GOOD
    if sum(map(len, list(_kept.values()))) + len(memory) <= limit:
        _kept[id(memory)] = memory


def _may_be_taken_back(memory: mmap.mmap) -> bool:
    """Lets the system take the pages back, from now until they are written to. False where it has no such call."""
    if not hasattr(mmap, "MADV_FREE"):
        return False
    try:
        memory.madvise(mmap.MADV_FREE)
    except OSError:  # Linux before 4.5, and sandboxes
        return False
    return True
