"""What comes on a connection and was not asked for, in every place: never the bytes of another response, no hang."""

import asyncio
import itertools
import random
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import pytest
import uvloop

from entrepot import Operator
from entrepot.errors import ContentIncomplete, Error, Timeout, Unexpected
from entrepot.layers import TimeoutLayer
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.configured import ConfiguredTransport
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.response_head import HeadReader
from entrepot.services import S3, Http
from entrepot.testing.scripted_server import (
    CLOSE,
    PAUSE,
    STALL,
    Answer,
    ReceivedRequest,
    ScriptedServer,
    chunked,
    raw_response,
    whole_response,
)
from tests.transports import IS_BLOCKING, Transport

RIGHT: Final = b"right"
WRONG: Final = whole_response(b"WRONG", 'ETag: "wrong"')

LOOPS: Final = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as made:
        yield made


def operator(service: str, server: ScriptedServer, transport: ConfiguredTransport) -> Operator:
    if service == "http":
        return Operator(Http(server.endpoint), context=Context(http=transport), resilient=False)
    s3 = S3(bucket="b", endpoint=server.endpoint, region="us-east-1", access_key_id="a", secret_access_key="secret")
    return Operator(s3, context=Context(http=transport), resilient=False)


Use = Callable[[Operator], Awaitable[None]]


@pytest.fixture(params=["http", "s3"])
def use(request: pytest.FixtureRequest, ca_file: str, runner: asyncio.Runner) -> Callable[[ScriptedServer, Use], None]:
    """Runs something with an operator on a server, bounded in time, on each loop and with each service."""

    async def main(server: ScriptedServer, body: Use) -> None:
        transport = Transport(idle_timeout=5, ca_file=ca_file)
        async with asyncio.timeout(30):
            await body(operator(request.param, server, transport))
        await transport.close()

    return lambda server, body: runner.run(main(server, body))


# What comes past the end of a response.

ENDS: Final = {
    "chunked": raw_response("200 OK", "Transfer-Encoding: chunked") + chunked(RIGHT) + b"0\r\n\r\n",
    "trailers": raw_response("200 OK", "Transfer-Encoding: chunked") + chunked(RIGHT) + b"0\r\nX: 1\r\n\r\n",
    "length": whole_response(RIGHT),
    "length after informational ones": raw_response("100 Continue")
    + raw_response("103 Early Hints")
    + whole_response(RIGHT),
}
BEYOND: Final = {
    "a response": WRONG,
    "two responses": WRONG + WRONG,
    "a refusal": whole_response(b"", status="404 Not Found"),
    "half a response": WRONG[:30],
    "a head": WRONG[:-5],
    "an informational one": raw_response("103 Early Hints"),
    "an empty line": b"\r\n",
    "a line feed": b"\n",
    "bytes": b"more",
    "the end of chunks": b"0\r\n\r\n",
}


# How many bytes from the end of the response comes the receive that also holds what is past it.
LAST_RECEIVES: Final = {"all": 1000, "the end of the content": 7, "the last byte": 1}


@pytest.mark.parametrize("beyond", BEYOND)
@pytest.mark.parametrize("last", LAST_RECEIVES)
@pytest.mark.parametrize("end", ENDS)
def test_what_comes_past_the_end_is_never_the_next_response(
    tls: ssl.SSLContext | None, use: Callable[[ScriptedServer, Use], None], end: str, last: str, beyond: str
) -> None:
    first, rest = ENDS[end][: -LAST_RECEIVES[last]], ENDS[end][-LAST_RECEIVES[last] :]

    def script(asked: ReceivedRequest) -> Answer:
        if asked.target.endswith("second"):
            return [whole_response(b"second")]
        return [first, PAUSE, rest + BEYOND[beyond]] if first else [rest + BEYOND[beyond]]

    async def body(op: Operator) -> None:
        assert await op.read("first") == RIGHT
        assert await op.read("second") == b"second"

    with ScriptedServer(script, tls) as server:
        use(server, body)
        assert [asked.connection for asked in server.requests] == [0, 1]


@pytest.mark.parametrize("beyond", BEYOND)
def test_what_comes_while_a_connection_is_idle_is_never_the_next_response(
    tls: ssl.SSLContext | None, use: Callable[[ScriptedServer, Use], None], beyond: str
) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        if asked.target.endswith("first"):
            return [ENDS["chunked"], PAUSE, BEYOND[beyond]]
        return [whole_response(b"second")]

    async def body(op: Operator) -> None:
        assert await op.read("first") == RIGHT
        await asyncio.sleep(0.2)
        assert await op.read("second") == b"second"

    with ScriptedServer(script, tls) as server:
        use(server, body)
        assert [asked.connection for asked in server.requests] == [0, 1]


