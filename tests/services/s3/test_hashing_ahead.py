"""Parts that are sent one at a time: the next one is hashed while one is sent, and signed when it is sent."""

import asyncio
import re
import threading
from hashlib import sha256
from typing import Any

import pytest

from entrepot import Operator, PermissionDenied
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.http.transport import HashedContent
from entrepot.services import S3
from entrepot.services.s3 import writer
from entrepot.signing.aws import hash_payload
from entrepot.testing.transport import MockTransport, reply

PART = 5 * 1024**2
PIECES = [bytes([number]) * PART for number in range(1, 5)]
START = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
END = b'<CompleteMultipartUploadResult><ETag>"e-4"</ETag></CompleteMultipartUploadResult>'


class Store:
    """An S3 that keeps parts, and waits before it responds to one until `may_respond` says so."""

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}
        self.requests: list[str] = []
        self.sending = self.most_sending = 0
        self.is_refusing = False

    async def may_respond(self, number: int) -> None:
        """By default at once."""

    async def respond(self, request: HttpRequest) -> HttpResponse:
        number = re.search(r"partNumber=(\d+)", request.url)
        self.requests.append(f"{request.method} {number[1] if number else ''}".strip())
        if number is None:
            return reply(200, START if request.url.endswith("?uploads") else END)
        self.sending += 1
        self.most_sending = max(self.most_sending, self.sending)
        try:
            await self.may_respond(int(number[1]))
        finally:
            self.sending -= 1
        if self.is_refusing:
            return reply(403)
        content = b"".join(request.pieces)
        assert dict(request.headers)["x-amz-content-sha256"] == sha256(content).hexdigest()
        self.parts[int(number[1])] = content
        return reply(200, headers=[("etag", '"e"')])


def operator(store: Store, **options: Any) -> Operator:
    config = S3(bucket="b", region="r", endpoint="http://h", access_key_id="a", secret_access_key="s", **options)
    return Operator(config, context=Context(http=MockTransport(store.respond)), resilient=False)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> dict[int, threading.Event]:
    """For each part, an event that is set when it was hashed."""
    events = {number: threading.Event() for number in range(1, 6)}

    def noted(content: Any) -> str:
        digest = hash_payload(content)
        events[bytes(content[0][:1])[0]].set()
        return digest

    monkeypatch.setattr(writer, "hash_payload", noted)
    return events


async def test_the_next_part_is_hashed_while_one_is_sent(hashed: dict[int, threading.Event]) -> None:
    class Waiting(Store):
        async def may_respond(self, number: int) -> None:
            if number < len(PIECES):
                assert await asyncio.to_thread(hashed[number + 1].wait, 10)
                assert not hashed[number + 2].is_set()

    store = Waiting()
    async with operator(store).writer("k", chunk=PART, concurrent=1) as sink:
        for piece in PIECES:
            await sink.write(piece)
    assert store.most_sending == 1
    assert [store.parts[number] for number in range(1, 5)] == PIECES


@pytest.mark.parametrize(
    ("concurrent", "options"), [(2, {}), (1, {"unsigned_payload": True})], ids=["several at a time", "not signed"]
)
async def test_nothing_is_hashed_ahead_where_it_gains_nothing(concurrent: int, options: dict[str, Any]) -> None:
    upload = writer.S3Upload
    seen = list[int]()

    class Watched(upload):  # type: ignore[misc, valid-type]
        @property
        def parts_in_flight(self) -> int:
            seen.append(upload.parts_in_flight.fget(self))  # type: ignore[attr-defined]
            return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("entrepot.services.s3.accessor.S3Upload", Watched)
        async with operator(Store(), **options).writer("k", chunk=PART, concurrent=concurrent) as sink:
            await sink.write(b"small")
            await sink.abort()
    assert seen == [concurrent]


async def test_an_abort_ends_the_part_that_waits_for_its_turn(hashed: dict[int, threading.Event]) -> None:
    class Silent(Store):
        async def may_respond(self, number: int) -> None:
            await asyncio.Event().wait()

    store = Silent()
    sink = await operator(store).writer("k", chunk=PART, concurrent=1)
    for piece in PIECES[:3]:
        await sink.write(piece)
    writing = asyncio.ensure_future(sink.write(PIECES[3]))
    assert await asyncio.to_thread(hashed[2].wait, 10)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await sink.abort()
    assert store.requests == ["POST", "PUT 1", "DELETE"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_part_that_failed_gives_its_turn_back() -> None:
    store = Store()
    store.is_refusing = True
    async with operator(store).writer("k", chunk=PART, concurrent=1) as sink:
        with pytest.raises(PermissionDenied):
            for number, piece in enumerate(PIECES):  # noqa: B007 - the failed write is repeated below
                await sink.write(piece)
        store.is_refusing = False
        for piece in PIECES[number:]:
            await sink.write(piece)
    assert [store.parts[number] for number in range(1, 5)] == PIECES


def test_the_known_hash_of_content_is_used() -> None:
    content = HashedContent([b"ab", b"c"], hash_payload(b"abc"))
    assert hash_payload(content) == sha256(b"abc").hexdigest()
    assert (content, b"".join(content)) == ((b"ab", b"c"), b"abc")
