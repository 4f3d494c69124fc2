"""The content of a request, which is sent piece by piece.

Theory of operation. The head and the first piece are sent by the task of the request. The other pieces are sent by a
task of their own, so that the task of the request can wait for the response at the same time: a server may refuse the
content before it has all of it. Before each piece the sender waits until the connection accepts more, and gives the
event loop a turn, so that a response or the end of the connection is seen before more is sent. A response that is not a
success ends the sending. An error of the sender ends the connection, and so the exchange, where the task of the request
finds it. That task cancels the sender when it no longer waits for it.

Content of more than one piece goes past the transport of the event loop where that saves copies (`direct`). The head is
still written to the transport, with the start of the content: some servers store an empty object if a connection ends
after the head. Nothing else is sent by the transport until the sender has ended.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from entrepot.raw.http import failures
from entrepot.raw.http.wire.pieces import PIECE, cut

from .connection import Connection
from .direct import Direct, batches, divided, without_first
from .stream import ResponseStream

_WITH_HEAD: Final = 8 * 1024
"""How many bytes go with the head before the rest is sent directly: as many as any socket takes at once."""


def start(
    connection: Connection,
    stream: ResponseStream,
    head: bytes,
    content: Sequence[bytes | memoryview],
    idle_timeout: float | None,
) -> "asyncio.Task[None] | None":
    """Sends the head with the first piece of the content, and starts a task for the rest.

    The task also waits until the connection has accepted enough of it. None if there is nothing to wait for.
    """
    left = sum(memoryview(piece).nbytes for piece in content)
    if left > PIECE and connection.outgoing.can_send_directly:
        beginning, rest = divided(content, _WITH_HEAD)
        left -= len(beginning)
        _note_left(stream, left)
        connection.start(stream, head + beginning, content=len(beginning), idle_timeout=idle_timeout)
        stream.is_uploading = True
        if connection.outgoing.can_send_directly:  # the system took all of it
            return stream.loop.create_task(_send_directly(connection, stream, rest, left))
        return stream.loop.create_task(_send_rest(connection, stream, cut(rest), left))
    pieces = cut(content)
    first = next(pieces, b"")
    left -= len(first)
    _note_left(stream, left)
    connection.start(stream, b"".join((head, first)), content=len(first), idle_timeout=idle_timeout)
    if not left and not connection.outgoing.is_paused:
        return None
    stream.is_uploading = True
    return stream.loop.create_task(_send_rest(connection, stream, pieces, left))


def _note_left(stream: ResponseStream, left: int) -> None:
    stream.is_sending = bool(left)
    if not left:
        stream.request_sent()


async def _send_rest(
    connection: Connection, stream: ResponseStream, pieces: Iterator[bytes | memoryview], left: int
) -> None:
    """Sends the rest. An error ends the connection, which may first find a response that has arrived."""
    try:
        await send_rest(connection, stream, pieces, left)
    except (OSError, RuntimeError):  # uvloop raises the latter of a connection that is closed
        connection.cut_off()


async def send_rest(
    connection: Connection, stream: ResponseStream, pieces: Iterator[bytes | memoryview], left: int
) -> None:
    """Sends the other pieces, with back pressure, until a refusal ends it.

    Before each piece the event loop has a turn, however fast the server accepts them, so that a response, or the end of
    the connection, is seen before more is sent.

    Arguments:
        connection: the connection.
        stream: the exchange.
        pieces: the pieces.
        left: how many bytes they have in total.
    """
    for piece in pieces:
        await connection.outgoing.drain()
        await _turn_of_the_loop(connection)
        if stream.is_refused:
            return
        left -= len(piece)
        _note_left(stream, left)
        connection.outgoing.write(piece)
    await connection.outgoing.drain()
    connection.note_accepted()


async def _send_directly(
    connection: Connection, stream: ResponseStream, content: Sequence[bytes | memoryview], left: int
) -> None:
    """Sends content to the socket itself. An error ends the connection, as an error of the event loop does."""
    try:
        with connection.outgoing.direct_socket() as direct:
            await send_directly(connection, stream, direct, content, left)
    except OSError as error:
        connection.fail_sending(error)


async def send_directly(
    connection: Connection,
    stream: ResponseStream,
    direct: Direct,
    content: Sequence[bytes | memoryview],
    left: int,
) -> None:
    """Sends content as far as the system takes it at a time, until a refusal ends it.

    Before each batch the event loop has a turn, as in `send_rest`.

    Arguments:
        connection: the connection.
        stream: the exchange.
        direct: the socket.
        content: the content.
        left: how many bytes it has.
    """
    for whole in batches(content):
        batch = whole
        await _turn_of_the_loop(connection)
        while batch:
            if stream.is_refused:
                return
            sent = connection.outgoing.send(direct, batch)
            left -= sent
            _note_left(stream, left)
            batch = without_first(batch, sent)
            if batch:
                await connection.outgoing.writable(direct)
    connection.note_accepted()


async def _turn_of_the_loop(connection: Connection) -> None:
    """Gives the event loop a turn, and lets it read received bytes: they would be lost if sending fails.

    Bytes that arrived since the loop last polled are read one turn later, and with TLS after another.
    """
    await asyncio.sleep(0)
    if connection.has_news():
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def accepted(stream: ResponseStream, sender: "asyncio.Task[None]", patience: float | None) -> None:
    """Waits until the content is sent or refused.

    Arguments:
        stream: the exchange.
        sender: the task that sends.
        patience: for how many seconds the server may take to accept the rest once it has reported success; None is
            without limit.

    Raises:
        Unexpected: the server reported success, but did not accept the rest of the content.
    """
    while stream.head is None and stream.failure is None and not sender.done():
        await asyncio.wait({sender, stream.news()}, return_when=asyncio.FIRST_COMPLETED)
        stream.wake()
    if sender.done():
        sender.result()  # it handles errors of the system: any other one must not end as a wait for the response
    if stream.head is None or stream.is_refused or stream.failure is not None:
        return
    await asyncio.wait({sender}, timeout=patience)
    if stream.is_sending:
        raise failures.SUCCESS_TOO_EARLY.error()
