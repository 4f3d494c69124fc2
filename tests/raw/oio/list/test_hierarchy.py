"""One level out of a flat listing, whatever the names and their order."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.raw import oio
from tests.raw.oio.listers import NAMES, TREES, Pages, children, drain, entry, pages_of, paths_of

CUTS = st.lists(st.integers(0, 20), max_size=5)


def level(keys: list[str], path: str, cuts: list[int] | None = None) -> oio.List:
    beneath = [key for key in keys if path == "/" or key.startswith(path)]
    return oio.HierarchyLister(Pages(pages_of(beneath, cuts or [])), path)


@pytest.mark.parametrize(
    ("keys", "path", "expected"),
    [
        (["a/", "a/b", "a/c/d", "a/c/e", "a/f/"], "a/", ["a/", "a/b", "a/c/", "a/f/"]),
        (["a/c/d", "a/b", "a/c/", "a/"], "a/", ["a/c/", "a/b", "a/"]),
        (["a", "b/c", "b/d"], "/", ["a", "b/"]),
        (["a/b", "a/bc", "a/b/c", "a/b/d", "a/bd/e"], "a/b", ["a/b", "a/bc", "a/b/", "a/bd/"]),
        (["a//b", "a//c"], "a/", ["a//"]),
        (["a//b", "a//c"], "a//", ["a//b", "a//c"]),
        (["/x", "//", "/"], "/", ["/"]),
        ([], "a/", []),
    ],
)
async def test_each_name_is_folded_into_what_lies_directly_there(
    keys: list[str], path: str, expected: list[str]
) -> None:
    assert await paths_of(level(keys, path)) == expected


async def test_a_marker_that_comes_first_gives_its_metadata_to_the_directory() -> None:
    marked = entry("a/b/", etag='"m"')
    lister = oio.HierarchyLister(Pages([[marked, entry("a/b/c")]]), "a/")
    assert await drain(lister) == [marked]


async def test_what_does_not_begin_with_the_path_is_left_out() -> None:
    lister = oio.HierarchyLister(Pages(pages_of(["b", "a/b", "ab"])), "a/")
    assert await paths_of(lister) == ["a/b"]


async def test_each_version_of_a_file_is_an_entry() -> None:
    versions = [entry("a/b", version="1"), entry("a/b", version="2")]
    assert await drain(oio.HierarchyLister(Pages([versions]), "a/")) == versions


async def test_a_page_that_failed_is_asked_for_again_and_nothing_is_lost() -> None:
    pages = Pages(pages_of(["a/b", "c/d", "c/e", "f"], [1, 2, 3]), fails_before=[0, 1, 2, 3, 4])
    assert await paths_of(oio.HierarchyLister(pages, "/")) == ["a/", "c/", "f"]
    assert pages.fails_before == set()


async def test_closing_closes_the_flat_listing() -> None:
    pages = Pages([])
    await oio.HierarchyLister(pages, "/").close()
    assert pages.closed == 1


@given(keys=TREES.flatmap(lambda tree: st.permutations(sorted(tree))), path=NAMES, cuts=CUTS)
def test_any_order_and_any_pages_give_the_direct_children_each_once(
    keys: list[str], path: str, cuts: list[int]
) -> None:
    for place in {"/", path.lstrip("/") or "/", *(key[: key.find("/") + 1] or "/" for key in keys)}:
        found = asyncio.run(paths_of(level(keys, place, cuts)))
        assert Counter(found) == Counter(children(keys, place))


@given(keys=TREES.flatmap(lambda tree: st.permutations(sorted(tree))))
def test_going_from_directory_to_directory_meets_every_name_and_ends(keys: list[str]) -> None:
    async def visit(path: str, met: set[str]) -> None:
        for name in await paths_of(level(keys, path)):
            if name != path:
                assert name not in met
                met.add(name)
                if name.endswith("/"):
                    await visit(name, met)

    met = set[str]()
    asyncio.run(visit("/", met))
    assert {key for key in keys if not key.startswith("/")} <= met
