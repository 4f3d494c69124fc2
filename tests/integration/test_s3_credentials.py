"""Servers that check signatures take requests whose credentials, clock or headers were corrected on the way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from entrepot import Operator
from entrepot.layers import RetryLayer
from entrepot.raw import Context, Layer
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport
from entrepot.signing import Credentials
from entrepot.testing import PASS, Answer, InTurn, ReceivedRequest, ScriptedServer, aws_answers
from tests.conftest import s3_config

MIB = 1024 * 1024


@pytest.fixture(
    params=["seaweedfs_server", "juicefs_server", pytest.param("radosgw_server", marks=pytest.mark.servers)]
)
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def config_with(server: Any, source: Any) -> Any:
    return replace(s3_config(server), access_key_id=None, secret_access_key=None, credentials=source)


class Keys:
    """A function that returns old keys first, and then those of the server."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.calls = 0

    def __call__(self) -> Credentials:
        self.calls += 1
        if self.calls == 1:
            return Credentials("AKIAOLDOLDOLDOLDOLD", "old")
        return Credentials(self.server.access_key_id, self.server.secret_access_key)


async def test_keys_that_the_server_does_not_know_are_replaced(server: Any) -> None:
    keys = Keys(server)
    async with Operator(config_with(server, keys), resilient=False) as op:
        content = bytes(range(256)) * 4 * 1024 * 6
        await op.write("a", content, chunk=5 * MIB)
        assert await op.read("a") == content
        await op.delete("a")
    assert keys.calls == 2


async def test_a_part_is_sent_again_after_a_token_expired(seaweedfs_server: Any) -> None:
    loads = count(1)

    def load() -> Credentials:
        keys = seaweedfs_server.access_key_id, seaweedfs_server.secret_access_key
        return Credentials(*keys, expires_at=datetime.now(UTC) + timedelta(hours=next(loads)))

    def script(request: ReceivedRequest) -> Answer:
        return expired(request) if "partNumber=1" in request.target else [PASS]

    expired = InTurn([aws_answers.expired_token(), [PASS]])
    with ScriptedServer(script, upstream=seaweedfs_server.endpoint) as server:
        config = replace(config_with(seaweedfs_server, load), endpoint=server.endpoint)
        async with Operator(config, resilient=False) as op:
            content = bytes(range(256)) * 4 * 1024 * 6
            await op.write("a", content, chunk=5 * MIB)
            assert await op.read("a") == content
            await op.delete("a")
    assert next(loads) == 3


async def test_a_clock_that_is_hours_off_is_corrected(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(UTC) - timedelta(hours=3)

    monkeypatch.setattr("entrepot.signing.clock.datetime", Late)
    async with Operator(s3_config(server), resilient=False) as op:
        await op.write("a", b"content")
        assert (await op.stat("a")).content_length == 7
        await op.delete("a")


class _Adding(HttpTransport):
    def __init__(self, inner: HttpTransport) -> None:
        self._inner = inner

    async def send(self, request: HttpRequest) -> HttpResponse:
        added = [("x-amz-request-payer", "requester"), ("X-Tenant", "a  b"), ("traceparent", "00-1-2-00")]
        return await self._inner.send(request.with_headers([*request.headers, *added]))

    async def close(self) -> None:
        await self._inner.close()


class _Headers(Layer):
    def wrap_context(self, context: Context) -> Context:
        return context.around_http(_Adding)


async def test_headers_that_a_layer_adds_are_signed(server: Any) -> None:
    async with Operator(s3_config(server)).layer(_Headers()).layer(RetryLayer()) as op:
        await op.write("a", bytes(6 * MIB), chunk=5 * MIB)
        assert (await op.stat("a")).content_length == 6 * MIB
        assert "a" in [entry.path for entry in await op.list("/")]
        await op.delete("a")
