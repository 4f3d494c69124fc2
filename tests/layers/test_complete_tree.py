"""Directories, listings and recursive deletions, completed for services that lack them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot import (
    Capability,
    ConditionNotMatch,
    DeletionsFailed,
    Entry,
    EntryMode,
    InvalidInput,
    IsADirectory,
    Metadata,
    NotFound,
    PermissionDenied,
    Unexpected,
    Unsupported,
)
from entrepot.layers import CompleteLayer
from entrepot.raw import (
    DEFAULT_CREATE_DIR,
    DEFAULT_DELETE,
    DEFAULT_LIST,
    DEFAULT_STAT,
    DEFAULT_WRITE,
    Accessor,
    Context,
    LayeredAccessor,
    OpDelete,
    OpList,
    OpStat,
    oio,
)
from entrepot.raw.runtime.inline import InlineRuntime
from entrepot.testing.synthetic_tree import FLAT, HIERARCHICAL, SyntheticTree
from tests.raw.oio.listers import Pages, drain, entry, paths_of

RECURSIVE = OpList(recursive=True)
TREE = {"a/b": b"1", "a/c/d": b"22", "a/c/e/f": b"333", "ab": b"4", "z": b""}
EMULATED = replace(FLAT, list_can_prefix=False, list_with_recursive=False)
SERVICES = [
    pytest.param(FLAT, id="flat"),
    pytest.param(EMULATED, id="flat-one-level"),
    pytest.param(replace(FLAT, list_with_recursive=False), id="flat-prefix"),
    pytest.param(HIERARCHICAL, id="hierarchical"),
    pytest.param(replace(HIERARCHICAL, list_with_recursive=True), id="hierarchical-recursive"),
]
every_service = pytest.mark.parametrize("native", SERVICES)
every_context = pytest.mark.parametrize("context", [None, Context()], ids=["one-by-one", "ahead"])


def scrambled(name: str) -> bytes:
    """The key of an order that has nothing to do with names."""
    return md5(name.encode(), usedforsecurity=False).digest()


def tree_of(
    native: Capability, objects: dict[str, bytes] | None = None, order: Callable[[str], Any] = str, **options: Any
) -> SyntheticTree:
    tree = SyntheticTree(native, **options)
    tree.sort_by(order)
    tree.fill(TREE if objects is None else objects)
    return tree


ONE_AT_A_TIME = Context(InlineRuntime())


def complete(tree: SyntheticTree, context: Context | None = None) -> Accessor:
    return CompleteLayer().wrap(tree.build(Context()), context or ONE_AT_A_TIME)


async def entries_at(service: Accessor, path: str, args: OpList = DEFAULT_LIST) -> list[Entry]:
    _, lister = await service.list(path, args)
    entries = await drain(lister)
    await lister.close()
    return entries


async def names_at(tree: SyntheticTree, path: str, args: OpList = DEFAULT_LIST) -> list[str]:
    return [one.path for one in await entries_at(complete(tree), path, args)]


async def files_at(tree: SyntheticTree, path: str, args: OpList) -> list[str]:
    return sorted(path for path in await names_at(tree, path, args) if not path.endswith("/"))


async def delete_tree(service: Accessor, path: str) -> None:
    _, body = await service.delete()
    await body.delete(path, OpDelete(recursive=True))
    await body.close()


class TestCapability:
    def test_a_flat_service_gains_all_that_can_be_made_of_what_it_has(self) -> None:
        info = complete(tree_of(EMULATED)).info
        assert info.native_capability == EMULATED
        gained = {"list_can_prefix", "list_with_recursive", "delete_with_recursive", "create_dir"}
        assert info.capability == replace(EMULATED, **dict.fromkeys(gained, True))

    @pytest.mark.parametrize(
        ("lacks", "flags"),
        [
            ("list", {"list_can_prefix", "list_with_recursive", "delete_with_recursive", "create_dir"}),
            ("delete", {"delete_with_recursive"}),
            ("write", {"create_dir"}),
            ("write_can_empty", {"create_dir"}),
        ],
    )
    def test_nothing_is_gained_that_it_takes_more_for(self, lacks: str, flags: set[str]) -> None:
        native = replace(EMULATED, **{lacks: False})
        capability = complete(tree_of(native)).info.capability
        gained = {"list_can_prefix", "list_with_recursive", "delete_with_recursive", "create_dir"}
        assert {flag for flag in gained if not getattr(capability, flag)} == flags

    @pytest.mark.parametrize(
        ("native", "operations"),
        [
            (Capability(stat=True), {"read", "write", "list", "create_dir", "delete", "copy", "rename"}),
            (replace(FLAT, delete_with_recursive=True), {"read", "write", "delete", "copy", "rename"}),
            (replace(FLAT, write_can_empty=False), {"read", "write", "create_dir", "copy", "rename"}),
        ],
    )
    def test_what_needs_no_completion_is_the_bound_method_of_the_service(
        self, native: Capability, operations: set[str]
    ) -> None:
        inner = tree_of(native).build(Context())
        service = CompleteLayer().wrap(inner, ONE_AT_A_TIME)
        every = {"stat", "read", "write", "list", "create_dir", "delete", "copy", "rename"}
        assert {name for name in every if getattr(service, name) == getattr(inner, name)} == operations


class TestStatOfADirectory:
    @every_service
    async def test_a_directory_is_found_with_and_without_a_marker(self, native: Capability) -> None:
        service = complete(tree_of(native, {**TREE, "m/": b""}))
        for path in ("a/", "a/c/", "a/c/e/", "m/"):
            assert (await service.stat(path, DEFAULT_STAT)).metadata.is_dir, path

    @every_service
    @pytest.mark.parametrize("path", ["missing/", "ab/", "z/", "a/b/", "a/c/d/"])
    async def test_what_is_no_directory_is_not_found(self, native: Capability, path: str) -> None:
        with pytest.raises(NotFound):
            await complete(tree_of(native)).stat(path, DEFAULT_STAT)

    async def test_the_metadata_of_a_marker_is_kept_and_conditions_are_held_against_it(self) -> None:
        tree = tree_of(FLAT, {"m/": b"", "m/x": b""})
        service = complete(tree)
        assert (await service.stat("m/", OpStat(if_match='"m/"'))).metadata.etag == '"m/"'
        assert [(call.operation, call.args) for call in tree.script.calls] == [
            ("list", OpList(recursive=True, limit=1))
        ]
        for path, tag in (("m/", '"other"'), ("a/", '"a/"')):
            tree.put("a/b", b"")
            with pytest.raises(ConditionNotMatch):
                await service.stat(path, OpStat(if_match=tag))

    async def test_a_version_is_asked_of_the_marker(self) -> None:
        tree = tree_of(FLAT)
        with pytest.raises(NotFound):
            await complete(tree).stat("a/", OpStat(version="1"))
        assert [(call.operation, call.path) for call in tree.script.calls] == [("stat", "a/")]


class TestCreateDir:
    async def test_a_flat_store_gets_an_empty_object(self) -> None:
        tree = tree_of(FLAT, {})
        await complete(tree).create_dir("x/y/", DEFAULT_CREATE_DIR)
        assert tree.objects == {"x/y/": b""}
        assert [(call.operation, call.path, call.args) for call in tree.script.calls] == [
            ("write", "x/y/", DEFAULT_WRITE)
        ]

    async def test_one_that_exists_is_left_as_it_is_where_that_can_be_asked(self) -> None:
        tree = tree_of(replace(FLAT, write_with_if_not_exists=True), {"x/": b"precious"})
        await complete(tree).create_dir("x/", DEFAULT_CREATE_DIR)
        assert tree.objects == {"x/": b"precious"}

    async def test_an_error_is_raised_and_the_call_can_be_made_again(self) -> None:
        tree = tree_of(FLAT, {})
        tree.script.fail_next(Unexpected("reset", is_temporary=True))
        with pytest.raises(Unexpected):
            await complete(tree).create_dir("x/", DEFAULT_CREATE_DIR)
        assert tree.objects == {}
        await complete(tree).create_dir("x/", DEFAULT_CREATE_DIR)
        assert tree.objects == {"x/": b""}

    async def test_a_service_with_directories_makes_them_itself(self) -> None:
        tree = tree_of(HIERARCHICAL, {})
        await complete(tree).create_dir("x/y/", DEFAULT_CREATE_DIR)
        assert tree.directories == {"x/", "x/y/"}

    @every_service
    async def test_the_root_is_nothing_to_do(self, native: Capability) -> None:
        tree = tree_of(native)
        await complete(tree).create_dir("/", DEFAULT_CREATE_DIR)
        assert tree.script.calls == []


@every_service
@pytest.mark.parametrize("order", [str, scrambled])
class TestListing:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/", ["/", "a/", "ab", "z"]),
            ("a/", ["a/", "a/b", "a/c/"]),
            ("a", ["a/", "ab"]),
            ("a/c", ["a/c/"]),
            ("a/b", ["a/b"]),
            ("a/b/", []),
            ("z/", []),
            ("missing", []),
            ("missing/", []),
            ("missing/x", []),
            ("empty/", ["empty/"]),
            ("empty", ["empty/"]),
        ],
    )
    async def test_one_level(self, native: Capability, order: Any, path: str, expected: list[str]) -> None:
        objects = {**TREE, "empty/": b""} if "empty" in path else TREE
        found = await names_at(tree_of(native, objects, order=order), path)
        assert sorted(found) == expected
        assert not path.endswith("/") or found[:1] == expected[:1]

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/", ["a/b", "a/c/d", "a/c/e/f", "ab", "z"]),
            ("a/", ["a/b", "a/c/d", "a/c/e/f"]),
            ("a", ["a/b", "a/c/d", "a/c/e/f", "ab"]),
            ("a/c", ["a/c/d", "a/c/e/f"]),
            ("a/b", ["a/b"]),
            ("a/b/", []),
            ("missing", []),
        ],
    )
    async def test_recursive(self, native: Capability, order: Any, path: str, expected: list[str]) -> None:
        tree = tree_of(native, order=order)
        found = await names_at(tree, path, RECURSIVE)
        assert sorted(name for name in found if not name.endswith("/")) == expected
        assert len(found) == len(set(found))
        assert found[:1] == [path] or not path.endswith("/") or not expected

    async def test_an_empty_storage_has_its_root(self, native: Capability, order: Any) -> None:
        for args in (DEFAULT_LIST, RECURSIVE):
            assert await names_at(tree_of(native, {}, order=order), "/", args) == ["/"]

    async def test_after_any_failure_the_verb_goes_on_and_gives_the_same(self, native: Capability, order: Any) -> None:
        for args in (DEFAULT_LIST, RECURSIVE):
            tree = tree_of(native, page_size=1, tells_lengths=False, order=order)
            expected = await entries_at(complete(tree), "/", args)
            for verb in range(tree.script.verbs + 1, 3 * tree.script.verbs, 2):
                tree.script.fail(verb, Unexpected("reset", is_temporary=True))
            assert await entries_at(complete(tree), "/", args) == expected


async def test_a_marker_comes_first_with_its_metadata_and_not_again() -> None:
    tree = tree_of(FLAT, {"m/": b"", "m/x": b"1"}, order=lambda name: name == "m/")
    [itself, file] = await entries_at(complete(tree), "m/")
    assert (itself.path, itself.metadata.etag, file.path) == ("m/", '"m/"', "m/x")


async def test_a_marker_on_a_later_page_is_not_given_again() -> None:
    tree = tree_of(FLAT, {"m/": b"", **{f"m/{n}": b"" for n in range(5)}}, order=lambda name: (name == "m/", name))
    assert await names_at(tree, "m/") == ["m/", "m/0", "m/1", "m/2", "m/3", "m/4"]


async def test_behind_a_start_after_the_directory_is_not_added() -> None:
    tree = tree_of(FLAT)
    assert await names_at(tree, "a/", OpList(start_after="a/b")) == ["a/c/"]
    assert await names_at(tree, "/", OpList(start_after="z")) == []


async def test_a_walk_has_no_order_to_start_after_and_says_so_before_asking() -> None:
    tree = tree_of(EMULATED)
    with pytest.raises(Unsupported):
        await complete(tree).list("a/", OpList(recursive=True, start_after="a/b"))
    assert tree.script.calls == []


async def test_of_a_prefix_only_the_matching_directories_are_walked() -> None:
    tree = tree_of(HIERARCHICAL, {"x/a/1": b"", "x/b/2": b"", "x/bc/3": b"", "y/4": b""})
    assert sorted(await names_at(tree, "x/b", RECURSIVE)) == ["x/b/", "x/b/2", "x/bc/", "x/bc/3"]
    assert [call.path for call in tree.script.calls if call.operation == "list"] == ["x/", "x/b/", "x/bc/"]


async def test_opening_a_listing_asks_nothing() -> None:
    for native in (FLAT, EMULATED, HIERARCHICAL):
        tree = tree_of(native)
        await complete(tree).list("a", RECURSIVE)
        assert tree.script.verbs == 0


async def test_names_that_begin_with_a_slash_are_seen_in_a_recursive_listing_and_break_no_other() -> None:
    tree = tree_of(FLAT, {"/x": b"", "//": b"", "a//b": b""})
    assert await names_at(tree, "/") == ["/", "a/"]
    assert await names_at(tree, "a/") == ["a/", "a//"]
    assert await names_at(tree, "a//") == ["a//", "a//b"]
    assert sorted(await names_at(tree, "/", RECURSIVE)) == ["/", "//", "/x", "a//b"]


PARTS = st.text(alphabet=".abé", min_size=1, max_size=2)
FILES = st.sets(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=12)


def without_conflicts(files: set[str]) -> dict[str, bytes]:
    """Those that are no directory of others, so that every kind of service can hold them."""
    return {file: b"1" for file in files if not any(other.startswith(f"{file}/") for other in files)}


@given(files=FILES, size=st.integers(1, 4), path=st.sampled_from(["/", "a/", "a", "a/b", "é/", "é", "a/b/"]))
def test_every_service_lists_the_same_files_for_the_same_tree(files: set[str], size: int, path: str) -> None:
    objects = without_conflicts(files)
    prefix = "" if path == "/" else path
    beneath = sorted(file for file in objects if file.startswith(prefix))
    direct = [file for file in beneath if "/" not in file[len(prefix) :]]

    async def check() -> None:
        for native in (one.values[0] for one in SERVICES):
            tree = tree_of(native, objects, page_size=size, order=scrambled)
            assert await files_at(tree, path, RECURSIVE) == beneath
            assert await files_at(tree, path, DEFAULT_LIST) == direct

    asyncio.run(check())


class TestLengths:
    @every_context
    async def test_they_are_asked_where_the_listing_has_none(self, context: Context | None) -> None:
        tree = tree_of(FLAT, {f"{n}": b"x" * n for n in range(20)}, page_size=20, tells_lengths=False)
        entries = await entries_at(complete(tree, context), "/")
        assert entries[0] == Entry("/", Metadata(mode=EntryMode.DIR))
        assert {one.path: one.metadata.content_length for one in entries[1:]} == {f"{n}": n for n in range(20)}
        assert [one.path for one in entries[1:]] == sorted(tree.objects)

    async def test_none_is_asked_where_the_listing_has_them(self) -> None:
        tree = tree_of(FLAT)
        await entries_at(complete(tree), "/")
        assert {call.operation for call in tree.script.calls} == {"list"}

    async def test_without_stat_they_stay_unknown(self) -> None:
        tree = tree_of(replace(FLAT, stat=False), tells_lengths=False)
        entries = await entries_at(complete(tree), "a/b")
        assert [one.metadata.content_length for one in entries] == [None]

    @every_context
    async def test_a_file_that_is_gone_is_left_out(self, context: Context | None) -> None:
        tree = tree_of(FLAT, {"a": b"1", "b": b"2", "c": b"3"}, page_size=2, tells_lengths=False)
        _, lister = await complete(tree, context).list("/", DEFAULT_LIST)
        inner_fetch = tree.metadata

        def gone(path: str) -> Metadata:
            if path == "b" and any(call.operation == "stat" for call in tree.script.calls):
                raise NotFound("gone")
            return inner_fetch(path)

        object.__setattr__(tree, "metadata", gone)
        assert await paths_of(lister) == ["/", "a", "c"]

    @every_context
    async def test_after_a_failure_what_was_asked_is_not_asked_again(self, context: Context | None) -> None:
        tree = tree_of(FLAT, {"a": b"1", "b": b"2", "c": b"3"}, tells_lengths=False)
        _, lister = await complete(tree, context).list("a", DEFAULT_LIST)
        tree.script.fail(2, PermissionDenied("no"))
        with pytest.raises(PermissionDenied):
            await lister.next()
        assert [one.metadata.content_length for one in await drain(lister)] == [1]
        assert [call.operation for call in tree.script.calls].count("list") == 1

    async def test_those_answered_before_a_failure_are_kept(self) -> None:
        asked: list[str] = []

        async def ask(one: Entry) -> Entry:
            asked.append(one.path)
            if asked == ["a", "b"]:
                raise Unexpected("reset", is_temporary=True)
            return Entry(one.path, Metadata(content_length=7))

        pages = Pages([[Entry(path, Metadata()) for path in "abc"]])
        lister = oio.LengthLister(pages, ask, lambda: Context().runtime.window(1))
        with pytest.raises(Unexpected):
            await lister.next()
        assert [one.metadata.content_length for one in await drain(lister)] == [7, 7, 7]
        assert asked == ["a", "b", "b", "c"]

    async def test_marks_of_deletions_and_directories_are_not_asked_about(self) -> None:
        async def ask(one: Entry) -> Entry:
            raise AssertionError(one)

        page = [Entry("a", Metadata(is_deleted=True)), entry("b/"), Entry("c", Metadata(mode=EntryMode.UNKNOWN))]
        lister = oio.LengthLister(Pages([page]), ask, lambda: Context().runtime.window(1))
        assert await drain(lister) == page

    @pytest.mark.parametrize(("can_ask", "expected"), [(True, [1, 2]), (False, [None, None])])
    async def test_of_versions_each_is_asked_for_its_own(self, can_ask: bool, expected: list[int | None]) -> None:
        inner = Versioned(can_ask)
        service = CompleteLayer().wrap(inner, ONE_AT_A_TIME)
        entries = await entries_at(service, "f", OpList(versions=True))
        assert [one.metadata.content_length for one in entries] == expected
        assert [one.metadata.version for one in entries] == ["1", "2"]


class Versioned(Accessor):
    """A file of two versions whose listing tells no lengths."""

    def __init__(self, can_ask: bool) -> None:
        native = replace(FLAT, list_with_versions=True, stat_with_version=can_ask)
        self.info = replace(tree_of(FLAT).build(Context()).info, native_capability=native, capability=native)

    async def stat(self, path: str, args: OpStat) -> Any:
        from entrepot.raw import RpStat

        return RpStat(metadata=Metadata(content_length=int(args.version or "0")))

    async def list(self, path: str, args: OpList) -> Any:
        from entrepot.raw import RpList

        return RpList(), Pages([[Entry(path, Metadata(version=version)) for version in "12"]])


class TestItselfFirst:
    async def test_marks_of_deletions_alone_make_no_directory(self) -> None:
        gone = Entry("d/x", Metadata(is_deleted=True, version="1"))
        assert await drain(oio.SelfEntryLister(Pages([[gone]]), "d/", keeps_versions=True)) == [gone]

    async def test_of_a_markers_versions_one_leads_and_the_others_stay(self) -> None:
        markers = [entry("d/", version="1", is_deleted=True), entry("d/", version="2"), entry("d/", version="3")]
        found = await drain(oio.SelfEntryLister(Pages([[*markers, entry("d/x")]]), "d/", keeps_versions=True))
        assert found == [markers[1], markers[0], markers[2], entry("d/x")]

    async def test_a_page_of_nothing_but_itself_on_the_way_is_passed_over(self) -> None:
        pages = Pages([[entry("d/x")], [entry("d/")], [entry("d/y")]])
        assert await paths_of(oio.SelfEntryLister(pages, "d/")) == ["d/", "d/x", "d/y"]


@every_service
class TestRecursiveDelete:
    @every_context
    @pytest.mark.parametrize(
        ("path", "left"),
        [
            ("a/", {"ab", "z"}),
            ("a", {"ab", "z"}),
            ("a/c", {"a/b", "ab", "z"}),
            ("a/b", {"a/c/d", "a/c/e/f", "ab", "z"}),
            ("a/b/", set(TREE)),
            ("ab/", set(TREE)),
            ("z", {"a/b", "a/c/d", "a/c/e/f", "ab"}),
            ("/", set()),
            ("missing", set(TREE)),
            ("missing/", set(TREE)),
        ],
    )
    async def test_all_beneath_goes_and_nothing_else(
        self, native: Capability, context: Context | None, path: str, left: set[str]
    ) -> None:
        tree = tree_of(native)
        await delete_tree(complete(tree, context), path)
        assert set(tree.objects) == left
        if path.startswith("a") and path.rstrip("/") != "a/b":
            assert not any(name.startswith(f"{path.rstrip('/')}/") for name in tree.directories)

    async def test_an_empty_directory_goes(self, native: Capability) -> None:
        tree = tree_of(native, {"x/": b"", "xy": b""})
        await delete_tree(complete(tree), "x/")
        assert set(tree.names()) == {"xy"}

    async def test_each_directory_goes_after_its_contents_and_itself_last(self, native: Capability) -> None:
        names = ["a/", "a/b/", "a/b/c", "a/b/d/", "a/b/d/1", "a/b/d/2", "a/b/d/3", "a/e", "b"]
        for page_size in (1, 2, 1000):
            tree = tree_of(native, dict.fromkeys(names, b""), page_size=page_size)
            await delete_tree(complete(tree, Context()), "a/")
            assert set(tree.names()) == {"b"}
            deleted = [call.path for call in tree.script.calls if call.operation == "delete"]
            for directory in ("a/b/d/", "a/b/", "a/"):
                contents = {name for name in names if name.startswith(directory)} - {directory}
                assert contents <= set(deleted[: deleted.index(directory)])
            assert [path for path in deleted if path != "a"][-1] == "a/"

    @every_context
    async def test_what_fails_is_named_and_the_others_go(self, native: Capability, context: Context | None) -> None:
        tree = tree_of(native, {f"a/{n}": b"" for n in range(10)})
        tree.forbidden.update({"a/3", "a/7"})
        with pytest.raises(DeletionsFailed) as caught:
            await delete_tree(complete(tree, context), "a/")
        assert [(failure.kind, failure.path) for failure in caught.value.failures] == [
            ("PermissionDenied", "a/3"),
            ("PermissionDenied", "a/7"),
        ]
        assert set(tree.objects) == {"a/3", "a/7"}
        tree.forbidden.clear()
        await delete_tree(complete(tree, context), "a/")
        assert not any(name.startswith("a") for name in tree.names())

    async def test_the_same_verb_goes_on_after_any_request_that_failed(self, native: Capability) -> None:
        for verb in range(1, 30):
            tree = tree_of(native)
            tree.script.fail(verb, Unexpected("reset", is_temporary=True))
            _, body = await complete(tree).delete()
            try:
                await body.delete("a", OpDelete(recursive=True))
            except (Unexpected, DeletionsFailed) as error:
                temporary = [one.is_temporary for one in getattr(error, "failures", [error])]
                assert any(temporary)
                await body.delete("a", OpDelete(recursive=True))
            assert set(tree.objects) == {"ab", "z"}
            await body.close()

    async def test_other_deletions_go_to_the_service(self, native: Capability) -> None:
        tree = tree_of(native)
        _, body = await complete(tree).delete()
        await body.delete("z", DEFAULT_DELETE)
        await body.close()
        assert [call.path for call in tree.script.calls] == ["z"]
        assert "z" not in tree.objects

    async def test_the_root_stays(self, native: Capability) -> None:
        tree = tree_of(native, objects={})
        _, body = await complete(tree).delete()
        await body.delete("/", DEFAULT_DELETE)
        await body.close()
        assert {call.operation for call in tree.script.calls} <= {"list"}

    async def test_a_directory_with_contents_is_refused_after_one_request(self, native: Capability) -> None:
        tree = tree_of(native, objects={"a/b": b"", "a/c/d": b"", "a/c/e": b""})
        if not tree.is_flat:
            return
        for path in ("a/", "/"):
            _, body = await complete(tree).delete()
            with pytest.raises(IsADirectory):
                await body.delete(path, DEFAULT_DELETE)
            await body.close()
        assert [call.path for call in tree.script.calls] == ["a/", "/"]
        assert set(tree.objects) == {"a/b", "a/c/d", "a/c/e"}

    async def test_a_version_of_a_tree_makes_no_sense(self, native: Capability) -> None:
        tree = tree_of(native)
        _, body = await complete(tree).delete()
        with pytest.raises(InvalidInput):
            await body.delete("a", OpDelete(recursive=True, version="1"))
        assert tree.script.calls == []


@pytest.mark.parametrize("native", [FLAT, EMULATED])
async def test_a_listing_that_skips_while_it_is_deleted_from_is_walked_until_it_is_empty(native: Capability) -> None:
    tree = tree_of(native, {f"a/{n:03}/x": b"" for n in range(100)}, pages_by_count=True)
    await delete_tree(complete(tree), "a")
    assert tree.objects == {}
    assert [call.operation for call in tree.script.calls].count("list") > 2


async def test_a_tree_that_is_never_empty_is_given_up_with_a_temporary_error() -> None:
    tree = tree_of(FLAT, {"a/b": b""})

    class Undying(dict[str, bytes]):
        def pop(self, path: str, default: object = None) -> Any:
            return default

    object.__setattr__(tree, "objects", Undying(tree.objects))
    with pytest.raises(Unexpected) as caught:
        await delete_tree(complete(tree), "a")
    assert caught.value.is_temporary
    assert caught.value.path == "a/"


@pytest.mark.parametrize("native", [FLAT, EMULATED])
@pytest.mark.parametrize(("path", "left"), [("a/", {"a", "ab"}), ("a", {"ab"}), ("a//", {"a", "a/", "a/b", "ab"})])
async def test_the_object_of_the_same_name_goes_only_without_the_slash(
    native: Capability, path: str, left: set[str]
) -> None:
    tree = tree_of(native, {"a": b"1", "a/": b"", "a/b": b"2", "a//": b"", "a//c": b"3", "ab": b"4"})
    await delete_tree(complete(tree), path)
    assert set(tree.objects) == left
    deleted = {call.path for call in tree.script.calls if call.operation == "delete"}
    assert left.isdisjoint(deleted)


@pytest.mark.parametrize("batch", [4, None])
async def test_each_that_failed_is_named_once_where_a_body_holds_fewer_than_a_batch(batch: int | None) -> None:
    tree = tree_of(replace(FLAT, delete_max_size=batch), {f"a/{n:02}": b"" for n in range(40)}, page_size=40)
    tree.forbidden.update({"a/00", "a/05", "a/07"})
    inner = tree.build(Context())
    service = CompleteLayer().wrap(HoldingTwo(inner), Context())
    with pytest.raises(DeletionsFailed) as caught:
        await delete_tree(service, "a")
    assert sorted(str(one.path) for one in caught.value.failures) == ["a/00", "a/05", "a/07"]
    assert set(tree.objects) == {"a/00", "a/05", "a/07"}


class HoldingTwo(LayeredAccessor):
    """Its bodies make two deletions by one request, whatever is declared."""

    async def delete(self) -> Any:
        reply, body = await self.inner.delete()
        assert isinstance(body, oio.BatchDeleter)
        return reply, oio.BatchDeleter(body._delete_one, body._delete_many, 2)


async def test_of_a_request_that_broke_each_deletion_is_named() -> None:
    tree = tree_of(replace(FLAT, delete_max_size=4), {f"a/{n}": b"" for n in range(6)}, page_size=10)
    tree.script.fail(2, Unexpected("reset", is_temporary=True))
    with pytest.raises(DeletionsFailed) as caught:
        await delete_tree(complete(tree), "a/")
    assert [one.path for one in caught.value.failures] == ["a/0", "a/1", "a/2", "a/3"]
    assert set(tree.objects) == {"a/0", "a/1", "a/2", "a/3"}


async def test_a_slash_more_is_another_directory() -> None:
    tree = tree_of(FLAT, {"a/": b"", "a//": b"", "a//b": b"", "a/c": b""})
    await delete_tree(complete(tree), "a//")
    assert set(tree.objects) == {"a/", "a/c"}


async def test_names_without_a_path_go_with_the_root() -> None:
    tree = tree_of(FLAT, {"/x": b"", "//": b"", "a//b": b""})
    await delete_tree(complete(tree), "/")
    assert tree.objects == {}


async def test_deletions_go_in_batches_of_the_services_size() -> None:
    tree = tree_of(replace(FLAT, delete_max_size=4), {f"a/{n}": b"" for n in range(10)}, page_size=10)
    await delete_tree(complete(tree), "a/")
    lists = [call.operation for call in tree.script.calls].count("list")
    assert (lists, tree.script.verbs) == (2, 2 + 3)


@given(files=FILES, victim=st.sampled_from(["/", "a", "a/", "a/b", "é", "."]), by_count=st.booleans())
def test_every_service_deletes_the_same_tree(files: set[str], victim: str, by_count: bool) -> None:
    objects = without_conflicts(files)
    name = victim.rstrip("/")
    left = {file for file in objects if victim != "/" and file != victim and not file.startswith(f"{name}/")}

    async def check() -> None:
        for native in (one.values[0] for one in SERVICES):
            is_flat = not native.create_dir
            tree = tree_of(native, objects, order=scrambled, pages_by_count=by_count and is_flat)
            await delete_tree(complete(tree), victim)
            assert set(tree.objects) == left

    asyncio.run(check())
