"""Writing files: all or nothing, and no temporary file stays."""

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot import (
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    StorageFull,
    Unsupported,
)
from entrepot.raw import OpWrite
from entrepot.services.fs import writer
from entrepot.services.fs.accessor import FsAccessor

from .conftest import Run, descriptors, names_in

pytestmark = pytest.mark.usefixtures("confinement")


@pytest.fixture
def service(op: Operator, root: Path) -> FsAccessor:
    return FsAccessor(op._context, str(root))


def everything_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.mark.parametrize("data", [b"", b"data", bytes(3_000_000), bytearray(b"data"), memoryview(b"-data-")[1:5]])
def test_file_has_what_was_written(run: Run, op: Operator, root: Path, data: bytes) -> None:
    metadata = run(op.write("file", data))
    assert metadata.content_length == len(data)
    assert metadata == run(op.stat("file"))
    assert run(op.read("file")) == bytes(data)
    assert everything_in(root) == ["file"]


def test_later_write_replaces_all_of_it(run: Run, op: Operator, root: Path) -> None:
    run(op.write("file", b"a longer content"))
    run(op.write("file", b"short"))
    assert run(op.read("file")) == b"short"
    assert everything_in(root) == ["file"]


def test_missing_directories_are_made(run: Run, op: Operator) -> None:
    run(op.write("a/b//./c/file", b"data"))
    run(op.write("a/b/other", b"data"))
    assert run(op.read("a/b/c/file")) == b"data"


def test_missing_root_is_made(run: Run, op_at: Callable[[object], Operator], tmp_path: Path) -> None:
    op = op_at(tmp_path / "not" / "there")
    run(op.write("d/file", b"data"))
    assert run(op.read("d/file")) == b"data"


@pytest.mark.parametrize("name", ["n" * 255, " a b ", "!@#$%^&()_+-=;',", "héé", ".hidden", "back\\slash"])
def test_names_are_taken_as_they_are(run: Run, op: Operator, root: Path, name: str) -> None:
    run(op.write(name, b"data"))
    assert names_in(root) == [name]


def test_parts_come_in_order_and_appear_on_close(run: Run, service: FsAccessor, root: Path) -> None:
    async def scenario() -> None:
        _, body = await service.write("d/file", OpWrite())
        await body.write(bytearray(b"one "))
        await body.write(memoryview(b"two"))
        assert everything_in(root) == []
        metadata = await body.close()
        assert metadata.content_length == 7
        assert await body.close() == metadata

    run(scenario())
    assert (root / "d" / "file").read_bytes() == b"one two"


def test_abort_leaves_what_was_there(run: Run, service: FsAccessor, root: Path) -> None:
    async def scenario() -> None:
        _, body = await service.write("file", OpWrite())
        await body.write(b"new")
        await body.abort()
        await body.abort()
        with pytest.raises(InvalidInput, match="aborted"):
            await body.close()

    (root / "file").write_bytes(b"old")
    run(scenario())
    assert (root / "file").read_bytes() == b"old"
    assert everything_in(root) == ["file"]


@pytest.mark.parametrize("path", ["d", "d/", "d/.", ".", "/", "d/deep"])
def test_directory_is_not_replaced(run: Run, op: Operator, root: Path, path: str) -> None:
    (root / "d" / "deep").mkdir(parents=True)
    with pytest.raises(IsADirectory) as raised:
        run(op.write(path, b"data"))
    assert (raised.value.scheme, raised.value.operation, raised.value.path) == ("fs", "write", path)
    assert everything_in(root) == ["d", "d/deep"]


