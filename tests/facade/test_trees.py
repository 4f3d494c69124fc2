"""Transfers of trees between operators, and to and from local directories."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrepot import (
    ContentIncomplete,
    DeletionsFailed,
    InvalidInput,
    Metadata,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    Progress,
    TransfersFailed,
    TreeReport,
    Unexpected,
    Unsupported,
    Usage,
)
from entrepot.facade.refusals import MOST
from entrepot.raw import Accessor, AroundAccessor, Context, Layer, LayeredAccessor, RpRead
from entrepot.raw.oio import BytesReader
from entrepot.services import Fs, Memory
from entrepot.types.comparison import is_same
from entrepot.types.records import replace
from tests.facade.faults import Closed

FILES = {"a/1": b"one", "a/b/2": b"two!", "a/b/c/3": b"", "x": bytes(3000)}


async def filled(files=FILES, **options) -> Operator:
    op = Operator(Memory(), **options)
    for path, content in files.items():
        await op.write(path, content)
    return op


async def content_of(op: Operator, path="/"):
    return {entry.path: await op.read(entry.path) for entry in await op.list(path, recursive=True) if entry.is_file}


class Around(Layer):
    """Makes each call through a function that may fail it."""

    def __init__(self, around: Callable[[str, str], Awaitable[None]]) -> None:
        self.around = around

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        around = self.around

        class Wrapped(AroundAccessor):
            async def around(self, operation, path, call, *args):
                await around(operation.value, path)
                return await call(*args)

        return Wrapped(accessor)


def refusing(operation: str, path: str, error: Exception) -> Around:
    """Fails an operation on one path."""

    async def refuse(called: str, on: str) -> None:
        if (called, on) == (operation, path):
            raise error

    return Around(refuse)


def wrong_keys() -> PermissionDenied:
    error = PermissionDenied("wrong keys")
    error.refuses_credentials = True
    return error


@pytest.mark.parametrize("call", ["copy_tree", "sync"])
async def test_refused_credentials_end_the_transfer_and_it_says_how_many_files_were_not_tried(call: str):
    writes: list[str] = []

    async def refuse(operation: str, path: str) -> None:
        if operation == "writer.close":
            writes.append(path)
            await asyncio.sleep(0)
            raise wrong_keys()

    op = await filled({f"d/{number:03}": b"1" for number in range(200)})
    with pytest.raises(TransfersFailed, match="more files were not tried, since the credentials are refused") as failed:
        await getattr(op, call)(Operator(Memory()).layer(Around(refuse)), "d/", "e/")
    error = failed.value
    assert MOST <= len(writes) < 3 * MOST
    assert [failure.path for failure in error.failures] == [path.replace("e/", "d/") for path in writes]
    assert (error.report.copied, error.report.untried) == (0, 200 - len(writes))


async def test_a_file_that_was_in_flight_does_not_hide_that_others_were_not_tried():
    writes: list[str] = []
    are_refused = asyncio.Event()

    async def refuse(operation: str, path: str) -> None:
        if operation == "writer.close":
            writes.append(path)
            if path == "e/000":  # which began before the credentials expired
                await are_refused.wait()
                return
            raise wrong_keys()

    op = await filled({f"d/{number:03}": b"1" for number in range(200)})
    call = op.copy_tree(Operator(Memory()).layer(Around(refuse)), "d/", "e/")
    asyncio.get_running_loop().call_later(0.1, are_refused.set)
    with pytest.raises(TransfersFailed, match="more files were not tried") as failed:
        await call
    assert (failed.value.report.copied, failed.value.report.untried) == (1, 200 - len(writes))


async def test_a_file_here_and_there_that_is_refused_does_not_end_the_transfer():
    async def refuse(operation: str, path: str) -> None:
        if operation == "writer.close" and path.endswith("7"):
            raise wrong_keys()

    op = await filled({f"d/{number:03}": b"1" for number in range(200)})
    with pytest.raises(TransfersFailed) as failed:
        await op.copy_tree(Operator(Memory()).layer(Around(refuse)), "d/", "e/")
    assert (len(failed.value.failures), failed.value.report.copied, failed.value.report.untried) == (20, 180, 0)


async def test_a_tree_is_copied_with_its_paths():
    source, target = await filled(), Operator(Memory())
    assert await source.copy_tree(target, "a", "z/") == TreeReport(copied=3, copied_bytes=7)
    assert await content_of(target) == {"z/1": b"one", "z/b/2": b"two!", "z/b/c/3": b""}
    assert await source.copy_tree(target) == TreeReport(copied=4, copied_bytes=3007)
    assert (await content_of(target)).keys() == FILES.keys() | {"z/1", "z/b/2", "z/b/c/3"}


async def test_patterns_choose_files():
    source, target = await filled(), Operator(Memory())
    report = await source.copy_tree(target, "a/", "/", include="b/**", exclude=["3"])
    assert (report.copied, await content_of(target)) == (1, {"b/2": b"two!"})


async def test_equal_files_are_skipped_and_changed_ones_copied():
    source, target = await filled(), Operator(Memory())
    await source.copy_tree(target)
    assert await source.copy_tree(target, skip_same=True) == TreeReport(skipped=4)
    await source.write("a/1", b"longer")
    await asyncio.sleep(0.002)
    await source.write("x", bytes(3000))  # of the same size and newer
    assert await source.copy_tree(target, skip_same=True) == TreeReport(copied=2, copied_bytes=3006, skipped=2)
    assert await target.read("a/1") == b"longer"


async def test_files_of_two_stores_are_not_equal_by_a_counter_for_an_etag():
    source, target = await filled({"a": b"new"}), await filled({"a": b"old"})
    await asyncio.sleep(0.002)
    await source.write("b", b"1")
    await source.write("a", b"new")
    await target.write("b", b"2")
    await target.write("a", b"older")
    assert (await source.stat("a")).etag == (await target.stat("a")).etag
    await source.sync(target)
    assert await target.read("a") == b"new"


async def test_sync_deletes_what_the_source_lacks_and_nothing_that_is_excluded():
    source, target = await filled(), await filled({"a/old": b"1", "a/kept.log": b"2", "other/old": b"3"})
    report = await source.sync(target, "a/", delete=True, exclude="*.log")
    assert report == TreeReport(copied=3, copied_bytes=7, deleted=1)
    assert set(await content_of(target)) == {"a/1", "a/b/2", "a/b/c/3", "a/kept.log", "other/old"}
    assert await source.sync(target, "a/") == TreeReport(skipped=3)


async def test_files_that_fail_are_named_and_the_others_copied():
    source = await filled(layers=(refusing("read", "a/b/2", PermissionDenied("locked")),))
    target = await filled({"old": b"stays"})
    with pytest.raises(TransfersFailed) as failed:
        await source.sync(target, delete=True)
    (failure,) = failed.value.failures
    assert (failure.path, failure.kind, failed.value.operation) == ("a/b/2", "PermissionDenied", "sync")
    assert failed.value.report == TreeReport(copied=3, copied_bytes=3003)
    assert set(await content_of(target)) == {"a/1", "a/b/c/3", "x", "old"}  # nothing is deleted after a failure
    assert not failed.value.is_temporary


async def test_a_listing_that_fails_is_named_beside_the_files():
    source = await filled(layers=(refusing("lister.next", "a/", Unexpected("gone", is_temporary=True)),))
    with pytest.raises(TransfersFailed) as failed:
        await source.copy_tree(Operator(Memory()), "a/")
    assert failed.value.is_temporary
    assert [failure.operation for failure in failed.value.failures] == ["lister.next_page"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"concurrent": 0},
        {"include": 3},
        {"exclude": [b"x"]},
        {"skip_same": "yes"},
        {"progress": 5},
        {"progress": asyncio.sleep},
        {"target": "a/b"},
    ],
)
async def test_bad_input_is_refused_before_any_request(arguments):
    source = await filled()
    other = source if "target" in arguments else Operator(Memory())
    with pytest.raises(InvalidInput) as refused:
        await source.copy_tree(other, "a/", **arguments)
    assert refused.value.operation == "copy_tree"
    assert await content_of(source) == FILES


async def test_sync_refuses_to_delete_its_own_source(tmp_path):
    op = await filled()
    for path in ("a/b/", "a/b"):
        with pytest.raises(InvalidInput, match="the source is in the target"):
            await op.sync(op, path, "a/", delete=True)
    assert await content_of(op) == FILES
    assert (await op.sync(op, "a/b/", "a/")).copied == 2  # nothing is deleted


async def test_what_progress_raises_ends_the_transfer(tmp_path):
    calls = 0

    def stop_once(_: Progress) -> None:
        nonlocal calls
        calls += 1
        if calls == 9:
            raise ZeroDivisionError

    source, target = await filled({f"f{number}": b"x" for number in range(100)}), Operator(Fs(tmp_path))
    with pytest.raises(ZeroDivisionError):
        await source.copy_tree(target, progress=stop_once)
    assert calls == 9
    assert len(await content_of(target)) < 20


async def test_an_object_that_changes_after_its_listing_counts_with_its_new_size():
    source = await filled({"a": b"1"})

    async def grow(operation: str, path: str) -> None:
        if (operation, path) == ("read", "a"):
            await source.write("a", b"12345")

    for content, changed in ((b"1", b"12345"), (b"1234567", b"12345")):
        await source.write("a", content)
        steps: list[Progress] = []
        report = await source.layer(Around(grow)).copy_tree(Operator(Memory()), progress=steps.append)
        assert report.copied_bytes == steps[-1].total_done == len(changed)


async def test_what_is_no_regular_file_fails_and_is_never_left_out(tmp_path):
    tree = tmp_path / "tree"
    (tree / "dir").mkdir(parents=True)
    (tree / "dir/file").write_bytes(b"1")
    (tree / "link").symlink_to("dir/file")
    (tree / "entered").symlink_to("dir")
    (tree / "out").symlink_to("/etc/hostname")
    (tree / "nowhere").symlink_to("missing")
    os.mkfifo(tree / "fifo")
    op = await filled({"up/out": b"kept"})
    with pytest.raises(TransfersFailed) as failed:
        await op.upload_tree(tree, "up")
    assert {failure.path: failure.kind for failure in failed.value.failures} == {
        "out": "PermissionDenied", "nowhere": "NotFound", "fifo": "Unsupported"
    }  # fmt: skip
    with pytest.raises(TransfersFailed):
        await Operator(Fs(tree)).sync(op, "/", "up", delete=True)
    assert set(await content_of(op)) == {"up/dir/file", "up/link", "up/out"}
    assert (await op.upload_tree(tree, "up", exclude=["out", "nowhere", "fifo"])).copied == 2


async def test_a_directory_that_may_not_be_read_fails_and_nothing_is_deleted(tmp_path):
    source = Operator(Fs(tmp_path)).layer(Closed())
    await source.write("closed/secret", b"1")
    await source.write("open", b"2")
    await source.create_dir("empty/")
    target = await filled({"up/closed/secret": b"1", "up/surplus": b"3"})
    for options in ({}, {"include": ["secret"]}, {"exclude": "[!s]*"}, {"dry_run": True}):
        with pytest.raises(TransfersFailed) as failed:
            await source.sync(target, "/", "up", delete=True, **options)
        assert [(failure.path, failure.kind) for failure in failed.value.failures] == [("closed/", "PermissionDenied")]
    with pytest.raises(TransfersFailed):
        await source.copy_tree(target, "/", "copy")
    assert set(await content_of(target)) == {"up/closed/secret", "up/open", "up/surplus", "copy/open"}
    assert (await source.copy_tree(target, "/", "rest", exclude=["closed/"])).copied == 1


async def test_a_directory_of_the_target_that_may_not_be_read_fails_and_what_is_seen_is_deleted(tmp_path):
    source = await filled({"a": b"1"})
    target = Operator(Fs(tmp_path)).layer(Closed())
    for path in ("closed/secret", "surplus"):
        await target.write(path, b"2")
    with pytest.raises(TransfersFailed) as failed:
        await source.sync(target, "/", "/", delete=True)
    assert [(error.path, error.kind, error.context["side"]) for error in failed.value.failures] == [
        ("closed/", "PermissionDenied", "target")
    ]
    assert (failed.value.report.copied, failed.value.report.deleted) == (1, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "closed"]
    assert (await source.sync(target, "/", "/")).skipped == 1  # which needs nothing of it
    assert (await source.sync(target, "/", "/", delete=True, exclude="closed/")).skipped == 1


async def test_what_is_neither_seen_nor_deleted_at_the_target_is_in_one_error(tmp_path):
    async def keep_stuck(operation, path):
        if (operation, path) == ("deleter.delete", "stuck"):
            raise PermissionDenied("it stays", path=path)

    target = Operator(Fs(tmp_path)).layer(Closed()).layer(Around(keep_stuck))
    for path in ("closed/secret", "stuck", "surplus"):
        await target.write(path, b"2")
    steps = []
    with pytest.raises(DeletionsFailed) as failed:
        await (await filled({"a": b"1"})).sync(target, "/", "/", delete=True, on_file=steps.append)
    assert [error.path for error in failed.value.failures] == ["stuck", "closed/"]
    assert [(step.action, step.path) for step in steps] == [("copy", "a"), ("delete", "surplus")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "closed", "stuck"]


async def test_names_that_no_path_can_have_are_failures_of_their_directories_and_nothing_is_deleted(tmp_path):
    source = Operator(Fs(tmp_path))
    for path in ("top/a", "top/d/b"):
        await source.write(path, b"1")
    for name in (b"top/line\nbreak", b"top/\xff", b"top/d/caf\xe9"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).touch()
    target = await filled({"up/surplus": b"3"})
    for tree, start in ((source, "top"), (source.at("top/"), "/")):  # whose paths are relative to the directory
        prefix = "" if start == "/" else "top/"
        for options in ({"delete": True}, {"delete": True, "dry_run": True}, {"delete": True, "include": "*.txt"}):
            with pytest.raises(TransfersFailed) as failed:
                await tree.sync(target, start, "up", **options)
            found = {failure.path: failure.message for failure in failed.value.failures}
            assert sorted(found) == [prefix or "/", f"{prefix}d/"]
            assert found[f"{prefix}d/"] == r"a name here, 'caf\xe9', cannot be in a path"
            assert found[prefix or "/"].startswith("2 names here, such as")
            assert {failure.kind for failure in failed.value.failures} == {"Unsupported"}
    assert set(await content_of(target)) == {"up/a", "up/d/b", "up/surplus"}
    with pytest.raises(TransfersFailed):
        await source.copy_tree(target, "top", "up")
    (tmp_path / "plain").mkdir()
    assert (await source.copy_tree(target, "/", "up", exclude=["top/"])).copied == 0
    assert (await source.copy_tree(target, "/", "up", include=["plain/*"])).copied == 0


async def test_a_listing_says_what_it_has_left_out(tmp_path):
    op = Operator(Fs(tmp_path))
    await op.write("d/a", b"1")
    Path(os.fsdecode(bytes(tmp_path) + b"/d/\xff")).touch()
    async with op.lister("/", recursive=True) as lister:
        while await lister.next_page():
            pass
    (error,) = lister.left_out()
    assert (type(error), error.path, error.operation, error.scheme) == (Unsupported, "d/", "lister.next", "fs")
    assert (lister.left_out()[0].path, lister.left_out()[0] is error) == ("d/", False)
    async with op.glob("*/*") as lister:
        assert [entry.path async for entry in lister] == ["d/a"]
    assert [error.path for error in lister.left_out()] == ["d/"]
    with op.blocking().lister("d/") as blocking:
        assert [entry.path for entry in blocking] == ["d/", "d/a"]
        assert [error.path for error in blocking.left_out()] == ["d/"]


async def test_progress_counts_bytes_and_files():
    steps: list[Progress] = []
    await (await filled()).copy_tree(Operator(Memory()), concurrent=1, progress=steps.append)
    assert (steps[-1].total_done, steps[-1].files_done) == (3007, 4)
    assert [step.total_done for step in steps] == sorted(step.total_done for step in steps)
    assert {step.path: step.done for step in steps} == {path: len(content) for path, content in FILES.items()}


async def test_no_more_files_are_in_flight_than_concurrent_says():
    running = most = 0

    async def count(operation: str, path: str) -> None:
        nonlocal running, most
        if operation == "write":
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    source = await filled({f"f{number}": b"x" for number in range(20)})
    await source.copy_tree(Operator(Memory(), layers=(Around(count),)), concurrent=3)
    assert most == 3


async def test_a_tree_goes_to_a_local_directory_and_back(tmp_path):
    source, target = await filled(), Operator(Memory())
    assert (await source.download_tree("a/", tmp_path / "new")).copied == 3
    assert (tmp_path / "new/b/2").read_bytes() == b"two!"
    assert (await source.download_tree("a/", tmp_path / "new", skip_same=True)).skipped == 3
    assert (await target.upload_tree(tmp_path / "new", "up")).copied == 3
    assert await content_of(target) == {"up/1": b"one", "up/b/2": b"two!", "up/b/c/3": b""}


async def test_no_key_leads_out_of_the_local_directory(tmp_path):
    source = await filled({"../out": b"1", "good": b"2", "d/../../out": b"3", "a//b": b"4"})
    with pytest.raises(TransfersFailed) as failed:
        await source.download_tree("/", tmp_path / "in")
    assert {failure.path for failure in failed.value.failures} >= {"../out", "d/../../out"}
    assert sorted(os.listdir(tmp_path)) == ["in"]  # noqa: PTH208
    assert (tmp_path / "in/good").read_bytes() == b"2"


async def test_no_two_keys_share_a_file_of_a_directory(tmp_path):
    source, target = await filled({"a/b": b"1", "a//b": b"2", "./a/b": b"3", "a/./b": b"4"}), Operator(Fs(tmp_path))
    for _ in range(2):
        with pytest.raises(TransfersFailed) as failed:
            await source.sync(target, delete=True)
        assert {failure.path: failure.kind for failure in failed.value.failures} == dict.fromkeys(
            ["a//b", "./a/b", "a/./b"], "InvalidInput"
        )
        assert await content_of(target) == {"a/b": b"1"}
    assert (await source.copy_tree(Operator(Memory()))).copied == 4


async def test_a_missing_directory_is_not_an_empty_one(tmp_path):
    target = await filled()
    with pytest.raises(NotFound):
        await target.upload_tree(tmp_path / "nowhere", "up")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectory):
        await target.upload_tree(tmp_path / "file", "up")
    with pytest.raises(NotFound):
        await Operator(Memory()).sync(target, "a/", delete=True)
    for empty in (Operator(Fs(tmp_path / "mistyped")), Operator(Memory())):
        with pytest.raises(NotFound, match="nothing is deleted"):
            await empty.sync(target, delete=True)
        assert await empty.sync(Operator(Memory()), delete=True) == TreeReport()
    assert await content_of(target) == FILES
    assert await Operator(Memory()).copy_tree(target) == TreeReport()


@pytest.mark.parametrize("options", [{}, {"dry_run": True}, {"include": "*.log"}, {"exclude": "keep"}])
async def test_a_mirror_of_a_directory_without_files_deletes_nothing(tmp_path, options):
    (tmp_path / "unmounted/dir").mkdir(parents=True)
    (tmp_path / "unmounted/keep").write_bytes(b"")
    target = await filled({"up/a.log": b"1", "up/dir/b.log": b"2"})
    source = Operator(Fs(tmp_path))
    path = "unmounted/" if {"include", "exclude"} & options.keys() else "unmounted/dir/"
    with pytest.raises(NotFound, match=r"the source has no files, .* nothing is deleted"):
        await source.sync(target, path, "up/", delete=True, **options)
    assert set(await content_of(target)) == {"up/a.log", "up/dir/b.log"}
    assert await source.sync(target, path, "up/", **options) == TreeReport()
    chosen = await source.sync(target, "unmounted/", "up/", delete=True, choose=lambda entry: entry.path == "up/a.log")
    assert chosen.deleted == 1  # of a source with files, though none is chosen


async def test_walk_visits_directories_from_the_top_and_may_be_pruned(tmp_path):
    op = Operator(Fs(tmp_path))
    for path in FILES:
        await op.write(path, b"")

    def names(entries):
        return sorted(entry.path for entry in entries)

    steps = [(path, names(directories), names(files)) async for path, directories, files in op.walk()]
    assert steps == [
        ("/", ["a/"], ["x"]), ("a/", ["a/b/"], ["a/1"]), ("a/b/", ["a/b/c/"], ["a/b/2"]), ("a/b/c/", [], ["a/b/c/3"])
    ]  # fmt: skip
    visited = []
    for path, directories, _ in op.blocking().walk("a/"):
        visited.append(path)
        directories[:] = [entry for entry in directories if entry.name != "c/"]
    assert visited == ["a/", "a/b/"]


async def test_du_and_remove_tree():
    op = await filled()
    assert await op.du("a/") == Usage(size=7, files=3)
    assert op.blocking().du() == Usage(size=3007, files=4)
    await op.remove_tree("a/")
    assert await op.du() == Usage(size=3000, files=1)


TREE_CALLS = {
    "remove_tree": lambda op, path: op.remove_tree(path),
    "du": lambda op, path: op.du(path),
    "walk": lambda op, path: anext(op.walk(path)),
    "copy_tree": lambda op, path: op.copy_tree(Operator(Memory()), path, "to/"),
    "sync": lambda op, path: op.sync(Operator(Memory()), path, "to/", delete=True),
}


@pytest.mark.parametrize("call", TREE_CALLS)
@pytest.mark.parametrize("storage", ["memory", "fs", "s3"], indirect=True)
async def test_every_call_on_a_tree_raises_where_there_is_none_and_takes_an_empty_one(storage, call):
    op = storage.operator
    await op.write("file", b"1")
    await op.create_dir("empty/")
    for missing in ("missing", "missing/", "file", "file/"):
        with pytest.raises(NotFound) as raised:
            await TREE_CALLS[call](op, missing)
        assert raised.value.operation == call
    assert await op.exists("file")
    await TREE_CALLS[call](op, "empty")
    await TREE_CALLS[call](op.at("empty/"), "/")
    assert await op.exists("empty/") == (call != "remove_tree")


def test_the_blocking_operator_transfers_trees(tmp_path):
    source = Operator(Fs(tmp_path / "from")).blocking()
    for path, content in FILES.items():
        source.write(path, content)
    target = Operator(Memory()).blocking()
    assert source.copy_tree(target, "a/").copied == 3
    assert source.sync(target, delete=True).copied == 1
    assert target.download_tree("/", tmp_path / "to").copied == 4
    assert (tmp_path / "to/x").read_bytes() == bytes(3000)


def test_times_decide_only_between_equal_sizes():
    now = datetime.now(UTC)
    old = now - timedelta(seconds=1)
    assert is_same(Metadata(content_length=1, last_modified=old), Metadata(content_length=1, last_modified=now))
    assert not is_same(Metadata(content_length=1, last_modified=now), Metadata(content_length=1, last_modified=old))
    assert not is_same(Metadata(content_length=1, last_modified=old), Metadata(content_length=2, last_modified=now))
    assert not is_same(Metadata(content_length=1), Metadata(content_length=1, last_modified=now))


@pytest.mark.parametrize(
    ("written", "there", "is_there"),
    [
        (10.7, 10.0, False),  # in whole seconds, the target may be of any moment in its second
        (10.0, 10.3, False),  # and the source
        (10.0, 10.999_999, False),
        (10.0, 11.0, True),
        (10.0, 11.000_001, True),
        (10.0, 10.0, True),
        (10.3, 10.3, True),
        (10.3, 10.4, True),
    ],
)
def test_a_time_in_whole_seconds_is_of_any_moment_in_its_second(written: float, there: float, is_there: bool) -> None:
    source, target = (
        Metadata(content_length=1, last_modified=datetime.fromtimestamp(time, UTC)) for time in (written, there)
    )
    assert is_same(source, target) is is_there


def test_an_etag_decides_only_where_it_is_a_digest():
    now = datetime.now(UTC)
    old = now - timedelta(seconds=1)
    digest = '"900150983cd24fb0d6963f7d28e17f72"'
    for etag, is_equal in ((digest, True), (f'{digest[:-1]}-3"', True), (f"W/{digest}", False), ('"1"', False)):
        source = Metadata(etag=etag, content_length=3, last_modified=now)
        assert is_same(source, Metadata(etag=etag, content_length=3, last_modified=old)) is is_equal
        assert not is_same(source, Metadata(etag=etag, content_length=4, last_modified=old))


@pytest.mark.parametrize(("key", "what"), [("a/./b", "the name '.'"), ("../b", "the name '..'")])
async def test_a_key_that_is_no_name_of_a_file_fails_with_what_is_odd_in_it(key: str, what: str, tmp_path) -> None:
    source = await filled({key: b"1", "good": b"2"})
    with pytest.raises(TransfersFailed) as failed:
        await source.copy_tree(Operator(Fs(root=tmp_path)), "/")
    assert [f"has {what} in it" in error.message for error in failed.value.failures] == [True]
    assert (tmp_path / "good").read_bytes() == b"2"


@pytest.mark.parametrize("size", [0, 5, 64 * 1024, 64 * 1024 + 1, 20_000_000])
async def test_a_file_that_changes_after_it_was_listed_is_copied_as_it_is_now(size: int, tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"small")
    target = Operator(Memory())

    def change(entry) -> bool:
        (tmp_path / "a").write_bytes(bytes(size))
        return True

    report = await Operator(Fs(root=tmp_path)).copy_tree(target, "/", choose=change)
    assert report == TreeReport(copied=1, copied_bytes=size)
    assert await target.read("a") == bytes(size)


class Overstated(Layer):
    """States a byte more than an object has. The metadata of its responses is a stat's, if that is wanted."""

    def __init__(self, *, is_from_stat: bool) -> None:
        self.is_from_stat = is_from_stat

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        is_from_stat = self.is_from_stat

        class Wrapped(LayeredAccessor):
            async def read(self, path, args):
                stated = (await self.inner.stat(path, args.to_stat())).metadata
                longer = replace(stated, content_length=stated.content_length + 1)
                return RpRead(longer, is_from_stat=is_from_stat), BytesReader(lambda: bytes(stated.content_length))

        return Wrapped(accessor)


@pytest.mark.parametrize("is_from_stat", [False, True])
async def test_a_small_file_that_is_shorter_than_its_response_says_is_not_stored(is_from_stat: bool) -> None:
    source, target = await filled({"a": b"12345"}), Operator(Memory())
    with pytest.raises(TransfersFailed) as failed:
        await source.layer(Overstated(is_from_stat=is_from_stat)).copy_tree(target)
    assert [type(error) for error in failed.value.failures] == [ContentIncomplete]
    assert not await target.exists("a")


async def test_the_options_of_copies_hold_for_small_files() -> None:
    source, target = await filled({"a": b"1"}), Operator(Memory())
    await source.copy_tree(target, copy_options={"content_type": "text/x-new"})
    assert (await target.stat("a")).content_type == "text/x-new"
    with pytest.raises(TransfersFailed, match="if_not_exists"):
        await source.copy_tree(target, copy_options={"if_not_exists": True})
