"""One exchange and its verdict on the connection, without a network."""

import pytest

from entrepot.raw.http.wire.exchange import Exchange, State
from entrepot.raw.http.wire.framing import MIN_DIRECT, MalformedResponse
from entrepot.raw.http.wire.response_head import _FIRST as FIRST
from entrepot.testing.scripted_server import chunked, raw_response, whole_response

from .others import in_one_buffer

RESPONSES = {
    "length": whole_response(b"hello"),
    "informational": raw_response("103 Early Hints") + whole_response(b"hello"),
    "chunked": raw_response("200 OK", "Transfer-Encoding: chunked") + chunked(b"he", b"llo") + b"0\r\nX: 1\r\n\r\n",
}
UNTIL_THE_END = raw_response("200 OK") + b"hello"


def sent(*, has_content: bool = True) -> Exchange:
    exchange = Exchange(has_content=has_content)
    exchange.request_sent()
    return exchange


@pytest.mark.parametrize("form", RESPONSES)
def test_a_connection_serves_another_request_after_a_response_that_ends_exactly(form: str) -> None:
    message = RESPONSES[form]
    for pieces in ([message], [bytes([byte]) for byte in message]):
        exchange, content = sent(), b""
        for piece in pieces:
            assert not exchange.may_serve_another
            content += exchange.take(piece)
        assert (content, exchange.state, exchange.may_serve_another) == (b"hello", State.DONE, True)
        assert exchange.head is not None
        assert exchange.head.status == 200


@pytest.mark.parametrize("form", RESPONSES)
@pytest.mark.parametrize("is_later", [False, True])
def test_a_byte_past_the_end_is_no_content_and_ends_the_connection(form: str, is_later: bool) -> None:
    exchange = sent()
    first, second = (b"", b"\n") if is_later else (b"\n", b"")
    assert exchange.take(RESPONSES[form] + first) + exchange.take(second) == b"hello"
    assert (exchange.state, exchange.may_serve_another) == (State.DONE, False)


@pytest.mark.parametrize("length", [100, FIRST - 1, FIRST, FIRST + 1, FIRST + 3, FIRST + 4, 2 * FIRST])
@pytest.mark.parametrize("before", [b"", raw_response("103 Early Hints"), b"\r\n"])
@pytest.mark.parametrize("after", [b"", b"\n"])
def test_content_in_a_buffer_is_the_same_however_long_its_head_is(length: int, before: bytes, after: bytes) -> None:
    content = bytes(range(256)) * 200
    head = raw_response("200 OK", f"Content-Length: {len(content)}", "X: ")
    message = before + head.replace(b"X: ", b"X: " + b"x" * (length - len(head))) + content + after
    for pieces in ([message], [message[:20_000], message[20_000:]], [message[:50], message[50:]]):
        by_bytes, by_buffer = sent(), sent()
        expected = b"".join(by_bytes.take(piece) for piece in pieces)
        assert b"".join(by_buffer.take(piece) for piece in in_one_buffer(pieces)) == expected == content
        assert by_buffer.state is by_bytes.state is State.DONE
        assert by_buffer.head == by_bytes.head
        assert by_buffer.may_serve_another == by_bytes.may_serve_another == (not after and before != b"\r\n")


def test_states_follow_what_arrives() -> None:
    exchange, message = sent(), whole_response(b"hello")
    assert exchange.take(message[:10]) == b""
    assert (exchange.state, exchange.head) == (State.HEAD, None)
    assert exchange.take(message[10:-3]) == b"he"
    assert exchange.state is State.CONTENT
    assert exchange.take(b"llo") == b"llo"
    assert exchange.state is State.DONE


def test_a_response_without_content_is_done_with_its_head() -> None:
    exchange = sent(has_content=False)
    assert exchange.take(raw_response("200 OK", "Content-Length: 5")) == b""
    assert (exchange.state, exchange.may_serve_another) == (State.DONE, True)


def test_a_response_before_the_whole_request_ends_the_connection() -> None:
    exchange = Exchange(has_content=True)
    assert exchange.take(whole_response(b"hello")) == b"hello"
    exchange.request_sent()
    assert (exchange.state, exchange.may_serve_another) == (State.DONE, False)
    informed = Exchange(has_content=True)
    informed.take(raw_response("100 Continue"))
    informed.request_sent()
    informed.take(whole_response(b"hello"))
    assert informed.may_serve_another


