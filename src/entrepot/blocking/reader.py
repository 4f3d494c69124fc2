"""What `reader` gives: one object, or a range of it, to be read in whatever way is needed.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from entrepot.types import BytesRange, Metadata

from .file_like import ReadableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class BlockingReader(ReadableFile):
    """A range of an object, with a position. Made by `BlockingOperator.reader`; opening it does no I/O.

    Positions are bytes from the start of the range that was asked for. After a temporary error or a timeout
    the position is where it was, and the same call can be made again. One thread at a time uses the
    position; `fetch` does not use it. Every method may raise what the storage answers:
    `NotFound`, `PermissionDenied`, `ConditionNotMatch`, `RangeNotSatisfied`, `ContentIncomplete`,
    `Timeout`, `Unexpected`; and `InvalidInput` when the reader is closed or in use.

    Close it, best by `with`: one that is dropped midway warns (`ResourceWarning`), for what it holds, such as a
    connection, is then given back only when it is collected.

    It stands where a binary file is wanted to be read: for `zipfile`, `tarfile`, `io.BufferedReader`. Only,
    iterating it gives chunks and not lines.
    """

    def readexactly(self, n: int) -> bytes:
        """Reads `n` bytes.

        Raises:
            ContentIncomplete: the range ends before; the position stays where it was.
        """
        return self._run(self._inner.readexactly(n))

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fills a writable buffer and returns how many bytes it got; fewer than its size only at the end."""
        return self._run(self._inner.readinto(buffer))

    def next(self) -> bytes | None:
        """The next chunk as the storage has it, never empty; None is the end."""
        return self._run(self._inner.next())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position and returns it. Only a seek from an end that nobody has seen yet does I/O.

        Arguments:
            offset: how far, in bytes.
            whence: from the start (`os.SEEK_SET`), the position (`os.SEEK_CUR`) or the end (`os.SEEK_END`).

        Raises:
            InvalidInput: the target lies left of the start; the position stays where it was.
            Unsupported: from the end of an object whose size the storage does not tell.
        """
        return self._run(self._inner.seek(offset, whence))

    def tell(self) -> int:
        """The position, in bytes from the start of the range."""
        return self._inner.tell()

    def size(self) -> int:
        """How many bytes the range has in this object. Asks the storage unless a reply has told."""
        return self._run(self._inner.size())

    def metadata(self) -> Metadata:
        """What the storage says of the whole object. Asks it unless a reply has told."""
        return self._run(self._inner.metadata())

    def fetch(self, ranges: Iterable[BytesRange | tuple[int, int | None]]) -> list[bytes]:
        """Reads many ranges at once and gives their bytes in the order of the ranges.

        Ranges at most `gap` bytes apart share a request, and `concurrent` requests are in flight at
        a time (8 by default). The position is neither used nor moved.

        Arguments:
            ranges: `(start, end)` pairs or `BytesRange`s, relative to the start of the reader's range.

        Raises:
            RangeNotSatisfied: one starts behind the end.
        """
        return self._run(self._inner.fetch(list(ranges)))

    def close(self) -> None:
        """Closes the reader. Closing twice is closing once, also at the same time."""
        self._run(self._inner.aclose())

    def __iter__(self) -> Iterator[bytes]:
        """The chunks from the position on, as the storage has them.

        Leaving the loop gives back what the reader holds, such as a connection. It can be used on:
        the next call asks anew, from the position on.
        """
        return self._each(self._inner)
