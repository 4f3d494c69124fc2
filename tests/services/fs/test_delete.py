"""Deleting files, directories and trees; never through a link, and never a file that is being written."""

import asyncio
import errno
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot import DeletionsFailed, InvalidInput, IsADirectory, Operator, PermissionDenied, Unexpected
from entrepot.raw import Context, OpDelete
from entrepot.services import Fs
from entrepot.services.fs import deleter
from entrepot.services.fs.accessor import FsAccessor
from entrepot.services.fs.kernel.descriptor import open_at
from entrepot.services.fs.kernel.temporary import Temporary

from .conftest import Run, descriptors, names_in

pytestmark = pytest.mark.usefixtures("confinement")


@pytest.fixture
def tree(root: Path) -> None:
    for path in ("a/b/c/deep", "a/b/file", "a/file", "ab", "file"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"data")
    (root / "a" / "empty").mkdir()


def test_file_is_deleted_and_missing_is_no_error(run: Run, op: Operator, root: Path, tree: None) -> None:
    for path in ("file", "file", "missing/file", "missing/", "file/below", "ab/below/", "a/none"):
        run(op.delete(path))
    assert names_in(root) == ["a", "ab"]


def test_missing_root_has_nothing_to_delete(run: Run, op_at: Callable[[object], Operator], tmp_path: Path) -> None:
    op = op_at(tmp_path / "missing")
    run(op.delete("file"))
    run(op.delete("/", recursive=True))
    assert not (tmp_path / "missing").exists()


def test_empty_directory_is_deleted_by_its_name_with_a_slash(run: Run, op: Operator, root: Path) -> None:
    (root / "d").mkdir()
    with pytest.raises(IsADirectory, match="slash") as raised:
        run(op.delete("d"))
    assert (raised.value.operation, raised.value.path) == ("delete", "d")
    run(op.delete("d/"))
    assert names_in(root) == []


def test_directory_that_is_not_empty_is_deleted_only_recursively(
    run: Run, op: Operator, root: Path, tree: None
) -> None:
    with pytest.raises(IsADirectory, match="recursive=True") as raised:
        run(op.delete("a/"))
    assert (raised.value.operation, raised.value.path, raised.value.is_temporary) == ("delete", "a/", False)
    assert (root / "a" / "b" / "c" / "deep").exists()


@pytest.mark.parametrize("path", ["a/", "a", "a//.", "./a/"])
def test_tree_is_deleted_and_nothing_beside_it(run: Run, op: Operator, root: Path, tree: None, path: str) -> None:
    before = []

    async def scenario() -> None:
        await op.stat("file")
        before.append(descriptors())
        await op.delete(path, recursive=True)
        assert descriptors() == before[0]

    run(scenario())
    assert names_in(root) == ["ab", "file"]


def test_file_is_not_a_directory_of_its_name(run: Run, op: Operator, root: Path, tree: None) -> None:
    for recursive in (False, True):
        run(op.delete("file/", recursive=recursive))
    assert "file" in names_in(root)
    run(op.delete("file", recursive=True))
    assert "file" not in names_in(root)


def test_root_is_emptied_and_kept(run: Run, op: Operator, root: Path, tree: None) -> None:
    with pytest.raises(IsADirectory, match="recursive=True"):
        run(op.delete("/"))
    run(op.delete("/", recursive=True))
    assert names_in(root) == []
    run(op.delete("/"))
    assert root.is_dir()


def test_links_are_deleted_themselves(run: Run, op: Operator, root: Path, tmp_path: Path, tree: None) -> None:
    for name, target in (("out", "../outside"), ("dir", "../a"), ("file", "../file"), ("gone", "nowhere")):
        (root / "a" / name).unlink(missing_ok=True)
        (root / "a" / name).symlink_to(target if name != "out" else "../../outside")
    (root / "to-a").symlink_to("a")
    (root / "to-file").symlink_to("file")
    run(op.delete("to-file/"))
    assert (root / "to-file").is_symlink()
    for path in ("to-file", "to-a/"):
        run(op.delete(path))
    assert names_in(root) == ["a", "ab", "file"]
    run(op.delete("a/", recursive=True))
    assert names_in(root) == ["ab", "file"]
    assert names_in(tmp_path / "outside") == ["secret"]


def test_link_to_a_directory_is_deleted_itself_also_recursively(
    run: Run, op: Operator, root: Path, tmp_path: Path, tree: None
) -> None:
    (root / "to-a").symlink_to("a")
    (root / "out").symlink_to("../outside")
    for path in ("to-a/", "out"):
        run(op.delete(path, recursive=True))
    assert names_in(root) == ["a", "ab", "file"]
    assert (root / "a" / "b" / "c" / "deep").exists()
    assert names_in(tmp_path / "outside") == ["secret"]


