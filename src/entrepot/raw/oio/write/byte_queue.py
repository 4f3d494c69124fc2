"""Bytes that wait to be sent, kept as they came."""

from __future__ import annotations

from collections import deque
from typing import Final

_SMALL: Final = 16 * 1024
_MANY: Final = 256


class ByteQueue:
    """A queue of bytes. They are not copied before they are asked for.

    Only small pieces that come in great number are joined on the way: each has a cost of its own, which
    can be many times that of its bytes.
    """

    __slots__ = ("_pieces", "_small", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | memoryview] = deque()
        self._small = 0
        self.size = 0

    def append(self, content: bytes | memoryview) -> None:
        """Puts bytes at the end. They must not change any more."""
        self._pieces.append(content)
        self.size += len(content)
        self._small = self._small + 1 if len(content) < _SMALL else 0
        if self._small == _MANY:
            self._join_small()

    def first(self, size: int) -> list[bytes]:
        """The first bytes, at most so many, in as many pieces as they lie in. They stay in the queue."""
        return [bytes(view) for view in self.views(size)]

    def views(self, size: int) -> list[bytes | memoryview]:
        """The same without a copy: a piece that is not wanted whole is a view of it."""
        found: list[bytes | memoryview] = []
        for piece in self._pieces:
            if size <= 0:
                break
            found.append(piece if len(piece) <= size else memoryview(piece)[:size])
            size -= len(piece)
        return found

    def drop(self, size: int) -> None:
        """Removes the first bytes, no more than there are."""
        self.size -= size
        while size:
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(memoryview(piece)[size:])
            size -= min(size, len(piece))
        self._small = min(self._small, len(self._pieces))

    def join(self) -> bytes:
        """All bytes in one piece. They stay in the queue."""
        joined = b"".join(self._pieces) if len(self._pieces) != 1 else bytes(self._pieces[0])
        self._pieces = deque([joined])
        self._small = 0
        return joined

    def clear(self) -> None:
        """Drops all."""
        self._pieces.clear()
        self._small = self.size = 0

    def _join_small(self) -> None:
        small = [self._pieces.pop() for _ in range(_MANY)]
        self._pieces.append(b"".join(reversed(small)))
        self._small = 0
