"""Making directories."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot import InvalidInput, NotADirectory, Operator, PermissionDenied

from .conftest import Run, names_in

pytestmark = pytest.mark.usefixtures("confinement")


@pytest.mark.parametrize("path", ["d/", "a/b/c/", "a//b/./c/"])
def test_directory_and_those_above_it_are_made_once(run: Run, op: Operator, root: Path, path: str) -> None:
    run(op.create_dir(path))
    (root / path / "file").touch()
    run(op.create_dir(path))
    assert run(op.stat(path)).is_dir
    assert (root / path / "file").exists()


def test_missing_root_is_made(run: Run, op_at: Callable[[object], Operator], tmp_path: Path) -> None:
    run(op_at(tmp_path / "not" / "there").create_dir("d/"))
    assert (tmp_path / "not" / "there" / "d").is_dir()


@pytest.mark.parametrize("path", ["file/", "file/below/"])
def test_file_is_no_directory_and_stays(run: Run, op: Operator, root: Path, path: str) -> None:
    (root / "file").write_bytes(b"data")
    with pytest.raises(NotADirectory) as raised:
        run(op.create_dir(path))
    assert (raised.value.operation, raised.value.path) == ("create_dir", path)
    assert (root / "file").read_bytes() == b"data"


def test_name_without_a_slash_is_refused(run: Run, op: Operator, root: Path) -> None:
    with pytest.raises(NotADirectory):
        run(op.create_dir("d"))
    assert names_in(root) == []


def test_dots_are_refused(run: Run, op: Operator, tmp_path: Path) -> None:
    before = names_in(tmp_path)
    with pytest.raises(InvalidInput, match=r"'\.\.'"):
        run(op.create_dir("../d/"))
    assert names_in(tmp_path) == before


def test_link_inside_is_followed_and_one_that_leaves_is_refused(
    run: Run, op: Operator, root: Path, tmp_path: Path
) -> None:
    (root / "d").mkdir()
    (root / "in").symlink_to("d")
    (root / "out").symlink_to("../outside")
    run(op.create_dir("in/new/"))
    assert (root / "d" / "new").is_dir()
    with pytest.raises(PermissionDenied) as raised:
        run(op.create_dir("out/new/"))
    assert raised.value.path == "out/new/"
    assert names_in(tmp_path / "outside") == ["secret"]


def test_permissions_are_what_the_umask_leaves(run: Run, op: Operator, root: Path) -> None:
    before = os.umask(0o027)
    try:
        run(op.create_dir("d/"))
    finally:
        os.umask(before)
    assert (root / "d").stat().st_mode & 0o777 == 0o750
