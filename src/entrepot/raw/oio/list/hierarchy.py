"""A listing of one level made of a flat listing."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.types import Entry, EntryMode, Metadata

from .api import List


class HierarchyLister(List):
    """Folds a flat listing into the entries directly at a path. The flat listing may come in any order.

    A name with a slash after the path is folded into its directory, which comes once, with the metadata of
    its marker if the marker comes first. For `"a//b"` the listing of `"a/"` has `"a//"`, and the listing of
    `"a//"` has `"a//b"`. Only the names of directories are remembered.

    A name that starts with a slash is in the directory `"/"`, which is the root itself, so a listing of the root
    has `"/"` for it. No path can reach such a name; only a flat listing shows it.

    Arguments:
        flat: the entries that start with the path; other entries are left out.
        path: a directory or a prefix: `"a/b"` yields `"a/b"`, `"a/bc"`, and `"a/b/"` for `"a/b/c"`.
    """

    __slots__ = ("_flat", "_prefix", "_seen", "close", "left_out")

    def __init__(self, flat: List, path: str) -> None:
        self._flat = flat
        self._prefix = "" if path == "/" else path
        self._seen: set[str] = set()
        self.close = flat.close  # type: ignore[method-assign]
        self.left_out = flat.left_out  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while (page := await self._flat.next()) is not None:
            folded = [child for entry in page if (child := self._fold(entry)) is not None]
            if folded:
                return folded
        return None

    def _fold(self, entry: Entry) -> Entry | None:
        """Returns the entry of this level for a flat entry; None if it came before."""
        path = entry.path
        if not path.startswith(self._prefix):
            return None
        slash = path.find("/", len(self._prefix))
        if slash < 0 and not path.endswith("/"):
            return entry
        directory = path[: slash + 1] if slash >= 0 else path
        if directory in self._seen:
            return None
        self._seen.add(directory)
        return entry if directory == path else Entry(directory, Metadata(mode=EntryMode.DIR))
