"""Puts a directory's own entry at the head of its listing."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from entrepot.types import Entry, EntryMode, Metadata

from .api import List

_path_of = attrgetter("path")


class SelfEntryLister(List):
    """Yields the directory's own entry first, once, if the directory exists.

    The entry is taken from the first page if it is there, and otherwise made if the page has any entry that is not
    a delete marker. The root always exists. In a listing of versions, the versions of a directory's marker stay
    ordinary entries.

    Arguments:
        inner: the listing of the directory, with or without its own entry.
        path: the directory, with a slash at its end.
        keeps_versions: whether the listing has versions or delete markers.
    """

    __slots__ = ("_inner", "_is_started", "_keeps_versions", "_path", "close", "left_out")

    def __init__(self, inner: List, path: str, *, keeps_versions: bool = False) -> None:
        self._inner = inner
        self._path = path
        self._keeps_versions = keeps_versions
        self._is_started = False
        self.close = inner.close  # type: ignore[method-assign]
        self.left_out = inner.left_out  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while (page := await self._inner.next()) is not None:
            has_own = self._path in map(_path_of, page)
            if self._is_started and not has_own:
                return page
            own = () if self._is_started else self._own_entry(page, has_own=has_own)
            self._is_started = True
            content = [entry for entry in page if self._is_content(entry, own)] if has_own else page
            if entries := [*own, *content]:
                return entries
        if self._path == "/" and not self._is_started:
            self._is_started = True
            return [_directory("/")]
        return None

    def _own_entry(self, page: Sequence[Entry], *, has_own: bool) -> Sequence[Entry]:
        """Returns the directory's entry, if the first page shows that the directory exists."""
        alive = (entry for entry in page if not entry.metadata.is_deleted)
        if has_own and (own := next((entry for entry in alive if entry.path == self._path), None)):
            return [own]
        is_there = self._path == "/" or any(not entry.metadata.is_deleted for entry in page)
        return [_directory(self._path)] if is_there else ()

    def _is_content(self, entry: Entry, own: Sequence[Entry]) -> bool:
        if entry.path != self._path:
            return True
        is_version = self._keeps_versions and entry.metadata.version is not None
        return is_version and not (own and entry is own[0])


def _directory(path: str) -> Entry:
    return Entry(path, Metadata(mode=EntryMode.DIR))
