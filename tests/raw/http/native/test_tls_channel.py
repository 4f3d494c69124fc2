"""TLS on the descriptor of the socket: what a protocol gets in which order, and what the other side sees."""

import asyncio
import os
import select
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
import uvloop

from entrepot.errors import ConfigInvalid, ContentIncomplete, Timeout
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.blocking import BlockingTransport
from entrepot.raw.http.native import NativeTransport
from entrepot.raw.http.native import dialer as dialing
from entrepot.raw.http.native.tls_channel import TlsChannel, is_possible
from entrepot.raw.runtime import inline
from entrepot.testing.scripted_server import RESET, Answer, ReceivedRequest, ScriptedServer, Take, whole_response
from tests.reliability.helpers import until
from tests.sockets import stream_sockets

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
RECORD = 16 * 1024
LARGE = bytes(range(256)) * 12_000


class Recorder:
    """A protocol that records what it is given.

    Arguments:
        size: the size of its buffer.
        pauses: whether it pauses receiving after each piece.
        error: what it raises when it is given bytes.
    """

    def __init__(self, size: int = 1 << 20, *, pauses: bool = False, error: Exception | None = None) -> None:
        self._buffer = memoryview(bytearray(size))
        self._pauses = pauses
        self._error = error
        self.received, self.events = b"", list[object]()
        self.lost = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.channel = transport

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._error is not None:
            raise self._error
        self.received += self._buffer[:nbytes]
        if self._pauses:
            self.channel.pause_reading()

    def eof_received(self) -> None:
        self.events.append("end")

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(exc)
        self.lost.set()


