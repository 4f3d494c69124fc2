"""`StreamAhead`: which reads of a local file are started before the caller wants them.

A read that starts where the last one ended, and is as large, is one of a stream. While the caller uses its bytes, a
thread reads the next ones. So a stream holds two pieces, the caller's and the next one. A read on demand needs no less:
it receives a piece while the caller still has the one before. If the caller waits for the next piece, the thread goes
on with the one after it, which is a third one until the caller has taken the next. Large pieces are left out because
they are kept until the caller goes on, and small ones because they come from the page cache without a thread.

Any other read drops the pieces, and so do a seek and an error. A piece that was read ahead has passed the same checks
as one that is read on demand.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from entrepot.errors import Unexpected

if TYPE_CHECKING:
    from entrepot.raw.runtime import File, Started

SMALLEST: Final = 512 * 1024
"""The fewest bytes of a piece that is read ahead."""
LARGEST: Final = 4 * 1024 * 1024
"""The most bytes of a piece that is read ahead."""


class StreamAhead:
    """The next pieces of a file whose reads are a stream."""

    __slots__ = ("_next", "_position", "_size")

    def __init__(self) -> None:
        self._next: Started | None = None
        self._position = -1
        self._size = 0

    def expect(self, position: int, size: int) -> None:
        """Notes where the next read of a stream would start, and its size in bytes."""
        self._position, self._size = position, size

    def continues(self, position: int, size: int) -> bool:
        """Whether a read is the next one of a stream. Another read drops the piece that was read ahead."""
        if position == self._position and size == self._size:
            return True
        self.drop()
        return False

    async def take(self) -> bytes | None:
        """The next piece; None if it is not read ahead."""
        if self._next is None:
            return None
        try:
            piece = await self._next.result()
        except Exception:
            self.drop()
            raise
        if self._next.is_over:
            self.drop()
        return piece

    def start(self, file: File, read: Callable[[io.FileIO, int], bytes], end: int) -> None:
        """Starts to read the next piece, unless the thread does so already, if it has a suitable size.

        Where no thread can start, nothing is read ahead: the piece before this one is here, and its caller gets it.

        Arguments:
            file: the open file, on which no other call runs.
            read: called with the file and a position, returns the piece there. It may block.
            end: the position where the last piece ends.
        """
        if self._next is None and SMALLEST <= self._size <= LARGEST:
            with suppress(RuntimeError, Unexpected):  # no thread is to be had, which the next read raises if it lasts
                self._next = file.start(read, self._position, end)

    def drop(self) -> None:
        """Drops the next pieces. The file is in use until the thread has read its piece."""
        self._next = None
