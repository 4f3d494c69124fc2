"""What `LastBlock` fetches for which reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from entrepot.integrations.last_block import WORTH_A_REQUEST, LastBlock

Fetch = Callable[[int, int], bytes]

KIB = 1024
CONTENT = bytes(range(250)) * 4000
READS = [
    (500_000, 500_010, (500_000, 500_010)),  # anywhere: exactly
    (500_010, 500_020, (500_010, 500_020 + 64 * KIB)),  # goes on: ahead
    (500_020, 540_000, None),  # in the block
    (499_999, 500_001, (499_999, 500_001)),  # back: exactly
    (500_001, 500_002, (500_001, 500_002 + 64 * KIB)),
    (500_002 + 64 * KIB, 600_000, (500_002 + 64 * KIB, 600_000 + 128 * KIB)),
    (600_000, 900_000, (600_000 + 128 * KIB, 900_000 + 200 * KIB)),  # the rest of the block is kept; the limit
    (999_990, 2_000_000, None),  # to the end of the file
    (2_000_000, 2_000_001, None),
    (5, 5, None),
]


@pytest.fixture
def asked() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def fetch(asked: list[tuple[int, int]]) -> Fetch:
    def fetch(start: int, end: int) -> bytes:
        asked.append((start, end))
        return CONTENT[start:end]

    return fetch


def test_what_is_fetched(fetch: Fetch, asked: list[tuple[int, int]]) -> None:
    reads = LastBlock(fetch, len(CONTENT), 200 * KIB)
    for start, stop, expected in READS:
        asked.clear()
        assert reads.read(start, stop) == CONTENT[start:stop]
        clamped = [(expected[0], min(expected[1], len(CONTENT)))] if expected else []
        assert asked == clamped


def test_a_small_file_is_fetched_whole_when_the_requests_have_cost_as_much(
    fetch: Fetch, asked: list[tuple[int, int]]
) -> None:
    reads = LastBlock(fetch, 900_000, 8 * WORTH_A_REQUEST)
    for start in (899_990, 17, 500_000, 0):
        assert reads.read(start, start + 5) == CONTENT[start : start + 5]
    assert asked == [(899_990, 899_995), (0, 900_000)]


def test_a_small_file_that_is_read_in_order_is_fetched_once(fetch: Fetch, asked: list[tuple[int, int]]) -> None:
    reads = LastBlock(fetch, 900_000, 8 * WORTH_A_REQUEST)
    assert b"".join(reads.read(at, at + 9_000) for at in range(0, 900_000, 9_000)) == CONTENT[:900_000]
    assert asked == [(0, 9_000), (9_000, 900_000)]


def test_large_pieces_in_order_soon_make_large_requests() -> None:
    asked: list[tuple[int, int]] = []
    mib = KIB * KIB

    def fetch(start: int, end: int) -> bytes:
        asked.append((start, end))
        return bytes(end - start)

    reads = LastBlock(fetch, 64 * mib, 8 * mib)
    for start in range(0, 64, 2):
        reads.read(start * mib, (start + 2) * mib)
    assert [(end - start) // mib for start, end in asked] == [2, 4, 6, 10, 10, 10, 10, 10, 2]
    assert asked[-1][1] == 64 * mib
