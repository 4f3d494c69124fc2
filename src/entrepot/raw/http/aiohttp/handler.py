"""The protocol of a connection.

Theory of operation. A connection serves one exchange at a time: `expect`, `send`, the head, the content, `rest`. What
it receives goes to a `HeadReader`, then to the `Framing` that the head asks for, and the content in it to a stream.
aiohttp parses nothing here but the response of a proxy to CONNECT, which comes before the first `expect`.

`should_close` alone decides whether the connection serves another request: only if its response ended exactly at the
last byte received, nothing came after it, all of the request was sent before it, and its end was not ambiguous. Bytes
that come after the end, in the same receive or later, would be taken for the next response: the connection is closed.

Time: the idle timeout starts when a piece of the request is taken, when the head is complete, and with every byte of
content. Nothing else moves it, so a head or a trailer that comes byte by byte, or informational responses without
end, time out. What they may hold is bounded in `response_head` and `framing`.
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

Response = tuple[ResponseHead, aiohttp.StreamReader]

BUFFER: Final = 256 * 1024
"""How many bytes of content may wait to be read before the server is held back (twice that at most)."""

MUCH: Final = 120 * 1024
"""How many bytes are received at once at most. What is larger than 128 KiB the usual allocator takes from the system
and gives back each time, at first, and pages of new memory cost more than what is received into them."""

_LITTLE: Final = 32 * 1024
"""How many bytes are received at once as long as a reply shows no more. To allocate more costs more than to receive."""


class Handler(ResponseHandler):
    """The protocol of a connection, which also tells what aiohttp does not.

    Arguments:
        loop: its event loop.
        made: where it enters itself once it stands.

    Attributes:
        content: of the reply, as long as that has not ended.
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
    content: aiohttp.StreamReader | None = None
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
        self._wire = cast("asyncio.Transport", transport)  # aiohttp lets go of its own before the end
        self._socket = Socket(transport)
        self._made.add(self)
        self._set_receive_size(_LITTLE)

    def expect(self, *, has_content: bool, idle_timeout: float | None) -> None:
        """Makes ready for a reply.

        Arguments:
            has_content: whether it can have content. That to a HEAD has none, whatever it says.
            idle_timeout: for how many seconds the server may be silent; None is for ever.

        Raises:
            aiohttp.ClientOSError: the server sent something before it was asked.
        """
        if self._tail:
            raise aiohttp.ClientOSError("the server sent something before it was asked")
        self.is_idle = self.is_sending = self._may_keep = False
        self.status = self.answer = self._framing = self._payload = None
        self._head_reader = HeadReader(has_content=has_content)
        self._read_timeout = idle_timeout
        self._handed = self._taken = 0
        if self._receive_size != _LITTLE:
            self._set_receive_size(_LITTLE)

    def response(self) -> Awaitable[Response]:
        """Waits for the head of the response, informational ones passed over."""
        return cast("Awaitable[Response]", self.read())

    def send(self, data: bytes | memoryview) -> None:
        """Hands bytes to the connection, which may buffer them.

        Raises:
            aiohttp.ClientConnectionResetError: it is closed.
        """
        if self._wire.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection is closed")
        self._wire.write(data)

    async def drain(self) -> None:
        """Waits until the connection takes more."""
        if self.writing_paused:
            await self._drain_helper()

    def has_news(self) -> bool:
        """Whether something came, were it the end, that the event loop has not seen yet."""
        return not self._wire.is_closing() and self._socket.has_news()

    @property
    def has_socket(self) -> bool:
        """Whether the connection holds a socket, and its end is still to come."""
        return self._socket.is_open()

    @property
    def is_refused(self) -> bool:
        """Whether the reply is there and is no success, so that no more content is wanted."""
        return self.status is not None and not 200 <= self.status < 300

    def note_content(self, size: int, *, is_last: bool) -> None:
        """Notes that so many bytes of content are handed to the connection now."""
        self._handed += size
        self.is_sending = not is_last

    @property
    def should_close(self) -> bool:
        """Whether the connection must not serve another request. Nothing else decides that."""
        return super().should_close or not self._may_keep or not self._has_ended()

    def _has_ended(self) -> bool:
        return self._framing is not None and self._framing.is_at_end and self._framing.is_exact

    def rest(self) -> None:
        """Notes that a reply has ended."""
        self.is_idle = True
        # It is running if the reply came before the request was sent, and would break an idle connection.
        self._drop_timeout()

    def break_off(self) -> None:
        """Wakes whoever waits for content: no more will come."""
        if self.content is not None and not self.content.is_eof() and self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("the connection was closed"))

    def data_received(self, data: bytes) -> None:
        """Ends a connection on which something comes unasked: it would be taken for the next response."""
        if self._head_reader is None:
            super().data_received(data)
        elif self.is_idle and data:
            self.abort()
        elif data and not isinstance(self.exception(), MalformedResponse):
            self._receive(bytes(data))  # which is no copy, but for a bytearray, as it comes on Windows

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
        self._answer(head, aiohttp.EMPTY_PAYLOAD if framing.is_at_end and not content else self._stream())
        if self._payload is not None:
            if not framing.is_at_end:
                self._reschedule_timeout()
            self._pass_on(framing, self._payload, content)

    def _stream(self) -> aiohttp.StreamReader:
        self._payload = aiohttp.StreamReader(self, BUFFER, loop=self._loop)
        return self._payload

    def _answer(self, head: ResponseHead, content: aiohttp.StreamReader) -> None:
        """Hands out the response. A connection whose response comes before all was sent is not used again."""
        self.status = head.status
        if self.is_sending or self._unsent():
            self.force_close()
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(None)
        self._drop_timeout()
        self.feed_data((head, content))  # type: ignore[arg-type]

    def _receive_content(self, framing: Framing, data: bytes) -> None:
        """Passes on content. Without any, such as in a trailer, the server has made no progress."""
        content = framing.take(data)
        if self._payload is None:
            return  # it has ended: this only makes the framing inexact
        if content:
            self._reschedule_timeout()
        self._pass_on(framing, self._payload, content)

    def _pass_on(self, framing: Framing, stream: aiohttp.StreamReader, content: bytes) -> None:
        stream.feed_data(content)
        if not framing.is_at_end:
            return
        if self._reading_paused:
            # TLS may hold bytes that it has received. They come first, since they may be past the end.
            self.resume_reading()
            self._loop.call_soon(self._end, stream)
        else:
            self._end(stream)

    def _end(self, stream: aiohttp.StreamReader) -> None:
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
        """Holds the server back. aiohttp would pause its parser."""
        if self._parser is not None:
            super().pause_reading()
            return
        self._reading_paused = True
        with suppress(RuntimeError):  # uvloop raises it of a connection that is closed
            self._wire.pause_reading()
        self._drop_timeout()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT002  (it is called so)
        """Goes on to receive, if that was held up: aiohttp asks for it at every read, and parses what is not there."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def eof_received(self) -> None:
        """Ends a connection that the server closes while content is sent: the rest would wait to be taken."""
        super().eof_received()
        if self.is_sending:
            self._wire.abort()

    def set_exception(self, *args: Any, **kwargs: Any) -> None:
        """Keeps the first error. Those after it are its consequences, such as that nothing can be sent any more."""
        if self.exception() is None:
            super().set_exception(*args, **kwargs)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wakes whoever waits for content also where the parser had given up on it, which aiohttp forgets."""
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
        """Receives what came before the connection broke: a server that refuses content answers, then breaks it.

        Where sending is what fails, asyncio stops to receive. What comes by TLS is lost.
        """
        if self._wire.get_extra_info("ssl_object") is not None:
            return
        with suppress(OSError):
            for data in self._socket.rest():
                self.data_received(data)

    def close(self) -> None:
        """Drops what is not sent, and TLS, of a connection that is closed before its reply has ended.

        Otherwise it would stay open for as long as the server takes nothing.
        """
        if self.is_idle:
            super().close()
        else:
            self.abort()

    def cut_off(self) -> None:
        """Ends the connection at once, also one that aiohttp has let go of and that is still on its way down."""
        self._wire.abort()

    def start_timeout(self) -> None:
        self._taken = self._handed - self._unsent()
        super().start_timeout()

    def _reschedule_timeout(self) -> None:
        """Moves the end of the patience. The timer is left as it is: it goes off once for many requests."""
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
            self._wire.abort()

    def _unsent(self) -> int:
        """How many bytes the server has not taken yet, as far as that can be known."""
        if not self._handed or self._wire.is_closing():
            return 0
        return self._wire.get_write_buffer_size() + self._socket.unsent()


Handlers = WeakSet[Handler]