def test_what_comes_behind_much_content_that_is_read_slowly_is_never_the_next_response(
    tls: ssl.SSLContext | None, use: Callable[[ScriptedServer, Use], None]
) -> None:
    content = bytes(3_000_000)

    def script(asked: ReceivedRequest) -> Answer:
        return [whole_response(content) + WRONG] if asked.target.endswith("first") else [whole_response(b"second")]

    async def body(op: Operator) -> None:
        async with op.reader("first") as reader:
            await reader.read(10)
            await asyncio.sleep(0.1)
            left = len(content) - 10
            while left:
                left -= len(await reader.read(min(left, 300_000)))
        assert await op.read("second") == b"second"

    with ScriptedServer(script, tls) as server:
        use(server, body)
        assert [asked.connection for asked in server.requests] == [0, 1]


@pytest.mark.parametrize("form", ENDS)
def test_a_connection_whose_responses_end_exactly_is_used_again(
    tls: ssl.SSLContext | None, use: Callable[[ScriptedServer, Use], None], form: str
) -> None:
    async def body(op: Operator) -> None:
        for _ in range(4):
            assert await op.read("a") == RIGHT

    with ScriptedServer(lambda _: [ENDS[form]], tls) as server:
        use(server, body)
        assert server.connections == 1


# Content behind a response that has none.


BEHIND_A_HEAD: Final = {
    "content": [b"hello"],
    "a response": [WRONG],
    "an empty line": [b"\r\n"],
    "the end of chunks": [b"0\r\n\r\n"],
    "a page": [b"<html>" * 9000],
    "content, later": [PAUSE, b"hello"],
    "an empty line, later": [PAUSE, b"\r\n"],
    "the end of chunks, later": [PAUSE, b"0\r\n\r\n"],
    "a page, later": [PAUSE, b"<html>" * 9000],
}


@pytest.mark.parametrize("behind", BEHIND_A_HEAD)
def test_content_behind_a_head_costs_no_operation(
    tls: ssl.SSLContext | None, use: Callable[[ScriptedServer, Use], None], behind: str
) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        if asked.method != "HEAD":
            return [whole_response(RIGHT)]
        status = "404 Not Found" if asked.target.endswith("missing") else "200 OK"
        head, (first, *rest) = raw_response(status, "Content-Length: 5"), BEHIND_A_HEAD[behind]
        return [head + first, *rest] if isinstance(first, bytes) else [head, first, *rest]

    async def body(op: Operator) -> None:
        for _ in range(3):
            assert (await op.stat("a")).content_length == 5
            assert not await op.exists("missing")
            assert await op.read("a") == RIGHT

    with ScriptedServer(script, tls) as server:
        use(server, body)


@pytest.mark.parametrize("beyond", [b"hello", b"0\r\n\r\n", b"\r\n", b"{}"])
def test_content_behind_a_head_that_comes_under_the_next_request_costs_a_connection(
    use: Callable[[ScriptedServer, Use], None], beyond: bytes
) -> None:
    """The connection looks fine when the next request is sent, and brings what belongs to the one before."""

    def script(asked: ReceivedRequest) -> Answer:
        if asked.method == "HEAD":
            return [raw_response("200 OK", "Content-Length: 5")]
        return [beyond + whole_response(RIGHT)] if asked.connection == 0 else [whole_response(RIGHT)]

    async def body(op: Operator) -> None:
        assert (await op.stat("a")).content_length == 5
        assert await op.read("a") == RIGHT
        assert await op.read("a") == RIGHT

    with ScriptedServer(script) as server:
        use(server, body)
        assert server.connections == 2


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("headers", [(), ("Content-Length: 5",), ("Transfer-Encoding: chunked",)], ids=str)
def test_content_behind_a_status_that_has_none_is_dropped(
    tls: ssl.SSLContext | None, ca_file: str, runner: asyncio.Runner, status: str, headers: tuple[str, ...]
) -> None:
    async def main(server: ScriptedServer) -> None:
        transport = Transport(idle_timeout=5, ca_file=ca_file)
        for count in range(3):
            response = await transport.send(HttpRequest("DELETE", f"{server.endpoint}/a"))
            assert (response.status, await response.body.read(10)) == (int(status[:3]), b"")
            await response.body.close()
            assert server.requests[-1].connection == count
        await transport.close()

    with ScriptedServer(lambda _: [raw_response(status, *headers) + WRONG], tls) as server:
        runner.run(main(server))


def test_a_deletion_whose_answer_has_content_is_done() -> None:
    async def main(server: ScriptedServer) -> None:
        transport = Transport(idle_timeout=5)
        op = operator("s3", server, transport)
        await op.delete("a")
        await op.delete("b")
        await transport.close()

    with ScriptedServer(lambda _: [raw_response("204 No Content") + b"<done/>"]) as server:
        asyncio.run(main(server))
        assert [asked.method for asked in server.requests] == ["DELETE", "DELETE"]


