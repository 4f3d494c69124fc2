"""Out of descriptors, without rights, or with names that the process cannot spell: each error is one of ours."""

import os
import subprocess
import sys
from pathlib import Path

OPERATIONS = """
import asyncio, os, resource, sys
from entrepot import Error, Operator
from entrepot.services import Fs

root = sys.argv[1]
op = Operator(Fs(root))

async def fetched():
    async with op.reader("file") as reader:
        return await reader.fetch([(0, 1), (3, 4)])

async def listed():
    return [entry async for entry in op.lister("/", recursive=True)]

async def aborted():
    async with op.writer("aborted", chunk=1) as writer:
        await writer.write(b"data")
        await writer.write(b"data")
        raise asyncio.CancelledError

CALLS = {
    "write": lambda: op.write("new", b"data"),
    "write new": lambda: op.write("new", b"data", if_not_exists=True),
    "append": lambda: op.write("log", b"data", append=True),
    "metadata": lambda: op.write("new", b"data", user_metadata={"a": "1"}),
    "read": lambda: op.read("file"),
    "chunks": lambda: op.read("file", chunk=2, concurrent=2),
    "fetch": fetched,
    "stat": lambda: op.stat("file"),
    "list": listed,
    "copy": lambda: op.copy("file", "copy"),
    "rename": lambda: op.rename("file", "other"),
    "create_dir": lambda: op.create_dir("d/e/"),
    "delete": lambda: op.delete("file"),
    "delete all": lambda: op.delete("/", recursive=True),
    "abort": aborted,
}

async def main():
    await asyncio.get_running_loop().run_in_executor(None, prepare)
    loaded = set(sys.modules)
    for name, call in CALLS.items():
        try:
            await call()
        except Error:
            outcome = "ours"
        except BaseException as error:
            outcome = repr(error)
        else:
            outcome = "done"
        print(name, outcome, sorted(set(sys.modules) - loaded), sep=": ")
"""

WITHOUT_DESCRIPTORS = """
def prepare():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
    try:
        while True:
            os.open("/dev/null", os.O_RDONLY)
    except OSError:
        return

asyncio.run(main())
"""

AS_ANOTHER_USER = """
def prepare():
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    sys.path[:] = []  # as if its modules could not be read any more

asyncio.run(main())
"""


def run_child(code: str, root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, str(root)],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert (done.returncode, done.stderr) == (0, "")
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def test_out_of_descriptors_each_error_is_ours_and_nothing_is_imported(root: Path) -> None:
    (root / "file").write_bytes(b"data")
    found = outcomes(run_child(OPERATIONS + WITHOUT_DESCRIPTORS, root))
    aborted = found.pop("abort")
    assert aborted in ("ours: []", "CancelledError(): []")
    assert set(found.values()) <= {"ours: []", "done: []"}
    assert found["write"] == found["read"] == found["chunks"] == found["fetch"] == found["list"] == "ours: []"
    assert (root / "file").read_bytes() == b"data"


def test_after_setuid_each_error_is_ours_and_nothing_is_imported(root: Path) -> None:
    (root / "file").write_bytes(b"data")
    root.chmod(0o500)
    try:
        found = outcomes(run_child(OPERATIONS + AS_ANOTHER_USER, root))
    finally:
        root.chmod(0o700)
    assert found.pop("abort") in ("ours: []", "CancelledError(): []")
    assert set(found.values()) <= {"ours: []", "done: []"}


SPELLED = """
import sys
from entrepot import Error, InvalidInput, Operator
from entrepot.services import Fs

root, name = sys.argv[1], "caf" + chr(233)
op = Operator(Fs(root)).blocking()
for path in (name, f"d/{name}/file"):
    for call in (
        lambda: op.read(path), lambda: op.stat(path), lambda: op.delete(path), lambda: op.write(path, b"data"),
        lambda: op.write(path, b"data", append=True), lambda: list(op.list(f"{path}/")),
        lambda: op.create_dir(f"{path}/"), lambda: op.delete(f"{path}/", recursive=True),
        lambda: op.copy("file", path), lambda: op.copy(path, "file"), lambda: op.rename("file", path),
        lambda: Operator(Fs(f"{root}/{path}")).blocking().write("file", b"data"),
        lambda: Operator(Fs(f"{root}/{path}")).blocking().read("file"),
    ):
        try:
            call()
        except InvalidInput as error:
            assert "PYTHONUTF8" in str(error), error
            assert error.path and error.operation
        else:
            raise AssertionError("no error")
print(sys.getfilesystemencoding())
"""


def test_file_system_encoding_that_lacks_characters(root: Path) -> None:
    (root / "file").write_bytes(b"data")
    (root / "d").mkdir()
    done = run_child(SPELLED, root, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="POSIX")
    assert (done.stdout, done.stderr) == ("ascii\n", "")
    assert sorted(path.name for path in root.iterdir()) == ["d", "file"]
