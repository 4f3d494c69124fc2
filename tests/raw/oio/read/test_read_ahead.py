"""The policy of random access: how many bytes each request has."""

import pytest

from entrepot.raw.oio.read.api import WHOLE
from entrepot.raw.oio.read.read_ahead import SKIP_LIMIT, START, TAIL, ReadAhead, is_cheaper_to_drain

MIB = 1024 * 1024

# (position, bytes read, whether the position moved) and the size of the request, one after the other
TABLE = {
    "a stream from the start": (None, [((0, 10, False), None), ((10, 10, False), None)]),
    "again at the start": (None, [((0, 10, False), None), ((0, 10, True), 10)]),
    "everything after a seek": (None, [((5, WHOLE, True), None), ((9, 10, False), None)]),
    "jumps": (None, [((9000, 10, True), 10), ((500, 7, True), 7), ((100_000, 1, True), 1)]),
    "doubling": (
        None,
        [
            ((1, 10, True), 10),
            ((11, 10, False), START),
            ((11 + START, 10, False), 2 * START),
            ((11 + 3 * START, 10, False), 4 * START),
            ((0, 10, True), 10),
            ((10, 10, False), START),
        ],
    ),
    "large reads are requested as they are": (
        None,
        [((1, MIB, True), MIB), ((1 + MIB, MIB, False), MIB), ((1 + 2 * MIB, MIB, False), MIB)],
    ),
    "a gap no larger than the request continues it": (
        None,
        [((1, 100, True), 100), ((201, 10, True), START), ((202 + 2 * START, 10, True), 10)],
    ),
    "no gap is larger than what is skipped": (None, [((1, MIB, True), MIB), ((2 + MIB + SKIP_LIMIT, 9, True), 9)]),
    "the rest after an error": (None, [((1, 100, True), 100), ((61, 10, False), 40), ((61, 50, False), 50)]),
    "a limit": (
        3 * START,
        [
            ((0, 10, False), START),
            ((START, 10, False), 2 * START),
            ((3 * START, 10, False), 3 * START),
            ((6 * START, 10, False), 3 * START),
            ((9 * START, MIB, False), MIB),
        ],
    ),
    "nothing ahead": (0, [((0, 10, False), 10), ((10, 10, False), 10), ((20, 1, False), 1)]),
}


@pytest.mark.parametrize(("limit", "requests"), TABLE.values(), ids=TABLE.keys())
def test_the_size_of_each_request(limit: int | None, requests: list[tuple[tuple[int, int, bool], int | None]]) -> None:
    policy = ReadAhead(limit)
    for (position, n, has_moved), size in requests:
        assert policy.size_of(position, n, has_moved=has_moved) == size


def test_a_server_that_sends_everything_is_asked_for_everything() -> None:
    assert ReadAhead(0).size_of(10, 10, has_moved=True, is_whole=True) is None


def test_the_end_is_read_at_once_only_with_a_limit_that_allows_it() -> None:
    assert ReadAhead(TAIL).wants_tail(MIB - 22, MIB)
    assert ReadAhead(TAIL).wants_tail(0, 10)
    for limit, position in ((None, MIB - 22), (TAIL - 1, MIB - 22), (TAIL, MIB - TAIL - 1), (TAIL, MIB)):
        assert not ReadAhead(limit).wants_tail(position, MIB)


def test_a_rest_of_unknown_size_is_not_drained() -> None:
    assert is_cheaper_to_drain(0)
    assert not is_cheaper_to_drain(None)
