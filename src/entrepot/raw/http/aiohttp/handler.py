"""The protocol of a connection.

Theory of operation. A connection serves one exchange at a time: `expect`, `send`, the head, the content, `rest`.
Received bytes go to a `HeadReader`, then to the `Framing` that the head requires, and the content in them to a stream.
aiohttp parses only the response of a proxy to CONNECT, which comes before the first `expect`.

`should_close` alone decides whether the connection serves another request: only if its response ended exactly at the
last byte received, nothing came after it, the whole request was sent before it, and its end was not ambiguous. Bytes
that come after the end, in the same receive or later, would be read as the next response: the connection is closed.

Everything runs on the loop of the connection, in two tasks at most: the task of the request, which waits for the head
and then reads the content, and the task that sends the rest of a long request (`content.send_first`). If the task of
the request is cancelled, its `Exchange` closes the connection: an unfinished exchange is never resumed.

Time: the idle timeout starts when the server accepts a piece of the request, when the head is complete, and with every
byte of content. Nothing else restarts it, so a head or a trailer that arrives byte by byte, or endless informational
responses, time out. Their size is bounded in `response_head` and `framing`.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Final, cast
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler

from entrepot.raw.http.wire.framing import Framing, MalformedResponse
from entrepot.raw.http.wire.response_head import HeadReader, ResponseHead

from .errors import SendingStalled
from .sockets import Socket
from .stream import ContentStream

Response = tuple[ResponseHead, ContentStream]

MUCH: Final = 120 * 1024
"""The most bytes of one receive. At first, the usual allocator takes blocks above 128 KiB from the system and frees
them each time, and pages of new memory cost more than receiving into them."""

_LITTLE: Final = 32 * 1024
"""The most bytes of one receive while a response has not shown that it is larger. Allocating more costs more than
receiving."""


class Handler(ResponseHandler):
    """The protocol of a connection.

    Arguments:
        loop: its event loop.
        made: the set that it adds itself to once it is connected.

    Attributes:
        content: the content of the response, as long as that has not ended.
        has_responded: whether the connection has received a response.
        was_reset: whether the connection broke, which content that ends with the connection does not show.
        is_idle: whether a response has ended and no request was sent since.
        is_sending: whether content of the request has not been handed to the connection yet.
        status: the status of the response, once there is one.
        answer: a future that is done once there is a response, if the sender of content waits for it.
    """

    has_responded = False
    was_reset = False
    is_idle = False
    is_sending = False
    status: int | None = None
    answer: asyncio.Future[None] | None = None
    content: ContentStream | None = None
    _payload: ContentStream | None  # type: ignore[assignment]  # which aiohttp only ends
    _wire: asyncio.Transport
    _socket: Socket
    _receive_size = 0
    _handed = 0
    _taken = 0
    _head_reader: HeadReader | None = None
    _framing: Framing | None = None
    _may_keep = False
    _alarm: asyncio.TimerHandle | None = None
    _silence_ends: float | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop, made: "Handlers") -> None:
        super().__init__(loop)
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wire = cast("asyncio.Transport", transport)  # aiohttp drops its own reference before the end
        self._socket = Socket(transport)
        self._made.add(self)
        self._set_receive_size(_LITTLE)

    def expect(self, *, has_content: bool, idle_timeout: float | None) -> None:
        """Prepares for a response.

        Arguments:
            has_content: whether it can have content. A response to HEAD has none, whatever its headers say.
            idle_timeout: for how many seconds the server may be silent; None is without limit.

        Raises:
            aiohttp.ClientOSError: the server sent bytes before a request.
        """
        if self._tail:
            raise aiohttp.ClientOSError("the server sent bytes before a request")
        self.is_idle = self.is_sending = self._may_keep = False
        self.status = self.answer = self._framing = self._payload = None
        self._head_reader = HeadReader(has_content=has_content)
        self._read_timeout = idle_timeout
        self._handed = self._taken = 0
        if self._receive_size != _LITTLE:
            self._set_receive_size(_LITTLE)

    def response(self) -> Awaitable[Response]:
        """Waits for the head of the final response. Informational responses are skipped."""
        return cast("Awaitable[Response]", self.read())

    def send(self, data: bytes | memoryview) -> None:
        """Hands bytes to the connection, which may buffer them.

        Raises:
            aiohttp.ClientConnectionResetError: the connection is closed.
        """
        if self._wire.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection is closed")
        self._wire.write(data)

    async def drain(self) -> None:
        """Waits until the connection accepts more."""
        if self.writing_paused:
            await self._drain_helper()

    def has_news(self) -> bool:
        """Whether the socket received bytes, or the end, that the event loop has not seen yet."""
        return not self._wire.is_closing() and self._socket.has_news()

    @property
    def has_socket(self) -> bool:
        """Whether the connection still has a socket, so that its end will be reported."""
        return self._socket.is_open()

    @property
    def is_closing(self) -> bool:
        """Whether the connection has ended, also if the event loop still has its socket."""
        return self._wire.is_closing()

    @property
    def is_refused(self) -> bool:
        """Whether there is a response and it is not a success, so that the rest of the content is not sent."""
        return self.status is not None and not 200 <= self.status < 300

    def note_content(self, size: int, *, is_last: bool) -> None:
        """Records that `size` bytes of content are handed to the connection now."""
        self._handed += size
        self.is_sending = not is_last

    @property
    def should_close(self) -> bool:
        """Whether the connection must not serve another request. It is decided only here."""
        return super().should_close or not self._may_keep or not self._has_ended()

    def _has_ended(self) -> bool:
        return self._framing is not None and self._framing.is_at_end and self._framing.is_exact

    def rest(self) -> None:
        """Records that a response has ended."""
        self.is_idle = True
        # The timer runs if the response came before the request was sent, and would break an idle connection.
        self._drop_timeout()

    def reset_at_close(self) -> None:
        """Makes the end of the connection an error for the peer, see `wire.sockets`."""
        self._socket.reset_at_close()

    def break_off(self) -> None:
        """Wakes the reader of content with an error: no more will arrive."""
        if self.content is not None and not self.content.is_eof() and self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("the connection was closed"))

    def data_received(self, data: bytes) -> None:
        """Receives bytes. Bytes on an idle connection end it: they would be read as the next response."""
        if self._head_reader is None:
            super().data_received(data)
        elif self.is_idle and data:
            self.abort()
        elif data and not isinstance(self.exception(), MalformedResponse):
            self._receive(bytes(data))  # this copies only a bytearray, which Windows delivers

    def _receive(self, data: bytes) -> None:
        if len(data) >= self._receive_size < MUCH:
            self._set_receive_size(MUCH)
            self._socket.acknowledge()
        try:
            if self._framing is None:
                self._receive_head(data)
            else:
                self._receive_content(self._framing, data)
        except MalformedResponse as error:
            self._fail(error)

    def _receive_head(self, data: bytes) -> None:
        assert self._head_reader is not None
        received = self._head_reader.take(data)
        if received is None:
            return
        head, data = received
        framing = head.framing()
        content = framing.take(data) if data else b""
        self._framing, self._may_keep = framing, head.may_keep
        stream = ContentStream(self, self._loop)
        if framing.is_at_end and not content:
            stream.feed_eof()
        else:
            self._payload = stream
        self._answer(head, stream)
        if self._payload is not None:
            if not framing.is_at_end:
                self._reschedule_timeout()
            self._pass_on(framing, stream, content)

    def _answer(self, head: ResponseHead, content: ContentStream) -> None:
        """Hands out the response. A connection whose response comes before the whole request was sent is not reused."""
        self.status = head.status
        if self.is_sending or self._unsent():
            self.force_close()
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(None)
        self._drop_timeout()
        self.feed_data((head, content))  # type: ignore[arg-type]

    def _receive_content(self, framing: Framing, data: bytes) -> None:
        """Passes on content. Bytes without content, such as a trailer, are not progress for the idle timeout."""
        content = framing.take(data)
        if self._payload is None:
            return  # the content has ended: the bytes only make the framing inexact
        if content:
            self._reschedule_timeout()
        self._pass_on(framing, self._payload, content)

    def _pass_on(self, framing: Framing, stream: ContentStream, content: bytes) -> None:
        stream.feed_data(content)
        if not framing.is_at_end:
            return
        if self._reading_paused:
            # TLS may hold received bytes. They must be seen first, since they may be past the end.
            self.resume_reading()
            self._loop.call_soon(self._end, stream)
        else:
            self._end(stream)

    def _end(self, stream: ContentStream) -> None:
        if self._payload is stream:
            self._payload = None
            stream.feed_eof()

    def _fail(self, error: MalformedResponse) -> None:
        """Ends a connection whose response is malformed."""
        self.set_exception(error)
        if self._payload is not None and self._payload.exception() is None:
            self._payload.set_exception(error)
        self.cut_off()

    def _set_receive_size(self, size: int) -> None:
        self._receive_size = size
        self._socket.set_receive_size(size)

    def pause_reading(self) -> None:
        """Pauses receiving, so that the server must wait. aiohttp would pause its parser."""
        if self._parser is not None:
            super().pause_reading()
            return
        self._reading_paused = True
        with suppress(RuntimeError):  # uvloop raises it of a connection that is closed
            self._wire.pause_reading()
        self._drop_timeout()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT002  (it is called so)
        """Resumes receiving, if it was paused: aiohttp calls this at every read, and would use a missing parser."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def eof_received(self) -> None:
        """Ends a connection that the server closes while content is sent: the rest would never be accepted."""
        super().eof_received()
        if self.is_sending:
            self._wire.abort()

    def set_exception(self, *args: Any, **kwargs: Any) -> None:
        """Keeps the first error. Later ones are its consequences, such as a failed send."""
        if self.exception() is None:
            super().set_exception(*args, **kwargs)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wakes the reader of content, also after a parse error, which aiohttp does not do."""
        if exc is not None and self._handed and self.status is None:
            self._receive_rest()
        stream, framing, self.was_reset = self._payload, self._framing, exc is not None
        if stream is not None and framing is not None and (framing.is_at_end or type(framing) is Framing):
            self._end(stream)
        super().connection_lost(exc)
        self._stop_alarm()
        if stream is not None and not stream.is_eof() and stream.exception() is None:
            stream.set_exception(aiohttp.ClientPayloadError("the connection ended before the content did"))

    def _receive_rest(self) -> None:
        """Receives the bytes that arrived before the connection broke.

        A server that refuses content responds and then breaks the connection. asyncio stops receiving when sending
        fails. With TLS these bytes are lost.
        """
        if self._wire.get_extra_info("ssl_object") is not None:
            return
        with suppress(OSError):
            for data in self._socket.rest():
                self.data_received(data)

    def close(self) -> None:
        """Closes the connection. If its response has not ended, unsent bytes and the TLS close handshake are dropped.

        Otherwise it would stay open for as long as the server accepts nothing.
        """
        if self.is_idle:
            super().close()
        else:
            self.abort()

    def cut_off(self) -> None:
        """Ends the connection at once, also if aiohttp has already released it and it is still closing."""
        self._wire.abort()

    def start_timeout(self) -> None:
        self._taken = self._handed - self._unsent()
        super().start_timeout()

    def _reschedule_timeout(self) -> None:
        """Moves the idle deadline. The timer itself is not restarted: it fires once for many requests."""
        if not self._read_timeout:
            self._silence_ends = None
            return
        self._silence_ends = self._loop.time() + self._read_timeout
        if self._alarm is None or self._alarm.when() > self._silence_ends:
            self._set_alarm(self._silence_ends)

    def _drop_timeout(self) -> None:
        self._silence_ends = None

    def _set_alarm(self, due: float) -> None:
        self._stop_alarm()
        self._alarm = self._loop.call_at(due, self._check_silence)

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _check_silence(self) -> None:
        self._alarm, ends = None, self._silence_ends
        if ends is None:
            return
        if ends > self._loop.time():
            self._set_alarm(ends)
        else:
            self._on_read_timeout()

    def _on_read_timeout(self) -> None:
        """Keeps waiting as long as the server accepts content, since it does not respond before it has all of it."""
        unsent = self._unsent()
        if self._handed - unsent > self._taken:
            self.start_timeout()
            return
        if unsent:
            self.reset_at_close()
            self.set_exception(SendingStalled())
        super()._on_read_timeout()
        if unsent:
            self._wire.abort()  # this wakes the task that waits to send more

    def _unsent(self) -> int:
        """How many bytes the server has not acknowledged yet, as far as the system reports it."""
        if not self._handed or self._wire.is_closing():
            return 0
        return self._wire.get_write_buffer_size() + self._socket.unsent()


Handlers = WeakSet[Handler]
