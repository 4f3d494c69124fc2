"""Gives `next` to a body that can only be read."""

from __future__ import annotations

from typing import Final

from .read import Read

CHUNK: Final = 1024 * 1024
"""How many bytes a chunk has: a hop to another thread then costs little beside the bytes that it brings."""


class StreamableReader(Read):
    """Adds `next`: one read of up to `CHUNK` bytes. The other verbs are the inner body's own.

    Arguments:
        inner: a body with `read` and `seek`.
    """

    __slots__ = ("close", "inner", "read", "seek")

    def __init__(self, inner: Read) -> None:
        self.inner = inner
        self.read = inner.read  # type: ignore[method-assign]
        self.seek = inner.seek  # type: ignore[method-assign]
        self.close = inner.close  # type: ignore[method-assign]

    async def next(self) -> bytes | None:
        return await self.inner.read(CHUNK) or None
