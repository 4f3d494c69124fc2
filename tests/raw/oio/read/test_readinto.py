"""Bodies that receive into a buffer: each does what its `read` does, and nothing writes to the buffer afterwards."""

import asyncio
import gc
import io
import os
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot import BytesRange, ContentIncomplete, Metadata, Operator, Unexpected
from entrepot.layers import RetryEvent, RetryLayer
from entrepot.raw import Accessor, Context, OpRead, RpRead, oio
from entrepot.raw.http import HttpBody, HttpResponse
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.oio.read import api
from entrepot.raw.oio.read.api import fill, read_to_end, read_up_to
from entrepot.raw.oio.read.file_reader import SMALL
from entrepot.raw.oio.read.final_buffer import FinalBuffer
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import S3, Memory
from entrepot.testing.scripted_server import Action, ScriptedServer, raw_response
from entrepot.testing.synthetic import Synthetic
from entrepot.testing.transport import MockTransport

MIB = 1024**2
CONTENT = bytes(range(256)) * 1200
in_memory_once = pytest.mark.skipif(
    sys.version_info[:3] in {(3, 12, 0), (3, 12, 1)}, reason="a large read is copied there (python/cpython#111049)"
)


def stored(content: bytes) -> Accessor:
    """An accessor with the content at "p"."""
    memory = Memory()
    memory.table.put("p", content)
    return memory.build(Context())


class Promised(oio.Read):
    """Content of zeros that states its length, and keeps the promise or not."""

    def __init__(self, size: int, stated: int, piece: int = 100_000) -> None:
        self.left = size
        self.stated = stated
        self.piece = piece
        self.views = 0

    @property
    def remaining(self) -> int:
        return self.stated

    async def read(self, n: int) -> bytes:
        size = min(n, self.piece, self.left)
        self.left, self.stated = self.left - size, max(0, self.stated - size)
        return b"r" * size

    async def readinto(self, buffer: memoryview) -> int:
        size = min(len(buffer), self.piece, self.left)
        buffer[:size] = b"i" * size
        self.left, self.stated = self.left - size, max(0, self.stated - size)
        self.views += 1
        return size


@pytest.mark.parametrize("size", [0, 1, 100_000, api.DIRECT + 50_000, api.DIRECT + 100_000, 3 * MIB + 1])
@pytest.mark.parametrize("stated", [0, 1, 5 * MIB, 10**13], ids=str)
async def test_a_body_is_read_whole_whatever_it_promises(size: int, stated: int) -> None:
    data = await read_to_end(Promised(size, stated))
    assert (len(data), data.strip(b"ri")) == (size, b"")


@pytest.mark.parametrize("n", [1, 99_999, 100_001, MIB, 3 * MIB, 4 * MIB])
async def test_no_more_than_asked_is_read(n: int) -> None:
    body = Promised(3 * MIB, 3 * MIB)
    assert len(await read_up_to(body, n)) == min(n, 3 * MIB)
    assert body.left == max(0, 3 * MIB - n)


@in_memory_once
async def test_what_is_promised_is_in_memory_once_and_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 16 * MIB
    body = Promised(size, size)
    tracemalloc.start()
    try:
        data = await read_to_end(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(data), body.views > 100) == (size, True)
    assert peak < size + MIB
    monkeypatch.setattr(api, "RESERVED", MIB)  # more than that grows
    assert await read_to_end(Promised(size, 10**13)) == b"i" * MIB + b"r" * (size - MIB)


async def test_content_grows_while_the_error_of_a_retried_read_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "DIRECT", 100)
    monkeypatch.setattr(api, "RESERVED", 1000)
    service, kept = Synthetic(bytes(range(256)) * 20, read_can_seek=False), list[RetryEvent]()
    service.script.fail(4, Unexpected("the connection broke", is_temporary=True))

    op = Operator(service).layer(RetryLayer(min_delay=0, notify=kept.append))

    assert await op.read("p") == service.content
    assert len(kept) == 1  # the traceback of its error refers to the buffer


def test_a_buffer_that_is_still_viewed_is_copied() -> None:
    content = FinalBuffer(8 * MIB)
    left = content.view()
    left[:3] = b"abc"
    taken = content.taken()
    left[:3] = b"xyz"
    assert (len(taken), taken[:3]) == (8 * MIB, b"abc")
    left.release()
    assert content.taken(2) == b"xy"


