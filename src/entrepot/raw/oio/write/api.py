"""The body of a write."""

from __future__ import annotations

from entrepot.errors import Unsupported
from entrepot.types import Metadata


class Write:
    """What a service gives to be written to. The object appears on `close` and not before.

    Creating a body does no I/O. A buffer is dropped only after it was stored, so a failed `write` or
    `close` can be tried again. One task uses a body at a time.

    A body ends once, by `close` or by `abort`:

    - after a `close` that succeeded, `close` gives the same metadata again and `abort` does nothing:
      what was published stays. `write` is `InvalidInput`.
    - after an `abort`, `write` and `close` are `InvalidInput`, and `abort` does nothing more.
    """

    __slots__ = ()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Takes more bytes. They may be kept until `close`, so the caller does not change them."""
        raise Unsupported("this body cannot write")

    async def close(self) -> Metadata:
        """Publishes what was written and returns what is known of it, its length at least."""
        raise Unsupported("this body cannot close")

    async def abort(self) -> None:
        """Drops what was written. Afterwards nothing of it can be seen, and nothing of it comes any more.

        The default does nothing, which is enough where nothing leaves the body before `close` and nobody
        goes on after `abort`.
        """
