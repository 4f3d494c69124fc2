"""Narrows the listing of a directory to a prefix."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.types import Entry

from .api import List


class PrefixLister(List):
    """Keeps the entries that start with a prefix: `"a/b"` keeps `"a/b"`, `"a/bc"`, `"a/b/"` and `"a/b/c"`.

    Arguments:
        inner: the listing, usually of the directory that holds the prefix.
        prefix: the start of the paths to keep; `"/"` keeps all.
    """

    __slots__ = ("_inner", "_prefix", "close", "left_out")

    def __init__(self, inner: List, prefix: str) -> None:
        self._inner = inner
        self._prefix = "" if prefix == "/" else prefix
        self.close = inner.close  # type: ignore[method-assign]
        self.left_out = inner.left_out  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while (page := await self._inner.next()) is not None:
            if kept := [entry for entry in page if entry.path.startswith(self._prefix)]:
                return kept
        return None