def _file(content: bytes, root: Path, window: BytesRange | None = None, runtime: Any = None) -> oio.FileReader:
    (root / "file").write_bytes(content)

    def opener() -> tuple[io.FileIO, Metadata]:
        return io.FileIO(root / "file"), Metadata(content_length=len(content))

    return oio.into_read_from_file(runtime or AsyncioRuntime(), opener, window or BytesRange(), RpRead())


@pytest.fixture
def bodies(tmp_path: Path) -> Iterator[dict[str, oio.Read]]:
    content = CONTENT
    store = stored(content)
    args = OpRead(range=BytesRange(5, len(content) - 7))
    chunked = OpRead(range=args.range, chunk=70_000, concurrent=3)
    yield {
        "bytes": oio.BytesReader(lambda: content[5:-7]),
        "file": _file(content, tmp_path, args.range),
        "by range": oio.ByRangeSeekableReader(store, "p", args, RpRead()),
        "chunked": oio.ChunkedReader(PinnedRange(store, "p", chunked), chunked, AsyncioRuntime().window),
        "streamable": oio.StreamableReader(oio.BytesReader(lambda: content[5:-7])),
    }


@pytest.mark.parametrize("kind", ["bytes", "file", "by range", "chunked", "streamable"])
@pytest.mark.parametrize("step", [1000, SMALL, 70_000, 200_000, 10 * MIB])
async def test_a_body_gives_the_same_bytes_into_a_buffer(bodies: dict[str, oio.Read], kind: str, step: int) -> None:
    content, body, received = CONTENT[5:-7], bodies[kind], b""
    buffer = bytearray(step + 1)
    assert body.remaining is None
    assert await body.readinto(memoryview(buffer)[:0]) == 0
    while count := await body.readinto(memoryview(buffer)[:step]):
        received += buffer[:count]
        assert body.remaining in {None, len(content) - len(received)}
        if len(received) < step * 3:  # the verbs may be mixed
            received += await body.read(17)
    assert received == content
    assert buffer[step] == 0
    await body.seek(-100_000, os.SEEK_CUR)
    assert await body.readinto(memoryview(buffer)[:3]) == 3
    assert buffer[:3] == content[-100_000:-99_997]
    await body.close()


async def test_a_file_that_shrinks_is_incomplete(tmp_path: Path) -> None:
    body = _file(bytes(SMALL * 3), tmp_path)
    await body.seek(1)
    buffer = memoryview(bytearray(SMALL * 3))
    assert await body.readinto(buffer[:SMALL]) == SMALL
    os.truncate(tmp_path / "file", 10)
    with pytest.raises(ContentIncomplete):
        await body.readinto(buffer)
    await body.close()


async def test_a_cancelled_read_of_a_file_ends_with_its_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = _file(b"x" * SMALL * 4, tmp_path)
    assert await body.read(1) == b"x"
    entered, leave, real = threading.Event(), threading.Event(), os.preadv

    def slow(*args: Any) -> int:
        entered.set()
        leave.wait(10)
        return real(*args)

    monkeypatch.setattr(os, "preadv", slow)
    buffer = bytearray(SMALL * 2)
    call = asyncio.ensure_future(body.readinto(memoryview(buffer)))
    await asyncio.to_thread(entered.wait, 10)
    call.cancel()
    await asyncio.sleep(0)
    assert not call.done()
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    buffer[:] = bytes(len(buffer))  # it is the caller's again
    monkeypatch.setattr(os, "preadv", real)
    assert await body.read(2) == b"xx"
    await body.close()
    assert not any(buffer)


async def test_chunks_are_received_in_their_place_and_none_after_the_call() -> None:
    content = CONTENT
    store, places = stored(content), list[tuple[int, int]]()

    class Seen(PinnedRange):
        async def fetch_into(self, begin: int, buffer: memoryview) -> int:
            places.append((begin, len(buffer)))
            return await super().fetch_into(begin, buffer)

    args = OpRead(chunk=10_000, concurrent=4)
    reader = oio.ChunkedReader(Seen(store, "p", args), args, AsyncioRuntime().window)
    buffer = memoryview(bytearray(35_000))
    assert await fill(reader, buffer) == 35_000
    assert buffer == content[:35_000]
    assert places == [(0, 10_000), (10_000, 10_000), (20_000, 10_000)]
    buffer[:] = bytes(35_000)
    assert await reader.read(5_000) == content[35_000:40_000]  # of the chunk that was only partly in the buffer
    assert await read_to_end(reader) == content[40_000:]
    assert not any(buffer)
    await reader.close()


