"""Where the content of a response ends, without a network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.raw.http.wire.framing import ByLength, Chunked, Framing, MalformedResponse, _sizes
from entrepot.raw.http.wire.text_cache import MAX_ENTRIES, MAX_TEXT

CHUNKED = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"


def taken(framing: Framing, *pieces: bytes) -> bytes:
    return b"".join(framing.take(piece) for piece in pieces)


@pytest.mark.parametrize("cut", range(len(CHUNKED) + 1))
def test_chunks_are_found_wherever_they_are_cut(cut: int) -> None:
    framing = Chunked()
    assert taken(framing, CHUNKED[:cut], CHUNKED[cut:]) == b"hello world"
    assert framing.is_at_end
    assert framing.is_exact


@pytest.mark.parametrize("end", range(len(CHUNKED)))
def test_chunks_are_at_their_end_with_the_last_byte_and_not_before(end: int) -> None:
    framing = Chunked()
    assert b"hello world".startswith(taken(framing, CHUNKED[:end]))
    assert not framing.is_at_end


def test_chunks_can_come_byte_by_byte() -> None:
    framing = Chunked()
    assert taken(framing, *(bytes([byte]) for byte in CHUNKED)) == b"hello world"
    assert framing.is_at_end
    assert framing.is_exact


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_what_is_chunked_comes_back_as_it_was(chunks: list[bytes], steps: list[int]) -> None:
    data = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    framing, content, count = Chunked(), b"", 0
    while data:
        step = steps[count % len(steps)]
        content, data, count = content + framing.take(data[:step]), data[step:], count + 1
    assert content == b"".join(chunks)
    assert framing.is_at_end
    assert framing.is_exact


@pytest.mark.parametrize("beyond", [b"\r\n", b"\n", b"x", CHUNKED, b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("is_later", [False, True])
def test_what_comes_past_the_end_is_dropped_and_noted(beyond: bytes, is_later: bool) -> None:
    for framing, message, content in ((Chunked(), CHUNKED, b"hello world"), (ByLength(5), b"hello", b"hello")):
        pieces = (message, beyond) if is_later else (message + beyond,)
        assert taken(framing, *pieces) == content
        assert framing.is_at_end
        assert not framing.is_exact


def test_a_length_of_0_is_at_its_end_at_once() -> None:
    framing = ByLength(0)
    assert framing.is_at_end
    assert framing.is_exact
    assert framing.take(b"more") == b""
    assert not framing.is_exact


def test_only_the_connection_ends_content_without_a_length() -> None:
    framing = Framing()
    assert taken(framing, b"hello", CHUNKED) == b"hello" + CHUNKED
    assert not framing.is_at_end
    assert not framing.is_exact


@pytest.mark.parametrize("message", [CHUNKED.replace(b"\r\n", b"\n"), CHUNKED.replace(b"hello\r\n", b"hello\n")])
def test_a_bare_line_feed_is_taken_and_is_not_exact(message: bytes) -> None:
    framing = Chunked()
    assert taken(framing, message) == b"hello world"
    assert framing.is_at_end
    assert not framing.is_exact


MALFORMED = [
    b"\r\n",
    b"-5\r\nhello\r\n",
    b"+5\r\nhello\r\n",
    b"0x5\r\nhello\r\n",
    b"1_0\r\n0123456789abcdef\r\n",
    b" 5\r\nhello\r\n",
    b"5,5\r\nhello\r\n",
    b"5\x0b\r\nhello\r\n",
    b"5;\0\r\nhello\r\n",
    b"5\rhello\r\n",
    b"5;a\rb\r\nhello\r\n",
    "\u0665\r\nhello\r\n".encode(),
    b"10000000000000000\r\nhello",
    b"5\r\nhello, world\r\n",
    b"5\r\nhellox",
    b"5\r\nhello\rx",
    b"0\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"0\r\nX : 1\r\n\r\n",
    b"0\r\n: 1\r\n\r\n",
    b"0\r\n X: 1\r\n\r\n",
    b"0;" + b"x" * 9000,
    b"0;" + b"x" * 9000 + b"\r\n\r\n",
    b"0\r\n" + b"X: 1\r\n" * 20_000,
]


@pytest.mark.parametrize("message", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_chunk_is_an_error_that_does_not_repeat_it(message: bytes) -> None:
    for pieces in ((message,), tuple(bytes([byte]) for byte in message)):
        with pytest.raises(MalformedResponse) as caught:
            taken(Chunked(), *pieces)
        assert "hello" not in str(caught.value)


def test_a_piece_of_content_is_the_same_bytes() -> None:
    piece = b"x" * 1000
    framing = Chunked()
    framing.take(b"fffff\r\n")
    assert framing.take(piece) is piece
    assert ByLength(5000).take(piece) is piece
    assert ByLength(1000).take(piece) is piece


def test_a_server_that_makes_up_sizes_does_not_fill_the_memory() -> None:
    framing, content = Chunked(), 0
    for number in range(2000):
        content += len(framing.take(b"1;%d\r\nx\r\n1;%s%d\r\nx\r\n" % (number, b"long" * 20, number)))
    assert content == 4000
    assert len(_sizes) <= MAX_ENTRIES
    assert all(len(line) <= MAX_TEXT for line in _sizes)
