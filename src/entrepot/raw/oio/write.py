"""The body of a write."""

from __future__ import annotations

from entrepot.errors import Unsupported
from entrepot.types import Metadata


class Write:
    """What a service gives to be written to. The object appears on `close` and not before.

    Creating a body does no I/O. A buffer is dropped only after it was stored, so a failed `write` or
    `close` can be tried again. One task uses a body at a time.
    """

    __slots__ = ()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Takes more bytes. They may be kept until `close`, so the caller does not change them."""
        raise Unsupported("this body cannot write")

    async def close(self) -> Metadata:
        """Publishes what was written and returns what is known of it, its length at least."""
        raise Unsupported("this body cannot close")

    async def abort(self) -> None:
        """Drops what was written. Afterwards nothing of it can be seen."""
        raise Unsupported("this body cannot abort")
