"""The file methods of blocking readers and writers, which make them usable as binary files."""

from __future__ import annotations

import warnings
from typing import Any

from entrepot.errors import Unsupported
from entrepot.facade.reader import Reader
from entrepot.facade.sources import Data
from entrepot.facade.writer import Writer
from entrepot.raw.runtime.inline import run as run_inline

from .base import BlockingBody
from .left_writer import LeftWriter, LostWriter


class ReadableFile(BlockingBody[Reader]):
    """The base of `BlockingReader`: a readable binary file for `zipfile`, `tarfile` and `io.BufferedReader`."""

    @property
    def closed(self) -> bool:
        """Whether the reader is closed."""
        return self._is_given_up or self._calls.is_closed

    def readable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """False."""
        return False

    def seekable(self) -> bool:
        """True. A seek does no I/O; the next read requests the data from the new position on."""
        return True

    def read(self, n: int | None = -1) -> bytes:
        """Reads `n` bytes, or fewer at the end of the range; `b""` means the end.

        Arguments:
            n: the number of bytes. By default -1, which reads to the end, as does None.
        """
        return self._run(self._inner.read(-1 if n is None else n))

    def read1(self, n: int = 65536) -> bytes:
        """Reads at least one byte and at most `n`, whichever arrive first; `b""` means the end.

        Arguments:
            n: the largest number of bytes. By default 65536, which -1 means as well.
        """
        return self._run(_receive(self._inner, 65536 if n == -1 else n))

    def flush(self) -> None:
        """Does nothing: a reader has no data to write."""

    def truncate(self, size: int | None = None) -> int:
        """Raises `Unsupported`: a reader cannot change its object."""
        raise Unsupported("a reader cannot change its object")

    @staticmethod
    async def _let_go(inner: Reader) -> None:
        await inner.aclose()


class WritableFile(BlockingBody[Writer]):
    """The base of `BlockingWriter`: a writable binary file without `seek`, for `zipfile` and `tarfile`."""

    @property
    def closed(self) -> bool:
        """Whether the writer is closed or aborted."""
        return not self._is_given_up and self._calls.has_ended  # `io` flushes a file around a lost one

    def readable(self) -> bool:
        """False."""
        return False

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """False."""
        return False

    def write(self, data: Data) -> int:
        """Adds bytes to the object and returns their number. They are sent now, or by `close` at the latest.

        Arguments:
            data: `bytes`, or any contiguous object with the buffer protocol. Mutable memory is copied, so the caller
                may reuse a buffer at once.

        Raises:
            InvalidInput: `data` is not bytes, or the object would be larger than the service allows.
        """
        before = self._inner.tell()
        self._run(self._inner.write(data))
        return self._inner.tell() - before

    def flush(self) -> None:
        """Does nothing: the object appears when the writer is closed."""

    def _dealloc_warn(self, source: object) -> None:
        """Called by `io` before it closes a garbage-collected file around this one. See `LeftWriter`."""
        if not self.closed and not self._is_given_up:
            left: Any = LeftWriter(self._inner, self._run)
            self._inner, self._run = left, left.run
            warnings.warn(f"unclosed file {source!r}", ResourceWarning, stacklevel=2, source=source)

    def _taken_out(self) -> Writer:
        inner = super()._taken_out()
        lost: Any = LostWriter(inner.tell())
        self._inner, self._run = lost, run_inline
        return inner

    @staticmethod
    async def _discard(inner: Writer) -> None:
        await inner.abort()


async def _receive(reader: Reader, n: int) -> bytes:
    from anyio import EndOfStream

    try:
        return await reader.receive(n)
    except EndOfStream:
        return b""
