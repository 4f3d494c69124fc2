"""What other parsers make of a response: h11, aiohttp's two, and one pattern for the whole head."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import h11
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpResponseParser, HttpResponseParserPy

from entrepot.raw.http.wire.exchange import Exchange, State
from entrepot.raw.http.wire.framing import MalformedResponse


class Outcome(NamedTuple):
    """What a response is taken for.

    Attributes:
        status: the status; None if the final head has not arrived.
        headers: the headers by name in lower case; repeated ones are joined by a comma.
        content: the content that has arrived.
        is_ended: whether the response has ended.
    """

    status: int | None = None
    headers: dict[bytes, bytes] = {}
    content: bytes = b""
    is_ended: bool = False


Refused = None
"""The outcome of a response that breaks the rules."""

Parser = Callable[[Sequence[bytes], str], Outcome | None]


def ours(pieces: Sequence[bytes], method: str) -> Outcome | None:
    return taken(pieces, method)[0]


def in_one_buffer(pieces: Sequence[bytes]) -> Iterator[memoryview]:
    """The pieces, one after the other in the same memory, as a connection receives them."""
    buffer = memoryview(bytearray(max(map(len, pieces))))
    for piece in pieces:
        view = buffer[: len(piece)]
        view[:] = piece
        yield view
        view[:] = b"x" * len(piece)


def taken(pieces: Iterable[bytes | memoryview], method: str) -> tuple[Outcome | None, bool]:
    """What our exchange makes of it, and whether the connection may serve another request."""
    exchange, content = Exchange(has_content=method != "HEAD"), b""
    exchange.request_sent()
    try:
        for piece in pieces:
            content += exchange.take(piece)
    except MalformedResponse:
        return Refused, exchange.may_serve_another
    head = exchange.head
    if head is None:
        return Outcome(), exchange.may_serve_another
    headers = {name.encode(): value.encode("utf-8", "surrogateescape") for name, value in head.headers.items()}
    return Outcome(head.status, headers, content, exchange.state is State.DONE), exchange.may_serve_another


def by_h11(pieces: Sequence[bytes], method: str) -> Outcome | None:
    connection = _asked(method)
    outcome = Outcome()
    try:
        for piece in pieces:
            connection.receive_data(piece)
            while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Response):
                    outcome = Outcome(event.status_code, _joined(event.headers))
                elif isinstance(event, h11.Data):
                    outcome = outcome._replace(content=outcome.content + event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return outcome._replace(is_ended=True)
    except h11.RemoteProtocolError:
        return Refused
    return outcome


def ends_with_connection_in_h11(message: bytes, method: str) -> bool:
    """Whether the end of the connection ends a response that has not ended."""
    connection = _asked(method)
    connection.receive_data(message)
    connection.receive_data(b"")
    try:
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.EndOfMessage):
                return True
    except h11.RemoteProtocolError:
        pass
    return False


def _asked(method: str) -> h11.Connection:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 * 1024)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    return connection


def _aiohttp(make: Callable[..., Any]) -> Parser:
    def parse(pieces: Sequence[bytes], method: str) -> Outcome | None:
        parser = make(
            _protocol(),
            _loop(),
            1 << 16,
            max_line_size=1 << 16,
            max_field_size=1 << 16,
            response_with_body=method != "HEAD",
            read_until_eof=True,
            auto_decompress=False,
        )
        found = None
        try:
            for piece in pieces:
                messages, _, _ = parser.feed_data(piece)
                found = found or next((one for one in messages if not _is_informational(one[0].code)), None)
        except HttpProcessingError:
            if found is None or not found[1].is_eof():
                return Refused  # what breaks the rules past the end is another response
        if found is None:
            return Outcome()
        message, payload = found
        if payload.exception() is not None:
            return Refused
        return Outcome(
            message.code, _joined(message.raw_headers), b"".join(getattr(payload, "_buffer", ())), payload.is_eof()
        )

    return parse


by_aiohttp: Final = _aiohttp(HttpResponseParser)
by_aiohttp_in_python: Final = _aiohttp(HttpResponseParserPy)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _protocol() -> BaseProtocol:
    return BaseProtocol(_loop())


def _is_informational(status: int) -> bool:
    return 100 <= status < 200 and status != 101


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        key, text = bytes(name).lower(), bytes(value).strip(b" \t")  # aiohttp 3.14.0 leaves a tab at the end
        joined[key] = joined[key] + b", " + text if key in joined else text
    return joined


IS_PURE: Final = HttpResponseParser is HttpResponseParserPy
"""Whether aiohttp has no extension in C, so that both of its parsers are the one in Python (`make test-pure`)."""
