"""A read at once has the result of a read by a body, whatever the server answers, and makes the same requests."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from entrepot.errors import ContentIncomplete, Error
from entrepot.raw import Accessor, Context, OpRead, RpRead, oio
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.http.transport import Header
from entrepot.raw.http.whole import LIMIT
from entrepot.raw.oio.read.api import DIRECT, read_to_end
from entrepot.services import S3, Http
from entrepot.testing.transport import MockBody, MockTransport, reply
from entrepot.types import BytesRange, Metadata

OBJECT = b"0123456789"
NOON = "Thu, 29 Feb 2024 12:00:00 GMT"
LARGE = bytes(range(256)) * (DIRECT // 256) + b"more"
LENGTH = ("Content-Length", "10")
OF_LARGE = ("Content-Length", str(len(LARGE)))
SHORT = ("Content-Length", "4")
FACTS = [("ETag", '"1"'), ("Last-Modified", NOON), ("x-amz-version-id", "v1")]
CRC = ("x-amz-checksum-crc32", "poTHxg==")
LOST = ContentIncomplete("the connection broke", is_temporary=True)
Script = tuple[int, Any, list[Header]]


def part(stated: str, *more: Header) -> list[Header]:
    return [("Content-Range", stated), *more, *FACTS]


REPLIES: dict[str, Script] = {
    "plain": (200, OBJECT, [LENGTH, *FACTS]),
    "in pieces": (200, [b"012", b"3456", b"789"], [LENGTH, *FACTS]),
    "empty": (200, b"", [("Content-Length", "0"), *FACTS]),
    "empty but not": (200, b"x", [("Content-Length", "0"), *FACTS]),
    "checked": (200, OBJECT, [LENGTH, CRC, *FACTS]),
    "damaged": (200, b"0123456780", [LENGTH, CRC, *FACTS]),
    "damaged in pieces": (200, [b"01234", b"56780"], [LENGTH, CRC, *FACTS]),
    "of parts": (200, OBJECT, [LENGTH, ("x-amz-checksum-crc32", "AAAAAA==-2"), *FACTS]),
    "short": (200, b"012", [LENGTH, *FACTS]),
    "nothing": (200, b"", [LENGTH, *FACTS]),
    "long": (200, OBJECT + b"x", [LENGTH, *FACTS]),
    "long in pieces": (200, [OBJECT, b"x"], [LENGTH, *FACTS]),
    "lost": (200, [b"012", LOST], [LENGTH, *FACTS]),
    "lost after its end": (200, [OBJECT, LOST], [LENGTH, *FACTS]),
    "large in pieces": (200, [LARGE[:5], LARGE[5:90_000], LARGE[90_000:]], [OF_LARGE, *FACTS]),
    "large but for its end": (200, [LARGE[:-3], LARGE[-3:]], [OF_LARGE, *FACTS]),
    "large and short": (200, [LARGE[:5], LARGE[5:90_000], LARGE[90_000:-1]], [OF_LARGE, *FACTS]),
    "large and long": (200, [LARGE[:5], LARGE[5:90_000], LARGE[90_000:] + b"x"], [OF_LARGE, *FACTS]),
    "large and damaged": (200, [LARGE[:5], LARGE[5:]], [OF_LARGE, CRC, *FACTS]),
    "large and lost": (200, [LARGE[:5], LARGE[5:90_000], LOST], [OF_LARGE, *FACTS]),
    "without length": (200, OBJECT, FACTS),
    "odd length": (200, OBJECT, [("Content-Length", "1e1"), *FACTS]),
    "huge length": (200, OBJECT, [("Content-Length", "9" * 19), *FACTS]),
    "larger": (200, b"x" * (LIMIT + 1), [("Content-Length", str(LIMIT + 1)), *FACTS]),
    "encoded": (200, OBJECT, [LENGTH, ("Content-Encoding", "gzip"), *FACTS]),
    "no facts": (200, OBJECT, [LENGTH]),
    "other facts": (200, OBJECT, [LENGTH, ("ETag", 'W/"2"'), ("x-amz-version-id", "v2")]),
    "200 with a part": (200, b"3456", part("bytes 3-6/10", SHORT)),
    "the part": (206, b"3456", part("bytes 3-6/10", SHORT)),
    "the part, checked as if whole": (206, b"3456", part("bytes 3-6/10", SHORT, CRC)),
    "the part in pieces": (206, [b"34", b"56"], part("bytes 3-6/10", SHORT)),
    "the part of unknown size": (206, b"3456", part("bytes 3-6/*", SHORT)),
    "the part without length": (206, b"3456", part("bytes 3-6/10")),
    "the part with odd blanks": (206, b"3456", part(" Bytes  3-6/10 ", SHORT)),
    "the part of a smaller object": (206, b"3456", part("bytes 3-6/6", SHORT)),
    "the part of an endless object": (206, b"3456", part("bytes 3-6/" + "9" * 19, SHORT)),
    "the part, short": (206, b"345", part("bytes 3-6/10", SHORT)),
    "the part, long": (206, b"34567", part("bytes 3-6/10", SHORT)),
    "the part, wrong length": (206, b"34567", part("bytes 3-6/10", ("Content-Length", "5"))),
    "another part": (206, b"2345", part("bytes 2-5/10", SHORT)),
    "a shorter part": (206, b"34", part("bytes 3-4/10", ("Content-Length", "2"))),
    "the last part": (206, b"6789", part("bytes 6-9/10", SHORT)),
    "all as a part": (206, OBJECT, part("bytes 0-9/10", LENGTH)),
    "no part": (206, b"3456", part("bytes */10", SHORT)),
    "nonsense": (206, b"3456", part("nonsense", SHORT)),
    "unstated part": (206, b"3456", [SHORT, *FACTS]),
    "several parts": (206, b"3456", [SHORT, ("Content-Type", "multipart/byteranges; boundary=x")]),
    "changed by a proxy": (203, OBJECT, [LENGTH, *FACTS]),
    "no content": (204, b"", FACTS),
    "refused": (416, b"no", [("Content-Range", "bytes */10")]),
    "refused at the end": (416, b"no", [("Content-Range", "bytes */3")]),
    "refused without size": (416, b"no", []),
    "refused as Amazon does": (416, b"<Error><ActualObjectSize>3</ActualObjectSize></Error>", []),
    "not modified": (304, b"", FACTS),
    "other content": (299, OBJECT, [LENGTH, *FACTS]),
    "missing": (404, b"<Error><Code>NoSuchKey</Code></Error>", []),
    "failed": (503, b"<Error><Code>SlowDown</Code></Error>", [("Retry-After", "3")]),
}
MIDDLE = BytesRange(3, 7)
TIME = datetime(2024, 2, 29, 12, tzinfo=UTC)
READS = {
    "whole": OpRead(),
    "whole by its etag": OpRead(if_match='"1"'),
    "whole unless its etag": OpRead(if_none_match='"1"'),
    "whole if newer": OpRead(if_modified_since=TIME),
    "whole unless newer": OpRead(if_unmodified_since=TIME),
    "version": OpRead(version="v1"),
    "middle": OpRead(range=MIDDLE),
    "middle by another etag": OpRead(range=MIDDLE, if_match='"3"'),
    "middle of a version": OpRead(range=MIDDLE, version="v1"),
    "rest": OpRead(range=BytesRange(6)),
    "past the end": OpRead(range=BytesRange(6, 20)),
    "last": OpRead(range=BytesRange(suffix=4)),
}


def s3(context: Context) -> Accessor:
    keys = {"access_key_id": "AK", "secret_access_key": "SK"}
    endpoint = "http://127.0.0.1:9"
    return S3(
        bucket="b",
        endpoint=endpoint,
        region="r",
        response_checksum_validation="when_supported",
        disable_config_load=True,
        **keys,
    ).build(context)


def http(context: Context) -> Accessor:
    return Http(endpoint="http://127.0.0.1:9").build(context)


class ArrivedBody(MockBody):
    """Content that has arrived with the head of its response."""

    def take_rest(self) -> bytes | None:
        rest, self._pieces = self._pieces, []
        assert all(isinstance(piece, bytes) for piece in rest)
        return b"".join(rest)  # type: ignore[arg-type]


def arrived(script: Script) -> HttpResponse:
    response = reply(*script)
    if isinstance(script[1], bytes):
        response.body = ArrivedBody(script[1])
    return response


async def by_body(accessor: Accessor, args: OpRead) -> bytes:
    return await gathered((await accessor.read("a", args))[1])


async def at_once(accessor: Accessor, args: OpRead) -> bytes:
    content = await accessor.read_whole("a", args)
    return content if isinstance(content, bytes) else await gathered(content[1])


async def by_body_described(accessor: Accessor, args: OpRead) -> tuple[bytes, Metadata | None]:
    response, body = await accessor.read("a", args)
    return await gathered(body), response.metadata


async def at_once_described(accessor: Accessor, args: OpRead) -> tuple[bytes, Metadata | None]:
    response = RpRead()
    content = await accessor.read_whole("a", args, response)
    if not isinstance(content, bytes):
        response, body = content
        content = await gathered(body)
    return content, response.metadata


async def gathered(body: oio.Read) -> bytes:
    try:
        return await read_to_end(body)
    finally:
        await body.close()


async def outcome(
    read: Callable[[Accessor, OpRead], Any],
    service: Callable[[Context], Accessor],
    args: OpRead,
    script: Script,
    answered: Callable[[Script], HttpResponse] = lambda script: reply(*script),
) -> Any:
    def answer(request: HttpRequest) -> HttpResponse:
        if request.method == "HEAD":
            return reply(200, headers=[LENGTH, *FACTS])
        return answered(script)

    transport = MockTransport(answer)
    try:
        result = await read(service(Context(http=transport)), args)
    except Error as error:
        result = type(error), str(error), error.is_temporary, error.context
    assert transport.open_bodies == 0
    return result, [(request.method, request.url) for request in transport.requests]


@pytest.mark.parametrize("service", [s3, http])
@pytest.mark.parametrize("read", READS)
async def test_every_answer_means_the_same(service: Callable[[Context], Accessor], read: str) -> None:
    for name, script in REPLIES.items():
        expected = await outcome(by_body, service, READS[read], script)
        assert await outcome(at_once, service, READS[read], script) == expected, name
        assert await outcome(at_once, service, READS[read], script, arrived) == expected, name
        described = await outcome(by_body_described, service, READS[read], script)
        assert await outcome(at_once_described, service, READS[read], script) == described, name


async def test_a_body_that_overrides_read_alone_has_no_content_taken_past_it() -> None:
    class Counting(ArrivedBody):
        async def read(self, n: int) -> bytes:
            read.append(n)
            return await super().read(n)

    read: list[int] = []
    response = arrived(REPLIES["plain"])
    response.body = Counting(OBJECT)
    assert await at_once(s3(Context(http=MockTransport(lambda _: response))), OpRead()) == OBJECT
    assert read


@pytest.mark.parametrize("service", [s3, http])
@pytest.mark.parametrize(
    ("read", "answer", "is_at_once"),
    [
        ("whole", "plain", True),
        ("whole", "in pieces", True),
        ("whole by its etag", "plain", True),
        ("version", "checked", True),
        ("middle", "the part", True),
        ("middle", "the part of unknown size", True),
        ("whole", "larger", False),
        ("whole", "without length", False),
        ("middle", "plain", False),
    ],
)
async def test_plain_answers_need_no_body(
    service: Callable[[Context], Accessor], read: str, answer: str, is_at_once: bool
) -> None:
    transport = MockTransport(lambda _: reply(*REPLIES[answer]))
    content = await service(Context(http=transport)).read_whole("a", READS[read])
    assert isinstance(content, bytes) is is_at_once
    if not isinstance(content, bytes):
        await content[1].close()  # unread
    assert transport.open_bodies == 0


@pytest.mark.parametrize("service", [s3, http])
async def test_a_body_of_an_unusual_response_sends_again_after_a_failure(
    service: Callable[[Context], Accessor],
) -> None:
    answers = [reply(206, b"", [("Content-Range", "nonsense")]), reply(*REPLIES["the part"])]
    transport = MockTransport(lambda _: answers.pop(0))
    content = await service(Context(http=transport)).read_whole("a", READS["middle"])
    assert not isinstance(content, bytes)
    with pytest.raises(Error, match="Content-Range"):
        await content[1].read(4)
    assert await content[1].read(4) == b"3456"
    await content[1].close()
    assert transport.open_bodies == 0
