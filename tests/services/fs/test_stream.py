"""Writing more than a buffer: streamed beside the target, and published in one step."""

import asyncio
import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from entrepot import ConditionNotMatch, Error, InvalidInput, IsADirectory, Operator, StorageFull, Unsupported
from entrepot.raw import Context, OpWrite
from entrepot.services import Fs
from entrepot.services.fs import writer
from entrepot.services.fs.accessor import BUFFER, FsAccessor
from entrepot.services.fs.kernel import publish, renameat2

from .conftest import Run, descriptors, names_in

CHUNK = 1000


@pytest.fixture
def service(op: Operator, root: Path) -> FsAccessor:
    return FsAccessor(op._context, str(root))


def temporary_names(root: Path) -> list[str]:
    return [name for name in names_in(root) if name.endswith(".tmp")]


def content(parts: int) -> list[bytes]:
    return [bytes([number]) * 700 for number in range(parts)]


@pytest.mark.parametrize("chunk", [1, 699, 700, 5000, None])
def test_parts_of_any_size_come_in_order(run: Run, op: Operator, root: Path, chunk: int | None) -> None:
    metadata = run(op.write("d/file", iter(content(20)), chunk=chunk))
    assert (root / "d" / "file").read_bytes() == b"".join(content(20))
    assert metadata == run(op.stat("d/file"))
    assert names_in(root / "d") == ["file"]


def test_no_more_than_buffer_and_flight_is_held(run: Run, op: Operator, root: Path) -> None:
    on_disk: list[int] = []

    async def scenario() -> None:
        async with op.writer("file") as body:
            for _ in range(8):
                await body.write(bytes(BUFFER))
                on_disk.append(sum((root / name).stat().st_size for name in temporary_names(root)))

    run(scenario())
    assert (root / "file").stat().st_size == 8 * BUFFER
    assert on_disk[-1] >= 5 * BUFFER


def test_what_is_being_written_is_not_there_yet(run: Run, op: Operator, root: Path) -> None:
    (root / "file").write_bytes(b"old")

    async def scenario() -> None:
        async with op.writer("file", chunk=CHUNK) as body:
            for part in content(10):
                await body.write(part)
            assert len(temporary_names(root)) == 1
            assert [entry.path for entry in await op.list("/", recursive=True)] == ["/", "file"]
            assert await op.read("file") == b"old"

    run(scenario())
    assert (root / "file").read_bytes() == b"".join(content(10))
    assert names_in(root) == ["file"]


def test_abort_after_some_parts_leaves_nothing(run: Run, op: Operator, root: Path) -> None:
    before = []

    async def scenario() -> None:
        await op.stat("/")
        before.append(descriptors())
        body = await op.writer("file", chunk=CHUNK)
        for part in content(10):
            await body.write(part)
        assert len(temporary_names(root)) == 1
        await body.abort()
        assert names_in(root) == []
        assert descriptors() == before[0]
        with pytest.raises(InvalidInput, match="aborted"):
            await body.write(b"more")

    run(scenario())
    assert names_in(root) == []


