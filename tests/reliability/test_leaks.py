"""What is broken off leaves nothing behind: no task, no socket, no descriptor, no thread."""

import asyncio
import gc

import pytest

from entrepot import Operator
from tests.reliability.helpers import CONTENT, census, other_tasks, until

STREAMS = [{}, {"chunk": 20_000}, {"chunk": 20_000, "concurrent": 4, "content_length_hint": len(CONTENT)}]


@pytest.fixture
def operator(storage) -> Operator:
    storage.put("object", CONTENT)
    return storage.operator


@pytest.fixture
def leaves_nothing():
    """Runs a coroutine on a loop of its own and compares what is open before and after."""

    def run(coroutine):
        before = census()
        asyncio.run(coroutine)
        assert census() == before

    return run


async def has_calmed_down(operator, before):
    """While the loop still runs, once the operator is closed: no task and no socket more than before."""
    await operator.close()
    await until(lambda: not other_tasks() and census().sockets <= before.sockets)


@pytest.mark.parametrize("options", STREAMS, ids=["stream", "chunks", "concurrent"])
def test_breaking_out_of_a_stream(operator, options, leaves_nothing):
    async def use():
        before = census()
        for _ in range(20):
            async for chunk in operator.reader("object", **options):
                assert CONTENT.startswith(chunk)
                break
        await has_calmed_down(operator, before)

    leaves_nothing(use())


@pytest.mark.parametrize("options", STREAMS, ids=["stream", "chunks", "concurrent"])
def test_breaking_out_of_a_reader_that_is_entered(operator, options, leaves_nothing):
    async def use():
        before = census()
        for _ in range(20):
            async with operator.reader("object", **options) as reader:
                assert await reader.read(10) == CONTENT[:10]
        await has_calmed_down(operator, before)

    leaves_nothing(use())


@pytest.mark.parametrize("options", STREAMS, ids=["stream", "chunks", "concurrent"])
def test_a_hundred_cancelled_reads(operator, options, leaves_nothing):
    async def use():
        before, cancelled = census(), 0
        for turns in range(100):
            reading = asyncio.ensure_future(operator.read("object", **options))
            for _ in range(turns):
                await asyncio.sleep(0)
            reading.cancel()
            [outcome] = await asyncio.gather(reading, return_exceptions=True)
            assert isinstance(outcome, asyncio.CancelledError) or outcome == CONTENT
            cancelled += isinstance(outcome, asyncio.CancelledError)
        assert cancelled > 0
        assert await operator.read("object") == CONTENT
        await has_calmed_down(operator, before)

    leaves_nothing(use())


@pytest.mark.parametrize("options", STREAMS, ids=["stream", "chunks", "concurrent"])
def test_a_reader_whose_reads_are_cancelled_goes_on_where_it_was(operator, options, leaves_nothing):
    async def use():
        received = b""
        async with operator.reader("object", **options) as reader:
            for turns in range(60):
                reading = asyncio.ensure_future(reader.read(7_000))
                for _ in range(turns % 15):
                    await asyncio.sleep(0)
                reading.cancel()
                [outcome] = await asyncio.gather(reading, return_exceptions=True)
                received += outcome if isinstance(outcome, bytes) else b""
                assert reader.tell() == len(received)
            received += await reader.read()
        assert received == CONTENT

    leaves_nothing(use())


@pytest.mark.filterwarnings("ignore:.*was not closed")  # what is looked at is what stays open all the same
@pytest.mark.filterwarnings("ignore:.*unclosed file")  # of fs, as of every file of Python
@pytest.mark.filterwarnings("ignore:.*FileIO:pytest.PytestUnraisableExceptionWarning")
def test_an_operator_and_a_reader_that_nobody_closes(storage, leaves_nothing):
    storage.put("object", CONTENT)

    async def forget():
        reader = await storage.operator.reader("object")
        assert await reader.read(10) == CONTENT[:10]

    async def use():
        before = census()
        for _ in range(10):
            await forget()
        gc.collect()
        await until(lambda: not other_tasks() and census().sockets <= before.sockets)

    leaves_nothing(use())


def test_readers_that_are_still_open_when_the_loop_ends(operator, leaves_nothing):
    opened = []

    async def use():
        for options in STREAMS:
            opened.append(await operator.reader("object", **options))
            await opened[-1].read(10)

    async def close():
        for reader in opened:
            await reader.aclose()

    before = census()
    asyncio.run(use())
    assert census().sockets == before.sockets
    asyncio.run(close())
    opened.clear()
    assert census() == before
