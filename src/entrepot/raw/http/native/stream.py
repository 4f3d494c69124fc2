"""One exchange, and what was received of its response.

Theory of operation. What a response has received belongs to the `ResponseStream`, and never to the connection: content
that is read late is read from here, while the connection may already serve another request. `connection` is set from
the start of the exchange until the connection is given back or has ended, and is None from then on. Only the connection
calls `take`, `add`, `fail` and `wake`; only the task of the request, and then the reader of the body, waits.

One task waits at a time. It waits for anything new, and then looks for itself: a head, content, the end or a failure. A
wait that is cancelled changes nothing.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from entrepot.errors import InvalidInput
from entrepot.raw.http.wire.exchange import Exchange, State

from .breaks import Break
from .prompt import PromptWait

if TYPE_CHECKING:
    from .connection import Connection

_DONE: Final = State.DONE  # a member of an enumeration takes longer to look up


class ResponseStream(Exchange):
    """One exchange, and what was received of its response.

    Arguments:
        method: the method of the request. A response to HEAD has no content.
        loop: the event loop of the connection.

    Attributes:
        connection: the connection, until it is given back or has ended.
        failure: why no more will arrive, if the response has not ended.
        filled: how many bytes the connection has received into the buffer of the reader that waits.
        held: how many bytes of content wait to be read.
        is_sending: whether content of the request has not been handed to the connection, or not been accepted by it.
        is_uploading: whether the task of the request still waits until the content is sent or refused.
        loop: the event loop of the connection.
    """

    __slots__ = (
        "_at",
        "_first",
        "_later",
        "_waiter",
        "connection",
        "failure",
        "filled",
        "held",
        "is_sending",
        "is_uploading",
        "loop",
    )

    def __init__(self, method: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(has_content=method != "HEAD")
        self.loop = loop
        self.connection: Connection | None = None
        self.failure: Break | None = None
        self.held = self.filled = 0
        self.is_sending = self.is_uploading = False
        self._first = b""  # the piece that is read next; empty if no content waits
        self._at = 0  # where content begins in it that was not read yet
        self._later: deque[bytes] | None = None  # the pieces after it: most responses have one piece
        self._waiter: asyncio.Future[None] | PromptWait | None = None

    @property
    def is_refused(self) -> bool:
        """Whether there is a response and it is not a success, so that the rest of the content is not sent."""
        return self.head is not None and not 200 <= self.head.status < 300

    @property
    def has_ended(self) -> bool:
        """Whether all content has arrived."""
        return self.state is _DONE

    def add(self, content: bytes) -> None:
        """Keeps content until it is read."""
        if not self.held:
            self._first = content
        elif self._later is None:
            self._later = deque((content,))
        else:
            self._later.append(content)
        self.held += len(content)

    def content(self, n: int) -> bytes:
        """Content that has arrived, up to `n` bytes; empty if there is none."""
        piece, at = self._first, self._at
        if len(piece) - at > n:
            self._at += n
            piece = piece[at : at + n]
        else:
            self._go_on()
            piece = piece[at:] if at else piece
        self.held -= len(piece)
        return piece

    def _go_on(self) -> None:
        """Takes the next piece, if there is one, in the place of the first one, which was read."""
        self._first = self._later.popleft() if self._later else b""
        self._at = 0

    def whole_content(self) -> bytes:
        """All content that has arrived, in one piece."""
        if self._at or self._later:
            pieces: list[bytes] = []
            while self.held:
                pieces.append(self.content(self.held))
            return b"".join(pieces)
        content, self._first, self.held = self._first, b"", 0
        return content

    def content_into(self, buffer: memoryview) -> int:
        """Copies content that has arrived into a buffer. Returns the number of bytes."""
        filled = 0
        while self._first and filled < len(buffer):
            piece, at = self._first, self._at
            size = min(len(piece) - at, len(buffer) - filled)
            buffer[filled : filled + size] = memoryview(piece)[at : at + size]
            filled += size
            if at + size == len(piece):
                self._go_on()
            else:
                self._at += size
        self.held -= filled
        return filled

    def put_back(self, content: bytes) -> None:
        """Puts content back that was not handed out. It came before all that waits, of which nothing was read yet."""
        if self.held:
            self._later = deque((self._first, *(self._later or ())))
        self._first = content
        self.held += len(content)

    def news(self) -> "asyncio.Future[None]":
        """A future that is done once the connection has something new. `wake` forgets it.

        Raises:
            InvalidInput: another task waits already, or was woken with content in its buffer and has not run yet.
        """
        if self.filled or self.is_awaited:
            raise InvalidInput("another task reads this body: read it by one task at a time")
        waiter = self._waiter = self.loop.create_future()
        return waiter

    @property
    def is_awaited(self) -> bool:
        """Whether a task waits, and was not woken yet."""
        return self._waiter is not None and not self._waiter.done()

    def prompt_news(self) -> PromptWait:
        """A wait until the connection has something new, whose task goes on at once: for the task of the request."""
        waiter = self._waiter = PromptWait(self.loop)
        return waiter

    def wake(self, *, at_once: bool = False) -> None:
        """Wakes the task that waits.

        Arguments:
            at_once: whether it may go on before this returns, if it waits for `prompt_news`.
        """
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if waiter.done():
                return
            if at_once and isinstance(waiter, PromptWait):
                waiter.end_at_once()
            else:
                waiter.set_result(None)

    def fail(self, broken: Break) -> None:
        """Ends the exchange. The first failure stays: later ones are its consequences, such as a failed send."""
        if self.failure is None:
            self.failure = broken
        self.end(is_orderly=False)
