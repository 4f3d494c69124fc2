"""Whatever the path, the root or the file system: what goes wrong is an error of ours."""

import itertools
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot import Error, Operator, PermissionDenied, StorageFull
from entrepot.services import Fs

from .conftest import Run, names_in

NAMES = [
    *("a", "file", "d", "link", "loop", "out", "nowhere", "fifo", "n" * 255, "n" * 256, "é" * 128, "\U0001f600"),
    *("..", ".", "", " ", "~", "-", "\\", "a:b", "%2e", "\ud800", "a\nb", "a\0b", "\x7f"),
    ".entrepot-0123456789abcdef.tmp",
]
PAIRS = 12


def odd_paths() -> list[str]:
    """Names alone, some of them below each other, and paths that are long or deep."""
    choice = random.Random(11)
    joined = ["/".join(choice.sample(NAMES, choice.choice((2, 3)))) for _ in range(PAIRS)]
    return [*NAMES, *(f"{name}/" for name in NAMES), *joined, "x/" * 30, "x/" * 3000 + "f", "x" * 5000]


@pytest.fixture
def furnished(root: Path) -> Path:
    (root / "file").write_bytes(b"data")
    (root / "d").mkdir()
    (root / "d" / "file").write_bytes(b"data")
    (root / "link").symlink_to("d")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to("../outside")
    (root / "nowhere").symlink_to("nothing")
    os.mkfifo(root / "fifo")
    return root


async def each_operation(op: Operator, path: str) -> None:
    """Makes all calls with a path. An exception that is not an entrepot error is raised."""
    calls: list[Any] = [
        lambda: op.stat(path), lambda: op.read(path), lambda: op.read(path, chunk=2), lambda: op.exists(path),
        lambda: op.list(path), lambda: op.list(path, recursive=True),
        lambda: op.write(path, b"data"), lambda: op.write(path, b"data", if_not_exists=True),
        lambda: op.write(path, b"data", append=True), lambda: op.write(path, b"data", user_metadata={"a": "1"}),
        lambda: op.create_dir(path), lambda: op.copy("file", path), lambda: op.copy(path, "copied"),
        lambda: op.rename(path, "renamed"), lambda: op.rename("renamed", path),
        lambda: op.delete(path), lambda: op.delete(path, recursive=True),
    ]  # fmt: skip
    for call in calls:
        try:
            await call()
        except Error as error:
            assert error.operation, error
            str(error)


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("confinement")
def test_paths(run: Run, op: Operator, furnished: Path, tmp_path: Path) -> None:
    for path in odd_paths():
        run(each_operation(op, path))
        (furnished / "file").write_bytes(b"data")
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert names_in(tmp_path / "outside") == ["secret"]
    run(op.delete("/", recursive=True))  # pytest could not: it is too deep


@pytest.mark.parametrize(
    "below",
    ["/x" * 1500, "/x" * 3000, "/" + "x" * 300, "/file", "/file/below", "/loop", "/loop/x", "/nowhere", "/nowhere/x",
     "/fifo", "/é", "/ ", "/d/../d"],
)  # fmt: skip
def test_roots(run: Run, furnished: Path, below: str, context: Any) -> None:
    try:
        op = Operator(Fs(f"{furnished}{below}"), context=context)
    except Error:
        return
    for path in ("new", "d/new", "/"):
        run(each_operation(op, path))
    run(Operator(Fs(furnished), context=context).delete("/", recursive=True))  # pytest could not: it is too deep


def test_missing_root_1500_levels_deep_is_made(run: Run, root: Path, context: Any) -> None:
    op = Operator(Fs(f"{root}{'/x' * 1500}"), context=context)
    run(op.write("file", b"data"))
    assert run(op.read("file")) == b"data"
    run(Operator(Fs(root), context=context).delete("/", recursive=True))  # pytest could not
    assert names_in(root) == []


@pytest.fixture
def memory_disk(root: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("mounting takes root")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(root)], check=False)
    if made.returncode:
        pytest.skip("this system does not mount file systems")
    yield root
    subprocess.run(["umount", str(root)], check=True)


def test_read_only_file_system(run: Run, op: Operator, memory_disk: Path) -> None:
    (memory_disk / "file").write_bytes(b"data")
    (memory_disk / "d").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(memory_disk)], check=True)
    for path, is_recursive in itertools.product(("missing", "missing/", "missing/file", "file/below"), (False, True)):
        run(op.delete(path, recursive=is_recursive))
    run(op.delete_many(["missing", "d/missing"]))
    for path in ("file", "d/"):
        with pytest.raises(PermissionDenied, match="read-only") as raised:
            run(op.delete(path))
        assert (raised.value.operation, raised.value.path) == ("delete", path)
    for path in ("new", "file", "d/", "d/new"):
        run(each_operation(op, path))
    assert run(op.read("file")) == b"data"


def test_full_file_system(run: Run, op: Operator, memory_disk: Path) -> None:
    for path, options in {"file": {}, "log": {"append": True}, "new": {"if_not_exists": True}}.items():
        with pytest.raises(StorageFull) as raised:
            run(op.write(path, bytes(1_000_000), **options))
        assert (raised.value.operation, raised.value.path) == ("write", path)
    assert names_in(memory_disk) == ["log"]
    assert (memory_disk / "log").stat().st_size == 0