class Channels:
    """Channels to a peer in this process, whose side blocks."""

    def __init__(self, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
        self._server_tls = server_tls
        self._client_tls = client_tls

    @asynccontextmanager
    async def open(
        self, recorder: Recorder, sockets: Callable[[], tuple[socket.socket, socket.socket]] = socket.socketpair
    ) -> AsyncIterator[tuple[TlsChannel, ssl.SSLSocket]]:
        ours, theirs = sockets()
        ours.setblocking(False)
        theirs.settimeout(10)
        channel = TlsChannel(asyncio.get_running_loop(), ours, self._client_tls, "localhost")
        peer = self._server_tls.wrap_socket(
            theirs, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        await asyncio.gather(asyncio.to_thread(peer.do_handshake), channel.shake_hands())
        channel.start(recorder)
        with peer:
            yield channel, peer
            channel.abort()
            await recorder.lost.wait()


@pytest.fixture
def channels(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> Channels:
    return Channels(server_tls, client_tls)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        return ours, server.accept()[0]


class Scripted:
    """In the place of an `ssl.SSLSocket`: each call takes the next step, which it returns or raises."""

    def __init__(self, tls: ssl.SSLSocket, *steps: int | Exception) -> None:
        self._steps = iter(steps)
        self.close = tls.close

    def _step(self, *_: object) -> int:
        step = next(self._steps)
        if isinstance(step, Exception):
            raise step
        return step

    read = send = _step

    def pending(self) -> int:
        return 0


async def test_session_tickets_are_no_bytes(channels: Channels) -> None:
    recorder = Recorder()
    async with channels.open(recorder) as (channel, peer):
        assert peer.version() == "TLSv1.3"
        assert select.select([channel.get_extra_info("socket")], [], [], 10)[0]
        channel.receive()
        assert not select.select([channel.get_extra_info("socket")], [], [], 0)[0]
        assert (recorder.received, recorder.events, channel.is_closing()) == (b"", [], False)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_rest_of_a_record_follows_at_once_or_when_receiving_resumes(channels: Channels, loop: str) -> None:
    async def use(recorder: Recorder) -> None:
        async with channels.open(recorder) as (channel, peer):
            await asyncio.to_thread(peer.sendall, LARGE[:100])
            for size in range(10, 101, 10) if recorder._pauses else [100]:
                await until(lambda size=size: len(recorder.received) == size)
                await asyncio.sleep(0)
                assert recorder.received == LARGE[:size]
                channel.resume_reading()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        for pauses in (False, True):
            runner.run(use(Recorder(10, pauses=pauses)))


async def test_what_came_before_the_connection_broke_comes_first(channels: Channels) -> None:
    recorder, reset = Recorder(), ConnectionResetError(104, "Connection reset by peer")
    async with channels.open(recorder) as (channel, _):
        channel._tls = Scripted(channel._tls, RECORD, reset)  # type: ignore[assignment]
        channel.receive()
        assert (len(recorder.received), recorder.events) == (RECORD, [])
        await recorder.lost.wait()
    assert recorder.events == [reset]


async def test_a_fast_sender_leaves_the_loop_its_turn(channels: Channels) -> None:
    recorder = Recorder(1 << 20)
    async with channels.open(recorder) as (channel, _):
        channel._tls = Scripted(tls := channel._tls, *[RECORD] * 100)  # type: ignore[assignment]
        channel.receive()
        channel._tls = tls
        assert len(recorder.received) == 256 * 1024


@pytest.mark.parametrize("is_polite", [True, False])
async def test_the_peer_sees_how_it_ends(channels: Channels, is_polite: bool) -> None:
    recorder = Recorder()
    async with channels.open(recorder) as (channel, peer):
        channel.close() if is_polite else channel.abort()
        await recorder.lost.wait()
        assert recorder.events == [None]
        if is_polite:
            assert await asyncio.to_thread(peer.recv, 1) == b""
        else:
            with pytest.raises((ssl.SSLEOFError, ConnectionError)):
                await asyncio.to_thread(peer.recv, 1)


@pytest.mark.parametrize("is_polite", [True, False])
async def test_the_end_of_the_peer_is_orderly_with_and_without_a_notification(
    channels: Channels, is_polite: bool
) -> None:
    recorder = Recorder()
    async with channels.open(recorder) as (channel, peer):
        await asyncio.to_thread(peer.sendall, LARGE[: 3 * RECORD])
        if is_polite:
            peer.settimeout(0)
            with pytest.raises(ssl.SSLWantReadError):
                peer.unwrap()
        peer.shutdown(socket.SHUT_RDWR)
        await recorder.lost.wait()
        assert channel.is_closing()
    assert recorder.received == LARGE[: 3 * RECORD]
    assert recorder.events == ["end", None]


async def test_an_end_without_a_notification_is_orderly_over_the_network(channels: Channels) -> None:
    """OpenSSL sends an alert after it. The system of a peer that is gone answers with a reset."""
    recorder = Recorder()
    async with channels.open(recorder, tcp_pair) as (channel, peer):
        channel.receive()  # the session tickets
        peer.sendall(b"abc")
        peer.close()
        await asyncio.wait_for(recorder.lost.wait(), 10)
    assert (recorder.received, recorder.events) == (b"abc", ["end", None])


async def test_an_end_that_was_read_while_receiving_was_paused_is_seen_when_it_resumes(channels: Channels) -> None:
    recorder = Recorder(pauses=True)
    async with channels.open(recorder) as (channel, peer):
        channel.pause_reading()
        await asyncio.to_thread(peer.sendall, LARGE[:RECORD])
        peer.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            peer.unwrap()  # and the connection stays open
        channel.resume_reading()
        await until(lambda: recorder.received == LARGE[:RECORD])
        assert recorder.events == []
        channel.resume_reading()
        await recorder.lost.wait()
    assert recorder.events == ["end", None]


async def test_what_is_written_waits_until_the_peer_takes_it(channels: Channels) -> None:
    recorder = Recorder()
    async with channels.open(recorder) as (channel, peer):
        channel.write(LARGE)
        left = channel.get_write_buffer_size()
        assert 0 < left < len(LARGE)
        assert recorder.events == ["pause"]

        def take() -> bytes:
            taken = b""
            while len(taken) < len(LARGE):
                taken += peer.recv(1 << 20)
            return taken

        assert await asyncio.to_thread(take) == LARGE
        await until(lambda: recorder.events == ["pause", "resume"])
        assert channel.get_write_buffer_size() == 0


async def test_sending_may_wait_for_bytes_and_receiving_for_room(channels: Channels) -> None:
    recorder = Recorder()
    async with channels.open(recorder) as (channel, peer):
        tls = channel._tls
        channel._tls = Scripted(tls, ssl.SSLWantReadError())  # type: ignore[assignment]
        channel.write(b"abc")
        assert recorder.events == ["pause"]
        channel._tls = Scripted(tls, ssl.SSLWantWriteError())  # type: ignore[assignment]
        channel.receive()
        channel._tls = tls
        await until(lambda: recorder.events == ["pause", "resume"])
        assert await asyncio.to_thread(peer.recv, 9) == b"abc"
        await asyncio.to_thread(peer.sendall, b"def")
        await until(lambda: recorder.received == b"def")


async def test_receiving_that_waited_for_room_goes_on_though_no_bytes_arrive(channels: Channels) -> None:
    """In a new handshake the peer waits for what OpenSSL could not send."""
    recorder = Recorder()
    async with channels.open(recorder) as (channel, _):
        channel.receive()  # the session tickets
        tls = channel._tls
        channel._tls = Scripted(tls, ssl.SSLWantWriteError(), 3)  # type: ignore[assignment]
        channel.receive()
        assert not recorder.received
        await until(lambda: len(recorder.received) == 3)
        channel._tls = tls


async def test_what_follows_a_piece_that_is_not_sent_whole_waits(channels: Channels) -> None:
    recorder = Recorder()
    async with channels.open(recorder) as (channel, _):
        channel._tls = Scripted(tls := channel._tls, 10)  # type: ignore[assignment]
        channel.write(LARGE[:200_000])
        assert (channel.get_write_buffer_size(), recorder.events) == (199_990, ["pause"])
        channel._tls = tls


async def test_an_unforeseen_error_of_the_protocol_is_reported_and_ends_the_channel(channels: Channels) -> None:
    error, reports = RuntimeError("unforeseen"), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
    recorder = Recorder(error=error)
    async with channels.open(recorder) as (channel, peer):
        await asyncio.to_thread(peer.sendall, b"abc")
        await recorder.lost.wait()
        assert channel.is_closing()
    assert [report["exception"] for report in reports] == [error]
    assert recorder.events == [error]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
async def test_a_forked_child_closes_its_copy_and_the_parent_goes_on(channels: Channels) -> None:
    recorder = Recorder()
    async with channels.open(recorder) as (channel, peer):
        descriptor = channel.get_extra_info("socket").fileno()
        child = os.fork()
        if not child:
            os._exit(channel.is_closing() and not os.path.exists(f"/proc/self/fd/{descriptor}"))  # noqa: PTH110
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        await asyncio.to_thread(peer.sendall, b"abc")
        await until(lambda: recorder.received == b"abc")
        assert recorder.events == []


# Of a transport.


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as made:
        yield made


async def put(transport: NativeTransport, server: ScriptedServer, content: bytes) -> int:
    response = await transport.send(HttpRequest("PUT", f"{server.endpoint}/a", (), content))
    await response.body.close()
    return response.status


@pytest.mark.parametrize("is_ours", [True, False])
def test_content_arrives_whole_however_little_the_system_takes(
    runner: asyncio.Runner,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    is_ours: bool,
) -> None:
    connect = dialing.connected_socket

    async def connected(*arguments: Any) -> socket.socket:
        made = await connect(*arguments)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
        return made

    async def main() -> list[int]:
        transport = NativeTransport(idle_timeout=5, ssl_context=client_tls)
        statuses = [await put(transport, server, LARGE[:size]) for size in (100, 100_000, 300_000)]
        await transport.close()
        return statuses

    monkeypatch.setattr(dialing, "connected_socket", connected)
    monkeypatch.setattr(dialing, "is_possible", lambda *_: is_ours)
    with ScriptedServer(lambda _: [whole_response(b"stored")], server_tls) as server:
        assert runner.run(main()) == [200] * 3
        assert [request.content == LARGE[: len(request.content)] for request in server.requests] == [True] * 3
        assert [len(request.content) for request in server.requests] == [100, 100_000, 300_000]
        assert server.connections == 1


@pytest.mark.parametrize("size", [100, 200_000, len(LARGE)])
def test_a_refusal_is_not_lost_however_fast_the_connection_breaks(
    runner: asyncio.Runner, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, size: int
) -> None:
    """The first request of each connection takes the session tickets: the system may keep a response behind them."""

    async def main() -> list[int]:
        transport = NativeTransport(idle_timeout=5, ssl_context=client_tls)
        statuses = []
        for _ in range(10):
            await (await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))).body.close()
            statuses.append(await put(transport, server, LARGE[:size]))
        await transport.close()
        return statuses

    def script(request: ReceivedRequest) -> Answer:
        if request.head.startswith(b"GET"):
            return [whole_response(b"")]
        return [Take(100), whole_response(b"no", "Connection: close", status="403 Forbidden"), RESET]

    with ScriptedServer(script, server_tls, takes_content=False) as server:
        assert runner.run(main()) == [403] * 10


def test_a_reset_behind_content_is_seen_and_is_no_end_of_it(
    runner: asyncio.Runner, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def main() -> list[bytes]:
        transport = NativeTransport(idle_timeout=5, ssl_context=client_tls)
        contents = []
        for _ in range(10):
            await (await transport.send(HttpRequest("GET", f"{server.endpoint}/a"))).body.close()
            body = (await transport.send(HttpRequest("GET", f"{server.endpoint}/cut"))).body
            contents.append(await body.read(9))
            with pytest.raises(ContentIncomplete, match="the connection broke"):
                await body.read(9)
            await body.close()
        await transport.close()
        return contents

    def script(request: ReceivedRequest) -> Answer:
        return [b"HTTP/1.1 200 OK\r\n\r\nabc", RESET] if b"/cut" in request.head else [whole_response(b"")]

    with ScriptedServer(script, server_tls) as server:
        assert runner.run(main()) == [b"abc"] * 10


def test_a_broken_channel_that_is_paused_or_closed_leaves_the_loop_alone(
    runner: asyncio.Runner, channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        recorder, calls = Recorder(pauses=True), 0

        def receive(channel: TlsChannel) -> None:
            nonlocal calls
            calls += 1
            original(channel)

        async with channels.open(recorder) as (channel, peer):
            await asyncio.to_thread(peer.sendall, LARGE[:100])
            peer.shutdown(socket.SHUT_RDWR)
            await until(lambda: bool(recorder.received))
            original = TlsChannel.receive
            monkeypatch.setattr(TlsChannel, "receive", receive)
            for _ in range(20):
                await asyncio.sleep(0)
            channel.abort()
            channel.receive()
            await recorder.lost.wait()
            for _ in range(20):
                await asyncio.sleep(0)
        assert calls <= 3

    runner.run(main())


def test_a_handshake_that_times_out_or_is_cancelled_leaves_no_socket(
    runner: asyncio.Runner, client_tls: ssl.SSLContext
) -> None:
    async def main(url: str) -> None:
        before = stream_sockets()
        hasty = NativeTransport(connect_timeout=0.05, ssl_context=client_tls)
        with pytest.raises(Timeout, match="no connection to the server in time"):
            await hasty.send(HttpRequest("GET", url))
        patient = NativeTransport(ssl_context=client_tls)
        request = asyncio.ensure_future(patient.send(HttpRequest("GET", url)))
        await until(lambda: len(stream_sockets()) > len(before))
        request.cancel()
        await asyncio.wait({request})
        assert stream_sockets() == before
        await hasty.close()
        await patient.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        runner.run(main(f"https://127.0.0.1:{silent.getsockname()[1]}/a"))


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_server_that_chooses_another_protocol_is_named(
    runner: asyncio.Runner, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, is_ours: bool
) -> None:
    """As with a context that a client of HTTP/2 has changed."""

    async def main() -> None:
        before = stream_sockets()
        transport = NativeTransport(ssl_context=theirs)
        with pytest.raises(ConfigInvalid, match="chose the protocol 'h2'"):
            await transport.send(HttpRequest("GET", server.endpoint))
        await transport.close()
        await asyncio.to_thread(server.wait_until_left)
        assert stream_sockets() == before

    monkeypatch.setattr(dialing, "is_possible", lambda *_: is_ours)
    ours, theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    for context in (ours, theirs):
        context.set_alpn_protocols(["h2", "http/1.1"])
    with ScriptedServer([[]], ours) as server:
        runner.run(main())
        with pytest.raises(ConfigInvalid, match="chose the protocol 'h2'"):
            inline.run(BlockingTransport(ssl_context=theirs).send(HttpRequest("GET", server.endpoint)))


def test_a_loop_without_descriptors_and_a_subclass_of_the_context_use_the_loop(client_tls: ssl.SSLContext) -> None:
    class Loop(asyncio.SelectorEventLoop):
        add_reader = asyncio.AbstractEventLoop.add_reader  # raises NotImplementedError, as that of Windows does

    class Context(ssl.SSLContext):
        pass

    for factory in LOOPS.values():
        loop = factory()
        assert is_possible(loop, client_tls)
        assert not is_possible(loop, Context(ssl.PROTOCOL_TLS_CLIENT))
        loop.close()
    loop = Loop()
    assert not is_possible(loop, client_tls)
    loop.close()
