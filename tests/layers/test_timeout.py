import asyncio
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from typing import ClassVar

import pytest

from entrepot import Capability, InvalidInput, Operator, Timeout
from entrepot.layers import ErrorContextLayer, RetryLayer, ThrottleLayer, TimeoutLayer
from entrepot.raw import Accessor, AccessorInfo, Context, Layer, OpDelete, Operation, RpStat, ServiceConfig
from entrepot.raw import layer as order
from entrepot.raw.http.aiohttp import AiohttpTransport
from entrepot.raw.http.native import NativeTransport
from entrepot.services import S3, Fs, Http, Memory
from entrepot.services.fs import accessor as fs_accessor
from entrepot.services.fs import writer as fs_writer
from entrepot.testing import Synthetic
from entrepot.testing.scripted_server import STALL, ScriptedServer, raw_response
from entrepot.testing.transport import MockTransport, reply
from entrepot.types import Metadata
from tests.layers.calls import CALLS, DIRECTORY, PATH, PATHS, Service
from tests.layers.slow import Hanging

SHORT = 0.03
BODY = {one for one in Operation if one.value.startswith(("reader.", "writer.", "lister.", "copier."))}
UNTIMED = {Operation.READER_CLOSE, Operation.LISTER_CLOSE, Operation.COPIER_NEXT, Operation.COPIER_CLOSE}
STREAMING = BODY - UNTIMED - {Operation.WRITER_CLOSE, Operation.WRITER_ABORT, Operation.COPIER_ABORT}


def stack(*operations, **limits):
    inner = Hanging(*operations).wrap(ErrorContextLayer().wrap(Service(), Context()), Context())
    return TimeoutLayer(**limits).wrap(inner, Context())


@pytest.mark.parametrize("limits", [{"timeout": 0.2}, {"deadline": 0.2}])
@pytest.mark.parametrize("transport", [NativeTransport, AiohttpTransport])
async def test_a_call_that_still_waits_for_a_free_connection_says_so(transport, limits):
    with ScriptedServer(lambda _: [STALL]) as server:
        connections = transport(max_connections=1)
        unlimited = Operator(Http(server.endpoint), context=Context(http=connections), resilient=False)
        holder = asyncio.ensure_future(unlimited.stat("a"))
        await asyncio.sleep(0.01)
        waiting = unlimited.layer(TimeoutLayer(**limits))
        reader = await waiting.reader("b")  # its deadline begins
        try:
            await waiting.stat("b")
        except Timeout as in_line:
            assert "waiting for a free connection (max_connections)" in str(in_line)
            if "deadline" in limits:  # what the handler calls has not waited, though its error has this one as context
                with pytest.raises(Timeout, match="the deadline has passed") as too_late:
                    await reader.read(1)
                assert "free connection" not in str(too_late.value)
        else:
            pytest.fail("the call has ended")
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
        with pytest.raises(Timeout) as served:
            await unlimited.layer(TimeoutLayer(**limits)).stat("c")
        assert "free connection" not in str(served.value)
        await connections.close()


@pytest.mark.parametrize("name", ["timeout", "io_timeout", "deadline"])
@pytest.mark.parametrize("value", [0, -1, True, "10", float("inf"), float("nan")])
def test_a_limit_that_cannot_work_is_refused_by_name(name, value):
    with pytest.raises(InvalidInput, match=f"{name} must be") as caught:
        TimeoutLayer(**{name: value})
    assert caught.value.kind == "InvalidInput"


@pytest.mark.parametrize("operation", sorted(set(Operation) - UNTIMED), ids=str)
async def test_a_call_that_hangs_raises_a_temporary_timeout_that_names_it(operation):
    is_streaming = operation in STREAMING
    limits = {"timeout": None, "io_timeout": SHORT} if is_streaming else {"timeout": SHORT, "io_timeout": None}
    with pytest.raises(Timeout) as caught:
        await CALLS[operation][0](stack(operation, **limits))
    error = caught.value
    path = PATHS.get(operation, PATH)
    assert (error.kind, error.scheme, error.operation, error.path) == ("Timeout", "test", operation, path)
    assert error.is_temporary
    assert isinstance(error, TimeoutError)
    assert "0.03" in str(error)


@pytest.mark.parametrize("verb", [Operation.COPIER_NEXT, Operation.COPIER_CLOSE])
async def test_a_copy_is_limited_by_the_deadline_alone(verb):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await CALLS[verb][0](stack(verb, timeout=SHORT, io_timeout=SHORT))
    with pytest.raises(Timeout, match="deadline") as caught:
        await CALLS[verb][0](stack(verb, deadline=SHORT))
    assert (caught.value.operation, caught.value.path, caught.value.is_temporary) == (verb, PATH, False)


