"""What the tests of the transport on blocking sockets request."""

from entrepot.raw.http import HttpRequest
from entrepot.raw.http.blocking import BlockingTransport


async def get(transport: BlockingTransport, url: str) -> int:
    """Reads a whole response, and returns the length of its content."""
    response, size = await transport.send(HttpRequest("GET", url)), 0
    while piece := await response.body.read(1 << 20):
        size += len(piece)
    await response.body.close()
    return size
