"""The listing of a directory, with the directory itself at its head."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from entrepot.types import Entry, EntryMode, Metadata

from .api import List

_path_of = attrgetter("path")


class SelfEntryLister(List):
    """Puts the directory itself first, once, where the directory exists.

    Its own entry is taken if it is in the first page, and else made up if anything lies in it that is not
    a mark of a deletion. The root exists, whatever lies in it. In a listing of versions those of a
    directory's marker stay entries like others.

    Arguments:
        inner: the listing of the directory, with or without itself.
        path: the directory, with a slash at its end.
        keeps_versions: whether the listing is one of versions or deletions.
    """

    __slots__ = ("_inner", "_is_started", "_keeps_versions", "_path", "close")

    def __init__(self, inner: List, path: str, *, keeps_versions: bool = False) -> None:
        self._inner = inner
        self._path = path
        self._keeps_versions = keeps_versions
        self._is_started = False
        self.close = inner.close  # type: ignore[method-assign]

    async def next(self) -> Sequence[Entry] | None:
        while (page := await self._inner.next()) is not None:
            if self._is_started and self._path not in map(_path_of, page):
                return page
            itself = () if self._is_started else self._itself(page)
            self._is_started = True
            if entries := [*itself, *(entry for entry in page if self._is_content(entry, itself))]:
                return entries
        if self._path == "/" and not self._is_started:
            self._is_started = True
            return [_directory("/")]
        return None

    def _itself(self, page: Sequence[Entry]) -> Sequence[Entry]:
        """The directory, if the first page shows that it exists."""
        alive = [entry for entry in page if not entry.metadata.is_deleted]
        own = [entry for entry in alive if entry.path == self._path]
        if own:
            return own[:1]
        return [_directory(self._path)] if alive or self._path == "/" else ()

    def _is_content(self, entry: Entry, itself: Sequence[Entry]) -> bool:
        if entry.path != self._path:
            return True
        is_version = self._keeps_versions and entry.metadata.version is not None
        return is_version and not (itself and entry is itself[0])


def _directory(path: str) -> Entry:
    return Entry(path, Metadata(mode=EntryMode.DIR))
