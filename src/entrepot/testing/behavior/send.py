"""Sends a presigned request, as any program without entrepot can."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

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


async def send_form(form: PresignedRequest, content: bytes, file_name: str = "file", **more: str) -> Sent:
    """Sends a form as a browser does (RFC 7578): its fields, more fields, and the file."""
    boundary = f"entrepot-{token_hex(8)}"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in [*form.fields.items(), *more.items()]
    ]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n\r\n'
    body = "".join([*parts, file]).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return await send(PresignedRequest(form.method, form.url, headers), body)


async def send(request: PresignedRequest, content: bytes | None = None) -> Sent:
    """Sends the request on a new connection, with no header but its own."""
    from entrepot.raw.http.choice import new_transport

    transport = new_transport()
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
