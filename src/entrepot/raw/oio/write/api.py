"""`Write`, the body of a write."""

from __future__ import annotations

from entrepot.errors import Unsupported
from entrepot.types import Metadata


class Write:
    """The body of a write. The object appears on `close` and not before.

    Creating a body does no I/O. A buffer is dropped only after it was stored, so a caller can repeat a failed
    `write` or `close`. One task uses a body at a time.

    A body ends once, by `close` or by `abort`:

    - after a successful `close`, `close` returns the same metadata again, `abort` does nothing (the published
      object stays) and `write` raises `InvalidInput`.
    - after an `abort`, `write` and `close` raise `InvalidInput`, and `abort` does nothing more.
    """

    __slots__ = ()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Takes more bytes. The body may keep them until `close`, so the caller must not change them."""
        raise Unsupported("this body cannot write")

    async def close(self) -> Metadata:
        """Publishes the object and returns its metadata, at least its length."""
        raise Unsupported("this body cannot close")

    async def abort(self) -> None:
        """Drops the written bytes. Afterwards none of them is visible, and none appears later.

        The default does nothing, which is enough for a body that stores nothing before `close`.
        """
