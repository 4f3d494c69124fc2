"""`BlockingReader`: an object, or a range of it, that is read piece by piece.

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
    """Reads an object, or a range of it, from a position on. Made by `BlockingOperator.reader`.

    Opening a reader does no I/O; errors such as `NotFound` are raised by its first use. Positions are bytes from the
    start of the requested range. After a temporary error or a timeout the position is unchanged, and the same call can
    be made again. One thread at a time may use the position; `fetch` may run beside other calls.

    Close the reader, best with `with`. A reader that is garbage-collected before the end of its range, with its
    connection or file still open, issues a `ResourceWarning`.

    It is a readable binary file, for example for `zipfile`, `tarfile` and `io.BufferedReader`, with one difference:
    iterating it yields chunks, not lines.

    Every method may raise the errors of the storage (`NotFound`, `PermissionDenied`, `ConditionNotMatch`,
    `RangeNotSatisfied`, `ContentIncomplete`, `Timeout`, `Unexpected`), and `InvalidInput` if the reader is closed or in
    use by another thread.
    """

    def readexactly(self, n: int) -> bytes:
        """Reads exactly `n` bytes.

        Arguments:
            n: the number of bytes.

        Raises:
            ContentIncomplete: the range has fewer bytes left; the position is unchanged.
        """
        return self._run(self._inner.readexactly(n))

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads into a writable buffer and returns the number of bytes, less than its size only at the end.

        The bytes are received into the buffer itself. It may have changed also if the call fails or is interrupted, but
        nothing writes to it afterwards.

        Arguments:
            buffer: a contiguous, writable object with the buffer protocol.

        Raises:
            InvalidInput: `buffer` is not such an object.
        """
        return self._run(self._inner.readinto(buffer))

    def next(self) -> bytes | None:
        """Returns the next chunk, in the size that the storage sends it, never empty; None means the end."""
        return self._run(self._inner.next())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position and returns it. Only a seek from the end does I/O, if the size is not known yet.

        Arguments:
            offset: the distance in bytes.
            whence: relative to the start (`os.SEEK_SET`), the position (`os.SEEK_CUR`) or the end (`os.SEEK_END`).

        Raises:
            InvalidInput: the new position would be before the start; the position is unchanged.
            Unsupported: the seek is from the end, and the storage does not report the size of the object.
        """
        return self._run(self._inner.seek(offset, whence))

    def tell(self) -> int:
        """Returns the position in bytes from the start of the range. No I/O."""
        return self._inner.tell()

    def size(self) -> int:
        """Returns the number of bytes in the range. Does I/O unless an earlier response contained the size.

        Raises:
            Unsupported: the storage does not report the size of the object.
        """
        return self._run(self._inner.size())

    def metadata(self) -> Metadata:
        """Returns the metadata of the whole object. Does I/O unless an earlier response contained it."""
        return self._run(self._inner.metadata())

    def fetch(self, ranges: Iterable[BytesRange | tuple[int, int | None]]) -> list[bytes]:
        """Reads many ranges concurrently and returns their bytes in the order of the ranges.

        Ranges at most `gap` bytes apart share a request, and up to `concurrent` requests (by default 8) are in flight
        at a time; both are options of the reader. The position is neither used nor moved.

        Arguments:
            ranges: `(start, end)` pairs or `BytesRange`s, relative to the start of the reader's range.

        Raises:
            RangeNotSatisfied: a range starts past the end.
        """
        return self._run_overlapping(self._inner.fetch(list(ranges)))

    def fetch_views(self, ranges: Iterable[BytesRange | tuple[int, int | None]]) -> list[memoryview]:
        """Reads many ranges as `fetch` does, and returns read-only views of what was received.

        Ranges that share a request are views of one block of memory and are not copied out of it, which is most of the
        cost of a large `fetch`. A block is let go of with the last of its views; the process keeps up to 128 MiB of
        such memory for later blocks, which the system may take back. Ranges that are less than half of their request
        are copied, so the views keep little that was not asked for.

        Arguments:
            ranges: `(start, end)` pairs or `BytesRange`s, relative to the start of the reader's range.

        Raises:
            RangeNotSatisfied: a range starts past the end.
        """
        return self._run_overlapping(self._inner.fetch_views(list(ranges)))

    def close(self) -> None:
        """Closes the reader and releases its connection or file. Closing it again has no effect."""
        self._run(self._inner.aclose())

    def __iter__(self) -> Iterator[bytes]:
        """Yields the chunks from the position on, in the sizes that the storage sends them.

        Leaving the loop releases the connection or file. The reader can still be used: the next call requests the rest
        from the position on.
        """
        return self._each(self._inner)
