"""A reader over bytes that are here already, or come all at once."""

from __future__ import annotations

from collections.abc import Callable

from .read import Read
from .seek import seek_target

NEXT_SIZE = 256 * 1024


class BytesReader(Read):
    """Reads from one buffer, with every verb native.

    Arguments:
        load: gives the bytes of the range; called by the first verb that needs them, so that
            opening does nothing and an error arrives there. Bytes that are taken whole are not copied.
    """

    __slots__ = ("_buffer", "_load", "_position")

    def __init__(self, load: Callable[[], bytes | memoryview]) -> None:
        self._load = load
        self._buffer: bytes | memoryview | None = None
        self._position = 0

    def _bytes(self) -> bytes | memoryview:
        if self._buffer is None:
            self._buffer = self._load()
        return self._buffer

    async def read(self, n: int) -> bytes:
        data = bytes(self._bytes()[self._position : self._position + n])
        self._position += len(data)
        return data

    async def seek(self, offset: int, whence: int = 0) -> int:
        size = len(self._bytes()) if whence == 2 else None
        self._position = seek_target(offset, whence, self._position, size)
        return self._position

    async def next(self) -> bytes | None:
        return await self.read(NEXT_SIZE) or None
