"""A queue of bytes gives what was put in, in order, and copies nothing needlessly."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from entrepot.raw.oio.write.byte_queue import ByteQueue

MOVES = st.lists(st.binary(max_size=30) | st.integers(0, 100), max_size=60)


@given(moves=MOVES)
def test_gives_what_was_put_in_in_order(moves):
    pieces, expected = ByteQueue(), b""
    for move in moves:
        if isinstance(move, bytes):
            pieces.append(move)
            expected += move
        else:
            assert b"".join(pieces.first(move)) == expected[:move]
            dropped = min(move, len(expected))
            pieces.drop(dropped)
            expected = expected[dropped:]
        assert pieces.size == len(expected)
    assert pieces.join() == expected
    assert b"".join(pieces.first(len(expected))) == expected


def test_pieces_are_given_as_they_came():
    pieces, data = ByteQueue(), [b"one", b"two"]
    for piece in data:
        pieces.append(piece)
    assert [given is piece for given, piece in zip(pieces.first(6), data, strict=True)] == [True, True]


def test_many_small_pieces_are_joined_in_order():
    pieces = ByteQueue()
    written = [str(number).encode() for number in range(10_000)]
    for number, piece in enumerate(written):
        pieces.append(piece)
        if number % 700 == 0:
            pieces.drop(1)
    dropped = len(range(0, 10_000, 700))
    found = pieces.first(sys.maxsize)
    assert b"".join(found) == b"".join(written)[dropped:]
    assert len(found) < 1000


def test_what_was_cleared_is_gone():
    pieces = ByteQueue()
    pieces.append(b"one")
    pieces.clear()
    pieces.append(b"two")
    assert (pieces.join(), pieces.size) == (b"two", 3)
