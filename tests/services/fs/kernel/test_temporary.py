"""What dead writers leave is removed, what living ones have is not, and neither is ever seen."""

import asyncio
import fcntl
import gc
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from entrepot import ConfigInvalid, InvalidInput, NotFound, Operator, Unexpected
from entrepot.layers import ReadOnlyLayer
from entrepot.raw import OpWrite
from entrepot.raw.file_paths import is_reserved
from entrepot.raw.temporary_names import is_temporary_name
from entrepot.services import Fs
from entrepot.services.fs.accessor import FsAccessor
from entrepot.services.fs.kernel import temporary
from entrepot.services.fs.kernel.descriptor import owned
from entrepot.services.fs.kernel.temporary import Temporary, remove_abandoned
from tests.services.fs.conftest import Run, descriptors, names_in

NAME = ".entrepot-0123456789abcdef.tmp"


@pytest.fixture
def directory(root: Path) -> Iterator[int]:
    descriptor = os.open(root, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (NAME, True),
        (".entrepot-0123456789ABCDEF.tmp", False),
        (".entrepot-0123456789abcde.tmp", False),
        (".entrepot-0123456789abcdef.tmp~", False),
        ("entrepot-0123456789abcdef.tmp", False),
        ("", False),
    ],
)
def test_temporary_names(name: str, is_one: bool) -> None:
    assert is_temporary_name(name) is is_one
    assert is_reserved(f"a/{name}/b") is is_one


def test_name_is_refused_to_be_made_and_else_not_there(run: Run, op: Operator, root: Path) -> None:
    (root / NAME).mkdir()
    (root / NAME / "file").write_bytes(b"data")
    (root / "file").write_bytes(b"data")
    for path in (NAME, f"{NAME}/file"):
        making = [op.write(path, b""), op.create_dir(f"{path}/"), op.copy("file", path), op.rename("file", path)]
        for call in making:
            with pytest.raises(InvalidInput, match="being written"):
                run(call)
        for call in (op.stat(path), op.read(path), op.copy(path, "copy"), op.rename(path, "copy")):
            with pytest.raises(NotFound):
                run(call)
        assert run(op.list(f"{path}/")) == []
        run(op.delete(path, recursive=True))
    assert names_in(root) == [NAME, "file"]
    assert names_in(root / NAME) == ["file"]


def a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary, "time", lambda: time.time() + 86_401)


