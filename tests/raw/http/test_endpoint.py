"""The address of a server as users write it."""

import pytest

from entrepot.errors import ConfigInvalid
from entrepot.raw.http.endpoint import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://h", "http://h"),
        ("HTTP://H/", "http://h"),
        ("http://h:80/", "http://h"),
        ("https://h:443", "https://h"),
        ("http://h:443", "http://h:443"),
        ("http://h:", "http://h"),
        ("http://h/a%20b//", "http://h/a%20b"),
        ("http://[2001:DB8:0::1]:80", "http://[2001:db8::1]"),
        ("https://[::1]:9000/a", "https://[::1]:9000/a"),
        ("http://h.example.", "http://h.example."),
        ("http://u:p@h:1/a", "http://h:1/a"),
    ],
)
def test_what_means_the_same_has_one_form(text: str, url: str) -> None:
    found = parse_endpoint(text)
    assert found.url == url
    assert parse_endpoint(found.url) == Endpoint(found.scheme, found.host, found.port, found.path)


@pytest.mark.parametrize(
    ("userinfo", "username", "password"),
    [
        ("u:p@", "u", "p"),
        ("u%40h:p%2F%3A@", "u@h", "p/:"),
        ("u@", "u", None),
        (":p@", None, "p"),
        ("@", None, None),
        (":@", None, None),
    ],
)
def test_userinfo_is_decoded_and_nothing_where_it_is_empty(
    userinfo: str, username: str | None, password: str | None
) -> None:
    found = parse_endpoint(f"http://{userinfo}h")
    assert (found.username, found.password, found.url) == (username, password, "http://h")
    assert "username" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "//h",
        "ftp://secret@h",
        "http://",
        "http://:80",
        "http:///secret",
        "http://h:port",
        "http://h:0",
        "http://h:65536",
        "http://-h",
        "http://h..secret",
        "http://h\\secret",
        "http://m\u00fcller.de",
        "http://[::1",
        "http://[::g]",
        "http://[fe80::1%25eth0]",
        "http://h?secret",
        "http://h#secret",
        "http://h?",
        "http://h/a b",
        "http://h/\u00e9",
        "http://h/%zz",
        "http://u:1/secret@h",
        "http://h\r\nX: secret",
        "http://h\udc80",
    ],
)
def test_what_is_no_endpoint_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse_endpoint(text)
    assert caught.value.operation == "configure"
    assert "endpoint" in caught.value.message
    assert "secret" not in str(caught.value)
