"""Appending: existing content stays, writers never mix, and a buffer that does not fit is taken back."""

import asyncio
import errno
import fcntl
import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entrepot import (
    Error,
    InvalidInput,
    IsADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    StorageFull,
    Timeout,
    Unsupported,
)
from entrepot.layers import TimeoutLayer
from entrepot.raw import Context, OpWrite
from entrepot.services import Fs
from entrepot.services.fs import appender
from entrepot.services.fs.accessor import FsAccessor

from .conftest import Run, descriptors, names_in

pytestmark = pytest.mark.usefixtures("confinement")


@pytest.fixture
def service(op: Operator, root: Path) -> FsAccessor:
    return FsAccessor(op._context, str(root))


def test_file_is_made_and_grows(run: Run, op: Operator, root: Path) -> None:
    first = run(op.write("d/log", b"one ", append=True))
    assert first == run(op.stat("d/log"))
    second = run(op.write("d/log", iter([b"two ", b"three"]), append=True, chunk=3))
    assert second == run(op.stat("d/log"))
    assert second.content_length == 13
    assert run(op.read("d/log")) == b"one two three"
    assert names_in(root / "d") == ["log"]


def test_appending_nothing_makes_an_empty_file_and_changes_none(run: Run, op: Operator, root: Path) -> None:
    assert run(op.write("log", b"", append=True)).content_length == 0
    run(op.write("log", b"data", append=True))
    assert run(op.write("log", b"", append=True)).content_length == 4
    assert (root / "log").read_bytes() == b"data"


def test_file_and_its_permissions_stay_the_same(run: Run, op: Operator, root: Path) -> None:
    (root / "log").write_bytes(b"old ")
    (root / "log").chmod(0o640)
    before = (root / "log").stat()
    run(op.write("log", b"new", append=True))
    after = (root / "log").stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert (root / "log").read_bytes() == b"old new"


def test_link_within_the_root_is_appended_through_and_one_that_leaves_is_refused(
    run: Run, op: Operator, root: Path, tmp_path: Path
) -> None:
    (root / "log").write_bytes(b"old ")
    (root / "link").symlink_to("log")
    run(op.write("link", b"new", append=True))
    assert (root / "log").read_bytes() == b"old new"
    (root / "out").symlink_to("../secret")
    with pytest.raises(PermissionDenied) as raised:
        run(op.write("out", b"new", append=True))
    assert (raised.value.operation, raised.value.path) == ("write", "out")
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_link_to_nothing_is_not_found(run: Run, op: Operator, root: Path) -> None:
    (root / "link").symlink_to("missing")
    with pytest.raises(NotFound, match="leads to nothing"):
        run(op.write("link", b"new", append=True))
    assert names_in(root) == ["link"]


def test_only_files_are_appended_to(run: Run, op: Operator, root: Path) -> None:
    (root / "d").mkdir()
    os.mkfifo(root / "fifo")
    for path, kind in (("d", IsADirectory), ("fifo", Unsupported)):
        with pytest.raises(kind) as raised:
            run(op.write(path, b"data", append=True))
        assert raised.value.path == path


def test_append_that_must_make_the_file_is_a_write(run: Run, op: Operator, root: Path) -> None:
    run(op.write("log", b"first", append=True, if_not_exists=True))
    with pytest.raises(Error) as raised:
        run(op.write("log", b"second", append=True, if_not_exists=True))
    assert raised.value.kind == "ConditionNotMatch"
    assert (root / "log").read_bytes() == b"first"


def test_user_metadata_of_what_is_appended_is_refused_before_any_io(run: Run, op: Operator, root: Path) -> None:
    with pytest.raises(Unsupported, match="user_metadata"):
        run(op.write("log", b"data", append=True, user_metadata={"a": "b"}))
    assert names_in(root) == []


def test_abort_drops_what_is_buffered_and_keeps_what_was_appended(run: Run, service: FsAccessor, root: Path) -> None:
    async def scenario() -> None:
        before = descriptors()
        _, body = await service.write("log", OpWrite(append=True, chunk=4))
        for _ in range(3):
            await body.write(b"data")
        await body.abort()
        assert descriptors() == before
        with pytest.raises(InvalidInput):
            await body.close()

    (root / "log").write_bytes(b"old ")
    run(service._context.runtime.blocking(len, ""))
    run(scenario())
    assert (root / "log").read_bytes() in (b"old ", b"old data", b"old datadata")


