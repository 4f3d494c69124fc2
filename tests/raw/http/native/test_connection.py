"""A connection in each of its states, given bytes by hand in any order."""

import asyncio
from typing import Any

import pytest

from entrepot.errors import ContentIncomplete, Error, InvalidInput, Timeout
from entrepot.raw.http import HttpBody
from entrepot.raw.http.configured import Limits, Timeouts
from entrepot.raw.http.native.body import NativeBody
from entrepot.raw.http.native.breaks import LOST
from entrepot.raw.http.native.connection import BUFFER, LONG, SCRATCH, Connection
from entrepot.raw.http.native.flow import FULL, Flow, is_worthwhile
from entrepot.raw.http.native.outbox import PATIENCE, Outbox
from entrepot.raw.http.native.pool import Pool
from entrepot.raw.http.native.stream import ResponseStream
from entrepot.raw.http.origin import Origin
from entrepot.raw.http.origins import Origins
from entrepot.raw.http.tls import Tls, TlsFiles

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class Wire:
    """The transport of a connection, as the event loop makes it."""

    def __init__(self) -> None:
        self.sent = b""
        self.error: BaseException | None = None
        self.is_aborted = self.is_closed = self.is_paused = False
        self.protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, _name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_aborted or self.is_closed

    def write(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.sent += data

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        assert not self.is_closed  # the TLS of the event loop cannot be aborted after that on Python 3.11.2
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True


class Exchange:
    """A connection of a pool, and an exchange on it."""

    def __init__(self, *, idle_timeout: float | None = None, outbox: Outbox | None = None) -> None:
        limits = Limits(1, None, 15.0, None)
        self.pool = Pool(Tls(TlsFiles()), Timeouts(None, None), limits, Origins(lambda text, _: Origin(text, None)))
        self.connection, self.wire = Connection(self.pool, "origin"), Wire()
        wire: Any = self.wire
        self.connection.connection_made(wire)
        self.idle_timeout = idle_timeout
        self.start(outbox)

    def start(self, outbox: Outbox | None = None) -> None:
        """Starts an exchange, as a pool does."""
        self.pool._slots.in_use += 1
        self.stream = ResponseStream("GET", asyncio.get_running_loop())
        self.stream.request_sent()
        self.connection.start(self.stream, b"head", content=0, idle_timeout=self.idle_timeout, outbox=outbox)

    def receive(self, data: bytes) -> None:
        """Receives bytes as an event loop does: as often as needed, into the buffer that it is given, if any."""
        while data:
            if isinstance(self.wire.protocol, Flow):
                self.wire.protocol.data_received(data[:FULL])
                data = data[FULL:]
                continue
            buffer = self.connection.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self.connection.buffer_updated(size)
            data = data[size:]

    @property
    def body(self) -> HttpBody:
        return NativeBody(self.stream, note_use=self.pool.note_use, settle=self.pool.settle)

    @property
    def is_kept(self) -> bool:
        return self.connection in self.pool._kept.get("origin", [])


async def soon(body: HttpBody, size: int) -> "asyncio.Task[int]":
    """A task that waits for content in a buffer of that size."""
    task = asyncio.ensure_future(body.readinto(memoryview(bytearray(size))))
    await asyncio.sleep(0)
    return task


async def test_content_in_several_receives_before_the_request_is_resumed_is_whole() -> None:
    exchange = Exchange()
    for data in (HEAD % 9 + b"abc", b"def", b"ghi"):
        exchange.receive(data)
    assert exchange.is_kept
    assert exchange.stream.connection is None
    assert exchange.stream.whole_content() == b"abcdefghi"


@pytest.mark.parametrize("length", [3, LONG - 1, LONG, 3 * LONG])
async def test_content_that_is_read_late_is_not_that_of_the_next_response(length: int) -> None:
    exchange, one, two = Exchange(), b"1" * length, b"2" * length
    exchange.receive(HEAD % length + one)
    first = exchange.body
    exchange.start()
    exchange.receive(HEAD % length + two)
    assert (await exchange.body.read(length + 1), await first.read(length + 1)) == (two, one)


@pytest.mark.parametrize("late", [b"x", HEAD % 0])
async def test_bytes_on_an_idle_connection_end_it(late: bytes) -> None:
    exchange = Exchange()
    exchange.receive(HEAD % 3 + b"one")
    assert exchange.is_kept
    exchange.receive(late)
    assert exchange.wire.is_aborted
    assert await exchange.body.read(9) == b"one"


async def test_bytes_past_the_end_are_dropped_with_the_connection() -> None:
    exchange = Exchange()
    exchange.receive(HEAD % 3 + b"one" + HEAD % 3 + b"two")
    assert exchange.wire.is_closed
    assert not exchange.is_kept
    assert exchange.stream.whole_content() == b"one"


async def test_content_is_received_into_the_buffer_of_a_reader_that_waits() -> None:
    exchange, buffer = Exchange(), memoryview(bytearray(8))
    exchange.receive(HEAD % 6 + b"a")
    body = exchange.body
    assert await body.readinto(buffer) == 1
    waiting = asyncio.ensure_future(body.readinto(buffer))
    await asyncio.sleep(0)
    target = exchange.connection.get_buffer(-1)
    assert (target.obj, len(target)) == (buffer.obj, 5)
    exchange.receive(b"bcd")
    exchange.receive(b"ef")  # before the reader is resumed
    assert exchange.connection.get_buffer(-1).obj is not buffer.obj
    assert (await waiting, bytes(buffer[:5])) == (5, b"bcdef")
    assert await body.readinto(buffer) == 0
    assert exchange.is_kept


async def test_nothing_writes_to_a_buffer_after_its_wait_is_cancelled_and_no_byte_is_lost() -> None:
    exchange = Exchange()
    exchange.receive(HEAD % 6 + b"a")
    body = exchange.body
    assert await body.read(1) == b"a"
    waiting = await soon(body, 4)
    exchange.receive(b"bc")
    waiting.cancel()
    await asyncio.wait([waiting])
    assert len(exchange.connection.get_buffer(-1)) == SCRATCH
    exchange.receive(b"def")
    assert waiting.cancelled()
    assert [await body.read(9), await body.read(9)] == [b"bc", b"def"]


async def test_chunks_are_received_into_the_buffer_and_their_lines_are_not() -> None:
    exchange, buffer = Exchange(), memoryview(bytearray(1 << 20))
    exchange.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50000\r\na")
    body = exchange.body
    assert await body.readinto(buffer) == 1
    waiting = asyncio.ensure_future(body.readinto(buffer))
    await asyncio.sleep(0)
    size = len(exchange.connection.get_buffer(-1))
    assert size == 0x50000 - 1
    exchange.receive(b"b" * size + b"\r\n2\r\nfg\r\n0\r\n\r\n")
    assert (await waiting, bytes(buffer[:size])) == (size, b"b" * size)
    assert await body.readinto(buffer) == 2
    assert await body.readinto(buffer) == 0
    assert exchange.is_kept


async def test_a_body_has_one_reader_at_a_time() -> None:
    exchange = Exchange()
    exchange.receive(HEAD % 6 + b"a")
    body = exchange.body
    await body.read(1)
    first = await soon(body, 4)
    with pytest.raises(InvalidInput, match="one task at a time"):
        await body.read(1)
    exchange.receive(b"bcdef")
    assert await first == 4


async def test_receiving_pauses_while_nobody_reads_and_the_server_owes_nothing_then() -> None:
    exchange = Exchange(idle_timeout=1.0)
    size = 2 * BUFFER + SCRATCH
    exchange.receive(HEAD % (size + 1) + bytes(size))
    assert exchange.wire.is_paused
    for now in range(10):
        exchange.connection.check(float(now))
    body, read = exchange.body, 0
    while exchange.wire.is_paused:
        read += len(await body.read(1 << 20))
    assert size - read <= BUFFER
    exchange.connection.check(20.0)
    exchange.connection.check(20.9)
    assert exchange.stream.failure is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "has_news", lambda _: True)
        exchange.connection.check(21.1)  # the loop was late: bytes may have arrived
        assert exchange.stream.failure is None
        patch.setattr(Connection, "has_news", lambda _: False)
        exchange.connection.check(21.2)
    assert exchange.wire.is_aborted
    while exchange.stream.held:
        await body.read(1 << 20)
    with pytest.raises(Timeout, match="sent nothing"):
        await body.read(1)


