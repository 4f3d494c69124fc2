"""A reader over bytes that one awaited call loads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .api import Read, check_not_closed
from .bytes_reader import BytesReader


class LoadedReader(Read):
    """Loads all bytes of the range with its first verb, and has every verb natively.

    Arguments:
        load: returns the bytes of the range. The first verb calls it, and after a failure the next verb again.
    """

    __slots__ = ("_is_closed", "_load", "_loaded")

    def __init__(self, load: Callable[[], Awaitable[bytes]]) -> None:
        self._load = load
        self._loaded: BytesReader | None = None
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        return self._loaded is not None and self._loaded.is_at_end

    async def read(self, n: int) -> bytes:
        return await (await self._body()).read(n)

    async def readinto(self, buffer: memoryview) -> int:
        return await (await self._body()).readinto(buffer)

    async def seek(self, offset: int, whence: int = 0) -> int:
        return await (await self._body()).seek(offset, whence)

    async def next(self) -> bytes | None:
        return await (await self._body()).next()

    async def close(self) -> None:
        self._is_closed = True
        if self._loaded is not None:
            await self._loaded.close()

    async def _body(self) -> BytesReader:
        check_not_closed(self._is_closed)
        if self._loaded is None:
            content = await self._load()
            self._loaded = BytesReader(lambda: content)
        return self._loaded
