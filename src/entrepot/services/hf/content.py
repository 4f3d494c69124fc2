"""The content of a write. Git LFS needs its SHA-256 before the first byte is sent, so it is collected first.

Theory of operation. Content waits in memory, and once there is more than `MEMORY`, in an unnamed temporary file.
Bytes are written at a fixed offset and leave the queue only afterwards, so that a failed or cancelled call is repeated
with the same result. Bytes in the file are read by their offsets.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import tempfile
from collections.abc import Sequence
from typing import Any, Final

from entrepot.errors import InvalidInput
from entrepot.raw.oio.write.byte_queue import ByteQueue
from entrepot.raw.os_errors import translate_os_errors
from entrepot.raw.runtime import Runtime

MEMORY: Final = 16 * 1024 * 1024
"""The bytes of content that are kept in memory."""

PIECE: Final = 4 * 1024 * 1024
"""The bytes that one thread call hashes."""

AT_ONCE: Final = 128 * 1024
"""Content up to this size is hashed without a thread, in a tenth of a millisecond."""


class Content:
    """Bytes of one object.

    Arguments:
        runtime: has the threads that access the file.
        limit: the most bytes.
    """

    __slots__ = ("_file", "_limit", "_queue", "_runtime", "_stored")

    def __init__(self, runtime: Runtime, limit: int) -> None:
        self._runtime = runtime
        self._limit = limit
        self._queue = ByteQueue()
        self._file: Any = None
        self._stored = 0

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self._stored + self._queue.size

    async def append(self, data: bytes | memoryview) -> None:
        """Takes bytes. If it raises or is cancelled, it has taken none.

        Raises:
            InvalidInput: there would be more than the limit.
            StorageFull: the disk of the temporary directory is full.
        """
        if self.size + len(data) > self._limit:
            raise InvalidInput(f"the object would have more than {self._limit} bytes, the most that the service takes")
        if self._queue.size >= MEMORY:
            await self._store()
        self._queue.append(data)

    async def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`. There must be as many."""
        if self._file is None:
            return self._queue.join()[start:end]
        await self._store()
        with translate_os_errors():
            return bytes(await self._file.run(_read_at, start, end))

    async def whole(self) -> bytes | memoryview:
        """All bytes. Those in the file are mapped and not read, so that they take no memory of the process."""
        if self._file is None:
            return self._queue.join()
        await self._store()
        with translate_os_errors():
            return memoryview(await self._file.run(_mapped))

    async def digest(self, *, is_lfs: bool) -> str:
        """The id of the content in hexadecimal: its SHA-256 in Git LFS, or git's id of a file."""
        digest = hashlib.sha256() if is_lfs else hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)
        for start in range(0, self.size, PIECE):
            piece = await self.read(start, min(start + PIECE, self.size))
            if self.size <= AT_ONCE:
                digest.update(piece)
            else:
                await self._runtime.blocking_long(digest.update, piece)
        return digest.hexdigest()

    async def close(self) -> None:
        """Drops the content."""
        self._queue.clear()
        self._stored = 0
        if self._file is not None:
            file, self._file = self._file, None
            await file.close()

    async def _store(self) -> None:
        """Moves the bytes in memory to the file."""
        if not self._queue.size:
            return
        with translate_os_errors():
            if self._file is None:
                self._file, _ = await self._runtime.open_file(_new_file)
            size = self._queue.size
            await self._file.run(_write_at, self._stored, self._queue.views(size))
        self._queue.drop(size)
        self._stored += size


def _new_file() -> tuple[io.FileIO, None]:
    file: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `Content.close` closes it
    return file, None


def _write_at(file: io.FileIO, offset: int, pieces: Sequence[bytes | memoryview]) -> None:
    for piece in pieces:
        left = memoryview(piece)
        while left:
            written = os.pwrite(file.fileno(), left, offset)
            left, offset = left[written:], offset + written


def _mapped(file: io.FileIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _read_at(file: io.FileIO, start: int, end: int) -> bytes:
    pieces = list[bytes]()
    while start < end and (piece := os.pread(file.fileno(), end - start, start)):
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)
