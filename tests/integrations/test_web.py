"""Objects over HTTP through web frameworks: a real server and a real client."""

import asyncio
import gzip
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest

from entrepot import BytesRange, InvalidInput, Metadata, Operator, PermissionDenied, Timeout
from entrepot.integrations import asgi
from entrepot.integrations.web.answers import Presentation, answer_to
from entrepot.integrations.web.requests import ObjectRequest, parse_range
from entrepot.services import Http, Memory
from entrepot.testing import STALL, ScriptedServer, raw_response, whole_response
from tests.integrations.web_servers import serve

FRAMEWORKS = ["asgi", "starlette", "fastapi", "aiohttp"]
CONTENT = bytes(range(256)) * 4


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    return request.param


async def stored():
    op = Operator(Memory())
    options = {"content_type": "text/csv", "cache_control": "max-age=9", "content_disposition": "inline"}
    return op, await op.write("dir/a.csv", CONTENT, **options)


async def test_answers(framework):
    op, metadata = await stored()
    await op.write("empty", b"")
    written = metadata.last_modified or (await op.stat("dir/a.csv")).last_modified
    etag, earlier, later = metadata.etag, http_date(written - timedelta(days=1)), http_date(written + timedelta(days=1))
    size = len(CONTENT)
    cases = [
        ({}, 200, CONTENT),
        ({"Range": "bytes=0-9"}, 206, CONTENT[:10]),
        ({"Range": "bytes=1000-"}, 206, CONTENT[1000:]),
        ({"Range": "bytes=1000-999999999999999999999"}, 206, CONTENT[1000:]),
        ({"Range": "bytes=-24"}, 206, CONTENT[-24:]),
        ({"Range": "bytes=-2000"}, 206, CONTENT),
        ({"Range": f"bytes={size}-"}, 416, None),
        ({"Range": f"bytes={size + 1}-"}, 416, None),
        ({"Range": "bytes=-0"}, 416, None),
        ({"Range": "bytes=0-1,4-5"}, 200, CONTENT),
        ({"Range": "bytes=9-0"}, 200, CONTENT),
        ({"Range": "lines=0-1"}, 200, CONTENT),
        ({"If-None-Match": etag}, 304, b""),
        ({"If-None-Match": f'"x", W/{etag}'}, 304, b""),
        ({"If-None-Match": "*"}, 304, b""),
        ({"If-None-Match": '"x"'}, 200, CONTENT),
        ({"If-None-Match": '"x"', "If-Modified-Since": later}, 200, CONTENT),
        ({"If-Modified-Since": later}, 304, b""),
        ({"If-Modified-Since": earlier}, 200, CONTENT),
        ({"If-Modified-Since": "yesterday"}, 200, CONTENT),
        ({"If-Match": '"x"'}, 412, None),
        ({"If-Match": f"W/{etag}"}, 412, None),
        ({"If-Match": f'{etag}, "x"', "If-Unmodified-Since": earlier}, 200, CONTENT),
        ({"If-Unmodified-Since": earlier}, 412, None),
        ({"If-Unmodified-Since": later, "Range": "bytes=0-9"}, 206, CONTENT[:10]),
        ({"If-Range": etag, "Range": "bytes=5-9"}, 206, CONTENT[5:10]),
        ({"If-Range": '"x"', "Range": "bytes=5-9"}, 200, CONTENT),
        ({"If-Range": http_date(written), "Range": "bytes=5-9"}, 206, CONTENT[5:10]),
        ({"If-Range": later, "Range": "bytes=5-9"}, 200, CONTENT),
    ]
    async with serve(framework, op) as url, aiohttp.ClientSession() as session:
        for headers, status, content in cases:
            async with session.get(f"{url}/dir/a.csv", headers=headers) as response:
                found = await response.read()
                assert response.status == status, headers
                assert content is None or found == content, headers
                assert response.headers.get("etag") == (etag if status < 400 else None)
                if status == 416:
                    assert response.headers["content-range"] == f"bytes */{size}"
        async with session.get(f"{url}/empty", headers={"Range": "bytes=0-"}) as response:
            assert (response.status, await response.read(), response.headers["content-length"]) == (200, b"", "0")


