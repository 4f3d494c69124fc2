"""The transport over our own HTTP connections, which asyncio or uvloop drives.

It needs no library: HTTP without I/O is in `raw/http/wire/`, TLS and sockets belong to the event loop. Requests are
sent as they were given: there are no redirects, no cookies and no decoding.
"""

from .transport import NativeTransport

__all__ = ["NativeTransport"]
