"""What `LastBlock` fetches for which reads."""

from __future__ import annotations

from entrepot.integrations.last_block import LastBlock

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


def test_what_is_fetched() -> None:
    asked: list[tuple[int, int]] = []

    def fetch(start: int, end: int) -> bytes:
        asked.append((start, end))
        return CONTENT[start:end]

    reads = LastBlock(fetch, len(CONTENT), 200 * KIB)
    for start, stop, expected in READS:
        asked.clear()
        assert reads.read(start, stop) == CONTENT[start:stop]
        clamped = [(expected[0], min(expected[1], len(CONTENT)))] if expected else []
        assert asked == clamped