@pytest.mark.parametrize("call", ["pwrite", "rename", "dup"])
def test_failed_close_of_a_stream_is_made_again_with_what_was_written(
    run: Run, service: FsAccessor, root: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    async def scenario() -> None:
        _, body = await service.write("file", OpWrite(chunk=CHUNK))
        for part in content(10):
            await body.write(part)
        with monkeypatch.context() as broken:
            broken.setattr(os, call, fail)
            with pytest.raises(StorageFull) as raised:
                await body.close()
        assert not raised.value.is_temporary
        assert (await body.close()).content_length == 7000

    run(scenario())
    assert (root / "file").read_bytes() == b"".join(content(10))
    assert names_in(root) == ["file"]


def test_failed_write_is_made_again(run: Run, service: FsAccessor, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([True, True])
    original = os.pwrite

    def fail_twice(*args: object) -> int:
        if next(failures, False):
            raise OSError(errno.EAGAIN, "again")
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "pwrite", fail_twice)

    async def until_it_works(call, *args) -> object:
        for _ in range(5):
            try:
                return await call(*args)
            except Error as error:
                assert error.is_temporary
        raise AssertionError("it never works")

    async def scenario() -> None:
        _, body = await service.write("file", OpWrite(chunk=CHUNK))
        for part in content(10):
            await until_it_works(body.write, part)
        await until_it_works(body.close)

    run(scenario())
    assert (root / "file").read_bytes() == b"".join(content(10))


def test_unwanted_kinds_of_targets_are_known_before_all_is_sent(run: Run, op: Operator, root: Path) -> None:
    (root / "d").mkdir()
    with pytest.raises(IsADirectory) as raised:
        run(op.write("d", iter(content(10)), chunk=CHUNK))
    assert (raised.value.operation, raised.value.path) == ("write", "d")
    assert names_in(root) == ["d"]


def test_permissions_are_those_of_the_file_when_it_is_replaced(run: Run, op: Operator, root: Path) -> None:
    (root / "file").touch(0o640)

    async def scenario() -> None:
        async with op.writer("file", chunk=CHUNK) as body:
            for part in content(10):
                await body.write(part)
            (temporary,) = temporary_names(root)
            assert stat.S_IMODE((root / temporary).stat().st_mode) == 0o600
            (root / "file").chmod(0o604)

    run(scenario())
    assert stat.S_IMODE((root / "file").stat().st_mode) == 0o604


class TestIfNotExists:
    @pytest.fixture(params=["kernel", "link"])
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        if request.param == "link":
            monkeypatch.setattr(renameat2, "_call", None)
        return str(request.param)

    @pytest.mark.parametrize("chunk", [None, 2])
    def test_first_is_written_and_second_refused(
        self, run: Run, op: Operator, root: Path, way: str, chunk: int | None
    ) -> None:
        run(op.write("d/file", b"first", if_not_exists=True, chunk=chunk))
        with pytest.raises(ConditionNotMatch, match="if_not_exists") as raised:
            run(op.write("d/file", b"second", if_not_exists=True, chunk=chunk))
        assert (raised.value.operation, raised.value.path) == ("write", "d/file")
        assert (root / "d" / "file").read_bytes() == b"first"
        assert names_in(root / "d") == ["file"]
        assert (root / "d" / "file").stat().st_nlink == 1

    def test_what_comes_while_it_is_written_stays(self, run: Run, op: Operator, root: Path, way: str) -> None:
        async def scenario() -> None:
            body = await op.writer("file", if_not_exists=True, chunk=CHUNK)
            for part in content(10):
                await body.write(part)
            (root / "file").write_bytes(b"other")
            with pytest.raises(ConditionNotMatch):
                await body.close()
            await body.abort()

        run(scenario())
        assert (root / "file").read_bytes() == b"other"
        assert names_in(root) == ["file"]

    def test_what_comes_at_the_last_moment_stays(
        self, run: Run, op: Operator, root: Path, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def comes(directory: int, name: str, *, is_new: bool) -> None:
            (root / "file").write_bytes(b"other")

        monkeypatch.setattr(writer, "check_target", comes)
        with pytest.raises(ConditionNotMatch):
            run(op.write("file", b"data", if_not_exists=True))
        assert (root / "file").read_bytes() == b"other"
        assert names_in(root) == ["file"]

    def test_of_many_at_once_one_wins(self, root: Path, way: str) -> None:
        op = Operator(Fs(str(root)))

        async def scenario() -> list[object]:
            writes = (op.write("file", bytes([number]) * 9000, if_not_exists=True) for number in range(16))
            return await asyncio.gather(*writes, return_exceptions=True)

        outcomes = asyncio.run(scenario())
        won = [number for number, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
        assert len(won) == 1
        assert sum(isinstance(outcome, ConditionNotMatch) for outcome in outcomes) == 15
        assert (root / "file").read_bytes() == bytes(won) * 9000
        assert names_in(root) == ["file"]

    def test_close_that_was_cancelled_and_took_effect_does_not_stand_in_its_own_way(
        self, root: Path, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entered, may_go = threading.Event(), threading.Event()
        original = publish.publish

        def held(*args: object, is_new: bool) -> None:
            entered.set()
            assert may_go.wait(30)
            original(*args, is_new=is_new)  # type: ignore[arg-type]

        monkeypatch.setattr("entrepot.services.fs.kernel.temporary.publish", held)

        async def scenario() -> None:
            _, body = await FsAccessor(Context(), str(root)).write("file", OpWrite(if_not_exists=True))
            await body.write(b"data")
            closing = asyncio.create_task(body.close())
            while not entered.is_set():
                await asyncio.sleep(0.001)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            may_go.set()
            assert (await body.close()).content_length == 4

        asyncio.run(scenario())
        assert (root / "file").read_bytes() == b"data"

    def test_file_system_without_any_way_says_so(
        self, run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_links(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(renameat2, "_call", None)
        monkeypatch.setattr(os, "link", no_links)
        with pytest.raises(Unsupported, match="only where there is none") as raised:
            run(op.write("file", b"data", if_not_exists=True))
        assert raised.value.path == "file"
        assert names_in(root) == []

    @pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS])
    def test_kernel_that_cannot_is_not_asked_for_more(
        self, run: Run, op: Operator, root: Path, code: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> int:
            renameat2.ctypes.set_errno(code)
            return -1

        monkeypatch.setattr(renameat2, "_call", refuse)
        run(op.write("file", b"data", if_not_exists=True))
        assert (root / "file").read_bytes() == b"data"


class TestFsync:
    @pytest.fixture
    def synced(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Calls of fsync and rename, in order."""
        steps: list[str] = []
        sync, rename = os.fsync, os.rename

        def record_sync(descriptor: int) -> None:
            steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            sync(descriptor)

        def record_rename(*args: object, **directories: int) -> None:
            steps.append("rename")
            rename(*args, **directories)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "fsync", record_sync)
        monkeypatch.setattr(os, "rename", record_rename)
        return steps

    @pytest.fixture
    def durable(self, root: Path, context: Context) -> Operator:
        return Operator(Fs(str(root), fsync=True), context=context)

    def test_file_is_synced_before_it_is_named_and_its_directory_after(
        self, run: Run, durable: Operator, synced: list[str]
    ) -> None:
        run(durable.write("file", b"data"))
        assert synced == ["file", "rename", "directory"]

    def test_directories_that_are_made_are_synced(self, run: Run, durable: Operator, synced: list[str]) -> None:
        run(durable.write("a/b/file", b"data"))
        assert synced == ["directory", "directory", "file", "rename", "directory"]

    def test_root_that_is_made_is_synced(self, run: Run, tmp_path: Path, context: Context, synced: list[str]) -> None:
        run(Operator(Fs(str(tmp_path / "x" / "y"), fsync=True), context=context).create_dir("d/"))
        assert synced == ["directory"] * 3

    def test_append_copy_and_rename_are_synced(self, run: Run, durable: Operator, synced: list[str]) -> None:
        run(durable.write("log", b"data", append=True))
        assert synced == ["directory", "file"]
        synced.clear()
        run(durable.copy("log", "copy"))
        assert synced == ["file", "rename", "directory"]
        synced.clear()
        run(durable.rename("copy", "other"))
        assert synced == ["rename", "directory", "directory"]

    def test_without_the_option_nothing_is_synced(self, run: Run, op: Operator, synced: list[str]) -> None:
        run(op.write("a/file", b"data"))
        assert synced == ["rename"]

    def test_sync_that_failed_after_the_rename_is_made_again_alone(
        self, run: Run, root: Path, context: Context, synced: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def scenario() -> None:
            _, body = await FsAccessor(context, str(root), fsync=True).write("file", OpWrite(chunk=CHUNK))
            for part in content(3):
                await body.write(part)
            with monkeypatch.context() as broken:
                broken.setattr(writer, "sync_directory", _fail)
                with pytest.raises(Error):
                    await body.close()
            synced.clear()
            await body.close()

        run(scenario())
        assert synced == ["directory"]
        assert names_in(root) == ["file"]


def _fail(*_: object) -> None:
    raise OSError(errno.EIO, "broken")
