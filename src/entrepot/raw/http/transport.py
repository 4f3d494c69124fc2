"""The interface of HTTP transports. Services and layers use only this module, never the library that sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Self

from entrepot.errors import Unsupported
from entrepot.raw.overrides import keep_override

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

Header = tuple[str, str]
Content = bytes | memoryview | tuple[bytes | memoryview, ...]


@dataclass(slots=True)
class HttpRequest:
    """One request, ready to be sent: the transport adds only the headers that the connection needs.

    Arguments:
        method: such as `"GET"`.
        url: absolute and percent-encoded; sent unchanged.
        headers: names and values, in order. If they are a tuple, they are the same for many requests: what follows from
            them may be kept.
        body: the content, or None for a request without content. A tuple has pieces that are sent one after the other,
            without being joined. A memoryview must be contiguous, and its bytes must not change until the response. The
            transport adds a Content-Length, also to a POST or PUT without content, and no other header about it.
        connect_timeout: seconds until a connection is established, above 0; None is the setting of the transport.
        idle_timeout: seconds in which the server sends no byte and accepts no byte of the content, above 0; None is the
            setting of the transport.
        is_direct: whether to send it past any proxy, as a request to an address that only this machine reaches, such as
            the metadata service of a cloud.
        sign_again: set by a signer: returns the request with other headers, and signed again.
    """

    method: str
    url: str
    headers: Sequence[Header] = ()
    body: Content | None = None
    connect_timeout: float | None = None
    idle_timeout: float | None = None
    is_direct: bool = False
    sign_again: Callable[[HttpRequest, Sequence[Header]], HttpRequest] | None = field(
        default=None, repr=False, compare=False
    )

    def with_headers(self, headers: Sequence[Header]) -> HttpRequest:
        """The same request with other headers. A signed request is signed again, so a layer may add any header."""
        if self.sign_again is not None:
            return self.sign_again(self, headers)
        return HttpRequest(
            self.method, self.url, headers, self.body, self.connect_timeout, self.idle_timeout, self.is_direct
        )

    def with_timeouts(self, connect: float | None, idle: float | None) -> HttpRequest:
        """The same request with other timeouts."""
        return HttpRequest(
            self.method, self.url, self.headers, self.body, connect, idle, self.is_direct, self.sign_again
        )

    def signed(self, headers: Sequence[Header], sign_again: Callable[..., HttpRequest]) -> HttpRequest:
        """The same request with the headers of its signature. For signers."""
        return HttpRequest(
            self.method,
            self.url,
            headers,
            self.body,
            self.connect_timeout,
            self.idle_timeout,
            self.is_direct,
            sign_again,
        )

    @property
    def pieces(self) -> tuple[bytes | memoryview, ...]:
        """The content, in its pieces."""
        if isinstance(self.body, tuple):
            return self.body
        return () if self.body is None else (self.body,)

    @property
    def size(self) -> int:
        """The number of bytes of the content."""
        body = self.body
        if isinstance(body, bytes):  # most content, without a call
            return len(body)
        return 0 if body is None else content_size(body)

    def with_content(self, body: Content) -> HttpRequest:
        """The same request with other content."""
        return HttpRequest(
            self.method, self.url, self.headers, body, self.connect_timeout, self.idle_timeout, self.is_direct
        )


def with_added(request: HttpRequest, headers: Sequence[Header]) -> HttpRequest:
    """The request with more headers, except those that it has itself."""
    if not headers:
        return request
    own = {name.lower() for name, _ in request.headers}
    return request.with_headers([*request.headers, *(header for header in headers if header[0].lower() not in own)])


def content_size(content: Content) -> int:
    """The number of bytes of content."""
    if isinstance(content, bytes):
        return len(content)
    pieces = content if isinstance(content, tuple) else (content,)
    return sum(memoryview(piece).nbytes for piece in pieces)


class HashedContent(tuple[bytes | memoryview, ...]):  # noqa: SLOT001 - a tuple cannot have slots
    """Content in pieces whose SHA-256 is known, so that a signature need not wait for it.

    Arguments:
        pieces: the pieces.
        sha256: the digest, in hexadecimal.
    """

    sha256: str

    def __new__(cls, pieces: Iterable[bytes | memoryview], sha256: str) -> Self:
        content = super().__new__(cls, pieces)
        content.sha256 = sha256
        return content


class HttpHeaders(dict[str, str]):
    """Headers of a response by name, in lower case. Values of a repeated name are joined by a comma.

    It is a dict, since several headers are looked up in every response.

    Arguments:
        headers: names in any case, and values.
    """

    __slots__ = ()

    def __init__(self, headers: Iterable[Header] = ()) -> None:
        for name, value in headers:
            key = name.lower()
            self[key] = f"{self[key]}, {value}" if key in self else value


class HttpBody:
    """The content of a response, as it arrives."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        keep_override(cls, "read", "readinto", HttpBody.readinto)
        keep_override(cls, "read", "take_rest", HttpBody.take_rest)

    @property
    def is_at_end(self) -> bool:
        """Whether the whole content was read, as far as is known without waiting. False means unknown."""
        return False

    async def read(self, n: int) -> bytes:
        """Returns up to `n` bytes, at least one; `b""` is the end. It does not wait for more than has arrived.

        Raises:
            ContentIncomplete: the connection ended before the content did.
            Timeout: nothing arrived within the idle timeout.
        """
        raise Unsupported("this body cannot be read")

    async def readinto(self, buffer: memoryview) -> int:
        """Waits for at least one byte, receives up to `len(buffer)` into the buffer and returns their number.

        0 is the end, or an empty buffer. It does not wait until the buffer is full, but may receive more than once.
        When it returns or raises, also after a cancellation, nothing writes to the buffer any more. By default it
        copies the result of `read`, also in a subclass that overrides `read` alone.

        Arguments:
            buffer: writable, of one dimension, with items of the format "B".

        Raises:
            ContentIncomplete: the connection ended before the content did.
            Timeout: nothing arrived within the idle timeout.
        """
        data = await self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def take_rest(self) -> bytes | None:
        """Returns the content that was not read yet, if all of it has arrived: `read` then returns the end.

        None means that only `read` finds it out, as it does by default, also in a subclass that overrides `read` alone.
        It saves the coroutine of a small response.
        """
        return None

    async def close(self) -> None:
        """Gives the connection back, or closes it if content is still to come. It never waits for that content."""


@dataclass(slots=True)
class HttpResponse:
    """One response. Its body must be closed, read or not.

    Arguments:
        status: the status code.
        headers: the headers.
        body: the content as sent, not decoded.
        url: the URL of the last request, which differs from the first after a redirect.
    """

    status: int
    headers: HttpHeaders
    body: HttpBody
    url: str = ""


class HttpTransport:
    """Sends requests. A subclass overrides `send`; a layer wraps a transport and puts it into the context."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends a request and waits for the head of the response. Redirects are not followed.

        A response that refuses the content ends the sending. A cancelled call leaves no connection open. The request
        belongs to the caller, who may send it again: a transport that changes it sends a copy (`with_headers` ...).

        Raises:
            Timeout: no connection or no response in time, or the content was not accepted. Temporary.
            Unexpected: no connection, a broken connection, or a response that is not HTTP. Temporary.
        """
        raise Unsupported("this transport cannot send")

    async def close(self) -> None:
        """Closes the idle connections of the running loop now. Requests in flight continue to their end."""
