"""One name in a listing."""

from __future__ import annotations

from dataclasses import dataclass

from .metadata import Metadata


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a listing.

    Arguments:
        path: the path relative to the operator's root; that of a directory ends with a slash.
        metadata: what the listing told of it: the mode always, and the length of a file.
    """

    path: str
    metadata: Metadata

    @property
    def name(self) -> str:
        """The last name of the path, with the slash of a directory: of `"a/b/"` it is `"b/"`."""
        return self.path[self.path.rstrip("/").rfind("/") + 1 :] or "/"
