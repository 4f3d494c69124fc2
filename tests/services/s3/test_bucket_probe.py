"""A missing bucket is told apart from a missing object."""

import asyncio
from collections.abc import Callable

import pytest

from entrepot import ConfigInvalid, NotFound, Operator, Unexpected
from entrepot.raw import Context
from entrepot.raw.http.transport import HttpRequest, HttpResponse
from entrepot.services import S3
from entrepot.testing import MockTransport, reply

NO_BUCKET = b"<Error><Code>NoSuchBucket</Code></Error>"


def operator(listing: Callable[[], HttpResponse], **options: bool) -> tuple[Operator, MockTransport]:
    """An operator on a bucket of which every HEAD is 404 and every GET is answered by `listing`."""

    def answer(request: HttpRequest) -> HttpResponse:
        return reply(404) if request.method == "HEAD" else listing()

    config = S3(bucket="b", region="r", endpoint="http://h", access_key_id="a", secret_access_key="s", **options)
    transport = MockTransport(answer)
    return Operator(config, context=Context(http=transport), resilient=False), transport


@pytest.mark.parametrize("is_v1", [False, True])
async def test_a_missing_bucket_is_an_error_of_exists(is_v1: bool) -> None:
    op, transport = operator(lambda: reply(404, NO_BUCKET), disable_list_objects_v2=is_v1)
    for _ in range(2):  # not remembered, since the bucket may be created meanwhile
        with pytest.raises(ConfigInvalid, match="there is no bucket b"):
            await op.exists("a")
    assert [request.method for request in transport.requests] == ["HEAD", "GET"] * 2
    assert ("list-type=2" in transport.requests[1].url) is not is_v1


@pytest.mark.parametrize("status", [200, 403, 404, 501])
async def test_the_bucket_is_asked_about_once(status: int) -> None:
    op, transport = operator(lambda: reply(status, b"<html>"))
    assert not any(await asyncio.gather(*(op.exists(f"a{n}") for n in range(10))))
    with pytest.raises(NotFound):
        await op.stat("a")
    assert [request.method for request in transport.requests].count("GET") == 1


async def test_a_temporary_failure_is_no_answer() -> None:
    op, transport = operator(lambda: reply(503))
    with pytest.raises(Unexpected) as caught:
        await op.exists("a")
    assert caught.value.is_temporary
    with pytest.raises(Unexpected):
        await op.exists("a")
    assert len(transport.requests) == 4


async def test_an_object_that_exists_settles_it() -> None:
    transport = MockTransport(lambda request: reply(200 if request.url.endswith("/there") else 404))
    config = S3(bucket="b", region="r", endpoint="http://h", access_key_id="a", secret_access_key="s")
    op = Operator(config, context=Context(http=transport))
    assert (await op.exists("there"), await op.exists("gone")) == (True, False)
    assert [request.method for request in transport.requests] == ["HEAD", "HEAD"]
