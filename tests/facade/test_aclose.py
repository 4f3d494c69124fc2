"""Everything that can be closed has `aclose`, so that `contextlib.aclosing` works on it."""

from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest

from entrepot import BlockingOperator, InvalidInput, Lister, NotFound, Operator, Reader, Writer, blocking
from entrepot.raw import Context
from entrepot.services import Memory

CONTENT = b"content"


@pytest.fixture
async def op() -> Operator:
    op = Operator(Memory())
    await op.write("a", CONTENT)
    return op


async def test_an_operator_is_closed_and_usable_again(op: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Context] = []

    async def close(context: Context) -> None:
        closed.append(context)

    monkeypatch.setattr(Context, "close", close)
    async with aclosing(op) as same:
        assert same is op
        assert await op.read("a") == CONTENT
    assert len(closed) == 1
    assert await op.read("a") == CONTENT


async def test_a_reader_is_closed(op: Operator) -> None:
    async with aclosing(await op.reader("a")) as reader:
        assert isinstance(reader, Reader)
        assert await reader.read(3) == CONTENT[:3]
    with pytest.raises(InvalidInput, match="the reader is closed"):
        await reader.read()


async def test_a_lister_is_closed(op: Operator) -> None:
    async with aclosing(await op.lister("/")) as lister:
        assert isinstance(lister, Lister)
        assert await lister.next() is not None
    with pytest.raises(InvalidInput, match="the lister is closed"):
        await lister.next()


async def test_a_writer_publishes_its_object(op: Operator) -> None:
    async with aclosing(await op.writer("b")) as writer:
        assert isinstance(writer, Writer)
        await writer.write(CONTENT)
        assert not await op.exists("b")
    assert await op.read("b") == CONTENT
    assert (await writer.close()).content_length == len(CONTENT)
    assert await writer.aclose() is None


async def test_after_an_abort_a_writer_publishes_nothing(op: Operator) -> None:
    async with aclosing(await op.writer("b")) as writer:
        await writer.write(CONTENT)
        await writer.abort()
    with pytest.raises(NotFound):
        await op.stat("b")


async def test_a_stack_of_exits_closes_each(op: Operator) -> None:
    async with AsyncExitStack() as stack:
        opened: list[Any] = [op, await op.reader("a"), await op.lister("/"), await op.writer("b")]
        for one in opened:
            stack.push_async_callback(one.aclose)
        await opened[-1].write(CONTENT)
    assert await op.read("b") == CONTENT


@pytest.mark.parametrize(
    "twin", [BlockingOperator, blocking.BlockingReader, blocking.BlockingWriter, blocking.BlockingLister]
)
def test_the_blocking_classes_have_close_alone(twin: type) -> None:
    assert hasattr(twin, "close")
    assert not hasattr(twin, "aclose")
