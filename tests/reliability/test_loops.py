"""One operator, many event loops and threads."""

import asyncio
import threading

import anyio
import pytest
import uvloop

from entrepot import InvalidInput, Operator, Unsupported
from entrepot.layers import RetryLayer, TimeoutLayer
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


@pytest.mark.parametrize("hints", [{}, {"chunk": 10_000, "concurrent": 4}], ids=["stream", "chunks"])
def test_a_reader_taken_to_another_loop_goes_on_or_says_so(operator, hints):
    """The first loop took its connections and tasks with it. That must not look like a cancellation."""

    async def opened():
        reader = await operator.reader("object", **hints)
        return reader, await reader.read(1000)

    before = census()
    reader, start = asyncio.run(opened())
    rest = []
    for _ in range(2):
        try:
            rest.append(asyncio.run(reader.read(1000)))
        except InvalidInput as error:
            assert "event loop" in error.message
            assert (error.operation, error.path) == ("reader.read", "object")
    assert start + b"".join(rest) == CONTENT[: 1000 * (1 + len(rest))]
    assert rest
    asyncio.run(reader.aclose())
    assert census() == before


def test_a_lister_taken_to_another_loop_goes_on_or_says_so(operator):
    if not (operator.info.capability.list and operator.info.capability.write):
        pytest.skip("the service cannot write what it lists")

    async def opened():
        for number in range(20):
            await operator.write(f"many/{number:02}", b"")
        lister = await operator.lister("many/", limit=4)
        return lister, await lister.next()

    async def left(lister):
        return [entry.path async for entry in lister]

    before = census()
    lister, first = asyncio.run(opened())
    try:
        assert len({first.path, *asyncio.run(left(lister))}) == 21
    except InvalidInput as error:
        assert "event loop" in error.message
        assert (error.operation, error.path) == ("lister.next", "many/")
    asyncio.run(lister.aclose())
    assert census() == before


def test_a_reader_can_be_closed_on_another_loop_while_its_own_runs(operator):
    async def opened():
        reader = await operator.reader("object", chunk=10_000, concurrent=4)
        await reader.read(1000)
        return reader

    before = census()
    with asyncio.Runner() as own:
        reader = own.run(opened())
        thread = threading.Thread(target=asyncio.run, args=(reader.aclose(),))
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        own.run(asyncio.sleep(0.05))
    assert census() == before


def _stepped(coroutine):
    """Steps a coroutine to its end by hand, as a library with a loop of its own would."""
    try:
        for _ in range(1000):
            coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it never ends")


@pytest.mark.parametrize(
    "layers", [(), (TimeoutLayer(),), (RetryLayer(min_delay=0.01),)], ids=["bare", "timeout", "retry"]
)
def test_without_an_asyncio_loop_the_error_says_so(operator, layers):
    for layer in layers:
        operator = operator.layer(layer)
    for call in (operator.read("object"), operator.stat("object"), operator.read("object", chunk=1000, concurrent=2)):
        try:
            _stepped(call)
        except Unsupported as error:
            assert "event loop" in error.message
            assert error.path == "object"
        else:
            assert operator.info.scheme == "memory"  # which waits for nothing


async def test_outside_of_a_task_the_error_says_so(operator):
    outcomes = asyncio.get_running_loop().create_future()

    def outside():
        assert asyncio.current_task() is None
        try:
            outcomes.set_result(_stepped(operator.layer(TimeoutLayer()).read("object")))
        except BaseException as error:
            outcomes.set_exception(error)

    asyncio.get_running_loop().call_soon(outside)
    try:
        assert await outcomes == CONTENT
        assert operator.info.scheme == "memory"
    except Unsupported as error:
        assert "task" in error.message


async def collect(operator):
    return b"".join([chunk async for chunk in operator.reader("object", chunk=100_000, concurrent=3)])


SIZE_OF_PART = 5000
