"""How a request is sent. Services and layers see only what is here, never the library that does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from entrepot.errors import Unsupported

Header = tuple[str, str]
Content = bytes | memoryview | tuple[bytes | memoryview, ...]


@dataclass(slots=True)
class HttpRequest:
    """One request, ready for the wire: nothing is added to it but what the connection needs.

    Arguments:
        method: such as `"GET"`.
        url: absolute and percent-encoded; sent as it stands.
        headers: names and values, in order.
        body: the content, or None for a request without. A tuple is pieces of it that are sent one after the other,
            so that nobody needs to join them. A memoryview is contiguous, and what it shows stays as it is until the
            reply. Its length is stated in the Content-Length, which a POST or PUT without content
            states too; no other header is made from it.
        connect_timeout: seconds until a connection stands, above 0; None is what the transport does anyway.
        idle_timeout: seconds without a byte from the server, nor one of the content taken by it, above 0; likewise.
    """

    method: str
    url: str
    headers: Sequence[Header] = ()
    body: Content | None = None
    connect_timeout: float | None = None
    idle_timeout: float | None = None

    def with_headers(self, headers: Sequence[Header]) -> HttpRequest:
        """The same request with other headers. Signing makes one for every request, so it is made by hand."""
        return HttpRequest(self.method, self.url, headers, self.body, self.connect_timeout, self.idle_timeout)

    def with_timeouts(self, connect: float | None, idle: float | None) -> HttpRequest:
        """The same request with other limits."""
        return HttpRequest(self.method, self.url, self.headers, self.body, connect, idle)

    @property
    def pieces(self) -> tuple[bytes | memoryview, ...]:
        """The content, in the pieces that it is given in."""
        if isinstance(self.body, tuple):
            return self.body
        return () if self.body is None else (self.body,)

    @property
    def size(self) -> int:
        """How many bytes the content has."""
        if isinstance(self.body, bytes):
            return len(self.body)
        return sum(memoryview(piece).nbytes for piece in self.pieces)

    def with_content(self, body: Content) -> HttpRequest:
        """The same request with other content."""
        return HttpRequest(self.method, self.url, self.headers, body, self.connect_timeout, self.idle_timeout)


class HttpHeaders(dict[str, str]):
    """Headers of a reply by name, in lower case. Values of a repeated name are joined by a comma.

    A dict, since several are looked up in every reply.

    Arguments:
        headers: names in any case, and values.
    """

    __slots__ = ()

    def __init__(self, headers: Iterable[Header] = ()) -> None:
        super().__init__()
        for name, value in headers:
            key = name.lower()
            self[key] = f"{self[key]}, {value}" if key in self else value


class HttpBody:
    """The content of a reply, as it arrives."""

    __slots__ = ()

    @property
    def is_at_end(self) -> bool:
        """Whether all of the content has come and was read, as far as is known without asking. False says nothing."""
        return False

    async def read(self, n: int) -> bytes:
        """Up to `n` bytes, at least one; `b""` is the end. Content that arrived is taken without waiting.

        Raises:
            ContentIncomplete: the connection ended before the content did.
            Timeout: nothing came for too long.
        """
        raise Unsupported("this body cannot be read")

    async def close(self) -> None:
        """Gives the connection back, or closes it when content is still to come. Never waits for that content."""


@dataclass(slots=True)
class HttpResponse:
    """One reply. Its body must be closed, read or not.

    Arguments:
        status: the status code.
        headers: the headers.
        body: the content as sent, not decoded.
        url: what was asked for at last, which differs from the request's after a redirect.
    """

    status: int
    headers: HttpHeaders
    body: HttpBody
    url: str = ""


class HttpTransport:
    """Sends requests. To write one, write `send`; a layer wraps one and passes it on in the context."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends a request and waits for the head of the reply. Redirects are not followed.

        A reply that refuses the content ends its sending. A cancelled call leaves no connection behind.
        The request belongs to the caller, who may send it again: what changes it sends a copy (`with_headers` ...).

        Raises:
            Timeout: no connection or no reply in time, or the content was not taken. Temporary.
            Unexpected: no connection, one that broke, or a reply that is not HTTP. Temporary.
        """
        raise Unsupported("this transport cannot send")

    async def close(self) -> None:
        """Closes the idle connections of the running loop now. What is in flight goes on to its end."""