def test_directory_that_comes_meanwhile_is_not_replaced(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def comes(directory: int, name: str, *, is_new: bool) -> None:
        os.mkdir(name, dir_fd=directory)

    monkeypatch.setattr(writer, "check_target", comes)
    with pytest.raises(IsADirectory):
        run(op.write("file", b"data"))
    assert everything_in(root) == ["file"]


@pytest.mark.parametrize("path", ["file/below", "file/below/it"])
def test_path_under_a_file_is_refused(run: Run, op: Operator, root: Path, path: str) -> None:
    (root / "file").write_bytes(b"old")
    with pytest.raises(NotADirectory) as raised:
        run(op.write(path, b"data"))
    assert (raised.value.operation, raised.value.path) == ("write", path)
    assert everything_in(root) == ["file"]


def test_link_to_nothing_is_no_directory_to_write_in(run: Run, op: Operator, root: Path) -> None:
    (root / "link").symlink_to("missing")
    with pytest.raises(NotFound):
        run(op.write("link/file", b"data"))
    assert everything_in(root) == ["link"]


def test_fifo_is_not_replaced(run: Run, op: Operator, root: Path) -> None:
    os.mkfifo(root / "fifo")
    with pytest.raises(Unsupported, match="FIFO") as raised:
        run(op.write("fifo", b"data"))
    assert (raised.value.operation, raised.value.path) == ("write", "fifo")
    assert stat.S_ISFIFO(os.lstat(root / "fifo").st_mode)
    assert everything_in(root) == ["fifo"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o666])
def test_permissions_of_the_file_that_was_there_are_kept(run: Run, op: Operator, root: Path, mode: int) -> None:
    (root / "file").touch()
    (root / "file").chmod(mode)
    run(op.write("file", b"data"))
    assert stat.S_IMODE((root / "file").stat().st_mode) == mode


