"""What only the position writer does: calls side by side, and the last piece with the call that publishes."""

import asyncio

import pytest

from entrepot import Unexpected, Unsupported
from entrepot.raw.oio import PositionedFile
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.raw.runtime.inline import InlineRuntime, run
from tests.raw.oio.stores import Faults, PositionStore

CONTENT = bytes(range(250))


def make(*fates, only=None, pauses=(), size=3):
    store = PositionStore(Faults(fates, pauses, only))
    return store, store.writer(AsyncioRuntime().window(size))


async def test_one_large_write_is_published_by_one_call():
    store, writer = make()
    await writer.write(CONTENT)
    await writer.close()
    assert (store.content, store.faults.calls) == (CONTENT, [("publish", 250)])


async def test_what_was_written_last_goes_with_the_publication():
    store, writer = make()
    for begin in range(0, 40, 4):
        await writer.write(CONTENT[begin : begin + 4])
    await writer.close()
    assert store.faults.calls == [("write_at", 12)] * 3 + [("publish", 4)]
    assert store.content == CONTENT[:40]


async def test_a_piece_is_written_without_a_copy():
    pieces = []

    class File(PositionStore):
        async def write_at(self, offset, content):
            pieces.extend(content)

    data = [bytes([number]) * 20 for number in range(3)]
    writer = File(Faults()).writer(AsyncioRuntime().window(2))
    for piece in data:
        await writer.write(piece)
    await writer.close()
    assert [piece is given for piece, given in zip(pieces, data, strict=False)] == [True, True]


async def test_calls_run_side_by_side_and_no_more_than_the_window_has():
    store, writer = make(pauses=[5] * 20, size=3)
    for _ in range(10):
        await writer.write(CONTENT[:10])
    await writer.close()
    assert store.faults.most_in_flight == 30
    assert store.content == CONTENT[:10] * 10


async def test_only_what_failed_is_written_again():
    store, writer = make("refused", only="write_at", pauses=[2] * 20, size=2)
    for _ in range(3):
        await writer.write(CONTENT[:10])
    with pytest.raises(Unexpected):
        await writer.write(b"left out")
    await writer.close()
    assert store.content == CONTENT[:10] * 3
    assert store.faults.names == ["write_at"] * 3 + ["publish"]


async def test_an_abort_ends_what_is_in_flight_first():
    store, writer = make(pauses=[1000] * 5)
    for _ in range(4):
        await writer.write(CONTENT[:10])
    await asyncio.sleep(0)
    assert store.faults.running == 3
    await writer.abort()
    assert (store.faults.running, store.faults.names[-1], store.leftovers) == (0, "abort", [])


def test_works_without_a_loop():
    store = PositionStore(Faults(["refused"]))

    async def use():
        writer = store.writer(InlineRuntime().window(2))
        for begin in range(0, 100, 10):
            try:
                await writer.write(CONTENT[begin : begin + 10])
            except Unexpected:
                await writer.write(CONTENT[begin : begin + 10])
        return await writer.close()

    assert run(use()).content_length == 100
    assert store.content == CONTENT[:100]


@pytest.mark.parametrize("call", [lambda f: f.write_at(0, []), lambda f: f.publish(0, []), lambda f: f.abort()])
async def test_what_a_service_leaves_out_is_unsupported(call):
    with pytest.raises(Unsupported):
        await call(PositionedFile())
