"""`Entry`: one name in a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .metadata import Metadata

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass


@dataclass(frozen=True, slots=True, init=False)
class Entry:
    """One name in a listing.

    Arguments:
        path: the path relative to the operator's root; a directory's path ends with a slash.
        metadata: the metadata in the listing: always the mode, and for a file the length.
    """

    path: str
    metadata: Metadata

    def __init__(self, path: str, metadata: Metadata) -> None:
        _set_path(self, path)
        _set_metadata(self, metadata)

    @property
    def name(self) -> str:
        """The last name of the path, with the slash of a directory: `"b/"` for `"a/b/"`."""
        return self.path[self.path.rstrip("/").rfind("/") + 1 :] or "/"

    @property
    def is_file(self) -> bool:
        """Whether it is an object or file, not a directory."""
        return self.metadata.is_file

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self.metadata.is_dir

    @property
    def size(self) -> int | None:
        """The length of a file in bytes, if the listing states it; None for a directory."""
        return self.metadata.content_length if self.metadata.is_file else None


# Set through the slots, as in `Metadata`: a listing makes one entry for each name.
_set_path, _set_metadata = (getattr(Entry, name).__set__ for name in Entry.__slots__)
