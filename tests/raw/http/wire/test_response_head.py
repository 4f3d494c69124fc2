"""The head of a response and the framing that it asks for, without a network."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from entrepot.raw.http.wire.framing import ByLength, Chunked, Framing, MalformedResponse
from entrepot.raw.http.wire.response_head import (
    MAX_FIELDS,
    MAX_HEAD,
    MAX_INFORMATIONAL,
    HeadReader,
    HeadTooLarge,
    NotHttp,
    ResponseHead,
    UnknownCoding,
    _names,
    _statuses,
    parse_head,
)
from entrepot.raw.http.wire.text_cache import MAX_ENTRIES, MAX_TEXT
from entrepot.testing.scripted_server import raw_response

from .pattern import parse_by_pattern


def head_of(*headers: str, status: str = "200 OK", has_content: bool = True) -> ResponseHead:
    return parse_head(raw_response(status, *headers), has_content=has_content)


def test_a_head_is_its_status_and_headers() -> None:
    head = head_of('ETag:  "1"\t ', "X-a: 1", "x-A:2", "Empty:", "Content-Length: 5")
    assert (head.status, head.length, head.is_chunked, head.may_keep) == (200, 5, False, True)
    assert head.headers == {"etag": '"1"', "x-a": "1, 2", "empty": "", "content-length": "5"}
    assert not head.ends_with_connection


def test_a_value_is_utf8_or_keeps_its_bytes() -> None:
    head = parse_head("HTTP/1.1 200 OK\r\nA: ä\r\n".encode() + b"B: \xe4\r\n\r\n")
    assert head.headers["a"] == "ä"
    assert head.headers["b"].encode("utf-8", "surrogateescape") == b"\xe4"


@pytest.mark.parametrize("line", ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 A: b", "HTTP/1.1  200 OK"])
def test_the_reason_is_of_no_consequence(line: str) -> None:
    assert parse_head(f"{line}\r\nContent-Length: 5\r\n\r\n".encode()).status == 200


# Which framing.


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "chunked\t", " chunked ", "\tchunked"])
def test_chunked_is_chunked(coding: str) -> None:
    head = head_of(f"Transfer-Encoding:{coding}")
    assert isinstance(head.framing(), Chunked)
    assert head.may_keep
    assert not head.ends_with_connection


CODINGS = ["\x0bchunked", "chunked\x0c", "chunked,", ",chunked", "gzip, chunked", "chunked, chunked", "identity", ""]


@pytest.mark.parametrize("coding", [*CODINGS, "chun\u212aed", "x", "chunked;q=1", '"chunked"', "\xa0chunked"])
def test_any_other_coding_is_refused(coding: str) -> None:
    with pytest.raises(UnknownCoding):
        parse_head(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n".encode())


def test_two_codings_are_refused() -> None:
    with pytest.raises(UnknownCoding):
        head_of("Transfer-Encoding: chunked", "transfer-encoding: chunked")


@pytest.mark.parametrize("has_content", [True, False])
def test_a_length_beside_a_coding_is_refused(has_content: bool) -> None:
    for headers in (("Transfer-Encoding: chunked", "Content-Length: 5"), ("Content-Length: 5", "Transfer-Encoding: x")):
        with pytest.raises(MalformedResponse):
            head_of(*headers, has_content=has_content)


LENGTHS = ["-5", "+5", "5 5", "5, 5", "5,5", "5;", "0x5", "5_0", "5.0", "", "\x0b5", "5\x0c", "\u0665", "9" * 20, "a"]


@pytest.mark.parametrize("has_content", [True, False])
@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_is_no_number_is_refused(length: str, has_content: bool) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()
    with pytest.raises(MalformedResponse, match="Content-Length"):
        parse_head(raw, has_content=has_content)


@pytest.mark.parametrize("second", ["5", "6", ""])
def test_two_lengths_are_refused(second: str) -> None:
    with pytest.raises(MalformedResponse):
        head_of("Content-Length: 5", f"Content-Length: {second}")


def test_without_length_and_coding_the_connection_ends_the_content() -> None:
    head = head_of()
    assert type(head.framing()) is Framing
    assert head.ends_with_connection
    assert not head.may_keep


@pytest.mark.parametrize("headers", [(), ("Content-Length: 5",), ("Transfer-Encoding: chunked",)])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "101 Switching Protocols", "200 OK"])
def test_what_has_no_content_ends_with_its_head(status: str, headers: tuple[str, ...]) -> None:
    head = head_of(*headers, status=status, has_content=status != "200 OK")
    framing = head.framing()
    assert isinstance(framing, ByLength)
    assert framing.is_at_end
    assert head.may_keep == (status[0] != "1" and (status[:3] != "204" or not headers))


@pytest.mark.parametrize(
    ("version", "headers", "is_kept"),
    [
        ("1.1", ("Content-Length: 5",), True),
        ("1.1", ("Content-Length: 5", "Connection: close"), False),
        ("1.1", ("Content-Length: 5", "Connection: x, CLOSE ,keep-alive"), False),
        ("1.1", ("Content-Length: 5", "Connection: keep-alive", "connection: close"), False),
        ("1.0", ("Content-Length: 5",), False),
        ("1.0", ("Content-Length: 5", "Connection: Keep-Alive"), True),
        ("1.0", ("Transfer-Encoding: chunked", "Connection: keep-alive"), False),
        ("1.1", ("Content-Length: 5", "X: a", " b"), False),
    ],
)
def test_what_is_kept(version: str, headers: tuple[str, ...], is_kept: bool) -> None:
    raw = raw_response("200 OK", *headers).replace(b"HTTP/1.1", b"HTTP/" + version.encode())
    assert parse_head(raw).may_keep == is_kept


# Untidy heads.


def test_bare_line_feeds_are_taken_and_not_kept() -> None:
    head = parse_head(b"HTTP/1.1 200 OK\nContent-Length: 5\r\nX: 1\n\r\n")
    assert (head.length, head.headers["x"], head.may_keep) == (5, "1", False)


def test_a_folded_header_is_joined_and_not_kept() -> None:
    head = head_of("X: a", "\t b", " c", "Transfer-Encoding: ", " chunked")
    assert head.headers == {"x": "a b c", "transfer-encoding": "chunked"}
    assert not head.may_keep
    with pytest.raises(MalformedResponse, match="Content-Length"):
        head_of("Content-Length: 1", " 2")


def test_folds_between_many_blanks_are_one_blank_and_read_in_linear_time() -> None:
    """Where each blank of a long run was tried as the start of a fold, 3 s passed."""
    blanks = " " * 60_000
    head = head_of(f"X: a{blanks}b{blanks}", f"{blanks}c", " \t ", " d")
    assert head.headers == {"x": f"a{blanks}b c d"}


BAD_LINES = ["X : 1", "X\t: 1", ": 1", "X", "X Y: 1", "X\0: 1", "X: \0", "X: a\rb", "\rX: 1", "K\xe4se: 1", "X;: 1"]


@pytest.mark.parametrize("line", BAD_LINES)
@pytest.mark.parametrize("place", [0, 1])
def test_what_is_no_header_is_refused(line: str, place: int) -> None:
    lines = ["Content-Length: 5"]
    lines.insert(place, line)
    with pytest.raises(MalformedResponse) as caught:
        head_of(*lines)
    assert line not in str(caught.value)


def test_what_is_folded_to_the_status_line_is_refused() -> None:
    with pytest.raises(MalformedResponse):
        head_of(" Content-Length: 5")


STARTS = ["SSH-2.0-x", "hello", "HTTP/2 200", "http/1.1 200 OK", "HTTP/1.1 20", "HTTP/1.1 2000 OK", "HTTP/1.1 -20 OK"]


@pytest.mark.parametrize("start", [*STARTS, "HTTP/1.1200 OK", "HTTP/1.1\t200 OK", "HTTP/1.10 200 OK", " HTTP/1.1 200"])
def test_what_is_no_status_line_is_not_http(start: str) -> None:
    with pytest.raises(NotHttp):
        HeadReader(has_content=True).take(f"{start}\r\n\r\n".encode())


def test_what_cannot_become_a_status_line_is_not_waited_for() -> None:
    for start in (b"S", b"HTTQ", b"\r\nhello"):
        with pytest.raises(NotHttp):
            HeadReader(has_content=True).take(start)


_PIECES = ["A", "B", "B: ", ": ", ":", " ", "  ", "\t", "\0", "\r", "\n", "a", "5", "Content-Length: ", "\xe4", ": \0B"]
_LINES = st.lists(st.lists(st.sampled_from(_PIECES), max_size=5).map("".join), max_size=4)


@settings(max_examples=400)
@given(_LINES, st.sampled_from(["", ": b", "\0", " OK "]))
@example(["A: b: c", "D"], "")
@example(["A", "X", "B: c"], "")
@example(["X:", "Y: b: c"], "")
@example(["A: \0B: c"], "")
@example(["A: b", "B: c "], "")
@example(["A: b: ", "B: c"], "")
def test_however_lines_have_colons_and_blanks_one_pattern_agrees(lines: list[str], reason: str) -> None:
    raw = "\r\n".join([f"HTTP/1.1 200{reason}", *lines, "\r\n"]).encode()
    raw = raw[: raw.index(b"\r\n\r\n") + 4]
    assert outcome(parse_head, raw) == outcome(parse_by_pattern, raw)


def outcome(parse: Callable[..., ResponseHead], raw: bytes) -> ResponseHead | type[MalformedResponse]:
    try:
        return parse(raw, has_content=True)
    except MalformedResponse as error:
        return type(error)


# As it arrives.

INFORMED = (
    raw_response("100 Continue")
    + raw_response("103 Early Hints", "Content-Length: 3")
    + raw_response("200 OK", "Content-Length: 5")
)


@pytest.mark.parametrize("cut", range(1, len(INFORMED)))
def test_a_head_is_found_wherever_it_is_cut(cut: int) -> None:
    reader = HeadReader(has_content=True)
    assert reader.take(INFORMED[:cut]) is None
    found = reader.take(INFORMED[cut:] + b"hello")
    assert found is not None
    assert (found[0].length, found[0].may_keep, found[1]) == (5, True, b"hello")


@pytest.mark.parametrize("message", [INFORMED, INFORMED.replace(b"\r\n", b"\n")])
def test_a_head_can_come_byte_by_byte(message: bytes) -> None:
    reader = HeadReader(has_content=True)
    for byte in message[:-1]:
        assert reader.take(bytes([byte])) is None
    found = reader.take(message[-1:])
    assert found is not None
    assert (found[0].length, found[1]) == (5, b"")


@pytest.mark.parametrize("before", [b"\r\n", b"\n", b"\r\n\r\n"])
def test_an_empty_line_before_a_head_is_passed_over_and_that_is_not_kept(before: bytes) -> None:
    message = before + raw_response("200 OK", "Content-Length: 5")
    for pieces in ((message,), (before, message[len(before) :]), tuple(bytes([byte]) for byte in message)):
        reader = HeadReader(has_content=True)
        found = [reader.take(piece) for piece in pieces][-1]
        assert found is not None
        assert (found[0].length, found[0].may_keep) == (5, False)


# Bounds.


def test_long_and_many_headers_are_read() -> None:
    head = head_of(f"Content-Security-Policy: {'x' * 40_000}", *(f"X-{n}: {n}" for n in range(900)))
    assert len(head.headers["content-security-policy"]) == 40_000
    assert head.headers["x-899"] == "899"


ENDLESS = [
    raw_response("200 OK", f"X: {'x' * MAX_HEAD}"),
    raw_response("200 OK", *(f"X-{n}: x" for n in range(MAX_FIELDS + 1))),
    raw_response("103 Early Hints") * (MAX_INFORMATIONAL + 1) + raw_response("200 OK"),
    (raw_response("103 Early Hints", f"X: {'x' * 10_000}") * 7) + raw_response("200 OK"),
    b"HTTP/1.1 200 " + b"x" * MAX_HEAD,
    b"\r\n" * MAX_HEAD,
]


@pytest.mark.parametrize("message", ENDLESS, ids=range(len(ENDLESS)))
@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_a_head_is_bounded(message: bytes, step: int) -> None:
    reader = HeadReader(has_content=True)
    with pytest.raises(HeadTooLarge):
        for start in range(0, len(message), step):
            reader.take(message[start : start + step])


def test_a_server_that_makes_up_names_and_statuses_does_not_fill_the_memory() -> None:
    for number in range(2000):
        head = head_of(f"X-{number}: a", f"X-{'long' * 20}-{number}: b", status=f"200 {number}")
        assert head.headers[f"x-{number}"] == "a"
    for cache in (_names, _statuses):
        assert 0 < len(cache) <= MAX_ENTRIES
        assert all(len(text) <= MAX_TEXT for text in cache)


def test_what_is_not_valid_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(MalformedResponse):
            head_of("X Y: 1")
        with pytest.raises(NotHttp):
            parse_head(b"HTTP/1.1 20 OK\r\n\r\n")


@pytest.mark.parametrize("before", [b"", raw_response("103 Early Hints"), b"\r\n"])
@pytest.mark.parametrize("beyond", [0, 1])
def test_the_bound_is_the_same_however_a_head_is_cut(before: bytes, beyond: int) -> None:
    start, end = before + b"HTTP/1.1 200 OK\r\nX: ", b"\r\nContent-Length: 5\r\n\r\n"
    message = start + b"x" * (MAX_HEAD - len(start) - len(end) + beyond) + end
    for size in (len(message), len(message) - 1, MAX_HEAD // 2, 1000):
        reader, heads = HeadReader(has_content=True), list[ResponseHead]()
        try:
            for position in range(0, len(message), size):
                received = reader.take(message[position : position + size])
                heads += [] if received is None else [received[0]]
        except HeadTooLarge:
            assert beyond
        else:
            assert not beyond
            assert [head.length for head in heads] == [5]