# Framing that cannot be read.

REFUSED: Final = {
    "a coding with a vertical tab": raw_response("200 OK", "Transfer-Encoding: \x0bchunked")
    + chunked(RIGHT)
    + b"0\r\n\r\n",
    "two codings": raw_response("200 OK", *["Transfer-Encoding: chunked"] * 2) + chunked(RIGHT) + b"0\r\n\r\n",
    "two lengths": raw_response("200 OK", "Content-Length: 3", "Content-Length: 5") + RIGHT,
    "a negative length": raw_response("200 OK", "Content-Length: -5") + RIGHT,
    "a signed length": raw_response("200 OK", "Content-Length: +5") + RIGHT,
    "a list of lengths": raw_response("200 OK", "Content-Length: 5, 5") + RIGHT,
    "a length and a coding": raw_response("200 OK", "Content-Length: 5", "Transfer-Encoding: chunked") + RIGHT,
    "a name with a blank": raw_response("200 OK", "Content-Length : 5") + RIGHT,
    "a null character": raw_response("200 OK", "Content-Length: 5\0") + RIGHT,
}


@pytest.mark.parametrize("form", REFUSED)
def test_framing_that_cannot_be_read_is_an_error(use: Callable[[ScriptedServer, Use], None], form: str) -> None:
    async def body(op: Operator) -> None:
        with pytest.raises(Unexpected) as caught:
            await op.read("a")
        assert (caught.value.kind, caught.value.operation, caught.value.path) == ("Unexpected", "read", "a")
        assert "right" not in str(caught.value)

    with ScriptedServer(lambda _: [REFUSED[form], STALL]) as server:
        use(server, body)
        assert len(server.requests) == 1


@pytest.mark.parametrize("coding", ["chunked\t", "\tchunked", "CHUNKED ", "\r\n chunked"])
def test_white_space_around_a_coding_is_no_part_of_it(use: Callable[[ScriptedServer, Use], None], coding: str) -> None:
    async def body(op: Operator) -> None:
        assert await op.read("a") == RIGHT

    with ScriptedServer(
        lambda _: [raw_response("200 OK", f"Transfer-Encoding: {coding}") + chunked(RIGHT) + b"0\r\n\r\n"]
    ) as server:
        use(server, body)


# Heads and framing without end.


def _endless(first: bytes, again: bytes, *, is_slow: bool) -> Callable[[ReceivedRequest], Answer]:
    def script(_: ReceivedRequest) -> Answer:
        yield first
        while True:
            yield again
            if is_slow:
                yield PAUSE

    return script


START: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = raw_response("200 OK", "Transfer-Encoding: chunked")
ENDLESS: Final = {
    "informational": (b"", raw_response("103 Early Hints")),
    "empty lines": (b"", b"\r\n"),
    "headers": (START, b"X: 1\r\n"),
    "a header": (START + b"X: ", b"x"),
    "a reason": (START[:-2], b"x"),
    "trailers": (CHUNKED + chunked(RIGHT) + b"0\r\n", b"X: 1\r\n"),
    "a trailer": (CHUNKED + chunked(RIGHT) + b"0\r\nX: ", b"x"),
    "a chunk extension": (CHUNKED + b"5;", b"x"),
    "an extension of the last chunk": (CHUNKED + chunked(RIGHT) + b"0;", b"x"),
}
OPERATIONS: Final[dict[str, Use]] = {
    "read": lambda op: op.read("a"),
    "write": lambda op: op.write("a", b"content"),
    "list": lambda op: op.list("a/"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("speed", ["slow", "fast"])
@pytest.mark.parametrize("form", ENDLESS)
async def test_a_response_without_end_is_given_up(form: str, speed: str, operation: str) -> None:
    first, again = ENDLESS[form]
    script = _endless(first, again if speed == "slow" else again * 500, is_slow=speed == "slow")
    transport = Transport()
    with ScriptedServer(script) as server:
        op = operator("s3", server, transport).layer(TimeoutLayer(timeout=0.3, io_timeout=0.3))
        async with asyncio.timeout(10):
            with pytest.raises((Timeout, Unexpected, ContentIncomplete)) as caught:
                await OPERATIONS[operation](op)
        assert (caught.value.scheme, caught.value.path) == ("s3", "a/" if operation == "list" else "a")
        assert caught.value.operation == operation
        await asyncio.to_thread(server.wait_until_left)
    await transport.close()


@pytest.mark.parametrize("service", ["http", "s3"])
async def test_a_head_past_the_bound_is_a_permanent_error(service: str) -> None:
    transport = Transport()
    head = raw_response("200 OK", f"Content-Security-Policy: {'secret' * 12_000}", "Content-Length: 5")
    with ScriptedServer(lambda _: [head + RIGHT, CLOSE]) as server:
        with pytest.raises(Unexpected, match="the head of the response is too large") as caught:
            await operator(service, server, transport).read("a")
        assert not caught.value.is_temporary
        assert (caught.value.operation, caught.value.path) == ("read", "a")
        assert "secret" not in str(caught.value)
    await transport.close()


async def test_long_and_many_headers_are_read() -> None:
    transport = Transport()
    headers = (f"Content-Security-Policy: {'x' * 20_000}", *(f"X-{n}: {n}" for n in range(200)), 'ETag: "1"')
    with ScriptedServer(lambda _: [whole_response(RIGHT, *headers)]) as server:
        op = operator("http", server, transport)
        assert await op.read("a") == RIGHT
        assert await op.read("a") == RIGHT
        assert server.connections == 1
    await transport.close()


# By chance.

SEEDS: Final = [
    whole_response(RIGHT),
    raw_response("200 OK", "Transfer-Encoding: chunked") + chunked(RIGHT, RIGHT) + b"0\r\nX: 1\r\n\r\n",
    raw_response("100 Continue") + whole_response(RIGHT, "ETag: x", "Connection: keep-alive"),
    raw_response("204 No Content"),
    whole_response(b"", status="404 Not Found"),
]
INSERTED: Final = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"\x0b", b":", b";", b",", b"-", b"+", b"_", b"0x", b"0", b"9" * 20),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"0\r\n\r\n", WRONG),
]


