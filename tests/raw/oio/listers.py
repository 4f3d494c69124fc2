"""What the tests of listings share."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from entrepot import Entry, EntryMode, Metadata, Unexpected
from entrepot.raw import oio

NAMES = st.text(alphabet="/.abé", min_size=1, max_size=8)
TREES = st.sets(NAMES, max_size=20)


def entry(path: str, **facts: Any) -> Entry:
    """An entry as a listing gives it."""
    if path.endswith("/"):
        return Entry(path, Metadata(mode=EntryMode.DIR, **facts))
    return Entry(path, Metadata(**{"content_length": 1, **facts}))


def pages_of(paths: Iterable[str], cuts: Iterable[int] = ()) -> list[list[Entry]]:
    """The entries of some paths in pages, cut at the given places; no page is empty."""
    entries = [entry(path) for path in paths]
    bounds = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(entries)), len(entries)]
    pages = [entries[begin:end] for begin, end in pairwise(bounds)]
    return [page for page in pages if page]


class Pages(oio.List):
    """Gives pages, and fails before those that it is told to; the same verb goes on."""

    def __init__(self, pages: Sequence[Sequence[Entry]], fails_before: Iterable[int] = ()) -> None:
        self.pages = list(pages)
        self.fails_before = set(fails_before)
        self.position = 0
        self.closed = 0

    async def next(self) -> Sequence[Entry] | None:
        if self.position in self.fails_before:
            self.fails_before.remove(self.position)
            raise Unexpected("reset", is_temporary=True)
        if self.position == len(self.pages):
            return None
        self.position += 1
        return self.pages[self.position - 1]

    async def close(self) -> None:
        self.closed += 1


async def drain(lister: oio.List) -> list[Entry]:
    """All entries, of a listing that may fail and is asked again then; no page is empty and the end is final."""
    entries: list[Entry] = []
    for _ in range(10_000):
        try:
            page = await lister.next()
        except Unexpected:
            continue
        if page is None:
            assert await lister.next() is None
            return entries
        assert page
        entries += page
    raise AssertionError("the listing does not end")


async def paths_of(lister: oio.List) -> list[str]:
    """The paths of all entries."""
    return [one.path for one in await drain(lister)]


def children(keys: Iterable[str], path: str) -> set[str]:
    """The oracle of one level: what lies directly at a path, each directory once."""
    prefix = "" if path == "/" else path
    found = set[str]()
    for key in keys:
        if key.startswith(prefix):
            name, slash, _ = key[len(prefix) :].partition("/")
            found.add(prefix + name + slash)
    return found