async def flowing(length: int) -> tuple[Exchange, HttpBody]:
    """An exchange whose content of that length flows since its first receive, which was read, and its body."""
    if not is_worthwhile(asyncio.get_running_loop()):
        pytest.skip("content flows only on the loops of asyncio")
    exchange = Exchange()
    exchange.receive(HEAD % length)
    exchange.receive(bytes(SCRATCH))
    assert isinstance(exchange.wire.protocol, Flow)
    body = exchange.body
    assert await body.read(SCRATCH) == bytes(SCRATCH)
    return exchange, body


async def test_content_flows_where_the_loop_receives_without_a_copy() -> None:
    exchange = Exchange()
    exchange.receive(HEAD % (4 * SCRATCH))
    exchange.receive(bytes(SCRATCH))
    assert isinstance(exchange.wire.protocol, Flow) is is_worthwhile(asyncio.get_running_loop())


async def test_content_that_flows_is_not_copied() -> None:
    (exchange, body), piece = await flowing(4 * SCRATCH), bytes(FULL)
    exchange.receive(piece)
    assert await body.read(SCRATCH) is piece


async def test_a_short_receive_ends_the_flow_and_the_next_full_one_starts_it_again() -> None:
    exchange, _body = await flowing(4 * SCRATCH)
    exchange.receive(b"1" * (LONG - 1))
    assert exchange.wire.protocol is exchange.connection
    exchange.receive(b"2" * FULL)
    assert isinstance(exchange.wire.protocol, Flow)
    exchange.receive(b"3" * FULL)
    assert exchange.stream.whole_content() == b"1" * (LONG - 1) + b"2" * FULL + b"3" * FULL


