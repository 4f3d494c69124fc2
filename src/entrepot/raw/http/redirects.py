"""Follows redirects (RFC 9110, section 15.4).

Credentials never reach another origin, a redirect from https to http is refused, and chains are bounded.
"""

from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from entrepot.errors import PermissionDenied, Unexpected
from entrepot.types.records import replace

from .endpoint import DEFAULT_PORTS
from .transport import Header, HttpRequest, HttpResponse, HttpTransport

MAX_REDIRECTS: Final = 10
"""How many redirects of one request are followed."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_CREDENTIAL_PREFIX: Final = "x-amz-"
_KEPT_IN_URLS: Final = ":/?#[]@!$&'()*+,;=%~"

Origin = tuple[str, str, int]


async def send_following(transport: HttpTransport, request: HttpRequest, private: Collection[str] = ()) -> HttpResponse:
    """Sends a request and follows up to `MAX_REDIRECTS` redirects. The response's `url` is the last one.

    The content of a redirect is closed unread. Headers that may hold credentials are dropped permanently at the first
    step to another origin (scheme, host or port).

    Arguments:
        transport: sends each request.
        request: the first request.
        private: the names, in lower case, of more headers that may hold credentials.

    Raises:
        PermissionDenied: a redirect leads from https to http.
        Unexpected: a redirect has no target or a target that is not HTTP, or there are too many of them.
    """
    for _ in range(MAX_REDIRECTS + 1):
        response = await transport.send(request)
        if response.status not in REDIRECTS:
            response.url = request.url
            return response
        await response.body.close()
        request = redirected(request, response.status, response.headers.get("location"), private)
    raise Unexpected(f"the server redirects more than {MAX_REDIRECTS} times")


class FollowingTransport(HttpTransport):
    """Follows the redirects of requests that change nothing; others are returned as they come.

    Arguments:
        inner: sends each request.
        methods: the methods whose redirects are followed.
        private: as in `send_following`.
    """

    __slots__ = ("_inner", "_methods", "_private", "close")

    def __init__(self, inner: HttpTransport, methods: Collection[str], private: Collection[str] = ()) -> None:
        self._inner = inner
        self._methods = methods
        self._private = private
        self.close = inner.close  # type: ignore[method-assign]

    async def send(self, request: HttpRequest) -> HttpResponse:
        if request.method in self._methods:
            return await send_following(self._inner, request, self._private)
        return await self._inner.send(request)


def redirected(request: HttpRequest, status: int, location: str | None, private: Collection[str] = ()) -> HttpRequest:
    """The request that follows a redirect.

    Arguments:
        request: the request that was redirected.
        status: the status of the redirect.
        location: its Location, absolute or relative to the request.
        private: as in `send_following`.

    Raises:
        PermissionDenied, Unexpected: as `send_following`.
    """
    url = _target(request.url, location)
    origin, target = origin_of(request.url), origin_of(url)
    if origin[0] == "https" and target[0] == "http":
        raise PermissionDenied("the server redirects from https to http, which is not followed")
    headers = request.headers if origin == target else without_credentials(request.headers, private)
    if status == 303 and request.method != "HEAD":
        return replace(request, method="GET", url=url, headers=headers, body=None)
    return replace(request, url=url, headers=headers)


def without_credentials(headers: Sequence[Header], private: Collection[str] = ()) -> list[Header]:
    """The headers that cannot hold credentials."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in private and not _may_hold_credentials(name.lower())
    ]


def _may_hold_credentials(name: str) -> bool:
    return name in _CREDENTIALS or name.startswith(_CREDENTIAL_PREFIX)


def origin_of(url: str) -> Origin:
    """Scheme, host and port of a URL.

    Raises:
        Unexpected: it is not HTTP, or cannot be parsed.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unexpected("the server redirects to a malformed URL") from None
    if parts.scheme not in DEFAULT_PORTS or not host:
        raise Unexpected("the server redirects to a URL that is not HTTP")
    return parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port


def _target(base: str, location: str | None) -> str:
    """The absolute URL of a Location, percent-encoded, without fragment and userinfo.

    Userinfo is dropped: credentials that the server chose must not be sent.
    """
    if not location or not location.strip():
        raise Unexpected("the server redirects without a target")
    try:
        encoded = quote(location.strip().encode("utf-8", "surrogateescape"), safe=_KEPT_IN_URLS)
        parts = urlsplit(urljoin(base, encoded))
    except ValueError:
        raise Unexpected("the server redirects to a malformed URL") from None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", parts.query, ""))
