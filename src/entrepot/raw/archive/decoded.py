"""`DecodedBody`: a window of the content that a compressed stream has.

Theory of operation. A decoder goes only forward. `_Flow` is one pass through the compressed bytes: the decoder, the
last decoded piece, and the position of that piece in the decoded content. The reader's position is another one, which
only returned bytes and seeks move. A verb decodes on until the position is in the piece. A position before the piece
needs another pass, from the start or from a restart point.

Restart points are copies of the decoder, which only zlib has. One is kept at each `SPACING` decoded bytes, and shared
by the readers of a member (`Restarts`). If there are too many, every second one is dropped and the spacing doubles.

An error or a cancellation while the decoder runs drops the pass, since nobody knows what the decoder has taken. The
position has not moved, so the verb can be called again. The content is bounded by the size that the archive states,
and the CRC-32 of all content is compared before its last bytes are returned, if the pass began at the start.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from entrepot.errors import Unexpected
from entrepot.raw.oio.read.api import Read, check_not_closed
from entrepot.raw.oio.read.seek import seek_target

from .codecs import Decoder
from .stored import checksum_mismatch

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

PIECE: Final = 256 * 1024
"""The most bytes that are decoded on the event loop: one or two milliseconds of zlib."""

THREADED: Final = 1024 * 1024
"""The most bytes that a call in a thread decodes, which makes a call of 0.1 milliseconds worth it."""

FED: Final = 64 * 1024
"""The most compressed bytes that a decoder takes in one step. What it does not use at once it copies at each step."""

SPACING: Final = 4 * 1024 * 1024
"""The decoded bytes between restart points, at first. A copy of the decoder takes about 50 KiB."""

MOST_RESTARTS: Final = 64

UNBOUNDED: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Restart:
    """The state of a pass between two pieces.

    Arguments:
        position: the decoded bytes so far.
        consumed: the compressed bytes so far.
        decoder: the decoder, which is copied before each use.
        crc: the CRC-32 of the decoded bytes.
    """

    position: int
    consumed: int
    decoder: Decoder
    crc: int


@dataclass(slots=True)
class Restarts:
    """The restart points of one compressed stream, in order."""

    points: list[Restart] = field(default_factory=list)
    spacing: int = SPACING

    def nearest(self, position: int) -> Restart | None:
        """The last restart point at or before a position."""
        return next((point for point in reversed(self.points) if point.position <= position), None)

    def offer(self, flow: _Flow) -> None:
        """Keeps the state of a pass, if the last restart point is far enough behind."""
        last = self.points[-1].position if self.points else 0
        if flow.end < last + self.spacing or not flow.decoder.needs_input:
            return
        decoder = flow.decoder.copy()
        if decoder is None:
            return
        if len(self.points) >= MOST_RESTARTS:
            self.points = self.points[1::2]
            self.spacing *= 2
        self.points.append(Restart(flow.end, flow.consumed, decoder, flow.crc))


class _Flow:
    """One pass through compressed bytes."""

    __slots__ = ("consumed", "crc", "decoder", "is_exhausted", "is_fresh", "pending", "piece", "raw", "start")

    def __init__(self, raw: Read, decoder: Decoder, position: int, consumed: int, crc: int) -> None:
        self.raw = raw
        self.decoder = decoder
        self.start = position
        self.piece = b""
        self.pending = memoryview(b"")
        self.consumed = consumed
        self.crc = crc
        self.is_exhausted = False
        self.is_fresh = True

    @property
    def end(self) -> int:
        """The position after the last piece."""
        return self.start + len(self.piece)

    def decode(self, limit: int) -> bytes:
        """Decodes up to a number of bytes, fewer if the compressed bytes at hand have no more."""
        piece = self._step(limit)
        if len(piece) >= limit or not self.pending:
            return piece
        pieces, missing = [piece], limit - len(piece)
        while missing and not self.decoder.is_done and (self.pending or not self.decoder.needs_input):
            pieces.append(self._step(missing))
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def _step(self, limit: int) -> bytes:
        if not self.decoder.needs_input:
            return self.decoder.decode(b"", limit)
        fed, self.pending = self.pending[:FED], self.pending[FED:]
        self.consumed += len(fed)
        return self.decoder.decode(fed, limit)


@dataclass(frozen=True, slots=True)
class Compressed:
    """A compressed stream.

    Arguments:
        open: opens a body of the compressed bytes from an offset on.
        decoder: makes its decoder.
        size: the number of decoded bytes; None if it is not stated.
        crc: their CRC-32; None if it is not stated.
        is_light: whether the decoder is fast enough for the first piece to be decoded on the event loop. Later pieces
            are decoded in threads, so that the loop is not busy for the length of a large member.
        restarts: the restart points of earlier passes.
    """

    open: Callable[[int], Awaitable[Read]]
    decoder: Callable[[], Decoder]
    size: int | None = None
    crc: int | None = None
    is_light: bool = False
    restarts: Restarts = field(default_factory=Restarts)


class DecodedBody(Read):
    """A window of the content of a compressed stream.

    Arguments:
        runtime: has the threads for decoders that take long.
        stream: the compressed stream.
        start: the start of the window in its content.
        size: the number of bytes in the window; `UNBOUNDED` if only the end of the stream bounds it.
    """

    __slots__ = ("_flow", "_is_closed", "_position", "_runtime", "_size", "_start", "_stream")

    def __init__(self, runtime: Runtime, stream: Compressed, start: int, size: int) -> None:
        self._runtime = runtime
        self._stream = stream
        self._start = start
        self._size = size
        self._position = 0
        self._flow: _Flow | None = None
        self._is_closed = False

    @property
    def decoded(self) -> int:
        """How many bytes of the content were decoded by the present pass."""
        return 0 if self._flow is None else self._flow.end

    @property
    def is_at_end(self) -> bool:
        return self._position >= self._size

    @property
    def remaining(self) -> int | None:
        return None if self._size == UNBOUNDED else max(0, self._size - self._position)

    async def read(self, n: int) -> bytes:
        check_not_closed(self._is_closed)
        n = min(n, self._size - self._position)
        if n <= 0:
            return b""
        flow = await self._at_position()
        here = self._start + self._position - flow.start
        data = flow.piece if not here and len(flow.piece) <= n else flow.piece[here : here + n]
        self._position += len(data)
        return data

    async def next(self) -> bytes | None:
        return await self.read(THREADED) or None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        check_not_closed(self._is_closed)
        self._position = seek_target(offset, whence, self._position, self._size)
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        await self._drop()

    async def _at_position(self) -> _Flow:
        """Decodes until the position is in the piece, or to the end of the stream."""
        position = self._start + self._position
        flow = self._flow
        if flow is None or position < flow.start or self._has_restart_between(flow.end, position):
            flow = await self._restart(position)
        while position >= flow.end and await self._advance(flow, position - flow.end):
            pass
        return flow

    def _has_restart_between(self, end: int, position: int) -> bool:
        nearest = self._stream.restarts.nearest(position)
        return nearest is not None and nearest.position > end + self._stream.restarts.spacing

    async def _restart(self, position: int) -> _Flow:
        await self._drop()
        point = self._stream.restarts.nearest(position)
        copied = None if point is None else point.decoder.copy()
        if point is None or copied is None:
            flow = _Flow(await self._stream.open(0), self._stream.decoder(), 0, 0, 0)
        else:
            raw = await self._stream.open(point.consumed)
            flow = _Flow(raw, copied, point.position, point.consumed, point.crc)
        self._flow = flow
        return flow

    async def _advance(self, flow: _Flow, distance: int) -> bool:
        """Takes the next piece, on the way to a position at this distance. False at the end of the stream."""
        if flow.decoder.is_done:
            return self._finish(flow)
        if flow.decoder.needs_input and not flow.pending and not flow.is_exhausted:
            data = await flow.raw.next()
            flow.pending, flow.is_exhausted = memoryview(data or b""), not data
        try:
            piece = await self._decoded(flow, distance)
            if not piece and flow.is_exhausted and flow.decoder.needs_input:
                return self._finish(flow)
            self._take(flow, piece)
        except BaseException:
            await self._drop()
            raise
        return True

    async def _decoded(self, flow: _Flow, distance: int) -> bytes:
        if self._stream.is_light and flow.is_fresh and distance < PIECE:
            return flow.decode(PIECE)
        return await self._runtime.blocking(flow.decode, THREADED)

    def _take(self, flow: _Flow, piece: bytes) -> None:
        """Makes the bytes the piece of the pass, up to the size that the archive states.

        Raises:
            ChecksumMismatch: the content is complete, and has another CRC-32.
        """
        size, end = self._stream.size, flow.end
        if size is not None:
            piece = piece[: size - end]
        crc = flow.crc if self._stream.crc is None else zlib.crc32(piece, flow.crc)
        if self._stream.crc is not None and end + len(piece) == size and crc != self._stream.crc:
            raise checksum_mismatch()
        flow.start, flow.piece, flow.crc, flow.is_fresh = end, piece, crc, False
        self._stream.restarts.offer(flow)

    def _finish(self, flow: _Flow) -> bool:
        """Returns False, the end of the stream.

        Raises:
            Unexpected: the stream ends early.
        """
        is_complete = self._size == UNBOUNDED if self._stream.size is None else flow.end == self._stream.size
        if not (is_complete and flow.decoder.may_end):
            raise Unexpected("the compressed data ends early: the archive is damaged")
        flow.start, flow.piece = flow.end, b""
        return False

    async def _drop(self) -> None:
        flow, self._flow = self._flow, None
        if flow is not None:
            await flow.raw.close()
