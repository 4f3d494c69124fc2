"""What is read of a response, beside what h11 and the two parsers of aiohttp read, over messages by chance.

Deliberate differences, each with a test below. We refuse, since it is ambiguous or wrong about where the response ends:

- two lengths, equal ones too; a length beside a coding; any coding but chunked;
- white space before the first header, and a trailer that is not a header, a folded one too.

We accept what is untidy, and do not use the connection again, except after several spaces before the status, which do
not make it ambiguous:

- empty lines, or a bare CR or LF, before the head;
- a bare LF that ends a line, in the framing of chunks too, where h11 waits for a CR, and the parser in C skips an LF at
  the start of a chunk.
"""

import random
import re
from bisect import bisect_left
from collections.abc import Iterator

import pytest

from entrepot.raw.http.wire.exchange import Exchange, State
from entrepot.raw.http.wire.framing import Chunked, MalformedResponse
from entrepot.raw.http.wire.response_head import ResponseHead, parse_head

from .messages import cut, mutated, valid
from .others import (
    IS_PURE,
    Outcome,
    Parser,
    by_aiohttp,
    by_aiohttp_in_python,
    by_h11,
    ends_with_connection_in_h11,
    in_one_buffer,
    taken,
)
from .pattern import parse_by_pattern

FEW, MANY = 5_000, 100_000
SOAK = pytest.param(MANY, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])
OTHERS: dict[int, list[Parser]] = {FEW: [by_h11, by_aiohttp], MANY: [by_h11, by_aiohttp, by_aiohttp_in_python]}
"""The parser in Python takes as long as the others together. `make test-pure` has no other of aiohttp."""

HEAD_END = re.compile(rb"\n\r?\n")
ONLY_OURS = [
    re.compile(rb"\A[\r\n]|\n\r?\n[\r\n]+HTTP/"),
    re.compile(rb"HTTP/1\.[0-9] {2,}[0-9]{3}"),
]
"""What we alone may accept: empty lines before a head, several spaces before the status. And chunks with a bare LF."""


def messages(count: int, seed: int) -> Iterator[tuple[random.Random, bytes, str]]:
    chance = random.Random(seed)
    for _ in range(count):
        message = mutated(valid(chance), chance)
        yield chance, message or b"\0", chance.choice(["GET", "GET", "HEAD"])


def heads(message: bytes) -> Iterator[bytes]:
    found = HEAD_END.search(message)
    if found:
        yield message[: found.end()]


def parsed(raw: bytes, has_content: bool) -> ResponseHead | type[MalformedResponse]:
    try:
        return parse_head(raw, has_content=has_content)
    except MalformedResponse as error:
        return type(error)


def parsed_by_pattern(raw: bytes, has_content: bool) -> ResponseHead | type[MalformedResponse]:
    try:
        return parse_by_pattern(raw, has_content=has_content)
    except MalformedResponse as error:
        return type(error)


def bytes_of_response(message: bytes, method: str) -> tuple[bytes, bool]:
    """The message up to the end of the response, if it has one, and whether no line of its chunks has a bare LF."""

    def exchanged(end: int) -> Exchange:
        exchange = Exchange(has_content=method != "HEAD")
        exchange.take(message[:end])
        return exchange

    whole, end = exchanged(len(message)), len(message)
    if whole.state is State.DONE and not whole.is_exact:
        end = bisect_left(range(end), True, key=lambda end: exchanged(end).state is State.DONE)
        whole = exchanged(end)
    framing = whole._framing
    return message[:end], not isinstance(framing, Chunked) or framing.is_exact


def plain(outcome: Outcome | None) -> Outcome | None:
    """The same with one space for white space in headers: each parser leaves another part of it where one is folded."""
    if outcome is None:
        return None
    return outcome._replace(headers={name: b" ".join(value.split()) for name, value in outcome.headers.items()})


@pytest.mark.parametrize("count", [2_000, SOAK])
def test_a_head_is_what_one_pattern_says_it_is(count: int) -> None:
    for _, message, method in messages(count, 1):
        for raw in heads(message):
            assert parsed(raw, method != "HEAD") == parsed_by_pattern(raw, method != "HEAD"), raw


