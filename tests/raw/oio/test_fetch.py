"""Which requests answer many ranges, and that the answers are cut out of them rightly."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.raw.oio.fetch import merge_spans, split_span

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
