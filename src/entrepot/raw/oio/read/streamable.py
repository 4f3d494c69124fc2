"""Adds `next` to a body that has only `read` and `seek`."""

from __future__ import annotations

from typing import Final

from .api import Read

CHUNK: Final = 4 * 1024 * 1024
"""The size of a chunk in bytes: large enough that a request to a server costs little beside the bytes it brings."""


class StreamableReader(Read):
    """Adds `next`, as one read of up to `chunk` bytes. The other verbs are the inner body's own methods.

    Arguments:
        inner: a body with `read` and `seek`.
        chunk: the most bytes of a chunk.
    """

    __slots__ = ("chunk", "close", "inner", "read", "readinto", "seek")

    def __init__(self, inner: Read, chunk: int = CHUNK) -> None:
        self.inner = inner
        self.chunk = chunk
        self.read = inner.read  # type: ignore[method-assign]
        self.readinto = inner.readinto  # type: ignore[method-assign]
        self.seek = inner.seek  # type: ignore[method-assign]
        self.close = inner.close  # type: ignore[method-assign]

    @property
    def is_at_end(self) -> bool:
        return self.inner.is_at_end

    @property
    def remaining(self) -> int | None:
        return self.inner.remaining

    async def next(self) -> bytes | None:
        return await self.inner.read(self.chunk) or None
