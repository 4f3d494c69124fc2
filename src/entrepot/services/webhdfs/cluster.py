"""The calls to a cluster: to its namenode, and to the datanodes that this names."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from entrepot.errors import NotADirectory, NotFound, Unexpected
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.redirects import origin_of
from entrepot.raw.http.transport import Content, HttpRequest, HttpResponse
from entrepot.raw.runtime import Runtime

from .core import (
    OCTETS,
    REDIRECT,
    FileStatus,
    WebhdfsDialect,
    parse_boolean,
    parse_location,
    parse_status,
)

_SUCCESS: Final = range(200, 300)
_SUCCESS_OR_REDIRECT: Final = (*_SUCCESS, REDIRECT)


class Cluster:
    """One cluster.

    Arguments:
        dialect: builds the requests to the namenode.
        client: sends them, with the headers of the configuration.
        datanodes: sends requests to other servers, without these headers: they may hold a key.
    """

    __slots__ = ("_client", "_datanodes", "dialect")

    def __init__(
        self, dialect: WebhdfsDialect, client: HttpClient[WebhdfsDialect], datanodes: HttpClient[WebhdfsDialect]
    ) -> None:
        self.dialect = dialect
        self._client = client
        self._datanodes = datanodes

    @property
    def runtime(self) -> Runtime:
        """The runtime of the service."""
        return self._client.runtime

    async def find(self, path: str) -> FileStatus:
        """The status of a file or directory.

        Raises:
            NotFound: there is neither.
        """
        try:
            return parse_status(await self.call(self.dialect.status(path)))
        except NotADirectory:
            raise NotFound("there is no such file: a name above it is a file") from None

    async def look(self, path: str) -> FileStatus | None:
        """The status of a file or directory; None if there is neither."""
        with suppress(NotFound):
            return await self.find(path)
        return None

    async def call(self, request: HttpRequest) -> bytes:
        """The content of the namenode's response."""
        _, content = await self._client.call(request)
        return content

    async def ask(self, request: HttpRequest) -> bool:
        """The boolean of the namenode's response."""
        return parse_boolean(await self.call(request))

    async def open(self, request: HttpRequest) -> HttpResponse:
        """The response with the content of a file. HttpFS sends the content itself."""
        response = await self._client.respond(request, _SUCCESS_OR_REDIRECT)
        if response.status != REDIRECT:
            return response
        await response.body.close()
        url = parse_location(request.url, response.status, response.headers, b"")
        return await self._client_for(url, request).respond(HttpRequest("GET", url))

    async def send(self, request: HttpRequest, content: Content) -> None:
        """Makes both steps of a request with content.

        Arguments:
            request: the first step, without content.
            content: the content for the datanode.
        """
        response = await self._client.respond(request, _SUCCESS_OR_REDIRECT)
        try:
            named = await _read(response)
        finally:
            await response.body.close()
        url = parse_location(request.url, response.status, response.headers, named)
        await self._client_for(url, request).store(HttpRequest(request.method, url, [OCTETS], content))

    def _client_for(self, url: str, first: HttpRequest) -> HttpClient[WebhdfsDialect]:
        return self._client if origin_of(url) == origin_of(first.url) else self._datanodes


async def _read(response: HttpResponse, limit: int = 64 * 1024) -> bytes:
    pieces, left = list[bytes](), limit
    while piece := await response.body.read(limit):
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            raise Unexpected("the namenode names a datanode by a response that is too long")
    return b"".join(pieces)


def is_same_length(status: FileStatus | None, size: int) -> bool:
    """Whether there is a file, and it has this length."""
    return status is not None and not status.is_directory and status.length == size
