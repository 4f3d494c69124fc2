"""Failures of S3 that happen in production, replayed by the scripted server in front of a real store."""

import asyncio
import http.client
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from entrepot import AlreadyExists, ConfigInvalid, Error, NotFound, Operator, PermissionDenied, RateLimited, Unexpected
from entrepot.layers import RetryLayer
from entrepot.services import S3
from entrepot.signing import Credentials
from entrepot.testing import (
    FORWARD,
    PASS,
    Answer,
    DeadConnections,
    EveryNth,
    InTurn,
    OneObject,
    ReceivedRequest,
    ScriptedServer,
    SeaweedFS,
    aws_answers,
    raw_response,
    whole_response,
)

KEYS = {"region": "eu-west-1", "access_key_id": "AKID", "secret_access_key": "secret"}
HELLO = [whole_response(b"hello", 'ETag: "e"')]
QUICK = RetryLayer(min_delay=0, max_delay=0)


def operator(server: ScriptedServer, store: SeaweedFS | None = None, **options: Any) -> Operator:
    """An operator on the scripted server, with the keys of the store behind it, if there is one."""
    keys = KEYS if store is None else {
        "region": store.region, "access_key_id": store.access_key_id, "secret_access_key": store.secret_access_key
    }  # fmt: skip
    bucket = "bucket" if store is None else store.bucket
    return Operator(S3(bucket=bucket, endpoint=server.endpoint, **keys), **options)


@pytest.mark.parametrize(
    ("answer", "kind", "code", "is_temporary"),
    [
        (aws_answers.moved_to_region("ap-south-1"), ConfigInvalid, "PermanentRedirect", False),
        (aws_answers.moved_for_now("http://127.0.0.1:1/"), ConfigInvalid, "TemporaryRedirect", False),
        (aws_answers.expired_token(), PermissionDenied, "ExpiredToken", False),
        (aws_answers.skewed_clock(aws_answers.HUGE_DATES[0]), PermissionDenied, "RequestTimeTooSkewed", False),
        (aws_answers.slow_down(), RateLimited, "SlowDown", True),
        (aws_answers.slow_down(7), RateLimited, "SlowDown", True),
        (aws_answers.proxy_unavailable(), Unexpected, None, True),
        (aws_answers.lost_after(), Unexpected, None, True),
    ],
)
async def test_each_answer_is_a_typed_error(
    answer: Answer, kind: type[Error], code: str | None, is_temporary: bool
) -> None:
    with ScriptedServer([answer]) as server:
        async with operator(server, resilient=False) as op:
            with pytest.raises(kind) as caught:
                await op.read("key")
    error = caught.value
    assert (type(error), error.context.get("code"), error.is_temporary) == (kind, code, is_temporary)
    if code is not None:
        assert error.context["request_id"] == aws_answers.REQUEST_ID
        assert error.context["extended_request_id"] == aws_answers.HOST_ID


async def test_what_is_temporary_succeeds_after_a_retry() -> None:
    answers = [aws_answers.slow_down(0), aws_answers.proxy_unavailable(), aws_answers.lost_after(), HELLO]
    with ScriptedServer(answers) as server:
        async with operator(server, layers=[QUICK]) as op:
            assert await op.read("key") == b"hello"
        assert len(server.requests) == len(answers)


async def test_expired_credentials_are_replaced_once() -> None:
    keys = iter([Credentials("OLD", "s", "token"), Credentials("NEW", "s", "token")])
    with ScriptedServer([aws_answers.expired_token(), HELLO]) as server:
        config = S3("bucket", region="r", endpoint=server.endpoint, credentials=lambda: next(keys))
        async with Operator(config, resilient=False) as op:
            assert await op.read("key") == b"hello"
    used = [request.headers["authorization"].partition("Credential=")[2][:3] for request in server.requests]
    assert used == ["OLD", "NEW"]


async def test_a_clock_that_is_off_is_corrected_by_a_date_that_can_be() -> None:
    with ScriptedServer([aws_answers.skewed_clock("Tue, 01 Jul 2042 12:00:00 GMT"), HELLO]) as server:
        async with operator(server, resilient=False) as op:
            assert await op.read("key") == b"hello"
        assert server.requests[1].headers["x-amz-date"].startswith("20420701T1200")
    for date in aws_answers.HUGE_DATES:
        with ScriptedServer([aws_answers.skewed_clock(date), HELLO]) as server:
            async with operator(server, resilient=False) as op:
                with pytest.raises(PermissionDenied, match="clocks"):
                    await op.read("key")