@pytest.mark.parametrize("verb", ["delete", "close"])
async def test_a_recursive_deletion_is_limited_by_the_deadline_alone(verb):
    async def delete(accessor):
        _, body = await accessor.delete()
        await body.delete(DIRECTORY, OpDelete(recursive=True))
        await body.close()

    hangs = Operation(f"deleter.{verb}")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await delete(stack(hangs, timeout=SHORT))
    with pytest.raises(Timeout, match="deadline") as caught:
        await delete(stack(hangs, deadline=SHORT))
    assert (caught.value.operation, caught.value.is_temporary) == (hangs, False)


async def test_a_body_goes_on_where_it_was_after_a_timeout():
    config = Synthetic(b"content")
    op = Operator(config).layer(TimeoutLayer(io_timeout=SHORT))
    async with op.reader("a") as reader:
        assert await reader.read(3) == b"con"
        config.script.pause = 60
        for _ in range(2):
            with pytest.raises(Timeout) as caught:
                await reader.read()
            assert (caught.value.operation, caught.value.path) == ("reader.read", "a")
        config.script.pause = 0
        assert await reader.read() == b"tent"


async def test_a_cancellation_is_no_timeout():
    task = asyncio.create_task(CALLS[Operation.STAT][0](stack(Operation.STAT)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_without_limits_nothing_is_limited():
    accessor = stack(Operation.STAT, timeout=None, io_timeout=None)
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SHORT):
            await CALLS[Operation.STAT][0](accessor)
    assert type(caught.value) is TimeoutError


async def test_the_deadline_of_a_body_counts_from_its_opening():
    config = Synthetic(bytes(100))
    config.script.sizes = (1,)
    config.script.pause = 0.01
    op = Operator(config).layer(TimeoutLayer(deadline=0.2))
    with pytest.raises(Timeout, match="deadline") as caught:
        await op.read("a")
    assert (caught.value.operation, caught.value.path, caught.value.is_temporary) == ("read", "a", False)
    assert config.script.verbs < 100


async def test_no_verb_is_called_after_the_deadline_but_the_abort():
    service = Service()
    accessor = TimeoutLayer(deadline=SHORT).wrap(service, Context())
    _, body = await accessor.write(PATH, CALLS[Operation.WRITE][1][1])
    await asyncio.sleep(2 * SHORT)
    for verb, name in ((lambda: body.write(b"x"), "writer.write"), (body.close, "writer.close")):
        with pytest.raises(Timeout, match="deadline") as caught:
            await verb()
        assert (caught.value.operation, caught.value.path, caught.value.is_temporary) == (name, PATH, False)
    await body.abort()
    assert [operation for operation, _ in service.arrived] == [Operation.WRITE, Operation.WRITER_ABORT]


async def test_a_deadline_is_not_tried_again():
    hanging = Hanging(Operation.STAT)
    op = Operator(Memory(), layers=(hanging, TimeoutLayer(deadline=SHORT), RetryLayer()))
    with pytest.raises(Timeout):
        await op.stat("a")
    assert hanging.calls.count("stat") == 1


# Over HTTP


def over_http(config, answer, **limits):
    transport = MockTransport(answer)
    return transport, Operator(config, context=Context(http=transport), resilient=False).layer(TimeoutLayer(**limits))


def ok(request):
    if "uploads" in request.url:
        return reply(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
    if "uploadId" in request.url and request.method == "POST":
        return reply(200, b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
    content = b"content" if request.method == "GET" else b""
    return reply(200, content, [("Content-Length", "7"), ("ETag", '"1"')])


async def test_each_request_is_told_how_long_it_may_stand_still():
    transport, op = over_http(S3(bucket="b", region="r", skip_signature=True), ok, timeout=40, io_timeout=5)
    await op.stat("a")
    await op.read("a")
    await op.write("a", [bytes(5 << 20)] * 3, chunk=5 << 20, concurrent=2)
    told = [(one.method, one.connect_timeout, one.idle_timeout) for one in transport.requests]
    assert told[:2] == [("HEAD", 5, 40), ("GET", 5, 5)]
    assert ("PUT", 5, 5) in told
    assert told[-1] == ("POST", 5, 40)
    assert {connect for _, connect, _ in told} == {5}


async def test_what_moves_content_over_http_is_not_limited_as_a_whole():
    async def slowly(request):
        await asyncio.sleep(5 * SHORT)
        return ok(request)

    _, op = over_http(S3(bucket="b", region="r", skip_signature=True), slowly, timeout=SHORT, io_timeout=SHORT)
    assert await op.read("a") == b"content"
    assert (await op.write("a", b"content")).content_length == 7
    with pytest.raises(Timeout) as caught:
        await op.stat("a")
    assert (caught.value.operation, caught.value.path) == ("stat", "a")


async def test_a_shorter_limit_of_an_inner_layer_holds():
    transport, op = over_http(Http("http://h"), ok, io_timeout=5)
    await op.layer(TimeoutLayer(io_timeout=20)).read("a")
    assert transport.requests[-1].idle_timeout == 5
    _, op = over_http(Http("http://h"), ok, io_timeout=20)
    inner = MockTransport(ok)
    op = Operator(
        Http("http://h"),
        context=Context(http=inner),
        layers=(TimeoutLayer(io_timeout=20), TimeoutLayer()),
        resilient=False,
    )
    await op.read("a")
    assert inner.requests[-1].idle_timeout == 10


async def test_a_server_that_stalls_in_the_content_is_left_and_the_reader_goes_on():
    def answer(asked):
        if asked.range is None:
            return [raw_response("200 OK", 'ETag: "1"', "Content-Length: 10", content=b"01234"), STALL]
        return [
            raw_response(
                "206 Partial Content", 'ETag: "1"', "Content-Range: bytes 5-9/10", "Content-Length: 5", content=b"56789"
            )
        ]

    with ScriptedServer(answer) as server:
        op = Operator(Http(server.endpoint), resilient=False).layer(TimeoutLayer(io_timeout=0.5))
        async with op.reader("a") as reader:
            with pytest.raises(Timeout) as caught:
                await reader.read()
            error = caught.value
            assert (error.operation, error.path, error.is_temporary) == ("reader.read", "a", True)
            assert await reader.read() == b"0123456789"
        await op.close()
        server.wait_until_left()


# On a local disk


async def test_a_read_of_a_disk_that_hangs_lets_its_caller_go_and_the_next_one_goes_on(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"content")
    gate = threading.Event()
    pread = os.pread

    def hanging(*args):
        gate.wait(30)
        return pread(*args)

    op = Operator(Fs(tmp_path)).layer(TimeoutLayer(io_timeout=0.5))
    async with op.reader("a") as reader:
        assert await reader.read(3) == b"con"
        monkeypatch.setattr(os, "preadv", lambda *_: 0)  # nothing is in the page cache
        monkeypatch.setattr(os, "pread", hanging)
        monkeypatch.setattr(os, "preadv", lambda *_: 0)  # the bytes are not in memory
        for _ in range(2):
            with pytest.raises(Timeout) as caught:
                await reader.read()
            assert (caught.value.operation, caught.value.path) == ("reader.read", "a")
        gate.set()
        assert await reader.read() == b"tent"


class Gate:
    """Makes a function wait in its thread until it is let go."""

    def __init__(self, monkeypatch, module, name):
        self._call = getattr(module, name)
        self.is_reached = threading.Event()
        self.open = threading.Event()
        monkeypatch.setattr(module, name, self)

    def __call__(self, *args, **kwargs):
        self.is_reached.set()
        self.open.wait(20)
        return self._call(*args, **kwargs)


async def test_a_write_to_a_disk_that_hangs_lets_its_caller_go_and_does_not_appear_later(tmp_path, monkeypatch):
    gate = Gate(monkeypatch, fs_writer, "write_all")
    op = Operator(Fs(tmp_path)).layer(TimeoutLayer(timeout=0.3, io_timeout=0.3))
    try:
        with pytest.raises(Timeout) as caught:
            await op.write("a", b"content")
        assert (caught.value.operation, caught.value.path) == ("write", "a")
        assert gate.is_reached.is_set()
    finally:
        gate.open.set()
    while list(tmp_path.iterdir()):  # the thread goes on, and what it made is dropped when it ends
        await asyncio.sleep(0.01)
    assert not await op.exists("a")


async def test_a_writer_can_be_closed_again_after_a_timeout_and_writes_once(tmp_path, monkeypatch):
    gate = Gate(monkeypatch, fs_writer, "write_all")
    op = Operator(Fs(tmp_path)).layer(TimeoutLayer(timeout=0.5, io_timeout=0.5))
    async with op.writer("a") as writer:
        await writer.write(b"content")
        with pytest.raises(Timeout) as caught:
            await writer.close()
        assert (caught.value.operation, caught.value.path) == ("writer.close", "a")
        gate.open.set()
        assert (await writer.close()).content_length == 7
    assert await op.read("a") == b"content"


async def test_a_control_call_on_a_disk_that_hangs_returns_late(tmp_path, monkeypatch):
    gate = Gate(monkeypatch, fs_accessor, "make_directory")
    op = Operator(Fs(tmp_path)).layer(TimeoutLayer(timeout=0.1))
    making = asyncio.create_task(op.create_dir("a/"))
    await asyncio.to_thread(gate.is_reached.wait, 20)
    await asyncio.sleep(0.3)
    assert not making.done()
    gate.open.set()
    with pytest.raises(Timeout) as caught:
        await making
    assert (caught.value.operation, caught.value.path) == ("create_dir", "a/")


@dataclass(frozen=True)
class _Steps(ServiceConfig):
    """A service whose stat makes system calls that each take their time."""

    SCHEME: ClassVar[str] = "steps"
    steps: int = 1

    def build(self, context):
        return _StepsAccessor(self, context)


class _StepsAccessor(Accessor):
    made: ClassVar[list[int]] = []

    def __init__(self, config, context):
        self.info = AccessorInfo("steps", native_capability=Capability(stat=True))
        self._config = config
        self._context = context

    async def stat(self, path, args):
        for step in range(self._config.steps):
            self.made.append(step)
            await self._context.runtime.blocking(time.sleep, 0.3)
        return RpStat(metadata=Metadata())


def test_without_a_loop_the_time_is_looked_at_before_each_system_call():
    from entrepot.raw.runtime.inline import InlineRuntime, run

    def stat(steps):
        _StepsAccessor.made.clear()
        context = Context(InlineRuntime())
        op = Operator(_Steps(steps=steps), context=context).layer(TimeoutLayer(timeout=0.2))
        return run(op.stat("a"))

    assert stat(1) is not None
    assert _StepsAccessor.made == [0]
    with pytest.raises(Timeout) as caught:
        stat(5)
    assert (caught.value.operation, caught.value.path, caught.value.is_temporary) == ("stat", "a", True)
    assert _StepsAccessor.made == [0, 1]


def test_the_blocking_twin_of_fs_raises_when_the_deadline_has_passed(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    op = Operator(Fs(tmp_path)).layer(TimeoutLayer(deadline=0.5)).blocking()
    with op.reader("a") as reader:
        assert reader.read(3) == b"con"
        time.sleep(0.6)
        with pytest.raises(Timeout, match="deadline") as caught:
            reader.read()
        assert (caught.value.operation, caught.value.path) == ("reader.read", "a")


# As a layer


def test_a_layer_can_be_pickled():
    layer = pickle.loads(pickle.dumps(TimeoutLayer(3, 2, 4)))
    assert (layer.idle_limit(Operation.STAT), layer.idle_limit(Operation.READER_READ), layer.ends_at(1)) == (3, 2, 5)


def test_the_calls_that_do_not_wait_are_not_touched():
    wrapped = TimeoutLayer().wrap(Service(), Context())
    reply, body = asyncio.run(wrapped.read(PATH, CALLS[Operation.READ][1][1]))
    assert type(body.close.__self__).__module__ != type(body).__module__
    assert reply is CALLS[Operation.READ][2]


def test_a_local_disk_with_the_layer_needs_no_http_client(tmp_path):
    script = (
        "import asyncio, sys\n"
        "from entrepot import Operator\n"
        "from entrepot.layers import ConcurrentLimitLayer, TimeoutLayer\n"
        "from entrepot.services import Fs\n"
        f"op = Operator(Fs({str(tmp_path)!r})).layer(TimeoutLayer()).layer(ConcurrentLimitLayer(1, http_limit=1))\n"
        "asyncio.run(op.write('a', b'x'))\n"
        "assert 'aiohttp' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


# The order of layers


@pytest.fixture
def as_if_never_warned():
    order._warn_once.cache_clear()
    yield
    order._warn_once.cache_clear()


@pytest.mark.parametrize("inner", [RetryLayer(), ThrottleLayer(1)], ids=lambda one: type(one).__name__)
def test_an_order_that_makes_no_sense_warns_once_and_says_the_better_one(inner, as_if_never_warned):
    name = type(inner).__name__
    with pytest.warns(UserWarning, match=f"TimeoutLayer is outside {name}.*add TimeoutLayer before {name}") as caught:
        op = Operator(Memory()).layer(inner).layer(TimeoutLayer())
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        op.layer(RetryLayer(max_times=1)) if name == "ThrottleLayer" else op.layer(ThrottleLayer(1))
        op.blocking()
        pickle.loads(pickle.dumps(Operator(Fs("/"), layers=(inner, TimeoutLayer()))))


def test_the_better_order_does_not_warn(as_if_never_warned):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Operator(Memory(), layers=(TimeoutLayer(), RetryLayer(), ThrottleLayer(1)))


def test_a_layer_of_others_can_say_what_it_goes_inside_of(as_if_never_warned):
    class Inner(Layer):
        goes_inside: ClassVar = {"TimeoutLayer": "it is what it is"}

    with pytest.warns(UserWarning, match="Inner is outside TimeoutLayer: it is what it is"):
        Operator(Memory(), layers=(TimeoutLayer(), Inner()))
