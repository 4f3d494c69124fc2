"""The head of a request, without a network."""

import re

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import InvalidInput
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.transport import Header
from entrepot.raw.http.wire.request_head import head_of

COMMON = {"host": "Host: h", "user-agent": "User-Agent: entrepot"}


def lines(*headers: Header, method: str = "GET", body: bytes | None = None) -> list[str]:
    head = head_of(HttpRequest(method, "http://h/a", headers, body), "/a", COMMON)
    return head.decode().removesuffix("\r\n\r\n").split("\r\n")


def test_a_header_of_the_request_stands_in_the_place_of_the_common_one() -> None:
    assert lines(("X", "1"), ("HOST", "other")) == ["GET /a HTTP/1.1", "HOST: other", "User-Agent: entrepot", "X: 1"]
    assert COMMON["host"] == "Host: h"


def test_a_header_can_be_there_twice() -> None:
    assert lines(("X", "1"), ("x", "2"))[-2:] == ["X: 1", "x: 2"]


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("PUT", b"abc", "3"), ("PUT", None, "0"), ("DELETE", b"", "0"), ("GET", None, None)],
)
def test_the_length_is_that_of_the_content_alone(method: str, body: bytes | None, length: str | None) -> None:
    stated = [one for one in lines(("content-length", "9"), method=method, body=body) if "ength" in one]
    assert stated == ([] if length is None else [f"Content-Length: {length}"])


def test_what_is_not_ascii_is_sent_in_utf8() -> None:
    head = head_of(HttpRequest("GET", "http://h/", [("X", "\xe9\t\u20ac\xa0")]), "/", COMMON)
    assert head.endswith("X: \xe9\t\u20ac\xa0\r\n\r\n".encode())


BAD = ["a\r\nb: c", "a\nb", "a\rb", "a\0", "a\x1f", "a\x7f", "a\ud800"]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", ["name", "value", "target", "method"])
def test_what_would_end_a_line_is_refused_and_not_repeated(bad: str, place: str) -> None:
    request = HttpRequest(
        bad if place == "method" else "GET",
        "http://h/",
        [(bad if place == "name" else "X", bad if place == "value" else "secret")],
    )
    with pytest.raises(InvalidInput) as caught:
        head_of(request, bad if place == "target" else "/", COMMON)
    assert "secret" not in str(caught.value)
    assert bad not in caught.value.message
    assert not caught.value.is_temporary


def test_the_error_of_a_lone_surrogate_holds_nothing_of_the_head() -> None:
    request = HttpRequest("GET", "http://host/", [("Authorization", "secret"), ("X", "\ud800")])
    with pytest.raises(InvalidInput, match="lone surrogate") as caught:
        head_of(request, "/", {})
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x80, 0x9F, 0x2028])
def test_of_the_control_characters_of_ascii_only_a_tab_is_sent(code: int) -> None:
    request = HttpRequest("GET", "http://h/", [("X", f"a{chr(code)}b")])
    if code == 0x09 or code > 0x7F:
        assert head_of(request, "/", {}) == f"GET / HTTP/1.1\r\nX: a{chr(code)}b\r\n\r\n".encode()
    else:
        with pytest.raises(InvalidInput, match="control character"):
            head_of(request, "/", {})


_TEXT = st.text(st.sampled_from("\r\n\0\t\x1f\x7f :aX\xe4\u2028\udcff"), max_size=6)


@settings(max_examples=40)
@given(_TEXT, _TEXT, st.lists(st.tuples(_TEXT, _TEXT), max_size=3))
def test_a_head_has_exactly_its_lines_whatever_is_put_into_it(
    method: str, target: str, headers: list[tuple[str, str]]
) -> None:
    request, parts = (
        HttpRequest(method, "http://h/", headers),
        [method, target, *(text for one in headers for text in one)],
    )
    if any(re.search(r"[\x00-\x08\x0a-\x1f\x7f]", part) for part in parts):
        with pytest.raises(InvalidInput):
            head_of(request, target, COMMON)
    else:
        lines = [f"{method} {target} HTTP/1.1", *COMMON.values(), *(f"{name}: {value}" for name, value in headers)]
        assert head_of(request, target, COMMON) == "\r\n".join([*lines, "\r\n"]).encode("utf-8", "surrogateescape")


def test_another_parser_reads_the_request_that_was_written() -> None:
    headers = [("X-Amz-Date", "20261129T221133Z"), ("ETag", '"a, b"'), ("x", "1"), ("X", "a\tb"), ("Empty", "")]
    head = head_of(HttpRequest("PUT", "http://h/", headers, b"abc"), "/a%20b?c=%0d", COMMON)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head + b"abc")
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target) == (b"PUT", b"/a%20b?c=%0d")
    common = [("host", "h"), ("user-agent", "entrepot")]
    expected = [*common, *((name.lower(), value) for name, value in headers), ("content-length", "3")]
    assert [(name.decode(), value.decode()) for name, value in request.headers] == expected
    content, end = connection.next_event(), connection.next_event()
    assert isinstance(content, h11.Data)
    assert (content.data, isinstance(end, h11.EndOfMessage)) == (b"abc", True)
