"""What a versioned table keeps, and that another one keeps and promises nothing of it."""

from typing import Any

import pytest

from entrepot import Metadata, NotFound, Operator, Unsupported
from entrepot.services import Memory


@pytest.fixture
def op() -> Operator:
    return Operator(Memory(versioned=True))


async def told(op: Operator, path: str = "/", **options: Any) -> list[tuple[str, str | None, bool | None, bool]]:
    """Of each entry that is no directory: path, version, whether it is current, whether it is a mark."""
    entries = [(one.path, one.metadata) for one in await op.list(path, recursive=True, **options)]
    return [(path, it.version, it.is_current, it.is_deleted) for path, it in entries if it.is_file]


async def missing(call: Any, operation: str) -> None:
    with pytest.raises(NotFound) as caught:
        await call
    assert (caught.value.operation, caught.value.path) == (operation, "a")


@pytest.fixture
async def versions(op: Operator) -> list[Metadata]:
    """Three of `a`, the oldest first."""
    return [await op.write("a", content) for content in (b"one", b"two!", b"three")]


async def test_each_write_makes_a_version_that_stays(op: Operator, versions: list[Metadata]) -> None:
    names = [one.version for one in versions]
    assert len({*names, None}) == 4
    assert [await op.read("a", version=name) for name in names] == [b"one", b"two!", b"three"]
    assert [(await op.stat("a", version=name)).content_length for name in names] == [3, 4, 5]
    assert [(await op.stat("a", version=name)).is_current for name in names] == [False, False, True]
    assert await op.stat("a") == versions[-1]
    assert await op.read("a") == b"three"


async def test_an_append_makes_a_version_too(op: Operator, versions: list[Metadata]) -> None:
    await op.write("a", b" four", append=True)
    assert await op.read("a") == b"three four"
    assert await op.read("a", version=versions[-1].version) == b"three"


async def test_an_unknown_version_or_that_of_another_object_is_not_found(
    op: Operator, versions: list[Metadata]
) -> None:
    other = await op.write("b", b"x")
    for version in ("unknown", other.version):
        await missing(op.read("a", version=version), "read")
        await missing(op.stat("a", version=version), "stat")
        await missing(op.copy("a", "c", source_version=version), "copy")


async def test_a_deletion_leaves_a_mark_and_the_versions(op: Operator, versions: list[Metadata]) -> None:
    for _ in range(2):
        await op.delete("a")
    await missing(op.read("a"), "read")
    await missing(op.stat("a"), "stat")
    assert await told(op) == []
    assert await op.read("a", version=versions[0].version) == b"one"
    ((path, mark, is_current, is_deleted),) = await told(op, deleted=True)
    assert (path, is_current, is_deleted) == ("a", True, True)
    await missing(op.read("a", version=mark), "read")


async def test_the_deletion_of_what_is_missing_leaves_no_mark(op: Operator) -> None:
    await op.delete("a")
    assert await told(op, deleted=True, versions=True) == []


async def test_removing_the_mark_brings_the_object_back(op: Operator, versions: list[Metadata]) -> None:
    await op.delete("a")
    ((_, mark, _, _),) = await told(op, deleted=True)
    await op.delete("a", version=mark)
    assert await op.stat("a") == versions[-1]
    assert await told(op, deleted=True) == [("a", None, True, False)]


async def test_a_version_that_is_deleted_is_gone_for_good(op: Operator, versions: list[Metadata]) -> None:
    await op.delete("a", version=versions[0].version)
    await missing(op.read("a", version=versions[0].version), "read")
    assert await op.read("a") == b"three"
    await op.delete("a", version=versions[2].version)
    assert await op.read("a") == b"two!"
    assert (await op.stat("a")).is_current
    await op.delete("a", version=versions[1].version)
    assert await told(op, versions=True, deleted=True) == []


async def test_deleting_an_unknown_version_or_that_of_another_object_is_nothing(
    op: Operator, versions: list[Metadata]
) -> None:
    other = await op.write("b", b"x")
    for version in ("unknown", other.version):
        await op.delete("a", version=version)
    assert await op.read("a") == b"three"
    assert await op.read("b") == b"x"


async def test_an_object_can_be_written_again_over_the_mark(op: Operator, versions: list[Metadata]) -> None:
    await op.delete("a")
    await op.write("a", b"again", if_not_exists=True)
    assert await op.read("a") == b"again"
    assert len(await told(op, versions=True)) == 4


