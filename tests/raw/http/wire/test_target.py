"""Origins and targets of URLs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import InvalidInput
from entrepot.raw.http.wire.target import _URL, absolute_form, split_url


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://h/a?b#c", ("http://h", "/a?b")),
        ("https://h:1?b=/", ("https://h:1", "/?b=/")),
        ("http://h", ("http://h", "/")),
        ("HTTP://h/a", ("HTTP://h", "/a")),
        ("http://h/a://b", ("http://h", "/a://b")),
        ("http://h?a/b", ("http://h", "/?a/b")),
        ("http://h#a/b", ("http://h", "/")),
        ("http://user:p@h/a?b/c", ("http://user:p@h", "/a?b/c")),
        ("http://[::1]:9/a//b", ("http://[::1]:9", "/a//b")),
    ],
)
def test_a_url_is_an_origin_and_a_target(url: str, parts: tuple[str, str]) -> None:
    assert split_url(url) == parts


@pytest.mark.parametrize(
    "url",
    ["ftp://h/secret", "http:///secret", "http://?/secret", "http://#/secret", "http:/secret", "/secret", "secret", ""],
)
def test_what_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        split_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("origin", ["http://h:1", "http://user:pass@h:1"])
def test_a_proxy_gets_the_whole_url_without_its_userinfo(origin: str) -> None:
    assert absolute_form(origin) == "http://h:1"


@settings(max_examples=50)
@given(st.text(st.sampled_from("htps:/?#a@[]"), max_size=8))
def test_the_usual_way_gives_what_the_pattern_gives(rest: str) -> None:
    for url in (rest, f"http:/{rest}", f"http://{rest}", f"https://h{rest}"):
        match = _URL.match(url)
        if match is None:
            with pytest.raises(InvalidInput):
                split_url(url)
        else:
            assert split_url(url) == (match[1], match[2] if match[2].startswith("/") else f"/{match[2]}")
