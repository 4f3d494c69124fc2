"""Copying and renaming: in one step, within the root, and of one file under two names."""

import asyncio
import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entrepot import (
    ConditionNotMatch,
    Error,
    InvalidInput,
    IsADirectory,
    IsSameFile,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    StorageFull,
    Unsupported,
)
from entrepot.raw import Context
from entrepot.raw.runtime import inline
from entrepot.services import Fs
from entrepot.services.fs import transfer
from entrepot.services.fs.kernel import content, renameat2

from .conftest import Run, descriptors, names_in

CONTENT = bytes(range(256)) * 5000


@pytest.fixture
def file(root: Path) -> Path:
    path = root / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["copy", "rename"])
def transfer_of(request: pytest.FixtureRequest, op: Operator) -> Callable[..., Any]:
    call: Callable[..., Any] = getattr(op, request.param)
    return call


@pytest.mark.usefixtures("file", "confinement")
class TestBoth:
    @pytest.mark.parametrize("target", ["other", "new/dir/other", "d/there"])
    def test_target_has_the_content(
        self, run: Run, op: Operator, root: Path, transfer_of: Callable[..., Any], target: str
    ) -> None:
        (root / "d").mkdir()
        (root / "d" / "there").write_bytes(b"old")
        run(transfer_of("file", target))
        assert (root / target).read_bytes() == CONTENT
        assert (root / "file").exists() == (transfer_of.__name__ == "copy")
        assert not [name for name in names_in((root / target).parent) if name.endswith(".tmp")]

    def test_missing_source_is_not_found_and_makes_nothing(
        self, run: Run, root: Path, transfer_of: Callable[..., Any]
    ) -> None:
        (root / "dangling").symlink_to("missing")
        for path in ("missing", "missing/file", "dangling"):
            with pytest.raises(NotFound) as raised:
                run(transfer_of(path, "new/other"))
            assert (raised.value.operation, raised.value.path) == (transfer_of.__name__, path)
        assert names_in(root) == ["dangling", "file"]

    def test_directories_are_neither_source_nor_target(
        self, run: Run, root: Path, transfer_of: Callable[..., Any]
    ) -> None:
        (root / "d").mkdir()
        for source, target in (("d", "other"), ("file", "d"), ("file", "d/"), ("d/", "e/")):
            with pytest.raises(IsADirectory) as raised:
                run(transfer_of(source, target))
            assert raised.value.operation == transfer_of.__name__
        with pytest.raises(NotADirectory):
            run(transfer_of("file", "file/below"))
        assert names_in(root) == ["d", "file"]

    def test_special_files_are_refused(self, run: Run, root: Path, transfer_of: Callable[..., Any]) -> None:
        os.mkfifo(root / "fifo")
        for source, target in (("fifo", "other"), ("file", "fifo")):
            with pytest.raises(Unsupported, match="FIFO"):
                run(transfer_of(source, target))
        assert names_in(root) == ["fifo", "file"]

    @pytest.mark.parametrize("way", ["kernel", "link"])
    def test_if_not_exists(
        self, run: Run, root: Path, transfer_of: Callable[..., Any], way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if way == "link":
            monkeypatch.setattr(renameat2, "_call", None)
        (root / "there").write_bytes(b"old")
        with pytest.raises(ConditionNotMatch) as raised:
            run(transfer_of("file", "there", if_not_exists=True))
        assert raised.value.operation == transfer_of.__name__
        assert (root / "there").read_bytes() == b"old"
        assert (root / "file").read_bytes() == CONTENT
        run(transfer_of("file", "d/other", if_not_exists=True))
        assert (root / "d" / "other").read_bytes() == CONTENT
        assert (root / "d" / "other").stat().st_nlink == 1

    @pytest.mark.parametrize("way", ["kernel", "link"])
    def test_what_comes_at_the_last_moment_stays(
        self, run: Run, root: Path, transfer_of: Callable[..., Any], way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def comes(directory: int, name: str, *, is_new: bool) -> None:
            (root / "other").write_bytes(b"came")

        if way == "link":
            monkeypatch.setattr(renameat2, "_call", None)
        monkeypatch.setattr(transfer, "check_target", comes)
        with pytest.raises(ConditionNotMatch):
            run(transfer_of("file", "other", if_not_exists=True))
        assert (root / "other").read_bytes() == b"came"
        assert (root / "file").read_bytes() == CONTENT
        assert names_in(root) == ["file", "other"]

    @pytest.mark.parametrize("target", ["file", "./file", "link/file"])
    def test_one_name_is_the_same_file(
        self, run: Run, root: Path, transfer_of: Callable[..., Any], target: str
    ) -> None:
        (root / "link").symlink_to(".")
        with pytest.raises(IsSameFile):
            run(transfer_of("file", target))
        assert (root / "file").read_bytes() == CONTENT

    def test_nothing_leaves_the_root(
        self, run: Run, root: Path, tmp_path: Path, transfer_of: Callable[..., Any]
    ) -> None:
        (root / "out").symlink_to("../outside")
        (root / "secret").symlink_to("../secret")
        for source, target in (("out/secret", "other"), ("file", "out/new"), ("secret", "other")):
            with pytest.raises(PermissionDenied):
                run(transfer_of(source, target))
        for source, target in (("../secret", "other"), ("file", "../new")):
            with pytest.raises(InvalidInput, match=r"'\.\.'"):
                run(transfer_of(source, target))
        assert names_in(tmp_path / "outside") == ["secret"]
        assert names_in(root) == ["file", "out", "secret"]

    def test_descriptors_are_given_back(self, run: Run, op: Operator, transfer_of: Callable[..., Any]) -> None:
        async def scenario() -> None:
            await op.stat("file")
            before = descriptors()
            for source, target in (("missing", "other"), ("file", "file/below"), ("file", "a/other")):
                try:
                    await transfer_of(source, target)
                except Error:
                    assert target != "a/other"
            assert descriptors() == before

        run(scenario())


@pytest.mark.usefixtures("file")
class TestCopy:
    @pytest.fixture(params=["shared", "by the kernel", "by the kernel in part", "through memory"])
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        """Every way that content goes. The file system of the test may not share: then the kernel copies."""
        steps = iter([70_000])

        def in_part(source: int, target: int, count: int, *offsets: int) -> int:
            if (step := next(steps, None)) is None:
                raise OSError(errno.EXDEV, "no further")
            return original(source, target, step, *offsets)

        original = os.copy_file_range
        if request.param != "shared":
            monkeypatch.setattr(content, "_shared", lambda source, target: False)
        if request.param.endswith("part"):
            monkeypatch.setattr(os, "copy_file_range", in_part)
        if request.param == "through memory":
            monkeypatch.delattr(os, "copy_file_range")
        return str(request.param)

    @pytest.mark.parametrize("size", [0, 1, len(CONTENT), 3_000_001])
    def test_copy_is_equal_and_another_file(self, run: Run, op: Operator, root: Path, way: str, size: int) -> None:
        (root / "file").write_bytes((CONTENT * 3)[:size])
        metadata = run(op.copy("file", "copy"))
        assert (root / "copy").read_bytes() == (CONTENT * 3)[:size]
        assert metadata == run(op.stat("copy"))
        (root / "copy").write_bytes(b"changed")
        assert (root / "file").stat().st_size == size

    def test_file_without_a_size_is_copied_whole(self, run: Run, op: Operator, way: str, tmp_path: Path) -> None:
        target = os.memfd_create("copy")
        with Path("/proc/version").open("rb") as source:
            counts = list(content.copy_content(source.fileno(), target))
            assert sum(counts) == os.fstat(target).st_size
            assert os.pread(target, 10_000, 0) == source.read()
        os.close(target)

    def test_permissions_are_kept(self, run: Run, op: Operator, root: Path, file: Path) -> None:
        (root / "there").touch(0o666)
        file.chmod(0o640)
        run(op.copy("file", "there"))
        assert stat.S_IMODE((root / "there").stat().st_mode) == 0o640

    def test_copy_onto_another_name_of_the_file_is_refused(
        self, run: Run, op: Operator, root: Path, file: Path
    ) -> None:
        os.link(file, root / "hard")
        (root / "soft").symlink_to("file")
        for source, target in (("file", "hard"), ("file", "soft"), ("soft", "file"), ("hard", "soft")):
            with pytest.raises(IsSameFile) as raised:
                run(op.copy(source, target))
            assert raised.value.operation == "copy"
        assert names_in(root) == ["file", "hard", "soft"]

    def test_link_is_copied_as_the_file_it_leads_to_and_replaced_itself(
        self, run: Run, op: Operator, root: Path
    ) -> None:
        (root / "soft").symlink_to("file")
        (root / "target").symlink_to("nowhere")
        run(op.copy("soft", "target"))
        assert not (root / "target").is_symlink()
        assert (root / "target").read_bytes() == CONTENT

    def test_full_disk_leaves_the_old_target(
        self, run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "full")

        (root / "there").write_bytes(b"old")
        monkeypatch.setattr(content, "_shared", lambda source, target: False)
        monkeypatch.setattr(os, "copy_file_range", full)
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(StorageFull) as raised:
            run(op.copy("file", "there"))
        assert (raised.value.operation, raised.value.is_temporary) == ("copy", False)
        assert (root / "there").read_bytes() == b"old"
        assert names_in(root) == ["file", "there"]

    async def test_cancelled_copy_ends_between_two_steps_and_leaves_nothing(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entered, may_go, steps = threading.Event(), threading.Event(), list[int]()
        original = os.copy_file_range

        def held(source: int, target: int, count: int, *offsets: int) -> int:
            entered.set()
            assert may_go.wait(30)
            steps.append(original(source, target, 1000, *offsets))
            return steps[-1]

        monkeypatch.setattr(content, "_shared", lambda source, target: False)
        monkeypatch.setattr(os, "copy_file_range", held)
        op = Operator(Fs(str(root)))
        await op.stat("file")
        before = descriptors()
        copying = asyncio.create_task(op.copy("file", "new/copy"))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        copying.cancel()
        await asyncio.sleep(0.01)
        assert not copying.done()
        may_go.set()
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert steps == [1000]
        assert names_in(root / "new") == []
        assert descriptors() == before


@pytest.mark.usefixtures("file")
class TestRename:
    def test_it_is_the_same_file_afterwards(self, run: Run, op: Operator, root: Path, file: Path) -> None:
        before = file.stat().st_ino
        run(op.rename("file", "d/other"))
        assert (root / "d" / "other").stat().st_ino == before
        assert not file.exists()

    def test_hard_link_takes_the_place_of_the_other(self, run: Run, op: Operator, root: Path, file: Path) -> None:
        """rename(2) would do nothing and say that it did."""
        os.link(file, root / "hard")
        run(op.rename("file", "hard"))
        assert names_in(root) == ["hard"]
        assert (root / "hard").read_bytes() == CONTENT

    def test_name_that_differs_in_case_only_keeps_its_file(
        self, run: Run, op: Operator, root: Path, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on a file system that ignores case: both names lead to one file that has a third name."""
        os.link(file, root / "third")
        original = os.stat

        def without_case(name: object, *args: object, **how: object) -> os.stat_result:
            there = name == "FILE" and "file" in names_in(root)
            return original("file" if there else name, *args, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "stat", without_case)
        run(op.rename("file", "FILE"))
        assert names_in(root) == ["FILE", "third"]

    def test_listing_does_not_remove_the_third_name(
        self, run: Run, op: Operator, root: Path, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.link(file, root / "hard")
        original, listed = os.rename, list[int]()

        def rename_and_list(*args: object, **how: object) -> None:
            original(*args, **how)  # type: ignore[arg-type]
            listed.append(len(inline.run(loopless.list("/"))))

        loopless = Operator(Fs(str(root)), context=Context(runtime=inline.InlineRuntime()))
        monkeypatch.setattr(os, "rename", rename_and_list)
        run(op.rename("file", "hard"))
        assert listed[0] == 3  # the root and two names
        assert names_in(root) == ["hard"]
        assert (root / "hard").read_bytes() == CONTENT

    def test_kill_between_leaves_the_file_to_be_seen(
        self, run: Run, op: Operator, root: Path, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a file system that ignores case the file has no other name at that time."""
        os.link(file, root.parent / "elsewhere")
        original, done = os.rename, list[int]()

        def killed(*args: object, **how: object) -> None:
            if done:
                raise SystemExit
            done.append(1)
            original(*args, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "rename", killed)
        origin = os.open(root, os.O_PATH)
        with pytest.raises(SystemExit):
            transfer._Rename(origin, "file", origin, "FILE")._replace_link()
        os.close(origin)
        (entry,) = [entry for entry in run(op.list("/")) if entry.metadata.is_file]
        assert run(op.read(entry.path)) == CONTENT

    @pytest.mark.parametrize("code", [errno.EXDEV, errno.EACCES])
    def test_hard_link_that_cannot_be_given_its_new_name_keeps_the_old_one(
        self, run: Run, op: Operator, root: Path, file: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        """A directory that may not be written to, or the same file system mounted a second time."""
        os.link(file, root / "hard")
        original = os.rename

        def rename_unless_to_target(source: str, target: str, **how: object) -> None:
            if target == "hard":
                raise OSError(code, "no")
            original(source, target, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "rename", rename_unless_to_target)
        with pytest.raises(Unsupported if code == errno.EXDEV else PermissionDenied) as raised:
            run(op.rename("file", "hard"))
        assert (raised.value.operation, raised.value.path) == ("rename", "file")
        assert names_in(root) == ["file", "hard"]

    def test_link_is_renamed_itself(self, run: Run, op: Operator, root: Path) -> None:
        (root / "soft").symlink_to("file")
        run(op.rename("soft", "other"))
        assert (root / "other").is_symlink()
        assert names_in(root) == ["file", "other"]

    def test_link_does_not_take_the_place_of_the_file_it_leads_to(self, run: Run, op: Operator, root: Path) -> None:
        (root / "soft").symlink_to("file")
        (root / "indirect").symlink_to("soft")
        for link in ("soft", "indirect"):
            with pytest.raises(IsSameFile) as raised:
                run(op.rename(link, "file"))
            assert (raised.value.operation, raised.value.path) == ("rename", link)
        assert (root / "file").read_bytes() == CONTENT
        run(op.rename("file", "soft"))  # the other way round the link is what goes
        assert names_in(root) == ["indirect", "soft"]
        assert (root / "soft").read_bytes() == CONTENT

    def test_other_file_system_is_unsupported_and_changes_nothing(
        self, run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def elsewhere(*_: object, **__: object) -> None:
            raise OSError(errno.EXDEV, "another device")

        monkeypatch.setattr(os, "rename", elsewhere)
        with pytest.raises(Unsupported, match="copy and delete") as raised:
            run(op.rename("file", "other"))
        assert (raised.value.operation, raised.value.path) == ("rename", "file")
        assert names_in(root) == ["file"]
