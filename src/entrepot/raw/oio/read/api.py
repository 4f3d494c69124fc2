"""`Read`, the body of a read, and helpers that read a body to its end."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

from entrepot.errors import ContentTruncated, InvalidInput, Unsupported
from entrepot.raw.overrides import keep_override

from .final_buffer import FinalBuffer

WHOLE: Final = 1 << 62
"""More than the size of any object: `read(WHOLE)` returns as much as the body has ready."""

LARGE: Final = 32 * 1024 * 1024
"""The most bytes that are joined in a list. Allocators grow a larger buffer without a copy, by moving its pages."""


DIRECT: Final = 256 * 1024
"""From this many promised bytes on, they are received where they stay. Fewer are joined at less cost."""

RESERVED: Final = 1024 * 1024 * 1024
"""The most bytes of memory that are reserved because a storage states a length. More grows as content arrives."""


class Read:
    """The body of a read, positioned at the start of the requested range.

    A service implements `read` and `close`, and `seek` and `next` if they are native to it, which it declares
    in its capability (`read_can_seek`, `read_can_next`); `CompleteLayer` supplies the rest. `readinto` has a default
    that copies the result of `read`; a body that can receive into a buffer overrides it. A subclass that overrides
    `read` alone has this default again, whatever its base has, so its `read` is never bypassed.

    Creating a body does no I/O: the first verb does, and `NotFound` is raised there. The position moves
    only after bytes were returned, so after a temporary error, a timeout or a cancellation the
    same verb continues at the same position. One task uses a body at a time.
    """

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        keep_override(cls, "read", "readinto", Read.readinto)

    @property
    def is_at_end(self) -> bool:
        """Whether the body knows, without I/O, that it has returned all of the promised bytes.

        False means unknown: the next verb finds out.
        """
        return False

    @property
    def remaining(self) -> int | None:
        """How many bytes are promised from the position on, as far as the body knows without I/O; None if unknown.

        A caller that reads many bytes then reserves memory for them and calls `readinto`. So a body whose `read`
        returns all of them in one piece leaves this at None. The storage may break the promise.
        """
        return None

    async def read(self, n: int) -> bytes:
        """Returns up to `n` bytes at the position; `b""` at the end (or if `n` is 0)."""
        raise Unsupported("this body cannot read")

    async def readinto(self, buffer: memoryview) -> int:
        """Reads up to `len(buffer)` bytes into the buffer, as `read` would return them; 0 at the end.

        When it returns or raises, nothing writes to the buffer any more. If it raises, the position has not moved, but
        the buffer may have changed. Layers see this call as `reader.read`.

        Arguments:
            buffer: writable, of one dimension, with items of the format "B".
        """
        data = await self.read(len(buffer))
        if len(data) > len(buffer):
            raise ContentTruncated(f"the body returned {len(data)} bytes, {len(buffer)} were requested")
        buffer[: len(data)] = data
        return len(data)

    async def seek(self, offset: int, whence: int = 0) -> int:
        """Moves the position, relative to the range's start (0), the position (1) or the range's end (2).

        Returns the new position. A position past the range is allowed and reads empty.

        Raises:
            InvalidInput: the position would be before the range; it does not move.
        """
        raise Unsupported("this body cannot seek")

    async def next(self) -> bytes | None:
        """Returns the next chunk in the size that suits the storage, never empty; None at the end."""
        raise Unsupported("this body has no chunks of its own")

    async def close(self) -> None:
        """Releases the body's resources. A second call does nothing."""


def check_not_closed(is_closed: bool) -> None:
    """Refuses the use of a body after it was closed.

    Raises:
        InvalidInput: the body was closed.
    """
    if is_closed:
        raise InvalidInput("the body is closed")


class Joiner:
    """Joins pieces into one `bytes`. A single piece is returned without a copy.

    `b"".join` needs memory for the pieces and for the result, twice the size. So above `LARGE` the pieces are copied
    as they come, into one growing buffer. Below, the list is faster: a small buffer is copied each time it grows.
    """

    __slots__ = ("_buffer", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._buffer: io.BytesIO | None = None

    def add(self, piece: bytes) -> None:
        """Appends bytes."""
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
        """Returns all bytes."""
        if self._buffer is not None:
            return self._buffer.getvalue()
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


async def read_to_end(body: Read) -> bytes:
    """Reads a body to its end, as `read_up_to` does."""
    return await read_up_to(body, WHOLE)


async def read_up_to(body: Read, n: int) -> bytes:
    """Reads `n` bytes, fewer only at the end.

    What comes in one piece is not copied. What the body promises is received where it stays; a body that was not read
    yet promises nothing before its first piece.
    """
    first = b""
    if not in_place(body, n):
        first = await body.read(n)
        if not first or len(first) >= n or body.is_at_end:
            return first
    missing = n - len(first)
    promised = in_place(body, missing)
    if promised:
        return await _read_in_place(body, first, missing, promised)
    joiner = Joiner()
    joiner.add(first)
    await pass_on(body, joiner.add, _rest(n, len(first)))
    return joiner.whole()


def in_place(body: Read, missing: int) -> int:
    """How many of the missing bytes are worth a `FinalBuffer`: those that the body promises, unless they are few.

    It is not more than `RESERVED`, whatever the storage states.
    """
    promised = min(missing, body.remaining or 0, RESERVED)
    return promised if promised >= DIRECT else 0


async def _read_in_place(body: Read, first: bytes, missing: int, promised: int) -> bytes:
    start = len(first)
    content = FinalBuffer(start + promised)
    with content.view() as view:
        view[:start] = first
        filled = await fill(body, view[start:])
    if filled < promised:
        return content.taken(start + filled)
    if missing > promised and not body.is_at_end:
        await pass_on(body, content.append, _rest(missing, promised))
    return content.taken()


async def fill(body: Read, buffer: memoryview) -> int:
    """Reads into a buffer until it is full, or to the end. Returns the number of bytes."""
    filled = 0
    while filled < len(buffer) and (size := await body.readinto(buffer[filled:])):
        filled += size
        if body.is_at_end:
            break
    return filled


async def pass_on(body: Read, take: Callable[[bytes], object], n: int = WHOLE) -> int:
    """Reads `n` bytes, fewer only at the end, and calls `take` with each piece. Returns the number of bytes."""
    size = 0
    while size < n and (piece := await body.read(_rest(n, size))):
        take(piece)
        size += len(piece)
        if body.is_at_end:
            break
    return size


def _rest(n: int, done: int) -> int:
    """What is left of `n` bytes. All stays all: bodies that request by demand look for `WHOLE`."""
    return n if n >= WHOLE else n - done
