"""Copies from one root to another: as within one root, and neither root is left."""

import asyncio
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot import (
    ConditionNotMatch,
    Error,
    IsSameFile,
    NotFound,
    Operator,
    PermissionDenied,
    Progress,
    TransfersFailed,
    Unsupported,
)
from entrepot.services import Fs
from entrepot.services.fs import transfer
from entrepot.services.fs.kernel import content
from entrepot.services.fs.revocable import Revocable

from .conftest import Run, descriptors, names_in

CONTENT = bytes(range(256)) * 400


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The root of the target, which does not exist."""
    return tmp_path / "other"


@pytest.fixture
def there(other: Path, op_at: Callable[[object], Operator]) -> Operator:
    return op_at(other)


@pytest.fixture
def file(root: Path) -> Path:
    path = root / "file"
    path.write_bytes(CONTENT)
    path.chmod(0o750)
    return path


@pytest.mark.usefixtures("file", "confinement")
class TestCopyTo:
    def test_copy_has_the_content_and_the_permissions(
        self, run: Run, op: Operator, there: Operator, other: Path
    ) -> None:
        copied = run(op.copy_to(there, "file", "new/copy"))
        assert copied.is_server_side
        assert copied.metadata == run(there.stat("new/copy"))
        assert (other / "new" / "copy").read_bytes() == CONTENT
        assert stat.S_IMODE((other / "new" / "copy").stat().st_mode) == 0o750

    def test_one_path_in_both_roots_is_two_files(self, run: Run, op: Operator, there: Operator, other: Path) -> None:
        run(op.copy_to(there, "file", "file"))
        assert (other / "file").read_bytes() == CONTENT

    def test_user_attributes_are_copied_as_they_are(
        self, run: Run, op: Operator, there: Operator, file: Path, other: Path
    ) -> None:
        try:
            os.setxattr(file, "user.Binary", b"\xff\x00")
        except OSError:
            pytest.skip("the file system of the test has no extended attributes")
        run(op.copy_to(there, "file", "file"))
        assert os.getxattr(other / "file", "user.Binary") == b"\xff\x00"

    def test_holes_stay_holes(self, run: Run, op: Operator, there: Operator, root: Path, other: Path) -> None:
        with (root / "sparse").open("wb") as sparse:
            sparse.truncate(50_000_000)
            sparse.seek(20_000_000)
            sparse.write(b"data")
        run(op.copy_to(there, "sparse", "sparse"))
        copied = other / "sparse"
        assert copied.read_bytes() == (root / "sparse").read_bytes()
        assert copied.stat().st_blocks * 512 < 5_000_000

    def test_if_not_exists(self, run: Run, op: Operator, there: Operator, other: Path) -> None:
        other.mkdir()
        (other / "file").write_bytes(b"old")
        with pytest.raises(ConditionNotMatch) as raised:
            run(op.copy_to(there, "file", "file", if_not_exists=True))
        assert (raised.value.operation, raised.value.path) == ("copy_to", "file")
        assert (other / "file").read_bytes() == b"old"
        run(op.copy_to(there, "file", "new", if_not_exists=True))
        assert names_in(other) == ["file", "new"]

    def test_neither_root_is_left(self, run: Run, op: Operator, there: Operator, root: Path, other: Path) -> None:
        other.mkdir()
        (root / "out").symlink_to("../secret")
        (other / "out").symlink_to("../outside")
        for source, target, side in (("out", "copy", "source"), ("file", "out/new", "target")):
            with pytest.raises(PermissionDenied) as raised:
                run(op.copy_to(there, source, target))
            assert raised.value.context["side"] == side
            assert raised.value.path == {"source": source, "target": target}[side]
        assert names_in(other) == ["out"]
        assert names_in(root.parent / "outside") == ["secret"]

    def test_names_of_one_file_in_two_roots_are_the_same(
        self, run: Run, op: Operator, there: Operator, file: Path, other: Path
    ) -> None:
        other.mkdir()
        os.link(file, other / "hard")
        with pytest.raises(IsSameFile):
            run(op.copy_to(there, "file", "hard"))
        assert file.read_bytes() == CONTENT

    def test_a_root_that_is_reached_by_a_link_too_is_the_same(
        self, run: Run, op: Operator, there: Operator, root: Path, other: Path, file: Path
    ) -> None:
        other.symlink_to(root)
        with pytest.raises(IsSameFile):
            run(op.copy_to(there, "file", "file"))
        assert file.read_bytes() == CONTENT

    @pytest.mark.parametrize("name", ["fifo", "missing"])
    def test_what_cannot_be_copied_makes_nothing(
        self, run: Run, op: Operator, there: Operator, root: Path, other: Path, name: str
    ) -> None:
        os.mkfifo(root / "fifo")
        with pytest.raises(Unsupported if name == "fifo" else NotFound) as raised:
            run(op.copy_to(there, name, "copy"))
        assert raised.value.context["side"] == "source"
        assert not other.exists()

    def test_descriptors_are_given_back(self, run: Run, op: Operator, there: Operator, other: Path) -> None:
        async def scenario() -> None:
            await op.copy_to(there, "file", "first")
            before = descriptors()
            for source, target in (("file", "copy"), ("missing", "copy"), ("file", "first/below")):
                try:
                    await op.copy_to(there, source, target)
                except Error:
                    assert (source, target) != ("file", "copy")
            assert descriptors() == before

        run(scenario())


@pytest.mark.parametrize("path", ["/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled"])
def test_a_file_that_misstates_its_size_has_its_content(
    run: Run, op_at: Callable[[object], Operator], tmp_path: Path, path: str
) -> None:
    if not Path(path).is_file():
        pytest.skip("this kernel has no such file")
    copied = run(op_at(Path(path).parent).copy_to(op_at(tmp_path), Path(path).name, "copy"))
    assert copied.is_server_side
    assert (tmp_path / "copy").read_bytes() == Path(path).read_bytes()


def test_another_file_system_is_no_difference(run: Run, op_at: Callable[[object], Operator], tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or not os.access(shared, os.W_OK) or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=shared) as there:
        (tmp_path / "file").write_bytes(CONTENT)
        (tmp_path / "file").chmod(0o750)
        copied = run(op_at(tmp_path).copy_to(op_at(there), "file", "d/copy"))
        assert copied.is_server_side
        assert Path(there, "d", "copy").read_bytes() == CONTENT
        assert stat.S_IMODE(Path(there, "d", "copy").stat().st_mode) == 0o750


class TestSteps:
    """Files of more bytes than one step, which are copied by the calls that the test allows."""

    @pytest.fixture(autouse=True)
    def small_steps(self, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
        monkeypatch.setattr(content, "_shared", lambda source, target: 0)
        monkeypatch.setattr(content, "_STEP", 10_000)
        monkeypatch.setattr(transfer, "STEP", 10_000)

    def test_progress_is_reported_at_each_step(self, run: Run, op: Operator, there: Operator) -> None:
        seen = list[Progress]()
        run(op.copy_to(there, "file", "copy", progress=seen.append))
        done = [progress.done for progress in seen]
        assert done[:3] == [10_000, 20_000, 30_000]
        assert done[-1] == len(CONTENT)
        assert done == sorted(done)
        assert seen[-1].files_done == 1

    @pytest.mark.parametrize("change", ["shrink", "overwrite", "append"])
    def test_a_source_that_changes_is_not_mixed(
        self, run: Run, op: Operator, there: Operator, file: Path, other: Path, monkeypatch: pytest.MonkeyPatch,
        change: str,
    ) -> None:  # fmt: skip
        monkeypatch.setattr(content, "_AT_ONCE", 10_000)
        os.utime(file, (0, 0))

        def apply(progress: Progress) -> None:
            if progress.done > 10_000:
                return
            with file.open("ab" if change == "append" else "r+b") as opened:
                if change == "shrink":
                    opened.truncate(50_000)
                else:
                    opened.write(b"new")

        with pytest.raises(ConditionNotMatch) as raised:
            run(op.copy_to(there, "file", "copy", progress=apply))
        assert raised.value.context["side"] == "source"
        assert names_in(other) == []

    @pytest.mark.parametrize("is_appended", [True, False])
    def test_a_short_log_is_copied_as_it_was_and_never_filled_up(
        self, run: Run, op: Operator, there: Operator, file: Path, other: Path, is_appended: bool
    ) -> None:
        def change(progress: Progress) -> None:
            if progress.done == 10_000:
                os.truncate(file, len(CONTENT) + 1 if is_appended else 50_000)

        if is_appended:
            run(op.copy_to(there, "file", "copy", progress=change))
            assert (other / "copy").read_bytes() == CONTENT
        else:
            with pytest.raises(ConditionNotMatch):
                run(op.copy_to(there, "file", "copy", progress=change))
            assert names_in(other) == []

    def test_a_file_of_one_step_is_reported_when_it_is_there(
        self, run: Run, op: Operator, there: Operator, root: Path, other: Path
    ) -> None:
        (root / "small").write_bytes(b"1234")
        seen = list[tuple[int, int, bool]]()

        def look(progress: Progress) -> None:
            seen.append((progress.done, progress.files_done, (other / "copy").exists()))

        run(op.copy_to(there, "small", "copy", progress=look))
        assert seen == [(4, 1, True)]

    def test_what_progress_raises_ends_the_copy_and_leaves_nothing(
        self, run: Run, op: Operator, there: Operator, other: Path
    ) -> None:
        def stop(progress: Progress) -> None:
            raise LookupError

        with pytest.raises(LookupError):
            run(op.copy_to(there, "file", "copy", progress=stop))
        assert names_in(other) == []

    def test_a_step_that_failed_is_made_again_from_the_start(self, root: Path, other: Path) -> None:
        copy = transfer.FileCopy(
            transfer.RootedPath(str(root), "file"), transfer.RootedPath(str(other), "copy"), is_new=False, fsync=False
        )
        revoked, wanted = Revocable(), Revocable()
        assert copy.advance(wanted) == 10_000
        revoked.revoke()
        with pytest.raises(Error):
            copy.advance(revoked)
        assert names_in(other) == []
        counts = list(iter(lambda: copy.advance(wanted), None))
        assert counts[:2] == [0, 10_000]
        assert sum(counts) == len(CONTENT) - 10_000  # the rest was counted before
        assert copy.publish(wanted).content_length == len(CONTENT)
        assert (other / "copy").read_bytes() == CONTENT
        assert names_in(other) == ["copy"]

    async def test_a_cancelled_copy_leaves_the_old_target(
        self, root: Path, other: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entered, may_go, steps = threading.Event(), threading.Event(), list[int]()
        original = os.copy_file_range

        def held(source: int, target: int, count: int, *offsets: int) -> int:
            steps.append(original(source, target, count, *offsets))
            if len(steps) == 2:
                entered.set()
                assert may_go.wait(30)
            return steps[-1]

        other.mkdir()
        (other / "copy").write_bytes(b"old")
        monkeypatch.setattr(os, "copy_file_range", held)
        copying = asyncio.create_task(Operator(Fs(root)).copy_to(Operator(Fs(other)), "file", "copy"))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        copying.cancel()
        await asyncio.sleep(0.01)
        may_go.set()
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert len(steps) == 2
        assert names_in(other) == ["copy"]
        assert (other / "copy").read_bytes() == b"old"


class TestTrees:
    @pytest.fixture
    def tree(self, root: Path) -> Path:
        (root / "d").mkdir()
        for name, mode in (("a b", 0o640), ("d/ü%20?", 0o755), ("d/empty", 0o600)):
            (root / name).write_bytes(b"" if name == "d/empty" else name.encode())
            (root / name).chmod(mode)
        return root

    @pytest.mark.parametrize("method", ["copy_tree", "sync"])
    def test_each_copy_has_its_permissions(
        self, run: Run, op: Operator, there: Operator, tree: Path, other: Path, method: str
    ) -> None:
        report = run(getattr(op, method)(there, "/", "/"))
        assert (report.copied, report.skipped) == (3, 0)
        for name in ("a b", "d/ü%20?", "d/empty"):
            assert (other / name).read_bytes() == (tree / name).read_bytes()
            assert (other / name).stat().st_mode == (tree / name).stat().st_mode
        again = run(getattr(op, method)(there, "/", "/", **({"skip_same": True} if method == "copy_tree" else {})))
        assert (again.copied, again.skipped) == (0, 3)

    def test_what_cannot_be_copied_fails_alone(
        self, run: Run, op: Operator, there: Operator, tree: Path, other: Path
    ) -> None:
        os.mkfifo(tree / "d" / "fifo")
        (tree / "out").symlink_to("../secret")
        (tree / "inner").symlink_to("a b")
        with pytest.raises(TransfersFailed) as raised:
            run(op.copy_tree(there, "/", "/"))
        assert sorted((error.path, error.kind) for error in raised.value.failures) == [
            ("d/fifo", "Unsupported"),
            ("out", "PermissionDenied"),
        ]
        assert raised.value.report.copied == 4
        assert (other / "inner").read_bytes() == b"a b"
        assert not (other / "inner").is_symlink()

    def test_a_file_without_a_size_is_counted_too(
        self, run: Run, op_at: Callable[[object], Operator], there: Operator, other: Path
    ) -> None:
        source = Path("/proc/sys/fs/epoll")
        if not (source / "max_user_watches").is_file():
            pytest.skip("this kernel has no such file")
        report = run(op_at(source).copy_tree(there, "/", "/"))
        assert report.copied_bytes == (other / "max_user_watches").stat().st_size > 0

    def test_progress_counts_the_bytes(self, run: Run, op: Operator, there: Operator, tree: Path) -> None:
        seen = list[Progress]()
        report = run(op.copy_tree(there, "/", "/", progress=seen.append))
        assert seen[-1].total_done == report.copied_bytes == len("a b") + len("d/ü%20?".encode())
        assert seen[-1].files_done == 3
