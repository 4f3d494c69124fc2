"""`cut_off`: ends a connection of asyncio at once, whatever was done to it before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def cut_off(transport: asyncio.WriteTransport) -> None:
    """Ends a connection without waiting for the peer. Bytes that were not sent are lost.

    The TLS of asyncio lets go of a connection that is closed again after its end, and on Python 3.11.2, which Debian 12
    has, cannot be aborted any more then. There is nothing left to end.
    """
    if getattr(transport, "_ssl_protocol", transport) is not None:
        transport.abort()
