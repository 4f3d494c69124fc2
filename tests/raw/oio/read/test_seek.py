"""Position arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import InvalidInput
from entrepot.raw.oio import seek_target


@given(st.integers(-100, 100), st.integers(0, 2), st.integers(0, 80), st.integers(0, 60))
def test_leads_where_arithmetic_says_and_never_left_of_the_start(
    offset: int, whence: int, position: int, size: int
) -> None:
    expected = (0, position, size)[whence] + offset
    if expected < 0:
        with pytest.raises(InvalidInput, match="before the start"):
            seek_target(offset, whence, position, size)
    else:
        assert seek_target(offset, whence, position, size) == expected


@pytest.mark.parametrize(
    ("offset", "whence"), [(1.0, 0), ("1", 0), (None, 0), (True, 0), (0, 3), (0, -1), (0, "end"), (0, None)]
)
def test_what_makes_no_sense_is_refused(offset: object, whence: object) -> None:
    with pytest.raises(InvalidInput):
        seek_target(offset, whence, 0, 10)  # type: ignore[arg-type]


def test_the_size_is_needed_from_the_end_only() -> None:
    assert seek_target(5, 0, 0, None) == 5
    assert seek_target(5, 1, 2, None) == 7
    with pytest.raises(InvalidInput):
        seek_target(0, 2, 0, None)
