"""Which way of confinement is taken, and what each needs of the system."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot import NotADirectory, NotFound, Operator, PermissionDenied, Unexpected
from entrepot.services.fs.kernel import beneath, openat2
from entrepot.services.fs.kernel import beneath_by_walking as walk

from .conftest import Run

INSIDE = b"inside"


@pytest.fixture(autouse=True)
def asked_anew(root: Path) -> Iterator[None]:
    """The answer of the kernel is kept for the process, so it is forgotten before and after."""
    (root / "d").mkdir()
    (root / "file").write_bytes(INSIDE)
    (root / "inside").symlink_to("d/../file")
    (root / "outside").symlink_to("../secret")
    (root / "dir").symlink_to("../outside")
    beneath.kernel_confines.cache_clear()
    yield
    beneath.kernel_confines.cache_clear()


def check_confined(run: Run, op: Operator) -> None:
    assert run(op.read("file")) == INSIDE
    assert run(op.read("inside")) == INSIDE
    with pytest.raises(PermissionDenied):
        run(op.read("outside"))
    with pytest.raises((PermissionDenied, NotADirectory)):
        run(op.write("dir/new", b"new"))


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Makes `openat2` fail with an error; counts the calls."""

    def refuse(code: int) -> list[int]:
        asked: list[int] = []

        def syscall(number: int, *_: object) -> int:
            asked.append(number)
            openat2.ctypes.set_errno(code)
            return -1

        monkeypatch.setattr(openat2, "_syscall", syscall)
        return asked

    return refuse


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM, errno.EINVAL])
def test_where_openat2_is_refused_it_is_tried_once_and_paths_are_walked(
    run: Run, op: Operator, refusing: Callable[[int], list[int]], code: int
) -> None:
    asked = refusing(code)
    check_confined(run, op)
    assert asked == [437]


def test_openat2_is_repeated_after_a_rename_but_not_without_limit(
    run: Run, op: Operator, refusing: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beneath, "kernel_confines", lambda: True)
    asked = refusing(errno.EAGAIN)
    with pytest.raises(Unexpected, match="EAGAIN") as raised:
        run(op.stat("d/file"))
    assert raised.value.is_temporary
    assert (raised.value.operation, raised.value.path) == ("stat", "d/file")
    assert asked == [437] * 128


def test_other_systems_are_not_asked(run: Run, op: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "darwin")
        elsewhere.setattr(openat2, "works", lambda: pytest.fail("it was asked"))
        assert not beneath.kernel_confines()
    check_confined(run, op)


def test_walking_needs_nothing_that_only_linux_has(run: Run, op: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """`O_PATH` is of Linux; elsewhere directories are opened for reading."""
    plain = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    monkeypatch.setattr(beneath, "kernel_confines", lambda: False)
    monkeypatch.setattr(walk, "_DIRECTORY", plain | os.O_NOFOLLOW)
    monkeypatch.setattr(beneath, "_DIRECTORY", plain)
    check_confined(run, op)
    run(op.write("new/dir/file", b"new"))
    assert run(op.read("new/dir/file")) == b"new"
    assert run(op.stat("new/dir")).is_dir


@pytest.mark.parametrize("call", ["read", "stat"])
def test_name_that_becomes_a_link_after_the_walk_is_refused(
    run: Run, op: Operator, root: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beneath, "kernel_confines", lambda: False)
    original = walk._Walk.to_last_name
    (root / "d" / "file").write_bytes(INSIDE)

    def swapped(self: walk._Walk) -> str:
        name = original(self)
        (root / "d" / "file").unlink()
        (root / "d" / "file").symlink_to("../../secret")
        return name

    monkeypatch.setattr(walk._Walk, "to_last_name", swapped)
    with pytest.raises(PermissionDenied, match="cannot be followed"):
        run(getattr(op, call)("d/file"))


@pytest.mark.parametrize("name", ["file", "d/file"])
def test_file_that_becomes_a_link_before_it_is_opened_is_refused(
    run: Run, op: Operator, root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beneath, "kernel_confines", lambda: False)
    (root / "d" / "file").write_bytes(b"inside")
    original = os.open

    def swapped(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        if path in {"file", f"{root}/file"}:
            (root / name).unlink()
            (root / name).symlink_to("../" * name.count("/") + "../secret")
        return original(path, flags, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(PermissionDenied, match=r"cannot be followed|leads out"):
        run(op.read(name))


def test_directory_that_becomes_a_link_before_it_is_walked_is_refused(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beneath, "kernel_confines", lambda: False)
    original = os.open

    def swapped(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        if path == "d":
            (root / "d").rmdir()
            (root / "d").symlink_to("../outside")
        return original(path, flags, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises((PermissionDenied, NotADirectory, NotFound)):
        run(op.read("d/secret"))