async def test_another_region_is_signed_for_once_the_store_names_it() -> None:
    with ScriptedServer([aws_answers.wrong_region("ap-south-1"), HELLO]) as server:
        async with operator(server, resilient=False) as op:
            assert [await op.read("key"), await op.read("key")] == [b"hello", b"hello"]
    scopes = [request.headers["authorization"].split("/")[2] for request in server.requests]
    assert scopes == ["eu-west-1", "ap-south-1", "ap-south-1"]


async def test_eight_dead_kept_connections_cost_one_attempt_each_at_most() -> None:
    with ScriptedServer(DeadConnections(8, OneObject(b"hello"))) as server:
        async with operator(server, resilient=False) as op:
            await asyncio.gather(*(op.read(f"{n}") for n in range(8)))
            assert server.connections == 8
            assert await asyncio.gather(*(op.read(f"{n}") for n in range(8))) == [b"hello"] * 8


@pytest.mark.parametrize("date", aws_answers.HUGE_DATES)
async def test_huge_dates_do_not_break_a_response(date: str) -> None:
    headers = [f"Date: {date}", f"Last-Modified: {date}", 'ETag: "e"']
    with ScriptedServer([[whole_response(b"hello", *headers)]]) as server:
        async with operator(server, resilient=False) as op:
            assert await op.read("key") == b"hello"
            assert (await op.stat("key")).etag == '"e"'
    with ScriptedServer([aws_answers.s3_error(503, "SlowDown", f"Retry-After: {date}")]) as server:
        async with operator(server, resilient=False) as op:
            with pytest.raises(RateLimited):
                await op.read("key")


@pytest.fixture
def store(seaweedfs_server: SeaweedFS) -> SeaweedFS:
    return seaweedfs_server


def is_copy(request: ReceivedRequest) -> bool:
    return "x-amz-copy-source" in request.headers


def is_completion(request: ReceivedRequest) -> bool:
    return request.method == "POST" and "uploadId=" in request.target


def instead(is_of_kind: Callable[[ReceivedRequest], bool], *answers: Answer) -> Callable[[ReceivedRequest], Answer]:
    """A script that answers the first requests of a kind, and lets the store answer all others."""
    scripted = InTurn([*answers, [PASS]])
    return lambda request: scripted(request) if is_of_kind(request) else [PASS]


def faulty(store: SeaweedFS, script: Callable[[ReceivedRequest], Answer]) -> ScriptedServer:
    return ScriptedServer(script, upstream=store.endpoint)


@pytest.mark.parametrize("fault", [aws_answers.error_in_success(), aws_answers.slow_down(), aws_answers.lost_after()])
async def test_copies_of_which_some_fail_are_made_again(store: SeaweedFS, fault: Answer) -> None:
    with faulty(store, EveryNth(3, fault, is_copy)) as server:
        async with operator(server, store, layers=[QUICK]) as op:
            await op.write("replayed/source", b"content")
            for number in range(4):
                await op.copy("replayed/source", f"replayed/target{number}")
                assert await op.read(f"replayed/target{number}") == b"content"
        assert Counter(map(is_copy, server.requests))[True] == 5


