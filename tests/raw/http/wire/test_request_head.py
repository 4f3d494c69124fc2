"""The head of a request, without a network."""

import pytest

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
