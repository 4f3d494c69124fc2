"""The body of deletions."""

from __future__ import annotations

from entrepot.errors import Unsupported
from entrepot.raw.ops import OpDelete


class Delete:
    """What a service gives to delete with. It may hold deletions back, to make many by one request.

    Creating a body does no I/O. What is missing is no error: it is gone. A deletion leaves the body only
    after it succeeded, so that a verb that failed is called again and makes those that are left. When
    some or all of those that were held back fail, the error is `DeletionsFailed`, which names them. Any other
    error is that of the deletion that was asked for, and one of `close` that of all that the body took. One task
    uses a body at a time.
    """

    __slots__ = ()

    async def delete(self, path: str, args: OpDelete) -> None:
        """Deletes, now or by `close` at the latest. When it fails, the deletion was not taken."""
        raise Unsupported("this body cannot delete")

    async def close(self) -> None:
        """Makes the deletions that were held back. Closing twice is closing once."""
