"""Parent directories that are made for a new file, while another process deletes them."""

import gc
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from entrepot import Metadata, NotFound, Operator, Unexpected
from entrepot.raw import Context
from entrepot.services import Fs

from .conftest import Run, descriptors, names_in

pytestmark = pytest.mark.usefixtures("confinement")

CONTENT = b"content"
ATTEMPTS = 8

Putting = Callable[[Operator, str], Coroutine[Any, Any, Metadata | None]]
PUTTING: dict[str, Putting] = {
    "write": lambda op, path: op.write(path, CONTENT),
    "append": lambda op, path: op.write(path, CONTENT, append=True),
    "copy": lambda op, path: op.copy("source", path),
    "rename": lambda op, path: op.rename("source", path),
}


@pytest.fixture(autouse=True)
def source(root: Path) -> Path:
    path = root / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def deleted(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[int]]:
    """Deletes `d/` and `d/e/` a number of times: as soon as they are made, or when a file is put into them."""

    def delete_when(moment: str, times: int) -> list[int]:
        calls: list[int] = []

        def delete() -> None:
            calls.append(1)
            for path in (root / "d" / "e", root / "d") if len(calls) <= times else ():
                with suppress(FileNotFoundError):
                    path.rmdir()

        if moment == "made":
            _after(monkeypatch, "mkdir", delete)
        else:
            _before(monkeypatch, "rename", delete)
            _before(monkeypatch, "open", delete, only=lambda _, flags, *__: bool(flags & os.O_CREAT))
        return calls

    return delete_when


def _after(monkeypatch: pytest.MonkeyPatch, name: str, then: Callable[[], None]) -> None:
    original = getattr(os, name)

    def called(*args: Any, **how: Any) -> None:
        original(*args, **how)
        then()

    monkeypatch.setattr(os, name, called)


def _before(
    monkeypatch: pytest.MonkeyPatch, name: str, first: Callable[[], None], only: Callable[..., bool] = lambda *_: True
) -> None:
    original = getattr(os, name)

    def called(*args: Any, **how: Any) -> Any:
        if only(*args):
            first()
        return original(*args, **how)

    monkeypatch.setattr(os, name, called)


@pytest.mark.parametrize("moment", ["made", "used"])
@pytest.mark.parametrize("put", PUTTING.values(), ids=PUTTING)
def test_directory_that_is_deleted_meanwhile_is_made_again(
    run: Run, op: Operator, root: Path, deleted: Callable[[str, int], list[int]], put: Putting, moment: str
) -> None:
    deleted(moment, 3)
    run(put(op, "d/e/file"))
    assert (root / "d" / "e" / "file").read_bytes() == CONTENT


def test_directory_to_be_made_is_made_again_with_those_above_it(
    run: Run, op: Operator, root: Path, deleted: Callable[[str, int], list[int]]
) -> None:
    deleted("made", 3)
    run(op.create_dir("d/e/f/"))
    assert (root / "d" / "e" / "f").is_dir()


@pytest.mark.parametrize("moment", ["made", "used"])
@pytest.mark.parametrize("operation", PUTTING)
def test_directory_that_is_deleted_every_time_is_a_temporary_error_and_nothing_is_left(
    run: Run, op: Operator, root: Path, deleted: Callable[[str, int], list[int]], operation: str, moment: str
) -> None:
    async def scenario() -> None:
        await op.stat("source")
        gc.collect()  # of another test, which would be closed in between
        before = descriptors()
        with pytest.raises(Unexpected, match="nothing can be made in the directory") as raised:
            await PUTTING[operation](op, "d/file")
        path = "source" if operation in ("copy", "rename") else "d/file"
        error = raised.value
        assert (error.is_temporary, error.operation, error.path) == (True, operation.replace("append", "write"), path)
        assert descriptors() == before

    calls = deleted(moment, 1000)
    run(scenario())
    assert len(calls) == ATTEMPTS
    assert names_in(root) == ["source"]


@pytest.mark.parametrize("operation", ["copy", "rename"])
def test_missing_source_is_not_found_at_once_and_nothing_is_made(
    run: Run, op: Operator, root: Path, operation: str, source: Path
) -> None:
    source.unlink()
    with pytest.raises(NotFound) as raised:
        run(PUTTING[operation](op, "d/file"))
    error = raised.value
    assert (error.is_temporary, error.operation, error.path) == (False, operation, "source")
    assert names_in(root) == []


def test_source_that_is_deleted_while_it_is_renamed_is_not_found_at_once(
    run: Run, op: Operator, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def delete() -> None:
        calls.append(1)
        source.unlink()

    _before(monkeypatch, "rename", delete)
    with pytest.raises(NotFound) as raised:
        run(op.rename("source", "d/file"))
    assert (raised.value.is_temporary, raised.value.operation, raised.value.path) == (False, "rename", "source")
    assert len(calls) == 1


@pytest.mark.parametrize("put", PUTTING.values(), ids=PUTTING)
def test_link_to_nothing_above_is_not_found_for_good(run: Run, op: Operator, root: Path, put: Putting) -> None:
    (root / "link").symlink_to("nowhere")
    with pytest.raises(NotFound, match="link to nothing") as raised:
        run(put(op, "link/file"))
    assert not raised.value.is_temporary
    assert names_in(root) == ["link", "source"]


def test_root_that_is_a_link_to_nothing_is_not_found_for_good(
    run: Run, op_at: Callable[[object], Operator], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(NotFound, match="link to nothing") as raised:
        run(op_at(tmp_path / "link").write("file", CONTENT))
    assert (raised.value.is_temporary, raised.value.operation, raised.value.path) == (False, "write", "file")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("operation", ["write", "copy", "rename"])
def test_what_was_put_is_no_error_when_it_was_deleted_with_its_directory_before_that_is_forced_to_the_disk(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, context: Context, operation: str
) -> None:
    def delete() -> None:
        for path in (root / "d").glob("file"):
            path.unlink()
            path.parent.rmdir()

    op = Operator(Fs(str(root), fsync=True), context=context)
    (root / "d").mkdir()
    _after(monkeypatch, "rename", delete)
    run(PUTTING[operation](op, "d/file"))
    assert not (root / "d").exists()