async def test_headers_of_an_object(framework):
    op, metadata = await stored()
    wanted = {
        "content-type": "text/csv",
        "content-length": "1024",
        "content-disposition": "inline",
        "cache-control": "max-age=9",
        "accept-ranges": "bytes",
        "etag": metadata.etag,
    }
    async with serve(framework, op) as url, aiohttp.ClientSession() as session:
        async with session.head(f"{url}/dir/a.csv", headers={"Range": "bytes=0-3"}) as response:
            assert response.status == 200  # only GET has ranges
            assert wanted.items() <= {name.lower(): value for name, value in response.headers.items()}.items()
            assert "last-modified" in response.headers
        async with session.get(f"{url}/dir/a.csv", headers={"Range": "bytes=0-3"}) as response:
            assert (response.headers["content-range"], response.content_length) == ("bytes 0-3/1024", 4)
        for missing in ("dir/none", "dir/", "dir", "dir/a.csv/b", "", "a%00b"):
            for method in ("GET", "HEAD"):
                async with session.request(method, f"{url}/{missing}") as response:
                    assert response.status == 404, missing


async def answered(op, headers=(), method="GET"):
    """The status and the content with which the ASGI application answers, and nothing but the application."""
    messages = []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        messages.append(message)

    lines = [(name.lower().encode(), value.encode()) for name, value in dict(headers).items()]
    await asgi.ObjectResponse(op, "a")({"method": method, "headers": lines}, receive, send)
    return messages[0]["status"], b"".join(message["body"] for message in messages[1:])


@pytest.mark.parametrize(
    ("method", "headers", "sent", "status"),
    [
        ("GET", {}, ["GET"], 200),
        ("GET", {"Range": "bytes=2-4"}, ["GET"], 206),
        ("HEAD", {}, ["HEAD"], 200),
        ("GET", {"If-None-Match": '"1"'}, ["HEAD"], 304),
        ("GET", {"If-None-Match": '"2"'}, ["HEAD", "GET"], 200),
        ("GET", {"If-Range": '"1"', "Range": "bytes=2-4"}, ["HEAD", "GET"], 206),
        ("DELETE", {}, [], 405),
    ],
)
async def test_an_answer_takes_as_few_requests_as_it_can(method, headers, sent, status):
    def script(request):
        if b"bytes=2-4" in request.head:
            return [whole_response(b"234", 'ETag: "1"', "Content-Range: bytes 2-4/10", status="206 Partial Content")]
        content = b"" if request.method == "HEAD" else b"0123456789"
        return [raw_response("200 OK", 'ETag: "1"', "Content-Length: 10", content=content)]

    with ScriptedServer(script) as server:
        async with Operator(Http(server.endpoint), resilient=False) as op:
            assert (await answered(op, headers, method))[0] == status
        assert [request.method for request in server.requests] == sent


async def test_an_object_that_is_replaced_between_its_metadata_and_its_content_is_not_mixed():
    def script(request):
        if request.method == "HEAD":
            return [raw_response("200 OK", 'ETag: "1"', "Content-Length: 10")]
        if b"bytes=2-4" in request.head:
            return [whole_response(b"cde", 'ETag: "2"', "Content-Range: bytes 2-4/12", status="206 Partial Content")]
        return [whole_response(b"abcdefghijkl", 'ETag: "2"')]

    with ScriptedServer(script) as server:
        async with Operator(Http(server.endpoint), resilient=False) as op:
            headers = {"If-Range": '"1"', "Range": "bytes=2-4"}
            assert await answered(op, headers) == (200, b"abcdefghijkl")
        assert [request.method for request in server.requests] == ["HEAD", "GET", "GET"]


async def test_a_client_that_leaves_ends_the_read(framework):
    def script(request):
        if request.method == "HEAD" or request.target.endswith("silent"):
            return [STALL]
        return [raw_response("200 OK", "Content-Length: 5000000", content=bytes(100_000)), STALL]

    with ScriptedServer(script) as server:
        op = Operator(Http(server.endpoint), resilient=False)
        async with op, serve(framework, op) as url:
            for path in ("some", "silent"):
                async with aiohttp.ClientSession() as session:
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(0.2), session.get(f"{url}/{path}") as response:
                            await response.read()
                async with asyncio.timeout(30):
                    while server.open_connections:
                        await asyncio.sleep(0.01)


