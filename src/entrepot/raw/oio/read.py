"""The body of a read."""

from __future__ import annotations

from typing import Final

from entrepot.errors import InvalidInput, Unsupported

WHOLE: Final = 1 << 62
"""More than any object holds: `read(WHOLE)` takes as much at once as the body can give."""


class Read:
    """What a service gives to be read, positioned at the start of the range that was asked for.

    A service implements `read` and `close`, and of `seek` and `next` what is native to it, and says
    so in its capability (`read_can_seek`, `read_can_next`); `CompleteLayer` supplies the rest.

    Creating a body does no I/O: the first verb does, and `NotFound` arrives there. The position moves
    only after bytes were handed over, so after a temporary error, a timeout or a cancellation the
    same verb goes on at the same position. One task uses a body at a time.
    """

    __slots__ = ()

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


async def read_to_end(body: Read) -> bytes:
    """All that a body still gives, without a copy where it comes in one piece."""
    first = await body.read(WHOLE)
    second = await body.read(WHOLE) if first else b""
    if not second:
        return first
    parts = [first, second]
    while part := await body.read(WHOLE):
        parts.append(part)
    return b"".join(parts)
