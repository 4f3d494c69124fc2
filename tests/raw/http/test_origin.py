"""Origins that aiohttp connects to."""

import pytest

from entrepot.errors import InvalidInput
from entrepot.raw.http.aiohttp.origin import parse_origin


@pytest.mark.parametrize("origin", ["http://secret:99999", "http://:80", "http://secret:0", "http://[secret"])
def test_an_origin_that_cannot_be_reached_is_refused(origin: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_origin(origin)
    assert "secret" not in str(caught.value)
