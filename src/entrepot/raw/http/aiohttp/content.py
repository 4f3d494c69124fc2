"""The content of a request, which is sent piece by piece."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import aiohttp

from .handler import Handler

PIECE: Final = 256 * 1024
"""How many bytes are handed to a connection at a time. No more than one piece is ever copied or buffered."""


def send_first(handler: Handler, head: bytes, content: Sequence[bytes | memoryview]) -> "asyncio.Task[None] | None":
    """Sends the head with the first piece of the content, and what is left in a task of its own.

    That waits too until the connection has taken enough of it.

    Raises:
        aiohttp.ClientConnectionResetError: the connection is closed.
    """
    pieces = cut(content)
    first = next(pieces, b"")
    left = sum(memoryview(one).nbytes for one in content) - len(first)
    handler.note_content(len(first), is_last=not left)
    handler.send(b"".join((head, first)))
    handler.start_timeout()
    if not left and not handler.writing_paused:
        return None
    return asyncio.get_running_loop().create_task(_send_rest(handler, pieces, left))


def cut(content: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The content in pieces of `PIECE` bytes. Only those that lie in several of its own are copied."""
    gathered, size = list[memoryview](), 0
    for one in content:
        view = memoryview(one).cast("B")
        while view:
            gathered.append(view[: PIECE - size])
            size, view = size + len(gathered[-1]), view[len(gathered[-1]) :]
            if size == PIECE:
                yield _joined(gathered)
                gathered, size = [], 0
    if gathered:
        yield _joined(gathered)


def _joined(views: list[memoryview]) -> bytes | memoryview:
    return views[0] if len(views) == 1 else b"".join(views)


async def _send_rest(handler: Handler, pieces: Iterator[bytes | memoryview], left: int) -> None:
    """Hands what goes wrong to whoever waits for the reply."""
    try:
        await send_rest(handler, pieces, left)
    except (OSError, RuntimeError) as error:  # uvloop raises the latter of a connection that is closed
        handler.set_exception(aiohttp.ClientOSError(*error.args), error)


async def send_rest(handler: Handler, pieces: Iterator[bytes | memoryview], left: int) -> None:
    """Sends the other pieces, with back pressure, or as much as is wanted: a refusal ends it.

    Before each piece the event loop has its turn, however fast the server takes them. So a reply, or the
    end of the connection, is seen before more is sent.

    Arguments:
        handler: the connection.
        pieces: the pieces.
        left: how many bytes they have.
    """
    for piece in pieces:
        await handler.drain()
        await _turn_of_the_loop(handler)
        if handler.is_refused:
            return
        left -= len(piece)
        handler.note_content(len(piece), is_last=not left)
        handler.send(piece)
    await handler.drain()
    handler.start_timeout()


async def _turn_of_the_loop(handler: Handler) -> None:
    """Lets the event loop do what waits, and read what came: where sending fails, that would be lost.

    What came since its last look is read one turn later, and by TLS another.
    """
    await asyncio.sleep(0)
    if handler.has_news():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
