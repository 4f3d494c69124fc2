"""The s3 service against a real server that checks signatures."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    NotFound,
    Operator,
    PermissionDenied,
    RangeNotSatisfied,
)
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport
from entrepot.services import S3
from entrepot.testing import SeaweedFS
from entrepot.testing.transport import RecordingTransport

CONTENT = bytes(range(256)) * 40
PLAIN_KEY = "dir/plain.bin"
ODD_KEYS = [
    "käse/日本語/🦆.txt",
    "e\u0301 decomposed",
    " blanks  inside and around ",
    "no-break\u00a0space",
    "a+b",
    "a%2Fb",
    "a%20b%",
    "~tilde_-.",
    "question?versionId=1&x=y",
    "hash#part",
    "quotes'\"`",
    "back\\slash",
    "(sub)!*",
    "a;b:c@d=e,f$g",
    "[brackets]{braces}|^<>",
    "tab\there",
    "dir/sub/deep",
    "...",
    "..a/.b/c.",
]


@pytest.fixture(scope="module")
def server(seaweedfs_server: SeaweedFS) -> SeaweedFS:
    seaweedfs_server.put(PLAIN_KEY, CONTENT)
    return seaweedfs_server


def config(server: SeaweedFS, **values: Any) -> S3:
    return S3(
        **{
            "bucket": server.bucket,
            "endpoint": server.endpoint,
            "region": server.region,
            "access_key_id": server.access_key_id,
            "secret_access_key": server.secret_access_key,
            **values,
        }
    )


@pytest.fixture
async def op(server: SeaweedFS) -> AsyncIterator[Operator]:
    async with Operator(config(server), resilient=False) as operator:
        yield operator


def put_signed(server: SeaweedFS, key: str, content: bytes) -> None:
    """Stores an object by the S3 API, signed by botocore and encoded by the standard library."""
    target = f"/{server.bucket}/{quote(key, safe='/~')}"
    request = AWSRequest("PUT", server.endpoint + target, data=content)
    S3SigV4Auth(Credentials(server.access_key_id, server.secret_access_key), "s3", server.region).add_auth(request)
    connection = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=30)
    try:
        connection.request("PUT", target, body=content, headers=dict(request.headers.items()))
        assert connection.getresponse().status == 200
    finally:
        connection.close()


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_a_key_with_an_odd_name_is_signed_and_found(server: SeaweedFS, op: Operator, key: str) -> None:
    content = f"the content of {key}".encode()
    put_signed(server, key, content)
    assert await op.read(key) == content
    assert await op.read(key, range=(4, 11)) == b"content"
    assert (await op.stat(key)).content_length == len(content)


async def test_a_root_with_an_odd_name_is_signed_and_found(server: SeaweedFS) -> None:
    put_signed(server, "röot +%2F/in side/k", b"below")
    async with Operator(config(server, root="röot +%2F/in side"), resilient=False) as op:
        assert await op.read("k") == b"below"


@pytest.mark.parametrize(
    ("key", "status"), [("a//b", 404), ("a/./b", 400), ("a/../b", 400), ("./a", 400), ("../a", 400), ("a/..", 400)]
)
async def test_a_key_that_the_server_does_not_keep_has_a_good_signature(op: Operator, key: str, status: int) -> None:
    """SeaweedFS joins doubled slashes and refuses dotted parts; it would answer 403 to a bad signature."""
    assert await status_of(op, "read", key, {}) == status
    assert await status_of(op, "stat", key, {}) == status


odd_parts = st.sampled_from(["//", ".", "..", "%2F", "+", "~", " ", "é", "鴨", "🦆", "%", "&=?#", "/", "*'()!", "\t"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), min_size=1, max_size=20)
keys = st.lists(odd_parts | texts, min_size=1, max_size=6).map("".join)


@settings(max_examples=60, deadline=None)
@given(key=keys, version=st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_whatever_the_key_the_signature_is_good(server: SeaweedFS, key: str, version: str | None) -> None:
    async def statuses() -> list[object]:
        async with Operator(config(server), resilient=False) as op:
            options = {} if version is None else {"version": version}
            return [await status_of(op, call, key, options) for call in ("read", "stat")]

    assert set(asyncio.run(statuses())) <= {None, 200, 400, 404}


async def status_of(op: Operator, call: str, key: str, options: dict[str, str]) -> object:
    """The status of an error; 200 where there was none, and None where nothing was sent."""
    try:
        await getattr(op, call)(key, **options)
    except Error as error:
        return error.context.get("status")
    return 200


class OtherAddress(HttpTransport):
    """Sends to an address instead of a host name, so that no name needs to be resolved."""

    def __init__(self, inner: HttpTransport, host: str, address: str) -> None:
        self._inner = inner
        self._host = host
        self._address = address

    async def send(self, request: HttpRequest) -> HttpResponse:
        assert self._host in request.url
        return await self._inner.send(replace(request, url=request.url.replace(self._host, self._address, 1)))

    async def close(self) -> None:
        await self._inner.close()


async def test_virtual_host_style_is_signed_and_found(server: SeaweedFS) -> None:
    host, port = f"{server.bucket}.s3.localhost", server.endpoint.rpartition(":")[2]
    recorder = RecordingTransport()
    context = Context(http=OtherAddress(recorder, host, "127.0.0.1"))
    values = {"endpoint": f"http://s3.localhost:{port}", "enable_virtual_host_style": True}
    op = Operator(config(server, **values), context=context, resilient=False)
    assert await op.read(PLAIN_KEY) == CONTENT
    request = recorder.requests[0]
    assert PLAIN_KEY in [entry.path for entry in await op.list("dir/")]
    await recorder.close()
    assert [one.method for one in recorder.requests] == ["GET", "GET"]
    assert request.url == f"http://127.0.0.1:{port}/{PLAIN_KEY}"
    assert dict(request.headers)["Host"] == f"{host}:{port}"


@pytest.mark.parametrize(
    "values",
    [
        {"secret_access_key": "wrong"},
        {"access_key_id": "AKIAUNKNOWN1"},
        {"access_key_id": None, "secret_access_key": None, "skip_signature": True},
    ],
)
async def test_wrong_or_no_keys_are_refused(server: SeaweedFS, values: dict[str, Any]) -> None:
    async with Operator(config(server, **values), resilient=False) as op:
        for operation in ("read", "stat"):
            with pytest.raises(PermissionDenied) as caught:
                await getattr(op, operation)(PLAIN_KEY)
            assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("s3", operation, PLAIN_KEY)
            assert caught.value.context["status"] == 403
            assert "wrong" not in str(caught.value)


async def test_a_bucket_that_is_not_there_is_a_matter_of_configuration(server: SeaweedFS) -> None:
    async with Operator(config(server, bucket="no-such-bucket"), resilient=False) as op:
        with pytest.raises(ConfigInvalid, match="no-such-bucket"):
            await op.read("k")
        with pytest.raises(ConfigInvalid):
            await op.check()


async def test_what_is_not_there_is_not_found(op: Operator) -> None:
    await op.check()
    assert not await op.exists("nothing")
    with pytest.raises(NotFound) as caught:
        await op.read("nothing")
    assert (caught.value.operation, caught.value.path, caught.value.context["code"]) == ("read", "nothing", "NoSuchKey")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (BytesRange(), CONTENT),
        (BytesRange(1, 2), CONTENT[1:2]),
        (BytesRange(10_000), CONTENT[10_000:]),
        (BytesRange(suffix=8), CONTENT[-8:]),
        (BytesRange(suffix=20_000), CONTENT),
        (BytesRange(10_000, 20_000), CONTENT[10_000:]),
        (BytesRange(len(CONTENT)), b""),
    ],
)
async def test_a_range_is_the_slice_in_one_request(server: SeaweedFS, asked: BytesRange, expected: bytes) -> None:
    recorder = RecordingTransport()
    op = Operator(config(server), context=Context(http=recorder), resilient=False)
    assert await op.read(PLAIN_KEY, range=asked) == expected
    assert len(recorder.requests) == 1
    assert recorder.open_bodies == 0
    await recorder.close()


async def test_a_range_behind_the_end_is_refused(op: Operator) -> None:
    with pytest.raises(RangeNotSatisfied):
        await op.read(PLAIN_KEY, range=(len(CONTENT) + 1, None))


async def test_the_ranges_of_an_empty_object_are_empty(server: SeaweedFS, op: Operator) -> None:
    server.put("empty", b"")
    for asked in (BytesRange(), BytesRange(0, 5), BytesRange(0), BytesRange(suffix=5)):
        assert await op.read("empty", range=asked) == b""


async def test_the_tail_is_two_requests(server: SeaweedFS) -> None:
    recorder = RecordingTransport()
    async with Operator(config(server), context=Context(http=recorder), resilient=False).reader(PLAIN_KEY) as reader:
        assert await reader.seek(-8, 2) == len(CONTENT) - 8
        assert await reader.read(8) == CONTENT[-8:]
    assert [one.method for one in recorder.requests] == ["HEAD", "GET"]
    assert recorder.open_bodies == 0
    await recorder.close()


async def test_conditions_are_honoured(op: Operator) -> None:
    found = await op.stat(PLAIN_KEY)
    assert found.etag is not None
    earlier, later = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    holding: list[dict[str, Any]] = [
        {"if_match": found.etag},
        {"if_none_match": '"other"'},
        {"if_modified_since": earlier},
        {"if_unmodified_since": later},
    ]
    failing: list[dict[str, Any]] = [
        {"if_match": '"other"'},
        {"if_none_match": found.etag},
        {"if_unmodified_since": earlier},
    ]
    for condition in holding:
        assert await op.read(PLAIN_KEY, **condition) == CONTENT
        assert (await op.stat(PLAIN_KEY, **condition)).etag == found.etag
    for condition in failing:
        for operation in (op.read, op.stat):
            with pytest.raises(ConditionNotMatch):
                await operation(PLAIN_KEY, **condition)


async def test_a_directory_is_a_marker(server: SeaweedFS, op: Operator) -> None:
    put_signed(server, "marker/", b"")
    assert (await op.stat("marker/")).is_dir
    with pytest.raises(NotFound):
        await op.stat("no-marker/")
