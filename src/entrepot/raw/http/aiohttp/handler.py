"""The protocol of a connection."""

import asyncio
from contextlib import suppress
from typing import Any, cast
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage

from . import sockets
from .errors import SendingStalled


class Handler(ResponseHandler):
    """The protocol of a connection, which also tells what aiohttp does not.

    Arguments:
        loop: its event loop.
        made: where it enters its transport.

    Attributes:
        has_answered: whether the connection has brought a reply.
        was_reset: whether it broke, which content that ends with the connection does not show.
        is_idle: whether a reply has ended and nothing was asked since.
        is_sending: whether content of the request is still to be handed to the connection.
        status: of the reply to the request, once there is one.
        answer: a future that is done once there is a reply, where somebody waits for it.
    """

    has_answered = False
    was_reset = False
    is_idle = False
    is_sending = False
    status: int | None = None
    answer: asyncio.Future[None] | None = None
    _handed = 0
    _taken = 0

    def __init__(self, loop: asyncio.AbstractEventLoop, made: "Transports") -> None:
        super().__init__(loop)
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._made[self] = cast("asyncio.Transport", transport)

    def set_response_params(self, **kwargs: Any) -> None:
        self.is_idle = self.is_sending = False
        self.status = self.answer = None
        self._handed = 0
        super().set_response_params(**kwargs)

    def has_news(self) -> bool:
        """Whether something came, were it the end, that the event loop has not seen yet."""
        transport = self._made[self]
        return not transport.is_closing() and sockets.has_news(transport)

    @property
    def is_refused(self) -> bool:
        """Whether the reply is there and is no success, so that no more content is wanted."""
        return self.status is not None and not 200 <= self.status < 300

    def begin_content(self) -> None:
        """Notes that content is sent from now on, and gives the server as long to take some as to send some."""
        self.is_sending = True
        self.start_timeout()

    def note_content(self, size: int, *, is_last: bool) -> None:
        """Notes that so many bytes of content are handed to the connection now."""
        self._handed += size
        self.is_sending = not is_last

    def rest(self) -> None:
        """Notes that a reply has ended."""
        self.is_idle = True
        # It is running if the reply came before the request was sent, and would break an idle connection.
        self._drop_timeout()

    def feed_data(self, data: tuple[RawResponseMessage, aiohttp.StreamReader], size: int = 0) -> None:
        """Takes note of a reply. A connection whose reply came before all was sent is not used again."""
        if data[0].code >= 200:
            self.status = data[0].code
            if self.is_sending or self._unsent():
                self.force_close()
            if self.answer is not None and not self.answer.done():
                self.answer.set_result(None)
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Ends a connection on which something comes unasked: it would be taken for the next reply."""
        if self.is_idle and data:
            self.abort()
        else:
            super().data_received(data)

    def eof_received(self) -> None:
        """Ends a connection that the server closes while content is sent: the rest would wait to be taken."""
        super().eof_received()
        if self.is_sending:
            self._made[self].abort()

    def set_exception(self, *args: Any, **kwargs: Any) -> None:
        """Keeps the first error. Those after it are its consequences, such as that nothing can be sent any more."""
        if self.exception() is None:
            super().set_exception(*args, **kwargs)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wakes whoever waits for content also where the parser had given up on it, which aiohttp forgets."""
        if exc is not None and self._handed and self.status is None:
            self._receive_rest()
        content, self.was_reset = self._payload, exc is not None
        super().connection_lost(exc)
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the content is malformed"))

    def _receive_rest(self) -> None:
        """Receives what came before the connection broke: a server that refuses content answers, then breaks it.

        Where sending is what fails, asyncio stops to receive. What comes by TLS is lost.
        """
        transport = self._made[self]
        if transport.get_extra_info("ssl_object") is not None:
            return
        with suppress(OSError):
            for data in sockets.rest(transport):
                self.data_received(data)

    def close(self) -> None:
        """Drops what is not sent, and TLS, of a connection that is closed before its reply has ended.

        Otherwise it would stay open for as long as the server takes nothing.
        """
        if self.is_idle:
            super().close()
        else:
            self.abort()

    def start_timeout(self) -> None:
        self._taken = self._handed - self._unsent()
        super().start_timeout()

    def _on_read_timeout(self) -> None:
        """Waits on as long as the server takes content, since it does not answer before it has all."""
        unsent = self._unsent()
        if self._handed - unsent > self._taken:
            self.start_timeout()
            return
        if unsent:
            self.set_exception(SendingStalled())
        super()._on_read_timeout()
        if unsent:
            # Whoever waits to send on learns it by this.
            self._made[self].abort()

    def _unsent(self) -> int:
        """How many bytes the server has not taken yet, as far as that can be known."""
        transport = self._made[self]
        if not self._handed or transport.is_closing():
            return 0
        return transport.get_write_buffer_size() + sockets.unsent(transport)


Transports = WeakKeyDictionary[Handler, asyncio.Transport]
