"""The content of a response, as it arrives."""

import asyncio
from collections.abc import Awaitable, Callable

from entrepot.errors import ContentIncomplete
from entrepot.raw.http import failures
from entrepot.raw.http.transport import HttpBody
from entrepot.raw.runtime.running import is_cancelled, of_another_loop

from .errors import FOREIGN_ERRORS, translated_in_content
from .exchange import Exchange
from .stream import ContentStream


class AiohttpBody(HttpBody):
    """The body of a response.

    Arguments:
        exchange: the exchange that the response belongs to.
        ends_with_connection: whether only the end of the connection ends the content.
        note_use: called at each use of the connection.
        settle: called when the body is closed.
    """

    __slots__ = ("_ends_with_connection", "_exchange", "_is_read", "_note_use", "_settle")

    def __init__(
        self,
        exchange: Exchange,
        *,
        ends_with_connection: bool,
        note_use: Callable[[], None],
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        self._exchange = exchange
        self._note_use = note_use
        self._settle = settle
        self._ends_with_connection = ends_with_connection
        self._is_read = False

    @property
    def is_at_end(self) -> bool:
        return self._is_read or (not self._ends_with_connection and self._exchange.content.at_eof())

    async def read(self, n: int) -> bytes:
        if self._is_read or n == 0:
            return b""
        content = self._content()
        if not content.has_arrived:
            await _arrival(content)
        data = content.take(n)
        self._note_use()
        if not data:
            self._finish()
        return data

    async def readinto(self, buffer: memoryview) -> int:
        if self._is_read or not buffer:
            return 0
        content = self._content()
        if not content.has_arrived:
            await _arrival(content)
        size = content.take_into(buffer)
        self._note_use()
        if not size:
            self._finish()
        return size

    def _content(self) -> ContentStream:
        if self._exchange.is_elsewhere:
            raise of_another_loop()
        return self._exchange.content

    def _finish(self) -> None:
        if self._ends_with_connection and self._exchange.was_reset:
            raise failures.CONTENT_RESET.error()
        self._is_read = True

    async def close(self) -> None:
        """Closes without waiting. TLS is cut off, since the peer's close notification may never come.

        On another loop, the loop of the connection is scheduled to close it.
        """
        if self._exchange.is_elsewhere:
            self._exchange.abandon()
            return
        self._exchange.close()
        await self._settle()

    def __del__(self) -> None:
        """Gives up the connection of a body that was not closed."""
        self._exchange.abandon()


async def _arrival(content: ContentStream) -> None:
    """Waits for content or its end."""
    try:
        await content.wait()
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        raise ContentIncomplete("the connection was closed while the content was read") from None
    except (*FOREIGN_ERRORS, RuntimeError) as error:
        raise translated_in_content(error) from None
