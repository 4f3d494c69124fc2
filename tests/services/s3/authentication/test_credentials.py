"""Credentials from a provider: renewed while an operator is used, and shown by no error."""

import asyncio
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials

from entrepot import ConfigInvalid, Error, Operator, PermissionDenied
from entrepot.layers import PrefixLayer, ThrottleLayer
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.services import S3
from entrepot.services.s3.authentication import refusals
from entrepot.signing import Credentials
from entrepot.testing.transport import MockTransport, reply
from tests.docs.markdown import PROJECT, blocks

KEY = "AKIAIOSFODNN7EXAMPLE"


class Server:
    """A store that accepts one session token, and clocks like its own."""

    def __init__(self) -> None:
        self.token = "token-1"
        self.code = "ExpiredToken"
        self.now = datetime.now(UTC)
        self.transport = MockTransport(self._respond)
        self.bodies = list[bytes]()

    def _respond(self, request: HttpRequest) -> HttpResponse:
        headers = {name.lower(): value for name, value in request.headers}
        date = ("Date", format_datetime(self.now, usegmt=True))
        stamp = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if headers["x-amz-security-token"] != self.token:
            return self._refusal(request, 400, self.code, date)
        if abs(stamp - self.now) > timedelta(minutes=15):
            return self._refusal(request, 403, "RequestTimeTooSkewed", date)
        self.bodies.append(b"".join(bytes(piece) for piece in request.pieces))
        if request.method == "PUT":
            return reply(200, b"", [date])
        return reply(200, b"content", [date, ("Content-Length", "7"), ("ETag", '"e"')])

    def _refusal(self, request: HttpRequest, status: int, code: str, date: tuple[str, str]) -> HttpResponse:
        content = b"" if request.method == "HEAD" else f"<Error><Code>{code}</Code></Error>".encode()
        return reply(status, content, [date])


