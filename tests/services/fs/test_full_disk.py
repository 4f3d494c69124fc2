"""A disk that is full, a real one: a small file system in memory, in a mount namespace of a separate process."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ON_A_SMALL_DISK = """
import json, os, subprocess, sys
from pathlib import Path
from entrepot import Error, Operator
from entrepot.raw import Context
from entrepot.raw.runtime import inline
from entrepot.services import Fs

root, context = Path(sys.argv[1]), Context(runtime=inline.InlineRuntime())
op, elsewhere = Operator(Fs(root), context=context), Operator(Fs(sys.argv[2]), context=context)
old = b"old" * 1000
inline.run(op.write("file", old))
inline.run(op.write("log", old))
inline.run(op.write("source", bytes(600_000)))
Path(sys.argv[2], "large").write_bytes(bytes(3_000_000))

def outcome(call):
    try:
        inline.run(call)
    except Error as error:
        return [error.kind, error.operation, error.path, error.is_temporary]

def parts():
    return (bytes(100_000) for _ in range(30))

outcomes = [
    outcome(op.write("file", bytes(3_000_000))),
    outcome(op.write("file", parts(), chunk=100_000)),
    outcome(op.write("new", parts(), chunk=100_000, if_not_exists=True)),
    outcome(op.write("log", bytes(3_000_000), append=True)),
    outcome(op.copy("source", "file")),
    outcome(elsewhere.copy_to(op, "large", "file")),
    outcome(elsewhere.copy_to(op, "large", "new")),
]
kept = (root / "file").read_bytes() == old and (root / "log").read_bytes() == old
names = sorted(os.listdir(root))
inline.run(op.delete("source"))
after = outcome(op.write("file", bytes(600_000)))
size = (root / "file").stat().st_size
subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
read_only = outcome(elsewhere.copy_to(op, "large", "file"))
print(json.dumps([outcomes, kept, names, after, size, read_only]))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """The beginning of a command that runs with 1 MiB of space at `tmp_path`."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare(1) to make a mount namespace with")
    mount = f"mount -t tmpfs -o size=1m entrepot {tmp_path}"
    begin = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    tried = subprocess.run([*begin, "true"], capture_output=True, text=True, timeout=30)
    if tried.returncode:
        pytest.skip(f"a file system may not be mounted here: {tried.stderr.strip()}")
    return begin


def test_full_disk_is_storage_full_and_what_was_there_stays(
    small_disk: list[str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shown = subprocess.run(
        [*small_disk, sys.executable, "-c", _ON_A_SMALL_DISK, str(tmp_path), str(elsewhere)],
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert shown.stderr == ""
    outcomes, kept, names, after, size, read_only = json.loads(shown.stdout)
    assert outcomes == [
        ["StorageFull", "write", "file", False],
        ["StorageFull", "write", "file", False],
        ["StorageFull", "write", "new", False],
        ["StorageFull", "write", "log", False],
        ["StorageFull", "copy", "source", False],
        ["StorageFull", "copy_to", "large", False],
        ["StorageFull", "copy_to", "large", False],
    ]
    assert kept
    assert names == ["file", "log", "source"]
    assert (after, size) == (None, 600_000)
    assert read_only == ["PermissionDenied", "copy_to", "file", False]
