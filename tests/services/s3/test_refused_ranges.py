"""A refused range (416) whose reply does not tell the size, as Ceph, Swift and MinIO answer it: the size is asked."""

import pytest

from entrepot import NotFound, Operator, RangeNotSatisfied
from entrepot.raw import Context
from entrepot.services import S3
from entrepot.testing import MockTransport, reply

SIZE = 10


def operator_over(handler):
    transport = MockTransport(handler)
    config = S3(bucket="b", region="r", endpoint="http://s3.test", skip_signature=True)
    return Operator(config, context=Context(http=transport), resilient=False), transport


def refuse(request):
    if request.method == "HEAD":
        return reply(200, headers=[("Content-Length", str(SIZE)), ("ETag", '"e"')])
    return reply(416, b"<Error><Code>InvalidRange</Code></Error>")


async def test_a_range_from_the_end_is_empty():
    operator, transport = operator_over(refuse)
    assert await operator.read("a", range=(SIZE, SIZE + 5), if_match='"e"') == b""
    assert [request.method for request in transport.requests] == ["GET", "HEAD"]
    assert ("If-Match", '"e"') in [(name.title(), value) for name, value in transport.requests[1].headers]
    assert transport.open_bodies == 0


async def test_a_range_behind_the_end_is_refused():
    operator, transport = operator_over(refuse)
    with pytest.raises(RangeNotSatisfied) as caught:
        await operator.read("a", range=(SIZE + 1, SIZE + 5))
    assert (caught.value.kind, caught.value.operation, caught.value.path) == ("RangeNotSatisfied", "read", "a")
    assert transport.open_bodies == 0


async def test_an_object_that_vanished_meanwhile_is_not_found():
    operator, transport = operator_over(lambda request: refuse(request) if request.method == "GET" else reply(404))
    with pytest.raises(NotFound) as caught:
        await operator.read("a", range=(SIZE, None))
    assert (caught.value.operation, caught.value.path) == ("read", "a")
    assert transport.open_bodies == 0


async def test_a_size_that_the_refusal_tells_is_not_asked_for():
    operator, transport = operator_over(lambda request: reply(416, headers=[("Content-Range", f"bytes */{SIZE}")]))
    assert await operator.read("a", range=(SIZE, None)) == b""
    assert [request.method for request in transport.requests] == ["GET"]


@pytest.mark.parametrize(("status", "content"), [(203, b"0123456789"), (204, b"")])
async def test_other_statuses_of_success_have_content(status, content):
    operator, transport = operator_over(lambda request: reply(status, content))
    assert await operator.read("a") == content
    assert await operator.read("a", range=(0, 4)) == content[:4]
    assert transport.open_bodies == 0


async def test_where_head_tells_no_length_a_range_tells_the_size():
    def handle(request):
        if request.method == "HEAD":
            return reply(200, headers=[("ETag", '"e"')])
        assert ("If-Match", '"e"') in request.headers
        return reply(206, b"0", [("Content-Range", f"bytes 0-0/{SIZE}"), ("ETag", '"e"')])

    operator, transport = operator_over(handle)
    async with operator.reader("a") as reader:
        assert await reader.size() == SIZE
    assert [request.method for request in transport.requests] == ["HEAD", "GET"]
