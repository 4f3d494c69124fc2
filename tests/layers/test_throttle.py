import asyncio
import pickle

import pytest

from entrepot import InvalidInput, Operator, Unexpected
from entrepot.layers import ThrottleLayer
from entrepot.raw import Context, Operation
from entrepot.services import Memory
from entrepot.testing import Synthetic
from tests.layers.slow import FakeTime, Hanging


def operator(time, config=None, **rates):
    return Operator(config or Memory(), context=Context(time)).layer(ThrottleLayer(**rates))


@pytest.mark.parametrize(
    ("rates", "field"),
    [
        ({}, "bandwidth"),
        ({"burst": 10}, "burst"),
        ({"requests": 1, "burst": 10}, "burst"),
        *[({name: value}, name) for name in ("bandwidth", "requests") for value in (0, -1, True, "10", float("inf"))],
        *[({"bandwidth": 1, "burst": value}, "burst") for value in (0, -1, True, "10")],
    ],
)
def test_rates_that_cannot_work_are_refused_by_name(rates, field):
    with pytest.raises(InvalidInput, match=field) as caught:
        ThrottleLayer(**rates)
    assert caught.value.kind == "InvalidInput"


async def test_a_write_within_the_burst_does_not_wait_and_one_beyond_it_waits_in_proportion():
    time = FakeTime()
    op = operator(time, bandwidth=100, burst=200)
    await op.write("a", bytes(200))
    assert time.slept == []
    await op.write("a", bytes(1000))
    assert time.slept == [10.0]


async def test_a_write_larger_than_the_burst_is_written_whole():
    time = FakeTime()
    op = operator(time, bandwidth=10)
    metadata = await op.write("a", bytes(1010))
    assert (metadata.content_length, time.clock) == (1010, 100.0)


async def test_what_is_read_is_paid_for_before_the_next_call():
    time = FakeTime()
    config = Memory()
    config.table.put("a", bytes(1000))
    op = operator(time, config, bandwidth=100)
    async with op.reader("a") as reader:
        assert len(await reader.next()) == 1000
        assert time.slept == []
        assert await reader.next() is None
    assert time.slept == [9.0]


async def test_readers_at_the_same_time_have_the_bandwidth_on_the_average():
    time = FakeTime()
    config = Synthetic(bytes(1000))
    op = operator(time, config, bandwidth=100, burst=1)
    contents = await asyncio.gather(*(op.read("a") for _ in range(5)))
    assert contents == [bytes(1000)] * 5
    async with op.reader("a") as reader:
        assert await reader.read(1) == b"\0"
    assert 49.0 <= time.clock <= 51.0


async def test_a_pause_gives_no_more_than_the_burst():
    time = FakeTime()
    op = operator(time, bandwidth=100, burst=50)
    time.clock = 1000.0
    await op.write("a", bytes(150))
    assert time.slept == [1.0]


async def test_a_write_that_is_cancelled_while_it_waits_counts_for_nothing():
    time = FakeTime()
    op = operator(time, bandwidth=100)
    writing = asyncio.create_task(op.write("a", bytes(100_000)))
    while not time.slept:
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert not await op.exists("a")
    time.slept.clear()
    await op.write("a", bytes(100))
    assert time.slept == []


async def test_a_read_that_is_cancelled_while_it_waits_loses_no_bytes():
    time = FakeTime()
    content = bytes(range(200))
    op = operator(time, Synthetic(content), bandwidth=10, burst=1)
    async with op.reader("a") as reader:
        got = await reader.read(20)
        for _ in range(5):
            slept = len(time.slept)
            reading = asyncio.create_task(reader.read(20))
            while len(time.slept) == slept:
                await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            got += await reader.read(20)
        assert got + await reader.read() == content


async def test_a_call_waits_until_those_before_it_are_paid_for():
    time = FakeTime()
    op = operator(time, requests=2)
    for number in range(5):
        await op.create_dir(f"{number}/")
    assert time.slept == [0.5, 0.5, 0.5]


async def test_what_opens_closes_seeks_or_presigns_is_no_call():
    time = FakeTime()
    config = Memory()
    config.table.put("a", bytes(10))
    op = operator(time, config, requests=1)
    async with op.reader("a") as reader:
        assert await reader.read() == bytes(10)
        await reader.seek(0)
        assert await reader.read() == bytes(10)
    assert time.slept == []


async def test_an_error_of_the_storage_passes_through():
    time = FakeTime()
    config = Synthetic(b"abc")
    config.script.fail_next(Unexpected("as the test asked for", is_temporary=True))
    op = operator(time, config, bandwidth=1, requests=100)
    with pytest.raises(Unexpected) as caught:
        await op.read("a")
    assert (caught.value.kind, caught.value.operation, caught.value.path) == ("Unexpected", "read", "a")
    assert await op.read("a") == b"abc"


async def test_operators_of_one_layer_share_its_rate():
    time = FakeTime()
    first = operator(time, bandwidth=100)
    second = first.layer(Hanging())
    await first.write("a", bytes(100))
    await second.write("b", bytes(100))
    assert time.slept == [1.0]


def test_the_blocking_twin_is_throttled_too(monkeypatch):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    op = Operator(Memory()).layer(ThrottleLayer(bandwidth=100)).blocking()
    op.write("a", bytes(600))
    assert len(slept) == 1
    assert 4.5 < slept[0] <= 5.0


async def test_a_pickle_holds_the_rates_and_not_what_was_used_of_them():
    time = FakeTime()
    layer = ThrottleLayer(bandwidth=100, requests=1000)
    await Operator(Memory(), context=Context(time)).layer(layer).write("a", bytes(1100))
    assert time.slept == [10.0]
    later = FakeTime()
    op = Operator(Memory(), context=Context(later)).layer(pickle.loads(pickle.dumps(layer)))
    await op.write("a", bytes(100))
    assert later.slept == []
    await op.write("a", bytes(100))
    assert later.slept == [1.0]


def test_without_requests_only_bodies_that_move_bytes_are_touched():
    inner = Memory().build(Context())
    wrapped = ThrottleLayer(bandwidth=1).wrap(inner, Context())
    assert wrapped.stat == inner.stat
    assert wrapped.list == inner.list
    assert Operation.READER_READ in type(wrapped).operations
