"""A listing of a directory, narrowed to a prefix."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.raw import oio
from tests.raw.oio.listers import NAMES, TREES, Pages, pages_of, paths_of

KEYS = ["a/", "a/a", "a/b", "a/b/", "a/b/c", "a/bc", "a/c", "ab"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("a/b", ["a/b", "a/b/", "a/b/c", "a/bc"]), ("a/", KEYS[:-1]), ("/", KEYS), ("z", [])],
)
async def test_what_begins_with_the_prefix_is_kept(prefix: str, expected: list[str]) -> None:
    assert await paths_of(oio.PrefixLister(Pages(pages_of(KEYS, [1, 2, 5])), prefix)) == expected


async def test_a_page_that_failed_is_asked_for_again() -> None:
    pages = Pages(pages_of(KEYS, [1, 2]), fails_before=[0, 1, 2, 3])
    assert await paths_of(oio.PrefixLister(pages, "ab")) == ["ab"]
    assert pages.fails_before == set()


async def test_closing_closes_the_inner_listing() -> None:
    pages = Pages([])
    await oio.PrefixLister(pages, "a").close()
    assert pages.closed == 1


@given(keys=TREES, prefix=NAMES, cuts=st.lists(st.integers(0, 20)))
def test_any_pages_give_the_same(keys: set[str], prefix: str, cuts: list[int]) -> None:
    found = asyncio.run(paths_of(oio.PrefixLister(Pages(pages_of(sorted(keys), cuts)), prefix)))
    assert found == [key for key in sorted(keys) if prefix == "/" or key.startswith(prefix)]
