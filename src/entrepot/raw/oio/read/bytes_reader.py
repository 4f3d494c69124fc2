"""A reader over bytes in memory, or bytes that one call loads."""

from __future__ import annotations

from collections.abc import Callable

from entrepot.errors import InvalidInput

from .api import Read
from .seek import seek_target

NEXT_SIZE = 256 * 1024


class BytesReader(Read):
    """Reads from one buffer, with every verb native.

    Arguments:
        load: returns the bytes of the range. The first verb that needs them calls it, so that
            opening does nothing and errors are raised there. A read of all bytes does not copy them.
    """

    __slots__ = ("_buffer", "_is_closed", "_load", "_position")

    def __init__(self, load: Callable[[], bytes | memoryview]) -> None:
        self._load = load
        self._buffer: bytes | memoryview | None = None
        self._position = 0
        self._is_closed = False

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidInput("the reader is closed")

    def _bytes(self) -> bytes | memoryview:
        """The buffer, which a closed reader does not have."""
        self._check_open()
        if self._buffer is None:
            self._buffer = self._load()
        return self._buffer

    def _take(self, n: int) -> bytes:
        buffer = self._bytes() if self._buffer is None else self._buffer
        data = bytes(buffer[self._position : self._position + n])
        self._position += len(data)
        return data

    @property
    def is_at_end(self) -> bool:
        return self._buffer is not None and self._position >= len(self._buffer)

    async def read(self, n: int) -> bytes:
        return self._take(n)

    async def readinto(self, buffer: memoryview) -> int:
        data = memoryview(self._bytes())[self._position : self._position + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    async def seek(self, offset: int, whence: int = 0) -> int:
        self._check_open()
        size = len(self._bytes()) if whence == 2 else None
        self._position = seek_target(offset, whence, self._position, size)
        return self._position

    async def next(self) -> bytes | None:
        return self._take(NEXT_SIZE) or None

    async def close(self) -> None:
        self._is_closed = True
        self._buffer = None
