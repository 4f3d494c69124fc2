"""Requests: exactly the headers that were asked for, and content that is sent piece by piece."""

import asyncio
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from .handler import Handler

PIECE: Final = 256 * 1024
"""How many bytes are handed to a connection at a time. No more than one piece is ever copied or buffered."""

_WITH_CONTENT: Final = frozenset({"PATCH", "POST", "PUT"})


class Upload(aiohttp.Payload):
    """The content of a request. aiohttp's own hands all of it to the connection at once, and warns of that.

    Arguments:
        content: the bytes, which must stay as they are until the reply.
    """

    _autoclose = True

    def __init__(self, content: bytes | memoryview) -> None:
        super().__init__(memoryview(content).cast("B"))
        self._size = len(self._value)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        await self.write(writer)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Sends the content with back pressure, or as much of it as is wanted: a refusal ends it.

        Before each piece the event loop has its turn, however fast the server takes them. So a reply, or the
        end of the connection, is seen before more is sent.
        """
        handler: Handler = writer.protocol  # type: ignore[attr-defined]
        handler.begin_content()
        for begin in range(0, len(self._value), PIECE):
            if begin:
                await _turn_of_the_loop(handler)
            if handler.is_refused:
                return
            piece = self._value[begin : begin + PIECE]
            handler.note_content(len(piece), is_last=begin + PIECE >= len(self._value))
            await writer.write(piece)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)


async def _turn_of_the_loop(handler: Handler) -> None:
    """Lets the event loop do what waits, and read what came: where sending fails, that would be lost.

    What came since its last look is read one turn later, and by TLS another.
    """
    await asyncio.sleep(0)
    if handler.has_news():
        await asyncio.sleep(0)
        await asyncio.sleep(0)


class Request(aiohttp.ClientRequest):
    """Adds no headers of its own but Host, and Content-Length where there can be content."""

    DEFAULT_HEADERS: dict[Any, Any] = {}  # noqa: RUF012  (aiohttp declares it as an instance attribute)

    def update_body_from_data(self, body: Upload | None, _stacklevel: int = 3) -> None:
        """States the exact length of the content (RFC 9110, 8.6), and nothing for a DELETE without."""
        size = 0 if body is None else body.size
        self._body = body if size else None
        if body is not None or self.method in _WITH_CONTENT:
            self.headers["Content-Length"] = str(size)
