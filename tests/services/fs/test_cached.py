"""Answers from the memory of the kernel without a thread call: the same as by a thread call, or none."""

import asyncio
import errno
import io
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest

from entrepot import BytesRange, ConditionNotMatch, Error, NotFound, Operator, PermissionDenied, Unsupported
from entrepot.raw import Context, OpRead, OpStat
from entrepot.raw.oio.read.api import WHOLE, read_to_end
from entrepot.raw.runtime import File
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services.fs import accessor, cached
from entrepot.services.fs.kernel import beneath, openat2, page_cache

from .conftest import descriptors

T = TypeVar("T")
Args = TypeVarTuple("Args")

CONTENT = bytes(range(250)) * 4


class CountingRuntime(AsyncioRuntime):
    """Counts the hops."""

    def __init__(self) -> None:
        self.hops = 0

    async def blocking(self, call: Callable[[*Args], T], *args: *Args) -> T:
        self.hops += 1
        return await super().blocking(call, *args)

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, T]]) -> tuple[File, T]:
        self.hops += 1
        return await super().open_file(opener)


@pytest.fixture
def runtime() -> CountingRuntime:
    return CountingRuntime()


@pytest.fixture
def context(runtime: CountingRuntime) -> Context:
    return Context(runtime=runtime)


@pytest.fixture
def service(context: Context, root: Path) -> accessor.FsAccessor:
    (root / "d").mkdir()
    (root / "file").write_bytes(CONTENT)
    (root / "d" / "file").write_bytes(CONTENT)
    return accessor.FsAccessor(context, str(root))


@pytest.fixture
async def warm(service: accessor.FsAccessor, runtime: CountingRuntime) -> accessor.FsAccessor:
    """One that knows what its root lies on. The files were looked at."""
    await look_at(service, "file", "d/file")
    runtime.hops = 0
    return service


async def look_at(service: accessor.FsAccessor, *paths: str) -> None:
    """Reads files until they come at once, which they do not before the clock of the file system has gone on."""
    for path in paths:
        for _ in range(100):
            await read(service, path)
            await service.stat(path, OpStat())
            if service._cached_files.read(path, OpRead(range=BytesRange(0, 1)), 1) is not None:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.skip("this file system, or the kernel, does not tell what it has in memory")


async def read(service: accessor.FsAccessor, path: str, args: OpRead | None = None) -> bytes:
    _, body = await service.read(path, args or OpRead())
    try:
        return await read_to_end(body)
    finally:
        await body.close()


async def outcome(call: Awaitable[object]) -> object:
    """The result of a call, or all fields of its error."""
    try:
        return await call
    except Error as error:
        return type(error), str(error)


async def test_reads_and_stats_of_what_is_in_memory_take_no_hop(
    warm: accessor.FsAccessor, runtime: CountingRuntime
) -> None:
    for path in ("file", "d/file"):
        assert await read(warm, path) == CONTENT
        assert (await warm.stat(path, OpStat())).metadata.content_length == len(CONTENT)
    assert (await warm.stat("d/", OpStat())).metadata.is_dir
    assert runtime.hops == 0


@pytest.mark.parametrize(
    "path", ["file", "d/file", "d", "d/", "file/", "empty", "linked", "link", "outside", "missing", "file/x", "with",
             "fifo", "sparse", "none", ".entrepot-0123456789abcdef.tmp"]
)  # fmt: skip
async def test_the_answer_is_the_same_with_a_hop_and_without(
    warm: accessor.FsAccessor, root: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "empty").touch()
    (root / "linked").symlink_to("d/file")
    (root / "link").symlink_to("d")
    (root / "outside").symlink_to("../secret")
    (root / "with").write_bytes(b"with")
    (root / "none").write_bytes(b"none")
    (root / "none").chmod(0)
    (root / ".entrepot-0123456789abcdef.tmp").write_bytes(b"temporary")
    os.mkfifo(root / "fifo")
    os.truncate(root / "empty", 0)
    (root / "sparse").touch()
    os.truncate(root / "sparse", 4096)
    with suppress(OSError):  # where the file system has none
        os.setxattr(root / "with", "user.key", b"value")
    both: list[object] = []
    for _ in range(2):
        _, body = await warm.read(path.rstrip("/"), OpRead())
        both.append(
            (await outcome(warm.stat(path, OpStat())), await outcome(body.read(WHOLE)), body._response.metadata)
        )
        await body.close()
        monkeypatch.setattr(warm._cached_files, "_device", cached._NEVER)
    assert both[0] == both[1]


