"""A writer for storage that takes bytes at a position, such as a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from entrepot.errors import Unsupported
from entrepot.types import Metadata

from .byte_queue import ByteQueue
from .parts_in_flight import PartsInFlight
from .staged import StagedWriter, with_length

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window


class PositionedFile:
    """What a service implements to be written by position.

    Content comes in any number of pieces, none of them empty. A call that failed or was cancelled is
    made again with the same arguments, so it writes over what it may have written. Where a call blocks a
    thread, which goes on when the call was cancelled, the calls after it wait for that thread.
    """

    async def write_at(self, offset: int, content: Sequence[bytes]) -> None:
        """Writes bytes at an offset in bytes. Several calls run at a time, in any order, on disjoint ranges."""
        raise Unsupported("this file cannot be written by position")

    async def publish(self, offset: int, content: Sequence[bytes]) -> Metadata:
        """Writes the last bytes, perhaps none, and lets the object appear. No other call runs meanwhile.

        At offset 0 it is the only call, and the content is the whole object.
        """
        raise Unsupported("this file cannot be published")

    async def abort(self) -> None:
        """Drops what was written. Called when no other call runs, also when there was none before."""
        raise Unsupported("this file cannot be aborted")


class PositionWriter(StagedWriter):
    """Writes by position, several calls at a time; what was written last goes with the call that publishes.

    So an object that comes in one write, or is no bigger than the buffer, is published by one call. No more
    than what is in flight, the buffer and one write is in memory.

    Arguments:
        file: what is written to.
        buffer: how many bytes are collected, at least, for a call; the write that comes then makes it.
        window: where the calls run.
    """

    __slots__ = ("_buffer", "_content", "_file", "_offset", "_sending")

    def __init__(self, file: PositionedFile, buffer: int, window: Window[Any]) -> None:
        super().__init__()
        self._file = file
        self._buffer = buffer
        self._sending = PartsInFlight(window)
        self._content = ByteQueue()
        self._offset = 0

    async def _take(self, content: bytes | memoryview) -> None:
        if self._content.size >= self._buffer:
            await self._sending.make_room(self._content.size)
            self._send_all()
        self._content.append(content)

    def _send_all(self) -> None:
        size = self._content.size
        self._sending.spawn(partial(self._file.write_at, self._offset, self._content.first(size)), size)
        self._content.clear()
        self._offset += size

    async def _publish(self) -> Metadata:
        await self._sending.drain()
        size = self._content.size
        metadata = await self._file.publish(self._offset, self._content.first(size))
        self._content.clear()
        return with_length(metadata, self._offset + size)

    async def _discard(self) -> None:
        self._content.clear()
        await self._sending.close()
        await self._file.abort()
