"""A connection is cut off in any state."""

import asyncio
import ssl

import pytest
import trustme

from entrepot.raw.runtime.cut_off import cut_off


@pytest.mark.parametrize("closed", [0, 1, 2])
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
async def test_a_connection_that_the_peer_has_ended_is_cut_off_however_often_it_was_closed(
    closed: int, is_tls: bool
) -> None:
    server_tls, client_tls = _contexts() if is_tls else (None, None)

    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(end, "127.0.0.1", 0, ssl=server_tls) as server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port, ssl=client_tls)
        assert await reader.read() == b""
        for _ in range(closed):
            writer.close()
        cut_off(writer.transport)
        assert writer.transport.is_closing()


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    return server_tls, client_tls
