"""Memory that is received into and then becomes one `bytes`.

Theory of operation. CPython hands out the memory of a `BytesIO` itself, without a copy, if nothing else refers to it.
`bytes(size)` is memory that the system has not provided yet: pages that are never written cost nothing, so a length
that was stated and never arrives costs nothing either.

On Linux the first write to each page of 4 KiB enters the kernel, which takes longer than receiving what goes there
(0.67 s of CPU for each GB beside 0.14). Large buffers ask for pages of 2 MiB, as numpy does.

Python 3.12.0 and 3.12.1 crash where a `BytesIO` is collected as garbage together with a view of it
(python/cpython#111049), as after an error whose traceback refers to both. With them the result is a copy.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

_PAGE: Final = 4096
_LARGE: Final = 4 * 1024 * 1024
"""From this many bytes on, large pages are asked for. The allocator reuses smaller memory, which has its pages."""


_CAN_CRASH: Final = sys.version_info[:3] in {(3, 12, 0), (3, 12, 1)}


class FinalBuffer:
    """A buffer of a known size that becomes one `bytes`.

    Use `view` in a `with` block, and `taken` after it: what still refers to the memory then makes it a copy.

    Arguments:
        size: the number of bytes.
    """

    __slots__ = ("_content",)

    def __init__(self, size: int) -> None:
        self._content: _CopiedMemory | _Memory = _CopiedMemory(size) if _CAN_CRASH else _Memory(bytes(size))

    def view(self) -> memoryview:
        """The memory, to write to."""
        view = self._content.getbuffer()
        if len(view) >= _LARGE:
            _ask_for_large_pages(view)
        return view

    def append(self, piece: bytes) -> None:
        """Adds bytes at the end."""
        try:
            self._content.add(piece)
        except BufferError:  # an error that a program keeps, of a read that was retried, refers to a view
            self._content = type(self._content)(self._content.getvalue())
            self._content.add(piece)

    def taken(self, size: int | None = None) -> bytes:
        """Returns all bytes, or the first `size` of them."""
        content = self._content.getvalue()
        return content if size is None else content[:size]


class _Memory(io.BytesIO):
    """Memory that is not closed by its finalizer.

    Python 3.13 reports that a file of bytes cannot be closed while a view of it exists, as one does where an error
    whose traceback refers to both is collected as garbage (python/cpython#111331).
    """

    __slots__ = ()

    def add(self, piece: bytes) -> None:
        """Adds bytes at the end."""
        self.seek(0, io.SEEK_END)
        self.write(piece)

    def close(self) -> None:
        """Does nothing: the memory is freed with its last reference."""


class _CopiedMemory(bytearray):
    """Memory that is copied at the end, with the methods of `_Memory`."""

    __slots__ = ()

    add = bytearray.extend

    def getbuffer(self) -> memoryview:
        return memoryview(self)

    def getvalue(self) -> bytes:
        return bytes(self)


def _ask_for_large_pages(view: memoryview) -> None:
    """Asks the system for pages of 2 MiB. It may decline."""
    advise = _advice()
    if advise is not None:
        advise(view)


@cache
def _advice() -> Callable[[memoryview], object] | None:
    if sys.platform != "linux":
        return None
    try:
        import ctypes
        from mmap import MADV_HUGEPAGE

        madvise = ctypes.CDLL(None).madvise
    except (ImportError, OSError, AttributeError):  # an interpreter or a system without one of these
        return None
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def advise(view: memoryview) -> object:
        address = ctypes.addressof(ctypes.c_char.from_buffer(view))
        start = -(-address // _PAGE) * _PAGE
        return madvise(start, (address + len(view) - start) // _PAGE * _PAGE, MADV_HUGEPAGE)

    return advise
