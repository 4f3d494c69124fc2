"""What the http service asks, without a network."""

import pytest

from entrepot.errors import InvalidInput
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, OpRead, OpStat
from entrepot.raw.http import HttpRequest
from entrepot.services.http.core import Site
from entrepot.types import BytesRange

SITE = Site("http://h:1", "/ro ot/")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/ro%20ot/"),
        ("a/b", "/ro%20ot/a/b"),
        ("dir/", "/ro%20ot/dir/"),
        ("a//b", "/ro%20ot/a//b"),
        ("Az09-._~", "/ro%20ot/Az09-._~"),
        ("a b+c%2F?#&=;,:@[]!$'()*", "/ro%20ot/a%20b%2Bc%252F%3F%23%26%3D%3B%2C%3A%40%5B%5D%21%24%27%28%29%2A"),
        ("\u00e9\U0001f600", "/ro%20ot/%C3%A9%F0%9F%98%80"),
        ("a\\b", "/ro%20ot/a%5Cb"),
        ("...", "/ro%20ot/..."),
        ("a..b/.c", "/ro%20ot/a..b/.c"),
    ],
)
def test_a_path_is_percent_encoded_name_by_name(path: str, target: str) -> None:
    assert SITE.url(path) == f"http://h:1{target}"


@pytest.mark.parametrize("path", ["..", ".", "../a", "a/../b", "a/./b", "a/..", "a\\..\\b", "..\\a", "a/..\\/b"])
def test_a_name_that_a_server_resolves_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        SITE.url(path)
    assert caught.value.kind == "InvalidInput"


def test_requests_hold_range_conditions_and_credentials_and_nothing_else() -> None:
    site = Site("http://h", "/", token="t")
    asked = OpRead(range=BytesRange(0, 8), if_match='"e"')
    assert site.read_request("a", asked) == HttpRequest(
        "GET", "http://h/a", [("Range", "bytes=0-7"), ("If-Match", '"e"'), ("Authorization", "Bearer t")]
    )
    assert site.stat_request("a", OpStat(if_none_match="*")) == HttpRequest(
        "HEAD", "http://h/a", [("If-None-Match", "*"), ("Authorization", "Bearer t")]
    )
    assert SITE.read_request("a", DEFAULT_READ).headers == []
    assert SITE.probe_request("a", DEFAULT_STAT).headers == [("Range", "bytes=0-0")]


@pytest.mark.parametrize(
    ("username", "password", "encoded"),
    [("u", "p", "dTpw"), ("u", None, "dTo="), (None, "p", "OnA="), ("\u00e9", "", "w6k6")],
)
def test_basic_authentication_is_written_in_utf8(username: str | None, password: str | None, encoded: str) -> None:
    site = Site("http://h", "/", username, password)
    assert site.read_request("a", DEFAULT_READ).headers == [("Authorization", f"Basic {encoded}")]
    assert "u" not in repr(site).partition("root")[2].replace("root", "")


@pytest.mark.parametrize(("username", "password"), [(None, None), ("", None), (None, ""), ("", "")])
def test_empty_credentials_are_none(username: str | None, password: str | None) -> None:
    assert Site("http://h", "/", username, password).read_request("a", DEFAULT_READ).headers == []
