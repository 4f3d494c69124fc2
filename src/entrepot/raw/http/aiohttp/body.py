"""The content of a reply, as it arrives."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from entrepot.errors import ContentIncomplete
from entrepot.raw.http.transport import HttpBody

from .connection import Response
from .errors import FOREIGN_ERRORS, is_cancelled, translated_in_content

BUFFER: Final = 256 * 1024
"""How many bytes of content may wait to be read before the server is held back (twice that at most)."""


class AiohttpBody(HttpBody):
    """The body of a response.

    Arguments:
        response: the response.
        has_length: whether its head tells how long the content is.
        note_use: called whenever something is done with the connection.
        release: called when the body is closed.
    """

    __slots__ = ("_ends_with_connection", "_is_read", "_note_use", "_release", "_response")

    def __init__(
        self,
        response: Response,
        *,
        has_length: bool,
        note_use: Callable[[], None],
        release: Callable[[Response], Awaitable[None]],
    ) -> None:
        self._response = response
        self._note_use = note_use
        self._release = release
        self._ends_with_connection = not has_length
        self._is_read = False

    async def read(self, n: int) -> bytes:
        if self._is_read or n == 0:
            return b""
        try:
            data = await self._arrived(n)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise ContentIncomplete("the connection was closed while the content was read") from None
        except (*FOREIGN_ERRORS, RuntimeError) as error:
            raise translated_in_content(error) from None
        self._note_use()
        if not data:
            self._finish()
        return data

    async def _arrived(self, n: int) -> bytes:
        """What has arrived, once anything has.

        A large `n` is not passed on: aiohttp would buffer that much.
        """
        content = self._response.content
        return await (content.readany() if n >= 4 * BUFFER else content.read(min(n, BUFFER)))

    def _finish(self) -> None:
        if self._ends_with_connection and self._response.handler.was_reset:
            raise ContentIncomplete("the connection broke, and only its end would have ended the content")
        self._is_read = True

    async def close(self) -> None:
        """Closes without waiting; TLS is cut off, since the peer's good-bye may never come."""
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()
        await self._release(self._response)
