"""Follows the redirects of the hub, and keeps the etag and size of a file that the hub states in a redirect.

A file in Git LFS is read from a content network. The hub answers the request for it with a redirect that states the
etag and the size of the file; the content network states its own. Renamed repositories redirect too, also writes.
Credentials never reach another origin, and content is sent to no other origin than the hub's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from entrepot.errors import PermissionDenied, Unexpected
from entrepot.raw.http.redirects import MAX_REDIRECTS, REDIRECTS, origin_of, redirected
from entrepot.raw.http.transport import HttpHeaders, HttpRequest, HttpResponse, HttpTransport

_LINKED: Final = ("x-linked-etag", "x-linked-size", "x-repo-commit")
_WITHOUT_CONTENT: Final = frozenset({"GET", "HEAD"})


class HubTransport(HttpTransport):
    """Sends requests to the hub.

    Arguments:
        http: sends each request.
        private: the names, in lower case, of headers of the configuration, which may hold a key.
    """

    def __init__(self, http: HttpTransport, private: Collection[str]) -> None:
        self._http = http
        self._private = frozenset(private)

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends a request and follows redirects. The response has the `X-Linked-` headers of all responses.

        Raises:
            PermissionDenied: a redirect leads from https to http, or a request with content to another origin.
            Unexpected: a redirect has no target that is HTTP, or there are too many of them.
        """
        linked = dict[str, str]()
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._http.send(request)
            if response.status not in REDIRECTS:
                return _with_linked(response, linked)
            await response.body.close()
            linked |= {name: response.headers[name] for name in _LINKED if name in response.headers}
            request = self._next(request, response)
        raise Unexpected(f"the server redirects more than {MAX_REDIRECTS} times")

    async def close(self) -> None:
        await self._http.close()

    def _next(self, request: HttpRequest, response: HttpResponse) -> HttpRequest:
        following = redirected(request, response.status, response.headers.get("location"), self._private)
        is_elsewhere = origin_of(request.url) != origin_of(following.url)
        if is_elsewhere and request.method not in _WITHOUT_CONTENT:
            raise PermissionDenied("the hub redirects content to another server, which is not followed")
        return following


def _with_linked(response: HttpResponse, linked: dict[str, str]) -> HttpResponse:
    if not linked or response.status >= 300:
        return response
    headers = HttpHeaders(response.headers.items())
    headers.update(linked)
    return HttpResponse(response.status, headers, response.body, response.url)