async def test_content_for_the_buffer_of_a_reader_does_not_flow() -> None:
    exchange, body = await flowing(4 * SCRATCH)
    waiting = await soon(body, 8)
    assert exchange.wire.protocol is exchange.connection
    exchange.receive(b"12345678")
    assert await waiting == 8


@pytest.mark.parametrize("late", [b"", b"x"])
async def test_the_end_of_the_response_ends_the_flow(late: bytes) -> None:
    exchange, _body = await flowing(SCRATCH + FULL)
    exchange.receive(bytes(FULL))
    assert exchange.wire.protocol is exchange.connection
    assert exchange.is_kept
    exchange.receive(late)
    assert exchange.wire.is_aborted == bool(late)


async def test_content_that_flows_is_waited_for_while_the_reader_is_behind() -> None:
    exchange, body = await flowing(8 * SCRATCH)
    exchange.receive(bytes(2 * BUFFER + FULL))
    assert exchange.wire.is_paused
    await body.read(SCRATCH)
    await body.read(SCRATCH)
    assert not exchange.wire.is_paused


async def test_a_connection_that_breaks_while_content_flows_breaks_the_content() -> None:
    exchange, body = await flowing(4 * SCRATCH)
    flow = exchange.wire.protocol
    assert isinstance(flow, Flow)
    flow.eof_received()
    flow.connection_lost(None)
    with pytest.raises(ContentIncomplete):
        await body.read(1)
    assert exchange.pool._slots.in_use == 0


async def test_content_of_unknown_length_does_not_flow() -> None:
    exchange = Exchange()
    exchange.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    exchange.receive(b"400\r\n" + bytes(1024) + b"\r\n" + (b"10000\r\n" + bytes(65536) + b"\r\n") * 7)
    assert exchange.wire.protocol is None


@pytest.mark.parametrize("end", [None, ConnectionResetError(104, "Connection reset by peer")])
@pytest.mark.parametrize(
    ("head", "kinds"), [(HEAD % 6, (ContentIncomplete,) * 2), (b"HTTP/1.1 200 OK\r\n\r\n", (None, ContentIncomplete))]
)
async def test_the_end_of_the_connection_ends_the_content(
    head: bytes, end: Exception | None, kinds: tuple[type[Error] | None, ...]
) -> None:
    exchange = Exchange()
    exchange.receive(head + b"abc")
    body, kind = exchange.body, kinds[end is not None]
    exchange.connection.connection_lost(end)
    assert await body.read(9) == b"abc"
    if kind is None:
        assert await body.read(9) == b""
    else:
        with pytest.raises(kind):
            await body.read(9)
    assert exchange.pool._slots.in_use == 0
    assert exchange.connection not in exchange.pool._made