class RangedCopy:
    """A store that copies an object of any size in ranges, and keeps nothing."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(self, request: ReceivedRequest) -> Answer:
        if request.method == "HEAD":
            return [raw_response("200 OK", f"Content-Length: {self._size}", 'ETag: "source"')]
        if request.method == "PUT":
            return self._result("CopyPart", "<ETag>&quot;part&quot;</ETag>")
        if "uploadId" in request.target:
            return self._result("CompleteMultipartUpload", "<ETag>&quot;e-1&quot;</ETag>")
        return self._result("InitiateMultipartUpload", "<UploadId>u</UploadId>")

    def _result(self, operation: str, content: str) -> Answer:
        return [whole_response(f"<{operation}Result>{content}</{operation}Result>".encode())]


@pytest.mark.parametrize("fault", [aws_answers.slow_down(), aws_answers.error_in_success(), aws_answers.lost_after()])
async def test_a_copy_goes_on_although_one_range_in_a_hundred_fails(fault: Answer) -> None:
    part, count = 32 * 1024**2, 300
    with ScriptedServer(EveryNth(100, fault, is_copy, RangedCopy(part * count))) as server:
        async with operator(server, layers=[QUICK]) as op:
            await op.copy("source", "target", source_content_length_hint=part * count, chunk=part)
        copied = Counter(request.headers["x-amz-copy-source-range"] for request in server.requests if is_copy(request))
    assert len(copied) == count
    assert copied.total() == count + 3


@pytest.mark.parametrize("fault", [aws_answers.error_in_success("SlowDown"), aws_answers.lost_after(FORWARD)])
async def test_a_completion_that_fails_or_loses_its_answer_ends_well(store: SeaweedFS, fault: Answer) -> None:
    with faulty(store, instead(is_completion, fault)) as server:
        async with operator(server, store, layers=[QUICK]) as op:
            async with op.writer("replayed/parts", chunk=5 * 1024**2) as writer:
                await writer.write(bytes(6 * 1024**2))
            assert (await op.stat("replayed/parts")).content_length == 6 * 1024**2


async def test_blanks_before_the_result_of_a_completion_are_waited_for(store: SeaweedFS) -> None:
    result = b"<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>"
    with faulty(store, instead(is_completion, [FORWARD, *aws_answers.dripping(result)])) as server:
        async with operator(server, store, resilient=False) as op:
            async with op.writer("replayed/drip", chunk=5 * 1024**2) as writer:
                await writer.write(bytes(6 * 1024**2))
            assert (await op.stat("replayed/drip")).content_length == 6 * 1024**2


async def test_a_proxys_503_is_no_proof_that_nothing_was_stored(store: SeaweedFS) -> None:
    """The store has the object: a second attempt would report that someone else wrote it."""

    def script(request: ReceivedRequest) -> Answer:
        return [FORWARD, *aws_answers.proxy_unavailable()] if request.method == "PUT" else [PASS]

    with faulty(store, script) as server:
        async with operator(server, store, layers=[QUICK]) as op:
            with pytest.raises(Unexpected) as caught:
                await op.write("replayed/once", b"content", if_not_exists=True)
            assert caught.value.context["may_have_taken_effect"] is True
            assert await op.read("replayed/once") == b"content"
            await op.delete("replayed/once")


async def test_the_stores_own_503_is_a_refusal(store: SeaweedFS) -> None:
    with faulty(store, instead(lambda request: request.method == "PUT", aws_answers.slow_down(0))) as server:
        async with operator(server, store, layers=[QUICK]) as op:
            await op.write("replayed/refused", b"content", if_not_exists=True)
            with pytest.raises(AlreadyExists):
                await op.write("replayed/refused", b"content", if_not_exists=True)
            await op.delete("replayed/refused")


async def test_a_missing_bucket_of_a_real_store_is_an_error(store: SeaweedFS) -> None:
    keys = {"access_key_id": store.access_key_id, "secret_access_key": store.secret_access_key}
    there, missing = (
        Operator(S3(bucket=bucket, endpoint=store.endpoint, region=store.region, **keys), resilient=False)
        for bucket in (store.bucket, "no-such-bucket")
    )
    async with there, missing:
        assert await there.exists("replayed/nothing") is False
        with pytest.raises(NotFound):
            await there.stat("replayed/nothing")
        for call in (missing.exists, missing.stat, missing.read):
            with pytest.raises(ConfigInvalid, match="there is no bucket no-such-bucket"):
                await call("replayed/nothing")


def ask(server: ScriptedServer, method: str, target: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, headers=named)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_metadata_service_refuses_a_token_that_has_expired() -> None:
    service = aws_answers.InstanceMetadata({"AccessKeyId": "A"}, uses_of_token=1, role="r")
    base = "/latest/meta-data/iam/security-credentials/"
    with ScriptedServer(service) as server:
        for attempt in (1, 2):
            token = ask(server, "PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="60")[1].decode()
            assert ask(server, "GET", base, X_aws_ec2_metadata_token=token) == (200, b"r")
            assert ask(server, "GET", f"{base}r", X_aws_ec2_metadata_token=token)[0] == 401
            assert service.tokens == attempt
        assert ask(server, "GET", base)[0] == 401
        assert ask(server, "GET", "/latest/api/token")[0] == 400


def test_a_session_of_a_directory_bucket_states_its_end() -> None:
    with ScriptedServer([aws_answers.created_session("2025-07-01T12:05:00Z")]) as server:
        status, content = ask(server, "GET", "/?session")
    assert status == 200
    assert b"<Expiration>2025-07-01T12:05:00Z</Expiration>" in content
