"""Connected sockets, by the first address that answers (RFC 8305).

Theory of operation. Addresses are tried one after the other, of the two families in turn. An attempt that has not
answered after `DELAY` is joined by the next one, and the first that connects wins; the others are cancelled. uvloop's
`create_connection` has no such option, so both loops connect here.
"""

import asyncio
import socket
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Final

from .names import SocketAddress

DELAY: Final = 0.25
"""Seconds until the next address is tried as well (RFC 8305, 8)."""


async def connected_socket(loop: asyncio.AbstractEventLoop, addresses: Sequence[SocketAddress]) -> socket.socket:
    """Connects to the first address that answers.

    Raises:
        OSError: none does. It is the error of the first one.
    """
    if len(addresses) == 1:
        return await _connect(loop, addresses[0])
    attempts: list[asyncio.Task[socket.socket]] = []
    try:
        for address in interleaved(addresses):
            attempts.append(loop.create_task(_connect(loop, address)))
            if (winner := await _first(attempts, DELAY)) is not None:
                return winner
        while any(not attempt.done() for attempt in attempts):
            if (winner := await _first(attempts, None)) is not None:
                return winner
        raise attempts[0].exception() or OSError("no address answers")
    finally:
        _cancel(attempts)


async def _first(attempts: "list[asyncio.Task[socket.socket]]", wait: float | None) -> socket.socket | None:
    """The socket of an attempt that succeeds in time. It is removed from the attempts. A failure ends the wait."""
    pending = {attempt for attempt in attempts if not attempt.done()}
    if pending:
        await asyncio.wait(pending, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
    for attempt in attempts:
        if attempt.done() and not attempt.cancelled() and attempt.exception() is None:
            attempts.remove(attempt)
            return attempt.result()
    return None


def _cancel(attempts: "list[asyncio.Task[socket.socket]]") -> None:
    """Ends the attempts that are left, and closes what they connected."""
    for attempt in attempts:
        attempt.cancel()
    for attempt in attempts:
        attempt.add_done_callback(_close)


def _close(attempt: "asyncio.Task[socket.socket]") -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


def interleaved(addresses: Sequence[SocketAddress]) -> list[SocketAddress]:
    """The addresses with those of the two families in turn, the family of the first one first."""
    first = [address for address in addresses if address.family == addresses[0].family]
    others = [address for address in addresses if address.family != addresses[0].family]
    pairs = chain.from_iterable(zip_longest(first, others))
    return [address for address in pairs if address is not None]


async def _connect(loop: asyncio.AbstractEventLoop, address: SocketAddress) -> socket.socket:
    connection = socket.socket(address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(connection, address.target)
    except BaseException:
        connection.close()
        raise
    return connection
