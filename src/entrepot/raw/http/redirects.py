"""Redirects, followed by rules of our own (RFC 9110, section 15.4).

Credentials never reach another origin, a redirect never leads from https to http, and chains end.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from entrepot.errors import PermissionDenied, Unexpected

from .endpoint import DEFAULT_PORTS
from .transport import Header, HttpRequest, HttpResponse, HttpTransport

MAX_REDIRECTS: Final = 10
"""How many redirects of one request are followed."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_CREDENTIAL_PREFIX: Final = "x-amz-"
_KEPT_IN_URLS: Final = ":/?#[]@!$&'()*+,;=%~"

Origin = tuple[str, str, int]


async def send_following(transport: HttpTransport, request: HttpRequest) -> HttpResponse:
    """Sends a request and follows up to `MAX_REDIRECTS` redirects. The reply's `url` is where they ended.

    The content of a redirect is closed unread. Headers that may hold credentials are dropped for good
    at the first step to another origin (scheme, host or port).

    Raises:
        PermissionDenied: a redirect leads from https to http.
        Unexpected: a redirect leads nowhere, to what is not HTTP, or there are too many of them.
    """
    for _ in range(MAX_REDIRECTS + 1):
        response = await transport.send(request)
        if response.status not in REDIRECTS:
            response.url = request.url
            return response
        await response.body.close()
        request = redirected(request, response.status, response.headers.get("location"))
    raise Unexpected(f"the server redirects more than {MAX_REDIRECTS} times")


def redirected(request: HttpRequest, status: int, location: str | None) -> HttpRequest:
    """The request that a redirect asks for.

    Arguments:
        request: what was sent.
        status: the status of the redirect.
        location: its Location, absolute or relative to the request.

    Raises:
        PermissionDenied, Unexpected: as `send_following`.
    """
    url = _target(request.url, location)
    origin, target = origin_of(request.url), origin_of(url)
    if origin[0] == "https" and target[0] == "http":
        raise PermissionDenied("the server redirects from https to http, which is not followed")
    headers = request.headers if origin == target else without_credentials(request.headers)
    if status == 303 and request.method != "HEAD":
        return replace(request, method="GET", url=url, headers=headers, body=None)
    return replace(request, url=url, headers=headers)


def without_credentials(headers: Sequence[Header]) -> list[Header]:
    """The headers that another origin may see."""
    return [(name, value) for name, value in headers if not _may_hold_credentials(name.lower())]


def _may_hold_credentials(name: str) -> bool:
    return name in _CREDENTIALS or name.startswith(_CREDENTIAL_PREFIX)


def origin_of(url: str) -> Origin:
    """Scheme, host and port of a URL.

    Raises:
        Unexpected: it is not HTTP, or cannot be read.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unexpected("the server redirects to what is no URL") from None
    if parts.scheme not in DEFAULT_PORTS or not host:
        raise Unexpected("the server redirects to what is not HTTP")
    return parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port


def _target(base: str, location: str | None) -> str:
    """Where a Location leads: absolute, percent-encoded, without fragment, and without userinfo.

    Userinfo is dropped, since credentials that the other side chose are not ours to send.
    """
    if not location or not location.strip():
        raise Unexpected("the server redirects without saying where to")
    try:
        encoded = quote(location.strip().encode("utf-8", "surrogateescape"), safe=_KEPT_IN_URLS)
        parts = urlsplit(urljoin(base, encoded))
    except ValueError:
        raise Unexpected("the server redirects to what is no URL") from None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", parts.query, ""))
