"""What only the append writer does: offsets, limits, and appends whose reply was lost."""

import asyncio

import pytest

from entrepot import Unexpected
from entrepot.raw.oio import AppendWriter
from tests.raw.oio.stores import AppendStore, Faults

CONTENT = bytes(range(200))


def make(*fates, content=None, only=None, pauses=(), buffer=10):
    store = AppendStore(Faults(fates, pauses, only), content, buffer)
    return store, store.writer(None)


async def test_the_end_is_asked_once_and_every_call_is_full_but_the_last():
    store, writer = make(content=b"before")
    for begin in range(0, 45, 9):
        await writer.write(CONTENT[begin : begin + 9])
    metadata = await writer.close()
    assert (store.content, metadata.content_length) == (b"before" + CONTENT[:45], 51)
    assert store.faults.calls == [("find_end", 0), *[("append", 10)] * 4, ("append", 5)]


async def test_one_large_write_is_cut():
    store, writer = make()
    await writer.write(CONTENT)
    assert store.faults.calls == []
    await writer.close()
    assert [size for name, size in store.faults.calls if name == "append"] == [10] * 20
    assert store.content == CONTENT


@pytest.mark.parametrize("before", [None, b"", b"before"])
async def test_nothing_written_makes_an_empty_object_or_leaves_what_is_there(before):
    store, writer = make(content=before)
    metadata = await writer.close()
    assert (store.content, metadata.content_length) == (before or b"", len(before or b""))
    assert store.faults.names == ["find_end", "append"]


async def test_an_append_whose_reply_was_lost_is_not_made_again():
    store, writer = make("lost", only="append")
    await writer.write(CONTENT[:10])
    with pytest.raises(Unexpected):
        await writer.write(b"left out")
    await writer.write(CONTENT[10:20])
    assert (await writer.close()).content_length == 20
    assert store.content == CONTENT[:20]
    assert store.faults.calls == [("find_end", 0), ("append", 10), ("find_end", 0), ("append", 10)]


async def test_a_close_whose_reply_was_lost_asks_what_is_known_by_an_append_of_nothing():
    store, writer = make("lost", only="append", content=b"before")
    await writer.write(b"five.")
    with pytest.raises(Unexpected):
        await writer.close()
    metadata = await writer.close()
    assert (metadata.content_length, metadata.etag, store.content) == (11, '"11"', b"beforefive.")
    assert store.faults.calls[-1] == ("append", 0)


async def test_an_append_that_failed_goes_to_where_the_end_is_now():
    store, writer = make()
    await writer.write(CONTENT[:10])
    await writer.write(b"tail")
    store.content += b"of another writer"
    with pytest.raises(Unexpected, match="not the end"):
        await writer.close()
    await writer.close()
    assert store.content == CONTENT[:10] + b"of another writer" + b"tail"


@pytest.mark.parametrize("in_pieces", [True, False])
async def test_the_bytes_that_a_failed_append_has_stored_are_not_sent_again(in_pieces):
    store, _ = make("refused", only="append", content=b"before")
    writer = AppendWriter(store.find_end, store.append, 10, in_pieces=in_pieces)
    await writer.write(CONTENT[:8])
    with pytest.raises(Unexpected):
        await writer.close()
    store.content += CONTENT[:3]
    metadata = await writer.close()
    assert store.content == b"before" + (CONTENT[:8] if in_pieces else CONTENT[:3] + CONTENT[:8])
    assert metadata.content_length == len(store.content)


async def test_a_cancelled_append_counts_as_in_doubt():
    store, writer = make(pauses=[0, 1])
    await writer.write(CONTENT[:10])
    writing = asyncio.ensure_future(writer.write(b"x"))
    while store.content is None:
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await writer.write(b"y")
    await writer.close()
    assert store.content == CONTENT[:10] + b"y"


async def test_asking_for_the_end_may_fail():
    _, writer = make("refused", only="find_end", content=b"before")
    with pytest.raises(Unexpected):
        await writer.close()
    assert (await writer.close()).content_length == 6


async def test_an_abort_drops_what_is_buffered_and_what_was_appended_stays():
    store, writer = make(content=b"before")
    await writer.write(CONTENT[:10])
    await writer.write(b"buffered")
    await writer.abort()
    assert store.content == b"before" + CONTENT[:10]
    assert store.faults.names == ["find_end", "append"]