def test_a_transport_can_forbid_another_request() -> None:
    exchange = sent()
    exchange.take(whole_response(b"hello")[:-1])
    exchange.forbid_reuse()
    assert exchange.take(b"o") == b"o"
    assert (exchange.state, exchange.may_serve_another) == (State.DONE, False)


@pytest.mark.parametrize("header", ["Connection: close", "X: a\r\n b"])
def test_a_head_can_forbid_another_request(header: str) -> None:
    exchange = sent()
    exchange.take(whole_response(b"hello", header))
    assert (exchange.state, exchange.may_serve_another) == (State.DONE, False)


@pytest.mark.parametrize("is_orderly", [True, False])
def test_only_an_orderly_end_of_the_connection_ends_content(is_orderly: bool) -> None:
    exchange = sent()
    assert exchange.take(UNTIL_THE_END) == b"hello"
    exchange.end(is_orderly=is_orderly)
    assert exchange.state is (State.DONE if is_orderly else State.BROKEN)
    assert not exchange.may_serve_another


@pytest.mark.parametrize("form", RESPONSES)
def test_a_response_that_the_connection_cuts_off_is_broken(form: str) -> None:
    for end in range(len(RESPONSES[form])):
        exchange = sent()
        exchange.take(RESPONSES[form][:end])
        exchange.end(is_orderly=True)
        assert (exchange.state, exchange.may_serve_another) == (State.BROKEN, False)
        assert exchange.take(b"hello") == b""


def test_the_end_of_an_idle_connection_breaks_no_response() -> None:
    exchange = sent()
    exchange.take(whole_response(b"hello"))
    exchange.end(is_orderly=False)
    assert (exchange.state, exchange.may_serve_another) == (State.DONE, False)


@pytest.mark.parametrize("message", [b"SSH-2.0-x", raw_response("200 OK", "Transfer-Encoding: chunked") + b"x\r\n"])
def test_a_malformed_response_is_broken_and_stays_so(message: bytes) -> None:
    exchange = sent()
    with pytest.raises(MalformedResponse):
        exchange.take(message)
    assert exchange.take(whole_response(b"hello")) == b""
    assert (exchange.state, exchange.may_serve_another) == (State.BROKEN, False)


@pytest.mark.parametrize("form", [*RESPONSES, "until the end"])
def test_content_can_be_received_into_a_buffer(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.raw.http.wire.framing.MIN_DIRECT", 1)
    message = RESPONSES.get(form, UNTIL_THE_END)
    exchange, content, position = sent(), b"", 0
    while position < len(message):
        size = min(exchange.receivable, len(message) - position)
        if size:
            content += message[position : position + size]
            exchange.note_received(size)
        else:
            assert exchange.take(message[position : position + 1]) == b""
        position += size or 1
    if form not in RESPONSES:
        exchange.end(is_orderly=True)
    assert (content, exchange.state, exchange.receivable) == (b"hello", State.DONE, 0)
    assert exchange.may_serve_another == (form in RESPONSES)


def test_whether_an_end_is_exact_depends_on_nothing_but_the_end() -> None:
    for beyond in (b"", b"x"):
        exchange = Exchange(has_content=False)
        exchange.take(b"HTTP/1.0 200 Connection established\r\n\r\n" + beyond)
        assert (exchange.is_exact, exchange.may_serve_another) == (not beyond, False)
    exchange.take(b"x")
    assert not exchange.is_exact


def test_the_rest_of_a_small_chunk_is_received_with_what_follows() -> None:
    exchange = sent()
    exchange.take(raw_response("200 OK", "Transfer-Encoding: chunked") + b"%x\r\n" % (MIN_DIRECT + 1))
    assert exchange.receivable == MIN_DIRECT + 1
    exchange.note_received(2)
    assert exchange.receivable == 0
    rest = bytes(MIN_DIRECT - 1)
    assert exchange.take(rest + b"\r\n0\r\n\r\n") == rest
    assert exchange.may_serve_another
