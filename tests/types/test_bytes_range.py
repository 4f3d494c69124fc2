"""Which bytes are meant, and what cannot be meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import BytesRange, InvalidInput, RangeNotSatisfied
from entrepot.types.bytes_range import is_span
from entrepot.types.numbers import LARGEST


class Index:
    def __index__(self) -> int:
        return 7


@pytest.mark.parametrize(
    ("range_", "size", "expected"),
    [
        (BytesRange(), 10, (0, 10)),
        (BytesRange(3), 10, (3, 10)),
        (BytesRange(3, 5), 10, (3, 5)),
        (BytesRange(3, 50), 10, (3, 10)),
        (BytesRange(10, 50), 10, (10, 10)),
        (BytesRange(10), 10, (10, 10)),
        (BytesRange(suffix=3), 10, (7, 10)),
        (BytesRange(suffix=30), 10, (0, 10)),
        (BytesRange(suffix=0), 10, (10, 10)),
        (BytesRange(suffix=5), 0, (0, 0)),
        (BytesRange(0, 5), 0, (0, 0)),
    ],
)
def test_resolves_in_an_object(range_: BytesRange, size: int, expected: tuple[int, int]) -> None:
    assert range_.resolve(size) == expected


@pytest.mark.parametrize("range_", [BytesRange(11), BytesRange(11, 12)])
def test_a_start_behind_the_end_is_not_satisfied(range_: BytesRange) -> None:
    with pytest.raises(RangeNotSatisfied):
        range_.resolve(10)


@pytest.mark.parametrize(
    "arguments",
    [
        (5, 4),
        (-1,),
        (0, -1),
        (0, None, -1),
        ("1",),
        (1.0,),
        (None,),
        (True,),
        (0, True),
        (0, "2"),
        (0, 5, 3),
        (1, None, 3),
    ],
)
def test_what_cannot_be_a_range_is_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(InvalidInput):
        BytesRange(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [5, None, "0-5", (1,), (1, 2, 3), [0, 5], slice(0, 5)])
def test_only_a_range_or_a_pair_is_taken_for_one(value: object) -> None:
    with pytest.raises(InvalidInput):
        BytesRange.of(value)  # type: ignore[arg-type]


def test_a_pair_is_taken_for_a_range() -> None:
    assert BytesRange.of((1, None)) == BytesRange(1)
    assert BytesRange.of((1, 4)) == BytesRange(1, 4)
    range_ = BytesRange(suffix=2)
    assert BytesRange.of(range_) is range_


@pytest.mark.parametrize("pair", [(0, 0), (3, 5), (0, LARGEST), (LARGEST, LARGEST)])
def test_a_pair_that_is_a_span_is_a_range_of_the_same_values(pair: tuple[int, int]) -> None:
    assert is_span(pair)
    range_ = BytesRange.of(pair)
    assert (range_.start, range_.end) == pair


@pytest.mark.parametrize(
    "value",
    [(5, 3), (-1, 3), (0, LARGEST + 1), (0, None), (0, 1.0), (False, True), (Index(), 9), (1,), (1, 2, 3), [1, 2], 7],
)
def test_what_a_range_would_refuse_or_change_is_no_span(value: object) -> None:
    assert not is_span(value)


def test_what_stands_for_an_integer_becomes_one() -> None:
    assert type(BytesRange(0, Index()).end) is int  # type: ignore[arg-type]


@given(st.integers(0, 50), st.one_of(st.none(), st.integers(0, 60)), st.integers(0, 50))
def test_agrees_with_slicing(start: int, length: int | None, size: int) -> None:
    content = bytes(range(size))
    range_ = BytesRange(start, None if length is None else start + length)
    assert range_.is_empty == (length == 0)
    if start > size:
        with pytest.raises(RangeNotSatisfied):
            range_.resolve(size)
    else:
        begin, end = range_.resolve(size)
        assert content[begin:end] == content[start : None if length is None else start + length]


@given(st.integers(0, 60), st.integers(0, 50))
def test_a_suffix_agrees_with_slicing(suffix: int, size: int) -> None:
    content = bytes(range(size))
    begin, end = BytesRange(suffix=suffix).resolve(size)
    assert content[begin:end] == content[max(0, size - suffix) :]


def test_text_is_short() -> None:
    assert [str(one) for one in (BytesRange(), BytesRange(2, 5), BytesRange(suffix=8))] == ["0..", "2..5", "-8"]
