"""Regions of buckets at Amazon, over HTTP: its host names lead to a scripted server on loopback."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from entrepot import Operator
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport
from entrepot.services import S3
from entrepot.testing import Answer, ReceivedRequest, ScriptedServer, aws_answers, raw_response, whole_response
from tests.transports import Transport

REGION = "ap-south-1"
MALFORMED = aws_answers.s3_error(400, "AuthorizationHeaderMalformed", Region=REGION)
REFUSALS: dict[str, Answer] = {
    "301": aws_answers.moved_to_region(REGION),
    "307": aws_answers.moved_for_now(f"https://bucket.s3-{REGION}.amazonaws.com/key"),
    "400": MALFORMED,
}


class ToLoopback(HttpTransport):
    """Sends requests to any host of Amazon to one server. The Host header stays."""

    def __init__(self, endpoint: str) -> None:
        self._inner = Transport()
        self._endpoint = endpoint

    async def send(self, request: HttpRequest) -> HttpResponse:
        scheme, _, rest = request.url.partition("://")
        host, _, path = rest.partition("/")
        assert (scheme, dict(request.headers)["Host"]) == ("https", host)
        assert host.endswith(".amazonaws.com")
        return await self._inner.send(replace(request, url=f"{self._endpoint}/{path}"))

    async def close(self) -> None:
        await self._inner.close()


def regional(refusal: Answer) -> Callable[[ReceivedRequest], Answer]:
    """A bucket in one region. A request to another is refused, and so is a signature for another."""

    def answer(request: ReceivedRequest) -> Answer:
        if REGION not in request.headers["host"]:
            return refusal
        if f"/{REGION}/s3/aws4_request" not in request.headers["authorization"]:
            return MALFORMED
        return [whole_response(b"" if request.method == "PUT" else b"content", 'ETag: "e"')]

    return answer


@asynccontextmanager
async def operator(server: ScriptedServer, **values: Any) -> AsyncIterator[Operator]:
    transport = ToLoopback(server.endpoint)
    config = S3("bucket", access_key_id="AKID", secret_access_key="secret", **values)
    try:
        yield Operator(config, context=Context(http=transport), resilient=False)
    finally:
        await transport.close()


def hosts(server: ScriptedServer) -> list[str]:
    return [request.headers["host"] for request in server.requests]


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_request_to_the_wrong_region_is_repeated_in_the_right_one(refusal: Answer) -> None:
    content = b"x" * 100_000
    with ScriptedServer(regional(refusal)) as server:
        async with operator(server, region="us-west-2") as op:
            await op.write("key", content)
            assert await op.read("key") == b"content"
    wrong, right = "bucket.s3.us-west-2.amazonaws.com", f"bucket.s3.{REGION}.amazonaws.com"
    assert hosts(server) == [wrong, right, right]
    assert [request.content for request in server.requests[:2]] == [content, content]


async def test_a_region_that_is_not_configured_is_found_out_by_an_unsigned_request() -> None:
    located = [raw_response("301 Moved Permanently", f"x-amz-bucket-region: {REGION}", "Content-Length: 0")]
    with ScriptedServer(regional(located)) as server:
        async with operator(server) as op:
            assert await op.read("key") == b"content"
    assert hosts(server) == ["s3.us-east-1.amazonaws.com", f"bucket.s3.{REGION}.amazonaws.com"]
    assert (server.requests[0].method, server.requests[0].target) == ("HEAD", "/bucket")
    assert "authorization" not in server.requests[0].headers
