"""The metadata of files, directories and special files."""

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from entrepot import ConditionNotMatch, EntryMode, InvalidInput, NotADirectory, NotFound, Operator, Unsupported
from entrepot.raw import OpStat
from entrepot.services.fs import accessor

from .conftest import Run

pytestmark = pytest.mark.usefixtures("confinement")

WRITTEN = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def file(root: Path) -> Path:
    path = root / "d" / "file"
    path.parent.mkdir()
    path.write_bytes(b"12345")
    nanoseconds = int(WRITTEN.timestamp()) * 10**9 + 123_456_789
    os.utime(path, ns=(nanoseconds, nanoseconds))
    return path


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("path", ["d/file", "//d/file", "./d//./file"])
def test_file_has_length_and_time(run: Run, op: Operator, path: str) -> None:
    metadata = run(op.stat(path))
    assert metadata.mode is EntryMode.FILE
    assert metadata.content_length == 5
    assert metadata.last_modified == WRITTEN
    assert metadata.etag is not None


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("path", ["d", "d/", "d/.", "/", "", "."])
def test_directory_is_found_with_and_without_its_slash(run: Run, op: Operator, path: str) -> None:
    metadata = run(op.stat(path))
    assert (metadata.mode, metadata.content_length) == (EntryMode.DIR, None)


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("path", ["missing", "d/missing", "missing/", "d/file/", "d/file/.", "missing/file"])
def test_missing_is_not_found(run: Run, op: Operator, path: str) -> None:
    with pytest.raises(NotFound) as raised:
        run(op.stat(path))
    assert (raised.value.scheme, raised.value.operation, raised.value.path) == ("fs", "stat", path)
    assert raised.value.filename == path
    assert not run(op.exists(path))


@pytest.mark.usefixtures("file")
def test_path_under_a_file_is_refused_and_does_not_exist(run: Run, op: Operator) -> None:
    with pytest.raises(NotADirectory) as raised:
        run(op.stat("d/file/below"))
    assert (raised.value.operation, raised.value.path) == ("stat", "d/file/below")
    assert not run(op.exists("d/file/below"))


def test_fifo_and_socket_are_unknown(run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "fifo")
    monkeypatch.chdir(root)  # the path of a socket is at most 107 bytes long
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name in ("fifo", "socket"):
            assert run(op.stat(name)).mode is EntryMode.UNKNOWN


def test_device_is_unknown(run: Run, op_at: Callable[[str], Operator]) -> None:
    assert run(op_at("/dev").stat("null")).mode is EntryMode.UNKNOWN


def test_files_without_storage_tell_no_length(run: Run, op_at: Callable[[str], Operator]) -> None:
    metadata = run(op_at("/proc").stat("self/status"))
    assert (metadata.mode, metadata.content_length, metadata.etag) == (EntryMode.FILE, None, None)


def test_empty_and_sparse_files_tell_their_length(run: Run, op: Operator, root: Path) -> None:
    (root / "empty").touch()
    with (root / "sparse").open("wb") as sparse:
        sparse.truncate(os.sysconf("SC_PAGE_SIZE"))
    assert run(op.stat("empty")).content_length == 0
    assert run(op.stat("sparse")).content_length == os.sysconf("SC_PAGE_SIZE")


