"""The body of a listing."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.errors import Unsupported
from entrepot.types import Entry


class List:
    """What a service gives to be listed, a page at a time.

    Creating a body does no I/O: the first verb does. After a temporary error, a timeout or a cancellation
    the same verb goes on at the same page. One task uses a body at a time.

    A service lists the path it is given: a directory by what lies in it, the directory itself included if
    it has it; with `Capability.list_can_prefix` also a path that is no directory, by what begins with it.
    What does not exist is an empty listing. Directories end with a slash; an entry tells its mode, and the
    length of a file if the listing tells it. A name that no path leads to, such as one that begins with a
    slash, is left out. `CompleteLayer` supplies the rest.
    """

    __slots__ = ()

    async def next(self) -> Sequence[Entry] | None:
        """The next entries as the storage gives them, never empty; None is the end, and stays it."""
        raise Unsupported("this body cannot list")

    async def close(self) -> None:
        """Gives back what the body holds. Closing twice is closing once."""