def mutated(message: bytes, chance: random.Random) -> bytes:
    """The message with some bytes changed, dropped, repeated or put in, and sometimes another response behind it."""
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(message) + 1)
        end = min(len(message), at + chance.randint(1, 6))
        put_in = chance.choice([b"", bytes([chance.randrange(256)]), message[at:end] * 2, chance.choice(INSERTED)])
        message = message[:at] + put_in + message[end if chance.random() < 0.5 else at :]
    return message + chance.choice([b"", b"", WRONG, b"\r\n", b"more"])


def outcome(pieces: list[bytes]) -> object:
    """What a response is taken for that comes in such pieces."""
    reader, framing, content, received = HeadReader(has_content=True), None, b"", None
    try:
        for piece in filter(None, pieces):
            data = piece
            if framing is None:
                received = reader.take(piece)
                framing, data = (received[0].framing(), received[1]) if received else (None, b"")
            content += framing.take(data) if framing is not None else b""
    except MalformedResponse as error:
        return type(error)
    return received and (received[0], content, framing and framing.is_at_end, framing and framing.is_exact)


def test_how_a_mutated_response_is_cut_changes_nothing() -> None:
    chance = random.Random(12)
    for _ in range(1000):
        message = mutated(chance.choice(SEEDS), chance)
        cuts = sorted(chance.randrange(len(message) + 1) for _ in range(chance.randint(1, 4)))
        pieces = [message[a:b] for a, b in itertools.pairwise([0, *cuts, len(message)])]
        expected = outcome([message])
        assert outcome(pieces) == expected, pieces
        assert outcome([bytes([byte]) for byte in message]) == expected, message


@pytest.mark.parametrize("count", [1500, pytest.param(20_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
@pytest.mark.parametrize("loop", LOOPS)
def test_mutated_responses_leave_the_others_right(loop: str, count: int) -> None:
    """After each mutated response a good one is asked for, on the connection that was kept if it was."""
    chance = random.Random(11)
    messages = [mutated(chance.choice(SEEDS), chance) for _ in range(count)]

    def script(asked: ReceivedRequest) -> Answer:
        kind, number = asked.target.strip("/").split("-")
        return [messages[int(number)]] if kind == "odd" else [whole_response(f"good {number}".encode())]

    async def ask(transport: ConfiguredTransport, url: str) -> bytes:
        response = await transport.send(HttpRequest("GET", url))
        try:
            content = b""
            while part := await response.body.read(1 << 20):
                content += part
            return content
        finally:
            await response.body.close()

    async def work(transport: ConfiguredTransport, endpoint: str, numbers: Iterator[int]) -> None:
        for number in numbers:
            try:
                await ask(transport, f"{endpoint}/odd-{number}")
            except Error as error:
                assert isinstance(error, Timeout | Unexpected | ContentIncomplete), messages[number]
            assert await ask(transport, f"{endpoint}/good-{number}") == b"good %d" % number, messages[number]

    async def main(endpoint: str) -> None:
        patience = 1.5 if IS_BLOCKING else 0.3  # 24 threads wait for the interpreter, and the server's is one more
        transport, numbers = Transport(idle_timeout=patience), iter(range(len(messages)))
        await asyncio.gather(*(work(transport, endpoint, numbers) for _ in range(24)))
        await transport.close()

    with ScriptedServer(script) as server, asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main(server.endpoint))
