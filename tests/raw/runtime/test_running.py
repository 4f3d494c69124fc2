"""Coroutines that run where asyncio cannot serve them, and bodies that come to another event loop."""

import asyncio
import io
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from entrepot import Operator
from entrepot.errors import InvalidInput, Unsupported
from entrepot.layers import ConcurrentLimitLayer, RetryLayer, TimeoutLayer
from entrepot.raw import Context
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import S3, Fs, Http
from entrepot.testing.scripted_server import STALL, ReceivedRequest, ScriptedServer, raw_response, whole_response
from tests.transports import Transport

CONTENT = bytes(range(100)) * 100


@pytest.fixture
def server():
    with ScriptedServer(lambda _: [whole_response(CONTENT)]) as server:
        yield server


@pytest.fixture(params=["fs", "fs with layers", "http", "s3"])
def op(request, tmp_path: Path, server: ScriptedServer) -> Operator:
    (tmp_path / "a").write_bytes(CONTENT)
    if request.param.startswith("fs"):
        op = Operator(Fs(str(tmp_path)))
    elif request.param == "http":
        op = Operator(Http(server.endpoint))
    else:
        op = Operator(S3(bucket="b", region="r", endpoint=server.endpoint, skip_signature=True))
    if "layers" in request.param:
        return op.layer(TimeoutLayer()).layer(RetryLayer(max_times=1)).layer(ConcurrentLimitLayer(1))
    return op


async def stat(op: Operator) -> None:
    await op.stat("a")


async def read(op: Operator) -> None:
    await op.read("a")


async def read_chunks(op: Operator) -> None:
    async with op.reader("a", chunk=7, concurrent=3) as reader:
        await reader.read()


async def fetch(op: Operator) -> None:
    async with op.reader("a") as reader:
        await reader.fetch([(0, 1), (5, 6)])


async def list_(op: Operator) -> None:
    async for _ in op.lister("/"):
        pass


async def write(op: Operator) -> None:
    await op.write("new", b"content")


async def write_and_abort(op: Operator) -> None:
    async with op.writer("new") as writer:
        await writer.write(b"content")


async def delete(op: Operator) -> None:
    await op.delete("a")


async def close(op: Operator) -> None:
    await op.close()


NEEDED = {"fs": [stat, read, read_chunks, fetch, list_, write, delete], "http": [stat, read, read_chunks, fetch, close]}


def needs_loop(op: Operator) -> list[Callable[[Operator], Coroutine[Any, Any, None]]]:
    return NEEDED["http" if op.info.scheme == "http" else "fs"]


def test_a_coroutine_that_is_stepped_by_hand_ends_with_an_error_of_ours(
    op: Operator, tmp_path: Path, server: ScriptedServer
) -> None:
    """As trio does it, which takes nothing that asyncio yields."""
    for call in needs_loop(op):
        coroutine = call(op)
        with pytest.raises(Unsupported, match="asyncio event loop") as caught:
            coroutine.send(None)
        assert not caught.value.is_temporary
        assert caught.value.scheme == op.info.scheme or call is close
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a"]
    assert server.connections == 0


