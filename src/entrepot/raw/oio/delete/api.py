"""`Delete`, the body of deletions."""

from __future__ import annotations

from typing import Final

from entrepot.errors import Unsupported
from entrepot.raw.ops import OpDelete

NOT_EMPTY: Final = "the directory is not empty: recursive=True deletes it with its content"
"""The message of `IsADirectory` for the deletion of a directory with contents that is not recursive."""


class Delete:
    """The body of deletions. It may queue deletions, to send many in one request.

    Creating a body does no I/O. Deleting a missing object succeeds. A deletion leaves the queue only after it
    succeeded, so a caller repeats a failed verb to make the deletions that are left.

    Errors: when queued deletions fail, some or all, the error is `DeletionsFailed`, which names them. Any other
    error of `delete` is of the deletion in that call, and any other error of `close` of all deletions of the body.
    One task uses a body at a time.
    """

    __slots__ = ()

    async def delete(self, path: str, args: OpDelete) -> None:
        """Deletes a path, now or at the latest in `close`. If it raises, it did not queue the deletion."""
        raise Unsupported("this body cannot delete")

    async def close(self) -> None:
        """Makes the queued deletions. A second call does nothing."""