@pytest.mark.parametrize(
    "window", [BytesRange(), BytesRange(10), BytesRange(10, 20), BytesRange(990, 5000), BytesRange(1000),
               BytesRange(suffix=7), BytesRange(suffix=5000)]
)  # fmt: skip
async def test_ranges_come_without_a_hop(
    warm: accessor.FsAccessor, runtime: CountingRuntime, window: BytesRange
) -> None:
    start, end = window.resolve(len(CONTENT))
    assert await read(warm, "file", OpRead(range=window)) == CONTENT[start:end]
    assert runtime.hops == 0


async def test_a_range_of_a_large_file_comes_without_a_hop_and_the_whole_with_one(
    warm: accessor.FsAccessor, runtime: CountingRuntime, root: Path
) -> None:
    (root / "large").write_bytes(CONTENT * 100)
    assert len(CONTENT) * 100 > cached.LIMIT
    await look_at(warm, "large")
    runtime.hops = 0
    assert await read(warm, "large", OpRead(range=BytesRange(suffix=8))) == CONTENT[-8:]
    assert runtime.hops == 0
    assert await read(warm, "large") == CONTENT * 100
    assert runtime.hops == 1


async def test_a_piece_at_a_time_is_read_from_the_open_file(
    warm: accessor.FsAccessor, runtime: CountingRuntime
) -> None:
    _, body = await warm.read("file", OpRead())
    assert [await body.read(600), await body.read(600), await body.read(600)] == [CONTENT[:600], CONTENT[600:], b""]
    await body.close()
    assert runtime.hops == 1  # opens it; calls of the open file are not counted


async def test_a_body_from_memory_can_be_sought_and_read_again(
    warm: accessor.FsAccessor, runtime: CountingRuntime, root: Path
) -> None:
    _, body = await warm.read("file", OpRead(range=BytesRange(10, 30)))
    assert await body.seek(5) == 5
    assert await body.read(WHOLE) == CONTENT[15:30]
    (root / "file").write_bytes(b"something else that was written meanwhile")
    assert await body.seek(-3, os.SEEK_END) == 17
    assert await body.read(2) == CONTENT[27:29]
    assert (await body.seek(100), await body.read(1)) == (100, b"")
    await body.close()
    assert runtime.hops == 0


async def test_conditions_are_checked(warm: accessor.FsAccessor) -> None:
    etag = (await warm.stat("file", OpStat())).metadata.etag
    assert await read(warm, "file", OpRead(if_match=etag)) == CONTENT
    with pytest.raises(ConditionNotMatch):
        await read(warm, "file", OpRead(if_none_match=etag))
    with pytest.raises(ConditionNotMatch):
        await warm.stat("file", OpStat(if_none_match=etag))


async def test_what_is_written_and_removed_meanwhile_is_seen(warm: accessor.FsAccessor, root: Path) -> None:
    (root / "file").write_bytes(b"new")
    assert await read(warm, "file") == b"new"
    (root / "file").unlink()
    with pytest.raises(NotFound):
        await read(warm, "file")
    with pytest.raises(NotFound):
        await warm.stat("file", OpStat())


