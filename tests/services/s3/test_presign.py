"""Presigned requests: what is in them with a fixed clock, and what is kept out. Nothing is ever sent."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from entrepot import BytesRange, Error, InvalidInput, IsADirectory, Operator, PresignedRequest, Unsupported
from entrepot.raw import Context, ServiceConfig
from entrepot.services import S3
from entrepot.services.s3.accessor import S3Accessor
from entrepot.services.s3.core import S3Core
from entrepot.signing.aws import Credentials
from entrepot.testing.transport import MockTransport, reply
from tests.services.s3.clients import s3_client

NOW = datetime(2024, 2, 29, 23, 59, 58, 999_999, tzinfo=UTC)
KEYS = {"access_key_id": "AKIDSECRET", "secret_access_key": "the-secret", "session_token": "the/token+=="}
CORE = S3Core("http://h:9000/bucket", "h:9000", "bucket", "eu-west-1")
CREDENTIALS = Credentials(*KEYS.values())
MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
LONG = "x" * 1020


class Fixed(ServiceConfig):
    """The service with a clock that stands."""

    SCHEME = "s3"

    def __init__(self, core: S3Core, keys: Credentials | None, now: datetime, root: str = "/root/") -> None:
        self._given = core, keys, now, root

    def build(self, context: Context) -> S3Accessor:
        core, keys, now, root = self._given
        return S3Accessor(s3_client(core, keys, context.http, context.runtime, lambda: now), root)


@pytest.fixture
def transport() -> Any:
    transport = MockTransport(lambda request: reply(500))
    yield transport
    assert transport.requests == []


@pytest.fixture
def op(transport: MockTransport) -> Operator:
    return Operator(Fixed(CORE, CREDENTIALS, NOW), context=Context(http=transport))


async def test_the_example_of_the_s3_documentation(transport: MockTransport) -> None:
    """ "Authenticating Requests: Using Query Parameters" in the Amazon S3 API Reference."""
    host = "examplebucket.s3.amazonaws.com"
    keys = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    core, now = S3Core(f"https://{host}", host, "examplebucket", "us-east-1"), datetime(2013, 5, 24, tzinfo=UTC)
    op = Operator(Fixed(core, keys, now, "/"), context=Context(http=transport))
    request = await op.presign_read("test.txt", timedelta(hours=24))
    assert request == PresignedRequest(
        "GET",
        f"https://{host}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        {},
        datetime(2013, 5, 25, tzinfo=UTC),
    )


PROOF = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIDSECRET%2F20240229%2Feu-west-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20240229T235958Z&X-Amz-Expires=60&X-Amz-SignedHeaders={names}"
    "&X-Amz-Security-Token=the%2Ftoken%2B%3D%3D&X-Amz-Signature={signature}"
)
Call = Callable[[Operator], Awaitable[PresignedRequest]]
# What is asked, and of what is made: method, path and query before the proof, headers, signed headers, signature.
# The signatures were made with botocore, as `test_the_signature_is_that_of_botocore` does once more.
GOLDEN: dict[str, tuple[Call, str, str, dict[str, str], str, str]] = {
    "read": (
        lambda op: op.presign_read("a b//./é%2F", 60),
        *(
            "GET",
            "/root/a%20b//./%C3%A9%252F?",
            {},
            "host",
            "dca0477162e4fa3c52bf93303752c53fa2150f44076ccb1ca233c158fb5849cc",
        ),
    ),
    "read_with_everything": (
        lambda op: op.presign_read(
            "k",
            60,
            range=(2, 5),
            version="v/1",
            if_match='"e"',
            if_modified_since=MOMENT,
            override_content_type="text/plain; charset=utf-8",
            override_content_disposition='attachment; filename="a b+c.txt"',
            override_cache_control="no-store",
        ),
        "GET",
        (
            "/root/k?versionId=v%2F1&response-content-type=text%2Fplain%3B%20charset%3Dutf-8"
            "&response-content-disposition=attachment%3B%20filename%3D%22a%20b%2Bc.txt%22"
            "&response-cache-control=no-store&"
        ),
        {"If-Match": '"e"', "If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT", "Range": "bytes=2-4"},
        *(
            "host%3Bif-match%3Bif-modified-since%3Brange",
            "5ca0785b1c9b5d441fee972e1d8c269b6b9f4aa216901f60966b41ae0944b7be",
        ),
    ),
    "read_of_a_suffix": (
        lambda op: op.presign_read("k", 60, range=BytesRange(suffix=7)),
        *(
            "GET",
            "/root/k?",
            {"Range": "bytes=-7"},
            "host%3Brange",
            "74833616bd3858e33fc400f96e01b693352c647e3a0624999a67f54a640606f1",
        ),
    ),
    "stat": (
        lambda op: op.presign_stat("k", 60, if_none_match='"e"', if_unmodified_since=MOMENT, version="v"),
        "HEAD",
        "/root/k?versionId=v&",
        {"If-None-Match": '"e"', "If-Unmodified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"},
        *(
            "host%3Bif-none-match%3Bif-unmodified-since",
            "4729837b29e968dddefe0e07680a469164e9fd373c106a38d71ecbfd0b01ee78",
        ),
    ),
    "write": (
        lambda op: op.presign_write("k", 60),
        *("PUT", "/root/k?", {}, "host", "4f58660092fa3105303565d749ca862ca6c34cbeb7c3e14ccb47c2bb57eef54c"),
    ),
    "write_with_everything": (
        lambda op: op.presign_write(
            "k",
            60,
            content_type="text/plain",
            content_disposition="inline",
            content_encoding="gzip",
            cache_control="no-store",
            user_metadata={"Colour": "dark  red"},
            if_not_exists=True,
        ),
        "PUT",
        "/root/k?",
        {
            "Content-Type": "text/plain",
            "Content-Disposition": "inline",
            "Content-Encoding": "gzip",
            "Cache-Control": "no-store",
            "x-amz-meta-colour": "dark  red",
            "If-None-Match": "*",
        },
        (
            "cache-control%3Bcontent-disposition%3Bcontent-encoding%3Bcontent-type%3Bhost%3Bif-none-match"
            "%3Bx-amz-meta-colour"
        ),
        "28a0e4167236040d71a355fa593f4221bf93cfef13123f2777cb960fa004b7e0",
    ),
    "write_if_match": (
        lambda op: op.presign_write("k", 60, if_match='"e"'),
        *(
            "PUT",
            "/root/k?",
            {"If-Match": '"e"'},
            "host%3Bif-match",
            "30366f7179d48f1e6c06e2ac5c63d808ffd550bd267d2d49803343440b08203c",
        ),
    ),
    "delete": (
        lambda op: op.presign_delete("k", 60, version="v"),
        *(
            "DELETE",
            "/root/k?versionId=v&",
            {},
            "host",
            "48335f55ca1ac79f93038acdb27829e6e928bccf66fa654c7c767dbbaa5649d8",
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
async def test_the_exact_request(name: str, op: Operator) -> None:
    call, method, target, headers, names, signature = GOLDEN[name]
    request = await call(op)
    proof = PROOF.format(names=names, signature=signature)
    assert request.url == f"http://h:9000/bucket{target}{proof}"
    assert (request.method, dict(request.headers)) == (method, headers)
    assert request.expires_at == NOW.replace(microsecond=0) + timedelta(seconds=60)


@pytest.mark.parametrize("name", GOLDEN)
async def test_the_signature_is_that_of_botocore(name: str, op: Operator) -> None:
    request = await GOLDEN[name][0](op)
    theirs = AWSRequest(request.method, request.url.partition("X-Amz-Algorithm")[0][:-1], headers=dict(request.headers))
    keys = BotocoreCredentials(*KEYS.values())
    with (
        mock.patch("botocore.auth.get_current_datetime", return_value=NOW),
        mock.patch.object(S3SigV4QueryAuth, "payload", lambda self, request: "UNSIGNED-PAYLOAD"),
    ):
        auth = S3SigV4QueryAuth(keys, "s3", "eu-west-1", 60)
        theirs.headers.add_header("host", "h:9000")
        auth.add_auth(theirs)
    assert theirs.url.partition("X-Amz-Signature=")[2] == request.url.partition("X-Amz-Signature=")[2]


@pytest.mark.parametrize(
    ("expires", "seconds"), [(1, 1), (timedelta(days=7), 604800), (604800, 604800), (timedelta(seconds=1.9), 1)]
)
async def test_an_expiry_is_whole_seconds(op: Operator, expires: int | timedelta, seconds: int) -> None:
    request = await op.presign_read("k", expires)
    assert f"&X-Amz-Expires={seconds}&" in request.url
    assert request.expires_at == NOW.replace(microsecond=0) + timedelta(seconds=seconds)


async def test_the_bucket_may_stand_in_the_host(transport: MockTransport) -> None:
    config = S3("b", region="eu-west-1", enable_virtual_host_style=True, **KEYS)
    request = await Operator(config, context=Context(http=transport)).presign_read("k", 60)
    assert request.url.startswith("https://b.s3.eu-west-1.amazonaws.com/k?X-Amz-Algorithm=")


async def test_the_clock_is_that_of_this_machine(transport: MockTransport) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    request = await Operator(S3("b", region="r", **KEYS), context=Context(http=transport)).presign_read("k", 60)
    assert request.expires_at is not None
    assert before <= request.expires_at - timedelta(seconds=60) <= datetime.now(UTC)


@pytest.mark.parametrize("call", ["presign_read", "presign_stat"])
async def test_without_keys_it_is_an_address_that_holds_on(transport: MockTransport, call: str) -> None:
    op = Operator(Fixed(CORE, None, NOW), context=Context(http=transport))
    request = await getattr(op, call)("k", 60, version="v", if_match='"e"')
    method = {"presign_read": "GET", "presign_stat": "HEAD"}[call]
    assert request == PresignedRequest(
        method, "http://h:9000/bucket/root/k?versionId=v", {"If-Match": '"e"'}, expires_at=None
    )


@pytest.mark.parametrize("call", ["presign_write", "presign_delete"])
async def test_without_keys_nobody_is_let_write(transport: MockTransport, call: str) -> None:
    op = Operator(Fixed(CORE, None, NOW), context=Context(http=transport))
    with pytest.raises(Unsupported, match="has no presign of a") as caught:
        await getattr(op, call)("k", 60)
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("s3", call, "k")


@pytest.mark.parametrize("operation", ["read", "stat", "presign_read", "presign_stat"])
@pytest.mark.parametrize("header", ["content_type", "content_disposition", "cache_control"])
async def test_without_keys_the_headers_of_a_reply_cannot_be_told(
    transport: MockTransport, operation: str, header: str
) -> None:
    op = Operator(Fixed(CORE, None, NOW), context=Context(http=transport))
    about = ("k", 60) if operation.startswith("presign") else ("k",)
    with pytest.raises(Unsupported, match=f"with override_{header}") as caught:
        await getattr(op, operation)(*about, **{f"override_{header}": "x"})
    assert (caught.value.operation, caught.value.path) == (operation, "k")


@pytest.mark.parametrize(
    ("call", "operation", "kind"),
    [
        (lambda op: op.presign_read(LONG, 60), "presign_read", InvalidInput),
        (lambda op: op.presign_read("d/", 60), "presign_read", IsADirectory),
        (lambda op: op.presign_write("k", 60, user_metadata={"a": "é"}), "presign_write", InvalidInput),
        (lambda op: op.presign_write("k", 60, content_type="é"), "presign_write", InvalidInput),
        (lambda op: op.presign_write("k", 60, if_none_match='"e"'), "presign_write", Unsupported),
        (lambda op: op.presign_read("k", 60, override_content_type="a\nb"), "presign_read", InvalidInput),
        (lambda op: op.presign_read("k", 60, override_content_type=""), "presign_read", InvalidInput),
    ],
)
async def test_what_cannot_be_asked_is_refused(op: Operator, call: Call, operation: str, kind: type[Error]) -> None:
    with pytest.raises(kind) as caught:
        await call(op)
    assert (caught.value.scheme, caught.value.operation) == ("s3", operation)
    assert caught.value.path in ("k", "d/", LONG)


async def test_an_option_that_one_request_cannot_say_is_a_programming_error(op: Operator) -> None:
    for call in (
        lambda: op.presign_read("k", 60, chunk=1),  # type: ignore[call-arg]
        lambda: op.presign_write("k", 60, append=True),  # type: ignore[call-arg]
        lambda: op.presign_delete("k", 60, recursive=True),  # type: ignore[call-arg]
    ):
        with pytest.raises(TypeError, match="there is no option"):
            await call()


async def test_no_secret_is_logged_or_shown(op: Operator, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        shown = [repr(await call(op)) for call, *_ in GOLDEN.values()]
        with pytest.raises(IsADirectory) as caught:
            await op.presign_read("d/", 60)
    text = f"{shown} {caplog.text} {caught.value} {caught.value!r} {op!r}"
    hidden = ("AKIDSECRET", "the-secret", "the/token", "the%2Ftoken", "X-Amz-Signature", "dark  red")
    assert "presign_read" in caplog.text
    assert not [secret for secret in hidden if secret in text]


@pytest.mark.parametrize("operation", ["read", "stat"])
async def test_a_plain_request_tells_the_headers_of_its_reply_too(operation: str) -> None:
    headers = [("content-length", "1"), ("content-type", "text/x")]
    transport = MockTransport(lambda request: reply(200, b"x" if request.method == "GET" else b"", headers))
    op = Operator(Fixed(CORE, CREDENTIALS, NOW), context=Context(http=transport))
    await getattr(op, operation)("k", version="v", override_content_type="text/x", override_cache_control="a, b")
    [request] = transport.requests
    query = "versionId=v&response-content-type=text%2Fx&response-cache-control=a%2C%20b"
    assert request.url == f"http://h:9000/bucket/root/k?{query}"
