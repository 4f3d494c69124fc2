"""Sends a presigned request, as any program without entrepot can."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.types import PresignedRequest


@dataclass(frozen=True, slots=True)
class Sent:
    """A response.

    Arguments:
        status: the status code.
        headers: the headers.
        content: the body, whole.
    """

    status: int
    headers: HttpHeaders
    content: bytes


async def send(request: PresignedRequest, content: bytes | None = None) -> Sent:
    """Sends the request on a new connection, with no header but its own."""
    from entrepot.raw.http.aiohttp import AiohttpTransport

    transport = AiohttpTransport()
    http_request = HttpRequest(request.method, request.url, list(request.headers.items()), content)
    try:
        response = await transport.send(http_request)
        try:
            pieces = []
            while piece := await response.body.read(64 * 1024):
                pieces.append(piece)
            return Sent(response.status, response.headers, b"".join(pieces))
        finally:
            await response.body.close()
    finally:
        await transport.close()