class Source:
    """A function that returns credentials with the token of the server, which expire in some hours."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.calls = 0
        self.error: Error | None = None
        self.hours = 6.0

    async def __call__(self) -> Credentials:
        self.calls += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        expires = datetime.now(UTC) + timedelta(hours=self.hours)
        return Credentials(KEY, "secret", self.server.token, expires, source="the test")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def source(server: Server) -> Source:
    return Source(server)


@pytest.fixture
def op(server: Server, source: Source) -> Operator:
    return operator(server, source)


def operator(server: Server, source: Callable[[], Any], **options: Any) -> Operator:
    config = S3(bucket="b", region="eu-west-1", endpoint="http://h", credentials=source, **options)
    return Operator(config, context=Context(http=server.transport), resilient=False)


async def test_nothing_is_loaded_before_the_first_request(op: Operator, source: Source) -> None:
    assert source.calls == 0
    assert await op.read("a") == b"content"
    assert await op.read("a") == b"content"
    assert source.calls == 1


@pytest.mark.parametrize("code", sorted(refusals.OLD_CREDENTIALS))
async def test_refused_credentials_are_replaced_and_the_request_is_repeated(
    op: Operator, server: Server, source: Source, code: str
) -> None:
    await op.read("a")
    server.token, server.code = "token-2", code
    await op.write("a", b"body")
    assert server.bodies[-1] == b"body"
    assert source.calls == 2


async def test_derived_operators_share_the_credentials(server: Server, source: Source) -> None:
    context = Context(http=server.transport)
    for root in ("x", "y"):
        config = S3(bucket="b", region="eu-west-1", endpoint="http://h", credentials=source, root=root)
        op = Operator(config, context=context)
        await op.read("a")
        await op.layer(PrefixLayer(f"{root}/")).layer(ThrottleLayer(1 << 30)).read("a")
    assert source.calls == 1
    await operator(server, source).read("a")
    assert source.calls == 2


async def test_many_refused_requests_make_one_load(op: Operator, server: Server, source: Source) -> None:
    await op.read("a")
    server.token = "token-2"
    assert await asyncio.gather(*[op.read("a") for _ in range(64)]) == [b"content"] * 64
    assert source.calls == 2


async def test_open_readers_and_writers_go_on_over_a_refresh(op: Operator, server: Server, source: Source) -> None:
    async with op.reader("a") as reader:
        assert await reader.read(2) == b"co"
        server.token = "token-2"
        await reader.seek(0)
        assert await reader.read(7) == b"content"
    async with op.writer("b") as writer:
        await writer.write(b"1234")
        server.token = "token-3"
    assert server.bodies[-1] == b"1234"
    assert source.calls == 3


async def test_equal_credentials_are_not_sent_again(op: Operator, server: Server, source: Source) -> None:
    fixed = await source()
    other = operator(server, lambda: fixed)
    server.token = "token-2"
    with pytest.raises(PermissionDenied) as caught:
        await other.read("a")
    assert len(server.transport.requests) == 1
    assert caught.value.context["credentials"] == "the test"
    assert caught.value.context["access_key_id"] == "...MPLE"
    assert KEY not in str(caught.value)


async def test_credentials_that_are_refused_again_are_not_replaced_for_ever(
    op: Operator, server: Server, source: Source
) -> None:
    await op.read("a")
    server.token = "nobody's"
    source.server = Server()
    for number in (2, 3):
        source.server.token = f"token-{number}"
        with pytest.raises(PermissionDenied, match="credentials have expired"):
            await op.read("a")
    assert (source.calls, len(server.transport.requests)) == (3, 5)


async def test_the_error_of_the_source_is_raised_where_old_credentials_are_refused(
    op: Operator, server: Server, source: Source
) -> None:
    await op.read("a")
    server.token = "token-2"
    source.error = PermissionDenied("the session ended: log in again")
    with pytest.raises(PermissionDenied, match="log in again"):
        await op.read("a")


async def test_a_bare_refusal_of_a_head_is_a_reason_after_five_minutes_only(
    op: Operator, server: Server, source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await op.read("a")
    server.token = "token-2"
    with pytest.raises(Error):
        await op.stat("a")
    assert source.calls == 1
    monkeypatch.setattr(refusals, "GUESS_SECONDS", 0.0)
    assert (await op.stat("a")).etag == '"e"'
    assert source.calls == 2
    server.token, source.error = "token-3", PermissionDenied("no more of them")
    with pytest.raises(Error) as caught:
        await op.stat("a")
    assert caught.value.context["status"] == 400
    assert "no more of them" in caplog.text


@pytest.mark.parametrize("call", ["read", "stat", "write"])
async def test_a_clock_that_is_off_is_corrected_once(op: Operator, server: Server, call: str) -> None:
    server.now += timedelta(hours=3)
    for _ in range(2):
        await (op.write("a", b"x") if call == "write" else getattr(op, call)("a"))
    assert len(server.transport.requests) == 3


async def test_a_refusal_with_a_date_near_ours_is_not_repeated(op: Operator, server: Server) -> None:
    server.now += timedelta(hours=3)
    server.transport = op_transport = MockTransport(
        lambda request: reply(403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>", [("Date", _http_now())])
    )
    with pytest.raises(PermissionDenied, match="clocks"):
        await operator(server, Source(server)).read("a")
    assert len(op_transport.requests) == 1


def _http_now() -> str:
    return format_datetime(datetime.now(UTC), usegmt=True)


async def test_a_presigned_request_expires_with_its_credentials(op: Operator, source: Source) -> None:
    source.hours = 1.0
    shortly = await op.presign_read("a", timedelta(minutes=1))
    long = await op.presign_read("a", timedelta(days=1))
    now = datetime.now(UTC)
    assert shortly.expires_at is not None
    assert long.expires_at is not None
    assert shortly.expires_at - now < timedelta(minutes=2)
    assert timedelta(minutes=59) < long.expires_at - now <= timedelta(hours=1)
    assert "X-Amz-Expires=86400" in long.url


@pytest.mark.parametrize(
    ("endpoint", "option", "is_signed"),
    [
        ("https://h", None, False),
        ("http://h", None, True),
        ("https://h", False, True),
        ("http://h", True, False),
    ],
)
async def test_content_is_signed_where_no_tls_protects_it(
    server: Server, endpoint: str, option: bool | None, is_signed: bool
) -> None:
    config = S3(bucket="b", region="r", endpoint=endpoint, credentials=Source(server), unsigned_payload=option)
    await Operator(config, context=Context(http=server.transport)).write("a", b"x")
    sent = dict(server.transport.requests[0].headers)["x-amz-content-sha256"]
    assert (sent != "UNSIGNED-PAYLOAD") == is_signed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"credentials": "AKIA"}, "credentials must be Credentials, a Provider, or a function"),
        ({"credentials": print, "access_key_id": "a"}, "credentials is set beside access_key_id"),
        ({"credentials": print, "skip_signature": True}, "skip_signature is set beside credentials"),
    ],
)
def test_what_credentials_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        S3(bucket="b", region="r", **options)


def test_credentials_have_no_form_as_text() -> None:
    with pytest.raises(ConfigInvalid, match="credentials cannot be read from the given text"):
        Operator.from_uri("s3://b?region=r&credentials=x")


def _load() -> Credentials:
    return Credentials(KEY, "secret", "token-1")


async def test_a_plain_function_that_can_be_pickled_and_the_same_store(server: Server) -> None:
    config = S3(bucket="b", region="r", endpoint="http://h", credentials=_load)
    copied = pickle.loads(pickle.dumps(config))
    assert copied.is_same_store(S3(bucket="b", region="r", endpoint="http://h", credentials=_load, root="x"))
    assert "<function" not in repr(config)
    assert await Operator(copied, context=Context(http=server.transport)).read("a") == b"content"


class _Session(botocore.session.Session):
    """A session of botocore with temporary keys, as of a role."""

    def __init__(self, keys: Any) -> None:
        super().__init__()
        self._credentials = keys


async def test_the_adapter_of_a_boto3_session_on_the_page_about_credentials(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (adapter,) = [block for block in blocks(PROJECT / "docs" / "credentials.md") if "boto3" in block.text]
    names: dict[str, Any] = {}
    exec(adapter.text.partition("\nop = ")[0], names)  # its use follows, which the tests of the pages run
    keys = RefreshableCredentials.create_from_metadata(_metadata("token-1"), lambda: _metadata("token-2"), "a role")
    names["session"] = boto3.Session(botocore_session=_Session(keys))
    credentials = names["from_boto3"]()
    assert (credentials.session_token, credentials.source) == ("token-1", "boto3, a role")
    assert timedelta(hours=1, minutes=59) < credentials.expires_at - datetime.now(UTC) < timedelta(hours=2)
    assert await operator(server, names["from_boto3"]).read("a") == b"content"

    names["session"] = boto3.Session("key", "secret", region_name="r")
    assert names["from_boto3"]() == Credentials("key", "secret")
    monkeypatch.setattr(names["session"], "get_credentials", lambda: None)
    with pytest.raises(PermissionDenied, match="boto3 has no credentials"):
        names["from_boto3"]()


def _metadata(token: str) -> dict[str, str]:
    expires = datetime.now(UTC) + timedelta(hours=2)
    return {"access_key": KEY, "secret_key": "secret", "token": token, "expiry_time": expires.isoformat()}
