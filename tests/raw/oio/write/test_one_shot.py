"""What only the one-shot writer does."""

import pytest

from entrepot import Metadata, Unexpected
from entrepot.raw.oio import OneShotWriter
from tests.raw.oio.stores import Faults, OneShotStore


async def test_a_single_write_is_stored_without_a_copy():
    stored = []

    async def store(content):
        stored.append(content)
        return Metadata()

    data = b"content" * 1000
    writer = OneShotWriter(store)
    await writer.write(data)
    await writer.close()
    assert stored[0] is data


async def test_the_same_bytes_are_stored_again_after_a_failure():
    store = OneShotStore(Faults(["refused", "lost"]))
    writer = store.writer(None)
    for data in (b"con", b"te", b"nt"):
        await writer.write(data)
    for _ in range(2):
        with pytest.raises(Unexpected):
            await writer.close()
    assert (await writer.close()).content_length == 7
    assert (store.content, store.faults.calls) == (b"content", [("store", 7)] * 3)


async def test_a_length_that_the_service_says_is_given_as_it_is():
    async def store(content):
        return Metadata(content_length=99)

    writer = OneShotWriter(store)
    await writer.write(b"x")
    assert (await writer.close()).content_length == 99
