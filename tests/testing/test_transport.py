"""Transports that make responses up or record them."""

import asyncio

import pytest

from entrepot import ContentIncomplete
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.testing import MockTransport, RecordingTransport, reply


async def test_a_mock_answers_what_its_handler_says_and_notes_the_request():
    mock = MockTransport(lambda request: reply(206, [b"", b"ab", b"c"], [("ETag", '"1"')]))
    response = await mock.send(HttpRequest("GET", "http://host/a"))
    assert (response.status, response.headers["etag"], response.url) == (206, '"1"', "http://host/a")
    assert [await response.body.read(1) for _ in range(4)] == [b"a", b"b", b"c", b""]
    assert [request.url for request in mock.requests] == ["http://host/a"]
    assert mock.open_bodies == 1
    await response.body.close()
    assert mock.open_bodies == 0


async def test_a_body_raises_where_an_error_stands():
    response = reply(200, [b"ab", ContentIncomplete("reset")])
    assert await response.body.read(10) == b"ab"
    with pytest.raises(ContentIncomplete):
        await response.body.read(10)


async def test_a_recorder_counts_requests_bytes_and_bodies():
    recorder = RecordingTransport(MockTransport(lambda request: reply(200, b"abc")))
    response = await recorder.send(HttpRequest("GET", "http://host/a"))
    assert (await response.body.read(2), recorder.bytes_received, recorder.open_bodies) == (b"ab", 2, 1)
    await response.body.close()
    await response.body.close()
    assert (len(recorder.requests), recorder.open_bodies) == (1, 0)
    recorder.forget()
    assert (recorder.requests, recorder.bytes_received) == ([], 0)


async def test_a_mock_keeps_the_content_of_requests_as_it_was():
    content = bytearray(b"abc")
    mock = MockTransport(lambda request: reply(200, bytes(request.body or b"none")))
    for body in (memoryview(content), b"", None):
        await mock.send(HttpRequest("PUT", "http://host/a", (), body))
    content[:] = b"xyz"
    assert mock.bodies == [b"abc", b"", b""]
    assert [await one.body.read(9) for one in mock.replies] == [b"abc", b"none", b"none"]


async def test_a_handler_of_a_mock_may_wait():
    async def handler(request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0)
        return reply(204)

    response = await MockTransport(handler).send(HttpRequest("DELETE", "http://host/a"))
    assert (response.status, response.url) == (204, "http://host/a")


async def test_a_recorder_keeps_the_content_of_requests_until_it_forgets():
    recorder = RecordingTransport(MockTransport(lambda request: reply(200)))
    await recorder.send(HttpRequest("PUT", "http://host/a", (), b"abc"))
    assert recorder.bodies == [b"abc"]
    recorder.forget()
    assert recorder.bodies == []
