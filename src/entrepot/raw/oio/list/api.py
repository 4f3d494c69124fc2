"""`List`, the body of a listing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from entrepot.errors import Error, Unsupported
from entrepot.types import Entry

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something in a directory that is not among the entries of its listing.

    Arguments:
        path: the directory, with a slash at its end; `"/"` is the root.
        error: why. It needs no path of its own.
    """

    path: str
    error: Error

    def as_error(self) -> Error:
        """The error with the path of the directory: one of its own would not be relative to the same operator."""
        error = copy.copy(self.error)
        error.path = self.path
        return error


def left_out_names(path: str, first: str | bytes, count: int) -> LeftOut:
    """What is left out where names in a directory cannot be in a path.

    Arguments:
        path: the directory, with a slash at its end; `"/"` is the root.
        first: one of the names, which the message shows escaped.
        count: how many names there are.
    """
    shown = ascii(first).removeprefix("b")
    names = f"a name here, {shown}," if count == 1 else f"{count} names here, such as {shown},"
    return LeftOut(
        path, Unsupported(f"{names} cannot be in a path", context={"hint": "rename it, or exclude the directory"})
    )


class List:
    """The body of a listing, which yields pages of entries.

    Creating a body does no I/O: the first verb does. After a temporary error, a timeout or a cancellation
    the same verb continues at the same page. One task uses a body at a time.

    A service lists the given path. For a directory it yields the entries in it, and the directory's own entry if
    the storage has one. With `Capability.list_can_prefix` it also lists a path that is not a directory: all entries
    that start with it. A path that does not exist is an empty listing. Directories end with a slash; an entry
    has its mode, and the length of a file if the storage reports it. A name that no path can reach, such as one that
    starts with a slash, is left out, and `left_out` says so. `CompleteLayer` supplies the rest.
    """

    __slots__ = ()

    async def next(self) -> Sequence[Entry] | None:
        """Returns the next page of entries, never empty; None at the end, and again when called after it."""
        raise Unsupported("this body cannot list")

    def left_out(self) -> Sequence[LeftOut]:
        """Returns what the pages so far lack: directories without permission to list, names that no path can have.

        Temporary files of writers, and what vanished during the listing, are not among it. Also after `close`.
        """
        return ()

    async def close(self) -> None:
        """Releases the body's resources. A second call does nothing."""