def test_new_file_has_the_permissions_that_the_umask_leaves(run: Run, op: Operator, root: Path) -> None:
    before = os.umask(0o027)
    try:
        run(op.write("d/file", b"data"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "d" / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o750


@pytest.mark.parametrize(
    ("call", "code", "kind"),
    [
        ("pwrite", errno.ENOSPC, StorageFull),
        ("pwrite", errno.EDQUOT, StorageFull),
        ("rename", errno.EACCES, PermissionDenied),
        ("dup", errno.EIO, Error),  # a network file system reports on closing that it could not store the content
    ],
)
def test_error_on_the_way_leaves_nothing_behind(
    run: Run, op: Operator, root: Path, call: str, code: int, kind: type[Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), str(root / "file"))

    (root / "file").write_bytes(b"old")
    run(op.stat("file"))
    before = descriptors()
    with monkeypatch.context() as broken:
        broken.setattr(writer.os, call, fail)
        with pytest.raises(kind) as raised:
            run(op.write("file", b"new"))
    assert (raised.value.operation, raised.value.path, raised.value.is_temporary) == ("write", "file", False)
    assert str(root) not in str(raised.value)
    assert (root / "file").read_bytes() == b"old"
    assert everything_in(root) == ["file"]
    assert descriptors() == before


def test_failed_close_can_be_made_again(
    run: Run, service: FsAccessor, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "again")

    async def scenario() -> None:
        _, body = await service.write("file", OpWrite())
        await body.write(b"data")
        with monkeypatch.context() as broken:
            broken.setattr(writer.os, "rename", fail)
            with pytest.raises(Error) as raised:
                await body.close()
        assert raised.value.is_temporary
        assert (await body.close()).content_length == 4

    run(scenario())
    assert (root / "file").read_bytes() == b"data"
    assert everything_in(root) == ["file"]


def test_write_that_took_effect_before_it_failed_is_not_made_again(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second attempt with `if_not_exists` would refuse the file that the first one made."""

    def fail(*_: object) -> None:
        raise OSError(errno.EAGAIN, "again")

    async def scenario() -> None:
        service = FsAccessor(op._context, str(root), fsync=True)
        with monkeypatch.context() as broken:
            broken.setattr(writer, "sync_directory", fail)
            stored = await service.write_whole("file", b"data", OpWrite(if_not_exists=True))
        assert isinstance(stored, tuple)
        body = stored[1]
        await body.write(b"data")
        with pytest.raises(Error) as raised:
            await body.close()
        assert raised.value.is_temporary
        assert (await body.close()).content_length == 4

    run(scenario())
    assert (root / "file").read_bytes() == b"data"
    assert everything_in(root) == ["file"]


def test_write_in_small_steps_of_the_system_is_whole(run: Run, op: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda opened, data, offset: original(opened, bytes(data[:1000]), offset))
    run(op.write("file", bytes(range(256)) * 40))
    assert run(op.read("file")) == bytes(range(256)) * 40


def test_reader_sees_the_old_file_or_the_new_one(run: Run, op: Operator, root: Path) -> None:
    contents = [bytes([number]) * 50_000 for number in range(2)]
    run(op.write("file", contents[0]))
    done = threading.Event()
    seen: set[bytes] = set()

    def watch() -> None:
        while not done.is_set():
            seen.add((root / "file").read_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    for number in range(300):
        run(op.write("file", contents[number % 2]))
    done.set()
    watching.join()
    assert seen <= set(contents)
    assert everything_in(root) == ["file"]


def test_writers_of_one_file_do_not_mix(op: Operator, root: Path, run: Run) -> None:
    contents = [bytes([number]) * 100_000 for number in range(6)]
    arguments = op._context.runtime, str(root), "new/dir/file", OpWrite()
    replacements = [writer.Replacement(*arguments, fsync=False) for _ in contents]
    publishing = [
        threading.Thread(target=replacement.take_effect, args=(0, [content]))
        for replacement, content in zip(replacements, contents, strict=True)
    ]
    for thread in publishing:
        thread.start()
    for thread in publishing:
        thread.join()
    assert run(op.read("new/dir/file")) in contents
    assert everything_in(root) == ["new", "new/dir", "new/dir/file"]


_AS_NOBODY = """
import json, os, sys
from entrepot import Error, Operator
from entrepot.raw import Context
from entrepot.raw.runtime import inline
from entrepot.services import Fs

root, walks = sys.argv[1], sys.argv[2] == "walk"
if walks:
    from entrepot.services.fs.kernel import beneath
    beneath.kernel_confines = lambda: False
op = Operator(Fs(root), context=Context(runtime=inline.InlineRuntime()))
inline.run(op.read("search/file"))  # imports what is imported on use: afterwards that may not be permitted
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)

def outcome(call):
    try:
        return str(inline.run(call))
    except Error as error:
        return f"{error.kind} {error.operation} {error.path}"

print(json.dumps([
    outcome(op.read("private")), outcome(op.read("closed/file")), outcome(op.stat("closed/file")),
    outcome(op.write("file", b"data")), outcome(op.write("new/file", b"data")), outcome(op.stat("private")),
    outcome(op.read("search/file")),
]))
"""


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A root that any user can reach, which the folders of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_permissions_are_those_of_the_user(open_to_all: Path, confinement: str) -> None:
    """In a separate process without the rights of root, which would override every mode."""
    root = open_to_all
    for path in ("private", "closed/file", "search/file"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(b"data")
    for path, mode in (("private", 0), ("closed", 0), ("search", 0o111), ("", 0o555)):
        (root / path).chmod(mode)
    shown = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(root), confinement],
        capture_output=True, text=True, timeout=30, check=False, cwd="/",
    )  # fmt: skip
    for path in ("", "closed", "search"):
        (root / path).chmod(0o755)
    assert shown.stderr == ""
    outcomes = json.loads(shown.stdout)
    assert outcomes[:5] == [
        "PermissionDenied read private",
        "PermissionDenied read closed/file",
        "PermissionDenied stat closed/file",
        "PermissionDenied write file",
        "PermissionDenied write new/file",
    ]
    assert "content_length=4" in outcomes[5]
    assert outcomes[6] == "b'data'"