@pytest.mark.parametrize("recursive", [False, True])
def test_leftover_is_not_shown_and_removed_by_a_listing_a_day_later(
    run: Run, op: Operator, root: Path, recursive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where locks work within one host only, a free lock does not prove that the writer is dead; an age does."""
    (root / NAME).write_bytes(b"half")
    (root / "file").write_bytes(b"data")
    assert [entry.path for entry in run(op.list("/", recursive=recursive))] == ["/", "file"]
    assert names_in(root) == [NAME, "file"]
    a_day_later(monkeypatch)
    assert [entry.path for entry in run(op.list("/", recursive=recursive))] == ["/", "file"]
    assert names_in(root) == ["file"]


def test_old_file_whose_writer_lives_is_left_alone_by_a_listing(
    run: Run, op: Operator, root: Path, directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = Temporary(owned(os.dup, directory), 0o666)
    a_day_later(monkeypatch)
    run(op.list("/"))
    assert len(names_in(root)) == 1
    alive.discard()


def test_the_age_is_an_option(run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / NAME).write_bytes(b"half")
    a_day_later(monkeypatch)
    for config in (Fs(str(root), abandoned_after=0), Fs.from_uri(f"fs://{root}?abandoned_after=100000")):
        run(Operator(config, context=op._context).list("/"))
        assert names_in(root) == [NAME]
    run(Operator(Fs(str(root), abandoned_after=80_000), context=op._context).list("/"))
    assert names_in(root) == []
    with pytest.raises(ConfigInvalid, match="abandoned_after"):
        Fs(str(root), abandoned_after=-1)


def test_a_stack_that_is_read_only_removes_nothing(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / NAME).write_bytes(b"half")
    a_day_later(monkeypatch)
    assert [entry.path for entry in run(op.layer(ReadOnlyLayer()).list("/", recursive=True))] == ["/"]
    assert names_in(root) == [NAME]


@pytest.mark.parametrize("is_new", [False, True])
def test_a_writer_whose_file_was_removed_or_replaced_publishes_nothing(
    root: Path, directory: int, is_new: bool
) -> None:
    """A cleaner of `*.tmp` freed the name, and another process writes its own file under it."""
    for replacement in (None, b"unfinished bytes of another writer"):
        mine = Temporary(owned(os.dup, directory), 0o666)
        os.pwrite(mine.descriptor, b"mine", 0)
        (name,) = names_in(root)
        (root / name).unlink()
        if replacement is not None:
            (root / name).write_bytes(replacement)
        with pytest.raises(Unexpected, match="removed the temporary file") as caught:
            mine.publish("file", is_new=is_new)
        assert caught.value.is_temporary
        mine.discard()
        assert names_in(root) == ([] if replacement is None else [name])


def test_a_cleaner_of_temporary_files_makes_no_writer_report_what_is_not_so(run: Run, op: Operator, root: Path) -> None:
    """Two writers of one path beside a cleaner: a write that succeeds has stored all of its bytes, or later ones."""
    contents = [bytes([number]) * 300_000 for number in (1, 2)]

    async def write(content: bytes) -> int:
        done = 0
        for _ in range(40):
            with suppress(Unexpected, NotFound):
                await op.write("file", content, chunk=100_000)
                done += 1
                assert (root / "file").read_bytes() in contents
        return done

    async def clean() -> None:
        while True:
            for name in names_in(root):
                if name.endswith(".tmp"):
                    (root / name).unlink(missing_ok=True)
            await asyncio.sleep(0.003)

    async def scenario() -> list[int]:
        cleaner = asyncio.ensure_future(clean())
        done = await asyncio.gather(*map(write, contents))
        cleaner.cancel()
        return done

    assert sum(asyncio.run(scenario())) > 0
    assert [name for name in names_in(root) if not name.endswith(".tmp")] == ["file"]


def test_file_of_a_living_writer_is_left_alone(run: Run, op: Operator, root: Path, directory: int) -> None:
    alive = Temporary(owned(os.dup, directory), 0o666)
    run(op.write("file", b"data"))
    assert [entry.path for entry in run(op.list("/"))] == ["/", "file"]
    assert len(names_in(root)) == 2
    os.pwrite(alive.descriptor, b"later", 0)
    alive.publish("file", is_new=False)
    alive.discard()
    assert (root / "file").read_bytes() == b"later"
    assert names_in(root) == ["file"]


def test_file_that_was_met_before_it_was_locked_is_given_up_for_another(
    root: Path, directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time between making and locking: the file is removed already, or is about to be removed."""
    original, removing = temporary._locked, list[int]()

    def meet_first(descriptor: int) -> os.stat_result | None:
        (name,) = names_in(root)
        if not removing:
            assert remove_abandoned(directory, name)
            removing.append(-1)
        elif len(removing) == 1:
            removing.append(os.open(root / name, os.O_RDWR))
            fcntl.flock(removing[1], fcntl.LOCK_EX)
            (root / name).unlink()
        return original(descriptor)

    monkeypatch.setattr(temporary, "_locked", meet_first)
    mine = Temporary(owned(os.dup, directory), 0o666)
    os.close(removing[1])
    os.pwrite(mine.descriptor, b"mine", 0)
    mine.publish("file", is_new=False)
    mine.discard()
    assert names_in(root) == ["file"]
    assert (root / "file").read_bytes() == b"mine"


def test_who_removes_looks_whether_the_name_still_means_that_file(
    root: Path, directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / NAME).touch()
    original = fcntl.flock

    def replaced_meanwhile(descriptor: int, how: int) -> None:
        original(descriptor, how)
        (root / NAME).unlink()
        (root / NAME).write_bytes(b"another")

    monkeypatch.setattr(fcntl, "flock", replaced_meanwhile)
    assert not remove_abandoned(directory, NAME)
    assert (root / NAME).read_bytes() == b"another"


def test_without_locks_files_are_written_and_leftovers_kept(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "no locks")

    (root / NAME).touch()
    monkeypatch.setattr(fcntl, "flock", no_locks)
    run(op.write("file", b"data"))
    run(op.write("file", b"more", append=True))
    assert run(op.read("file")) == b"datamore"
    assert [entry.path for entry in run(op.list("/"))] == ["/", "file"]
    assert names_in(root) == [NAME, "file"]


def test_what_only_has_such_a_name_is_not_removed(run: Run, op: Operator, root: Path) -> None:
    os.mkfifo(root / NAME)
    assert [entry.path for entry in run(op.list("/"))] == ["/"]
    assert names_in(root) == [NAME]


def test_writer_that_nobody_ended_is_closed_and_its_file_removed_in_the_end(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await op.stat("/")
        before = descriptors()
        _, body = await FsAccessor(op._context, str(root)).write("file", OpWrite(chunk=5))
        for _ in range(4):
            await body.write(b"01234")
        assert len(names_in(root)) == 1
        del body
        gc.collect()
        while descriptors() > before:
            await asyncio.sleep(0.001)

    run(scenario())
    a_day_later(monkeypatch)
    run(op.list("/"))
    assert names_in(root) == []


@pytest.mark.parametrize("is_new", [False, True])
def test_a_file_that_is_swapped_right_before_it_is_renamed_is_no_success(
    root: Path, directory: int, is_new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published file is not the written one, and the writer raises an error."""
    original = temporary.publish

    def swapped(source: str, target: str, source_directory: int, target_directory: int, *, is_new: bool) -> None:
        (root / source).unlink()
        (root / source).write_bytes(b"of another")
        original(source, target, source_directory, target_directory, is_new=is_new)

    monkeypatch.setattr(temporary, "publish", swapped)
    mine = Temporary(owned(os.dup, directory), 0o666)
    with pytest.raises(Unexpected, match="replaced the temporary file") as caught:
        mine.publish("file", is_new=is_new)
    assert caught.value.is_temporary
    mine.discard()
    assert names_in(root) == ["file"]


@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize("then", ["replaced", "renamed", "deleted"])
def test_a_file_that_another_replaces_right_after_it_was_published_is_a_success(
    root: Path, directory: int, is_new: bool, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = temporary.publish

    def and_then(source: str, target: str, source_directory: int, target_directory: int, *, is_new: bool) -> None:
        original(source, target, source_directory, target_directory, is_new=is_new)
        if then == "replaced":
            (root / "other").write_bytes(b"of another")
            (root / "other").replace(root / target)
        elif then == "renamed":
            (root / target).rename(root / "elsewhere")
        else:
            (root / target).unlink()

    monkeypatch.setattr(temporary, "publish", and_then)
    mine = Temporary(owned(os.dup, directory), 0o666)
    mine.publish("file", is_new=is_new)
    mine.discard()
    assert names_in(root) == {"replaced": ["file"], "renamed": ["elsewhere"], "deleted": []}[then]
