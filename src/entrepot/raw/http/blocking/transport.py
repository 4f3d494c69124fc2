"""The transport itself."""

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final, NamedTuple

from entrepot.raw.few_files import is_of_too_many_files
from entrepot.raw.http.arrived_body import ArrivedBody
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.raw.http.dead_connections import REPEATABLE, is_given_up_early
from entrepot.raw.http.origin import Origin
from entrepot.raw.http.origins import Origins
from entrepot.raw.http.transport import HttpBody, HttpRequest, HttpResponse
from entrepot.raw.http.wire.exchange import State
from entrepot.raw.runtime.inline import DeadlinePassed

from .body import BlockingBody
from .call import Call
from .connect import Connecting
from .connection import Connection
from .errors import Lost
from .pool import Key, Pool, Turn

_DONE: Final = State.DONE  # a member of an enumeration takes longer to look up


class _Destination(NamedTuple):
    """One origin, and the key of its connections in the pool."""

    origin: Origin
    key: Key


class BlockingTransport(ConfiguredTransport):
    """Sends requests on blocking sockets, for the inline runtime: every wait blocks the calling thread.

    Any number of threads share the connections. They close when the transport is closed or garbage-collected, or when
    the interpreter ends, and are not shared with a forked child. A GET or HEAD is sent once more, immediately, if the
    server turns out to have closed the kept connection (RFC 9112, 9.3.1); other requests are never repeated.

    A timeout of the inline runtime ends a wait for the server, but not the lookup of its name, which the system makes
    and which takes as long as it takes.

    The arguments are those of `ConfiguredTransport`, whose limits are those of the process.
    """

    def _start(self) -> None:
        self._pool = Pool(self._limits)
        self._origins = Origins(partial(_destination, self._new_origin))

    async def send(self, request: HttpRequest) -> HttpResponse:
        destination, target = self._origins.split(request)
        if not self._tls.is_ready:
            self._tls.load()
        head = destination.origin.head.write(request, target)
        try:
            return self._respond(request, destination, head)
        except Lost as lost:
            if request.method not in REPEATABLE:
                raise lost.error from None
        return self._respond(request, destination, head, is_new=True)

    def _respond(
        self, request: HttpRequest, destination: _Destination, head: bytes, *, is_new: bool = False
    ) -> HttpResponse:
        """Sends a request on a connection, and returns the response.

        Arguments:
            request: the request.
            destination: where to.
            head: its head.
            is_new: whether it must have a new connection.

        Raises:
            Lost: the connection was a kept one, and ended without a response.
            Error: all else.
        """
        timeouts = self._timeouts.of_request(request)
        turn, connection = self._connection(destination, timeouts.connect, is_new=is_new)
        call = Call(connection, timeouts.idle, has_content=request.method != "HEAD")
        started = monotonic()
        try:
            received = call.send(head, request.pieces)
        except BaseException as error:
            turn.give_back(may_keep=False)
            is_silent = connection.has_responded and call.exchange.head is None
            if is_silent and not is_given_up_early(error, started, DeadlinePassed):
                self._pool.drop_kept(destination.key)
            if isinstance(error, Lost) and not connection.has_responded:
                raise error.error from None
            raise
        connection.has_responded = True
        return HttpResponse(received.status, received.headers, self._body_of(call, turn), request.url)

    def _body_of(self, call: Call, turn: Turn) -> HttpBody:
        """The body of a response. One that has arrived completely needs the connection no more."""
        exchange = call.exchange
        if exchange.state is _DONE:
            may_keep = exchange.may_serve_another and not call.connection.has_more()
            self._pool.give_back(turn, may_keep=may_keep)
            return ArrivedBody(call.content)
        self._pool.note_use()
        return BlockingBody(call, turn)

    def _connection(self, destination: _Destination, seconds: float | None, *, is_new: bool) -> tuple[Turn, Connection]:
        """A turn and its connection. With too many open files, the request waits for another one's."""
        while True:
            turn = self._pool.take(destination.key, is_new=is_new)
            try:
                return turn, turn.connection or self._connected(turn, destination.origin, seconds)
            except BaseException as error:
                if not (is_of_too_many_files(error) and self._pool.shrink(turn)):
                    turn.give_back(may_keep=False)
                    raise

    def _connected(self, turn: Turn, origin: Origin, seconds: float | None) -> Connection:
        generation = self._pool.generation  # of the start: the transport may be closed meanwhile
        connection = Connecting(origin, self._tls.context, seconds, turn).connect()
        connection.generation = generation
        return connection

    async def close(self) -> None:
        """Closes the idle connections now, and each of the others when its response has ended."""
        self._pool.close_idle()


def _destination(new_origin: Callable[[str, bool], Origin], text: str, is_direct: bool) -> _Destination:
    origin = new_origin(text, is_direct)
    address, proxy = origin.address, origin.proxy
    key = address.host, address.port, origin.is_tls, None if proxy is None else proxy.origin
    return _Destination(origin, key)
