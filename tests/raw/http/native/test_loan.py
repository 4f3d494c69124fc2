"""Sockets that are lent to threads, over connections of the system whose other end is in the test."""

import asyncio
import os
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from unittest.mock import patch

import pytest

from entrepot.errors import ContentIncomplete, Error, Timeout
from entrepot.raw.http.configured import Limits, Timeouts
from entrepot.raw.http.native import connection, loan
from entrepot.raw.http.native.body import NativeBody
from entrepot.raw.http.native.connection import Connection
from entrepot.raw.http.native.loan import Lender, Loan
from entrepot.raw.http.native.pool import Pool
from entrepot.raw.http.native.stream import ResponseStream
from entrepot.raw.http.origin import Origin
from entrepot.raw.http.origins import Origins
from entrepot.raw.http.tls import Tls, TlsFiles

CONTENT: Final = random.Random(1).randbytes(4 * 1024 * 1024)
FULL: Final = 16 * 1024
LEAST: Final = 64 * 1024
WITH_LENGTH: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT)
WITHOUT: Final = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@pytest.fixture(autouse=True)
def small_loans() -> Iterator[None]:
    """A short receive is worth a loan, on any number of cores."""
    with (
        patch.object(connection, "FULL", FULL),
        patch.object(connection, "LEAST", LEAST),
        patch.object(loan, "most", lambda: 2),
    ):
        yield


class Response:
    """A response that arrives on a connection of the system, into a buffer, from `peer`."""

    def __init__(self, pool: Pool, made: Connection, peer: socket.socket) -> None:
        self.pool, self.made, self.peer = pool, made, peer
        self.stream = ResponseStream("GET", pool.loop)
        self.memory = bytearray(len(CONTENT))

    async def start(self, head: bytes, idle_timeout: float | None = None) -> None:
        """Sends the head of the response, and has a task wait with the buffer for its content."""
        self.pool._slots.in_use += 1
        self.pool._sweep.include(idle_timeout)
        self.stream.request_sent()
        self.made.start(self.stream, b"GET / HTTP/1.1\r\n\r\n", content=0, idle_timeout=idle_timeout)
        self.peer.recv(1024)  # a socket that is closed with bytes to read resets its connection
        self.peer.sendall(head)
        while self.stream.head is None:
            await self.stream.news()
        self.body = NativeBody(self.stream, note_use=self.pool.note_use, settle=self.pool.settle)
        self.waiting = asyncio.ensure_future(self.body.readinto(memoryview(self.memory)))
        await asyncio.sleep(0)

    async def lend(self, size: int) -> Loan:
        """Sends content until the socket is lent, and then up to the size. Returns the loan when all of that came."""
        sent = 0
        while self.made._loan is None:
            self.peer.sendall(CONTENT[sent : sent + FULL])
            sent += FULL
            assert sent <= size - FULL, "the socket is never lent"
            await asyncio.sleep(0.001)
        lent = self.made._loan
        self.peer.sendall(CONTENT[sent:size])
        while self.stream.filled + lent._received < size:
            assert self.made._loan is lent
            await asyncio.sleep(0)
        return lent

    async def fill(self) -> None:
        """Reads until the buffer is full."""
        filled = await self.waiting
        while filled < len(CONTENT):
            filled += await self.body.readinto(memoryview(self.memory)[filled:])

    async def rest(self) -> bytes:
        """What the body still has, and its end."""
        pieces = []
        while piece := await self.body.read(1 << 20):
            pieces.append(piece)
        return b"".join(pieces)


