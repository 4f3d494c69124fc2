"""Which requests answer many ranges, and that the answers are cut out of them rightly."""

import asyncio
import itertools
import tracemalloc
from collections.abc import Awaitable, Callable
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import BytesRange, Metadata
from entrepot.raw import DEFAULT_READ, Accessor, RpRead, oio
from entrepot.raw.oio.read import api, fetch
from entrepot.raw.oio.read.fetch import fetch_ranges, fetch_views, merge_spans, split_span
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.raw.runtime.asyncio import AsyncioRuntime

MIB = 1024**2

SPANS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30)).map(lambda one: (one[0], one[0] + one[1])))


@pytest.mark.parametrize(
    ("spans", "gap", "expected"),
    [
        ([], 0, []),
        ([(5, 5)], 0, []),
        ([(0, 5), (5, 9)], 0, [(0, 9)]),
        ([(0, 5), (6, 9)], 0, [(0, 5), (6, 9)]),
        ([(0, 5), (6, 9)], 1, [(0, 9)]),
        ([(6, 9), (0, 5)], 1, [(0, 9)]),
        ([(0, 100), (10, 20), (30, 110)], 0, [(0, 110)]),
        ([(0, 5), (0, 5)], 0, [(0, 5)]),
    ],
)
def test_merge(spans: list[tuple[int, int]], gap: int, expected: list[tuple[int, int]]) -> None:
    assert merge_spans(spans, gap) == expected


@given(SPANS, st.integers(0, 40))
def test_merged_spans_cover_all_are_sorted_and_lie_more_than_the_gap_apart(
    spans: list[tuple[int, int]], gap: int
) -> None:
    merged = merge_spans(spans, gap)
    for begin, end in spans:
        assert begin == end or any(low <= begin and end <= high for low, high in merged)
    assert all(after[0] - before[1] > gap for before, after in itertools.pairwise(merged))
    edges = {begin for begin, _ in spans} | {end for _, end in spans}
    assert {edge for span in merged for edge in span} <= edges


@given(st.integers(0, 100), st.integers(1, 100), st.one_of(st.none(), st.integers(1, 40)))
def test_pieces_follow_each_other_and_none_is_larger_than_asked(begin: int, length: int, size: int | None) -> None:
    pieces = split_span((begin, begin + length), size)
    assert pieces[0][0] == begin
    assert pieces[-1][1] == begin + length
    assert all(before[1] == after[0] for before, after in itertools.pairwise(pieces))
    assert all(0 < high - low <= (size or length) for low, high in pieces)


CONTENT = bytes(range(200))


class Pieces(oio.Read):
    """Content that comes in pieces of some size."""

    def __init__(self, size: int, piece: int, content: bytes | None = None) -> None:
        self.left = size
        self.piece = piece
        self.content = content

    @property
    def remaining(self) -> int:
        return self.left

    async def read(self, n: int) -> bytes:
        size = min(n, self.piece, self.left)
        begin, self.left = -self.left, self.left - size
        return bytes(size) if self.content is None else self.content[begin : begin + size or None]


class Known(PinnedRange):
    """A range whose bytes come in pieces of some size."""

    def __init__(self, piece: int) -> None:
        super().__init__(Accessor(), "p", DEFAULT_READ)
        self.size = len(CONTENT)
        self.piece = piece
        self.asked: list[tuple[int, int]] = []

    async def receive(self, begin: int, end: int, take: Callable[[oio.Read], Awaitable[int]]) -> int:
        self.asked.append((begin, end))
        return await take(Pieces(end - begin, self.piece, CONTENT[begin:end]))


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)).map(lambda one: (one[0], one[0] + one[1]))),
    st.integers(0, 20),
    st.none() | st.integers(1, 50),
    st.integers(1, 70),
    st.sampled_from([1, 10, fetch.DIRECT]),
)
def test_every_range_is_cut_out_of_the_pieces_that_come(
    asked: list[tuple[int, int]], gap: int, chunk: int | None, piece: int, direct: int
) -> None:
    ranges = [BytesRange(begin, end) if begin % 2 else (begin, end) for begin, end in asked]

    async def fetched() -> tuple[list[bytes], list[memoryview]]:
        window = AsyncioRuntime().window
        copied = await fetch_ranges(Known(piece), ranges, gap, chunk, window(3))
        return copied, await fetch_views(Known(piece), ranges, gap, chunk, window(3))

    with patch.object(fetch, "DIRECT", direct), patch.object(api, "DIRECT", direct):
        copied, views = asyncio.run(fetched())
    assert copied == [CONTENT[begin:end] for begin, end in asked]
    assert [type(content) for content in copied] == [bytes] * len(asked)
    assert views == copied
    assert all(view.readonly for view in views)
    memory = {id(view.obj): len(view.obj) for view in views}  # type: ignore[arg-type]
    covered = sum(high - low for low, high in merge_spans(asked, 0))
    assert sum(memory.values()) <= 2 * covered + sum(high - low for low, high in asked)  # joined ones have their own


async def test_views_of_near_ranges_are_of_one_block_and_those_of_far_ones_are_not():
    near = [BytesRange(0, 40), BytesRange(60, 100), BytesRange(90, 95)]
    first, second, third = await fetch_views(Known(7), near, 20, None, AsyncioRuntime().window(1))
    assert first.obj is second.obj is third.obj
    assert (first, second, third) == (CONTENT[:40], CONTENT[60:100], CONTENT[90:95])

    far = [BytesRange(0, 10), BytesRange(90, 100)]
    first, second = await fetch_views(Known(7), far, 200, None, AsyncioRuntime().window(1))
    assert (first.obj, second.obj) == (CONTENT[:10], CONTENT[90:100])


async def test_each_of_two_equal_ranges_has_a_view_of_its_own() -> None:
    first, second = await fetch_views(Known(7), [(0, 40), (0, 40)], 0, None, AsyncioRuntime().window(1))
    first.release()
    assert second == CONTENT[:40]


async def test_what_lies_between_the_ranges_is_not_kept() -> None:
    class Long(Known):
        async def receive(self, begin: int, end: int, take: Callable[[oio.Read], Awaitable[int]]) -> int:
            return await take(Pieces(end - begin, self.piece))

    pinned = Long(MIB)
    pinned.size = 64 * MIB
    tracemalloc.start()
    try:
        ranges = [BytesRange(begin, begin + 10) for begin in range(0, 64 * MIB, MIB)]
        found = await fetch_ranges(pinned, ranges, MIB, None, AsyncioRuntime().window(1))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [bytes(10)] * 64
    assert peak < 4 * MIB


def test_facts_that_a_reader_learns_while_it_fetches_on_another_runtime_stay():
    pinned = PinnedRange(Accessor(), "p", DEFAULT_READ)
    fetching = pinned.through(Accessor())
    pinned.note(RpRead(metadata=Metadata(content_length=10)))

    pinned.learn_from(fetching)  # as after a fetch that failed

    assert pinned.size == 10


def test_facts_that_a_fetch_on_another_runtime_learns_are_known_to_the_reader():
    pinned = PinnedRange(Accessor(), "p", DEFAULT_READ)
    fetching = pinned.through(Accessor())
    fetching.note(RpRead(metadata=Metadata(content_length=10)))

    pinned.learn_from(fetching)

    assert pinned.size == 10
