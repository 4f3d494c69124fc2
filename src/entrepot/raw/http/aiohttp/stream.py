"""The content of one response: pieces in the order of their arrival, until the end or an error.

Theory of operation. The protocol feeds pieces, the end, or an error; one task takes the pieces, whole or into a buffer,
and waits when there are none. Receiving is paused while more than twice `BUFFER` bytes wait, and resumed when less than
`BUFFER` does. After an error the pieces that wait are not handed out. A stream belongs to its response: it is never
used for another one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

BUFFER: Final = 256 * 1024
"""How many bytes of content may wait to be read before receiving is paused (at most twice that)."""


class Receiver(Protocol):
    """The protocol of the connection that the content comes from."""

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        ...

    def pause_reading(self) -> None:
        """Pauses receiving."""

    def resume_reading(self) -> None:
        """Resumes receiving, if it was paused."""


class ContentStream:
    """The content of a response, as it arrives.

    Arguments:
        receiver: the protocol that feeds it.
        loop: the event loop of the connection.
    """

    __slots__ = ("_at", "_error", "_is_complete", "_loop", "_on_eof", "_pieces", "_receiver", "_size", "_waiter")

    def __init__(self, receiver: Receiver, loop: asyncio.AbstractEventLoop) -> None:
        self._receiver = receiver
        self._loop = loop
        self._pieces: deque[bytes] = deque()
        self._at = 0
        self._size = 0
        self._is_complete = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._on_eof: Callable[[], None] | None = None

    def feed_data(self, piece: bytes) -> None:
        """Adds a piece. An empty one is ignored."""
        if not piece:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        self._wake()
        if self._size > 2 * BUFFER:
            self._receiver.pause_reading()

    def feed_eof(self) -> None:
        """Ends the content."""
        self._is_complete = True
        self._wake()
        self._receiver.resume_reading()
        if self._on_eof is not None:
            call, self._on_eof = self._on_eof, None
            call()

    def set_exception(self, error: BaseException) -> None:
        """Ends the content with an error, which every later call raises."""
        self._error = error
        self._on_eof = None
        self._wake()

    def exception(self) -> BaseException | None:
        """The error that ended the content."""
        return self._error

    def is_eof(self) -> bool:
        """Whether all of the content has arrived."""
        return self._is_complete

    def at_eof(self) -> bool:
        """Whether all of the content was taken."""
        return self._is_complete and not self._pieces

    def on_eof(self, call: Callable[[], None]) -> None:
        """Makes a call when all of the content has arrived, or now."""
        if self._is_complete:
            call()
        else:
            self._on_eof = call

    @property
    def has_arrived(self) -> bool:
        """Whether there is a piece or the end, so that `wait` would return at once."""
        return self._error is None and (bool(self._pieces) or self._is_complete)

    async def wait(self) -> None:
        """Waits until there is a piece or the end.

        Raises:
            BaseException: the error that ended the content.
            RuntimeError: the connection is closed.
        """
        if self._error is None and not self.has_arrived:
            if not self._receiver.connected:
                raise RuntimeError("the connection is closed")
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._error is not None:
            raise self._error

    def take(self, n: int) -> bytes:
        """Returns up to `n` bytes of what has arrived; of several pieces only as many as are complete within `n`."""
        if not self._pieces:
            return b""
        piece, at = self._pieces[0], self._at
        if len(piece) - at > n:
            self._at += n
            self._size -= n
            return piece[at : at + n]
        taken = [piece[at:] if at else piece]
        self._drop_first(len(taken[0]))
        size = len(taken[0])
        while self._pieces and size + len(self._pieces[0]) <= n:
            taken.append(self._pieces[0])
            size += len(taken[-1])
            self._drop_first(len(taken[-1]))
        self._resume()
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def take_into(self, buffer: memoryview) -> int:
        """Copies as much of what has arrived as the buffer holds. Returns the number of bytes."""
        filled, room = 0, len(buffer)
        while self._pieces and filled < room:
            piece, at = self._pieces[0], self._at
            size = min(len(piece) - at, room - filled)
            buffer[filled : filled + size] = memoryview(piece)[at : at + size]
            filled += size
            if at + size == len(piece):
                self._drop_first(size)
            else:
                self._at += size
                self._size -= size
        self._resume()
        return filled

    def _drop_first(self, size: int) -> None:
        self._pieces.popleft()
        self._at = 0
        self._size -= size

    def _resume(self) -> None:
        if self._size < BUFFER:
            self._receiver.resume_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