@pytest.fixture
async def response() -> AsyncIterator[Response]:
    loop = asyncio.get_running_loop()
    limits = Limits(1, None, 15.0, None)
    pool = Pool(Tls(TlsFiles()), Timeouts(None, None), limits, Origins(lambda text, _: Origin(text, None)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        peer = server.accept()[0]
    for end in (ours, peer):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ours.setblocking(False)
    with peer:
        _, made = await loop.create_connection(lambda: Connection(pool, "origin"), sock=ours)
        pool._slots.in_use += 1  # by another request
        yield Response(pool, made, peer)
        await pool.close()


@pytest.fixture
def patient() -> Iterator[None]:
    """Threads that are in no hurry to give a socket back, and are waited for when their loan is ended."""
    with patch.object(loan, "_PATIENCE", 200), patch.object(loan, "_LONGEST", 60.0):
        yield


async def test_a_thread_receives_into_the_buffer_of_a_reader_that_waits(response: Response) -> None:
    await response.start(WITH_LENGTH)
    with patch.object(Loan, "receive", autospec=True, side_effect=Loan.receive) as receive:
        sending = response.pool.loop.run_in_executor(None, response.peer.sendall, CONTENT)
        await response.fill()
        await sending
    assert receive.called
    assert response.memory == CONTENT
    assert response.body.is_at_end
    assert not response.made.has_stream
    assert response.made.is_usable()


@pytest.mark.usefixtures("patient")
async def test_a_loan_ends_with_a_full_buffer_and_nothing_refers_to_that(response: Response) -> None:
    await response.start(WITH_LENGTH)
    await response.lend(len(CONTENT) // 2)
    response.peer.sendall(CONTENT[len(CONTENT) // 2 :])
    assert await response.waiting == len(CONTENT)
    assert response.memory == CONTENT
    del response.waiting
    response.memory.append(0)  # raises BufferError while a view of it exists


@pytest.mark.usefixtures("patient")
async def test_nothing_writes_to_the_buffer_after_the_wait_is_cancelled_and_no_byte_is_lost(response: Response) -> None:
    half = len(CONTENT) // 2
    await response.start(WITH_LENGTH)
    await response.lend(half)
    response.waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await response.waiting
    seen = bytes(response.memory)
    sending = response.pool.loop.run_in_executor(None, response.peer.sendall, CONTENT[half:])
    assert await response.rest() == CONTENT
    await sending
    assert response.memory == seen


@pytest.mark.usefixtures("patient")
async def test_a_body_that_is_closed_ends_the_loan_and_the_connection(response: Response) -> None:
    await response.start(WITH_LENGTH)
    lent = await response.lend(len(CONTENT) // 2)
    await response.body.close()
    assert lent._socket.fileno() < 0
    filled = await response.waiting  # what the event loop had received before
    assert response.memory[:filled] == CONTENT[:filled]
    with pytest.raises(Error):
        await response.body.read(1)


@pytest.mark.usefixtures("patient")
async def test_an_interrupt_while_a_loan_is_ended_passes_over_no_byte(response: Response) -> None:
    half = len(CONTENT) // 2
    await response.start(WITH_LENGTH)
    lent = await response.lend(half)
    with patch.object(Loan, "end", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        response.made.receive_into_scratch()
    lent.end()
    filled = await response.waiting  # what the event loop had received before
    assert response.memory[:filled] == CONTENT[:filled]
    with pytest.raises(Error):
        await response.body.read(1)


@pytest.mark.usefixtures("patient")
async def test_a_thread_that_waits_in_vain_gives_the_socket_back_and_a_silent_server_times_out(
    response: Response,
) -> None:
    await response.start(WITH_LENGTH, idle_timeout=0.05)
    await response.lend(len(CONTENT) // 2)
    assert await response.waiting == len(CONTENT) // 2
    assert response.made._loan is None
    with pytest.raises(Timeout):
        await response.body.read(1)


@pytest.mark.usefixtures("patient")
async def test_a_reader_sees_progress_however_slowly_content_keeps_arriving(response: Response) -> None:
    half = len(CONTENT) // 2
    await response.start(WITH_LENGTH)
    with patch.object(loan, "_LONGEST", 1.0):
        await response.lend(half)
    for sent in range(half, half + 2000):
        response.peer.sendall(CONTENT[sent : sent + 1])
        await asyncio.sleep(0.001)
        if response.waiting.done():
            break
    filled = await asyncio.wait_for(response.waiting, 0)
    assert half < filled <= sent + 1
    assert response.memory[:filled] == CONTENT[:filled]


@pytest.mark.usefixtures("patient")
async def test_an_error_of_the_thread_itself_ends_the_connection_and_loses_nothing(response: Response) -> None:
    half = len(CONTENT) // 2
    await response.start(WITH_LENGTH)
    await response.lend(half)
    with patch.object(Loan, "_receive_piece", side_effect=MemoryError):
        response.peer.sendall(CONTENT[half:])
        assert await response.waiting == half
    with pytest.raises(ContentIncomplete):
        await response.rest()
    assert response.memory[:half] == CONTENT[:half]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("is_reset", [False, True])
async def test_only_an_orderly_end_is_the_end_of_content_that_has_no_other(
    response: Response, *, is_reset: bool
) -> None:
    half = len(CONTENT) // 2
    await response.start(WITHOUT)
    await response.lend(half)
    if is_reset:
        response.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    response.peer.close()
    assert await response.waiting == half
    if is_reset:
        with pytest.raises(Error):
            await response.rest()
    else:
        assert await response.rest() == b""
    assert response.memory[:half] == CONTENT[:half]


@pytest.mark.usefixtures("patient")
async def test_content_that_ends_while_the_socket_is_lent_is_incomplete(response: Response) -> None:
    await response.start(WITH_LENGTH)
    await response.lend(len(CONTENT) // 2)
    response.peer.close()
    assert await response.waiting == len(CONTENT) // 2
    with pytest.raises(ContentIncomplete):
        await response.rest()


@pytest.mark.parametrize("missing", ["thread", "descriptor"])
async def test_where_nothing_can_be_lent_the_event_loop_receives(response: Response, missing: str) -> None:
    await response.start(WITH_LENGTH)
    without = (
        patch.object(ThreadPoolExecutor, "submit", side_effect=RuntimeError("can't start new thread"))
        if missing == "thread"
        else patch.object(socket.socket, "dup", side_effect=OSError(24, "Too many open files"))
    )
    loop = response.pool.loop
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(response.peer.sendall, CONTENT)
        with without as refused:
            await response.fill()
        await asyncio.wrap_future(sending, loop=loop)
    if missing == "thread":
        assert refused.call_count == 1
        assert not response.pool.lender.can_lend
    assert response.memory == CONTENT


async def test_the_event_loop_receives_a_response_that_is_the_only_one(response: Response) -> None:
    response.pool._slots.in_use -= 1
    await response.start(WITH_LENGTH)
    with patch.object(Lender, "lend") as lend:
        sending = response.pool.loop.run_in_executor(None, response.peer.sendall, CONTENT)
        await response.fill()
        await sending
    assert not lend.called
    assert response.memory == CONTENT


def test_a_loan_that_ends_before_its_thread_starts_is_not_made() -> None:
    ours, peer = socket.socketpair()
    with ours, peer:
        peer.sendall(b"content")
        memory = bytearray(7)
        lent = Loan(ours, memoryview(memory))
        assert lent.end() == 0
        lent.receive()
        assert memory == bytes(7)
        assert ours.recv(7) == b"content"


def test_a_thread_that_outlives_its_loop_ends_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    loop, is_closed = asyncio.new_event_loop(), threading.Event()
    lender = Lender(loop)
    ours, peer = socket.socketpair()
    with ours, peer, patch.object(Loan, "receive", lambda _: is_closed.wait()):
        lent = lender.lend(ours, memoryview(bytearray(1)), lambda _: None)
        assert lent is not None
        lent.end()
        lender.close()
        loop.close()
        is_closed.set()
        assert lender._threads is not None
        lender._threads.shutdown()
    assert not caplog.records


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_the_thread_of_its_parent() -> None:
    ours, peer = socket.socketpair()
    long = patch.multiple(loan, _PATIENCE=10_000, _LONGEST=60.0)
    with ours, peer, long, ThreadPoolExecutor(1) as threads:
        memory = bytearray(2)
        lent = Loan(ours, memoryview(memory))
        receiving = threads.submit(lent.receive)
        while not lent._lock.locked():
            time.sleep(0.001)
        child = os.fork()
        if not child:
            signal.alarm(5)  # ends a child that waits
            lent.end()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        peer.sendall(b"ab")
        receiving.result()
        assert lent.end() == 2
        assert memory == b"ab"
