"""Listing: what a path means, pages, and what happens while others write."""

from collections.abc import Sequence
from typing import Any

import pytest

from entrepot import Entry
from entrepot.raw import Accessor, Context, OpDelete, OpList
from entrepot.services import Memory

KEYS = ("a", "a/", "a/b", "a/b/c", "a//d", "ab/c", "ab/d", "b")


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    for key in KEYS:
        memory.table.put(key, key.encode())
    return memory


@pytest.fixture
def service(memory: Memory) -> Accessor:
    """The service without the layers that complete it."""
    return memory.build(Context())


async def pages(service: Accessor, path: str, **options: Any) -> list[Sequence[Entry]]:
    _, body = await service.list(path, OpList(**options))
    found = []
    while (page := await body.next()) is not None:
        found.append(page)
    assert await body.next() is None
    await body.close()
    return found


async def listed(service: Accessor, path: str, **options: Any) -> list[str]:
    return [entry.path for page in await pages(service, path, **options) for entry in page]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ["a", "a/", "ab/", "b"]),
        ("a/", ["a/", "a//", "a/b", "a/b/"]),
        ("a", ["a", "a/", "ab/"]),
        ("a//", ["a//d"]),
        ("ab/", ["ab/c", "ab/d"]),
        ("a/b", ["a/b", "a/b/"]),
        ("b", ["b"]),
        ("b/", []),
        ("missing", []),
        ("missing/", []),
    ],
)
async def test_a_listing_gives_what_lies_at_the_path_and_each_directory_once(
    service: Accessor, path: str, expected: list[str]
) -> None:
    assert sorted(await listed(service, path)) == sorted(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", KEYS),
        ("a/", [key for key in KEYS if key.startswith("a/")]),
        ("a", [key for key in KEYS if key.startswith("a")]),
        ("missing", []),
    ],
)
async def test_a_recursive_listing_gives_the_keys_in_their_order(
    service: Accessor, path: str, expected: Sequence[str]
) -> None:
    assert await listed(service, path, recursive=True) == sorted(expected)


@pytest.mark.parametrize("recursive", [False, True])
async def test_what_a_listing_knows_of_an_entry(memory: Memory, service: Accessor, recursive: bool) -> None:
    entries = {one.path: one.metadata for page in await pages(service, "/", recursive=recursive) for one in page}
    assert entries["b"] == memory.table.get("b").metadata
    assert {path: it.is_dir for path, it in entries.items()} == {path: path.endswith("/") for path in entries}


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("start_after", ["", "a", "a/", "a/b", "aa", "ab/c", "b", "c"])
async def test_start_after_leaves_out_what_comes_before_it(
    service: Accessor, start_after: str, recursive: bool
) -> None:
    everything = await listed(service, "/", recursive=recursive)
    rest = await listed(service, "/", recursive=recursive, start_after=start_after)
    assert rest == [path for path in everything if path > start_after]


async def test_paths_are_relative_to_the_root(memory: Memory) -> None:
    memory = Memory(root="r")
    for key in ("r/", "r/a", "r/b/c", "ra", "s"):
        memory.table.put(key, b"")
    service = memory.build(Context())
    assert await listed(service, "/") == ["/", "a", "b/"]
    assert await listed(service, "/", recursive=True, start_after="a") == ["b/c"]


@pytest.mark.parametrize("limit", [1, 3, 8, 100])
async def test_limit_is_the_size_of_a_page(service: Accessor, limit: int) -> None:
    found = await pages(service, "/", recursive=True, limit=limit)
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert [entry.path for page in found for entry in page] == sorted(KEYS)


async def test_a_page_holds_a_thousand_entries_by_default() -> None:
    memory = Memory()
    for number in range(2_001):
        memory.table.put(f"{number:05}", b"")
    assert [len(page) for page in await pages(memory.build(Context()), "/")] == [1000, 1000, 1]


async def test_a_listing_ends_though_each_page_is_followed_by_new_objects(memory: Memory, service: Accessor) -> None:
    _, body = await service.list("/", OpList(recursive=True, limit=1))
    found: list[str] = []
    while (page := await body.next()) is not None:
        found += [entry.path for entry in page]
        memory.table.put(f"{page[-1].path}+", b"")
    assert found == sorted(KEYS)


async def test_what_vanishes_meanwhile_is_left_out_and_pages_stay_full(memory: Memory, service: Accessor) -> None:
    _, body = await service.list("/", OpList(recursive=True, limit=2))
    await body.next()
    for key in ("a//d", "a/b", "ab/c"):
        memory.table.delete(key)
    rest = [await body.next(), await body.next(), await body.next()]
    assert [page and [entry.path for entry in page] for page in rest] == [["a/b/c", "ab/d"], ["b"], None]


async def test_what_is_replaced_meanwhile_is_told_as_it_is_now(memory: Memory, service: Accessor) -> None:
    _, body = await service.list("/", OpList(recursive=True, limit=len(KEYS) - 1))
    await body.next()
    written = memory.table.put("b", b"longer than before")
    assert await body.next() == [Entry("b", written)]


async def test_all_can_be_deleted_by_the_listing_of_it(memory: Memory, service: Accessor) -> None:
    _, deleter = await service.delete()
    _, body = await service.list("/", OpList(recursive=True, limit=3))
    while (page := await body.next()) is not None:
        for entry in page:
            await deleter.delete(entry.path, OpDelete())
    await deleter.close()
    assert not memory.table.objects


async def test_opening_a_listing_looks_at_nothing(memory: Memory, service: Accessor) -> None:
    _, body = await service.list("/", OpList(recursive=True))
    memory.table.put("late", b"")
    page = await body.next()
    assert page is not None
    assert "late" in [entry.path for entry in page]
