"""A connection: the protocol that the event loop calls.

Theory of operation. A connection is in one of these states, and belongs to:

    new or idle   the pool. `_stream` is None. Bytes that arrive would be read as the next response: they end it.
    in exchange   the exchange in `_stream`, from `start` until `_release`.
    closing       nobody. The event loop still has its socket, and reports its end.

An exchange starts with its request sent, or with the request in `_request`, until the outbox of the pool has it sent.

In an exchange, received bytes go to `ResponseStream.take`, and the content in them to that stream. The connection keeps
none of it. Once the response has ended, `_release` cuts the stream and the connection apart before anything else
happens, and the pool keeps the connection only if `Exchange.may_serve_another` says so. So a connection serves another
request only when nothing points at it but the pool.

A response that ends before its request is sent leaves the connection in the exchange, until the task of the request has
found that out (`end_upload`).

Receiving. All connections of a pool receive into one scratch buffer, which the event loop fills and hands over in one
step, and which `buffer_updated` copies what it keeps out of. While a reader waits with a buffer of its own, content is
received directly into that: `_target` is the rest of it, never longer than the content that is certain to follow. While
receives of a long content are full, a thread fills that buffer (`loan`), or asyncio makes the pieces (`flow`). So who
receives from the socket in an exchange, and into what, is one of these:

    nobody        `_is_paused`, without a loan: the reader is behind
    the loop      scratch (`_target` and `_flow` are None), `_target`, or memory of asyncio (`_flow`)
    a thread      `_loan`: into what `_target` was when it began. `_is_paused` is set, and a reader waits

A loan ends before `_target` changes, before the exchange ends, and with the wait of the reader (`_end_loan`).

Sending. The connection writes the start of a request. The rest of a long one is sent by a task of its own (`sending`),
to `outgoing`, which knows how much the server has accepted and nothing of the response.

Everything but a loan runs on the loop of the connection, in two tasks at most: the task of the request, which waits for
the head and then reads the content, and the task that sends. If the task of the request is cancelled, the connection is
cut off: an unfinished exchange is never resumed.

Time: see `sweep`. The connection is active when the exchange starts, when the server has accepted all of the request,
when the head is complete, and with every byte of content. A head or a trailer that arrives byte by byte, or endless
informational responses, time out. While receiving is paused, since nobody reads, the server owes nothing.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from entrepot.raw.http import failures
from entrepot.raw.http.wire.exchange import State
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.sockets import readability, receive, reset_at_close
from entrepot.raw.runtime.running import may_run_within_itself

from .breaks import GIVEN_UP, LOST, RESET, Break, of_end, of_malformed
from .flow import FULL, Flow, is_worthwhile
from .loan import LEAST, Lender, Loan
from .outbox import Outbox
from .outgoing import Outgoing, descriptor_of
from .stream import ResponseStream
from .tls_channel import TlsChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

BUFFER: Final = 256 * 1024
"""How many bytes of content may wait to be read before receiving is resumed; it is paused at twice that."""

SHORT: Final = 16 * 1024
"""How many bytes of content are short: the systems at both ends of an idle connection accept as many at once."""

SCRATCH: Final = 512 * 1024
"""The most bytes of one receive: a stream at full speed takes a quarter less CPU than with 120 KiB. The usual allocator
takes blocks above 128 KiB from the system at first, and keeps them from the second one on."""

LONG: Final = 32 * 1024
"""From how many bytes on a receive is handed over in the scratch buffer: content after a head is copied only once then,
and copying it again takes more than looking for the head first."""

_DONE: Final = State.DONE  # a member of an enumeration takes longer to look up


class Owner(Protocol):
    """What a connection needs of its pool."""

    lender: Lender
    loop: asyncio.AbstractEventLoop
    scratch: memoryview

    @property
    def can_lend(self) -> bool:
        """Whether a socket may be lent to a thread."""

    def note_made(self, connection: "Connection") -> None:
        """Records a connection that has a socket."""

    def note_lost(self, connection: "Connection") -> None:
        """Forgets a connection that has ended."""

    def give_back(self, connection: "Connection", *, may_keep: bool) -> None:
        """Takes a connection back whose response has ended: keeps it, or closes it."""

    def give_up(self, connection: "Connection") -> None:
        """Takes a connection back that is being cut off."""


class Connection(asyncio.BufferedProtocol):
    """A connection.

    Arguments:
        owner: the pool.
        key: the key under which the pool keeps it.

    Attributes:
        active_at: the time of the last look at which it had been active.
        has_served: whether it has received a response.
        idle_timeout: for how many seconds the server may be silent; None is without limit.
        is_active: whether something happened since the last look.
        key: the key under which the pool keeps it.
        outgoing: what it sends.
    """

    __slots__ = (
        "_channel",
        "_closed",
        "_flow",
        "_has_tls_of_loop",
        "_is_paused",
        "_is_waking",
        "_loan",
        "_own_error",
        "_owner",
        "_poll",
        "_request",
        "_scratch",
        "_stream",
        "_target",
        "_wire",
        "active_at",
        "has_served",
        "idle_timeout",
        "is_active",
        "key",
        "outgoing",
    )

    _wire: Any  # asyncio.Transport, whose methods the event loops implement with different classes

    def __init__(self, owner: Owner, key: "Hashable") -> None:
        self._owner = owner
        self._scratch = owner.scratch
        self._stream: ResponseStream | None = None
        self._target: memoryview | None = None
        self._poll: Callable[[int], Sequence[object]] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._request: bytes | None = None  # what waits to be sent, in an exchange
        self._own_error: Exception | None = None
        self._channel: TlsChannel | None = None
        self._flow: Flow | None = None  # what the event loop calls in place of this, while content flows
        self._loan: Loan | None = None  # what receives in place of the event loop
        self._has_tls_of_loop = self._is_paused = self._is_waking = False
        self._wire = None
        self.active_at = 0.0
        self.has_served = False
        self.idle_timeout: float | None = None
        self.is_active = True
        self.key = key
        self.outgoing = Outgoing(owner.loop)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = transport
        self._channel = transport if isinstance(transport, TlsChannel) else None
        self._has_tls_of_loop = transport.get_extra_info("ssl_object") is not None
        self.outgoing.start(transport)
        self._owner.note_made(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        target = self._target
        if target is None:
            return self._scratch
        return target[:FULL] if self._can_lend(target) else target  # the event loop would stay with the rest otherwise

    def buffer_updated(self, nbytes: int) -> None:
        stream = self._stream
        if stream is None:
            self._wire.abort()
        elif self._target is not None:
            self._receive_into_target(stream, self._target, nbytes)
        else:
            data = self._scratch[:nbytes]
            self._receive(stream, data.tobytes() if nbytes < LONG else data)

    def eof_received(self) -> None:
        """Ends a connection that the server closes while content is sent: the rest would never be accepted."""
        if self._stream is not None and self._stream.is_sending:
            self._reset()

    def pause_writing(self) -> None:
        self.outgoing.pause()

    def resume_writing(self) -> None:
        self.outgoing.resume()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end_loan()
        stream = self._stream
        if stream is not None and exc is not None and self.outgoing.handed and stream.head is None:
            self._receive_rest()
        exc = exc or self._own_error
        self.outgoing.end()
        self._owner.note_lost(self)
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        stream = self._stream
        if stream is not None:
            self._end(stream, exc)

    def _end(self, stream: ResponseStream, exc: BaseException | None) -> None:
        """Ends the exchange with the connection."""
        ends_with_connection = stream.head is not None and stream.head.ends_with_connection
        stream.end(is_orderly=exc is None)
        if stream.state is _DONE:
            self._finish(stream)
        else:
            self._break(RESET if ends_with_connection else of_end(exc, has_head=stream.head is not None))
        stream.wake()

    # Receiving.

    def _receive(self, stream: ResponseStream, data: bytes | memoryview) -> None:
        is_first = stream.head is None
        if self._request is not None and self._ends_unasked(stream):
            return
        try:
            content = stream.take(data)
        except MalformedResponse as error:
            if is_first:
                stream.head = None  # a response whose content is wrong from the start is refused as a whole
            self._break(of_malformed(error))
            return
        if is_first:
            if stream.head is None:
                return
            self.has_served = self.is_active = True
            if self.outgoing.handed:
                self._check_accepted(stream)
        if content:
            self.is_active = True
            stream.add(content)
        if stream.state is _DONE:
            self._finish(stream, is_full=len(data) == SCRATCH)
        else:
            self._note_speed(stream, len(data))
        self._is_waking = True
        # The TLS of the event loop may hold the end of the connection, which it reports after this.
        stream.wake(at_once=len(data) < SCRATCH and not self._has_tls_of_loop)
        self._is_waking = False

    def _note_speed(self, stream: ResponseStream, size: int) -> None:
        """Pauses receiving if the reader is behind, and lets content flow as long as receives are full."""
        if stream.held > 2 * BUFFER:
            self._pause()
        if self._flow is not None:
            if size < LONG:
                self._stop_flow()
        elif size >= FULL and stream.receivable >= FULL and is_worthwhile(self._owner.loop) and not self._has_tls:
            self._flow = Flow(self)
            self._wire.set_protocol(self._flow)

    def _stop_flow(self) -> None:
        self._flow = None
        self._wire.set_protocol(self)

    def receive_piece(self, data: bytes) -> None:
        """Takes content that flows: all of it is kept as it is."""
        stream = self._stream
        assert stream is not None  # its end ends the flow
        self._receive(stream, data)

    def _ends_unasked(self, stream: ResponseStream) -> bool:
        """Ends a kept connection that received bytes before its request was sent: they are no response to it.

        On a new connection the server speaks first. What it says is taken for the response, which tells the caller. The
        real one may follow, so the connection is not used again.
        """
        if self.has_served:
            self._break(LOST)
        else:
            stream.forbid_reuse()
            self.send_request()
        return self.has_served

    def _check_accepted(self, stream: ResponseStream) -> None:
        """A connection whose response comes before the server has accepted the whole content is not used again.

        The system of the server accepts short content whether the server reads it or not. So it is enough that ours
        has accepted it, which takes no system call to find out, unless the server refuses it and may close.
        """
        is_certain = self.outgoing.handed <= SHORT and not stream.is_refused
        if self._wire.get_write_buffer_size() if is_certain else self.outgoing.unsent():
            stream.forbid_reuse()

    def _receive_into_target(self, stream: ResponseStream, target: memoryview, size: int) -> None:
        self._note_received(stream, target, size)
        if size < FULL or self._target is None or not self._can_lend(self._target) or not self._lend(self._target):
            stream.wake()

    def _note_received(self, stream: ResponseStream, target: memoryview, size: int) -> None:
        self.is_active = True
        stream.note_received(size)
        stream.filled += size
        self._target = target[size:] if size < len(target) else None
        if stream.state is _DONE:
            self._finish(stream, is_full=self._target is None)

    def _can_lend(self, target: memoryview) -> bool:
        return len(target) >= LEAST and self._owner.can_lend and not self._has_tls

    def _lend(self, target: memoryview) -> bool:
        """Lends the socket to a thread that fills the buffer, if a reader waits with it."""
        if self._stream is None or not self._stream.is_awaited:  # one that was woken knows how much came
            return False
        self._loan = self._owner.lender.lend(self._wire.get_extra_info("socket"), target, self._take_back)
        if self._loan is None:
            return False
        self._pause()
        return True

    def _take_back(self, loan: Loan) -> None:
        """Ends a loan whose thread has ended, unless that was done before."""
        if self._loan is loan and self._stream is not None:
            stream = self._stream
            self._end_loan()
            stream.wake()

    def _end_loan(self) -> None:
        """Ends the loan, if there is one, and counts what was received."""
        if self._loan is None:
            return
        stream, target, loan = self._stream, self._target, self._loan
        assert stream is not None  # a loan ends with it
        assert target is not None
        self._loan = None
        try:
            size = loan.end()
        except BaseException:  # an interrupt: what the thread has received is not known, and must not be passed over
            self._break(GIVEN_UP)
            raise
        self._resume()
        if size:
            self._note_received(stream, target, size)
        if loan.error is not None:  # the system reports it once: the event loop would find an orderly end
            self._own_error = loan.error
            self._wire.abort()

    def _receive_rest(self) -> None:
        """Receives the bytes that arrived before the connection broke.

        A server that refuses content responds and then breaks the connection. The event loop stops receiving when
        sending fails. With its TLS these bytes are lost.
        """
        if self._channel is not None:
            self._channel.receive_rest()
        if self._has_tls:
            return
        with suppress(OSError):
            while (stream := self._stream) is not None and (data := receive(descriptor_of(self._wire))):
                self._receive(stream, data)

    def _pause(self) -> None:
        """Pauses receiving, so that the server must wait."""
        if not self._is_paused:
            self._is_paused = True
            with suppress(RuntimeError):  # uvloop raises it of a connection that is closed
                self._wire.pause_reading()

    def _resume(self) -> None:
        self._is_paused = False
        self.is_active = True
        with suppress(RuntimeError):
            self._wire.resume_reading()

    # The exchange.

    def start(
        self,
        stream: ResponseStream,
        data: bytes,
        *,
        content: int,
        idle_timeout: float | None,
        outbox: Outbox | None = None,
    ) -> None:
        """Starts an exchange and sends the start of its request.

        Arguments:
            stream: the exchange. It is `HEAD`, and no other is in progress.
            data: the head, and the first piece of the content.
            content: how many bytes of `data` are content.
            idle_timeout: for how many seconds the server may be silent; None is without limit.
            outbox: what sends the bytes later, together with other requests. They are the whole request then. None
                sends them now.
        """
        self._stream = stream
        stream.connection = self
        self.idle_timeout = idle_timeout
        self.is_active = True
        outgoing = self.outgoing
        outgoing.handed = content
        outgoing.taken = 0
        if self._wire.is_closing():
            self._break(LOST)
        elif outbox is None:
            self._wire.write(data)
        else:
            self._request = data
            outbox.add(self)

    def send_request(self) -> None:
        """Sends a request that waits, unless its exchange has ended.

        An error ends the exchange, and only an interrupt is raised as well: other requests are sent after this one.
        """
        data = self._request
        if data is None or self._wire.is_closing():
            return
        self._request = None
        try:
            self._wire.write(data)
        except BaseException as error:
            self._break(of_end(error, has_head=False))
            if not isinstance(error, Exception):
                raise

    def fail_sending(self, error: OSError) -> None:
        """Ends the connection after an error of `send`, as the event loop does after an error of its own.

        A response that arrived before is received first.
        """
        if not self._wire.is_closing():
            if self._stream is not None and self._stream.head is None:
                self._receive_rest()
            self._own_error = error
            self._wire.abort()

    def note_accepted(self) -> None:
        """Records that all content was handed to the connection and accepted by it."""
        self.is_active = True
        self.outgoing.note_taken(self.outgoing.unsent())

    def receive_into(self, stream: ResponseStream, buffer: memoryview) -> None:
        """Lets the connection receive content directly into a buffer, as far as content is certain to follow."""
        if self._flow is not None:
            self._stop_flow()
        stream.filled = 0
        size = stream.receivable
        self._target = buffer[:size] if size else None

    def receive_into_scratch(self) -> None:
        """Ends `receive_into`: nothing writes to the buffer any more."""
        self._end_loan()
        self._target = None

    def note_read(self, stream: ResponseStream) -> None:
        """Resumes receiving, if it was paused and the reader has caught up."""
        if self._is_paused and stream.held <= BUFFER:
            self._resume()

    def end_upload(self, stream: ResponseStream) -> None:
        """Ends the wait for the content to be sent. A response that has ended by then is finished."""
        stream.is_uploading = False
        if stream.state is _DONE and self._stream is stream:
            self._finish(stream)

    def _finish(self, stream: ResponseStream, *, is_full: bool = False) -> None:
        """Gives the connection back after a response.

        If the last receive filled its buffer, or receiving is paused, TLS may hold bytes past the end, which another
        request must not get. A channel of our own hands over what does not fit into the buffer before anything else
        happens, the event loop in its next turn.
        """
        if self._stream is not stream or stream.is_uploading:
            return
        if self._is_paused and not self.outgoing.has_ended:
            self._resume()
            self._owner.loop.call_soon(self._finish, stream)
        elif is_full and self._has_tls_of_loop:
            self._owner.loop.call_soon(self._finish, stream)
        else:
            self._release(stream)
            if stream.is_sending:
                self._reset()
            self._owner.give_back(self, may_keep=stream.may_serve_another)

    def give_up(self, stream: ResponseStream, broken: Break = GIVEN_UP) -> None:
        """Cuts the connection off, if the exchange is still in progress on it."""
        if self._stream is stream:
            self._break(broken)

    def _break(self, broken: Break) -> None:
        """Ends the exchange with a failure, and the connection without waiting for the peer."""
        stream = self._stream
        if stream is None:
            self._wire.abort()
            return
        if stream.is_sending or self.outgoing.unsent():
            self._reset()
        stream.fail(LOST if broken.is_loss and self._request is not None else broken)
        self._release(stream)
        self._owner.give_up(self)
        stream.wake()
        self._wire.abort()

    def _reset(self) -> None:
        """Ends the connection at once, as a broken one: its end must not be taken for the end of the content."""
        if not self._wire.is_closing():
            reset_at_close(self._wire.get_extra_info("socket"))
        self._wire.abort()

    def _release(self, stream: ResponseStream) -> None:
        """Cuts the exchange and the connection apart."""
        if self._flow is not None:
            self._stop_flow()
        if self._loan is not None:
            self._loan.end()
            self._loan = None
        stream.connection = self._stream = self._target = self._request = None
        self._is_paused = False

    # Called by the pool.

    def break_off(self, broken: Break) -> None:
        """Ends the exchange in progress, if any, and the connection."""
        self._break(broken)

    def is_usable(self) -> bool:
        """Whether an idle connection can serve another request.

        According to its socket the server has neither closed it nor sent anything: the event loop may be late. Messages
        of TLS itself, such as session tickets, do not count, except with the TLS of the event loop.

        While the connection runs a task (see `prompt`), nothing can be received. That matters only if the task has made
        the loop one that may run within itself, and does so.
        """
        if self._wire.is_closing() or (self._is_waking and may_run_within_itself(self._owner.loop)):
            return False
        if not (self._poll or self._new_poll())(0):
            return self._channel is None or not self._channel.has_ended
        if self._channel is None:
            return False
        self._channel.receive()  # bytes and the end close it
        return not self._wire.is_closing()

    def has_news(self) -> bool:
        """Whether the socket received bytes, or the end, that the event loop has not seen yet."""
        return not self._wire.is_closing() and bool((self._poll or self._new_poll())(0))

    def _new_poll(self) -> "Callable[[int], Sequence[object]]":
        """Returns what waits for some milliseconds until the socket has received something, and says whether it has."""
        self._poll = readability(descriptor_of(self._wire)) or _see_nothing
        return self._poll

    def check(self, now: float) -> None:
        """Ends the exchange if the server has been silent for too long."""
        if self.is_active:
            self.is_active = False
            self.active_at = now
        elif self.idle_timeout is not None and now - self.active_at >= self.idle_timeout and not self._is_paused:
            self._note_silence()

    def _note_silence(self) -> None:
        """Keeps waiting as long as the server accepts content, since it does not respond before it has all of it.

        A loop that was blocked may not have seen bytes that have arrived: the next look decides.
        """
        unsent = self.outgoing.unsent()
        if self.outgoing.has_taken_more(unsent):
            self.outgoing.note_taken(unsent)
            self.is_active = True
        elif not self.has_news():
            self._break(Break(failures.SENDING_STALLED if unsent else failures.SERVER_SILENT))

    @property
    def _has_tls(self) -> bool:
        return self._channel is not None or self._has_tls_of_loop

    @property
    def has_stream(self) -> bool:
        """Whether an exchange is in progress."""
        return self._stream is not None

    @property
    def has_socket(self) -> bool:
        """Whether the connection still has a socket, so that its end will be reported."""
        if self._wire is None:
            return False
        connection = self._wire.get_extra_info("socket")
        return connection is not None and connection.fileno() >= 0

    def close(self) -> None:
        """Closes an idle connection, with the close handshake of TLS.

        Closed twice, the TLS of the event loop could not be aborted any more on Python 3.11.2.
        """
        if not self._wire.is_closing():
            self._wire.close()

    def cut_off(self) -> None:
        """Ends the connection at once."""
        self._wire.abort()

    def closed(self) -> "asyncio.Future[None]":
        """A future that is done once the connection has ended."""
        if self._closed is None:
            self._closed = self._owner.loop.create_future()
            if self.outgoing.has_ended:
                self._closed.set_result(None)
        return self._closed


def _see_nothing(milliseconds: int) -> tuple[()]:
    """Stands in for `poll` on a system that has none."""
    return ()
