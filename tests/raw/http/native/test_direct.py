"""Content that goes to the socket past the transport of the event loop."""

import asyncio
import errno
import random
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, nullcontext

import pytest
import uvloop

from entrepot.errors import Unexpected
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.native import outgoing, sending
from entrepot.raw.http.native.direct import MOST, DirectSocket, batches, divided, without_first
from entrepot.raw.http.native.outgoing import Outgoing
from entrepot.raw.http.native.transport import NativeTransport
from entrepot.testing.scripted_server import HOLD, RESET, Answer, ScriptedServer, Take, whole_response
from tests.sockets import respond_early, stream_sockets

STARTS_WITH = 8 * 1024
"""How much of the content goes with the head."""
LARGE = random.Random(1).randbytes(9 << 20)


@pytest.fixture
async def transport() -> AsyncIterator[NativeTransport]:
    made = NativeTransport(idle_timeout=5)
    yield made
    await made.close()


@pytest.fixture
def store() -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda _: [whole_response(b"stored")]) as server:
        yield server


async def put(transport: NativeTransport, server: ScriptedServer, content: bytes | tuple[bytes, ...]) -> int:
    response = await transport.send(HttpRequest("PUT", f"{server.endpoint}/a", (), content))
    await response.body.close()
    return response.status


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([0], []),
        ([5], [[5]]),
        ([5, 0, 6], [[5, 6]]),
        ([MOST], [[MOST]]),
        ([MOST + 1], [[MOST], [1]]),
        ([1, MOST], [[1], [MOST]]),
        ([MOST - 1, 1, 1], [[MOST - 1, 1], [1]]),
        ([1] * 1025, [[1] * 1024, [1]]),
    ],
)
def test_batches_hold_all_bytes_as_views(sizes: list[int], expected: list[list[int]]) -> None:
    content = [LARGE[:size] for size in sizes]
    found = list(batches(content))
    assert [[len(view) for view in batch] for batch in found] == expected
    assert b"".join(view for batch in found for view in batch) == b"".join(content)
    assert all(any(view.obj is piece for piece in content) for batch in found for view in batch)


@pytest.mark.parametrize(
    ("size", "left"),
    [(0, [b"abc", b"de"]), (1, [b"bc", b"de"]), (3, [b"de"]), (4, [b"e"]), (5, [])],
)
def test_bytes_that_were_sent_are_left_out(size: int, left: list[bytes]) -> None:
    assert [bytes(view) for view in without_first([memoryview(b"abc"), memoryview(b"de")], size)] == left


@pytest.mark.parametrize("size", [0, 1, 3, 4, 9])
def test_content_is_divided_anywhere(size: int) -> None:
    first, rest = divided([b"abc", b"", memoryview(b"de")], size)
    assert (first, b"".join(rest)) == (b"abcde"[:size], b"abcde"[size:])


@pytest.mark.parametrize("size", [1 << 20, 5_000, 100_003])
async def test_content_in_pieces_arrives_whole_however_little_the_system_takes(
    transport: NativeTransport, store: ScriptedServer, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    taken = random.Random(2)
    send = DirectSocket.send

    def send_less(direct: DirectSocket, batch: Sequence[memoryview]) -> int:
        if taken.random() < 0.3:
            return 0
        return send(direct, [view[: taken.randrange(1, 200_000)] for view in batch[:1]])

    monkeypatch.setattr(DirectSocket, "send", send_less)
    content = LARGE[:600_000]
    pieces = tuple(content[start : start + size] for start in range(0, len(content), size))
    for _ in range(2):
        assert await put(transport, store, pieces) == 200
    assert [received.content == content for received in store.requests] == [True, True]
    assert store.connections == 1


async def test_a_head_that_the_system_has_not_taken_goes_before_the_content(
    transport: NativeTransport, store: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True, False])
    monkeypatch.setattr(Outgoing, "can_send_directly", property(lambda _: next(answers)))
    assert await put(transport, store, LARGE) == 200
    assert store.requests[0].content == LARGE


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_upload_that_is_cancelled_is_a_broken_connection_and_no_end_of_the_content(
    monkeypatch: pytest.MonkeyPatch, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """SeaweedFS stored an empty object when a connection ended in good order after the head."""
    monkeypatch.setattr(DirectSocket, "send", lambda *_: 0)

    async def main(server: socket.socket) -> bytes:
        transport = NativeTransport()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        sending = asyncio.ensure_future(transport.send(HttpRequest("PUT", url, (), LARGE)))
        loop = asyncio.get_running_loop()
        connection = (await loop.run_in_executor(None, server.accept))[0]
        with connection:
            connection.settimeout(10)
            received = b""
            while len(received.partition(b"\r\n\r\n")[2]) < STARTS_WITH:
                received += await loop.run_in_executor(None, connection.recv, 65_536)
            sending.cancel()
            await asyncio.wait({sending})
            with pytest.raises(ConnectionResetError):
                await loop.run_in_executor(None, connection.recv, 65_536)
        await transport.close()
        return received.partition(b"\r\n\r\n")[2]

    with socket.create_server(("127.0.0.1", 0)) as server, asyncio.Runner(loop_factory=new_loop) as runner:
        server.settimeout(10)
        assert runner.run(main(server)) == LARGE[:STARTS_WITH]


def test_a_loop_that_cannot_wait_for_descriptors_sends_by_its_transport(store: ScriptedServer) -> None:
    class Loop(asyncio.SelectorEventLoop):
        add_writer = asyncio.AbstractEventLoop.add_writer  # raises NotImplementedError, as that of Windows does

    async def main() -> int:
        transport = NativeTransport(idle_timeout=1)
        status = await put(transport, store, LARGE)
        await transport.close()
        return status

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) == 200
    assert store.requests[0].content == LARGE


