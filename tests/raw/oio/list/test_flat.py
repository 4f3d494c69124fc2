"""Recursion over listings of one level."""

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import InvalidInput, NotADirectory, NotFound, PermissionDenied, Unexpected
from entrepot.raw import get_parent, oio
from tests.raw.oio.listers import Pages, children, entry, pages_of, paths_of

PARTS = st.text(alphabet=".abé", min_size=1, max_size=2)
FILES = st.sets(st.lists(PARTS, min_size=1, max_size=5).map("/".join), max_size=15)


class Disk:
    """Directories and files, each directory listed by itself, in odd pages and with itself in it."""

    def __init__(self, files: set[str], cuts: list[int] | None = None, *, fails: bool = False) -> None:
        self.names = set(files)
        for file in files:
            while (file := get_parent(file)) != "/":
                self.names.add(file)
        self.cuts = cuts or []
        self.fails = fails
        self.errors: dict[str, Exception] = {}
        self.opened: list[Pages] = []
        self.listed: list[str] = []

    async def list_directory(self, path: str) -> oio.List:
        self.listed.append(path)
        if path in self.errors:
            raise self.errors[path]
        if self.fails and self.listed.count(path) == 1:
            raise Unexpected("reset", is_temporary=True)
        pages = pages_of(sorted(children(self.names, path) | {path}), self.cuts)
        self.opened.append(Pages(pages, fails_before=range(len(pages) + 1) if self.fails else ()))
        return self.opened[-1]


async def test_each_directory_comes_after_what_lies_in_it_and_the_start_last() -> None:
    disk = Disk({"a/b/c", "a/b/d", "a/e", "a/f/g/h"})
    found = await paths_of(oio.FlatLister(disk.list_directory, "a/"))
    assert found == ["a/e", "a/b/c", "a/b/d", "a/b/", "a/f/g/h", "a/f/g/", "a/f/", "a/"]
    assert [pages.closed for pages in disk.opened] == [1] * 4


async def test_opening_lists_nothing() -> None:
    disk = Disk({"a"})
    oio.FlatLister(disk.list_directory, "/")
    assert disk.listed == []


async def test_a_tree_deeper_than_any_call_stack_is_walked() -> None:
    depth = 1500
    deepest = "/".join(["d"] * depth)

    async def list_directory(path: str) -> oio.List:
        below = "d/" if path == "/" else path + "d/"
        return Pages([[entry(below if len(below) < len(deepest) else deepest)]])

    assert len(await paths_of(oio.FlatLister(list_directory, "/"))) == depth


async def test_an_entry_that_leads_back_up_is_given_and_not_followed() -> None:
    async def list_directory(path: str) -> oio.List:
        return Pages([[entry("/"), entry("a/"), entry("a/b")]])

    assert sorted(await paths_of(oio.FlatLister(list_directory, "a/"))) == ["/", "a/", "a/b"]


@pytest.mark.parametrize("error", [NotFound("gone"), NotADirectory("a file"), PermissionDenied("no")])
@pytest.mark.parametrize("at_opening", [True, False])
async def test_a_directory_that_is_gone_is_left_out_and_a_forbidden_one_has_no_contents(
    error: Exception, at_opening: bool, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk({"a/b", "c/d", "e"})

    async def list_directory(path: str) -> oio.List:
        if path == "a/" and not at_opening:
            return Failing(error)
        return await disk.list_directory(path)

    disk.errors["a/"] = error
    with caplog.at_level(logging.WARNING, "entrepot"):
        found = await paths_of(lister := oio.FlatLister(list_directory, "/"))
    forbidden = isinstance(error, PermissionDenied)
    assert lister.left_out() == [oio.LeftOut("a/", error)] * forbidden
    assert found == ["e", *["a/"] * forbidden, "c/d", "c/", "/"]
    assert [record.name for record in caplog.records] == ["entrepot.listing"] * forbidden
    assert ("'a/'" in caplog.text) == forbidden


@pytest.mark.parametrize("error", [NotFound("gone"), PermissionDenied("no")])
async def test_of_where_it_starts_the_error_is_raised(error: Exception) -> None:
    async def list_directory(path: str) -> oio.List:
        return Failing(error)

    with pytest.raises(type(error)):
        await oio.FlatLister(list_directory, "a/").next()
    disk = Disk(set())
    disk.errors["a/"] = error
    with pytest.raises(type(error)):
        await oio.FlatLister(disk.list_directory, "a/").next()


class Failing(oio.List):
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def next(self) -> None:
        raise self.error


async def test_closing_in_the_middle_closes_every_listing_on_the_way_down() -> None:
    disk = Disk({"a/b/c/d"})
    lister = oio.FlatLister(disk.list_directory, "/")
    assert await lister.next() == [entry("a/b/c/d")]
    assert [pages.closed for pages in disk.opened] == [0, 0, 0, 0]
    await lister.close()
    assert [pages.closed for pages in disk.opened] == [1, 1, 1, 1]
    with pytest.raises(InvalidInput):
        await lister.next()


async def test_closing_closes_the_others_too_when_one_fails() -> None:
    class Stubborn(Pages):
        async def close(self) -> None:
            await super().close()
            raise NotFound("gone")

    opened: list[Pages] = []

    async def list_directory(path: str) -> oio.List:
        opened.append(Stubborn([[entry("a/" if path == "/" else "a/b")]]))
        return opened[-1]

    lister = oio.FlatLister(list_directory, "/")
    await lister.next()
    with pytest.raises(NotFound):
        await lister.close()
    assert [pages.closed for pages in opened] == [1, 1]


@given(files=FILES, cuts=st.lists(st.integers(0, 10), max_size=4), fails=st.booleans())
def test_every_file_and_every_directory_comes_once_and_children_first(
    files: set[str], cuts: list[int], fails: bool
) -> None:
    disk = Disk(files, cuts, fails=fails)
    found = asyncio.run(paths_of(oio.FlatLister(disk.list_directory, "/")))
    # a name can be a file and a directory here, as on a flat store: "a" beside "a/"
    assert sorted(found) == sorted(disk.names | {"/"})
    for position, path in enumerate(found):
        if path.endswith("/"):
            assert not any(later.startswith(path) for later in found[position + 1 :] if path != "/")
    assert found[-1] == "/"
