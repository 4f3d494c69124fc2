import asyncio
import pickle
import threading

import pytest

from entrepot import InvalidInput, NotFound, Operator
from entrepot.layers import ChaosLayer, ConcurrentLimitLayer, LoggingLayer, PrefixLayer, RetryLayer
from entrepot.raw import Context, Layer, Operation
from entrepot.raw.http import HttpResponse
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services import S3, Fs, Http, Memory
from entrepot.testing.transport import MockBody, MockTransport, RecordingTransport, reply
from tests.conftest import s3_config
from tests.layers.slow import Hanging, turns

MIB = 1 << 20


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "2", None])
def test_a_limit_that_cannot_work_is_refused(value):
    with pytest.raises(InvalidInput, match="limit must be") as caught:
        ConcurrentLimitLayer(value)
    assert caught.value.kind == "InvalidInput"


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "2"])
def test_an_http_limit_that_cannot_work_is_refused(value):
    with pytest.raises(InvalidInput, match="http_limit") as caught:
        ConcurrentLimitLayer(1, value)
    assert caught.value.kind == "InvalidInput"


async def test_no_more_calls_than_the_limit_are_made_at_a_time_and_in_the_order_they_came():
    hanging = Hanging(Operation.STAT)
    op = Operator(_filled(), layers=(hanging, ConcurrentLimitLayer(2)))
    ended = []

    async def stat(number):
        await op.stat(f"{number}")
        ended.append(number)

    tasks = [asyncio.create_task(stat(number)) for number in range(6)]
    await turns()
    assert (hanging.running, len(hanging.calls)) == (2, 2)
    hanging.gate.set()
    await asyncio.gather(*tasks)
    assert hanging.most == 2
    assert ended == list(range(6))


async def test_a_permit_is_given_back_after_an_error_and_after_a_cancellation():
    hanging = Hanging(Operation.STAT)
    op = Operator(_filled(), layers=(hanging, ConcurrentLimitLayer(1)))
    running, waiting = (asyncio.create_task(op.stat("1")) for _ in range(2))
    await turns()
    waiting.cancel()
    running.cancel()
    await asyncio.wait([running, waiting])
    hanging.gate.set()
    for _ in range(3):
        with pytest.raises(NotFound) as caught:
            await op.stat("missing")
        assert (caught.value.operation, caught.value.path) == ("stat", "missing")
    assert (await op.stat("1")).content_length == 1


async def test_bodies_that_are_left_open_hold_no_permit():
    op = Operator(_filled(), layers=(ConcurrentLimitLayer(1),))
    async with op.reader("1") as reader, op.writer("new") as writer, op.lister("/") as lister:
        assert await reader.read(1) == b"1"
        await writer.write(b"new")
        assert await lister.next_page()
        assert await op.read("2") == b"2"
    assert await op.read("new") == b"new"


async def test_nothing_deadlocks_with_one_permit(storage):
    content = bytes(range(256)) * 64
    storage.put("dir/object", content)
    op = storage.operator.layer(ConcurrentLimitLayer(1, http_limit=1))
    async with op.reader("dir/object", chunk=1000, concurrent=4) as reader:
        assert await reader.read() == content
        assert await reader.fetch([(0, 10), (5000, 5010)]) == [content[:10], content[5000:5010]]
    async with op.reader("dir/object") as unread:
        assert await unread.read(1) == content[:1]
        assert await op.read("dir/object") == content
    if not op.info.capability.write:
        return
    await op.write("dir/copy", iter([content, content]), chunk=5000, concurrent=4)
    names = [f"dir/sub/{number}" for number in range(5)]
    await asyncio.gather(*(op.write(name, b"x") for name in names))
    assert {entry.path async for entry in op.lister("dir/", recursive=True, limit=2)} >= {*names, "dir/copy"}
    await op.delete_many(names[:3])
    await op.delete("dir/", recursive=True)
    assert not await op.exists("dir/object")


