"""One request and its response on a connection, without I/O.

Theory of operation. A transport makes an `Exchange` when it hands a connection to a request, and gives the exchange
every byte that the connection receives from then on, until the exchange of the next request takes its place:

    HEAD --- take: the final head ---> CONTENT --- take: the last byte of content ---> DONE
      |                                   |
      +--- malformed, or the end ---------+---> BROKEN

`HEAD` passes over informational responses. A response without content goes from `HEAD` to `DONE` in one receive.
Content that only the connection ends is `DONE` when the connection ends in order. Nothing leaves `DONE` or `BROKEN`.

An exchange belongs to one response and is never used for another, so a response that is read late sees its own state,
and cannot see bytes of the next response. It keeps no content: `take` returns the content in the bytes, and the object
of the response keeps it. So a connection is idle when its exchange is `DONE`, and nothing points at it.

`may_serve_another` is the only verdict on the connection. All of this must hold: its response is `DONE`, and ended
exactly at the last byte received; the whole request was sent before the head of the response; the end was not
ambiguous; nothing has arrived since. A byte past the end, in the same receive or while the connection is idle, would be
read as the next response, so it ends the verdict for good. Bytes that the system has received and the transport has not
read are not known here: a transport looks for them (`sockets.readability`) before it sends the next request.

An exchange takes no lock. It belongs to the task or thread that owns the connection.
"""

from enum import Enum, auto
from typing import Final

from .framing import Framing, MalformedResponse
from .response_head import HeadReader, ResponseHead, whole_head


class State(Enum):
    """How far the response of an exchange has come."""

    HEAD = auto()
    """Its final head has not arrived."""

    CONTENT = auto()
    """Its content arrives."""

    DONE = auto()
    """All of it has arrived."""

    BROKEN = auto()
    """It is malformed, was given up, or ended too early: no more of it will arrive."""


# A member of an enumeration takes 0.07 us to look up, in each request several times.
_HEAD: Final = State.HEAD
_CONTENT: Final = State.CONTENT
_DONE: Final = State.DONE
_BROKEN: Final = State.BROKEN


class Exchange:
    """One request on a connection, and its response.

    Arguments:
        has_content: whether the response can have content. A response to HEAD has none, whatever its headers say.

    Attributes:
        state: how far the response has come.
        head: the final head; None before it has arrived.
        is_exact: whether nothing has arrived past the end of the response, and its end is not ambiguous.
    """

    __slots__ = ("_framing", "_has_content", "_is_sent", "_may_keep", "_reader", "head", "is_exact", "state")

    def __init__(self, *, has_content: bool) -> None:
        self.state = _HEAD
        self.head: ResponseHead | None = None
        self._has_content = has_content
        self._is_sent = False
        self._may_keep = True
        self.is_exact = True
        self._reader: HeadReader | None = None  # most heads need none
        self._framing: Framing | None = None  # nor does content that arrives with the head

    def request_sent(self) -> None:
        """Records that the last byte of the request is handed to the connection.

        A transport that can see that the server has not accepted all of it yet calls `forbid_reuse` when the head
        arrives.
        """
        self._is_sent = True

    def take(self, data: bytes | memoryview) -> bytes:
        """Takes bytes that the connection has received, and returns the content in them.

        Arguments:
            data: the bytes. Of a memoryview, only a copy is kept: one of the content, even if the head is before it.

        Raises:
            MalformedResponse: the response breaks the rules of HTTP, or exceeds a bound. The exchange is `BROKEN`.
        """
        try:
            if self.state is _HEAD:
                return self._take_head(data)
            if self.state is _CONTENT:
                return self._take_content(bytes(data))
        except MalformedResponse:
            self.state = _BROKEN
            raise
        if data:
            self.is_exact = False
        return b""

    def _take_head(self, data: bytes | memoryview) -> bytes:
        received = whole_head(data, self._has_content) if self._reader is None else None
        if received is None and (received := self._read_head(bytes(data))) is None:
            return b""
        head, content = received
        self.head = head
        self._may_keep = self._may_keep and self._is_sent and head.may_keep
        if head.length == len(content):  # the usual small response
            self.state = _DONE
            return content
        self._framing = head.framing()
        self.state = _CONTENT
        return self._take_content(content)

    def _read_head(self, data: bytes) -> tuple[ResponseHead, bytes] | None:
        if self._reader is None:
            self._reader = HeadReader(has_content=self._has_content)
        return self._reader.take(data)

    def _take_content(self, data: bytes) -> bytes:
        framing = self._framing
        assert framing is not None
        content = framing.take(data)
        self._note_end(framing)
        return content

    def _note_end(self, framing: Framing) -> None:
        if framing.is_at_end:
            self.state = _DONE
            self.is_exact = framing.is_exact

    @property
    def receivable(self) -> int:
        """How many bytes of content may be received into a buffer now without `take`; 0 if none.

        A transport that receives them calls `note_received`, and receives no more than this.
        """
        return self._framing.receivable if self._framing is not None and self.state is _CONTENT else 0

    def note_received(self, size: int) -> None:
        """Records that `size` bytes of content, at most `receivable`, were received into a buffer."""
        framing = self._framing
        assert framing is not None
        framing.note_received(size)
        self._note_end(framing)

    def end(self, *, is_orderly: bool) -> None:
        """Records that the connection has ended.

        Arguments:
            is_orderly: whether the server closed it, and it was not reset, and did not break. Only an orderly end is
                the end of content that has no other.
        """
        self._may_keep = False
        if self.state is _CONTENT and is_orderly and self.head is not None and self.head.ends_with_connection:
            self.state = _DONE
        elif self.state is not _DONE:
            self.state = _BROKEN

    def forbid_reuse(self) -> None:
        """Ends the verdict for a reason of the transport, such as a request that the server has not accepted yet."""
        self._may_keep = False

    @property
    def may_serve_another(self) -> bool:
        """Whether the connection can serve another request. It is decided only here."""
        return self._may_keep and self.is_exact and self.state is _DONE
