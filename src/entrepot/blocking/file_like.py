"""What makes readers and writers stand where a binary file is wanted."""

from __future__ import annotations

from entrepot.errors import Unsupported
from entrepot.facade.reader import Reader
from entrepot.facade.sources import Data
from entrepot.facade.writer import Writer

from .twin import BlockingBody


class ReadableFile(BlockingBody[Reader]):
    """A file to be read, as `zipfile`, `tarfile` and `io.BufferedReader` want one."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._calls.is_closed

    def readable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """False."""
        return False

    def seekable(self) -> bool:
        """True: a seek does no I/O, and the next read asks from there."""
        return True

    def read(self, n: int | None = -1) -> bytes:
        """Reads `n` bytes, fewer only where the range ends; `b""` is the end.

        Arguments:
            n: how many bytes; -1 (the default) or None reads to the end.
        """
        return self._run(self._inner.read(-1 if n is None else n))

    def read1(self, n: int = 65536) -> bytes:
        """Reads at least one and at most `n` bytes, as they come; `b""` is the end.

        Arguments:
            n: how many bytes; 65536 by default, and for -1.
        """
        return self._run(_receive(self._inner, 65536 if n == -1 else n))

    def flush(self) -> None:
        """Does nothing: there is nothing to be written."""

    def truncate(self, size: int | None = None) -> int:
        """Raises `Unsupported`: it is there to be read."""
        raise Unsupported("a reader changes nothing")

    @staticmethod
    async def _let_go(inner: Reader) -> None:
        await inner.aclose()


class WritableFile(BlockingBody[Writer]):
    """A file to be written from its start to its end, as `zipfile` and `tarfile` want one."""

    @property
    def closed(self) -> bool:
        """Whether it is closed or aborted."""
        return self._calls.has_ended

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
        """Takes more bytes and returns how many, which is all. They are sent now or by `close` at the latest.

        Arguments:
            data: the bytes: `bytes`, or any contiguous object with the buffer protocol. What can be changed is
                copied, so a buffer can be used again at once.

        Raises:
            InvalidInput: `data` is not bytes, or the object would be larger than the service takes.
        """
        before = self._inner.tell()
        self._run(self._inner.write(data))
        return self._inner.tell() - before

    def flush(self) -> None:
        """Does nothing: the object appears when the writer is closed, and not before."""


async def _receive(reader: Reader, n: int) -> bytes:
    from anyio import EndOfStream

    try:
        return await reader.receive(n)
    except EndOfStream:
        return b""
