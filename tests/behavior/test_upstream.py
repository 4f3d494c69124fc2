"""No case of the project that the model comes from is forgotten."""

import pytest

from entrepot.testing import CASES
from tests.behavior.upstream import TOTALS, UPSTREAM, NotHere

NAMES = {case.name for case in CASES}
EVERY = [(name, held) for cases in UPSTREAM.values() for name, held in cases.items()]


def test_all_of_their_cases_stand_in_the_table():
    assert {operation: len(cases) for operation, cases in UPSTREAM.items()} == TOTALS
    assert len({name for name, _ in EVERY}) == sum(TOTALS.values()) == 161


@pytest.mark.parametrize(("name", "held"), EVERY, ids=[name for name, _ in EVERY])
def test_each_is_held_by_a_case_or_has_a_reason(name, held):
    if isinstance(held, NotHere):
        assert len(held.reason) > 20
    else:
        assert set(held.split()) <= NAMES
        assert held
