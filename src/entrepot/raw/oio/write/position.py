"""A writer for storage that writes at offsets, such as a file."""

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
    """The calls that a service implements for `PositionWriter`.

    Content comes in any number of pieces, none of them empty. A failed or cancelled call is repeated with the
    same arguments, and overwrites the bytes that it may have written. If a call blocks a thread, which
    continues after a cancellation, later calls must wait for that thread.
    """

    async def write_at(self, offset: int, content: Sequence[bytes]) -> None:
        """Writes bytes at an offset in bytes. Several calls run at the same time, in any order, on disjoint ranges."""
        raise Unsupported("this file cannot be written by position")

    async def publish(self, offset: int, content: Sequence[bytes]) -> Metadata:
        """Writes the last bytes, perhaps none, and makes the object appear. No other call runs at the same time.

        At offset 0 it is the only call, and the content is the whole object.
        """
        raise Unsupported("this file cannot be published")

    async def abort(self) -> None:
        """Drops the written bytes. No other call runs at the same time; there may have been none before."""
        raise Unsupported("this file cannot be aborted")


class PositionWriter(StagedWriter):
    """Writes at offsets, several calls at a time. The call that publishes takes the last bytes.

    So an object that comes in one write, or fits in the buffer, is published by one call. The memory holds the calls
    in flight, the buffer and one write.

    Arguments:
        file: the calls of the service.
        buffer: the bytes to collect for a call, at least; the first write after that makes the call.
        window: runs the calls.
    """

    __slots__ = ("_buffer", "_content", "_file", "_in_flight", "_offset")

    def __init__(self, file: PositionedFile, buffer: int, window: Window[Any]) -> None:
        super().__init__()
        self._file = file
        self._buffer = buffer
        self._in_flight = PartsInFlight(window)
        self._content = ByteQueue()
        self._offset = 0

    async def _take(self, content: bytes | memoryview) -> None:
        if self._content.size >= self._buffer:
            await self._in_flight.make_room(self._content.size)
            self._send_all()
        self._content.append(content)

    def _send_all(self) -> None:
        size = self._content.size
        self._in_flight.spawn(partial(self._file.write_at, self._offset, self._content.first(size)), size)
        self._content.clear()
        self._offset += size

    async def _publish(self) -> Metadata:
        await self._in_flight.drain()
        size = self._content.size
        metadata = await self._file.publish(self._offset, self._content.first(size))
        self._content.clear()
        return with_length(metadata, self._offset + size)

    async def _discard(self) -> None:
        self._content.clear()
        await self._in_flight.close()
        await self._file.abort()
