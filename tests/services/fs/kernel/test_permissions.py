"""A replacement or copy is accessible only to users who have access to the old file: mode, ACL, owner, group."""

import os
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrepot import Operator, PermissionDenied, Unsupported
from entrepot.services import Fs
from entrepot.services.fs.kernel import permissions, publish
from tests.services.fs.conftest import Run, names_in

ACL = "system.posix_acl_access"
DEFAULT_ACL = "system.posix_acl_default"
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
NOBODY = 65534
SOMEBODY = 1234


def acl(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, number) for tag, bits, number in entries)


NONE = 0xFFFFFFFF
FOR_SOMEBODY = acl((USER_OBJ, 6, NONE), (USER, 6, SOMEBODY), (GROUP_OBJ, 0, NONE), (MASK, 6, NONE), (OTHER, 0, NONE))
"""`user::rw-, user:1234:rw-, group::---, mask::rw-, other::---`: the mode shows 0660."""


def set_or_skip(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError:
        pytest.skip("the file system of the temporary folder has no access lists")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A root that every user may reach. Each start of pytest closes the folder of all `tmp_path` to others."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o711)
        root = Path(made, "root")
        root.mkdir()
        yield root


def acl_of(path: Path) -> bytes | None:
    try:
        return os.getxattr(path, ACL)
    except OSError:
        return None


def test_a_file_with_an_access_list_keeps_it_when_it_is_replaced(run: Run, op: Operator, root: Path) -> None:
    (root / "file").write_bytes(b"old")
    set_or_skip(root / "file", ACL, FOR_SOMEBODY)
    before = acl_of(root / "file")
    run(op.write("file", b"new"))
    assert (acl_of(root / "file"), mode_of(root / "file")) == (before, 0o660)


def test_a_copy_has_the_access_list_of_its_source(run: Run, op: Operator, root: Path) -> None:
    (root / "file").write_bytes(b"old")
    set_or_skip(root / "file", ACL, FOR_SOMEBODY)
    run(op.copy("file", "copy"))
    assert (acl_of(root / "copy"), mode_of(root / "copy")) == (acl_of(root / "file"), 0o660)


def test_where_no_access_list_can_be_given_the_entry_of_the_group_counts(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group bits of the mode are the mask: as the rights of the group they would make the file accessible to it."""
    (root / "file").write_bytes(b"old")
    set_or_skip(root / "file", ACL, FOR_SOMEBODY)
    original = os.setxattr

    def refuse(file: int, name: str, *args: object) -> None:
        if name == ACL:
            raise PermissionError(1, "refused")
        original(file, name, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "setxattr", refuse)
    run(op.write("file", b"new"))
    run(op.copy("file", "copy"))
    assert (acl_of(root / "file"), mode_of(root / "file")) == (None, 0o600)


def test_a_file_without_an_access_list_does_not_get_the_default_one_of_its_directory(
    run: Run, op: Operator, root: Path
) -> None:
    (root / "file").write_bytes(b"old")
    (root / "file").chmod(0o640)
    set_or_skip(root, DEFAULT_ACL, FOR_SOMEBODY)
    run(op.write("file", b"new"))
    run(op.copy("file", "copy"))
    for name in ("file", "copy"):
        assert (acl_of(root / name), mode_of(root / name)) == (None, 0o640)
    run(op.write("new", b"new"))
    assert acl_of(root / "new") is not None  # as any file that is made there


def test_the_mask_bounds_the_entry_of_the_group() -> None:
    entries = acl((USER_OBJ, 7, NONE), (USER, 7, 1), (GROUP_OBJ, 7, NONE), (MASK, 4, NONE), (OTHER, 1, NONE))
    assert permissions._mode_without_acl(permissions.Permissions(0o741, 0, 0, entries)) == 0o741
    entries = acl((USER_OBJ, 6, NONE), (GROUP_OBJ, 4, NONE), (OTHER, 0, NONE))
    assert permissions._mode_without_acl(permissions.Permissions(0o660, 0, 0, entries)) == 0o640
    assert permissions._mode_without_acl(permissions.Permissions(0o660, 0, 0)) == 0o660


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_that_is_replaced_keeps_its_owner_and_group(run: Run, op: Operator, root: Path) -> None:
    (root / "file").write_bytes(b"old")
    os.chown(root / "file", SOMEBODY, NOBODY)
    (root / "file").chmod(0o640)
    run(op.write("file", b"new"))
    found = (root / "file").stat()
    assert (found.st_uid, found.st_gid, mode_of(root / "file")) == (SOMEBODY, NOBODY, 0o640)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_group_that_cannot_be_kept_opens_the_file_to_no_other(open_root: Path) -> None:
    """The owner of the directory replaces a file of a group that it is not in: its own group had no access."""
    root = open_root
    (root / "file").write_bytes(b"old")
    os.chown(root / "file", SOMEBODY, 4321)
    (root / "file").chmod(0o664)
    os.chown(root, NOBODY, NOBODY)
    script = """
import os, sys
from entrepot import Operator
from entrepot.services import Fs
op = Operator(Fs(sys.argv[1])).blocking()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
op.write("file", b"new")
"""
    done = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    found = (root / "file").stat()
    assert (found.st_uid, found.st_gid, mode_of(root / "file")) == (NOBODY, NOBODY, 0o644)


REFUSALS = [1, 13, 22, 38, 95]
"""EPERM, EACCES, EINVAL, ENOSYS, EOPNOTSUPP."""


@pytest.mark.parametrize("number", REFUSALS)
def test_a_file_system_that_refuses_what_is_a_courtesy_loses_no_operation(
    run: Run, op: Operator, root: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CIFS, gcsfuse and other FUSE file systems refuse to change modes, owners, attributes, locks and directories."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "refused")

    (root / "file").write_bytes(b"old")
    (root / "file").chmod(0o644)
    for name in ("fchmod", "fchown", "listxattr", "getxattr", "setxattr", "removexattr", "copy_file_range", "lseek"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr("fcntl.flock", refuse)
    monkeypatch.setattr("entrepot.services.fs.kernel.content.ioctl", refuse)
    run(op.write("file", b"new"))
    run(op.copy("file", "copy"))
    run(op.rename("copy", "d/renamed"))
    run(op.write("d/more", b"content", if_not_exists=True))
    assert (run(op.read("file")), run(op.read("d/renamed")), run(op.read("d/more"))) == (b"new", b"new", b"content")
    assert run(op.stat("file")).content_length == 3
    assert sorted(entry.path for entry in run(op.list("/", recursive=True))) == [
        "/",
        "d/",
        "d/more",
        "d/renamed",
        "file",
    ]
    run(op.delete("d/", recursive=True))
    assert mode_of(root / "file") & 0o077 & ~0o044 == 0


@pytest.mark.parametrize("number", [22, 38, 95, 1])
def test_a_file_system_that_cannot_sync_directories_loses_no_operation(
    run: Run, root: Path, op: Operator, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, "refused")
        original(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    careful = Operator(Fs(str(root), fsync=True), context=op._context)
    run(careful.write("d/file", b"new"))
    run(careful.copy("d/file", "copy"))
    assert run(careful.read("copy")) == b"new"


def test_modes_are_left_alone_where_they_are_right(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "file").write_bytes(b"old")
    (root / "file").chmod(0o600)
    calls = []
    monkeypatch.setattr(os, "fchmod", lambda *args: calls.append(args))
    monkeypatch.setattr(os, "fchown", lambda *args: calls.append(args))
    run(op.write("file", b"new"))
    run(op.copy("file", "copy"))
    assert calls == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_file_that_is_a_mount_point_is_unsupported_and_whole(run: Run, op: Operator, root: Path) -> None:
    (root / "file").write_bytes(b"below")
    (root / "other").write_bytes(b"mounted")
    if subprocess.run(["mount", "--bind", root / "other", root / "file"], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        run(op.write("third", b"new"))
        makes = (lambda: op.write("file", b"new"), lambda: op.copy("third", "file"), lambda: op.rename("third", "file"))
        for make in makes:
            with pytest.raises(Unsupported, match="mount point") as caught:
                run(make())
            assert caught.value.path in ("file", "third")
        assert (root / "file").read_bytes() == b"mounted"
        assert names_in(root) == ["file", "other", "third"]
    finally:
        subprocess.run(["umount", root / "file"], check=True)


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.mark.parametrize("tail", [b"", b"end"])
def test_holes_stay_holes_in_a_copy(run: Run, op: Operator, root: Path, tail: bytes) -> None:
    size = 64 * 1024 * 1024
    with (root / "sparse").open("wb") as file:
        file.write(b"start")
        file.seek(size // 2)
        file.write(b"middle")
        file.seek(size)
        file.write(tail)
        file.truncate(size + len(tail))
    if allocated(root / "sparse") > 1024 * 1024:
        pytest.skip("the file system has no sparse files")
    run(op.copy("sparse", "copy"))
    assert (root / "copy").read_bytes() == (root / "sparse").read_bytes()
    assert allocated(root / "copy") <= 2 * allocated(root / "sparse")


def test_a_file_of_nothing_but_a_hole_is_copied(run: Run, op: Operator, root: Path) -> None:
    with (root / "hole").open("wb") as file:
        file.truncate(1024 * 1024)
    run(op.copy("hole", "copy"))
    assert (root / "copy").read_bytes() == bytes(1024 * 1024)


@pytest.mark.parametrize("number", [1, 38, 95])
def test_a_copy_to_where_no_attributes_can_be_stored_goes_without_them_and_says_so(
    run: Run, op: Operator, root: Path, number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    (root / "file").write_bytes(b"data")
    set_or_skip(root / "file", "user.color", b"blue")
    monkeypatch.setattr(os, "setxattr", refuse)
    run(op.copy("file", "copy"))
    assert (root / "copy").read_bytes() == b"data"
    assert "user metadata is not copied" in caplog.text


@pytest.fixture
def by_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without a rename that replaces nothing."""
    monkeypatch.setattr(publish, "_by_kernel", lambda *_: False)


@pytest.mark.usefixtures("by_link")
def test_a_rename_by_link_takes_no_file_away_that_came_to_the_old_name(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "file").write_bytes(b"data")
    link = os.link

    def and_replaced(*args: object, **kwargs: object) -> None:
        link(*args, **kwargs)  # type: ignore[arg-type]
        (root / "other").write_bytes(b"newer")
        (root / "other").replace(root / "file")

    monkeypatch.setattr(os, "link", and_replaced)
    run(op.rename("file", "renamed", if_not_exists=True))
    assert (root / "file").read_bytes() == b"newer"
    assert (root / "renamed").read_bytes() == b"data"


@pytest.mark.usefixtures("by_link")
def test_a_rename_by_link_that_may_not_take_the_old_name_away_changes_nothing(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a directory with the sticky bit, where anybody may add names and only the owner remove them."""
    (root / "file").write_bytes(b"data")
    unlink = os.unlink

    def sticky(name: str, *, dir_fd: int) -> None:
        if name == "file":
            raise PermissionError(1, "sticky")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", sticky)
    with pytest.raises(PermissionDenied) as raised:
        run(op.rename("file", "renamed", if_not_exists=True))
    assert (raised.value.operation, raised.value.path) == ("rename", "file")
    assert names_in(root) == ["file"]