@pytest.mark.usefixtures("warm")
async def test_what_is_not_in_memory_takes_a_hop(
    warm: accessor.FsAccessor, runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise BlockingIOError(errno.EAGAIN, "not in memory")

    monkeypatch.setattr(os, "preadv", refuse)
    assert await read(warm, "file") == CONTENT
    assert runtime.hops == 1
    for way in ("open_cached_without_links", "open_cached_beneath"):
        monkeypatch.setattr(openat2, way, refuse)
    assert (await warm.stat("file", OpStat())).metadata.is_file
    assert runtime.hops == 2


class Reads:
    """The reads of an open file that a thread makes, in bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._original = os.pread
        self.sizes: list[int] = []
        monkeypatch.setattr(os, "pread", self._read)

    def _read(self, descriptor: int, size: int, offset: int) -> bytes:
        self.sizes.append(size)
        return self._original(descriptor, size, offset)


async def test_parts_of_an_open_file_take_no_thread_call_while_they_are_in_memory(
    warm: accessor.FsAccessor, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(4 * cached.PART_LIMIT)
    (root / "large").write_bytes(content)
    _, body = await warm.read("large", OpRead())
    assert await body.read(10) == content[:10]  # opened by a thread, which also sets the time of the last access
    reads = Reads(monkeypatch)
    assert await body.read(cached.PART_LIMIT) == content[10 : 10 + cached.PART_LIMIT]
    assert await body.seek(-5, os.SEEK_END) == len(content) - 5
    assert await body.read(100) == content[-5:]
    assert reads.sizes == []

    await body.seek(0)
    assert await body.read(cached.PART_LIMIT + 1) == content[: cached.PART_LIMIT + 1]  # copying takes too long
    with monkeypatch.context() as evicted:
        evicted.setattr(page_cache, "is_cached", lambda *_: False)
        assert await body.read(7) == content[cached.PART_LIMIT + 1 :][:7]
    (root / "large").write_bytes(content[:-1])  # in place: the read sets the time of the last access, and may wait
    assert await body.read(8) == content[cached.PART_LIMIT + 8 :][:8]
    sets_access_time = not os.statvfs(root).f_flag & os.ST_NOATIME
    assert reads.sizes == [cached.PART_LIMIT + 1, 7, *([8] if sets_access_time else [])]
    await body.close()


async def test_fewer_bytes_than_the_size_promises_are_never_passed_off_as_the_file(
    warm: accessor.FsAccessor, runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "preadv", lambda descriptor, buffers, offset, flags: len(buffers[0]) - 1)
    assert await read(warm, "file") == CONTENT
    assert runtime.hops == 1


async def test_fifo_that_replaces_a_file_during_the_open_does_not_block(
    warm: accessor.FsAccessor, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, before = cached._attributes_beneath, descriptors()

    def swapped(directory: int, relative: str) -> os.stat_result:
        found = original(directory, relative)
        (root / "file").unlink()
        os.mkfifo(root / "file")
        return found

    monkeypatch.setattr(cached, "_attributes_beneath", swapped)
    with pytest.raises(Unsupported, match="FIFO"):
        await read(warm, "file")
    assert descriptors() == before


async def test_a_root_behind_a_link_is_answered_from_memory_too(
    runtime: CountingRuntime, context: Context, root: Path
) -> None:
    (root.parent / "way").symlink_to(root)
    (root / "outside").symlink_to("../secret")
    (root / "file").write_bytes(CONTENT)
    service = accessor.FsAccessor(context, str(root.parent / "way"))
    await look_at(service, "file")
    runtime.hops = 0
    assert (await service.stat("file", OpStat())).metadata.content_length == len(CONTENT)
    assert runtime.hops == 0
    with pytest.raises(PermissionDenied):
        await service.stat("outside", OpStat())


async def test_a_stat_on_another_device_than_the_root_is_made_by_the_root(
    warm: accessor.FsAccessor, runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a subvolume: no mount, but a device number of its own."""
    if warm._cached_files._mount is None:
        pytest.skip("the root lies behind a link or has no file handles, so it is opened by itself at any rate")
    elsewhere, before = os.stat_result([0] * 10), descriptors()
    looks = [elsewhere]
    fstat = os.fstat
    monkeypatch.setattr(os, "fstat", lambda file: looks.pop() if looks else fstat(file))
    assert (await warm.stat("file", OpStat())).metadata.content_length == len(CONTENT)
    assert (runtime.hops, looks, descriptors()) == (0, [], before)


@pytest.mark.parametrize("mount", ["proc", "dev/shm"])  # one without file handles and one with them
def test_a_file_system_that_is_mounted_below_the_root_is_not_asked(monkeypatch: pytest.MonkeyPatch, mount: str) -> None:
    """It may be one of FUSE or of a network, where already `fstat` waits for a response."""
    if not os.path.ismount(f"/{mount}"):
        pytest.skip("there is no such mount")
    files, devices, fstat = cached.CachedFiles("/"), list[int](), os.fstat
    files.stat(mount)
    files.learn(mount)

    def noted(file: int) -> os.stat_result:
        devices.append(fstat(file).st_dev)
        return fstat(file)

    monkeypatch.setattr(os, "fstat", noted)
    assert files.stat(f"{mount}/") is None
    assert set(devices) <= {Path("/").stat().st_dev}


async def test_a_root_that_is_a_mount_of_its_own_is_opened_with_the_file(
    context: Context, runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.path.ismount("/dev/shm"):
        pytest.skip("there is no mount at /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder, "file").write_bytes(CONTENT)
        service = accessor.FsAccessor(context, folder)
        await look_at(service, "file")
        runtime.hops = 0
        monkeypatch.setattr(openat2, "open_cached", None)
        assert (await service.stat("file", OpStat())).metadata.content_length == len(CONTENT)
    assert runtime.hops == 0


async def test_another_mount_at_the_root_is_opened_by_itself_and_not_asked_before(
    warm: accessor.FsAccessor, runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    if warm._cached_files._mount is None:
        pytest.skip("the root lies behind a link or has no file handles")
    warm._cached_files._mount += 1
    asked, before = list[str](), descriptors()
    fstat, open_cached = os.fstat, openat2.open_cached

    def noted(file: int) -> os.stat_result:
        asked.append("fstat")
        return fstat(file)

    def opened(path: str, flags: int) -> int:
        asked.append("root")
        return open_cached(path, flags)

    monkeypatch.setattr(os, "fstat", noted)
    monkeypatch.setattr(openat2, "open_cached", opened)
    assert (await warm.stat("file", OpStat())).metadata.content_length == len(CONTENT)
    assert (asked[0], runtime.hops, descriptors()) == ("root", 0, before)


async def test_a_root_that_lies_on_something_else_now_is_looked_at_again(
    warm: accessor.FsAccessor, runtime: CountingRuntime
) -> None:
    device, before = warm._cached_files._device, descriptors()
    warm._cached_files._device = device + 1
    for hops in (1, 1):  # it is learned again, and then answered without a thread call
        assert await read(warm, "file") == CONTENT
        assert runtime.hops == hops
    assert (warm._cached_files._device, descriptors()) == (device, before)


async def test_on_a_file_system_that_may_wait_for_others_nothing_is_tried(
    service: accessor.FsAccessor, runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    nfs = 0x6969
    monkeypatch.setattr(openat2, "kind_of_file_system", lambda _: nfs)
    await service.stat("file", OpStat())
    monkeypatch.setattr(openat2, "open_cached", None)
    assert not service._cached_files.is_usable()
    assert (await service.stat("file", OpStat())).metadata.is_file
    assert await read(service, "file") == CONTENT
    assert runtime.hops == 3


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
async def test_a_kernel_that_cannot_answer_from_memory_is_tried_once(
    service: accessor.FsAccessor, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    asked = list[str]()

    def refuse(path: str, _: int) -> int:
        asked.append(path)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(openat2, "open_cached", refuse)
    for _ in range(3):
        assert (await service.stat("file", OpStat())).metadata.is_file
    assert len(asked) == (1 if beneath.kernel_confines() else 0)


async def test_a_root_that_comes_later_is_found(runtime: CountingRuntime, context: Context, root: Path) -> None:
    service = accessor.FsAccessor(context, str(root / "later"))
    for _ in range(2):
        with pytest.raises(NotFound):
            await service.stat("file", OpStat())
    (root / "later").mkdir()
    (root / "later" / "file").write_bytes(CONTENT)
    for _ in range(3):
        assert await read(service, "file") == CONTENT
    assert 3 <= runtime.hops <= 5  # 5 where the clock of files did not go on, or no call is made without a thread


@pytest.mark.usefixtures("file")
async def test_who_asks_without_end_can_be_timed_out_and_keeps_nobody_from_his_turn(op: Operator) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.ensure_future(take_turns())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            while True:
                await op.stat("file")
                await op.read("file")
    other.cancel()
    await asyncio.wait([other])
    assert turns > 10


@pytest.fixture
def file(root: Path) -> None:
    (root / "file").write_bytes(CONTENT)
