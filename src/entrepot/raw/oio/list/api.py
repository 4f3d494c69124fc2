"""`List`, the body of a listing."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.errors import Unsupported
from entrepot.types import Entry


class List:
    """The body of a listing, which yields pages of entries.

    Creating a body does no I/O: the first verb does. After a temporary error, a timeout or a cancellation
    the same verb continues at the same page. One task uses a body at a time.

    A service lists the given path. For a directory it yields the entries in it, and the directory's own entry if
    the storage has one. With `Capability.list_can_prefix` it also lists a path that is not a directory: all entries
    that start with it. A path that does not exist is an empty listing. Directories end with a slash; an entry
    has its mode, and the length of a file if the storage reports it. A name that no path can reach, such as one that
    starts with a slash, is left out. `CompleteLayer` supplies the rest.
    """

    __slots__ = ()

    async def next(self) -> Sequence[Entry] | None:
        """Returns the next page of entries, never empty; None at the end, and again when called after it."""
        raise Unsupported("this body cannot list")

    async def close(self) -> None:
        """Releases the body's resources. A second call does nothing."""