def test_file_that_was_replaced_is_opened_again(run: Run, service: FsAccessor, root: Path) -> None:
    async def scenario() -> None:
        _, body = await service.write("log", OpWrite(append=True, chunk=4))
        for _ in range(3):
            await body.write(b"data")
        (root / "log").unlink()
        await body.close()

    run(scenario())
    assert (root / "log").read_bytes() in (b"data", b"datadata")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_part_that_did_not_fit_is_taken_back_and_can_be_tried_again(
    run: Run, service: FsAccessor, root: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter([3, -1])
    original = os.write

    def short(descriptor: int, data: bytes) -> int:
        step = next(steps, len(data))
        if step < 0:
            raise OSError(code, "full")
        return original(descriptor, bytes(data[:step]))

    async def scenario() -> None:
        _, body = await service.write("log", OpWrite(append=True))
        await body.write(b"new data")
        monkeypatch.setattr(os, "write", short)
        with pytest.raises(StorageFull) as raised:
            await body.close()
        assert not raised.value.is_temporary
        assert (root / "log").read_bytes() == b"old "
        assert (await body.close()).content_length == 12

    (root / "log").write_bytes(b"old ")
    run(scenario())
    assert (root / "log").read_bytes() == b"old new data"


def test_part_is_left_where_somebody_wrote_behind_it(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.write

    def short(descriptor: int, data: bytes) -> int:
        if len(data) < 8:
            with (root / "log").open("ab") as other:
                other.write(b"|other")
            raise OSError(errno.ENOSPC, "full")
        return original(descriptor, bytes(data[:3]))

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(StorageFull):
        run(op.write("log", b"new data", append=True))
    assert (root / "log").read_bytes() == b"new|other"


def test_limit_of_the_size_of_files_is_storage_full_and_nothing_stays(run: Run, op: Operator, root: Path) -> None:
    (root / "log").write_bytes(bytes(1000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        for options in ({"append": True}, {}):
            with pytest.raises(StorageFull, match="limits of the process") as raised:
                run(op.write("log", bytes(10_000), **options))
            assert (raised.value.path, raised.value.is_temporary) == ("log", False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (root / "log").read_bytes() == bytes(1000)
    assert names_in(root) == ["log"]


async def test_append_whose_caller_was_cancelled_is_made_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, may_go = threading.Event(), threading.Event()
    original = appender.append_whole

    def held(descriptor: int, data: bytes) -> None:
        entered.set()
        assert may_go.wait(30)
        original(descriptor, data)

    monkeypatch.setattr(appender, "append_whole", held)
    _, body = await FsAccessor(Context(), str(root)).write("log", OpWrite(append=True))
    await body.write(b"once")
    closing = asyncio.create_task(body.close())
    while not entered.is_set():
        await asyncio.sleep(0.001)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    may_go.set()
    assert (await body.close()).content_length == 4
    assert (root / "log").read_bytes() == b"once"


async def test_append_that_waits_for_a_lock_can_be_aborted(root: Path) -> None:
    (root / "log").write_bytes(b"old")
    with (root / "log").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        _, body = await FsAccessor(Context(), str(root)).write("log", OpWrite(append=True))
        await body.write(b"new")
        closing = asyncio.create_task(body.close())
        await asyncio.sleep(0.02)
        assert not closing.done()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await body.abort()
    assert (root / "log").read_bytes() == b"old"


async def test_appends_that_wait_for_a_lock_hold_no_thread(root: Path) -> None:
    (root / "log").write_bytes(b"old ")
    (root / "other").write_bytes(b"other")
    op, loop = Operator(Fs(root)), asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    with (root / "log").open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        appends = [asyncio.create_task(op.write("log", b"new ", append=True)) for _ in range(20)]
        for _ in range(5):
            await asyncio.sleep(0.01)
            assert await op.read("other") == b"other"
            assert [entry.path async for entry in op.lister("/")]
        assert not any(append.done() for append in appends)
        appends[0].cancel()
        await asyncio.wait([appends[0]])
    await asyncio.gather(*appends[1:])
    assert (root / "log").read_bytes() == b"old " + b"new " * 19


async def test_append_that_waits_for_a_lock_ends_with_its_timeout(root: Path) -> None:
    (root / "log").write_bytes(b"old")
    with (root / "log").open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        blocking = Operator(Fs(root)).layer(TimeoutLayer(timeout=0.05)).blocking()
        with pytest.raises(Timeout):
            await asyncio.to_thread(blocking.write, "log", b"new", append=True)
    assert (root / "log").read_bytes() == b"old"


class TestRotated:
    """A log file is renamed, or deleted, while a writer has it open. The next buffer goes to the file at the path."""

    @pytest.mark.parametrize("is_made_anew", [True, False])
    def test_between_two_buffers(self, run: Run, service: FsAccessor, root: Path, is_made_anew: bool) -> None:
        async def append() -> None:
            file = appender.Appender(service._context.runtime, str(root), "log", fsync=False)
            await file.write_at(0, [b"one."])
            (root / "log").rename(root / "log.1")
            if is_made_anew:
                (root / "log").write_bytes(b"new:")
            await file.publish(4, [b"two."])

        run(append())
        assert (root / "log.1").read_bytes() == b"one."
        assert (root / "log").read_bytes() == (b"new:two." if is_made_anew else b"two.")

    def test_while_it_waits_for_the_lock(self, run: Run, op: Operator, root: Path) -> None:
        (root / "log").write_bytes(b"old")
        with (root / "log").open("rb") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            rotating = threading.Timer(0.1, (root / "log").rename, (root / "log.1",))
            rotating.start()
            run(op.write("log", b"new", append=True))  # the holder keeps the lock of the one that was renamed
            rotating.join()
        assert (root / "log.1").read_bytes() == b"old"
        assert (root / "log").read_bytes() == b"new"

    def test_right_before_the_lock(self, run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "log").write_bytes(b"old")
        original = appender._try_lock

        def rotate(descriptor: int) -> bool:
            if not (root / "log.1").exists():
                (root / "log").rename(root / "log.1")
            return original(descriptor)

        monkeypatch.setattr(appender, "_try_lock", rotate)
        before = descriptors()
        assert run(op.write("log", b"new", append=True)).content_length == 3
        assert (root / "log.1").read_bytes() == b"old"
        assert (root / "log").read_bytes() == b"new"
        assert descriptors() <= before + 1  # one of the event loop

    def test_again_and_again(self, run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(appender, "_leads_to", lambda *_: False)
        with pytest.raises(Error, match="again and again") as raised:
            run(op.write("log", b"new", append=True))
        assert (raised.value.path, raised.value.is_temporary) == ("log", True)
        assert (root / "log").read_bytes() == b""