@pytest.mark.parametrize("count", [2_000, SOAK])
def test_how_a_response_is_cut_changes_nothing(count: int) -> None:
    for chance, message, method in messages(count, 2):
        expected = taken([message], method)
        pieces = cut(message, chance)
        assert taken(pieces, method) == expected, message
        assert taken(in_one_buffer(pieces), method) == expected, message
        if chance.random() < 0.2:
            assert taken([bytes([byte]) for byte in message], method) == expected, message


def received_in_part(message: bytes, method: str, chance: random.Random) -> tuple[bytes, State, bool]:
    """The content, of which some is received into a buffer, as it is for a reader with a buffer of its own."""
    exchange, content, position = Exchange(has_content=method != "HEAD"), b"", 0
    exchange.request_sent()
    while position < len(message):
        piece = message[position : position + chance.randint(1, 40)]
        if exchange.receivable and chance.random() < 0.7:
            piece = piece[: exchange.receivable]
            exchange.note_received(len(piece))
            content += piece
        else:
            content += exchange.take(piece)
        position += len(piece)
    return content, exchange.state, exchange.may_serve_another


@pytest.mark.parametrize("count", [2_000, SOAK])
def test_content_that_is_received_into_a_buffer_is_the_same(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.raw.http.wire.framing.MIN_DIRECT", 1)
    for chance, message, method in messages(count, 4):
        outcome, may_serve_another = taken([message], method)
        if outcome is not None and outcome.status is not None:
            state = State.DONE if outcome.is_ended else State.CONTENT
            expected = (outcome.content, state, may_serve_another)
            assert received_in_part(message, method, chance) == expected, message


@pytest.mark.parametrize("count", [FEW, SOAK])
def test_what_is_accepted_is_read_as_others_read_it(count: int) -> None:
    for _, message, method in messages(count, 3):
        outcome, may_serve_another = taken([message], method)
        if outcome is None or outcome.status is None:
            continue
        response, is_exact = bytes_of_response(message, method)
        others = [parse([response], method) for parse in OTHERS[count]]
        for other in others:
            assert other is None or not is_exact or plain(other) == plain(outcome), (message, method, outcome, other)
        is_only_ours = not is_exact or any(pattern.search(response) for pattern in ONLY_OURS)
        assert any(others) or is_only_ours, (message, method, outcome)
        assert may_serve_another <= (outcome.is_ended and is_exact and response == message), message
        if not outcome.is_ended:
            assert_same_end(message, method)


def assert_same_end(message: bytes, method: str) -> None:
    exchange = Exchange(has_content=method != "HEAD")
    exchange.take(message)
    exchange.end(is_orderly=True)
    if by_h11([message], method) is not None:
        assert (exchange.state is State.DONE) == ends_with_connection_in_h11(message, method), (message, method)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FIVE = OK + b"Content-Length: 5\r\n"

REFUSED = {
    "two equal lengths": FIVE + b"Content-Length: 5\r\n\r\nhello",
    "a length beside a coding": FIVE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding that is not chunked": OK + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "white space before the first header": OK + b" X: 1\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nX: 1\r\n 2\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_we_refuse(name: str) -> None:
    assert taken([REFUSED[name]], "GET") == (None, False)
    if not IS_PURE or name != "white space before the first header":  # which only the parser in C accepts
        assert any(parse([REFUSED[name]], "GET") for parse in OTHERS[MANY])


ACCEPTED = {
    "an empty line before the head": (b"\r\n" + FIVE + b"\r\nhello", False),
    "an empty line between heads": (b"HTTP/1.1 100 Continue\r\n\r\n\r\n" + FIVE + b"\r\nhello", False),
    "a bare CR before the head": (b"\r" + FIVE + b"\r\nhello", False),
    "a bare LF in the framing of chunks": (CHUNKED + b"5\nhello\n0\n\n", False),
    "several spaces before the status": (b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello", True),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_some_refuse_and_we_accept(name: str) -> None:
    message, may_serve_another = ACCEPTED[name]
    outcome, is_kept = taken([message], "GET")
    assert outcome is not None
    assert (outcome.content, outcome.is_ended, is_kept) == (b"hello", True, may_serve_another)
    assert any(parse([message], "GET") != outcome for parse in OTHERS[MANY])
