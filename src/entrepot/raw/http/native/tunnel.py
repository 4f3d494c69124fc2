"""A tunnel through a proxy (CONNECT; RFC 9110, 9.3.6)."""

import asyncio
from typing import cast

from entrepot.raw.http.failures import refused_by_proxy
from entrepot.raw.http.origin import Origin
from entrepot.raw.http.wire.framing import MalformedResponse
from entrepot.raw.http.wire.response_head import HeadReader, ResponseHead

from .breaks import Break, of_end, of_malformed


class Tunnel(asyncio.Protocol):
    """The protocol of a connection to a proxy until the tunnel stands.

    Attributes:
        transport: the connection.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._reader = HeadReader(has_content=False)
        self._head: ResponseHead | None = None
        self._broken: Break | None = None
        self._news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._head is None and self._broken is None:
            try:
                self._take(bytes(data))
            except MalformedResponse as error:
                self._broken = of_malformed(error)
            self._news.set()

    def _take(self, data: bytes) -> None:
        """Takes bytes. In TLS no server speaks before the client, so bytes after a success are not from the server."""
        received = self._reader.take(data)
        if received is None:
            return
        head, rest = received
        if rest and 200 <= head.status < 300:
            raise MalformedResponse("the proxy sent bytes before the tunnel was used")
        self._head = head

    def connection_lost(self, exc: BaseException | None) -> None:
        self._broken = self._broken or of_end(exc, has_head=False)
        self._news.set()

    async def connect(self, origin: Origin) -> None:
        """Asks the proxy for a connection to the origin, and waits for it.

        Raises:
            PermissionDenied: the proxy refuses it.
            Unexpected: the proxy cannot make it, or its response is not HTTP.
        """
        self.transport.write(_request(origin))
        while self._head is None:
            if self._broken is not None:
                raise self._broken.error()
            self._news.clear()
            await self._news.wait()
        if not 200 <= self._head.status < 300:
            raise refused_by_proxy(self._head.status, self._head.headers)


def _request(origin: Origin) -> bytes:
    address = origin.address
    host = f"[{address.host}]" if ":" in address.host else address.host
    place = f"{host}:{address.port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    lines += [f"{name}: {value}" for name, value in origin.connect_headers]
    return "\r\n".join([*lines, "", ""]).encode()
