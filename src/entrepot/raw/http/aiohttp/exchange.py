"""One request on a connection, and its reply."""

import asyncio
from collections.abc import Sequence

import aiohttp
from aiohttp.client_reqrep import ConnectionKey

from entrepot.raw.http.wire.response_head import NotHttp, ResponseHead

from .connection import Connector
from .content import send_first
from .errors import SuccessTooEarly
from .handler import Handler


class KeptConnectionLost(aiohttp.ClientOSError):
    """A connection that had brought a reply before brought none to this request."""


class Exchange:
    """Holds a connection until the reply has ended, or is given up.

    Arguments:
        connector: gets the connection back.
        key: under which it keeps it.
        handler: the connection.

    Attributes:
        content: the content of the reply, once there is one.
        handler: the connection.
        was_reset: whether the connection broke before the content ended, or by that ended it.
    """

    __slots__ = ("_connector", "_is_over", "_key", "_sending", "content", "handler", "was_reset")

    content: aiohttp.StreamReader

    def __init__(self, connector: Connector, key: ConnectionKey, handler: Handler) -> None:
        self._connector = connector
        self._key = key
        self._sending: asyncio.Task[None] | None = None
        self._is_over = False
        self.handler = handler
        self.was_reset = False

    async def reply_to(self, head: bytes, content: Sequence[bytes | memoryview]) -> ResponseHead:
        """Sends a request, for which the connection is ready, and waits for the head of its reply.

        Raises:
            KeptConnectionLost: the connection brought a reply before, and none to this.
            SuccessTooEarly: the reply is a success, and the rest of the content was not taken even so.
        """
        handler = self.handler
        try:
            self._sending = send_first(handler, head, content)
            if self._sending is not None:
                await self._sent(self._sending)
            response, self.content = await handler.response()
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, NotHttp) as error:
            # What is not HTTP may be content behind the response before, which has none.
            raise (KeptConnectionLost(*error.args) if handler.has_answered else error) from None
        handler.has_answered = True
        handler.content = self.content
        self.content.on_eof(self._end)
        return response

    async def _sent(self, sending: "asyncio.Task[None]") -> None:
        """Waits until the content is sent, or refused."""
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
        """Gives the connection back, or ends it where the reply ended before the request: the rest is not wanted."""
        is_sent = self._sending is None or self._sending.done()
        if self.handler.is_sending or not is_sent:
            self._give_back(is_broken=True)
        else:
            self.handler.rest()
            self._give_back(is_broken=False)

    @property
    def is_elsewhere(self) -> bool:
        """Whether another loop runs here than that of the connection."""
        return self._connector.is_elsewhere

    def close(self) -> None:
        """Ends a connection whose reply has not ended, and wakes whoever waits for that."""
        if not self._is_over:
            self.handler.break_off()
            self._give_back(is_broken=True)

    def _give_back(self, *, is_broken: bool) -> None:
        self._is_over = True
        # Later it may break under another request, or while nobody uses it.
        self.was_reset = self.handler.was_reset
        self.handler.content = None
        if self._sending is not None:
            self._sending.cancel()
        self._connector.give_back(self._key, self.handler, is_broken=is_broken)

    def abandon(self) -> None:
        """Closes it soon, from whatever thread: a body that nobody closed is collected in any."""
        if not self._is_over:
            self._connector.call_soon(self.close)
