"""Origins and targets of URLs."""

import pytest

from entrepot.errors import InvalidInput
from entrepot.raw.http.wire.target import absolute_form, split_url


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://h/a?b#c", ("http://h", "/a?b")),
        ("https://h:1?b=/", ("https://h:1", "/?b=/")),
        ("http://h", ("http://h", "/")),
        ("http://[::1]:9/a//b", ("http://[::1]:9", "/a//b")),
    ],
)
def test_a_url_is_an_origin_and_a_target(url: str, parts: tuple[str, str]) -> None:
    assert split_url(url) == parts


@pytest.mark.parametrize("url", ["ftp://h/secret", "http:///secret", "/secret", "secret", ""])
def test_what_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        split_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("origin", ["http://h:1", "http://user:pass@h:1"])
def test_a_proxy_gets_the_whole_url_without_its_userinfo(origin: str) -> None:
    assert absolute_form(origin) == "http://h:1"
