"""Origins: parsed, or refused."""

import pytest

from entrepot.errors import InvalidInput
from entrepot.raw.http.origin import Address, parse_origin


@pytest.mark.parametrize(
    "origin",
    [
        "http://secret:99999",
        "http://:80",
        "http://secret:0",
        "http://[secret",
        "http://se cret",
        "http://a:secret",
        "http://s%3Acret@a",
    ],
)
def test_an_origin_that_cannot_be_reached_is_refused(origin: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_origin(origin)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "address", "authority"),
    [
        ("HTTP://Example.com:80", Address("http", "Example.com", 80), "Example.com"),
        ("http://a.example.:8080", Address("http", "a.example.", 8080), "a.example:8080"),
        ("https://[::1]:444", Address("https", "::1", 444), "[::1]:444"),
        ("https://u%40:p%3A@h:", Address("https", "h", 443, "u@", "p:"), "h"),
        ("http://u:@h", Address("http", "h", 80, "u"), "h"),
        ("http://@h", Address("http", "h", 80), "h"),
        ("http://u@v@h", Address("http", "h", 80, "u@v"), "h"),
    ],
)
def test_an_origin_is_parsed(origin: str, address: Address, authority: str) -> None:
    assert (parse_origin(origin), parse_origin(origin).authority) == (address, authority)
    assert address.password is None or f"{address.password}'" not in repr(address)