async def test_an_unforeseen_error_of_the_sender_is_the_error_of_the_request(
    transport: NativeTransport, store: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="unforeseen"):
        patched.setattr(DirectSocket, "send", fail)
        await put(transport, store, LARGE)
    assert await put(transport, store, LARGE) == 200


def test_the_second_descriptor_never_blocks() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, closing(asyncio.new_event_loop()) as loop:
        ours.settimeout(0.01)
        with DirectSocket(loop, ours) as direct:
            while direct.send([memoryview(LARGE)]):
                pass


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("sent", [0, MOST])
def test_a_refusal_that_came_unseen_before_the_connection_broke_is_received(
    factory: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    turns = 0

    async def block_the_loop(_: object) -> None:
        nonlocal turns
        turns += 1
        if turns == 1 + bool(sent):
            server.wait_until_left()
            time.sleep(0.02)

    async def main() -> int:
        transport = NativeTransport(idle_timeout=5)
        status = await put(transport, server, LARGE)
        await transport.close()
        return status

    monkeypatch.setattr(sending, "_turn_of_the_loop", block_the_loop)
    script: Answer = [*([Take(sent)] if sent else []), whole_response(b"no", status="403 Forbidden"), RESET]
    with (
        ScriptedServer(lambda _: script, takes_content=False) as server,
        asyncio.Runner(loop_factory=factory) as runner,
    ):
        assert runner.run(main()) == 403


async def test_no_descriptor_left_for_the_content_is_an_error_and_ends_the_connection(
    transport: NativeTransport, store: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stream_sockets()

    def refuse(*_: object) -> DirectSocket:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched, pytest.raises(Unexpected, match="Too many open files") as failed:
        patched.setattr(outgoing, "DirectSocket", refuse)
        await put(transport, store, LARGE)
    assert failed.value.is_temporary
    assert await put(transport, store, LARGE) == 200
    await transport.close()
    await asyncio.to_thread(store.wait_until_left)
    assert len(stream_sockets()) == len(before)


async def test_a_cancelled_upload_closes_both_descriptors(transport: NativeTransport) -> None:
    with ScriptedServer(lambda _: [HOLD], takes_content=False) as server:
        before = stream_sockets()
        upload = asyncio.create_task(put(transport, server, LARGE))
        while len(stream_sockets()) < len(before) + 2:  # two descriptors of ours
            await asyncio.sleep(0.001)
        upload.cancel()
        await asyncio.wait({upload})
        assert upload.cancelled()
        server.let_go()
        await asyncio.to_thread(server.wait_until_left)
        assert len(stream_sockets()) == len(before)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_content_that_an_early_response_cuts_off_ends_as_a_broken_connection(
    client_tls: ssl.SSLContext, server_tls: ssl.SSLContext, loop: Callable[[], asyncio.AbstractEventLoop],
    status: str, *, is_tls: bool,
) -> None:  # fmt: skip
    """Some servers store what they have when a connection ends in good order."""
    may_go_on = threading.Event()

    async def main(server: socket.socket) -> OSError | None:
        tls = server_tls if is_tls else None
        seen = asyncio.ensure_future(asyncio.to_thread(respond_early, server, status, tls, may_go_on))
        transport = NativeTransport(idle_timeout=0.2, ssl_context=client_tls)
        request = HttpRequest("PUT", f"http{'s' * is_tls}://127.0.0.1:{server.getsockname()[1]}/a", (), LARGE)
        with pytest.raises(Unexpected, match="before it had all") if status == "200 OK" else nullcontext():
            await (await transport.send(request)).body.close()
        may_go_on.set()
        await transport.close()
        return await seen

    with socket.create_server(("127.0.0.1", 0)) as server, asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(main(server)) is not None
