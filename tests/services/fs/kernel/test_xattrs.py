"""User metadata as extended attributes: given back, replaced, copied, and honest about where there are none."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot import Error, InvalidInput, Operator, StorageFull, Unsupported
from entrepot.services.fs.kernel import xattrs as user_metadata
from tests.services.fs.conftest import Run, names_in


@pytest.fixture(autouse=True)
def needs_attributes(root: Path) -> None:
    try:
        os.setxattr(root, "user.probe", b"")
    except OSError:
        pytest.skip("the file system of the temporary directory has no extended attributes in the namespace user")


def failing(code: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_what_was_stored_is_given_back_everywhere_but_in_listings(run: Run, op: Operator, root: Path) -> None:
    kept = {"author": "héé", "empty": "", "x-y": "a b"}
    assert run(op.write("file", b"data", user_metadata=kept)).user_metadata == kept
    assert run(op.stat("file")).user_metadata == kept
    assert os.getxattr(root / "file", "user.author") == "héé".encode()
    [_, entry] = run(op.list("/"))
    assert entry.metadata.user_metadata == {}

    async def of_reader() -> object:
        async with op.reader("file") as reader:
            return (await reader.metadata()).user_metadata

    assert run(of_reader()) == kept


@pytest.mark.parametrize("new", [{}, {"b": "2"}])
def test_replacing_replaces_it(run: Run, op: Operator, new: dict[str, str]) -> None:
    run(op.write("file", b"data", user_metadata={"a": "1"}))
    run(op.write("file", b"data", user_metadata=new or None))
    assert run(op.stat("file")).user_metadata == new


def test_appending_and_renaming_keep_it(run: Run, op: Operator) -> None:
    run(op.write("file", b"data", user_metadata={"a": "1"}))
    assert run(op.write("file", b"more", append=True)).user_metadata == {"a": "1"}
    run(op.rename("file", "other"))
    assert run(op.stat("other")).user_metadata == {"a": "1"}


def test_copying_keeps_it_and_what_is_no_text_besides(run: Run, op: Operator, root: Path) -> None:
    run(op.write("file", b"data", user_metadata={"a": "1"}))
    os.setxattr(root / "file", "user.binary", b"\xff")
    assert run(op.copy("file", "copy")).user_metadata == {"a": "1"}
    assert os.getxattr(root / "copy", "user.binary") == b"\xff"


def test_attributes_of_others_are_left_out(run: Run, op: Operator, root: Path) -> None:
    (root / "file").touch()
    for name, value in (("user.Capital", b"x"), ("user.binary", b"\xff"), (b"user.\xff", b"x"), ("user.mine", b"x")):
        os.setxattr(root / "file", name, value)
    assert run(op.stat("file")).user_metadata == {"mine": "x"}


def test_read_only_file_is_replaced_by_one_with_metadata(run: Run, op: Operator, root: Path) -> None:
    (root / "file").touch()
    (root / "file").chmod(0o400)
    run(op.write("file", b"data", user_metadata={"a": "1"}))
    assert run(op.stat("file")).user_metadata == {"a": "1"}
    assert (root / "file").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.EOPNOTSUPP, Unsupported), (errno.E2BIG, InvalidInput), (errno.ENOSPC, StorageFull), (errno.EIO, Error)],
)
def test_what_cannot_be_stored_is_an_error_before_anything_is_published(
    run: Run, op: Operator, root: Path, code: int, kind: type[Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "setxattr", failing(code))
    with pytest.raises(kind) as raised:
        run(op.write("file", b"new", user_metadata={"a": "1"}))
    assert (raised.value.operation, raised.value.path, raised.value.is_temporary) == ("write", "file", False)
    assert (root / "file").read_bytes() == b"old"
    assert names_in(root) == ["file"]


def test_more_than_the_file_system_takes_is_refused(run: Run, op: Operator, root: Path) -> None:
    with pytest.raises((InvalidInput, StorageFull), match="user metadata"):
        run(op.write("file", b"data", user_metadata={"a": "x" * 1_000_000}))
    assert names_in(root) == []


@pytest.mark.parametrize(
    ("call", "code"), [("listxattr", errno.EOPNOTSUPP), ("getxattr", errno.ENODATA), ("getxattr", errno.EACCES)]
)
def test_file_whose_attributes_cannot_be_had_has_none(
    run: Run, op: Operator, call: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(op.write("file", b"data", user_metadata={"a": "1"}))
    monkeypatch.setattr(os, call, failing(code))
    assert run(op.stat("file")).user_metadata == {}
    assert run(op.read("file")) == b"data"


class TestFileSystemWithout:
    def test_nothing_is_asked_of_it_when_an_operator_is_built(
        self, op_at: Callable[[object], Operator], root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = list[str]()
        for call in ("stat", "lstat", "open", "getxattr", "listxattr", "statvfs", "readlink"):
            monkeypatch.setattr(os, call, lambda *_, call=call, **__: asked.append(call))
        op = op_at(str(root))
        assert op.info.capability.write_with_user_metadata
        assert asked == []

    def test_a_write_is_refused_before_anything_is_published(
        self, run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / "file").write_bytes(b"old")
        monkeypatch.setattr(os, "setxattr", failing(errno.EOPNOTSUPP))
        with pytest.raises(Unsupported, match="user metadata") as raised:
            run(op.write("file", b"data", user_metadata={"a": "1"}))
        assert (raised.value.operation, raised.value.path) == ("write", "file")
        assert names_in(root) == ["file"]
        assert (root / "file").read_bytes() == b"old"

    def test_python_without_the_calls_has_none(self, run: Run, op: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
        run(op.write("file", b"data", user_metadata={"a": "1"}))
        monkeypatch.setattr(user_metadata, "CAN_BE_STORED", False)
        assert run(op.stat("file")).user_metadata == {}
        assert run(op.read("file")) == b"data"
