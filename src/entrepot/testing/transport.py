"""HTTP transports for tests: one that records requests, and one that answers them by a function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from entrepot.raw.http import HttpBody, HttpRequest, HttpResponse, HttpTransport
from entrepot.raw.http.transport import Header, HttpHeaders


class MockBody(HttpBody):
    """The content of a response that was made up.

    Arguments:
        content: the bytes, or the pieces in which they arrive; a piece that is an exception is raised.

    Attributes:
        is_closed: whether the body was closed.
    """

    __slots__ = ("_pieces", "is_closed")

    def __init__(self, content: bytes | Iterable[bytes | Exception]) -> None:
        self._pieces = [content] if isinstance(content, bytes) else list(content)
        self.is_closed = False

    async def read(self, n: int) -> bytes:
        while self._pieces and self._pieces[0] == b"":
            del self._pieces[0]
        if not self._pieces:
            return b""
        piece = self._pieces[0]
        if isinstance(piece, Exception):
            raise piece
        self._pieces[0] = piece[n:]
        return piece[:n]

    async def close(self) -> None:
        self.is_closed = True


def reply(
    status: int, content: bytes | Iterable[bytes | Exception] = b"", headers: Iterable[Header] = ()
) -> HttpResponse:
    """A response for `MockTransport`, with exactly these headers.

    Arguments:
        status: the status code.
        content: its bytes, or the pieces in which they arrive.
        headers: names and values.
    """
    return HttpResponse(status, HttpHeaders(headers), MockBody(content))


class MockTransport(HttpTransport):
    """Answers each request by a function, and sends nothing.

    Arguments:
        handler: returns the response to a request, or raises the error of `send`. It may be a coroutine function,
            which can wait as a server does.

    Attributes:
        requests: all requests, in order.
        bodies: the content of each request when it was sent; `b""` without content.
        replies: all responses, in order.
    """

    def __init__(self, handler: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]) -> None:
        self._handler = handler
        self.requests: list[HttpRequest] = []
        self.bodies: list[bytes] = []
        self.replies: list[HttpResponse] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        self.bodies.append(b"".join(request.pieces))
        given = self._handler(request)
        response = given if isinstance(given, HttpResponse) else await given
        response.url = response.url or request.url
        self.replies.append(response)
        return response

    @property
    def open_bodies(self) -> int:
        """The number of responses that were not closed."""
        return sum(isinstance(response.body, MockBody) and not response.body.is_closed for response in self.replies)


class RecordingTransport(HttpTransport):
    """Passes every request on, and records it.

    Arguments:
        inner: the transport that sends; by default the one that operators use.

    Attributes:
        requests: all requests, in order.
        bodies: the content of each request when it was sent; `b""` without content.
        bytes_received: the number of bytes of content that were read.
        open_bodies: the number of responses that were not closed.
    """

    def __init__(self, inner: HttpTransport | None = None) -> None:
        self._inner = inner or _default_transport()
        self.requests: list[HttpRequest] = []
        self.bodies: list[bytes] = []
        self.bytes_received = 0
        self.open_bodies = 0

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        self.bodies.append(b"".join(request.pieces))
        response = await self._inner.send(request)
        self.open_bodies += 1
        response.body = _RecordedBody(self, response.body)
        return response

    async def close(self) -> None:
        await self._inner.close()

    def forget(self) -> None:
        """Empties the record and sets the count of bytes to zero."""
        self.requests.clear()
        self.bodies.clear()
        self.bytes_received = 0


class _RecordedBody(HttpBody):
    __slots__ = ("_inner", "_is_closed", "_recorder")

    def __init__(self, recorder: RecordingTransport, inner: HttpBody) -> None:
        self._recorder = recorder
        self._inner = inner
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        return self._inner.is_at_end

    async def read(self, n: int) -> bytes:
        data = await self._inner.read(n)
        self._recorder.bytes_received += len(data)
        return data

    async def readinto(self, buffer: memoryview) -> int:
        size = await self._inner.readinto(buffer)
        self._recorder.bytes_received += size
        return size

    def take_rest(self) -> bytes | None:
        rest = self._inner.take_rest()
        self._recorder.bytes_received += len(rest or b"")
        return rest

    async def close(self) -> None:
        self._recorder.open_bodies -= not self._is_closed
        self._is_closed = True
        await self._inner.close()


def _default_transport() -> HttpTransport:
    from entrepot.raw.http.choice import new_transport

    return new_transport()
