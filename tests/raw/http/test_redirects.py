"""Redirects."""

import pytest

from entrepot.errors import PermissionDenied, Unexpected
from entrepot.raw.http.redirects import MAX_REDIRECTS, FollowingTransport, redirected, send_following
from entrepot.raw.http.transport import HttpBody, HttpHeaders, HttpRequest, HttpResponse, HttpTransport

SECRETS = [("Authorization", "Bearer t"), ("Cookie", "c=1"), ("X-Amz-Date", "d"), ("x-amz-security-token", "s")]
HEADERS = [("Range", "bytes=0-1"), *SECRETS]


@pytest.mark.parametrize(
    ("base", "location", "target"),
    [
        ("http://h/a/b?q=1", "c", "http://h/a/c"),
        ("http://h/a/b", "/c?d=%2F#frag", "http://h/c?d=%2F"),
        ("http://h/a/b", "../c", "http://h/c"),
        ("http://h/a/b", "//other/c", "http://other/c"),
        ("http://h/a", "https://h/a", "https://h/a"),
        ("http://h/a", "http://other", "http://other/"),
        ("http://h/a", "/naïve file%20x", "http://h/na%C3%AFve%20file%20x"),
        ("http://h:81/a", "http://user:secret@other:82/b", "http://other:82/b"),
        ("http://[::1]:81/a", "/b", "http://[::1]:81/b"),
    ],
)
def test_a_location_may_be_relative_and_is_encoded(base: str, location: str, target: str) -> None:
    assert redirected(HttpRequest("GET", base), 302, location).url == target


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [("GET", 303, "GET"), ("HEAD", 303, "HEAD"), ("POST", 303, "GET"), ("GET", 301, "GET"), ("HEAD", 307, "HEAD")],
)
def test_only_303_turns_a_method_into_get_and_head_stays_head(method: str, status: int, expected: str) -> None:
    assert redirected(HttpRequest(method, "http://h/a", (), b"x"), status, "/b").method == expected


@pytest.mark.parametrize("status", [302, 303])
def test_timeouts_of_the_request_go_along(status: int) -> None:
    request = HttpRequest("POST", "http://h/a", (), b"x", connect_timeout=1, idle_timeout=2)
    found = redirected(request, status, "/b")
    assert (found.connect_timeout, found.idle_timeout) == (1, 2)
    assert found.body == (None if status == 303 else b"x")


def test_the_same_origin_gets_all_headers() -> None:
    request = HttpRequest("GET", "https://h/a", HEADERS)
    assert redirected(request, 302, "https://H:443/b").headers == HEADERS


@pytest.mark.parametrize("location", ["https://other/b", "https://h:444/b", "https://h.other/b"])
def test_another_origin_gets_no_credentials(location: str) -> None:
    request = HttpRequest("GET", "https://h/a", HEADERS)
    assert redirected(request, 302, location).headers == [("Range", "bytes=0-1")]


def test_https_never_becomes_http() -> None:
    with pytest.raises(PermissionDenied) as caught:
        redirected(HttpRequest("GET", "https://h/a?secret=1"), 302, "http://h/a?secret=1")
    assert caught.value.kind == "PermissionDenied"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "location",
    [None, "", "  ", "ftp://h/a", "\ud800", "http://h:port/", "http://h:99999/", "http://[::1/", "javascript:x"],
)
def test_a_location_that_leads_nowhere_is_an_error(location: str | None) -> None:
    with pytest.raises(Unexpected) as caught:
        redirected(HttpRequest("GET", "http://h/a"), 302, location)
    assert caught.value.kind == "Unexpected"
    assert not caught.value.is_temporary


class Body(HttpBody):
    def __init__(self) -> None:
        self.is_closed = False

    async def close(self) -> None:
        self.is_closed = True


class Chain(HttpTransport):
    """Redirects so many times, to a new name each time or to itself, and then answers 200."""

    def __init__(self, times: int, location: str = "{}") -> None:
        self.sent: list[HttpRequest] = []
        self.bodies: list[Body] = []
        self._times = times
        self._location = location

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        self.bodies.append(Body())
        if len(self.sent) > self._times:
            return HttpResponse(200, HttpHeaders(), self.bodies[-1])
        location = self._location.format(len(self.sent))
        return HttpResponse(302, HttpHeaders([("Location", location)]), self.bodies[-1])


async def test_a_chain_is_followed_and_its_contents_closed() -> None:
    chain = Chain(MAX_REDIRECTS)
    response = await send_following(chain, HttpRequest("GET", "http://h/a"))
    assert (response.status, response.url) == (200, f"http://h/{MAX_REDIRECTS}")
    assert [body.is_closed for body in chain.bodies] == [True] * MAX_REDIRECTS + [False]


async def test_a_loop_ends() -> None:
    chain = Chain(10_000, "/a")
    with pytest.raises(Unexpected) as caught:
        await send_following(chain, HttpRequest("GET", "http://h/a"))
    assert caught.value.kind == "Unexpected"
    assert len(chain.sent) == MAX_REDIRECTS + 1
    assert all(body.is_closed for body in chain.bodies)


async def test_credentials_that_were_dropped_do_not_come_back() -> None:
    class AwayAndBack(Chain):
        async def send(self, request: HttpRequest) -> HttpResponse:
            self._location = "http://other/" if len(self.sent) == 0 else "http://h/b"
            return await super().send(request)

    chain = AwayAndBack(2)
    await send_following(chain, HttpRequest("GET", "http://h/a", SECRETS))
    assert [list(request.headers) for request in chain.sent] == [SECRETS, [], []]


async def test_a_reply_that_is_no_redirect_is_left_alone() -> None:
    chain = Chain(0)
    response = await send_following(chain, HttpRequest("GET", "http://h/a"))
    assert response.url == "http://h/a"
    assert isinstance(response.body, Body)
    assert not response.body.is_closed


class _Redirecting(HttpTransport):
    async def send(self, request: HttpRequest) -> HttpResponse:
        status = 302 if request.url == "http://h/a" else 200
        return HttpResponse(status, HttpHeaders([("Location", "http://other/b")]), HttpBody())


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("PUT", 302)])
async def test_a_transport_follows_only_what_changes_nothing(method: str, status: int) -> None:
    transport = FollowingTransport(_Redirecting(), {"GET"})
    response = await transport.send(HttpRequest(method, "http://h/a", HEADERS))
    assert response.status == status
