"""The content of a response, as it arrives."""

from collections.abc import Callable
from time import monotonic
from typing import TypeVar, TypeVarTuple

from entrepot.errors import Error
from entrepot.raw.http.arrived_body import ArrivedBody
from entrepot.raw.http.failures import CONTENT_CUT, CONTENT_RESET, SERVER_SILENT
from entrepot.raw.http.transport import HttpBody
from entrepot.raw.http.wire.exchange import State
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.runtime.inline import DeadlinePassed

from .call import Call
from .connection import LITTLE, MUCH, Connection
from .errors import Silent, malformed_content
from .pool import Turn
from .waiting import left_of

T = TypeVar("T")
Args = TypeVarTuple("Args")


class BlockingBody(HttpBody):
    """The body of a response, of which more is to come.

    What has arrived belongs to the body. The connection is given back as soon as the last byte has, and the body has no
    reference to it any more.

    Arguments:
        call: the request, whose head has arrived.
        turn: the turn of the request, which is given back when the body no longer needs the connection.
    """

    __slots__ = ("_arrived", "_exchange", "_idle", "_size", "_turn")

    def __init__(self, call: Call, turn: Turn) -> None:
        self._turn: Turn | None = turn
        self._exchange = call.exchange
        self._idle = call.idle
        self._arrived = ArrivedBody(call.content)
        self._size = LITTLE

    @property
    def is_at_end(self) -> bool:
        return self._exchange.state is State.DONE and self._arrived.is_at_end

    async def read(self, n: int) -> bytes:
        if n == 0:
            return b""
        self._note_use()
        if self._arrived.is_at_end and self._exchange.state is not State.DONE:
            self._arrived = ArrivedBody(self._received())
        return self._arrived.take(n)

    async def readinto(self, buffer: memoryview) -> int:
        """As `HttpBody.readinto`: content that has not arrived yet is received into the buffer, without a copy."""
        size = min(len(buffer), self._exchange.receivable)
        if size and self._arrived.is_at_end:
            self._note_use()
            return self._guarded(self._receive_into, buffer[:size])
        data = await self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _received(self) -> bytes:
        """Waits for content, and returns what has arrived; empty at the end."""
        return self._guarded(self._receive)

    def _guarded(self, receive: Callable[[Connection, *Args], T], *args: *Args) -> T:
        """Receives, and gives the connection back when the content has ended or cannot be continued."""
        connection = self._open()
        try:
            received = receive(connection, *args)
        except DeadlinePassed:  # the body can still be read
            raise
        except Error:
            raise
        except Silent:
            raise self._broken(SERVER_SILENT.error()) from None
        except MalformedResponse as error:
            raise self._broken(malformed_content(error)) from None
        except OSError:
            raise self._broken(self._incomplete()) from None
        except BaseException:  # such as Ctrl-C, after which nobody knows what was received
            self._break_off()
            raise
        if self._exchange.state is State.DONE:
            self._release()
        return received

    def _open(self) -> Connection:
        """The connection, if the response has not been broken off."""
        connection = None if self._turn is None else self._turn.connection
        if connection is None:
            raise CONTENT_CUT.error()
        connection.check_owner()
        return connection

    def _note_use(self) -> None:
        if self._turn is not None:
            self._turn.note_use()

    def _receive_into(self, connection: Connection, buffer: memoryview) -> int:
        size = connection.receive_into(buffer, self._idle)
        if size:
            self._exchange.note_received(size)
        else:
            self._end()
        return size

    def _receive(self, connection: Connection) -> bytes:
        """Receives until there is content, which alone starts the idle timeout again, or the end."""
        started, limit = monotonic(), self._idle
        while True:
            data = connection.receive(self._size, limit)
            if not data:
                self._end()
                return b""
            if len(data) == self._size == LITTLE:
                self._size = MUCH
                connection.acknowledge()
            content = self._exchange.take(data)
            if content or self._exchange.state is State.DONE:
                return content
            limit = left_of(self._idle, started)

    def _end(self) -> None:
        self._exchange.end(is_orderly=True)
        if self._exchange.state is not State.DONE:
            raise self._broken(CONTENT_CUT.error())

    def _incomplete(self) -> Error:
        head = self._exchange.head
        is_reset = head is not None and head.ends_with_connection
        return CONTENT_RESET.error() if is_reset else CONTENT_CUT.error()

    def _broken(self, error: Error) -> Error:
        self._break_off()
        return error

    def _break_off(self) -> None:
        self._exchange.end(is_orderly=False)
        self._release()

    def _release(self) -> None:
        """Gives the turn back, if it has not been. Its next user may get it at once."""
        turn, self._turn = self._turn, None
        if turn is not None and turn.connection is not None:
            turn.give_back(may_keep=self._exchange.may_serve_another and not turn.connection.has_more())

    async def close(self) -> None:
        if self._turn is not None:
            self._break_off()
