"""One request on a connection, and its response."""

import asyncio
from collections.abc import Sequence

import aiohttp
from aiohttp.client_reqrep import ConnectionKey

from entrepot.raw.http.wire.response_head import NotHttp, ResponseHead

from .connection import Connector
from .content import send_first
from .errors import SuccessTooEarly
from .handler import Handler
from .stream import ContentStream


class KeptConnectionLost(aiohttp.ClientOSError):
    """A kept connection ended without a response to this request, after it had served others."""


class Exchange:
    """Holds a connection until the response has ended or is given up.

    Arguments:
        connector: the connection is given back to it.
        key: the key that it keeps the connection under.
        handler: the connection.

    Attributes:
        content: the content of the response, once there is one.
        handler: the connection.
        was_reset: whether the connection broke before the content ended, or ended it by breaking.
    """

    __slots__ = ("_connector", "_is_over", "_key", "_sending", "content", "handler", "was_reset")

    content: ContentStream

    def __init__(self, connector: Connector, key: ConnectionKey, handler: Handler) -> None:
        self._connector = connector
        self._key = key
        self._sending: asyncio.Task[None] | None = None
        self._is_over = False
        self.handler = handler
        self.was_reset = False

    async def send(self, head: bytes, content: Sequence[bytes | memoryview]) -> ResponseHead:
        """Sends a request, for which the connection was prepared, and waits for the head of its response.

        Raises:
            KeptConnectionLost: the connection served an earlier request, and ended without a response to this one.
            SuccessTooEarly: the response is a success, but the server did not accept the rest of the content.
        """
        handler = self.handler
        try:
            self._sending = send_first(handler, head, content)
            if self._sending is not None:
                await self._sent(self._sending)
            response, self.content = await handler.response()
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, NotHttp) as error:
            # Bytes that are not HTTP may be content after the previous response, which must not have any.
            raise (KeptConnectionLost(*error.args) if handler.has_responded else error) from None
        handler.has_responded = True
        handler.content = self.content
        self.content.on_eof(self._end)
        return response

    async def _sent(self, sending: "asyncio.Task[None]") -> None:
        """Waits until the content is sent or refused."""
        handler = self.handler
        handler.answer = asyncio.get_running_loop().create_future()
        if handler.status is None:
            await asyncio.wait({sending, handler.answer}, return_when=asyncio.FIRST_COMPLETED)
        if handler.status is None or handler.is_refused:
            return
        await asyncio.wait({sending}, timeout=handler.read_timeout)
        if handler.is_sending:
            raise SuccessTooEarly

    def _end(self) -> None:
        """Gives the connection back, or ends it if the response ended before the request was sent."""
        is_sent = self._sending is None or self._sending.done()
        if self.handler.is_sending or not is_sent:
            self._give_back(is_broken=True)
        else:
            self.handler.rest()
            self._give_back(is_broken=False)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the running loop is not the loop of the connection."""
        return self._connector.is_elsewhere

    def close(self) -> None:
        """Ends the connection if its response has not ended, and wakes the reader of the content."""
        if not self._is_over:
            self.handler.break_off()
            self._give_back(is_broken=True)

    def _give_back(self, *, is_broken: bool) -> None:
        self._is_over = True
        if self.handler.is_sending:
            self.handler.reset_at_close()
        # Later the connection may break under another request, or while it is idle.
        self.was_reset = self.handler.was_reset
        self.handler.content = None
        if self._sending is not None:
            self._sending.cancel()
        self._connector.give_back(self._key, self.handler, is_broken=is_broken)

    def abandon(self) -> None:
        """Closes the exchange soon, from any thread: an unclosed body is garbage-collected in any thread."""
        if not self._is_over:
            self._connector.call_soon(self.close)