async def test_kept_connections_are_closed_in_time() -> None:
    exchange = Exchange(idle_timeout=1.0)
    pool, sweep = exchange.pool, exchange.pool._sweep
    exchange.receive(HEAD % 3 + b"one")
    assert sweep.period == 15.0  # of the kept connection
    assert pool._check(0.0) == 15.0
    assert pool._check(13.0) == 15.0
    assert pool._check(13.6) == float("inf")
    assert exchange.wire.is_closed
    sweep.stop()


async def test_the_timer_lasts_while_a_connection_is_in_use_since_it_may_be_kept_after() -> None:
    exchange = Exchange()
    pool, sweep = exchange.pool, exchange.pool._sweep
    assert sweep.period == pool._check(0.0) == 15.0
    exchange.connection.give_up(exchange.stream)
    assert pool._check(1.0) == float("inf")
    sweep.stop()


@pytest.mark.parametrize("late", [b"", HEAD % 0])
async def test_bytes_that_tls_held_while_receiving_was_paused_are_seen_before_the_connection_is_kept(
    late: bytes,
) -> None:
    exchange = Exchange()
    size = 2 * BUFFER + SCRATCH
    exchange.receive(HEAD % (size + 1) + bytes(size))
    assert exchange.wire.is_paused
    exchange.receive(b"x")
    assert not exchange.wire.is_paused
    assert not exchange.is_kept
    exchange.receive(late)
    await asyncio.sleep(0)
    assert exchange.is_kept == (not late)
    assert exchange.stream.connection is None
    assert len(exchange.stream.whole_content()) == size + 1


@pytest.mark.parametrize("late", [b"", HEAD % 0])
async def test_bytes_that_the_tls_of_the_loop_held_behind_a_full_buffer_are_seen_before_the_connection_is_kept(
    late: bytes,
) -> None:
    exchange = Exchange()
    exchange.connection._has_tls_of_loop = True
    head = HEAD % (SCRATCH - len(HEAD) - 4)
    content = bytes(SCRATCH - len(head))
    exchange.receive(head + content)
    assert exchange.stream.has_ended
    assert not exchange.is_kept
    exchange.receive(late)
    await asyncio.sleep(0)
    assert exchange.is_kept == (not late)
    assert exchange.stream.whole_content() == content


async def test_a_body_of_another_loop_is_refused() -> None:
    exchange = Exchange()
    exchange.receive(HEAD % 6 + b"a")
    body = exchange.body

    async def use() -> None:
        with pytest.raises(InvalidInput, match="another event loop"):
            await body.read(1)
        with pytest.raises(InvalidInput, match="another event loop"):
            await body.readinto(memoryview(bytearray(1)))
        await body.close()

    await asyncio.to_thread(asyncio.run, use())
    assert await body.read(1) == b"a"
    await asyncio.sleep(0)
    assert exchange.wire.is_aborted  # closed from the other loop


# Requests that are sent together.


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    clock = Clock()
    monkeypatch.setattr("entrepot.raw.http.native.outbox.monotonic", lambda: clock.now)
    return clock


class Clock:
    """The time of an outbox, in which a request has just been made."""

    now = 0.0


def sent(exchanges: list[Exchange]) -> int:
    """How many requests were sent, none of them twice."""
    assert {exchange.wire.sent for exchange in exchanges} <= {b"", b"head"}
    return sum(exchange.wire.sent == b"head" for exchange in exchanges)


async def test_requests_of_one_turn_are_sent_at_its_end(clock: Clock) -> None:
    outbox = Outbox(asyncio.get_running_loop())
    exchanges = [Exchange(outbox=outbox) for _ in range(3)]
    assert sent(exchanges) == 0
    await asyncio.sleep(0)
    assert sent(exchanges) == 3
    await asyncio.sleep(0)
    assert sent(exchanges) == 3


async def test_none_waits_for_longer_than_the_limit_while_others_come(clock: Clock) -> None:
    outbox, exchanges = Outbox(asyncio.get_running_loop()), list[Exchange]()
    for number_sent in (0, 0, 3, 3, 3, 6):
        exchanges.append(Exchange(outbox=outbox))
        assert sent(exchanges) == number_sent
        clock.now += 0.6 * PATIENCE
    exchanges.append(Exchange(outbox=outbox))
    await asyncio.sleep(0)
    assert sent(exchanges) == 7


