"""What makes readers and writers stand where a binary file is wanted."""

from __future__ import annotations

from entrepot.errors import Unsupported
from entrepot.reader import Reader
from entrepot.writer import Writer

from .twin import BodyTwin


class ReadableFile(BodyTwin[Reader]):
    """A file to be read, as `zipfile`, `tarfile` and `io.BufferedReader` want one."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._inner._calls.is_closed

    def readable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """False."""
        return False

    def seekable(self) -> bool:
        """True: a seek does no I/O, and the next read asks from there."""
        return True

    def read1(self, n: int = 65536) -> bytes:
        """Reads at least one and at most `n` bytes, as they come; `b""` is the end."""
        return self._run(_receive(self._inner, n))

    def flush(self) -> None:
        """Does nothing: there is nothing to be written."""

    def truncate(self, size: int | None = None) -> int:
        """Raises `Unsupported`: it is there to be read."""
        raise Unsupported("a reader changes nothing")


class WritableFile(BodyTwin[Writer]):
    """A file to be written from its start to its end, as `zipfile` and `tarfile` want one."""

    @property
    def closed(self) -> bool:
        """Whether it is closed or aborted."""
        return self._inner._is_ended

    def readable(self) -> bool:
        """False."""
        return False

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """False."""
        return False

    def flush(self) -> None:
        """Does nothing: the object appears when the writer is closed, and not before."""


async def _receive(reader: Reader, n: int) -> bytes:
    from anyio import EndOfStream

    try:
        return await reader.receive(n)
    except EndOfStream:
        return b""