@pytest.mark.parametrize("error", [Unexpected("down", is_temporary=True), asyncio.CancelledError()], ids=repr)
async def test_chunks_after_a_failure_continue_where_the_caller_stands(error: BaseException) -> None:
    content = CONTENT

    class Failing(PinnedRange):
        fails = 1

        async def fetch_into(self, begin: int, buffer: memoryview) -> int:
            if begin >= 20_000 and self.fails:
                self.fails -= 1
                raise error
            return await super().fetch_into(begin, buffer)

    args = OpRead(chunk=10_000, concurrent=4)
    reader = oio.ChunkedReader(Failing(stored(content), "p", args), args, AsyncioRuntime().window)
    buffer = memoryview(bytearray(len(content)))
    if isinstance(error, Unexpected):
        assert await reader.readinto(buffer) == 20_000
        assert buffer[:20_000] == content[:20_000]
        assert await fill(reader, buffer[20_000:]) == len(content) - 20_000
    else:
        with pytest.raises(asyncio.CancelledError):
            await reader.readinto(buffer)
        assert await fill(reader, buffer) == len(content)
    assert buffer == content
    await reader.close()


def _operator(server: ScriptedServer) -> Operator:
    return Operator(S3(bucket="b", endpoint=server.endpoint, access_key_id="k", secret_access_key="s"), resilient=False)


async def test_a_server_that_states_ten_terabytes_costs_what_it_sends() -> None:
    head = raw_response("200 OK", f"Content-Length: {10**13}")
    with ScriptedServer(lambda _: [head, bytes(2 * MIB), Action.CLOSE]) as server:
        op = _operator(server)
        with pytest.raises(ContentIncomplete):
            await op.read("a")
        async with op.reader("a") as reader:
            with pytest.raises(ContentIncomplete):
                await reader.read()
        await op.close()


class Repeated(HttpBody):
    """Content of one piece that comes again and again."""

    __slots__ = ("_left", "_piece")

    def __init__(self, size: int) -> None:
        self._left = size
        self._piece = bytes(100_000)

    async def read(self, n: int) -> bytes:
        piece = self._piece[: min(n, self._left)]
        self._left -= len(piece)
        return piece


@in_memory_once
@pytest.mark.parametrize("verb", ["read", "reader", "readinto"])
async def test_a_large_object_over_http_is_in_memory_once(verb: str) -> None:
    size = 24 * MIB
    headers = HttpHeaders([("Content-Length", str(size))])
    transport = MockTransport(lambda _: HttpResponse(200, headers, Repeated(size)))
    op = Operator(
        S3(bucket="b", endpoint="http://h", access_key_id="k", secret_access_key="s"), context=Context(http=transport)
    )
    buffer = bytearray(size)
    await op.reader("a")  # what the first use makes
    tracemalloc.start()
    try:
        async with op.reader("a") as reader:
            if verb == "readinto":
                assert await reader.readinto(buffer) == size
            else:
                assert len(await (op.read("a") if verb == "read" else reader.read())) == size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MIB + (0 if verb == "readinto" else size)


@pytest.mark.parametrize("is_view_first", [False, True])
def test_a_buffer_in_a_cycle_with_its_view_is_collected_in_silence(
    monkeypatch: pytest.MonkeyPatch, is_view_first: bool
) -> None:
    """As where an error is collected whose traceback refers to both. Python 3.13 reports a file that cannot close."""
    reports: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", reports.append)
    buffer = FinalBuffer(10)
    cycle: list[object] = [buffer, buffer.view()[:5]]
    cycle = [cycle[::-1] if is_view_first else cycle]
    cycle.append(cycle)
    del buffer, cycle
    gc.collect()
    assert not reports


def test_a_buffer_is_used_in_the_same_way_where_a_python_needs_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    for can_crash in (False, True):
        monkeypatch.setattr("entrepot.raw.oio.read.final_buffer._CAN_CRASH", can_crash)
        buffer = FinalBuffer(3)
        with buffer.view() as view:
            view[:] = b"abc"
            kept = view[:2]  # as the traceback of an error does
        buffer.append(b"de")
        kept[:] = b"xy"
        assert (buffer.taken(), buffer.taken(4)) == (b"abcde", b"abcd")
