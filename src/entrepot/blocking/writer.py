"""`BlockingWriter`: an object that is written piece by piece and published at the end.

Generated from the async facade by `python tools/generate_blocking.py`; do not edit.
"""

from __future__ import annotations

from entrepot.types import Metadata

from .file_like import WritableFile


class BlockingWriter(WritableFile):
    """Writes an object piece by piece. Made by `BlockingOperator.writer`; opening it does no I/O.

    The object appears when the writer is closed, and not before. `with` closes the writer at the end of the block. If
    the block fails, it aborts the writer instead: the object is unchanged, and nothing is left on the storage. Only a
    `close` that is interrupted, or whose response is lost, may have published the object. After a temporary error or a
    timeout the same call can be made again.

    One thread at a time may use a writer. Every method may raise the errors of the storage (`PermissionDenied`,
    `StorageFull`, `ConditionNotMatch`, `Timeout`, `Unexpected`), and `InvalidInput` if the writer is closed, aborted,
    in use by another thread, or used in a forked child of the process that opened it.
    """

    def close(self) -> Metadata:
        """Publishes the object and returns its metadata, at least its length.

        Closing it again has no effect and returns the same metadata.
        """
        return self._run(self._inner.close())

    def abort(self) -> None:
        """Discards the written data. No effect after `close`.

        Data that an appending writer has already appended is kept. No effect in a forked child of the process that
        opened the writer, which may still write.
        """
        self._run(self._inner.abort())

    def tell(self) -> int:
        """Returns the number of bytes written by this writer. No I/O."""
        return self._inner.tell()
