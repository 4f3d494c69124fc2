"""The protocol of a connection."""

import asyncio
from contextlib import suppress
from typing import Any, Final, cast
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage

from entrepot.raw.http.headers import parse_length

from .errors import SendingStalled
from .sockets import Socket

Reply = tuple[RawResponseMessage, aiohttp.StreamReader]

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
    _received_at_once = 0
    _handed = 0
    _taken = 0
    _missing = 0
    _reply: Reply | None = None
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
        self._receive_at_once(_LITTLE)

    def expect(self, *, has_content: bool, idle_timeout: float | None) -> None:
        """Makes ready for a reply.

        Arguments:
            has_content: whether it can have content. That to a HEAD has none, whatever it says.
            idle_timeout: for how many seconds the server may be silent; None is for ever.
        """
        self.is_idle = self.is_sending = False
        self.status = self.answer = self._reply = None
        self._missing = 0
        self._handed = self._taken = 0
        if self._received_at_once != _LITTLE:
            self._receive_at_once(_LITTLE)
        self.set_response_params(
            skip_payload=not has_content,
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=idle_timeout,
            read_bufsize=BUFFER,
        )

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

    def rest(self) -> None:
        """Notes that a reply has ended."""
        self.is_idle = True
        # It is running if the reply came before the request was sent, and would break an idle connection.
        self._drop_timeout()

    def break_off(self) -> None:
        """Wakes whoever waits for content: no more will come."""
        if self.content is not None and not self.content.is_eof() and self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("the connection was closed"))

    def feed_data(self, data: Reply, size: int = 0) -> None:
        """Takes note of a reply. A connection whose reply came before all was sent is not used again."""
        if data[0].code >= 200:
            self._reply = data
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
            return
        if len(data) >= self._received_at_once < MUCH:
            self._receive_at_once(MUCH)
            self._socket.acknowledge()
        if self._missing:
            self._receive_content(data)
            return
        super().data_received(data)
        if self._reply is not None:
            reply, self._reply = self._reply, None
            # If reading is paused, the parser may keep content that has come.
            self._missing = 0 if self._reading_paused else missing_content(*reply)

    def _receive_content(self, data: bytes) -> None:
        """Passes on content whose length is known, past the parser: that finds nothing in it, and copies it."""
        content = self._payload
        if not data or content is None:
            return  # not received: aiohttp asks its parser to go on
        self._reschedule_timeout()
        if len(data) > self._missing:
            self.force_close()  # more came than was promised
            data = data[: self._missing]
        self._missing -= len(data)
        content.feed_data(bytes(data))  # which is no copy, but for a bytearray, as it comes on Windows
        if not self._missing:
            self._payload = None  # the parser has not seen the end, and would take that of the connection for a failure
            self.resume_reading(resume_parser=False)  # else the next reply would wait until this one is read
            content.feed_eof()

    def _receive_at_once(self, size: int) -> None:
        self._received_at_once = size
        self._socket.receive_at_once(size)

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
        content, self.was_reset = self._payload, exc is not None
        super().connection_lost(exc)
        self._stop_alarm()
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the content is malformed"))

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


def missing_content(message: RawResponseMessage, content: aiohttp.StreamReader) -> int:
    """How many bytes of content are still to come; 0 also where only the parser can know (RFC 9112, 6.3)."""
    if content.is_eof() or "Transfer-Encoding" in message.headers:
        return 0
    return (parse_length(message.headers.get("Content-Length")) or content.total_bytes) - content.total_bytes


Handlers = WeakSet[Handler]
