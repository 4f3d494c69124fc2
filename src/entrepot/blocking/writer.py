"""What `writer` gives: one object, to be written piece by piece and published at the end.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

from entrepot.types import Metadata

from .file_like import WritableFile


class BlockingWriter(WritableFile):
    """An object that is being written. Made by `BlockingOperator.writer`; opening it does no I/O.

    The object appears when the writer is closed, and not before. `with` closes it at the end, and aborts
    when the block is left by an exception: then nothing appears, and nothing is left on the storage. After
    a temporary error or a timeout the same call can be made again.

    One thread at a time uses a writer. Every method may raise what the storage answers:
    `PermissionDenied`, `StorageFull`, `ConditionNotMatch`, `Timeout`, `Unexpected`; and `InvalidInput`
    when the writer is closed, aborted or in use.
    """

    def close(self) -> Metadata:
        """Publishes the object and returns what the storage says of it, its length at least.

        Closing twice is closing once.
        """
        return self._run(self._inner.close())

    def abort(self) -> None:
        """Drops what was written. After `close` it does nothing.

        What an appending writer has already appended stays.
        """
        self._run(self._inner.abort())

    def tell(self) -> int:
        """How many bytes were written by this writer."""
        return self._inner.tell()
