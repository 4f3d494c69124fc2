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

root = Path(sys.argv[1])
op = Operator(Fs(str(root)), context=Context(runtime=inline.InlineRuntime()))
old = b"old" * 1000
inline.run(op.write("file", old))
inline.run(op.write("log", old))
inline.run(op.write("source", bytes(600_000)))

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
]
kept = (root / "file").read_bytes() == old and (root / "log").read_bytes() == old
names = sorted(os.listdir(root))
inline.run(op.delete("source"))
after = outcome(op.write("file", bytes(600_000)))
print(json.dumps([outcomes, kept, names, after, (root / "file").stat().st_size]))
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


def test_full_disk_is_storage_full_and_what_was_there_stays(small_disk: list[str], tmp_path: Path) -> None:
    shown = subprocess.run(
        [*small_disk, sys.executable, "-c", _ON_A_SMALL_DISK, str(tmp_path)],
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert shown.stderr == ""
    outcomes, kept, names, after, size = json.loads(shown.stdout)
    assert outcomes == [
        ["StorageFull", "write", "file", False],
        ["StorageFull", "write", "file", False],
        ["StorageFull", "write", "new", False],
        ["StorageFull", "write", "log", False],
        ["StorageFull", "copy", "source", False],
    ]
    assert kept
    assert names == ["file", "log", "source"]
    assert (after, size) == (None, 600_000)
