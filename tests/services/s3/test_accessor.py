import logging
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    ConfigInvalid,
    EntryMode,
    Error,
    IsADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    Unexpected,
)
from entrepot.raw import Context, OpRead, OpStat
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import S3
from entrepot.services.s3.accessor import S3Accessor
from entrepot.services.s3.core import S3Core
from entrepot.signing.aws import Credentials
from entrepot.testing.transport import MockTransport, reply
from tests.services.s3.clients import s3_client

NOW = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
CONTENT = b"0123456789"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SECRETS = ("AKIDSECRET", "the-secret", "the-token")
CONFIG = S3(
    "bucket",
    root="/root",
    region="eu-west-1",
    endpoint="http://h:9000",
    access_key_id="AKIDSECRET",
    secret_access_key="the-secret",
    session_token="the-token",
)


def serve(request: HttpRequest) -> HttpResponse:
    """A server with one object."""
    headers = [("etag", '"e"'), ("x-amz-request-id", "RID")]
    if request.method == "HEAD":
        return reply(200, headers=[*headers, ("content-length", "10")])
    asked = BytesRange()
    if "Range" in dict(request.headers):
        first, _, last = dict(request.headers)["Range"].removeprefix("bytes=").partition("-")
        asked = BytesRange(int(first), int(last) + 1 if last else None) if first else BytesRange(suffix=int(last))
    start, end = asked.resolve(len(CONTENT))
    if asked.is_full:
        return reply(200, CONTENT, [*headers, ("content-length", "10")])
    return reply(206, CONTENT[start:end], [*headers, ("content-range", f"bytes {start}-{end - 1}/10")])


def operator(transport: MockTransport, config: S3 = CONFIG) -> Operator:
    return Operator(config, context=Context(http=transport), resilient=False)


def always(response: Callable[[], HttpResponse]) -> MockTransport:
    return MockTransport(lambda request: response())


def on_the_wire(transport: MockTransport) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [(one.method, one.url, list(one.headers)) for one in transport.requests]


def accessor(transport: MockTransport, now: Callable[[], datetime] = lambda: NOW) -> S3Accessor:
    core = S3Core(
        "https://bucket.s3.eu-west-1.amazonaws.com", "bucket.s3.eu-west-1.amazonaws.com", "bucket", "eu-west-1"
    )
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", "to/ken+==")
    return S3Accessor(s3_client(core, keys, transport, AsyncioRuntime(), now), "/root/")


def proof(names: str, signature: str) -> str:
    credential = "AKIDEXAMPLE/20240229/eu-west-1/s3/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"


# The signatures of the next two were made with botocore, once.


async def test_the_exact_bytes_of_a_ranged_read() -> None:
    transport = MockTransport(serve)
    _, body = await accessor(transport).read(
        "a b//./é%2F", OpRead(range=BytesRange(2, 5), version="v/1", if_match='"e"')
    )
    assert transport.requests == []
    assert await body.read(10) == b"234"
    await body.close()
    assert on_the_wire(transport) == [
        (
            "GET",
            "https://bucket.s3.eu-west-1.amazonaws.com/root/a%20b//./%C3%A9%252F?versionId=v%2F1",
            [
                ("Host", "bucket.s3.eu-west-1.amazonaws.com"),
                ("If-Match", '"e"'),
                ("Range", "bytes=2-4"),
                ("x-amz-content-sha256", EMPTY_SHA256),
                ("x-amz-date", "20240229T235958Z"),
                ("x-amz-security-token", "to/ken+=="),
                (
                    "Authorization",
                    proof(
                        "host;if-match;range;x-amz-content-sha256;x-amz-date;x-amz-security-token",
                        "d72f2846573f993a48ac240feabce24afe384a844c6df38c3c5132fc46095545",
                    ),
                ),
            ],
        )
    ]


async def test_the_exact_bytes_of_a_stat() -> None:
    transport = MockTransport(serve)
    await accessor(transport).stat("k", OpStat())
    assert on_the_wire(transport) == [
        (
            "HEAD",
            "https://bucket.s3.eu-west-1.amazonaws.com/root/k",
            [
                ("Host", "bucket.s3.eu-west-1.amazonaws.com"),
                ("x-amz-content-sha256", EMPTY_SHA256),
                ("x-amz-date", "20240229T235958Z"),
                ("x-amz-security-token", "to/ken+=="),
                (
                    "Authorization",
                    proof(
                        "host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
                        "15826634ea4848c3a689f1ebe5a0c795101e30b319f13c03492da8ef2d13cd3e",
                    ),
                ),
            ],
        )
    ]


async def test_an_anonymous_request_is_bare() -> None:
    transport = MockTransport(serve)
    config = S3("bucket", endpoint="http://h:9000", skip_signature=True)
    assert await operator(transport, config).read("k") == CONTENT
    assert on_the_wire(transport) == [("GET", "http://h:9000/bucket/k", [("Host", "h:9000")])]