class WithoutTask:
    """Runs a coroutine on the loop, step by step in callbacks, so that there is no task."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Any] = self._loop.create_future()
        self._loop.call_soon(self._step)

    def _step(self, _: object = None) -> None:
        try:
            awaited = self._coroutine.send(None)
        except StopIteration as end:
            self.done.set_result(end.value)
        except Exception as error:
            self.done.set_exception(error)
        else:
            self._go_on(awaited)

    def _go_on(self, awaited: Any) -> None:
        if awaited is None:
            self._loop.call_soon(self._step)
        else:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self._step)


async def test_a_coroutine_without_a_task_works_or_is_refused(op: Operator) -> None:
    for call in (*needs_loop(op), write_and_abort):
        outcome = await asyncio.wait_for(asyncio.gather(WithoutTask(call(op)).done, return_exceptions=True), 10)
        assert outcome == [None] or isinstance(outcome[0], Unsupported)
    await op.close()


async def test_the_file_system_needs_no_task(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    op = Operator(Fs(str(tmp_path)))
    for call in (stat, read, read_chunks, fetch, list_, write_and_abort, delete):
        await asyncio.wait_for(WithoutTask(call(op)).done, 10)
    assert [one.name for one in tmp_path.iterdir()] == ["new"]


async def test_a_timeout_without_a_task_is_refused() -> None:
    runtime = AsyncioRuntime()

    async def in_scope() -> None:
        async with runtime.timeout(1):
            pass

    for call in (in_scope, lambda: runtime.with_timeout(1, asyncio.sleep, 0.001)):
        with pytest.raises(Unsupported, match="task"):
            await WithoutTask(call()).done


# Bodies on another loop.


def test_a_reader_of_the_file_system_goes_on_on_another_loop(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    op = Operator(Fs(str(tmp_path)))
    reader = asyncio.run(_begin(op, 3))
    assert asyncio.run(reader.read()) == CONTENT[3:]
    asyncio.run(reader.aclose())


async def _begin(op: Operator, size: int, **options: Any) -> Any:
    reader = await op.reader("a", **options)
    assert await reader.read(size) == CONTENT[:size]
    return reader


def test_what_reads_ahead_and_was_cancelled_with_its_loop_is_refused_on_another(tmp_path: Path) -> None:
    runtime = AsyncioRuntime()

    async def begin() -> Any:
        window = runtime.window(2)
        window.spawn(lambda: asyncio.sleep(0, "ready"))
        window.spawn(asyncio.Event().wait)
        await asyncio.sleep(0.01)
        return window

    async def go_on(window: Any) -> None:
        assert await window.take() == "ready"
        for _ in range(2):
            with pytest.raises(InvalidInput, match="another event loop"):
                await window.take()
        await window.close()
        assert len(window) == 0

    asyncio.run(go_on(asyncio.run(begin())))


@pytest.fixture
def other_loop():
    """A loop that runs in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


async def test_what_reads_ahead_on_a_loop_that_runs_elsewhere_is_refused_and_cancelled(
    other_loop: asyncio.AbstractEventLoop,
) -> None:
    runtime, ended = AsyncioRuntime(), threading.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def begin() -> Any:
        window = runtime.window(1)
        window.spawn(wait)
        await asyncio.sleep(0.01)
        return window

    window = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(begin(), other_loop))
    with pytest.raises(InvalidInput, match="another event loop"):
        await window.take()
    await window.close()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_a_file_that_is_used_on_a_loop_that_runs_elsewhere_is_refused(
    tmp_path: Path, other_loop: asyncio.AbstractEventLoop
) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    runtime, gate, begun = AsyncioRuntime(), threading.Event(), threading.Event()
    file, _ = await runtime.open_file(lambda: (io.FileIO(tmp_path / "a"), None))

    def wait(raw: Any) -> bytes:
        begun.set()
        gate.wait(10)
        return raw.read(1)

    reading = asyncio.run_coroutine_threadsafe(file.run(wait), other_loop)
    assert await asyncio.to_thread(begun.wait, 10)
    # The thread may begin before the other loop has noted the call.
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0), other_loop))
    with pytest.raises(InvalidInput, match="another event loop"):
        await file.run(lambda raw: raw.read(1))
    gate.set()
    assert await asyncio.wrap_future(reading) == CONTENT[:1]
    assert await file.run(lambda raw: raw.read(1)) == CONTENT[1:2]
    await file.close()


def half(_: ReceivedRequest) -> list[Any]:
    return [raw_response("200 OK", f"Content-Length: {len(CONTENT)}") + CONTENT[:10], STALL]


async def test_content_that_comes_on_a_loop_that_runs_elsewhere_is_refused(
    other_loop: asyncio.AbstractEventLoop,
) -> None:
    with ScriptedServer(half) as server:
        op = Operator(Http(server.endpoint))
        reader = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_begin(op, 10), other_loop))
        with pytest.raises(InvalidInput, match="another event loop") as caught:
            await reader.read(10)
        assert (caught.value.operation, caught.value.path, caught.value.is_temporary) == ("reader.read", "a", False)
        await reader.aclose()
        await asyncio.to_thread(server.wait_until_left)
        await op.close()


def test_a_transport_serves_loops_of_several_threads(server: ScriptedServer) -> None:
    op = Operator(Http(server.endpoint), context=Context(http=Transport()))

    async def read_often() -> list[bytes]:
        return [await op.read("a") for _ in range(5)]

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: asyncio.run(read_often()), range(8)))
    assert results == [[CONTENT] * 5] * 8
    server.wait_until_left()
