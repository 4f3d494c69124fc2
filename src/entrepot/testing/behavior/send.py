"""Sends a presigned request as anyone could who was given it."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.raw.http.transport import HttpHeaders, HttpRequest
from entrepot.types import PresignedRequest


@dataclass(frozen=True, slots=True)
class Sent:
    """What came back.

    Arguments:
        status: the status code.
        headers: the headers.
        content: the body, whole.
    """

    status: int
    headers: HttpHeaders
    content: bytes


async def send(request: PresignedRequest, content: bytes | None = None) -> Sent:
    """Sends it on a connection of its own, with nothing but what it says."""
    from entrepot.raw.http.aiohttp import AiohttpTransport

    transport = AiohttpTransport()
    asked = HttpRequest(request.method, request.url, list(request.headers.items()), content)
    try:
        response = await transport.send(asked)
        try:
            pieces = []
            while piece := await response.body.read(64 * 1024):
                pieces.append(piece)
            return Sent(response.status, response.headers, b"".join(pieces))
        finally:
            await response.body.close()
    finally:
        await transport.close()