async def test_a_server_whose_send_fails_ends_the_read():
    op, _ = await stored()

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        raise OSError("the client has left")

    await asgi.ObjectResponse(op, "dir/a.csv")({"method": "GET", "headers": []}, receive, send)


async def test_errors_of_the_storage_are_raised_as_they_are():
    def script(request):
        return [raw_response("403 Forbidden", "Content-Length: 0")]

    with ScriptedServer(script) as server:
        async with Operator(Http(server.endpoint), resilient=False) as op:
            response = asgi.ObjectResponse(op, "a")
            with pytest.raises(PermissionDenied):
                await response({"method": "GET", "headers": []}, asyncio.Event().wait, None)


async def test_an_error_of_the_server_is_raised_as_it_is():
    async def broken():
        raise RuntimeError("the server stops")

    op, _ = await stored()
    with pytest.raises(RuntimeError, match="the server stops"):
        await asgi.ObjectResponse(op, "dir/a.csv")({"method": "GET", "headers": []}, broken, lambda _: asyncio.sleep(1))


async def test_contents_are_stored(framework):
    op = Operator(Memory())
    async with serve(framework, op) as url, aiohttp.ClientSession() as session:
        headers = {"Content-Type": "text/csv", "Cache-Control": "no-cache"}
        async with session.put(f"{url}/dir/b", data=CONTENT * 1000, headers=headers) as response:
            assert response.status == 204
        metadata = await op.stat("dir/b")
        assert (metadata.content_type, metadata.cache_control) == ("text/csv", "no-cache")
        assert await op.read("dir/b") == CONTENT * 1000


async def test_an_encoded_content_is_what_its_headers_say(framework):
    op = Operator(Memory())
    async with serve(framework, op) as url, aiohttp.ClientSession() as session:
        for path, encoding in (("empty", "gzip"), ("plain", "identity"), ("packed", "gzip")):
            content = {"empty": b"", "plain": CONTENT, "packed": gzip.compress(CONTENT)}[path]
            async with session.put(f"{url}/{path}", data=content, headers={"Content-Encoding": encoding}) as response:
                assert response.status == 204
        async with session.get(f"{url}/packed") as response:
            assert await response.read() == CONTENT
    assert (await op.read("plain"), await op.read("empty")) == (CONTENT, b"")


async def test_a_content_that_ends_early_publishes_nothing(framework):
    op = Operator(Memory())
    async with serve(framework, op) as url:
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"PUT /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000))
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.1)
    assert not await op.exists("cut")


async def in_chunks():
    """Content that the client sends by a Transfer-Encoding."""
    yield b"1"
    yield b"2"


async def test_answers_to_requests_that_store(framework):
    op = Operator(Memory())
    cases = [
        ("PUT", "new", {"If-None-Match": "*"}, 201),
        ("PUT", "new", {"If-None-Match": "*"}, 412),
        ("PUT", "new", {"If-Match": '"x"'}, 412),
        ("PUT", "new", {}, 204),
        ("PUT", "new", {"Content-Range": "bytes 0-1/2"}, 400),
        ("PUT", "tiny", {}, 413),
        ("POST", "tiny", {}, 413),
        ("PUT", "dir/", {}, 409),
        ("DELETE", "new", {}, 405),
    ]
    async with serve(framework, op) as url, aiohttp.ClientSession() as session:
        for method, path, headers, status in cases:
            content = in_chunks() if method == "POST" else b"12"
            async with session.request(method, f"{url}/{path}", data=content, headers=headers) as response:
                assert response.status == status, (method, headers)
                assert ("Set-Cookie" in response.headers) is (framework == "starlette")


async def test_the_program_learns_what_was_stored():
    op = Operator(Memory())
    async with (
        serve("fastapi", op) as url,
        aiohttp.ClientSession() as session,
        session.patch(f"{url}/new", data=CONTENT) as response,
    ):
        assert await response.json() == {"size": len(CONTENT)}