async def test_a_write_in_parts_does_not_deadlock_with_one_permit(seaweedfs_server):
    content = bytes(range(256)) * (11 * MIB // 256)
    op = Operator(s3_config(seaweedfs_server)).layer(ConcurrentLimitLayer(1, http_limit=1))
    await op.write("large", content, chunk=5 * MIB, concurrent=4)
    assert await op.read("large", chunk=MIB, concurrent=4) == content


@pytest.mark.parametrize("make", [lambda folder: Memory(), Fs], ids=["memory", "fs"])
def test_nothing_deadlocks_in_the_blocking_twin(make, tmp_path):
    op = Operator(make(tmp_path)).layer(ConcurrentLimitLayer(1)).blocking()
    op.write("dir/a", [bytes(1000)] * 10, chunk=3000, concurrent=4)
    with op.reader("dir/a", chunk=100, concurrent=4) as reader:
        assert reader.read() == bytes(10_000)
        assert reader.fetch([(0, 1), (9000, 9001)]) == [b"\0", b"\0"]
    threads = [threading.Thread(target=op.write, args=(f"dir/{number}", b"x")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(op.list("dir/")) >= 9
    op.delete("dir/", recursive=True)
    assert op.list("dir/") == []


async def test_operators_of_one_layer_share_its_permits():
    hanging = Hanging(Operation.STAT)
    layer = ConcurrentLimitLayer(1)
    first = Operator(_filled(), layers=(hanging, layer))
    second = first.layer(Hanging())
    tasks = [asyncio.create_task(op.stat("1")) for op in (first, second)]
    await turns()
    assert hanging.running == 1
    hanging.gate.set()
    await asyncio.gather(*tasks)
    assert hanging.most == 1


def test_each_event_loop_has_permits_of_its_own():
    op = Operator(_filled(), layers=(ConcurrentLimitLayer(1),))

    async def both():
        return await asyncio.gather(op.read("1"), op.read("2"))

    assert [asyncio.run(both()) for _ in range(3)] == [[b"1", b"2"]] * 3


def test_a_layer_that_was_used_can_be_pickled():
    layer = ConcurrentLimitLayer(2, http_limit=3)
    op = Operator(_filled(), layers=(layer,))
    assert asyncio.run(op.read("1")) == b"1"
    again = Operator(_filled(), layers=(pickle.loads(pickle.dumps(layer)),))
    assert asyncio.run(again.read("1")) == b"1"


async def test_no_more_requests_than_the_http_limit_are_in_flight():
    server = _Server()
    op = Operator(
        S3(bucket="b", region="r", skip_signature=True, disable_config_load=True),
        layers=(ConcurrentLimitLayer(10, http_limit=2),),
        context=Context(http=MockTransport(server)),
    )
    tasks = [asyncio.create_task(op.stat(f"{number}")) for number in range(5)]
    await turns()
    assert server.running == 2
    server.gate.set()
    await asyncio.gather(*tasks)
    assert server.most == 2


async def test_a_reply_that_nobody_reads_holds_no_permit_of_http():
    server = _Server()
    server.gate.set()
    transport = RecordingTransport(MockTransport(server))
    op = Operator(Http("http://h"), layers=(ConcurrentLimitLayer(10, http_limit=1),), context=Context(http=transport))
    async with op.reader("a") as reader:
        assert await reader.read(1) == b"c"
        assert transport.open_bodies == 1
        assert await op.read("b") == b"content"
    assert transport.open_bodies == 0


async def test_content_that_is_known_to_be_all_is_not_read_once_more():
    class AllHere(MockBody):
        reads = 0

        @property
        def is_at_end(self):
            return not any(self._pieces)

        async def read(self, n):
            AllHere.reads += 1
            return await super().read(n)

    headers = HttpHeaders([("content-length", "7")])
    transport = MockTransport(lambda _: HttpResponse(200, headers, AllHere(b"content")))
    op = Operator(Http("http://h"), layers=(ConcurrentLimitLayer(10, http_limit=1),), context=Context(http=transport))
    assert await op.read("a") == b"content"
    assert AllHere.reads == 1


class Composed(Layer):
    """A layer that is made of another."""

    def __init__(self, part):
        self.part = part

    def wrap(self, accessor, context):
        return self.part.wrap(accessor, context)


@pytest.mark.parametrize("between", [(), (RetryLayer(),), (PrefixLayer("a/"), LoggingLayer(), ChaosLayer())], ids=len)
@pytest.mark.parametrize("config", [Memory(), Http("http://h")], ids=lambda config: config.SCHEME)
def test_the_same_layer_twice_is_refused_for_a_call_would_wait_for_itself(config, between):
    limit = ConcurrentLimitLayer(1, http_limit=1)
    op = Operator(config, layers=(limit, *between))
    for again in (limit, Composed(limit)):
        with pytest.raises(InvalidInput, match="twice") as caught:
            op.layer(again)
        assert (caught.value.scheme, caught.value.is_temporary) == (config.SCHEME, False)
        with pytest.raises(InvalidInput, match="twice"):
            op.blocking().layer(again)
    op.layer(ConcurrentLimitLayer(1))


async def test_two_equal_layers_are_two():
    op = Operator(_filled(), layers=(ConcurrentLimitLayer(1), ConcurrentLimitLayer(1)))
    assert await asyncio.wait_for(asyncio.gather(op.read("1"), op.read("2"), op.read("3")), 30) == [b"1", b"2", b"3"]


async def test_one_permit_for_both_sides_of_a_copy_is_enough():
    limit = ConcurrentLimitLayer(1)
    source, target = Operator(Memory(), layers=(limit,)), Operator(Memory(), layers=(limit,))
    content = bytes(100_000)
    await source.write("a", content)
    await asyncio.wait_for(source.copy_to(target, "a", "b", chunk=10_000, concurrent=4), 30)
    assert await target.read("b") == content
    async with source.reader("a", chunk=10_000, concurrent=4) as reader:
        await asyncio.wait_for(source.write("c", reader), 30)
    assert await source.read("c") == content
    await asyncio.wait_for(source.delete("/", recursive=True), 30)
    assert not await source.exists("a")


def test_what_does_no_io_is_not_touched():
    inner = Memory().build(Context())
    assert ConcurrentLimitLayer(1).wrap(inner, Context()).presign == inner.presign


def _filled():
    config = Memory()
    for number in range(6):
        config.table.put(f"{number}", f"{number}".encode())
    return config


class _Server:
    """Answers when the gate is open, and knows how many wait for it."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.running = self.most = 0

    async def __call__(self, request):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            return reply(200, b"content", [("Content-Length", "7"), ("ETag", '"1"')])
        finally:
            self.running -= 1
