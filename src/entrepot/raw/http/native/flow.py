"""Content that flows: the event loop receives it into memory of its own, which becomes the pieces without a copy.

A connection receives into the scratch buffer of its pool, out of which content is copied. For a protocol that has no
buffer asyncio allocates 256 KiB for each receive and cuts off what was not needed, in place. That takes a fifth less
CPU than the copy while receives are full, and ten times as much as the copy of a few KB. So a connection changes its
protocol when a receive was full and as much is certain to follow, and changes it back when one is short.

Other loops gain nothing: uvloop copies out of a buffer of its own. Nor does TLS, which hands out a record at a time.
"""

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .connection import Connection

FULL: Final = 256 * 1024
"""How many bytes a receive must have for content to flow: as many as asyncio receives at once then."""


def is_worthwhile(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop receives without a copy."""
    return isinstance(loop, asyncio.SelectorEventLoop)


class Flow(asyncio.Protocol):
    """What the event loop calls in place of a connection while its content flows.

    Arguments:
        connection: the connection.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def data_received(self, data: bytes) -> None:
        self._connection.receive_piece(data)

    def eof_received(self) -> None:
        self._connection.eof_received()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connection.connection_lost(exc)
