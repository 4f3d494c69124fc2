"""The content of a request, which is sent piece by piece.

Theory of operation. The head and the first piece are sent by the task of the request. The other pieces are sent by a
task of their own, so that the task of the request can wait for the response at the same time: a server may refuse the
content before it has all of it. Before each piece the sender waits until the connection accepts more, and gives the
event loop a turn, so that a response or the end of the connection is seen before more is sent. A response that is not a
success ends the sending. An error of the sender is stored in the handler, where the task of the request finds it;
the exchange cancels the sender when it ends.
"""

import asyncio
from collections.abc import Iterator, Sequence

import aiohttp

from entrepot.raw.http.wire.pieces import cut

from .handler import Handler


def send_first(handler: Handler, head: bytes, content: Sequence[bytes | memoryview]) -> "asyncio.Task[None] | None":
    """Sends the head with the first piece of the content, and starts a task for the rest.

    The task also waits until the connection has accepted enough of it. None if there is nothing to wait for.

    Raises:
        aiohttp.ClientConnectionResetError: the connection is closed.
    """
    pieces = cut(content)
    first = next(pieces, b"")
    left = sum(memoryview(piece).nbytes for piece in content) - len(first)
    handler.note_content(len(first), is_last=not left)
    handler.send(b"".join((head, first)))
    handler.start_timeout()
    if not left and not handler.writing_paused:
        return None
    return asyncio.get_running_loop().create_task(_send_rest(handler, pieces, left))


async def _send_rest(handler: Handler, pieces: Iterator[bytes | memoryview], left: int) -> None:
    """Sends the rest, and stores an error in the handler, where the task of the request finds it."""
    try:
        await send_rest(handler, pieces, left)
    except (OSError, RuntimeError) as error:  # uvloop raises the latter of a connection that is closed
        handler.set_exception(aiohttp.ClientOSError(*error.args), error)


async def send_rest(handler: Handler, pieces: Iterator[bytes | memoryview], left: int) -> None:
    """Sends the other pieces, with back pressure, until a refusal ends it.

    Before each piece the event loop has a turn, however fast the server accepts them, so that a response, or the end of
    the connection, is seen before more is sent.

    Arguments:
        handler: the connection.
        pieces: the pieces.
        left: how many bytes they have in total.
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
    """Gives the event loop a turn, and lets it read received bytes: they would be lost if sending fails.

    Bytes that arrived since the loop last polled are read one turn later, and with TLS after another.
    """
    await asyncio.sleep(0)
    if handler.has_news():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