async def test_requests_that_are_made_rarely_do_not_wait(clock: Clock) -> None:
    outbox, exchanges = Outbox(asyncio.get_running_loop()), list[Exchange]()
    for number_sent in (1, 2, 3):
        clock.now += 1.1 * PATIENCE
        exchanges.append(Exchange(outbox=outbox))
        assert sent(exchanges) == number_sent


async def test_one_that_waits_is_sent_with_the_next_however_late_that_comes(clock: Clock) -> None:
    outbox = Outbox(asyncio.get_running_loop())
    exchanges = [Exchange(outbox=outbox)]
    assert sent(exchanges) == 0
    clock.now += 30
    exchanges.append(Exchange(outbox=outbox))
    assert sent(exchanges) == 2


async def test_a_request_that_ends_before_it_is_sent_is_not_sent(clock: Clock) -> None:
    exchange = Exchange(outbox=Outbox(asyncio.get_running_loop()))
    exchange.connection.give_up(exchange.stream)
    await asyncio.sleep(0)
    assert exchange.wire.sent == b""
    assert exchange.wire.is_aborted


async def test_a_request_whose_connection_ends_before_it_is_sent_was_not_sent(clock: Clock) -> None:
    exchange = Exchange(outbox=Outbox(asyncio.get_running_loop()))
    exchange.wire.close()
    await asyncio.sleep(0)
    exchange.connection.connection_lost(None)
    assert exchange.wire.sent == b""
    assert exchange.stream.failure is LOST


async def test_a_kept_connection_that_is_closing_is_not_closed_again(clock: Clock) -> None:
    exchange = Exchange()
    exchange.receive(HEAD % 3 + b"one")
    assert exchange.is_kept
    exchange.wire.close()
    assert exchange.pool._take("origin") is None
    exchange.connection.break_off(LOST)
    assert exchange.wire.is_aborted


async def test_bytes_that_come_before_a_request_is_sent_are_no_response_to_it(clock: Clock) -> None:
    """The server may have sent them late, behind the response before."""
    exchange = Exchange()
    exchange.receive(HEAD % 3 + b"one")
    exchange.start(Outbox(asyncio.get_running_loop()))
    exchange.receive(HEAD % 3 + b"two")
    assert exchange.stream.head is None
    assert exchange.stream.failure is LOST
    assert exchange.wire.is_aborted
    await asyncio.sleep(0)
    assert exchange.wire.sent == b"head"  # of the first


async def test_what_a_new_server_says_first_is_what_it_responds(clock: Clock) -> None:
    exchange = Exchange(outbox=Outbox(asyncio.get_running_loop()))
    exchange.receive(b"SSH-2.0-OpenSSH_9.6\r\n")
    assert exchange.wire.sent == b"head"
    assert exchange.stream.failure is not None
    with pytest.raises(Error, match="HTTP"):
        raise exchange.stream.failure.error()


async def test_a_new_connection_whose_server_speaks_first_gets_no_other_request(clock: Clock) -> None:
    """The response to the request may still follow, and would be taken for the response to the next one."""
    exchange = Exchange(outbox=Outbox(asyncio.get_running_loop()))
    exchange.receive(HEAD % 5 + b"early")
    assert exchange.stream.whole_content() == b"early"
    assert exchange.wire.is_closed


async def test_a_request_that_cannot_be_sent_keeps_no_others_from_being_sent(clock: Clock) -> None:
    outbox = Outbox(asyncio.get_running_loop())
    first, second, third = (Exchange(outbox=outbox) for _ in range(3))
    second.wire.error = RuntimeError("the handler is closed")  # as uvloop does
    await asyncio.sleep(0)
    assert (first.wire.sent, third.wire.sent) == (b"head", b"head")
    assert second.stream.failure is not None
    assert second.stream.failure.is_loss
    assert second.wire.is_aborted


async def test_an_interrupt_while_requests_are_sent_loses_none(clock: Clock) -> None:
    outbox = Outbox(asyncio.get_running_loop())
    first, second, third = (Exchange(outbox=outbox) for _ in range(3))
    second.wire.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        outbox._send()
    fourth = Exchange(outbox=outbox)
    await asyncio.sleep(0)
    assert [exchange.wire.sent for exchange in (first, third, fourth)] == [b"head"] * 3
    assert second.stream.failure is not None
    assert second.wire.is_aborted
