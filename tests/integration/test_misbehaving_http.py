"""Servers that do wrong: always the right bytes or a typed error, never wrong bytes, never a hang."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from entrepot import Error, Operator
from entrepot.errors import (
    ConditionNotMatch,
    ContentIncomplete,
    ContentTruncated,
    PermissionDenied,
    RangeNotSatisfied,
    Timeout,
    Unexpected,
    Unsupported,
)
from entrepot.raw import Context
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.services import Http
from entrepot.testing.scripted_server import (
    CLOSE,
    PAUSE,
    RESET,
    STALL,
    Answer,
    OneObject,
    ReceivedRequest,
    ScriptedServer,
    chunked,
    raw_response,
    whole_response,
)
from tests.sockets import stream_sockets
from tests.transports import Transport

CONTENT = b"0123456789abcdefghij"
SIZE = len(CONTENT)
PATIENCE = 5.0
SHORT_PATIENCE = 0.1

Script = Callable[[ReceivedRequest], Answer]
Way = Callable[[Operator], Awaitable[bytes]]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(OneObject(CONTENT)) as running:
        yield running


@pytest.fixture
async def hasty(server: ScriptedServer) -> AsyncIterator[Operator]:
    """An operator that does not wait long for servers that say nothing."""
    transport = Transport(idle_timeout=SHORT_PATIENCE)
    yield Operator(Http(server.endpoint, token="secret"), context=Context(http=transport), resilient=False)
    await transport.close()


@pytest.fixture
async def transport() -> AsyncIterator[ConfiguredTransport]:
    made = Transport(idle_timeout=PATIENCE)
    yield made
    await made.close()


@pytest.fixture
def op(server: ScriptedServer, transport: ConfiguredTransport) -> Operator:
    return Operator(Http(server.endpoint, token="secret"), context=Context(http=transport), resilient=False)


# Ways to read, each with what it must give.


async def _read(op: Operator) -> bytes:
    return await op.read("a")


async def _ranged(op: Operator) -> bytes:
    return await op.read("a", range=(5, 9))


async def _suffix(op: Operator) -> bytes:
    return await op.read_with("a").range(suffix=4)


async def _long_suffix(op: Operator) -> bytes:
    return await op.read_with("a").range(suffix=1000)


async def _beyond(op: Operator) -> bytes:
    return await op.read("a", range=(15, 1000))


async def _stream(op: Operator) -> bytes:
    return b"".join([chunk async for chunk in op.reader("a")])


async def _seek(op: Operator) -> bytes:
    async with op.reader("a") as reader:
        await reader.read(2)
        await reader.seek(10)
        return await reader.read(5)


async def _tail(op: Operator) -> bytes:
    async with op.reader("a") as reader:
        await reader.seek(-4, io.SEEK_END)
        return await reader.read()


async def _chunks(op: Operator) -> bytes:
    return await op.read_with("a").chunk(6).concurrent(2)


async def _fetch(op: Operator) -> bytes:
    return b"".join(await (await op.reader("a", gap=0)).fetch([(0, 3), (10, 12)]))


WAYS: dict[str, tuple[Way, bytes]] = {
    "read": (_read, CONTENT),
    "range": (_ranged, CONTENT[5:9]),
    "suffix": (_suffix, CONTENT[-4:]),
    "long suffix": (_long_suffix, CONTENT),
    "beyond": (_beyond, CONTENT[15:]),
    "stream": (_stream, CONTENT),
    "seek": (_seek, CONTENT[10:15]),
    "tail": (_tail, CONTENT[-4:]),
    "chunks": (_chunks, CONTENT),
    "fetch": (_fetch, CONTENT[:3] + CONTENT[10:12]),
}

# Servers. Those that are merely odd must be read right in every way; the others may give a typed error.


class Odd:
    """Answers well, in an odd form: `form` is given the content of each reply, its status line and headers."""

    def __init__(self, form: Callable[[str, list[str], bytes], Answer]) -> None:
        self._form = form
        self._good = OneObject(CONTENT)

    def __call__(self, asked: ReceivedRequest) -> Answer:
        if asked.method == "HEAD":
            return self._good(asked)
        head, _, content = self._good(asked)[0].partition(b"\r\n\r\n")
        status, *headers = head.decode().removeprefix("HTTP/1.1 ").split("\r\n")
        return self._form(status, [one for one in headers if not one.startswith("Content-Length")], content)


def _ignores_range(asked: ReceivedRequest) -> Answer:
    if asked.method == "HEAD":
        return [raw_response("200 OK", f"Content-Length: {SIZE}")]
    return [whole_response(CONTENT)]


def _refuses_head(asked: ReceivedRequest) -> Answer:
    if asked.method == "HEAD":
        return [raw_response("405 Method Not Allowed", "Content-Length: 1000")]
    return OneObject(CONTENT)(asked)


def _redirects(asked: ReceivedRequest) -> Answer:
    if asked.target == "/a":
        content = b"" if asked.method == "HEAD" else b"moved"
        return [whole_response(content, "Location: b/../real%20one", status="303 See Other")]
    return OneObject(CONTENT)(asked)


ODD: dict[str, Script] = {
    "good": OneObject(CONTENT),
    "ignores the range": _ignores_range,
    "refuses HEAD": _refuses_head,
    "redirects": _redirects,
    "says 200 with the right Content-Range": Odd(
        lambda status, headers, content: [whole_response(content, *headers, status=status.replace("206", "200"))]
    ),
    "sends no length and closes": Odd(
        lambda status, headers, content: [raw_response(status, *headers, content=content), CLOSE]
    ),
    "sends chunked": Odd(
        lambda status, headers, content: [
            raw_response(status, *headers, "Transfer-Encoding: chunked"),
            *(chunked(content[at : at + 3]) for at in range(0, len(content), 3)),
            PAUSE,
            b"0\r\n\r\n",
        ]
    ),
    "sends byte by byte": Odd(
        lambda status, headers, content: [bytes([one]) for one in whole_response(content, *headers, status=status)]
    ),
    "says continue and hints first": Odd(
        lambda status, headers, content: [
            raw_response("100 Continue"),
            raw_response("103 Early Hints", "Link: </style.css>; rel=preload"),
            PAUSE,
            raw_response("103 Early Hints", "Content-Length: 3"),
            whole_response(content, *headers, status=status),
        ]
    ),
    "closes after each reply": Odd(
        lambda status, headers, content: [whole_response(content, *headers, "Connection: close", status=status), CLOSE]
    ),
    "says it is gzip": Odd(
        lambda status, headers, content: [whole_response(content, *headers, "Content-Encoding: gzip", status=status)]
    ),
    "speaks HTTP 1.0": Odd(
        lambda status, headers, content: [
            raw_response(status, *headers, content=content).replace(b"HTTP/1.1", b"HTTP/1.0"),
            CLOSE,
        ]
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("script", ODD)
async def test_an_odd_server_is_read_right(op: Operator, server: ScriptedServer, script: str, way: str) -> None:
    server.script = ODD[script]
    read, expected = WAYS[way]
    assert await read(op) == expected


def _range_of(asked: ReceivedRequest) -> tuple[int, int]:
    """The range that was asked for, half-open; the whole where none was."""
    first, _, last = (asked.range or "bytes=0-").removeprefix("bytes=").partition("-")
    if not first:
        return max(0, SIZE - int(last)), SIZE
    return int(first), min(SIZE, int(last) + 1) if last else SIZE


def _partial(stated: str, content: bytes, *headers: str) -> list[bytes]:
    return [whole_response(content, f"Content-Range: {stated}", *headers, status="206 Partial Content")]


def _another_range(asked: ReceivedRequest) -> Answer:
    begin, end = _range_of(asked)
    return _partial(f"bytes {begin + 1}-{end}/{SIZE + 1}", CONTENT[begin:end])


def _shifted(asked: ReceivedRequest) -> Answer:
    begin, end = _range_of(asked)
    return _partial(f"bytes 0-{end - begin - 1}/{SIZE}", CONTENT[: end - begin]) if begin else [STALL]


def _part_of_range(asked: ReceivedRequest) -> Answer:
    begin, end = _range_of(asked)
    return _partial(f"bytes {begin}-{end - 2}/{SIZE}", CONTENT[begin : end - 1])


def _part_of_unknown(asked: ReceivedRequest) -> Answer:
    begin, end = _range_of(asked)
    return _partial(f"bytes {begin}-{max(begin, end - 2)}/*", CONTENT[begin : max(begin + 1, end - 1)])


def _contradicts_itself(asked: ReceivedRequest) -> Answer:
    begin, end = _range_of(asked)
    return _partial(f"bytes {begin}-{end - 1}/{SIZE}", CONTENT[begin:end] + b"more")


def _multipart(asked: ReceivedRequest) -> Answer:
    begin, end = _range_of(asked)
    part = f"--x\r\nContent-Range: bytes {begin}-{end - 1}/{SIZE}\r\n\r\n".encode() + CONTENT[begin:end] + b"\r\n--x--"
    return [whole_response(part, "Content-Type: multipart/byteranges; boundary=x", status="206 Partial Content")]


def _no_content_range(asked: ReceivedRequest) -> Answer:
    begin, end = _range_of(asked)
    return [whole_response(CONTENT[begin:end], status="206 Partial Content")]


def _always(*answer: object) -> Script:
    return lambda _: answer  # type: ignore[return-value]


_PROMISE = raw_response("200 OK", "Content-Length: 20") + CONTENT[:5]
_CHUNKED = raw_response("200 OK", "Transfer-Encoding: chunked") + chunked(CONTENT[:5])

BAD: dict[str, tuple[Script, set[type[Error]]]] = {
    "answers another range": (_another_range, {ContentTruncated}),
    "answers from the start": (_shifted, {ContentTruncated, Timeout}),
    "answers part of the range": (_part_of_range, {ContentIncomplete, ContentTruncated}),
    "answers part of an unknown size": (_part_of_unknown, {ContentIncomplete, ContentTruncated}),
    "contradicts itself": (_contradicts_itself, {ContentTruncated}),
    "answers multipart": (_multipart, {ContentTruncated}),
    "says not which part": (_no_content_range, {ContentTruncated}),
    "closes early": (_always(_PROMISE, PAUSE, CLOSE), {ContentIncomplete}),
    "resets early": (_always(_PROMISE, PAUSE, RESET), {ContentIncomplete}),
    "falls silent": (_always(_PROMISE, STALL), {Timeout}),
    "never answers": (_always(STALL), {Timeout}),
    "answers half a head": (_always(b"HTTP/1.1 200 OK\r\nContent-", STALL), {Timeout}),
    "closes in the head": (_always(b"HTTP/1.1 200 OK\r\nContent-", CLOSE), {Unexpected}),
    "closes without a reply": (_always(CLOSE), {Unexpected}),
    "resets without a reply": (_always(RESET), {Unexpected}),
    "truncates chunked": (_always(_CHUNKED, PAUSE, CLOSE), {ContentIncomplete, Unsupported}),
    "truncates a chunk": (_always(_CHUNKED + b"f\r\n567", PAUSE, CLOSE), {ContentIncomplete, Unsupported}),
    "sends a bad chunk": (_always(_CHUNKED, PAUSE, b"nonsense\r\n56789", STALL), {ContentIncomplete, Unsupported}),
    "sends a bad chunk at once": (_always(_CHUNKED + b"nonsense\r\n56789", STALL), {Unexpected}),
    "resets without a length": (
        _always(raw_response("200 OK") + CONTENT[:5], PAUSE, RESET),
        {ContentIncomplete, Unsupported},
    ),
    "speaks no HTTP": (_always(b"SSH-2.0-OpenSSH_9.2\r\n", STALL), {Unexpected}),
    "sends a huge header": (_always(raw_response("200 OK", f"X: {'x' * 100_000}"), STALL), {Unexpected}),
    "sends many headers": (_always(raw_response("200 OK", *(f"X-{n}: x" for n in range(5000))), STALL), {Unexpected}),
    "says two lengths": (
        _always(raw_response("200 OK", "Content-Length: 5", "Content-Length: 20") + CONTENT),
        {Unexpected},
    ),
    "says length and chunked": (
        _always(
            raw_response("200 OK", "Content-Length: 5", "Transfer-Encoding: chunked") + chunked(CONTENT) + b"0\r\n\r\n"
        ),
        {Unexpected},
    ),
    "says no number": (_always(raw_response("200 OK", "Content-Length: all") + CONTENT), {Unexpected}),
    "compresses on the way": (
        _always(raw_response("200 OK", "Transfer-Encoding: gzip, chunked") + chunked(CONTENT) + b"0\r\n\r\n"),
        {Unexpected},
    ),
    "switches protocols": (_always(raw_response("101 Switching Protocols", "Upgrade: x"), STALL), {Unexpected}),
    "refuses inside the object": (
        _always(whole_response(b"", f"Content-Range: bytes */{SIZE}", status="416 Range Not Satisfiable")),
        {RangeNotSatisfied, Unexpected},
    ),
    "refuses and says no size": (_always(whole_response(b"", status="416 Range Not Satisfiable")), {RangeNotSatisfied}),
    "redirects in a loop": (_always(whole_response(b"", "Location: /a", status="302 Found")), {Unexpected}),
    "redirects to nowhere": (_always(whole_response(b"", status="302 Found")), {Unexpected}),
    "redirects to no URL": (_always(whole_response(b"", "Location: http://[", status="302 Found")), {Unexpected}),
    "does not know the file as modified": (_always(raw_response("304 Not Modified")), {ConditionNotMatch}),
}

HEADLESS = {"tail"}
"""Ways that ask by HEAD first, whose reply has no content to be wrong."""


@pytest.mark.parametrize("way", [way for way in WAYS if way not in HEADLESS])
@pytest.mark.parametrize("script", BAD)
async def test_a_bad_server_gives_a_typed_error(
    op: Operator, hasty: Operator, server: ScriptedServer, script: str, way: str
) -> None:
    server.script, kinds = BAD[script]
    read, expected = WAYS[way]
    try:
        data = await read(hasty if Timeout in kinds else op)
    except Error as error:
        assert type(error) in kinds
        assert (error.scheme, error.path) == ("http", "a")
        assert "secret" not in str(error)
    else:
        assert data == expected


@pytest.mark.parametrize("script", BAD)
async def test_a_bad_server_is_noticed_by_a_plain_read(
    op: Operator, hasty: Operator, server: ScriptedServer, script: str
) -> None:
    server.script, kinds = BAD[script]
    with pytest.raises(Error) as caught:
        await (hasty if Timeout in kinds else op).read("a", range=(5, 15))
    assert type(caught.value) in kinds
    assert caught.value.operation == "read"


async def test_more_content_than_promised_is_dropped_or_refused(op: Operator, server: ScriptedServer) -> None:
    answers = [
        [whole_response(CONTENT) + b"more"],
        [whole_response(CONTENT), PAUSE, b"more"],
        [whole_response(CONTENT) + whole_response(b"wrong")],
    ]
    for answer in answers:
        server.script = lambda _, answer=answer: answer  # type: ignore[misc]
        for _ in range(3):
            try:
                assert await op.read("a") == CONTENT
            except Unexpected as error:
                assert error.is_temporary
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("status", ["500 Internal Server Error", "404 Not Found", "302 Found", "416 Nope"])
async def test_an_endless_error_is_not_read(op: Operator, server: ScriptedServer, status: str) -> None:
    piece = b"x" * 65536

    def script(asked: ReceivedRequest) -> Answer:
        if asked.target == "/b":
            return [whole_response(CONTENT)]
        return _endless(raw_response(status, "Location: /b", "Content-Length: 10737418240"))

    def _endless(head: bytes) -> Iterator[bytes]:
        yield head
        for _ in range(163_840):
            yield piece

    server.script = script
    if status.startswith("302"):
        assert await op.read("a") == CONTENT
    else:
        with pytest.raises(Error):
            await op.read("a", range=(0, 5))
    await op._context.http.close()
    await asyncio.to_thread(server.wait_until_left)
    # What the sockets and one buffer hold may have been sent, no more.
    assert server.sent < 16 * 1024 * 1024


async def test_an_error_to_head_has_no_content_to_wait_for(op: Operator, server: ScriptedServer) -> None:
    server.script = lambda asked: [raw_response("404 Not Found", "Content-Length: 1000")]
    assert not await op.exists("a")
    server.script = lambda asked: [raw_response("500 Oops", "Transfer-Encoding: chunked")]
    with pytest.raises(Unexpected) as caught:
        await op.stat("a")
    assert caught.value.is_temporary


@pytest.mark.parametrize("way", ["read", "suffix", "long suffix", "stream", "chunks"])
async def test_an_empty_object_reads_empty(op: Operator, server: ScriptedServer, way: str) -> None:
    for script in (OneObject(b""), _always(whole_response(b""))):
        server.script = script
        assert await WAYS[way][0](op) == b""


async def test_empty_ranges_are_not_asked_for(op: Operator, server: ScriptedServer) -> None:
    assert await op.read("a", range=(7, 7)) == b""
    assert await op.read_with("a").range(suffix=0) == b""
    assert server.requests == []


async def test_stored_gzip_is_given_back_as_stored(op: Operator, server: ScriptedServer) -> None:
    stored = b"\x1f\x8b\x08not even gzip"
    server.script = _always(whole_response(stored, "Content-Encoding: gzip"))
    assert await op.read("a") == stored
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_reader_goes_on_after_the_connection_broke(op: Operator, server: ScriptedServer) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        begun = raw_response("200 OK", 'ETag: "1"', f"Content-Length: {len(CONTENT)}", content=CONTENT[:5])
        return [begun, PAUSE, RESET] if asked.number == 0 else OneObject(CONTENT)(asked)

    server.script = script
    async with op.reader("a") as reader:
        assert await reader.read(5) == CONTENT[:5]
        with pytest.raises(ContentIncomplete):
            await reader.read(5)
        assert reader.tell() == 5
        assert await reader.read() == CONTENT[5:]
    assert [asked.range for asked in server.requests] == [None, "bytes=5-19"]


# Redirects.


async def test_credentials_do_not_follow_to_another_origin(op: Operator, server: ScriptedServer) -> None:
    with ScriptedServer(OneObject(CONTENT)) as other:
        server.script = _always(whole_response(b"", f"Location: {other.endpoint}/b", status="307 Temporary Redirect"))
        assert await op.read("a", range=(5, 9)) == CONTENT[5:9]
        assert server.requests[0].headers["authorization"] == "Bearer secret"
        assert "authorization" not in other.requests[0].headers
        assert other.requests[0].range == "bytes=5-8"


async def test_credentials_follow_within_the_origin_and_come_from_no_location(
    op: Operator, server: ScriptedServer
) -> None:
    with_userinfo = server.endpoint.replace("//", "//mallory:evil@")

    def script(asked: ReceivedRequest) -> Answer:
        if asked.target == "/a":
            return [whole_response(b"", f"Location: {with_userinfo}/b", status="301 Moved Permanently")]
        return OneObject(CONTENT)(asked)

    server.script = script
    assert await op.read("a") == CONTENT
    assert server.requests[1].headers["authorization"] == "Bearer secret"


async def test_https_is_not_left_for_http(server: ScriptedServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    transport = Transport(ca_file=str(tmp_path / "ca.pem"))
    moved = _always(whole_response(b"", f"Location: {server.endpoint}/b?secret", status="302 Found"))
    with ScriptedServer(moved, tls) as secure:
        op = Operator(Http(secure.endpoint), context=Context(http=transport), resilient=False)
        with pytest.raises(PermissionDenied) as caught:
            await op.read("a")
        assert (caught.value.kind, caught.value.operation, caught.value.path) == ("PermissionDenied", "read", "a")
        assert "secret" not in str(caught.value)
        assert len(secure.requests) == 1
        await transport.close()
    assert server.requests == []


async def test_a_redirected_head_stays_a_head(op: Operator, server: ScriptedServer) -> None:
    server.script = _redirects
    assert (await op.stat("a")).content_length == SIZE
    assert [(asked.method, asked.target) for asked in server.requests] == [("HEAD", "/a"), ("HEAD", "/real%20one")]


# Leaks.


async def _settled(server: ScriptedServer, before: list[str]) -> None:
    """Waits until every connection is closed at both ends, and compares what is left."""
    await asyncio.to_thread(server.wait_until_left)
    for _ in range(200):
        if len(stream_sockets()) <= len(before):
            break
        await asyncio.sleep(0.01)
    left = stream_sockets()
    assert len(left) <= len(before), (before, left)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("answer", [(STALL,), (_PROMISE, STALL)], ids=["in the head", "in the content"])
async def test_a_hundred_cancelled_reads_leave_nothing(op: Operator, server: ScriptedServer, answer: Answer) -> None:
    await op.read("a")
    await asyncio.to_thread(lambda: None)
    await op._context.http.close()
    await asyncio.to_thread(server.wait_until_left)
    server.script = _always(*answer)
    before = stream_sockets()
    for count in range(100):
        reading = asyncio.ensure_future(op.read("a"))
        while len(server.requests) < count + 2:
            await asyncio.sleep(0.001)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        assert reading.cancelled()
    await _settled(server, before)


async def test_leaving_a_stream_leaves_nothing(op: Operator, server: ScriptedServer) -> None:
    await op.read("a")
    await asyncio.to_thread(lambda: None)
    await op._context.http.close()
    await asyncio.to_thread(server.wait_until_left)
    server.script = _always(_PROMISE, STALL)
    before = stream_sockets()
    for _ in range(20):
        async for chunk in op.reader("a"):
            assert chunk == b"01234"
            break
    await _settled(server, before)
