"""The origins that a transport has sent requests to."""

from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import InvalidInput
from entrepot.raw.http.origins import _MOST, Origins
from entrepot.raw.http.transport import HttpRequest
from entrepot.raw.http.wire.target import split_url

Made = tuple[str, bool]


def recorded() -> tuple[Origins[Made], list[Made]]:
    """Origins, and those that were made."""
    made: list[Made] = []

    def make(text: str, is_direct: bool) -> Made:
        made.append((text, is_direct))
        return made[-1]

    return Origins(make), made


def test_an_origin_is_made_once_and_once_more_for_direct_requests() -> None:
    origins, made = recorded()
    for is_direct in (False, True, False, True):
        for path in ("/a", "/b?c=/", "?d", ""):
            origin, _ = origins.split(HttpRequest("GET", f"http://h:1{path}", is_direct=is_direct))
            assert origin == ("http://h:1", is_direct)
    assert made == [("http://h:1", False), ("http://h:1", True)]


def test_a_host_without_a_path_is_not_taken_for_a_known_one() -> None:
    origins, _ = recorded()
    for host in ("http://hos", "http://host"):
        assert origins.split(HttpRequest("GET", host)) == ((host, False), "/")


def test_only_some_origins_are_kept() -> None:
    origins, made = recorded()
    for number in range(_MOST + 1):
        origins.split(HttpRequest("GET", f"http://h{number}/"))
    origins.split(HttpRequest("GET", "http://h0/"))
    assert len(made) == _MOST + 2


@settings(max_examples=50)
@given(st.lists(st.text(st.sampled_from("h/?#a@"), max_size=6), min_size=1, max_size=4))
def test_what_is_known_does_not_change_how_a_url_is_divided(rests: list[str]) -> None:
    origins, _ = recorded()
    for url in [f"http://{rest}" for rest in rests] * 2:
        try:
            (text, _), target = origins.split(HttpRequest("GET", url))
        except InvalidInput:
            text = target = ""
        try:
            expected = split_url(url)
        except InvalidInput:
            expected = "", ""
        assert (text, target) == expected