def test_nothing_is_deleted_through_a_link_that_leaves(run: Run, op: Operator, root: Path, tmp_path: Path) -> None:
    (root / "out").symlink_to("../outside")
    with pytest.raises(PermissionDenied) as raised:
        run(op.delete("out/secret"))
    assert raised.value.path == "out/secret"
    assert names_in(tmp_path / "outside") == ["secret"]


def test_dots_are_refused(run: Run, op: Operator, tmp_path: Path) -> None:
    for path in ("../secret", "..", "d/../../secret"):
        with pytest.raises(InvalidInput, match=r"'\.\.'") as raised:
            run(op.delete(path, recursive=True))
        assert raised.value.path == path
    assert "secret" in names_in(tmp_path)


def test_special_files_are_deleted_unopened(run: Run, op: Operator, root: Path) -> None:
    (root / "d").mkdir()
    os.mkfifo(root / "fifo")
    os.mkfifo(root / "d" / "fifo")
    run(op.delete("fifo"))
    run(op.delete("d/", recursive=True))
    assert names_in(root) == []


def test_deep_tree_is_deleted_with_few_files_open(run: Run, op: Operator, root: Path) -> None:
    here = os.open(root, os.O_RDONLY)
    for _ in range(600):  # deeper than a path can be long
        os.mkdir("directory", dir_fd=here)
        deeper = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 40, hard))
    try:
        run(op.delete("directory/", recursive=True))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert names_in(root) == []


def test_what_a_writer_is_at_stays_and_comes_after(run: Run, op: Operator, root: Path, tree: None) -> None:
    alive = Temporary(open_at(str(root / "a" / "b"), os.O_RDONLY), 0o666)
    run(op.delete("a/", recursive=True))
    assert {entry.path for entry in run(op.list("/", recursive=True))} == {"/", "a/", "a/b/", "ab", "file"}
    alive.publish("new", is_new=False)
    alive.discard()
    assert [path.name for path in sorted((root / "a").rglob("*"))] == ["b", "new"]


def test_leftovers_do_not_keep_a_directory(run: Run, op: Operator, root: Path) -> None:
    for name in ("d", "e"):
        (root / name).mkdir()
        (root / name / ".entrepot-0123456789abcdef.tmp").touch()
    run(op.delete("d/"))
    run(op.delete("e/", recursive=True))
    assert names_in(root) == []


def test_directory_with_a_living_writer_is_not_empty(run: Run, op: Operator, root: Path) -> None:
    (root / "d").mkdir()
    alive = Temporary(open_at(str(root / "d"), os.O_RDONLY), 0o666)
    with pytest.raises(IsADirectory, match="not empty"):
        run(op.delete("d/"))
    alive.discard()


