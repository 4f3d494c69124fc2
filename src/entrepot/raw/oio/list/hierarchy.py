"""One level out of a listing that has none."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.types import Entry, EntryMode, Metadata

from .api import List


class HierarchyLister(List):
    """Makes of a flat listing what lies directly at a path. The flat listing may come in any order.

    A name with a slash behind the path is folded into its directory, which is given once, with the
    metadata of its marker if that is what comes first. Of `"a//b"` the listing of `"a/"` has `"a//"`, and
    that of `"a//"` has `"a//b"`: each directory leads on. Only the names of directories are remembered.

    A name that begins with a slash lies in the directory `"/"`, which is the root itself: a listing of the root
    gives `"/"` for it. No path leads to such a name; a flat listing is where it can be seen.

    Arguments:
        flat: all that begins with the path; other entries are left out.
        path: a directory, or a prefix: `"a/b"` gives `"a/b"`, `"a/bc"` and, of `"a/b/c"`, `"a/b/"`.
    """

    __slots__ = ("_flat", "_given", "_prefix", "close")

    def __init__(self, flat: List, path: str) -> None:
        self._flat = flat
        self._prefix = "" if path == "/" else path
        self._given: set[str] = set()
        self.close = flat.close  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while (page := await self._flat.next()) is not None:
            folded = [child for entry in page if (child := self._fold(entry)) is not None]
            if folded:
                return folded
        return None

    def _fold(self, entry: Entry) -> Entry | None:
        """What the level has for an entry; None if it has given it already."""
        path = entry.path
        if not path.startswith(self._prefix):
            return None
        slash = path.find("/", len(self._prefix))
        if slash < 0 and not path.endswith("/"):
            return entry
        directory = path[: slash + 1] if slash >= 0 else path
        if directory in self._given:
            return None
        self._given.add(directory)
        return entry if directory == path else Entry(directory, Metadata(mode=EntryMode.DIR))