async def test_each_request_is_signed_when_it_is_sent() -> None:
    moments = iter(NOW + timedelta(seconds=count) for count in range(10))
    failures = iter([reply(503), reply(200, CONTENT, [("content-length", "10")])])
    transport = MockTransport(lambda request: next(failures))
    _, body = await accessor(transport, lambda: next(moments)).read("k", OpRead())
    with pytest.raises(Unexpected):
        await body.read(1)
    assert await body.read(1) == b"0"
    await body.close()
    first, second = (dict(one.headers) for one in transport.requests)
    assert (first["x-amz-date"], second["x-amz-date"]) == ("20240229T235958Z", "20240229T235959Z")
    assert first["Authorization"] != second["Authorization"]
    assert transport.open_bodies == 0


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (BytesRange(), b"0123456789"),
        (BytesRange(2, 5), b"234"),
        (BytesRange(suffix=3), b"789"),
        (BytesRange(8, 100), b"89"),
    ],
)
async def test_a_read_is_one_request(asked: BytesRange, expected: bytes) -> None:
    transport = MockTransport(serve)
    assert await operator(transport).read("k", range=asked) == expected
    assert [one.method for one in transport.requests] == ["GET"]
    assert transport.open_bodies == 0


async def test_an_empty_range_is_no_request() -> None:
    transport = MockTransport(serve)
    assert await operator(transport).read("k", range=(3, 3)) == b""
    assert transport.requests == []


async def test_the_tail_is_two_requests() -> None:
    transport = MockTransport(serve)
    async with operator(transport).reader("k") as reader:
        assert transport.requests == []
        assert await reader.seek(-3, 2) == 7
        assert await reader.read(8) == b"789"
    assert [one.method for one in transport.requests] == ["HEAD", "GET"]
    assert transport.open_bodies == 0


async def test_a_stat_is_one_request_and_closes_it() -> None:
    transport = MockTransport(serve)
    found = await operator(transport).stat("k")
    assert (found.mode, found.content_length, found.etag) == (EntryMode.FILE, 10, '"e"')
    assert [one.method for one in transport.requests] == ["HEAD"]
    assert transport.open_bodies == 0


async def test_a_directory_is_not_read() -> None:
    transport = MockTransport(serve)
    with pytest.raises(IsADirectory) as caught:
        await operator(transport).read("d/")
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("s3", "read", "d/")
    assert transport.requests == []


INVALID_RANGE = b"<Error><Code>InvalidRange</Code><ActualObjectSize>10</ActualObjectSize></Error>"


@pytest.mark.parametrize(("content", "headers"), [(INVALID_RANGE, []), (b"", [("content-range", "bytes */10")])])
async def test_a_range_from_the_end_on_is_empty_and_one_behind_it_an_error(
    content: bytes, headers: list[tuple[str, str]]
) -> None:
    transport = always(lambda: reply(416, content, headers))
    assert await operator(transport).read("k", range=(10, 12)) == b""
    with pytest.raises(RangeNotSatisfied) as caught:
        await operator(transport).read("k", range=(11, 12))
    assert (caught.value.operation, caught.value.path) == ("read", "k")
    assert transport.open_bodies == 0


async def test_a_range_of_an_empty_object_is_empty() -> None:
    transport = always(lambda: reply(416, INVALID_RANGE.replace(b"10", b"0")))
    assert await operator(transport).read("k", range=BytesRange(suffix=3)) == b""
    assert await operator(transport).read("k", range=(0, 3)) == b""


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", NotFound),
        (404, "NoSuchBucket", ConfigInvalid),
        (403, "AccessDenied", PermissionDenied),
        (412, "PreconditionFailed", ConditionNotMatch),
        (304, "", ConditionNotMatch),
        (503, "ServiceUnavailable", Unexpected),
    ],
)
async def test_an_error_says_what_where_and_why_and_closes_the_reply(status: int, code: str, kind: type[Error]) -> None:
    content = f"<Error><Code>{code}</Code><RequestId>RID</RequestId></Error>".encode() if code else b""
    transport = always(lambda: reply(status, content, [("x-amz-request-id", "HID")]))
    for operation in ("read", "stat"):
        with pytest.raises(kind) as caught:
            await getattr(operator(transport), operation)("dir/k")
        error = caught.value
        assert type(error) is kind
        assert (error.scheme, error.operation, error.path) == ("s3", operation, "dir/k")
        assert (error.context["status"], error.context["request_id"]) == (status, "HID")
    assert len(transport.requests) == 2
    assert transport.open_bodies == 0


async def test_a_redirect_is_not_followed() -> None:
    transport = always(lambda: reply(307, headers=[("location", "http://other/bucket/root/k")]))
    with pytest.raises(ConfigInvalid, match="endpoint"):
        await operator(transport).read("k")
    assert [one.url for one in transport.requests] == ["http://h:9000/bucket/root/k"]


