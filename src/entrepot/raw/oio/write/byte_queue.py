"""`ByteQueue`: bytes that wait to be sent, in the pieces that were written."""

from __future__ import annotations

from collections import deque
from typing import Final

_SMALL: Final = 16 * 1024
_MANY: Final = 256


class ByteQueue:
    """A queue of bytes that does not copy them before they are taken.

    Only long runs of small pieces are joined early: each piece has a fixed cost, which can be many times the cost of
    its bytes.
    """

    __slots__ = ("_pieces", "_small", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | memoryview] = deque()
        self._small = 0
        self.size = 0

    def append(self, content: bytes | memoryview) -> None:
        """Appends bytes. The caller must not change them afterwards."""
        self._pieces.append(content)
        self.size += len(content)
        self._small = self._small + 1 if len(content) < _SMALL else 0
        if self._small == _MANY:
            self._join_small()

    def first(self, size: int) -> list[bytes]:
        """Returns the first `size` bytes, or all if there are fewer, in their pieces. They stay in the queue."""
        return [bytes(view) for view in self.views(size)]

    def views(self, size: int) -> list[bytes | memoryview]:
        """Returns the same as `first` without a copy: the last piece may be a view."""
        views: list[bytes | memoryview] = []
        for piece in self._pieces:
            if size <= 0:
                break
            views.append(piece if len(piece) <= size else memoryview(piece)[:size])
            size -= len(piece)
        return views

    def drop(self, size: int) -> None:
        """Removes the first `size` bytes. There must be as many."""
        self.size -= size
        while size:
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(memoryview(piece)[size:])
            size -= min(size, len(piece))
        self._small = min(self._small, len(self._pieces))

    def join(self) -> bytes:
        """Returns all bytes in one piece. They stay in the queue."""
        joined = b"".join(self._pieces) if len(self._pieces) != 1 else bytes(self._pieces[0])
        self._pieces = deque([joined])
        self._small = 0
        return joined

    def clear(self) -> None:
        """Drops all bytes."""
        self._pieces.clear()
        self._small = self.size = 0

    def _join_small(self) -> None:
        small = [self._pieces.pop() for _ in range(_MANY)]
        self._pieces.append(b"".join(reversed(small)))
        self._small = 0
