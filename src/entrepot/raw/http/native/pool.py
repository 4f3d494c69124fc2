"""The connections of one event loop.

Theory of operation. A request first takes a slot (`slots`), of which there are as many as connections may be in use.
Then it takes the connection to its origin that was used last, or makes one.

A request whose kept connection turns out to be dead (`raw/http/dead_connections.py`) is sent once more if it is a GET
or HEAD, or if nothing of it was sent.

A pool closes itself, once retired (`raw/http/pools.py`), when the last request in flight has ended (`settle`, called at
the end of each request and of each body). All of this runs on one event loop.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Final

from entrepot.errors import Error
from entrepot.raw.few_files import is_of_too_many_files
from entrepot.raw.http import failures
from entrepot.raw.http.arrived_body import ArrivedBody
from entrepot.raw.http.configured import Limits, Timeouts
from entrepot.raw.http.dead_connections import REPEATABLE, is_given_up_early
from entrepot.raw.http.origin import Origin
from entrepot.raw.http.origins import Origins
from entrepot.raw.http.tls import Tls
from entrepot.raw.http.transport import HttpBody, HttpRequest, HttpResponse

from . import sending
from .body import NativeBody
from .breaks import CLOSED, LOST, Break
from .connection import SCRATCH, SHORT, Connection
from .dialer import Dialer
from .loan import Lender
from .outbox import Outbox
from .slots import Slots
from .stream import ResponseStream
from .sweep import NEVER, Sweep

_FEW: Final = 2
"""With as many requests in flight, a request is sent at once, and does not wait for others (see `outbox`)."""

_KEPT_PART: Final = 0.9
"""The part of the keep-alive time after which a connection is closed. The sweep adds up to a tenth."""


class Pool:
    """The connections of one event loop.

    Arguments:
        tls: the TLS configuration.
        timeouts: the connect and idle timeouts.
        limits: how many connections there may be, and for how long.
        origins: the origins of requests.

    Attributes:
        is_closed: whether all connections are closed, and no more can be made.
        lender: lends the sockets of the connections to threads.
        loop: the event loop.
        scratch: the buffer that all connections receive into.
    """

    def __init__(self, tls: Tls, timeouts: Timeouts, limits: Limits, origins: Origins[Origin]) -> None:
        self.loop = asyncio.get_running_loop()
        self.lender = Lender(self.loop)
        self.scratch = memoryview(bytearray(SCRATCH))
        self.is_closed = False
        self._timeouts = timeouts
        self._limits = limits
        self._most_kept = NEVER if limits.idle is None else limits.idle
        self._dialer = Dialer(self.loop, tls)
        self._origins = origins
        self._sweep = Sweep(self.loop, self._check)
        self._slots = Slots(self.loop, limits, self._sweep)
        self._made: set[Connection] = set()
        self._new: set[Connection] = set()  # their requests do not have them yet
        self._kept: defaultdict[Hashable, list[Connection]] = defaultdict(list)
        self._outbox = Outbox(self.loop)
        self._sending = 0
        self._is_retired = False

    # Requests.

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends a request and waits for the head of the response."""
        self._sending += 1
        try:
            stream = await self._attempt(request) or await self._attempt(request, is_repeated=True)
            assert stream is not None
            return self._response(request, stream)
        finally:
            self._sending -= 1
            if self._is_retired:
                await self.settle()

    async def _attempt(self, request: HttpRequest, *, is_repeated: bool = False) -> ResponseStream | None:
        """Sends a request once. Returns the exchange with the head of the response; None if it may be sent once more.

        Arguments:
            request: the request.
            is_repeated: whether this is the second attempt, which has a new connection and is the last.

        Raises:
            Error: there is no response.
        """
        origin, target = self._origins.split(request)
        head = origin.head.write(request, target)
        connect_timeout, idle_timeout = self._timeouts.of_request(request)
        slots = self._slots
        if is_repeated or slots.in_use >= slots.most or (connection := self._take(origin.key)) is None:
            connection = await self._connection(origin, connect_timeout, must_be_new=is_repeated)
        else:
            slots.in_use += 1
        was_kept, started = connection.has_served, monotonic()
        stream = ResponseStream(request.method, self.loop)
        try:
            if idle_timeout is not None and idle_timeout < self._sweep.period:  # rarely
                self._sweep.include(idle_timeout)
            content = request.body or b""
            if isinstance(content, bytes) and len(content) <= SHORT:
                stream.request_sent()
                outbox = self._outbox if slots.in_use > _FEW else None
                data = head + content
                connection.start(stream, data, content=len(content), idle_timeout=idle_timeout, outbox=outbox)
            else:
                await self._upload(connection, stream, head, request, idle_timeout)
            while stream.head is None and stream.failure is None:
                await stream.prompt_news()
        except BaseException as error:
            connection.give_up(stream)
            if was_kept and stream.head is None and not is_given_up_early(error, started):
                self._drop_kept(origin.key)
            raise
        if stream.head is not None:
            return stream
        if was_kept:
            self._drop_kept(origin.key)
        _check_repeatable(request, stream, was_kept=was_kept)
        return None

    def _response(self, request: HttpRequest, stream: ResponseStream) -> HttpResponse:
        head = stream.head
        assert head is not None
        body: HttpBody
        if stream.connection is None and stream.has_ended:
            body = ArrivedBody(stream.whole_content())
        else:
            self._slots.was_used = True
            body = NativeBody(stream, note_use=self.note_use, settle=self.settle)
        return HttpResponse(head.status, head.headers, body, request.url)

    async def _upload(
        self,
        connection: Connection,
        stream: ResponseStream,
        head: bytes,
        request: HttpRequest,
        idle_timeout: float | None,
    ) -> None:
        """Sends a request with content, until all of it is sent or refused."""
        sender = sending.start(connection, stream, head, request.pieces, idle_timeout)
        if sender is None:
            return
        try:
            await sending.accepted(stream, sender, idle_timeout)
        finally:
            stream.is_sending = stream.is_sending or not sender.done()
            sender.cancel()
            connection.end_upload(stream)

    def note_use(self) -> None:
        """Records activity on a connection, so that waiting requests keep waiting."""
        self._slots.was_used = True

    # Connections.

    async def _connection(self, origin: Origin, connect_timeout: float | None, *, must_be_new: bool) -> Connection:
        """A slot, and a connection in it.

        Raises:
            Timeout: all connections were inactive for too long, or the new one was not established in time.
            Error: no connection can be made.
        """
        while not self.is_closed:
            await self._slots.take()
            kept = None if must_be_new else self._take(origin.key)
            try:
                return kept or await self._connect(origin, connect_timeout)
            except BaseException as error:
                if not (is_of_too_many_files(error) and self._slots.shrink()):
                    self._slots.free()
                    raise
        raise failures.CONNECTIONS_CLOSED.error()

    def _take(self, key: Hashable) -> Connection | None:
        """The kept connection that was used last and that the server has not closed."""
        kept = self._kept.get(key)
        while kept:
            connection = kept.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    async def _connect(self, origin: Origin, timeout: float | None) -> Connection:  # noqa: ASYNC109
        made: list[Connection] = []

        def make() -> Connection:
            connection = Connection(self, origin.key)
            made.append(connection)
            self._new.add(connection)
            return connection

        try:
            connection = await self._dial(origin, make, timeout)
        except BaseException:
            # uvloop closes a connection whose creation is cancelled and never reports it.
            self._made.difference_update(connection for connection in made if not connection.has_socket)
            raise
        finally:
            self._new.difference_update(made)
        if self.is_closed:
            connection.cut_off()
            raise failures.CONNECTIONS_CLOSED.error()
        return connection

    async def _dial(self, origin: Origin, make: Callable[[], Connection], timeout: float | None) -> Connection:  # noqa: ASYNC109
        """Makes a connection. Unused ones are closed for it if there are too many open files."""
        try:
            return await self._dialer.connect(origin, make, timeout)
        except Error as error:
            if not is_of_too_many_files(error) or not await self._close_unused():
                raise
        return await self._dialer.connect(origin, make, timeout)

    async def _close_unused(self) -> int:
        """Closes the connections that no request has, and waits until they are closed. Returns their number."""
        unused = [made for made in self._made if not made.has_stream and made not in self._new]
        await self._cut_off(unused)
        return len(unused)

    @property
    def can_lend(self) -> bool:
        """Whether a socket may be lent to a thread: other requests are in flight, and a thread is free.

        One response at a time is received by the event loop in less time.
        """
        return self._slots.in_use > 1 and self.lender.can_lend

    def note_made(self, connection: Connection) -> None:
        self._made.add(connection)
        self._sweep.include(self._limits.idle_seconds)

    def note_lost(self, connection: Connection) -> None:
        self._made.discard(connection)
        kept = self._kept.get(connection.key)
        if kept and connection in kept:
            kept.remove(connection)

    def give_back(self, connection: Connection, *, may_keep: bool) -> None:
        kept = self._kept[connection.key]
        if may_keep and len(kept) < self._most_kept and (not self._is_retired or self._slots.are_awaited):
            connection.is_active = True
            kept.append(connection)
        else:
            connection.close()
        self._slots.was_used = True
        self._slots.free()

    def give_up(self, connection: Connection) -> None:
        self._slots.was_used = True
        self._slots.free()

    def _drop_kept(self, key: Hashable) -> None:
        """Cuts off the kept connections of an origin, after one of them turned out to be dead.

        The TLS close handshake is left out, since it would wait for the peer.
        """
        for connection in self._kept.pop(key, ()):
            connection.cut_off()

    # Time.

    def _check(self, now: float) -> float:
        """Ends what has timed out. Returns the shortest timeout in force."""
        shortest = NEVER
        for connection in [connection for connection in self._made if connection.has_stream]:
            connection.check(now)
            if connection.idle_timeout is not None:
                shortest = min(shortest, connection.idle_timeout)
        if self._expire_kept(now) or self._slots.in_use:
            shortest = min(shortest, self._limits.idle_seconds)
        return min(shortest, self._slots.end_patience(now))

    def _expire_kept(self, now: float) -> bool:
        """Closes connections that were kept long enough. Returns whether any are left."""
        for key, kept in list(self._kept.items()):
            expired = [connection for connection in kept if self._is_expired(connection, now)]
            self._kept[key] = [connection for connection in kept if connection not in expired]
            if not self._kept[key]:
                del self._kept[key]
            for connection in expired:
                connection.close()
        return bool(self._kept)

    def _is_expired(self, connection: Connection, now: float) -> bool:
        if connection.is_active:
            connection.is_active = False
            connection.active_at = now
        return now - connection.active_at >= _KEPT_PART * self._limits.idle_seconds

    # The end.

    async def retire(self) -> None:
        """Closes idle connections, and each of the others with its response, unless another request waits for it."""
        self._is_retired = True
        await self.settle()
        await self._close_unused()

    async def settle(self) -> None:
        """Closes the pool if it is retired and nothing is in flight."""
        if self._is_retired and not self._sending and not self._slots.in_use:
            await self.close()

    async def close(self) -> None:
        """Closes every connection, and waits until they are closed."""
        self.is_closed = True
        self._most_kept = 0
        self._sweep.stop()
        self._slots.end()
        self.lender.close()
        await self._cut_off(list(self._made))

    async def _cut_off(self, connections: list[Connection]) -> None:
        # uvloop closes a connection whose creation is cancelled and never reports it: waiting for that would not end.
        closing = [connection.closed() for connection in connections if connection.has_socket]
        for connection in connections:
            connection.break_off(CLOSED)
        await asyncio.gather(*closing, return_exceptions=True)


def _check_repeatable(request: HttpRequest, stream: ResponseStream, *, was_kept: bool) -> None:
    """Passes if a request without a response may be sent once more: its kept connection was dead.

    Raises:
        Error: it may not.
    """
    broken = stream.failure
    assert broken is not None
    if not (was_kept and broken.is_loss):
        raise broken.error()
    if not (request.method in REPEATABLE or broken is LOST):
        raise _lost(broken)


def _lost(broken: Break) -> Error:
    """The error of a request that was lost with its kept connection."""
    return failures.CONNECTION_LOST.error("" if broken.failure is not failures.CONNECTION_LOST else broken.reason)