async def test_a_client_that_sends_too_slowly_is_answered(monkeypatch):
    from entrepot.integrations import aiohttp as served

    monkeypatch.setattr(served, "_PATIENCE", 0.05)
    op = Operator(Memory())
    async with serve("aiohttp", op) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"PUT /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()
    assert not await op.exists("slow")


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("a b.txt", 'attachment; filename="a b.txt"'),
        ('a"b', "attachment; filename*=UTF-8''a%22b"),
        ("café", "attachment; filename*=UTF-8''caf%C3%A9"),
        ("a\r\nSet-Cookie: b", "attachment; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b"),
    ],
)
def test_file_names(name, disposition):
    answer = answer_to(ObjectRequest("GET", {}), Metadata(content_length=1), Presentation(name))
    assert ("Content-Disposition", disposition) in answer.headers


def test_headers_of_the_caller_replace_those_of_the_object():
    presentation = Presentation(content_type="text/x", headers={"cache-control": "no-store", "Vary": "Origin"})
    metadata = Metadata(content_length=1, cache_control="max-age=9", content_type="a/b\r\nEvil: 1", etag='"e"')
    for headers in ({}, {"if-none-match": '"e"'}):
        lines = answer_to(ObjectRequest("GET", headers), metadata, presentation).headers
        assert [line for line in lines if line[0].lower() == "cache-control"] == [("cache-control", "no-store")]
        assert ("Vary", "Origin") in lines
    assert not any(
        "Evil" in value for _, value in answer_to(ObjectRequest("GET", {}), metadata, Presentation()).headers
    )


@pytest.mark.parametrize(
    "values", [{"headers": {"A": "b\nc"}}, {"headers": {"A b": "c"}}, {"content_type": "\0"}, {"disposition": "x"}]
)
def test_values_that_do_not_fit_into_a_header_are_refused(values):
    with pytest.raises(ValueError, match=r"header|disposition"):
        Presentation(**values)


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("bytes=0-0", BytesRange(0, 1)),
        ("Bytes = 3-", BytesRange(3)),
        ("bytes=-7", BytesRange(suffix=7)),
        ("bytes=0-1,", BytesRange(0, 2)),
        ("bytes=", None),
        ("bytes=a-b", None),
        ("bytes=-", None),
        ("bytes=0-1, 3-4", None),
        ("", None),
    ],
)
def test_ranges(value, parsed):
    assert parse_range(value) == parsed


def http_date(time: datetime) -> str:
    return format_datetime(time.astimezone(UTC).replace(microsecond=0), usegmt=True)


@pytest.mark.parametrize("content", [b"half", b"", b"more than the ten bytes"])
async def test_content_of_another_length_than_stated_is_not_stored(content):
    """As a server or a middleware may deliver it."""
    op, sent = Operator(Memory()), []
    scope = {"type": "http", "method": "PUT", "headers": [(b"content-length", b"10")]}

    async def receive():
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message):
        sent.append(message)

    await asgi.StoredObjectResponse(op, "a")(scope, receive, send)
    assert sent[0]["status"] == 400
    assert not await op.exists("a")
    scope["headers"].append((b"transfer-encoding", b"chunked"))
    assert (await asgi.store_request(op, "a", scope, receive)).content_length == len(content)


async def test_time_that_the_storage_takes_is_not_that_of_the_client(monkeypatch):
    from entrepot.integrations import aiohttp as served

    async def chunks(wait):
        for _ in range(3):
            yield b"0123456789"
        await asyncio.sleep(wait)
        yield b"end"

    with pytest.raises(InvalidInput, match="min_rate"):
        await served.store_request(None, Operator(Memory()), "a", min_rate=0)
    monkeypatch.setattr(served, "_PATIENCE", 0.05)
    for wait in (0, 20):
        taken = []
        with nullcontext() if not wait else pytest.raises(Timeout, match="too slowly"):
            async for chunk in served._at_rate(aiter(chunks(wait)), 1000):
                taken.append(chunk)
                await asyncio.sleep(0.1)  # as a slow storage
        assert len(taken) == (3 if wait else 4)
