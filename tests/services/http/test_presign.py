"""Addresses for others: without credentials only, and nothing is sent."""

from typing import Any

import pytest

from entrepot import Error, InvalidInput, Operator, PresignedRequest, Unsupported
from entrepot.raw import Context, ServiceConfig
from entrepot.services import Fs, Http, Memory
from entrepot.testing.transport import MockTransport, reply

CALLS = ("presign_read", "presign_stat", "presign_write", "presign_delete")


@pytest.fixture
def transport() -> Any:
    transport = MockTransport(lambda request: reply(500))
    yield transport
    assert transport.requests == []


@pytest.mark.parametrize(("call", "method"), [("presign_read", "GET"), ("presign_stat", "HEAD")])
async def test_it_is_the_address_with_its_conditions_and_holds_on(
    transport: MockTransport, call: str, method: str
) -> None:
    op = Operator(Http("https://h/data", root="in side"), context=Context(http=transport))
    request = await getattr(op, call)("a b", 60, if_none_match='"e"')
    assert request == PresignedRequest(method, "https://h/data/in%20side/a%20b", {"If-None-Match": '"e"'}, None)


async def test_a_range_is_a_header(transport: MockTransport) -> None:
    op = Operator(Http("https://h"), context=Context(http=transport))
    request = await op.presign_read_with("a", 60).range(suffix=5)
    assert request == PresignedRequest("GET", "https://h/a", {"Range": "bytes=-5"})


async def assert_refuses(op: Operator, call: str, kind: type[Error], path: str = "a", **options: Any) -> None:
    with pytest.raises(kind) as caught:
        await getattr(op, call)(path, 60, **options)
    error = caught.value
    assert (error.scheme, error.operation, error.path) == (op.info.scheme, call, path)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("credentials", [{"token": "the-token"}, {"username": "u", "password": "the-password"}])
async def test_credentials_are_not_given_away(transport: MockTransport, call: str, credentials: Any) -> None:
    await assert_refuses(Operator(Http("https://h", **credentials), context=Context(http=transport)), call, Unsupported)


@pytest.mark.parametrize("call", ["presign_write", "presign_delete"])
async def test_a_web_server_is_only_read(transport: MockTransport, call: str) -> None:
    await assert_refuses(Operator(Http("https://h"), context=Context(http=transport)), call, Unsupported)


async def test_what_the_service_cannot_ask_cannot_be_presigned(transport: MockTransport) -> None:
    op = Operator(Http("https://h"), context=Context(http=transport))
    await assert_refuses(op, "presign_read", Unsupported, version="v")
    await assert_refuses(op, "presign_read", Unsupported, override_content_type="text/plain")
    await assert_refuses(op, "presign_stat", InvalidInput, "../a")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("config", [Memory(), Fs("/tmp")], ids=["memory", "fs"])
async def test_what_has_no_address_has_no_presign(config: ServiceConfig, call: str) -> None:
    await assert_refuses(Operator(config), call, Unsupported)
