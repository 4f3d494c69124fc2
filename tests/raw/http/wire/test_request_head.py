"""The head of a request, without a network."""

import re
from collections.abc import Mapping

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import InvalidInput
from entrepot.raw.http import HttpRequest
from entrepot.raw.http.transport import Content, Header
from entrepot.raw.http.wire.request_head import HeadWriter

COMMON = {"host": "Host: h", "user-agent": "User-Agent: entrepot"}


def written(request: HttpRequest, target: str, common: Mapping[str, str] = COMMON) -> bytes:
    return HeadWriter(common).write(request, target)


def lines(*headers: Header, method: str = "GET", body: bytes | None = None) -> list[str]:
    head = written(HttpRequest(method, "http://h/a", headers, body), "/a")
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
    head = written(HttpRequest("GET", "http://h/", [("X", "\xe9\t\u20ac\xa0")]), "/")
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
        written(request, bad if place == "target" else "/")
    assert "secret" not in str(caught.value)
    assert bad not in caught.value.message
    assert not caught.value.is_temporary


def test_the_error_of_a_lone_surrogate_holds_nothing_of_the_head() -> None:
    request = HttpRequest("GET", "http://host/", [("Authorization", "secret"), ("X", "\ud800")])
    with pytest.raises(InvalidInput, match="lone surrogate") as caught:
        written(request, "/", {})
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x80, 0x9F, 0x2028])
def test_of_the_control_characters_of_ascii_only_a_tab_is_sent(code: int) -> None:
    request = HttpRequest("GET", "http://h/", [("X", f"a{chr(code)}b")])
    if code == 0x09 or code > 0x7F:
        assert written(request, "/", {}) == f"GET / HTTP/1.1\r\nX: a{chr(code)}b\r\n\r\n".encode()
    else:
        with pytest.raises(InvalidInput, match="control character"):
            written(request, "/", {})


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
            written(request, target)
    else:
        lines = [f"{method} {target} HTTP/1.1", *COMMON.values(), *(f"{name}: {value}" for name, value in headers)]
        assert written(request, target) == "\r\n".join([*lines, "\r\n"]).encode("utf-8", "surrogateescape")


NAMES = ["Host", "host", "X", "x", "X-Amz-Date", "Authorization", "Content-Length", "Content-Type", "X%s", "100%"]
COMMONS = [{}, COMMON, {**COMMON, "authorization": "Authorization: Basic 100%s%"}]
WRITERS = [HeadWriter(common, prefix) for common in COMMONS for prefix in ("", "http://h%s")]
"""They are kept, so that most requests find the form of another one, with other values."""


def line_by_line(request: HttpRequest, target: str, common: Mapping[str, str]) -> bytes:
    own = [(name.lower(), f"{name}: {value}") for name, value in request.headers if name.lower() != "content-length"]
    lines = [f"{request.method} {target} HTTP/1.1", *({**common, **dict(own)}[key] for key in common)]
    lines += [line for key, line in own if key not in common]
    if request.method == "PUT" or request.body is not None:
        lines.append(f"Content-Length: {request.size}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


@settings(max_examples=200)
@given(
    st.sampled_from(["GET", "PUT"]),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["", "a", "%s", "%(X)s", "\xe4\udcff"])), max_size=6),
    st.sampled_from([None, b"", b"abc", memoryview(b"ab"), (b"a", b"bc")]),
    st.sampled_from([tuple, list]),
)
def test_the_head_of_known_names_is_that_of_any_others(
    method: str, headers: list[Header], body: Content | None, kind: type[list[Header]]
) -> None:
    request = HttpRequest(method, "http://h/", kind(headers), body)
    for writer in WRITERS:
        expected = line_by_line(request, f"{writer._prefix}/%s", writer._common)
        assert writer.write(request, "/%s") == expected
        assert writer.write(request, "/%s") == expected


def test_a_control_character_is_refused_in_a_known_form() -> None:
    writer = HeadWriter(COMMON)
    for value in ("a", "a\r\nX: b", "a\nb", "b"):
        request = HttpRequest("GET", "http://h/", [("Range", value), ("If-Match", "c")])
        if value.isprintable():
            assert f"\r\nRange: {value}\r\n".encode() in writer.write(request, "/")
        else:
            with pytest.raises(InvalidInput, match="control character"):
                writer.write(request, "/")


def test_forms_hold_no_value_and_are_bounded() -> None:
    writer = HeadWriter(COMMON)
    for number in range(200):
        writer.write(HttpRequest("PUT", "http://h/", [("Host", "h"), (f"x-amz-meta-{number}", "secret")]), "/")
    assert 0 < len(writer._forms) <= 64
    assert not any("secret" in "".join(form.parts) for form in writer._forms.values())


def test_another_parser_reads_the_request_that_was_written() -> None:
    headers = [("X-Amz-Date", "20261129T221133Z"), ("ETag", '"a, b"'), ("x", "1"), ("X", "a\tb"), ("Empty", "")]
    head = written(HttpRequest("PUT", "http://h/", headers, b"abc"), "/a%20b?c=%0d")
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
