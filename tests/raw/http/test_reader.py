"""The body of a read over HTTP, without a network."""

import pytest

from entrepot.errors import ContentIncomplete, ContentTruncated, Error, RangeNotSatisfied, Unexpected, Unsupported
from entrepot.raw import RpRead
from entrepot.raw.http.headers import parse_metadata
from entrepot.raw.http.reader import HttpReader
from entrepot.raw.http.transport import HttpBody, HttpHeaders, HttpResponse
from entrepot.raw.oio.read.api import WHOLE
from entrepot.types import BytesRange

OBJECT = b"0123456789"


class Pieces(HttpBody):
    """Content in pieces of three bytes."""

    def __init__(self, content: bytes) -> None:
        self._left = content
        self.is_closed = False

    async def read(self, n: int) -> bytes:
        data, self._left = self._left[: min(n, 3)], self._left[min(n, 3) :]
        return data

    async def close(self) -> None:
        self.is_closed = True


class Server:
    """Answers each request with the same reply."""

    def __init__(self, status: int, content: bytes, **headers: str) -> None:
        self.asked = 0
        self.body = Pieces(content)
        self._response = HttpResponse(
            status, HttpHeaders((name.replace("_", "-"), value) for name, value in headers.items()), self.body
        )
        self.reply = RpRead()

    async def send(self) -> HttpResponse:
        self.asked += 1
        return self._response

    def reader(self, asked: BytesRange) -> HttpReader:
        return HttpReader(
            self.send, asked, lambda headers, size: parse_metadata(headers, content_length=size), self.reply
        )

    async def read(self, asked: BytesRange) -> bytes:
        reader, data = self.reader(asked), b""
        try:
            while part := await reader.read(WHOLE):
                data += part
        finally:
            await reader.close()
        return data


RANGES = {
    "whole": BytesRange(),
    "start": BytesRange(0, 4),
    "middle": BytesRange(3, 7),
    "open": BytesRange(6),
    "behind": BytesRange(8, 100),
    "suffix": BytesRange(suffix=4),
    "all by suffix": BytesRange(suffix=100),
}