def test_missing_root_is_not_found(run: Run, op_at: Callable[[object], Operator], tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        run(op_at(tmp_path / "missing").stat("file"))
    run(op_at(tmp_path / "missing").check())


def test_root_that_is_a_file_is_no_directory(run: Run, op_at: Callable[[object], Operator], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectory):
        run(op_at(tmp_path / "file").check())


def test_root_may_be_a_link(run: Run, op_at: Callable[[object], Operator], tmp_path: Path, file: Path) -> None:
    (tmp_path / "link").symlink_to(file.parent.parent)
    assert run(op_at(tmp_path / "link").stat("d/file")).content_length == 5


@pytest.mark.usefixtures("file")
def test_conditions_on_the_time_hold_or_do_not(run: Run, op: Operator) -> None:
    for holds in ({"if_modified_since": WRITTEN - SECOND}, {"if_unmodified_since": WRITTEN}):
        assert run(op.stat("d/file", **holds)).content_length == 5  # type: ignore[arg-type]
    for fails in ({"if_modified_since": WRITTEN}, {"if_unmodified_since": WRITTEN - SECOND}):
        with pytest.raises(ConditionNotMatch) as raised:
            run(op.stat("d/file", **fails))  # type: ignore[arg-type]
        assert (raised.value.operation, raised.value.path) == ("stat", "d/file")


def test_conditions_on_the_etag_hold_until_the_file_changes(run: Run, op: Operator, file: Path) -> None:
    etag = run(op.stat("d/file")).etag
    assert etag is not None
    assert run(op.stat("d/file", if_match=etag)).etag == etag
    with pytest.raises(ConditionNotMatch):
        run(op.stat("d/file", if_none_match=etag))
    changed = run(op.write("d/file", b"54321")).etag
    os.utime(file, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    with pytest.raises(ConditionNotMatch) as raised:
        run(op.stat("d/file", if_match=etag))
    assert (raised.value.operation, raised.value.path) == ("stat", "d/file")
    assert run(op.stat("d/file", if_none_match=etag)).etag not in (etag, None)
    assert changed != etag


def test_directory_has_no_etag(run: Run, op: Operator) -> None:
    assert run(op.stat("/")).etag is None
    with pytest.raises(ConditionNotMatch):
        run(op.stat("/", if_match='"x"'))


def test_version_is_refused_before_any_io(run: Run, op: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[object] = []
    monkeypatch.setattr(accessor, "_stat", lambda *args: touched.append(args))
    with pytest.raises(Unsupported) as raised:
        run(op.stat("file", version="x"))
    assert (raised.value.operation, raised.value.path, touched) == ("stat", "file", [])


@pytest.mark.parametrize("path", ["..", "../secret", "d/../../secret", "d/..", "a/../file"])
def test_dots_are_refused_before_any_io(run: Run, op: Operator, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[object] = []
    monkeypatch.setattr(accessor, "open_root", touched.append)
    for call in (op.stat, op.read, lambda path: op.write(path, b"")):
        with pytest.raises(InvalidInput, match=r"'\.\.'") as raised:
            run(call(path))
        assert (raised.value.scheme, raised.value.path, touched) == ("fs", path, [])


def test_nul_is_refused_by_the_service_itself(run: Run, op: Operator, root: Path) -> None:
    """The operator refuses it as well; to the C library it would be the end of the path."""
    (root / "file").touch()
    service = accessor.FsAccessor(op._context, str(root))
    with pytest.raises(InvalidInput, match="NUL"):
        run(service.stat("file\0.txt", OpStat()))
    with pytest.raises(InvalidInput, match="NUL"):
        run(op.stat("file\0.txt"))


def test_name_too_long_is_invalid_and_its_error_shows_no_root(run: Run, op: Operator, root: Path) -> None:
    with pytest.raises(InvalidInput) as raised:
        run(op.stat("n" * 256))
    assert str(root) not in str(raised.value)


def test_stat_of_a_name_in_the_root_opens_nothing(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "file").write_bytes(b"data")
    (root / "empty").touch()
    opened, original = list[object](), os.open

    def noted(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(path)
        return original(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", noted)
    assert run(op.stat("file")).content_length == 4
    assert run(op.stat("empty")).content_length == 0
    assert opened == []


def test_root_so_long_that_only_a_descriptor_leads_beyond_it(
    run: Run, op_at: Callable[[object], Operator], root: Path
) -> None:
    deep = root
    while len(str(deep)) < 3850:
        deep /= "d" * 200
    deep.mkdir(parents=True)
    run(op_at(deep).write("n" * 255, b"data"))
    assert len(f"{deep}/") < 4096 < len(f"{deep}/{'n' * 255}")
    assert run(op_at(deep).stat("n" * 255)).content_length == 4
