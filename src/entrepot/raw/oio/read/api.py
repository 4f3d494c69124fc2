"""The body of a read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

from entrepot.errors import InvalidInput, Unsupported

WHOLE: Final = 1 << 62
"""More than any object holds: `read(WHOLE)` takes as much at once as the body can give."""

LARGE: Final = 32 * 1024 * 1024
"""How many bytes are joined at most. Allocators move what is larger without a copy when it grows."""


class Read:
    """What a service gives to be read, positioned at the start of the range that was asked for.

    A service implements `read` and `close`, and of `seek` and `next` what is native to it, and says
    so in its capability (`read_can_seek`, `read_can_next`); `CompleteLayer` supplies the rest.

    Creating a body does no I/O: the first verb does, and `NotFound` arrives there. The position moves
    only after bytes were handed over, so after a temporary error, a timeout or a cancellation the
    same verb goes on at the same position. One task uses a body at a time.
    """

    __slots__ = ()

    @property
    def is_at_end(self) -> bool:
        """Whether the body knows, without asking, that nothing is left and that all it promised has come.

        False says nothing: the next verb will tell.
        """
        return False

    async def read(self, n: int) -> bytes:
        """Up to `n` bytes from the position on; `b""` is the end (or `n` is 0)."""
        raise Unsupported("this body cannot read")

    async def seek(self, offset: int, whence: int = 0) -> int:
        """Moves the position, relative to the range's start (0), itself (1) or the range's end (2).

        Returns the new position. Right of the range is allowed and reads empty.

        Raises:
            InvalidInput: the position would lie left of the range; it stays where it was.
        """
        raise Unsupported("this body cannot seek")

    async def next(self) -> bytes | None:
        """The next chunk as the storage has it, never empty; None is the end."""
        raise Unsupported("this body has no chunks of its own")

    async def close(self) -> None:
        """Gives back what the body holds. Closing twice is closing once."""


def check_not_closed(is_closed: bool) -> None:
    """Refuses the use of a body after it was closed.

    Raises:
        InvalidInput: it was closed.
    """
    if is_closed:
        raise InvalidInput("the body is closed")


class Joiner:
    """Bytes that come in pieces and are wanted in one. What comes in one piece is not copied.

    To join pieces needs memory for them and for the whole. So much of them is copied as they come, into a buffer
    that grows where it is. That is for large ones only: the system moves their memory, where less is copied anew.
    """

    __slots__ = ("_buffer", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._buffer: io.BytesIO | None = None

    def add(self, piece: bytes) -> None:
        """Puts bytes at the end."""
        if self._buffer is not None:
            self._buffer.write(piece)
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > LARGE and len(self._pieces) > 1:
            self._buffer = io.BytesIO()
            self._buffer.writelines(self._pieces)
            self._pieces.clear()

    def whole(self) -> bytes:
        """All of them."""
        if self._buffer is not None:
            return self._buffer.getvalue()
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


async def read_to_end(body: Read) -> bytes:
    """All that a body still gives, without a copy where it comes in one piece."""
    gathered = Joiner()
    await pass_on(body, gathered.add)
    return gathered.whole()


async def pass_on(body: Read, take: Callable[[bytes], object]) -> int:
    """Gives all that a body still gives to a function, piece by piece. Returns how many bytes it was."""
    size = 0
    while piece := await body.read(WHOLE):
        take(piece)
        size += len(piece)
        if body.is_at_end:
            break
    return size