@pytest.mark.parametrize("asked", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize("status", [200, 206])
@pytest.mark.parametrize("size", ["10", "*"])
async def test_a_content_range_counts_with_either_status(asked: BytesRange, status: int, size: str) -> None:
    begin, end = asked.resolve(len(OBJECT))
    server = Server(status, OBJECT[begin:end], content_range=f"bytes {begin}-{end - 1}/{size}")
    if size == "*" and asked.end != end:
        # Nothing shows that these are the last bytes.
        with pytest.raises((ContentTruncated, ContentIncomplete)):
            await server.read(asked)
    else:
        assert await server.read(asked) == OBJECT[begin:end]
    assert server.asked == 1


@pytest.mark.parametrize("asked", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize("has_length", [True, False])
async def test_a_whole_body_is_cut_to_the_range(asked: BytesRange, has_length: bool) -> None:
    begin, end = asked.resolve(len(OBJECT))
    server = Server(200, OBJECT, **({"content_length": "10"} if has_length else {}))
    if asked.suffix is not None and not has_length:
        with pytest.raises(Unsupported):
            await server.read(asked)
    else:
        assert await server.read(asked) == OBJECT[begin:end]
    assert server.body.is_closed


@pytest.mark.parametrize(
    ("asked", "status", "content", "headers", "kind"),
    [
        (BytesRange(0, 4), 206, b"0123", {"content_range": "bytes 1-4/10"}, ContentTruncated),
        (BytesRange(0, 4), 206, b"01234", {"content_range": "bytes 0-4/10"}, ContentTruncated),
        (BytesRange(0, 4), 206, b"0123", {"content_range": "bytes */10"}, ContentTruncated),
        (BytesRange(0, 4), 206, b"0123", {"content_range": "nonsense"}, ContentTruncated),
        (BytesRange(0, 4), 206, b"0123", {}, ContentTruncated),
        (BytesRange(0, 4), 206, b"0123", {"content_type": "multipart/byteranges; boundary=x"}, ContentTruncated),
        (BytesRange(0, 4), 206, b"0123", {"content_range": "bytes 0-3/10", "content_length": "5"}, ContentTruncated),
        (BytesRange(0, 4), 206, b"012345", {"content_range": "bytes 0-3/10"}, ContentTruncated),
        (BytesRange(0, 4), 206, b"012", {"content_range": "bytes 0-3/10"}, ContentIncomplete),
        (BytesRange(0, 4), 206, b"01", {"content_range": "bytes 0-1/10"}, ContentIncomplete),
        (BytesRange(0, 4), 206, b"01", {"content_range": "bytes 0-1/*"}, ContentIncomplete),
        (BytesRange(20, 30), 206, b"0", {"content_range": "bytes 9-9/10"}, RangeNotSatisfied),
        (BytesRange(suffix=4), 206, b"0123", {"content_range": "bytes 0-3/10"}, ContentTruncated),
        (BytesRange(suffix=4), 206, b"0123", {"content_range": "bytes 0-3/*"}, ContentTruncated),
        (BytesRange(), 206, b"0123", {"content_range": "bytes 0-3/10"}, ContentIncomplete),
        (BytesRange(), 200, b"0123", {"content_length": "10"}, ContentIncomplete),
        (BytesRange(), 200, OBJECT, {"content_length": "4"}, ContentTruncated),
        (BytesRange(3, 7), 200, b"0123", {"content_length": "10"}, ContentIncomplete),
        (BytesRange(3, 7), 200, b"01", {"content_length": "10"}, ContentIncomplete),
        (BytesRange(20), 200, OBJECT, {"content_length": "10"}, RangeNotSatisfied),
        (BytesRange(20), 200, OBJECT, {}, RangeNotSatisfied),
        (BytesRange(20), 416, b"", {"content_range": "bytes */10"}, RangeNotSatisfied),
        (BytesRange(20), 416, b"", {}, RangeNotSatisfied),
        (BytesRange(0, 4), 416, b"", {}, RangeNotSatisfied),
        (BytesRange(5, 7), 416, b"", {"content_range": "bytes */10"}, Unexpected),
        (BytesRange(suffix=4), 416, b"", {"content_range": "bytes */10"}, Unexpected),
        (BytesRange(suffix=4), 416, b"", {}, RangeNotSatisfied),
    ],
)
async def test_a_reply_that_is_not_what_was_asked_for_is_an_error(
    asked: BytesRange, status: int, content: bytes, headers: dict[str, str], kind: type[Error]
) -> None:
    server = Server(status, content, **headers)
    with pytest.raises(Error) as caught:
        await server.read(asked)
    assert type(caught.value) is kind
    assert caught.value.is_temporary is (kind is ContentIncomplete)
    assert server.body.is_closed


@pytest.mark.parametrize(
    ("asked", "stated"),
    [
        (BytesRange(10), "bytes */10"),
        (BytesRange(10, 20), "bytes */10"),
        (BytesRange(0, 4), "bytes */0"),
        (BytesRange(suffix=4), "bytes */0"),
    ],
)
async def test_a_refused_range_at_the_end_is_empty(asked: BytesRange, stated: str) -> None:
    server = Server(416, b"<html>go away</html>", content_range=stated)
    assert await server.read(asked) == b""
    assert server.reply == RpRead(size=int(stated.partition("/")[2]))


async def test_a_refused_range_behind_the_end_tells_the_size() -> None:
    server = Server(416, b"", content_range="bytes */10")
    with pytest.raises(RangeNotSatisfied, match="10 bytes"):
        await server.read(BytesRange(20))
    assert server.reply == RpRead(size=10)


async def test_a_refusal_of_an_empty_object_names_its_size() -> None:
    with pytest.raises(RangeNotSatisfied, match="of 0 bytes"):
        await Server(416, b"", content_range="bytes */0").read(BytesRange(1))


async def test_nothing_is_sent_before_the_first_verb_and_for_no_bytes() -> None:
    server = Server(200, OBJECT)
    reader = server.reader(BytesRange())
    assert await reader.read(0) == b""
    await reader.close()
    assert server.asked == 0
    assert server.reply.metadata is None


async def test_the_end_stays_the_end_and_next_says_none_there() -> None:
    reader = Server(200, OBJECT, content_length="10").reader(BytesRange())
    assert [await reader.next() for _ in range(4)] == [b"012", b"345", b"678", b"9"]
    assert await reader.next() is None
    assert await reader.read(1) == b""


async def test_a_description_that_fails_closes_the_body() -> None:
    server = Server(200, OBJECT)

    def refuse(*_: object) -> None:
        raise Unexpected("no")

    reader = HttpReader(server.send, BytesRange(), refuse, RpRead())  # type: ignore[arg-type]
    with pytest.raises(Unexpected):
        await reader.read(1)
    assert server.body.is_closed


class Known(Pieces):
    """Content whose end is known once it was read."""

    @property
    def is_at_end(self) -> bool:
        return not self._left


@pytest.mark.parametrize(
    ("asked", "status", "content", "headers", "is_at_end"),
    [
        (BytesRange(), 200, b"012", {"content_length": "3"}, True),
        (BytesRange(0, 3), 206, b"012", {"content_range": "bytes 0-2/10"}, True),
        (BytesRange(0, 3), 200, OBJECT, {"content_length": "10"}, True),
        (BytesRange(), 200, b"0123", {"content_length": "3"}, False),
        (BytesRange(), 200, b"012", {}, False),
        (BytesRange(0, 6), 206, b"012", {"content_range": "bytes 0-2/10"}, False),
        (BytesRange(), 200, b"012345", {"content_length": "6"}, False),
    ],
    ids=["whole", "range", "cut", "too long", "unknown length", "part", "half read"],
)
async def test_an_end_is_known_without_asking_where_all_that_was_promised_has_come(
    asked: BytesRange, status: int, content: bytes, headers: dict[str, str], is_at_end: bool
) -> None:
    server = Server(status, content, **headers)
    server._response.body = Known(content)
    reader = server.reader(asked)
    assert not reader.is_at_end
    assert await reader.read(WHOLE) == b"012"
    assert reader.is_at_end is is_at_end
    await reader.close()
    assert not reader.is_at_end