class TestMany:
    def test_they_share_hops_and_each_failure_has_its_path(
        self, run: Run, op: Operator, root: Path, tree: None
    ) -> None:
        with pytest.raises(DeletionsFailed) as raised:
            run(op.delete_many(["file", "a/", "../x", "missing", "ab"]))
        failures = {failure.path: type(failure) for failure in raised.value.failures}
        assert failures == {"a/": IsADirectory, "../x": InvalidInput}
        assert names_in(root) == ["a"]

    def test_two_thousand_files_take_three_hops_at_most(
        self, run: Run, root: Path, context: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        original = deleter.delete_many

        def counted(*args: object) -> object:
            sizes.append(len(args[2]))  # type: ignore[arg-type]
            return original(*args)  # type: ignore[arg-type]

        monkeypatch.setattr("entrepot.services.fs.accessor.delete_many", counted)
        for number in range(2000):
            (root / str(number)).touch()
        run(Operator(Fs(str(root)), context=context).delete_many(str(number) for number in range(2000)))
        assert names_in(root) == []
        assert sizes == [1000, 1000]

    def test_what_failed_is_tried_again_by_the_same_body(self, run: Run, op: Operator, root: Path, tree: None) -> None:
        async def scenario() -> None:
            _, body = await FsAccessor(op._context, str(root)).delete()
            for path in ("a/empty", "file"):
                await body.delete(path, OpDelete())
            with pytest.raises(DeletionsFailed):
                await body.close()
            (root / "a" / "empty").rmdir()
            (root / "a" / "empty").touch()
            await body.close()

        run(scenario())
        assert names_in(root / "a") == ["b", "file"]


class TestWhileOthersChange:
    def test_directory_that_was_moved_away_does_not_take_the_deletion_with_it(
        self, run: Run, op: Operator, root: Path, tmp_path: Path, tree: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The way back by `..` would lead elsewhere."""
        original = deleter._TreeRemoval._leave
        moved: list[int] = []

        def moving(emptying: deleter._TreeRemoval) -> bool:
            if not moved:
                moved.append(1)
                (root / "a" / "b" / "c").rename(tmp_path / "outside" / "c")
            return original(emptying)

        monkeypatch.setattr(deleter._TreeRemoval, "_leave", moving)
        if (root / "a" / "empty").exists():
            (root / "a" / "empty").rmdir()
        run(op.delete("a/", recursive=True))
        assert names_in(root) == ["ab", "file"]
        assert names_in(tmp_path / "outside") == ["c", "secret"]

    def test_directory_that_becomes_a_link_is_not_entered(
        self, run: Run, op: Operator, root: Path, tmp_path: Path, tree: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = deleter._TreeRemoval._enter

        def swapped(emptying: deleter._TreeRemoval, name: str) -> None:
            if name == "empty":
                (root / "a" / "empty").rmdir()
                (root / "a" / "empty").symlink_to("../../outside")
            original(emptying, name)

        monkeypatch.setattr(deleter._TreeRemoval, "_enter", swapped)
        run(op.delete("a/", recursive=True))
        assert names_in(tmp_path / "outside") == ["secret"]
        assert names_in(root) == ["ab", "file"]

    def test_two_deletions_of_one_tree_do_not_disturb_each_other(self, root: Path) -> None:
        op = Operator(Fs(str(root)))
        for number in range(300):
            (root / "d" / str(number % 20) / str(number)).mkdir(parents=True)
            (root / "d" / str(number % 20) / str(number) / "file").touch()

        async def scenario() -> None:
            await asyncio.gather(*(op.delete("d/", recursive=True) for _ in range(3)))

        asyncio.run(scenario())
        assert names_in(root) == []

    def test_directory_that_somebody_fills_all_the_time_is_a_temporary_error(
        self, run: Run, op: Operator, root: Path, tree: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = os.rmdir

        def filled(name: str, *, dir_fd: int) -> None:
            if name == "c":
                raise OSError(errno.ENOTEMPTY, "not empty")
            original(name, dir_fd=dir_fd)

        monkeypatch.setattr(os, "rmdir", filled)
        with pytest.raises(Unexpected, match="being put") as raised:
            run(op.delete("a/", recursive=True))
        assert (raised.value.path, raised.value.is_temporary) == ("a/", True)


async def test_deletion_that_is_cancelled_stops_before_the_caller_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        (root / "d").mkdir(exist_ok=True)
        (root / "d" / str(number)).touch()
    entered, may_go = threading.Event(), threading.Event()
    original = os.unlink

    def held(*args: object, **where: object) -> None:
        entered.set()
        assert may_go.wait(30)
        original(*args, **where)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "unlink", held)
    deleting = asyncio.create_task(Operator(Fs(str(root))).delete("d/", recursive=True))
    while not entered.is_set():
        await asyncio.sleep(0.001)
    deleting.cancel()
    await asyncio.sleep(0.01)
    assert not deleting.done()
    may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await deleting
    assert len(names_in(root / "d")) == 99


@pytest.mark.parametrize(("is_empty", "most"), [(True, 2), (False, 1030)])
def test_a_wide_directory_is_not_read_once_for_each_directory_in_it(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch, is_empty: bool, most: int
) -> None:
    for number in range(1000):
        (root / "d" / str(number)).mkdir(parents=True)
        if not is_empty:
            (root / "d" / str(number) / "file").touch()
    read, original = list[object](), os.scandir
    monkeypatch.setattr(os, "scandir", lambda directory: read.append(directory) or original(directory))
    before = descriptors()
    run(op.delete("d/", recursive=True))
    assert not (root / "d").exists()
    assert len(read) <= most
    assert descriptors() <= before + 3  # of the event loop


def test_directories_below_those_whose_names_are_remembered(run: Run, op: Operator, root: Path) -> None:
    here = root / "d"
    for _ in range(100):
        for name in ("a", "b"):
            (here / name / "x").mkdir(parents=True)
            (here / name / "file").touch()
        here = here / "c"
    run(op.delete("d/", recursive=True))
    assert list(root.iterdir()) == []
