"""Whatever a server sends, what comes of it is a result whose texts can be printed and sent on, or an error of ours.

The replies are made up: each operation of http and s3 meets headers, contents and statuses of a pool of hostile ones,
mixed with what makes sense, so that the parsers behind the first one are reached as well.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import BytesRange, Error, Metadata, Operator
from entrepot.errors import ContentIncomplete, Unexpected
from entrepot.layers import RetryLayer
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.http.endpoint import parse_endpoint
from entrepot.raw.http.errors import status_error
from entrepot.raw.http.headers import parse_http_date, parse_iso_time, parse_length, parse_retry_after, quoted_etag
from entrepot.raw.http.ranges import parse_content_range
from entrepot.raw.http.redirects import redirected
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.xml import parse
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import S3, Http
from entrepot.services.s3.errors import response_error
from entrepot.testing.transport import MockTransport, reply

DATES = [
    b"Thu, 29 Feb 2024 12:00:01 GMT",
    b"Thu, 01 Jan 99999999999999999999 00:00:00 GMT",
    b"Fri, 31 Dec 9999 23:59:59 -2359",
    b"Mon, 01 Jan 0001 00:00:00 +2359",
    b"Thu, 29 Feb 2024 12:00:01 +99999999999999999999",
    b"Thu, 30 Feb 2024 25:61:61 GMT",
    b"2024-02-29T12:00:01.000Z",
    b"9999-12-31T23:59:59-23:59",
    b"0001-01-01T00:00:00+23:59",
    b"99999999999999999999-01-01T00:00:00Z",
]
NUMBERS = [
    b"0",
    b"4",
    b"-1",
    b" 4 ",
    b"4, 4",
    b"\xb2",
    b"1e30",
    b"9223372036854775807",
    b"9999999999999999999",
    b"9" * 40,
]
RANGES = [
    b"bytes 0-3/4",
    b"bytes 0-9999999999999999998/9999999999999999999",
    b"bytes */9999999999999999999",
    b"bytes 3-0/4",
    b"bytes */*",
    b"bytes 0-3/*",
    b"bytes \xff-3/4",
]
TEXTS = [
    b"",
    b'"1"',
    b"W/",
    b'W/"1"',
    b'"',
    b"caf\xe9",
    b'"\xe9"',
    "\u2713".encode(),
    b"=?UTF-8?Q?=FF?=",
    b"\x80\xff",
    b"x" * 300,
]
PLACES = [
    b"http://",
    b"http://[::1",
    b"http://h:99999/",
    b"http://h:x/",
    b"//\xe9/",
    b"http://" + b"a" * 300 + b"/",
    b"https://h/a",
    b"/\xe9?\xff#",
    b"http://\xe2\x84\x80/",
    b"ftp://h/",
    b"?",
]
ALL_VALUES = DATES + NUMBERS + RANGES + TEXTS + PLACES
VALUES = st.sampled_from(ALL_VALUES) | st.binary(max_size=20)
FRAMING = ["content-length", "content-range"]
DESCRIBING = [
    *("content-type", "content-encoding", "content-disposition", "content-md5", "cache-control", "etag"),
    *("last-modified", "date", "location", "retry-after", "x-amz-retry-after", "x-amz-version-id"),
    *("x-amz-bucket-region", "x-amz-delete-marker", "x-amz-request-id", "x-amz-meta-a"),
]
NAMES = st.sampled_from(FRAMING + DESCRIBING)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6)
STATUSES = st.sampled_from(
    [200, 200, 200, 206, 204, 203, 299, 301, 304, 400, 403, 404, 409, 412, 416, 429, 500, 501, 503]
)

ROOTS = ["ListBucketResult", "ListVersionsResult", "ListMultipartUploadsResult", "DeleteResult", "CopyObjectResult"]
ROOTS += [
    "CopyPartResult",
    "InitiateMultipartUploadResult",
    "CompleteMultipartUploadResult",
    "Error",
    "html",
    "s3:\xe9",
]
FIELDS = ["IsTruncated", "NextContinuationToken", "NextMarker", "NextKeyMarker", "NextUploadIdMarker", "EncodingType"]
FIELDS += [
    "Key",
    "Prefix",
    "Size",
    "ETag",
    "LastModified",
    "VersionId",
    "IsLatest",
    "UploadId",
    "Initiated",
    "Code",
    "Region",
]
ROWS = ["Contents", "CommonPrefixes", "Version", "DeleteMarker", "Upload", "Error", "Deleted"]
XML_VALUES = st.sampled_from(
    DATES + NUMBERS + TEXTS + [b"true", b"url", b"a%00b", b"%FF", b"%ED%A0%80", b"//", b"../a", b"&#0;"]
)
BOMB = b"<!DOCTYPE x [" + b"".join(b'<!ENTITY e%d "&e%d;&e%d;">' % (n + 1, n, n) for n in range(30)) + b"]><x>&e29;</x>"
ODD_CONTENTS = [
    b"",
    b"data",
    b"<",
    BOMB,
    b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
    b"<a>" * 300,
    b"<a>" * 90 + b"</a>" * 90,
    "<ListBucketResult/>".encode("utf-16"),
    b'<?xml version="1.0" encoding="utf-16"?><ListBucketResult/>',
    b'<?xml version="1.0" encoding="no-such"?><ListBucketResult/>',
    b"<ListBucketResult>\xff\xfe</ListBucketResult>",
    b"<a b='" + b"x" * 900 + b"'/>",
    b"<" + b"a" * 900 + b"/>",
    b"<Error><Code>InvalidRange</Code><ActualObjectSize>9999999999999999999</ActualObjectSize></Error>",
]


def element(name: str, inside: bytes) -> bytes:
    return b"<%b>%b</%b>" % (name.encode(), inside, name.encode())


def elements(names: list[str], inside: st.SearchStrategy[bytes], max_size: int) -> st.SearchStrategy[bytes]:
    one = st.builds(element, st.sampled_from(names), inside)
    return st.lists(one, max_size=max_size).map(b"".join)


FIELD_LIST = elements(FIELDS, XML_VALUES, 5)
XML = st.builds(
    lambda root, fields, rows: element(root, fields + rows),
    st.sampled_from(ROOTS),
    FIELD_LIST,
    elements(ROWS, FIELD_LIST, 3),
)
CONTENTS = st.sampled_from(ODD_CONTENTS) | XML | XML | st.binary(max_size=40)

Headers = list[tuple[str, bytes]]
Made = tuple[int, Headers, bytes]
REPLIES = st.lists(st.tuples(STATUSES, HEADERS, CONTENTS), min_size=1, max_size=3)

Call = Callable[[Operator], Awaitable[object]]


async def listed(op: Operator, **options: Any) -> list[object]:
    found = list[object]()
    async for entry in await op.lister("", **options):
        found += [entry.path, entry.metadata]
        if len(found) > 100:
            break
    return found


async def in_parts(op: Operator) -> object:
    async with op.writer("a", chunk=5 * 1024**2) as writer:
        await writer.write(bytes(9 * 1024**2))
    return writer


CALLS: dict[str, Call] = {
    "stat": lambda op: op.stat("a"),
    "stat of a version": lambda op: op.stat("a", version="v"),
    "read": lambda op: op.read("a"),
    "read of a range": lambda op: op.read("a", range=(1, 3)),
    "read of a suffix": lambda op: op.read("a", range=BytesRange(suffix=3)),
    "read in chunks": lambda op: op.read("a", chunk=2, concurrent=2),
    "read under a condition": lambda op: op.read("a", if_modified_since=datetime(2024, 1, 1, tzinfo=UTC)),
    "write": lambda op: op.write("a", b"data"),
    "write in parts": in_parts,
    "delete": lambda op: op.delete("a"),
    "delete many": lambda op: op.delete_many(["a", "b"]),
    "delete recursively": lambda op: op.delete("a/", recursive=True),
    "list": listed,
    "list recursively": lambda op: listed(op, recursive=True),
    "list versions": lambda op: listed(op, versions=True, deleted=True, recursive=True),
    "copy": lambda op: op.copy("a", "b"),
    "copy in ranges": lambda op: op.copy("a", "b", source_content_length_hint=6 * 1024**3),
    "abort uploads": lambda op: op.abort_uploads("", older_than=timedelta(days=1)),
}
READING = ["stat", "read", "read of a range", "read of a suffix", "read in chunks", "read under a condition"]


class Impatient(AsyncioRuntime):
    """Waits for nothing, whatever a server says of when to try again."""

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        await asyncio.sleep(0)


def transport(replies: list[Made]) -> MockTransport:
    """Answers with each reply in turn, and with the last one for as long as anything is asked."""
    left = list(replies)

    def answer(_: HttpRequest) -> HttpResponse:
        status, headers, content = left.pop(0) if len(left) > 1 else left[0]
        # As the parser of the wire hands bytes on that are not UTF-8
        return reply(status, content, [(name, value.decode("utf-8", "surrogateescape")) for name, value in headers])

    return MockTransport(answer)


def check(service: S3 | Http, call: str, replies: list[Made]) -> None:
    context = Context(http=transport(replies), runtime=Impatient())
    op = Operator(service, context=context, layers=(RetryLayer(max_times=1),))

    async def run() -> None:
        try:
            found = await asyncio.wait_for(CALLS[call](op), 20)
        except Error as error:
            assert_can_be_shown(str(error))
        else:
            assert_can_be_shown(found)

    asyncio.run(run())


def assert_can_be_shown(found: object) -> None:
    """All text in a result encodes, whatever it came from, and times can be told in any place."""
    if isinstance(found, str):
        found.encode()
    elif isinstance(found, Metadata):
        for value in [*(getattr(found, field.name) for field in fields(found)), *found.user_metadata.items()]:
            assert_can_be_shown(list(value) if isinstance(value, tuple) else value)
        if found.last_modified is not None:
            assert found.last_modified.utcoffset() == timedelta(0)
        if found.content_length is not None:
            assert 0 <= found.content_length < 2**63
    elif isinstance(found, list):
        for one in found:
            assert_can_be_shown(one)


LONG = settings(deadline=None, max_examples=150)
STORE = S3("b", endpoint="http://h", region="r", access_key_id="k", secret_access_key="s")


@pytest.mark.parametrize("service", [STORE, Http("http://h")], ids=["s3", "http"])
@pytest.mark.parametrize("call", READING)
def test_every_header_can_have_every_value(service: S3 | Http, call: str) -> None:
    for value in ALL_VALUES:
        for status in (200, 206, 416, 503):
            for names in (DESCRIBING, FRAMING + DESCRIBING):
                check(service, call, [(status, [(name, value) for name in names], b"data")])


@LONG
@given(call=st.sampled_from(list(CALLS)), replies=REPLIES)
def test_every_reply_to_s3_is_a_result_or_an_error_of_ours(call: str, replies: list[Made]) -> None:
    check(STORE, call, replies)


@LONG
@given(call=st.sampled_from(list(CALLS)), replies=REPLIES)
def test_every_reply_to_the_first_version_of_listings_too(call: str, replies: list[Made]) -> None:
    check(S3("b", endpoint="http://h", skip_signature=True, disable_list_objects_v2=True), call, replies)


@LONG
@given(call=st.sampled_from(READING), replies=REPLIES)
def test_every_reply_to_http_is_a_result_or_an_error_of_ours(call: str, replies: list[Made]) -> None:
    check(Http("http://h"), call, replies)


ANYTHING = VALUES.map(lambda value: value.decode("utf-8", "surrogateescape")) | st.text(max_size=30)
"""What the parsers of single values meet: the bytes of a header, and whatever else a string can hold."""

PARSERS: dict[str, Callable[[str], object]] = {
    "date": parse_http_date,
    "date of XML": parse_iso_time,
    "length": parse_length,
    "range": parse_content_range,
    "retry": lambda value: parse_retry_after(HttpHeaders([("retry-after", value), ("date", value)])),
    "redirect": lambda value: redirected(HttpRequest("GET", "http://h/a"), 302, value),
    "status": lambda value: status_error(503, HttpHeaders([("retry-after", value)])),
    "error": lambda value: response_error(
        "b", "r", 301, HttpHeaders([("x-amz-bucket-region", value)]), value.encode("utf-8", "replace")
    ),
    "etag of XML": quoted_etag,
    "endpoint": parse_endpoint,
    "http endpoint": Http,
    "s3 endpoint": lambda value: replace(STORE, endpoint=value),
    "URI": Operator.from_uri,
    "URI of s3": lambda value: Operator.from_uri(f"s3://{value}"),
    "mapping": lambda value: S3.from_mapping(
        {"bucket": value, "region": value, "endpoint": value, "skip_signature": value}
    ),
}


@settings(deadline=None, max_examples=400)
@given(name=st.sampled_from(list(PARSERS)), value=ANYTHING)
def test_every_parser_of_a_value_gives_a_result_or_an_error_of_ours(name: str, value: str) -> None:
    with suppress(Error):
        PARSERS[name](value)


@pytest.mark.parametrize(
    "content",
    [b"<a>" * 100_000, b"<a b='" + b"x" * 5_000_000 + b"'/>", b"<" + b"a" * 5_000_000 + b"/>", BOMB],
    ids=["deep", "long attribute", "long name", "entities"],
)
def test_xml_of_absurd_shape_is_refused_or_read(content: bytes) -> None:
    with suppress(Unexpected, ContentIncomplete):
        assert parse(content).rows == []