async def test_a_listing_tells_current_ones_or_all_or_marks_too(op: Operator, versions: list[Metadata]) -> None:
    one, two, three = (each.version for each in versions)
    kept = await op.write("b", b"x")
    await op.delete("a")
    ((_, mark, _, _), _) = await told(op, deleted=True)
    b = ("b", kept.version, True, False)
    old = [("a", three, False, False), ("a", two, False, False), ("a", one, False, False)]
    assert await told(op) == [("b", None, True, False)]
    assert await told(op, deleted=True) == [("a", mark, True, True), ("b", None, True, False)]
    assert await told(op, versions=True) == [*old, b]
    assert await told(op, versions=True, deleted=True) == [("a", mark, True, True), *old, b]


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_versions_come_whole_whatever_a_page_holds(op: Operator, limit: int) -> None:
    for name in "abc":
        for content in (b"1", b"22", b"333"):
            await op.write(name, content)
    listed = await told(op, versions=True, limit=limit)
    assert [path for path, *_ in listed] == list("aaabbbccc")
    assert len({version for _, version, *_ in listed}) == 9
    assert [path for path, *_ in await told(op, versions=True, start_after="a", limit=limit)] == list("bbbccc")


async def test_a_directory_of_which_all_is_deleted_is_listed_with_the_marks_only(op: Operator) -> None:
    await op.write("dir/a", b"x")
    await op.delete("dir/a")
    assert "dir/" not in [one.path for one in await op.list("/")]
    assert "dir/" in [one.path for one in await op.list("/", deleted=True)]


async def test_a_directory_that_was_made_and_deleted_is_listed_as_a_mark_only(op: Operator) -> None:
    await op.create_dir("dir/")
    await op.delete("dir/")
    for recursive in (False, True):
        assert [one.path for one in await op.list("/", recursive=recursive)] == ["/"]
    marks = {one.path: one.metadata for one in await op.list("/", recursive=True, deleted=True)}
    assert (marks["dir/"].is_dir, marks["dir/"].is_deleted) == (True, True)
    with pytest.raises(NotFound):
        await op.stat("dir/")


async def test_an_old_version_can_be_copied_over_the_object_itself(op: Operator, versions: list[Metadata]) -> None:
    restored = await op.copy("a", "a", source_version=versions[0].version)
    assert restored.version not in {one.version for one in versions}
    assert await op.read("a") == b"one"
    await op.copy("a", "b", source_version=versions[1].version)
    assert await op.read("b") == b"two!"


async def test_a_rename_leaves_the_versions_of_its_source(op: Operator, versions: list[Metadata]) -> None:
    await op.rename("a", "b")
    await missing(op.read("a"), "read")
    assert await op.read("a", version=versions[2].version) == b"three"
    assert await op.read("b") == b"three"


async def test_without_versions_what_is_replaced_or_deleted_is_forgotten() -> None:
    memory = Memory()
    op = Operator(memory)
    for content in (b"one", b"two"):
        assert (await op.write("a", content)).version is None
    assert [one.content for one in memory.table.objects["a"]] == [b"two"]
    await op.delete("a")
    assert not memory.table.objects


@pytest.mark.parametrize(
    ("operation", "paths", "options"),
    [
        ("stat", ["a"], {"version": "1"}),
        ("read", ["a"], {"version": "1"}),
        ("delete", ["a"], {"version": "1"}),
        ("list", ["/"], {"versions": True}),
        ("list", ["/"], {"deleted": True}),
        ("copy", ["a", "b"], {"source_version": "1"}),
    ],
)
async def test_without_versions_their_options_are_refused(
    operation: str, paths: list[str], options: dict[str, Any]
) -> None:
    memory = Memory()
    op = Operator(memory)
    await op.write("a", b"x")
    before = dict(memory.table.objects)
    flag = f"{operation}_with_{next(iter(options))}"
    assert not getattr(op.info.capability, flag)
    assert getattr(Operator(Memory(versioned=True)).info.capability, flag)
    with pytest.raises(Unsupported) as caught:
        await getattr(op, operation)(*paths, **options)
    assert (caught.value.kind, caught.value.operation, caught.value.path) == ("Unsupported", operation, paths[0])
    assert memory.table.objects == before


async def test_only_listings_of_versions_tell_them_so_that_deleting_a_listing_deletes_objects() -> None:
    op = Operator(Memory(versioned=True))
    await op.write("a", b"1")
    await op.write("a", b"2")
    assert [one.metadata.version for one in await op.list("a")] == [None]
    assert None not in [one.metadata.version for one in await op.list("a", versions=True)]
    await op.delete_many(op.lister("a"))
    assert not await op.exists("a")
    assert len(await op.list("a", versions=True)) == 2
    await op.delete_many(op.lister("a", versions=True, deleted=True))
    assert await op.list("a", versions=True, deleted=True) == []


async def test_deleting_what_a_listing_of_marks_gave_removes_marks_and_objects_but_no_version() -> None:
    op = Operator(Memory(versioned=True))
    await op.write("gone", b"1")
    await op.delete("gone")
    await op.write("kept", b"1")
    await op.write("kept", b"2")
    await op.delete_many(op.lister("/", deleted=True))
    assert await op.read("gone") == b"1"
    kept = await op.list("kept", versions=True, deleted=True)
    assert [one.metadata.is_deleted for one in kept] == [True, False, False]
