"""The http service through an operator, against a server that counts."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial

import pytest

from entrepot import (
    BytesRange,
    EntryMode,
    Error,
    IsADirectory,
    Metadata,
    NotFound,
    Operator,
    PermissionDenied,
    Unsupported,
)
from entrepot.errors import ConditionNotMatch, InvalidInput, RangeNotSatisfied, RateLimited, Unexpected
from entrepot.raw import Context, Layer
from entrepot.services import Http
from entrepot.testing.scripted_server import (
    STALL,
    Answer,
    OneObject,
    ReceivedRequest,
    ScriptedServer,
    raw_response,
    whole_response,
)
from tests.transports import Transport

CONTENT = bytes(range(256)) * 1024
WRITTEN = "Thu, 29 Feb 2024 12:00:01 GMT"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(OneObject(CONTENT)) as running:
        yield running


@pytest.fixture
async def op(server: ScriptedServer) -> AsyncIterator[Operator]:
    transport = Transport(idle_timeout=5)
    yield Operator(Http(server.endpoint), context=Context(http=transport), resilient=False)
    await transport.close()


async def _whole(op: Operator) -> bytes:
    return await op.read("a")


async def _range(op: Operator) -> bytes:
    return await op.read("a", range=(1000, 2000))


async def _suffix(op: Operator) -> bytes:
    return await op.read_with("a").range(suffix=8)


async def _stream(op: Operator) -> bytes:
    return b"".join([chunk async for chunk in op.reader("a")])


async def _tail(op: Operator) -> bytes:
    async with op.reader("a") as reader:
        await reader.seek(-8, io.SEEK_END)
        return await reader.read(8)


async def _chunks(op: Operator) -> bytes:
    return await op.read_with("a").chunk(64 * 1024).concurrent(2)


async def _fetch(op: Operator) -> bytes:
    return b"".join(await (await op.reader("a", gap=0)).fetch([(0, 8), (4, 16), (5000, 5008)]))


@pytest.mark.parametrize(
    ("read", "expected", "requests"),
    [
        (_whole, CONTENT, ["GET None"]),
        (_range, CONTENT[1000:2000], ["GET bytes=1000-1999"]),
        (_suffix, CONTENT[-8:], ["GET bytes=-8"]),
        (_stream, CONTENT, ["GET None"]),
        (_tail, CONTENT[-8:], ["HEAD None", "GET bytes=262136-262143"]),
        (_fetch, CONTENT[:8] + CONTENT[4:16] + CONTENT[5000:5008], ["GET bytes=0-15", "GET bytes=5000-5007"]),
    ],
)
async def test_no_request_is_sent_that_is_not_needed(
    op: Operator,
    server: ScriptedServer,
    read: Callable[[Operator], Awaitable[bytes]],
    expected: bytes,
    requests: list[str],
) -> None:
    assert await read(op) == expected
    assert sorted(f"{asked.method} {asked.range}" for asked in server.requests) == sorted(requests)


async def test_chunks_are_read_with_one_request_each(op: Operator, server: ScriptedServer) -> None:
    assert await _chunks(op) == CONTENT
    assert len(server.requests) == 4


async def test_opening_sends_nothing(op: Operator, server: ScriptedServer) -> None:
    async with op.reader("a") as reader:
        await reader.seek(10)
    assert server.requests == []


async def test_what_is_known_of_an_object_comes_from_head(op: Operator, server: ScriptedServer) -> None:
    headers = (f"Last-Modified: {WRITTEN}", 'ETag: "e"', "Content-Type: text/plain", "Content-Encoding: gzip")
    server.script = lambda _: [raw_response("200 OK", *headers, "Content-Length: 7")]
    found = await op.stat("a")
    assert (found.mode, found.content_length, found.etag) == (EntryMode.FILE, 7, '"e"')
    assert (found.content_type, found.content_encoding) == ("text/plain", "gzip")
    assert [asked.method for asked in server.requests] == ["HEAD"]


@pytest.mark.parametrize("status", ["403 Forbidden", "405 Method Not Allowed", "501 Not Implemented"])
@pytest.mark.parametrize(
    ("answer", "size"),
    [
        ([raw_response("206 Partial Content", "Content-Length: 1", "Content-Range: bytes 0-0/7") + b"x"], 7),
        ([raw_response("206 Partial Content", "Content-Length: 1", "Content-Range: bytes 0-0/*") + b"x"], None),
        ([raw_response("200 OK", "Content-Length: 7"), STALL], 7),
        ([whole_response(b"", "Content-Range: bytes */0", status="416 Range Not Satisfiable")], 0),
    ],
)
async def test_where_head_is_refused_the_first_byte_tells_the_size(
    op: Operator, server: ScriptedServer, status: str, answer: Answer, size: int | None
) -> None:
    server.script = lambda asked: [raw_response(status, "Content-Length: 0")] if asked.method == "HEAD" else answer
    assert (await op.stat("a")).content_length == size
    assert [(asked.method, asked.range) for asked in server.requests] == [("HEAD", None), ("GET", "bytes=0-0")]


@pytest.mark.parametrize("size", [("Content-Range: bytes */0",), ()], ids=["size", "no size"])
async def test_the_page_of_a_refused_range_does_not_describe_the_object(
    op: Operator, server: ScriptedServer, size: tuple[str, ...]
) -> None:
    page = (*size, "Content-Type: text/html", 'ETag: "page"', f"Last-Modified: {WRITTEN}", "Content-Encoding: gzip")
    refused = whole_response(b"<h1>416</h1>", *page, "Cache-Control: no-store", status="416 Range Not Satisfiable")
    server.script = lambda asked: [raw_response("405 No", "Content-Length: 0")] if asked.method == "HEAD" else [refused]
    assert await op.stat("a") == Metadata(mode=EntryMode.FILE, content_length=0 if size else None)


@pytest.mark.parametrize("status", ["200 OK", "203 Non-Authoritative Information"])
async def test_a_probe_that_is_answered_with_all_tells_the_size(
    op: Operator, server: ScriptedServer, status: str
) -> None:
    answer = [whole_response(b"content", 'ETag: "e"', status=status)]
    server.script = lambda asked: [raw_response("405 No", "Content-Length: 0")] if asked.method == "HEAD" else answer
    found = await op.stat("a")
    assert (found.content_length, found.etag) == (7, '"e"')


@pytest.mark.parametrize("chunk", [None, 1000])
@pytest.mark.parametrize("head", ["200 OK", "204 No Content", "405 Method Not Allowed"])
async def test_where_head_tells_no_length_a_range_tells_the_size(
    op: Operator, server: ScriptedServer, head: str, chunk: int | None
) -> None:
    good = OneObject(CONTENT)
    server.script = lambda asked: [raw_response(head, 'ETag: "1"')] if asked.method == "HEAD" else good(asked)
    async with op.reader("a", chunk=chunk) as reader:
        assert await reader.size() == len(CONTENT)
        assert await reader.seek(-8, io.SEEK_END) == len(CONTENT) - 8
        assert await reader.read() == CONTENT[-8:]
        assert await reader.fetch([(len(CONTENT) - 3, None)]) == [CONTENT[-3:]]
    assert await op.read("a", range=BytesRange(suffix=5), chunk=chunk) == CONTENT[-5:]


async def test_where_nothing_tells_the_size_nothing_is_sought_from_the_end(
    op: Operator, server: ScriptedServer
) -> None:
    chunks = raw_response("200 OK", "Transfer-Encoding: chunked", content=b"1\r\nx\r\n0\r\n\r\n")
    server.script = lambda asked: [raw_response("200 OK")] if asked.method == "HEAD" else [chunks]
    async with op.reader("a") as reader:
        for call in (reader.size, partial(reader.seek, 0, io.SEEK_END)):
            with pytest.raises(Unsupported) as caught:
                await call()
            assert caught.value.path == "a"
        assert (reader.tell(), await reader.read()) == (0, b"x")


@pytest.mark.parametrize("chunk", [None, 4])
async def test_a_proxy_that_changed_something_gives_content_too(
    op: Operator, server: ScriptedServer, chunk: int | None
) -> None:
    server.script = lambda asked: [whole_response(b"content", status="203 Non-Authoritative Information")]
    assert await op.read("a", chunk=chunk) == b"content"
    assert await op.read("a", range=(1, 4), chunk=chunk) == b"ont"


@pytest.mark.parametrize("chunk", [None, 4])
async def test_no_content_is_an_empty_object(op: Operator, server: ScriptedServer, chunk: int | None) -> None:
    server.script = lambda asked: [raw_response("204 No Content")]
    assert await op.read("a", chunk=chunk) == b""
    assert await op.read("a", range=(0, 10), chunk=chunk) == b""
    with pytest.raises(RangeNotSatisfied) as caught:
        await op.read("a", range=(1, 10), chunk=chunk)
    assert (caught.value.operation, caught.value.path) == ("read", "a")
    async with op.reader("a", chunk=chunk) as reader:
        assert (await reader.read(), await reader.size()) == (b"", 0)


async def test_a_refusal_of_both_is_a_refusal(op: Operator, server: ScriptedServer) -> None:
    server.script = lambda _: [raw_response("403 Forbidden", "Content-Length: 0")]
    with pytest.raises(PermissionDenied) as caught:
        await op.stat("a")
    assert (caught.value.operation, caught.value.path) == ("stat", "a")


async def test_a_path_with_a_slash_that_answers_is_a_directory(op: Operator, server: ScriptedServer) -> None:
    found = await op.stat("dir/")
    assert (found.mode, found.content_length) == (EntryMode.DIR, None)
    assert server.requests[0].target == "/dir/"


async def test_a_name_that_is_redirected_to_a_slash_is_a_directory(op: Operator, server: ScriptedServer) -> None:
    def script(asked: ReceivedRequest) -> Answer:
        if asked.target.endswith("/"):
            return [raw_response("200 OK", "Content-Length: 7", content=b"" if asked.method == "HEAD" else b"listing")]
        return [raw_response("301 Moved Permanently", f"Location: {asked.target}/", "Content-Length: 0")]

    server.script = script
    assert (await op.stat("dir")).mode is EntryMode.DIR
    with pytest.raises(IsADirectory) as caught:
        await op.read("dir")
    assert (caught.value.kind, caught.value.operation, caught.value.path) == ("IsADirectory", "read", "dir")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("404 Not Found", NotFound),
        ("410 Gone", NotFound),
        ("401 Unauthorized", PermissionDenied),
        ("304 Not Modified", ConditionNotMatch),
        ("412 Precondition Failed", ConditionNotMatch),
        ("429 Too Many Requests", RateLimited),
        ("503 Service Unavailable", Unexpected),
        ("300 Multiple Choices", Unexpected),
    ],
)
async def test_a_status_is_an_error_that_names_operation_and_path(
    op: Operator, server: ScriptedServer, status: str, kind: type[Error]
) -> None:
    server.script = lambda _: [raw_response(status, "Content-Length: 0")]
    for call, operation in ((op.read("a"), "read"), (op.stat("a"), "stat")):
        with pytest.raises(Error) as caught:
            await call
        assert type(caught.value) is kind
        assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("http", operation, "a")
        assert caught.value.context == {"status": int(status[:3])}


async def test_a_range_behind_the_end_is_refused_and_one_at_the_end_is_empty(op: Operator) -> None:
    assert await op.read("a", range=(len(CONTENT), None)) == b""
    with pytest.raises(RangeNotSatisfied):
        await op.read("a", range=(len(CONTENT) + 1, None))


async def test_an_empty_range_sends_nothing(op: Operator, server: ScriptedServer) -> None:
    assert await op.read("a", range=(5, 5)) == b""
    assert await op.read_with("a").range(suffix=0) == b""
    assert server.requests == []


async def test_conditions_are_sent_and_a_server_that_ignores_them_is_held_to_them(
    op: Operator, server: ScriptedServer
) -> None:
    assert await op.read("a", if_match='"1"') == CONTENT
    assert server.requests[0].headers["if-match"] == '"1"'
    for call in (op.read("a", if_match='"2"'), op.stat("a", if_none_match='"1"')):
        with pytest.raises(ConditionNotMatch):
            await call


async def test_what_a_reply_says_of_the_time_to_try_again_is_in_the_error(op: Operator, server: ScriptedServer) -> None:
    server.script = lambda _: [raw_response("503 Service Unavailable", "Retry-After: 7", "Content-Length: 0")]
    for call in (op.read("a"), op.stat("a")):
        with pytest.raises(Unexpected) as caught:
            await call
        assert caught.value.context["retry_after"] == 7.0


async def test_leaving_a_derived_operator_leaves_the_reads_of_the_first_alone(server: ScriptedServer) -> None:
    content = bytes(8 << 20)
    server.script = OneObject(content)
    op = Operator(Http(server.endpoint), resilient=False)
    async with op.reader("a") as reader:
        assert await reader.read(10) == content[:10]
        async with op.layer(Layer()) as derived:
            assert (await derived.stat("a")).content_length == len(content)
        assert await reader.read() == content[10:]
    assert [asked.method for asked in server.requests] == ["GET", "HEAD"]
    await op.close()
    await asyncio.to_thread(server.wait_until_left)


@pytest.mark.parametrize("path", ["../a", "a/../../b", "a/..", "./a"])
async def test_a_path_that_leaves_the_root_sends_nothing(op: Operator, server: ScriptedServer, path: str) -> None:
    for call in (op.read(path), op.stat(path)):
        with pytest.raises(InvalidInput) as caught:
            await call
        assert caught.value.path == path
    assert server.requests == []


async def test_what_a_web_server_cannot_do_sends_nothing(op: Operator, server: ScriptedServer) -> None:
    for call in (op.write("a", b"x"), op.read("a", version="1"), op.stat("a", version="1")):
        with pytest.raises(Unsupported):
            await call
    assert server.requests == []


async def test_endpoint_root_and_credentials_reach_the_server(server: ScriptedServer) -> None:
    endpoint = server.endpoint.replace("//", "//user:pass@") + "/base%20dir"
    async with Operator(Http(endpoint, root="sub"), resilient=False) as op:
        assert await op.read("a b") == CONTENT
    assert server.requests[0].target == "/base%20dir/sub/a%20b"
    assert server.requests[0].headers["authorization"] == "Basic dXNlcjpwYXNz"


async def test_an_object_that_changes_between_requests_is_noticed(op: Operator, server: ScriptedServer) -> None:
    async with op.reader("a") as reader:
        await reader.read(10)
        server.script = OneObject(CONTENT[::-1], etag='"2"')
        await reader.seek(200_000)
        with pytest.raises(ConditionNotMatch):
            await reader.read(10)


async def test_what_is_refused_without_credentials_is_one_object(server: ScriptedServer) -> None:
    op = Operator(Http(server.endpoint))
    server.script = lambda _: [raw_response("401 Unauthorized", "Content-Length: 0")]
    for call in (op.read("a"), op.stat("a")):
        with pytest.raises(PermissionDenied) as caught:
            await call
        assert not caught.value.refuses_credentials
    for config in (Http(server.endpoint, token="wrong"), Http(server.endpoint, headers={"X-Api-Key": "wrong"})):
        with pytest.raises(PermissionDenied) as caught:
            await Operator(config).read("a")
        assert caught.value.refuses_credentials
    server.script = lambda _: [raw_response("407 Proxy Authentication Required", "Content-Length: 0")]
    with pytest.raises(PermissionDenied) as caught:
        await op.read("a")
    assert caught.value.refuses_credentials
