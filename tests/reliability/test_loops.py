"""One operator, many event loops and threads."""

import asyncio
import threading

import anyio
import pytest
import uvloop

from entrepot import Operator
from tests.reliability.helpers import CONTENT, census


@pytest.fixture
def operator(storage) -> Operator:
    storage.put("object", CONTENT)
    return storage.operator


def test_loops_after_each_other_leave_nothing_open(operator):
    before = census()
    for _ in range(3):
        assert asyncio.run(operator.read("object")) == CONTENT
    assert census() == before


def test_threads_with_loops_of_their_own_read_at_once(operator):
    before, start, read = census(), threading.Barrier(4), []

    async def work():
        start.wait(10)
        parts = await asyncio.gather(*(operator.read("object", range=(n, SIZE_OF_PART + n)) for n in range(10)))
        read.append(parts == [CONTENT[n : SIZE_OF_PART + n] for n in range(10)])

    threads = [threading.Thread(target=asyncio.run, args=(work(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert read == [True] * 4
    assert census() == before


def test_a_loop_that_closes_takes_nothing_from_another(operator):
    with asyncio.Runner() as first:
        assert first.run(operator.read("object", range=(0, 9))) == CONTENT[:9]
        thread = threading.Thread(target=asyncio.run, args=(operator.read("object", range=(0, 8)),))
        thread.start()
        thread.join(30)
        assert first.run(operator.read("object", range=(1, 9))) == CONTENT[1:9]


def test_an_operator_that_was_closed_can_be_used_again(operator):
    async def use():
        for _ in range(2):
            async with operator:
                assert await operator.read("object", range=(0, 4)) == CONTENT[:4]

    before = census()
    asyncio.run(use())
    assert census() == before


def test_it_reads_under_uvloop(operator):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.sleep(0))  # the first loop of a process opens what belongs to none
    before = census()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(operator.read("object")) == CONTENT
        assert runner.run(collect(operator)) == CONTENT
    assert census() == before


def test_it_reads_under_anyio(operator):
    before = census()
    assert anyio.run(operator.read, "object") == CONTENT
    assert anyio.run(collect, operator) == CONTENT
    assert census() == before


def test_a_scope_of_anyio_cancels_a_read_and_the_next_one_works(operator):
    async def use():
        for patience in range(20):
            with anyio.move_on_after(patience / 10_000):
                await operator.read("object", chunk=10_000, concurrent=4)
        return await operator.read("object")

    before = census()
    assert anyio.run(use) == CONTENT
    assert census() == before


async def collect(operator):
    return b"".join([chunk async for chunk in operator.reader("object", chunk=100_000, concurrent=3)])


SIZE_OF_PART = 5000
