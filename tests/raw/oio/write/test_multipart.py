"""What only the multipart writer does: sizes of parts, parts in flight, and uploads that begin and end."""

import asyncio
import tracemalloc
from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import Capability, InvalidInput, Metadata, Unexpected, Unsupported
from entrepot.raw import OpWrite
from entrepot.raw.oio import MultipartUpload, MultipartWriter, Part, PartSizes
from entrepot.raw.oio.write import multipart
from entrepot.raw.oio.write import parts_in_flight as sending
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from tests.raw.oio.stores import Faults, MultipartStore

KIB, MIB, GIB, TIB = (1024**power for power in range(1, 5))
S3 = Capability(write_multi_min_size=5 * MIB, write_multi_max_size=5 * GIB)
LARGEST = 10_000 * 5 * GIB
CONTENT = bytes(range(250))


def make(*fates, only=None, pauses=(), size=3, sizes=None):
    store = MultipartStore(Faults(fates, pauses, only), sizes)
    return store, store.writer(AsyncioRuntime().window(size))


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class TestPartSizes:
    def test_ten_thousand_parts_hold_five_tebibytes(self):
        sizes = PartSizes(S3, OpWrite())
        held = [sizes.size(number) for number in range(1, 10_001)]
        assert sum(held) == sizes.capacity >= 5 * TIB
        assert held[:1000] == [8 * MIB] * 1000
        assert held == sorted(held)
        assert held[-1] <= 5 * GIB
        assert all(size % KIB == 0 for size in held)
        steps = {after - before for before, after in pairwise(held[999:])}
        assert len(steps) == 1
        assert sum(held) < 5.1 * TIB

    @pytest.mark.parametrize(
        ("chunk", "size"), [(1, 5 * MIB), (5 * MIB, 5 * MIB), (5 * MIB + 1, 5 * MIB + 1), (6 * GIB, 5 * GIB)]
    )
    def test_a_chunk_is_exact_for_half_of_the_parts_as_far_as_the_service_allows_it(self, chunk, size):
        sizes = PartSizes(S3, OpWrite(chunk=chunk))
        assert {sizes.size(number) for number in (1, 2, 1000, 1001, 5000)} == {size}

    @pytest.mark.parametrize("chunk", [1, 5 * MIB, 64 * MIB, 5 * TIB // 10_000])
    def test_a_small_chunk_hinders_no_object_that_the_service_takes(self, chunk):
        sizes = PartSizes(replace(S3, write_total_max_size=5 * TIB), OpWrite(chunk=chunk))
        held = [sizes.size(number) for number in range(1, 10_001)]
        assert sizes.capacity == 5 * TIB <= sum(held)
        assert held == sorted(held)
        assert len({after - before for before, after in pairwise(held[4999:])}) == 1
        sizes.check_fits(5 * TIB)

    def test_a_large_chunk_stays_as_it_is(self):
        sizes = PartSizes(S3, OpWrite(chunk=GIB))
        assert {sizes.size(number) for number in range(1, 10_001)} == {GIB}
        assert sizes.capacity == 10_000 * GIB

    def test_fewer_parts_are_equal_where_the_largest_would_not_hold_the_rest(self):
        sizes = PartSizes(Capability(write_multi_max_size=100), OpWrite(chunk=10), max_parts=10)
        assert sizes.capacity == 1000 == 10 * sizes.size(10)
        limits = Capability(write_multi_max_size=100, write_total_max_size=700)
        sizes = PartSizes(limits, OpWrite(chunk=10), max_parts=10)
        assert [sizes.size(number) for number in range(1, 11)] == [10] * 3 + [100] * 7

    @given(
        chunk=st.none() | st.integers(1, 1 << 34),
        smallest=st.none() | st.integers(1, 1 << 24),
        more=st.none() | st.integers(0, 1 << 33),
        total=st.none() | st.integers(1, 1 << 46),
        max_parts=st.integers(1, 3000),
    )
    def test_every_part_is_within_the_limits_and_the_capacity_is_their_sum(
        self, chunk, smallest, more, total, max_parts
    ):
        largest = None if more is None else (smallest or 1) + more
        capability = Capability(write_multi_min_size=smallest, write_multi_max_size=largest, write_total_max_size=total)
        sizes = PartSizes(capability, OpWrite(chunk=chunk), max_parts=max_parts)
        held = [sizes.size(number) for number in range(1, max_parts + 1)]
        assert (smallest or 1) <= min(held)
        assert max(held) <= (largest or max(held))
        assert held == sorted(held)
        assert [sizes.offset(number) for number in range(1, max_parts + 1)] == [0, *accumulate(held[:-1])]
        assert sizes.capacity == min(sum(held), total or sum(held))
        assert sizes.capacity >= min(total or 5 * TIB, 5 * TIB, max_parts * (largest or 5 * TIB))
        sizes.check_fits(sizes.capacity)
        with pytest.raises(InvalidInput):
            sizes.check_fits(sizes.capacity + 1)

    @pytest.mark.parametrize("length", [9 * GIB, 79 * GIB, 5 * TIB, 40 * TIB, LARGEST])
    def test_with_the_length_as_a_hint_all_parts_are_equal(self, length):
        sizes = PartSizes(replace(S3, write_total_max_size=LARGEST), OpWrite(content_length_hint=length))
        count = -(-length // sizes.size(1))
        assert count <= 10_000
        assert {sizes.size(number) for number in range(1, count + 1)} == {sizes.size(1)}
        sizes.check_fits(length)

    def test_a_hint_that_is_too_low_limits_nothing(self):
        sizes = PartSizes(replace(S3, write_total_max_size=LARGEST), OpWrite(content_length_hint=100 * GIB))
        assert sizes.size(8000) == 12 * MIB < sizes.size(10_000)
        sizes.check_fits(5 * TIB)

    def test_parts_that_must_be_equal_never_grow_and_say_what_to_do_at_their_end(self):
        sizes = PartSizes(replace(S3, write_total_max_size=LARGEST), OpWrite(), is_equal=True)
        assert {sizes.size(number) for number in (1, 1001, 10_000)} == {8 * MIB}
        with pytest.raises(InvalidInput, match="set content_length_hint or chunk"):
            sizes.check_fits(80_000 * MIB + 1)
        hinted = PartSizes(S3, OpWrite(content_length_hint=80_000 * MIB + 1), is_equal=True)
        assert (hinted.size(1), hinted.size(10_000)) == (9 * MIB, 9 * MIB)

    def test_an_object_that_the_largest_parts_cannot_hold_is_refused(self):
        sizes = PartSizes(Capability(write_multi_max_size=10), OpWrite(), max_parts=3)
        sizes.check_fits(30)
        with pytest.raises(InvalidInput, match="more than 30 bytes, the most that 3 parts hold"):
            sizes.check_fits(31)

    def test_an_object_over_the_limit_of_the_service_is_refused(self):
        sizes = PartSizes(Capability(write_total_max_size=100), OpWrite(chunk=10))
        sizes.check_fits(100)
        with pytest.raises(InvalidInput, match="more than 100 bytes, the most that the service takes"):
            sizes.check_fits(101)


@pytest.fixture
def growing(monkeypatch):
    """Parts of 8 bytes, and after two of them of 13, 18, 23 ..."""
    monkeypatch.setattr(multipart, "_FIRST_SIZE", 8)
    monkeypatch.setattr(multipart, "_STEP_UNIT", 1)
    return PartSizes(Capability(write_total_max_size=1000), OpWrite(), max_parts=20)


async def test_parts_grow_as_their_sizes_say(growing):
    store, writer = make(sizes=growing)
    for begin in range(0, 100, 7):
        await writer.write(CONTENT[begin : min(100, begin + 7)])
    await writer.close()
    assert store.content == CONTENT[:100]
    assert store.part_sizes == [8, 8, 13, 18, 23, 28, 2]


async def test_parts_of_a_chunk_grow_only_behind_the_first_half(monkeypatch):
    monkeypatch.setattr(multipart, "_STEP_UNIT", 1)
    sizes = PartSizes(Capability(write_total_max_size=1000), OpWrite(chunk=10), max_parts=20)
    store, writer = make(sizes=sizes)
    for begin in range(0, 250, 7):
        await writer.write(CONTENT[begin : min(250, begin + 7)])
    await writer.close()
    assert store.content == CONTENT
    assert store.part_sizes == [*[10] * 10, 25, 40, 55, 30]


@pytest.mark.parametrize(("size", "parts"), [(11, [10, 1]), (20, [10, 10]), (25, [10, 10, 5])])
async def test_all_parts_but_the_last_are_full_and_none_is_empty(size, parts):
    store, writer = make()
    await writer.write(CONTENT[:size])
    await writer.close()
    assert (store.part_sizes, store.content) == (parts, CONTENT[:size])
    assert store.faults.names == ["initiate", *["upload_part"] * len(parts), "complete"]


async def test_the_upload_begins_when_the_first_part_is_more_than_full():
    store, writer = make()
    await writer.write(CONTENT[:10])
    await writer.write(CONTENT[10:11])
    assert store.faults.names == []
    await writer.write(CONTENT[11:12])
    assert store.faults.names[0] == "initiate"
    await writer.abort()


async def test_a_full_part_is_on_its_way_when_the_write_that_filled_it_returns():
    store, writer = make()
    await writer.write(CONTENT[:20])
    await writer.write(CONTENT[20:30])
    await asyncio.sleep(0)
    assert store.faults.names == ["initiate", *["upload_part"] * 3]
    await writer.abort()


async def test_what_cannot_fit_is_refused_and_nothing_of_it_is_sent():
    sizes = PartSizes(Capability(write_total_max_size=30), OpWrite(chunk=10), max_parts=3)
    store, writer = make(sizes=sizes)
    await writer.write(CONTENT[:25])
    for data in (CONTENT[:6], CONTENT):
        with pytest.raises(InvalidInput, match="the most that the service takes"):
            await writer.write(data)
    assert store.faults.calls == []
    await writer.write(CONTENT[25:30])
    await writer.close()
    assert (store.content, store.part_sizes) == (CONTENT[:30], [10, 10, 10])


async def test_parts_run_side_by_side_and_no_more_than_the_window_has():
    store, writer = make(pauses=[0, *[5] * 20], size=3)
    await writer.write(CONTENT[:100])
    await writer.close()
    assert store.faults.most_in_flight == 30
    assert store.content == CONTENT[:100]


async def test_large_parts_wait_although_the_window_has_room(monkeypatch, growing):
    monkeypatch.setattr(sending, "MAX_IN_FLIGHT", 40)
    store, writer = make(pauses=[0, *[5] * 20], size=10, sizes=growing)
    await writer.write(CONTENT)
    await writer.close()
    assert store.part_sizes == [8, 8, 13, 18, 23, 28, 33, 38, 43, 38]
    assert 38 <= store.faults.most_in_flight <= 43
    assert store.content == CONTENT


async def test_a_large_write_is_not_copied_at_once():
    class Nowhere(MultipartStore):
        async def upload_part(self, upload, number, content):
            await asyncio.sleep(0)
            return Part(number, "", sum(map(len, content)))

        async def complete(self, upload, parts):
            return Metadata(content_length=sum(part.size for part in parts))

    sizes = PartSizes(Capability(), OpWrite(chunk=64 * KIB))
    writer = MultipartWriter(Nowhere(Faults()), sizes, AsyncioRuntime().window(2))
    data = bytes(16 * MIB)
    tracemalloc.start()
    try:
        await writer.write(data)
        metadata = await writer.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert metadata.content_length == 16 * MIB
    assert peak < MIB


async def test_a_part_that_is_one_write_is_not_copied():
    given = []

    class Keeping(MultipartStore):
        async def upload_part(self, upload, number, content):
            given.extend(content)
            return await super().upload_part(upload, number, content)

    data = [bytes([number]) * 10 for number in range(3)]
    writer = Keeping(Faults()).writer(AsyncioRuntime().window(1))
    for piece in data:
        await writer.write(piece)
    await writer.close()
    assert [sent is piece for sent, piece in zip(given, data, strict=True)] == [True] * 3


async def test_a_failed_part_is_sent_again_by_the_next_verb_and_no_other_is():
    store, writer = make("refused", only="upload_part", pauses=[0, *[3] * 20], size=2)
    await writer.write(CONTENT[:20])
    with pytest.raises(Unexpected):
        for begin in range(20, 100, 10):
            await writer.write(CONTENT[begin : begin + 10])
    written = begin
    await writer.write(CONTENT[begin : begin + 10])
    await writer.close()
    assert store.content == CONTENT[: written + 10]
    numbers = [number for number, _ in store.sent]
    assert sorted(numbers) == list(range(1, len(store.part_sizes) + 1))
    assert store.faults.names.count("upload_part") == len(numbers) + 1


async def test_an_outage_of_all_parts_in_flight_is_one_error():
    store, writer = make(*["refused"] * 4, only="upload_part", pauses=[0, *[1] * 50], size=4)
    await writer.write(CONTENT[:100])
    with pytest.raises(Unexpected):
        await writer.close()
    await writer.close()
    assert store.content == CONTENT[:100]


async def test_a_complete_that_failed_is_made_again_alone():
    store, writer = make("lost", "refused", only="complete")
    await writer.write(CONTENT[:25])
    for _ in range(2):
        with pytest.raises(Unexpected):
            await writer.close()
    assert (await writer.close()).content_length == 25
    assert store.faults.names == ["initiate", *["upload_part"] * 3, *["complete"] * 3]


async def test_a_beginning_that_failed_is_made_again():
    store, writer = make("refused", only="initiate")
    await writer.write(CONTENT[:25])
    with pytest.raises(Unexpected):
        await writer.close()
    await writer.close()
    assert store.content == CONTENT[:25]
    assert store.faults.names.count("initiate") == 2


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_id_of_an_upload_is_known_although_its_beginning_was_cancelled(end):
    store, writer = make(pauses=[5])
    await writer.write(CONTENT[:25])
    writing = asyncio.ensure_future(writer.write(b"x"))
    while not store.faults.running:
        await asyncio.sleep(0)
    await cancelled(writing)
    assert store.uploads == {}
    await getattr(writer, end)()
    assert store.faults.names.count("initiate") == 1
    assert store.leftovers == []
    assert store.content == (CONTENT[:25] if end == "close" else None)


async def test_an_abort_whose_wait_for_the_beginning_is_cancelled_can_be_made_again():
    store, writer = make(pauses=[20])
    await writer.write(CONTENT[:25])
    for verb in (lambda: writer.write(b"x"), writer.abort, writer.abort):
        task = asyncio.ensure_future(verb())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await cancelled(task)
    await writer.abort()
    assert (store.faults.names, store.leftovers) == (["initiate", "abort"], [])


async def test_an_upload_that_did_not_begin_needs_no_abort():
    store, writer = make("refused", only="initiate", pauses=[3])
    await writer.write(CONTENT[:25])
    writing = asyncio.ensure_future(writer.write(b"x"))
    while not store.faults.running:
        await asyncio.sleep(0)
    await cancelled(writing)
    await writer.abort()
    assert store.faults.names == ["initiate"]


async def test_an_abort_ends_the_parts_in_flight_first():
    store, writer = make(pauses=[0, *[1000] * 5])
    await writer.write(CONTENT[:100])
    closing = asyncio.ensure_future(writer.close())
    while store.faults.running < 3:
        await asyncio.sleep(0)
    await cancelled(closing)
    assert store.faults.running == 3
    await writer.abort()
    assert (store.faults.running, store.faults.names[-1], store.leftovers) == (0, "abort", [])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_abort_of_what_no_upload_began_for_sends_nothing():
    store, writer = make()
    await writer.write(CONTENT[:25])
    await writer.abort()
    assert store.faults.calls == []


@pytest.mark.parametrize(
    "call",
    [
        lambda upload: upload.store(b""),
        lambda upload: upload.initiate(),
        lambda upload: upload.upload_part("id", 1, b""),
        lambda upload: upload.complete("id", []),
        lambda upload: upload.abort("id"),
    ],
)
async def test_what_a_service_leaves_out_is_unsupported(call):
    with pytest.raises(Unsupported):
        await call(MultipartUpload())
