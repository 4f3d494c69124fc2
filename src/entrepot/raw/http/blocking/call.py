"""One request on a connection, up to the head of its response.

Theory of operation. The head goes out with the first piece of the content, usually in one system call. If the peer does
not accept all of it at once, the thread waits until the connection can send *or* receive, since a server may refuse the
content before it has all of it:

- a response that is not a success ends the sending, and the connection with its body;
- a success that comes early does not: the rest must be accepted, or the success means nothing;
- if the connection breaks while content is sent, what has been received before is still read: a server that refuses
  content often responds and then resets the connection.

The server may be silent for the idle timeout. It starts when content was handed to the system, and starts again as long
as the server acknowledges more of it, since it does not respond before it has all. Nothing else starts it again, so a
head that arrives byte by byte times out.
"""

from collections.abc import Iterator, Sequence
from time import monotonic

from entrepot.errors import Error
from entrepot.raw.http.failures import (
    CONNECTION_LOST,
    NO_RESPONSE,
    SENDING_STALLED,
    SERVER_SILENT,
    SUCCESS_TOO_EARLY,
    reason_of,
)
from entrepot.raw.http.wire.exchange import Exchange
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.pieces import cut
from entrepot.raw.http.wire.response_head import NotHttp, ResponseHead
from entrepot.raw.runtime.inline import DeadlinePassed

from .connection import LITTLE, Connection
from .errors import Lost, Silent, malformed
from .waiting import WRITE, left_of


class Call:
    """Sends one request, and receives the head of its response.

    Arguments:
        connection: the connection, which nothing else uses.
        has_content: whether the response can have content. A response to HEAD has none.
        idle: for how many seconds the server may be silent; None is without limit.

    Attributes:
        connection: the connection.
        exchange: the state of the response.
        idle: the idle timeout.
        content: the content that came with the head.
    """

    __slots__ = ("_accepted", "_handed", "connection", "content", "exchange", "idle")

    def __init__(self, connection: Connection, idle: float | None, *, has_content: bool) -> None:
        self.connection = connection
        self.exchange = Exchange(has_content=has_content)
        self.idle = idle
        self.content = b""
        self._handed = 0
        self._accepted = 0

    def send(self, head: bytes, content: Sequence[bytes | memoryview]) -> ResponseHead:
        """Sends a request and waits for the head of the response.

        Raises:
            Lost: the connection ended without a response.
            Timeout: the server was silent.
            Unexpected: the response is not valid, or a success came too early.
            DeadlinePassed: the deadline of the runtime has passed.
        """
        try:
            if content:
                self._send_with_content(head, content)
            else:
                self._send_start(head)
            if self.exchange.head is None or not self._is_refused:
                self.exchange.request_sent()
            else:
                self.connection.reset_at_close()
            self._await_head()
        except NotHttp as error:  # bytes after the previous response, which must not have any, are not HTTP
            raise Lost(malformed(error)) from None
        except MalformedResponse as error:
            raise malformed(error) from None
        except Silent:
            raise self._timeout() from None
        except (Error, DeadlinePassed):  # these are errors of the system as well
            raise
        except OSError as error:
            raise Lost(CONNECTION_LOST.error(reason_of(error))) from None
        received = self.exchange.head
        assert received is not None
        if self._handed and self.connection.unacknowledged():
            self.exchange.forbid_reuse()
        return received

    def _send_with_content(self, head: bytes, content: Sequence[bytes | memoryview]) -> None:
        pieces = cut(content)
        first = next(pieces, b"")
        self._handed = len(first)
        try:
            self._send_start(b"".join((head, first)))
            self._send_rest(pieces)
        except BaseException:
            self.connection.reset_at_close()
            raise

    def _send_start(self, start: bytes) -> None:
        sent = self.connection.send_now(start)
        if sent < len(start):
            self._send_piece(memoryview(start)[sent:])

    def _send_rest(self, pieces: Iterator[bytes | memoryview]) -> None:
        for piece in pieces:
            self._handed += len(piece)
            self._send_piece(memoryview(piece))
            if self._is_refused:
                return

    def _send_piece(self, left: memoryview) -> None:
        """Sends bytes, until a refusal ends it."""
        while left and not self._is_refused:
            events = self._wait_while_sending()
            if self.exchange.head is None and events & ~WRITE:
                self._receive_while_sending()
            if events & WRITE and not self._is_refused:
                left = left[self._send_more(left) :]

    def _wait_while_sending(self) -> int:
        """Waits until the server accepts content, or responds. After a success, it must accept the rest."""
        connection = self.connection
        while True:
            try:
                if self.exchange.head is None:
                    return connection.wait_any(self.idle)
                connection.wait_writable(self.idle)
            except Silent:
                if self.exchange.head is not None:
                    raise SUCCESS_TOO_EARLY.error() from None
                if not self._accepts_more():
                    raise
            else:
                return WRITE

    def _send_more(self, left: memoryview) -> int:
        try:
            return self.connection.send_now(left)
        except OSError:
            if self.exchange.head is not None:
                raise SUCCESS_TOO_EARLY.error() from None
            self._receive_after_failure()
            if self._is_refused:
                return len(left)
            raise

    def _receive_after_failure(self) -> None:
        """Receives what arrived before the connection broke."""
        while self.exchange.head is None:
            try:
                data = self.connection.receive_now(LITTLE)
            except OSError:
                return
            if not data:
                return
            self.content = self.exchange.take(data)

    def _receive_while_sending(self) -> None:
        data = self.connection.receive_now(LITTLE)
        if data is not None:
            self._take(data)

    def _await_head(self) -> None:
        """Waits for the head, as long as the server may be silent or accepts more of the content."""
        exchange, connection = self.exchange, self.connection
        started, limit = monotonic(), self.idle
        while exchange.head is None:
            try:
                self._take(connection.receive(LITTLE, limit))
                if exchange.head is None:
                    limit = left_of(self.idle, started)
            except Silent:
                if not self._accepts_more():
                    raise
                started, limit = monotonic(), self.idle

    def _take(self, data: bytes) -> None:
        if not data:
            raise Lost(NO_RESPONSE.error())
        self.content = self.exchange.take(data)

    @property
    def _is_refused(self) -> bool:
        """Whether there is a response and it is not a success, so that the rest of the content is not sent."""
        head = self.exchange.head
        return head is not None and not 200 <= head.status < 300

    def _accepts_more(self) -> bool:
        """Whether the server has acknowledged more of the content since this was last asked."""
        accepted, self._accepted = self._accepted, self._handed - self.connection.unacknowledged()
        return self._accepted > accepted

    def _timeout(self) -> Error:
        is_stalled = self._handed and self.connection.unacknowledged()
        return SENDING_STALLED.error() if is_stalled else SERVER_SILENT.error()