async def test_an_error_body_is_read_to_a_limit() -> None:
    pieces = [b"<Code>AccessDenied</Code>", *[b"x" * 65536] * 3, AssertionError("read on and on")]
    transport = always(lambda: reply(403, pieces))
    with pytest.raises(PermissionDenied) as caught:
        await operator(transport).read("k")
    assert caught.value.context["code"] == "AccessDenied"
    assert transport.open_bodies == 0


@pytest.mark.parametrize(
    "options",
    [
        {"if_match": '"other"'},
        {"if_none_match": '"e"'},
        {"if_none_match": "*"},
        {"if_unmodified_since": NOW - timedelta(days=1)},
        {"if_modified_since": NOW},
        {"version": "other"},
        {"version": "null"},
    ],
    ids=str,
)
async def test_a_server_that_ignores_what_was_asked_is_held_to_it(options: dict[str, Any]) -> None:
    written = "Thu, 29 Feb 2024 12:00:01 GMT"
    headers = [("etag", '"e"'), ("x-amz-version-id", "v1"), ("last-modified", written), ("content-length", "10")]
    transport = MockTransport(lambda request: reply(200, b"" if request.method == "HEAD" else CONTENT, headers))
    for operation in ("read", "stat"):
        with pytest.raises(ConditionNotMatch) as caught:
            await getattr(operator(transport), operation)("k", **options)
        assert not caught.value.is_temporary
        assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("s3", operation, "k")
        assert next(iter(options)) in caught.value.message
    assert len(transport.requests) == 2
    assert transport.open_bodies == 0


async def test_an_object_without_a_version_is_not_taken_for_one() -> None:
    transport = always(lambda: reply(200, CONTENT, [("x-amz-version-id", "null")]))
    assert await operator(transport).read("k", version="null") == CONTENT
    with pytest.raises(ConditionNotMatch):
        await operator(transport).read("k", version="v1")


@pytest.mark.parametrize(
    ("headers", "seconds"), [([("retry-after", "7")], 7.0), ([("x-amz-retry-after", "250")], 0.25), ([], None)]
)
async def test_when_to_try_again_is_in_the_error(headers: list[tuple[str, str]], seconds: float | None) -> None:
    transport = always(lambda: reply(503, b"<Error><Code>SlowDown</Code></Error>", headers))
    with pytest.raises(RateLimited) as caught:
        await operator(transport).read("k")
    assert caught.value.context.get("retry_after") == seconds


def echo(request: HttpRequest) -> HttpResponse:
    """A server that repeats what it was sent wherever it can."""
    sent = " ".join(value for _, value in request.headers)
    content = f"<Error><Code>{sent}</Code><Message>{sent}</Message><RequestId>{sent}</RequestId></Error>"
    return reply(400, content.encode(), [("x-amz-request-id", sent), ("x-amz-bucket-region", sent)])


async def test_no_secret_and_no_signature_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    transport = MockTransport(echo)
    op = operator(transport)
    shown = [repr(op), repr(CONFIG), repr(op.info)]
    calls = (
        op.read("k", version="v"),
        op.stat("k"),
        op.read("k", range=(2, 3)),
        op.write("k", b"content", user_metadata={"owner": "x-secret"}),
        op.delete("k", version="v"),
        op.list("/"),
        op.copy("k", "t", source_version="v"),
    )
    for call in calls:
        with pytest.raises(Unexpected) as caught:
            await call
        shown += [str(caught.value), repr(caught.value), repr(caught.value.context), repr(pickle.dumps(caught.value))]
    everything = "\n".join([*shown, caplog.text])
    signatures = [dict(one.headers)["Authorization"].rpartition("=")[2] for one in transport.requests]
    assert len(signatures) == len(calls)
    assert "bucket" in caplog.text
    for secret in (*SECRETS, *signatures, "x-secret", "AWS4-HMAC", "versionId"):
        assert secret not in everything


async def test_an_operator_from_a_pickle_signs_the_same() -> None:
    transport = MockTransport(serve)
    config: Any = pickle.loads(pickle.dumps(CONFIG))
    assert await operator(transport, config).read("k") == CONTENT
    sent = dict(transport.requests[0].headers)
    assert sent["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDSECRET/")
    assert sent["x-amz-security-token"] == "the-token"


def test_info_names_the_bucket_and_what_is_native() -> None:
    info = operator(MockTransport(serve)).info
    assert (info.scheme, info.name, info.root) == ("s3", "bucket", "/root/")
    assert info.native_capability.read_can_next
    assert not info.native_capability.read_can_seek
    assert info.native_capability.write_multi_min_size == 5 * 1024**2
    assert not info.native_capability.write_with_append
    assert not info.native_capability.write_with_if_none_match
    assert not info.native_capability.rename
