"""Answers without a thread call never make the thread of the loop sleep, on a disk with a cold cache.

The disk is an ext4 image on a loop device, of which this test drops the cached blocks. Making one takes root.
"""

import asyncio
import fcntl
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot import BytesRange
from entrepot.raw import Context, OpRead, OpStat
from entrepot.services.fs.accessor import FsAccessor
from entrepot.services.fs.cached import LIMIT

from .test_cached import look_at, read

FLUSH_BLOCKS = 0x1261
"""BLKFLSBUF (linux/fs.h): writes back and drops the cache of a block device, extent trees and inodes included."""
FILES = 40
PAGE = 4096
EXTENTS = 2000


class Disk:
    def __init__(self, device: str, mounted: Path) -> None:
        self.root = mounted / "root"
        self._device = device
        self._mounted = str(mounted)
        mounted.mkdir()
        self.mount()
        self.root.mkdir()

    def mount(self) -> None:
        made = subprocess.run(["mount", self._device, self._mounted], check=False, capture_output=True)
        if made.returncode:
            pytest.skip("this system does not mount images")

    def unmount(self) -> None:
        subprocess.run(["umount", self._mounted], check=True, capture_output=True)

    def forget_everything(self) -> None:
        """The map of a file's blocks is kept in memory in another form as well, for as long as its inode."""
        self.unmount()
        self.mount()

    def forget_blocks(self) -> None:
        """Drops the blocks that are cached, names and inodes not."""
        descriptor = os.open(self._device, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FLUSH_BLOCKS)
        finally:
            os.close(descriptor)

    def forget(self, name: str) -> None:
        """Drops the pages of a file."""
        descriptor = os.open(self.root / name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() or not all(map(shutil.which, ("mkfs.ext4", "losetup", "mount", "umount"))):
        pytest.skip("mounting an image takes root and its tools")
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    # without a journal, which would hold on to blocks
    subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-O", "^has_journal", str(image)], check=True, capture_output=True)
    attached = subprocess.run(["losetup", "-f", "--show", str(image)], check=False, capture_output=True, text=True)
    if attached.returncode:
        pytest.skip("this system has no loop devices")
    device = attached.stdout.strip()
    try:
        made = Disk(device, tmp_path / "mounted")
        try:
            yield made
        finally:
            made.unmount()
    finally:
        subprocess.run(["losetup", "-d", device], check=True, capture_output=True)


@pytest.fixture
def service(disk: Disk) -> FsAccessor:
    return FsAccessor(Context(), str(disk.root))


def sleeps(attempt: Callable[[], object]) -> int:
    """How many times this thread gave its processor up while it made a call."""
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    attempt()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before


def write_with_block_of_attributes(path: Path) -> None:
    path.write_bytes(b"data")
    os.setxattr(path, "user.key", path.name.encode().ljust(2500, b"x"))  # equal ones would share one block


def write_fragmented(path: Path) -> None:
    """A file of many extents, whose map takes separate blocks: every other page is a hole."""
    with path.open("wb", buffering=0) as file:
        for number in range(EXTENTS):
            os.pwrite(file.fileno(), b"x" * PAGE, number * 2 * PAGE)


async def test_the_measure_sees_a_wait_for_the_disk(disk: Disk) -> None:
    paths = [disk.root / f"{number}" for number in range(FILES)]
    for path in paths:
        write_with_block_of_attributes(path)
    disk.forget_blocks()
    assert any(sleeps(lambda path=path: os.listxattr(path)) for path in paths)


async def test_files_with_a_block_of_attributes(disk: Disk, service: FsAccessor) -> None:
    names = [f"{number}" for number in range(FILES)]
    for name in names:
        write_with_block_of_attributes(disk.root / name)
    (disk.root / "plain").write_bytes(b"data")
    await look_at(service, "plain")
    for name in names:
        await service.stat(name, OpStat())
        await read(service, name)
    disk.forget_blocks()
    assert [name for name in names if sleeps(lambda name=name: service._cached_files.stat(name))] == []
    assert [name for name in names if sleeps(lambda name=name: service._cached_files.read(name, OpRead(), LIMIT))] == []
    for name in names:
        assert len((await service.stat(name, OpStat())).metadata.user_metadata["key"]) == 2500


async def test_an_attribute_that_comes_after_a_look_is_seen(disk: Disk, service: FsAccessor) -> None:
    (disk.root / "file").write_bytes(b"data")
    for number in range(FILES):
        await look_at(service, "file")
        os.setxattr(disk.root / "file", "user.key", b"%d" % number)
        assert (await service.stat("file", OpStat())).metadata.user_metadata == {"key": f"{number}"}
        os.removexattr(disk.root / "file", "user.key")


async def test_a_cold_range_of_a_fragmented_file(disk: Disk, service: FsAccessor) -> None:
    write_fragmented(disk.root / "file")
    disk.forget_everything()
    await look_at_first_page(service)
    slept = list[int]()
    for number in range(100, EXTENTS, 100):
        disk.forget_blocks()
        window = BytesRange(number * 2 * PAGE, number * 2 * PAGE + 10)
        if sleeps(lambda window=window: service._cached_files.read("file", OpRead(range=window), LIMIT)):
            slept.append(number)
    assert slept == []


async def test_warm_pages_before_cold_ones(disk: Disk, service: FsAccessor) -> None:
    """The page that marks where reading ahead continues is in memory, and the pages after it are not."""
    write_fragmented(disk.root / "file")
    disk.forget_everything()
    await look_at_first_page(service)
    slept = list[int]()
    for number in range(300, EXTENTS, 100):
        disk.forget("file")
        start = number * 2 * PAGE
        with (disk.root / "file").open("rb", buffering=0) as file:
            for page in range(4):  # which reads ahead
                os.pread(file.fileno(), PAGE, start + page * PAGE)
        disk.forget_blocks()
        for page in range(48):
            window = BytesRange(start + page * PAGE, start + page * PAGE + 10)
            if sleeps(lambda window=window: service._cached_files.read("file", OpRead(range=window), LIMIT)):
                slept.append(number)
    assert slept == []


async def look_at_first_page(service: FsAccessor) -> None:
    for _ in range(100):
        assert await read(service, "file", OpRead(range=BytesRange(0, 1)))
        if service._cached_files.stat("file") is not None:
            return
        await asyncio.sleep(0.02)
    pytest.skip("the kernel does not tell what it has in memory")


async def test_the_time_of_the_last_access_is_noted_by_a_thread(disk: Disk, service: FsAccessor) -> None:
    names = [f"{number}" for number in range(FILES)]
    for name in names:
        (disk.root / name).write_bytes(b"data")
    await look_at(service, *names)
    for name in names:
        os.utime(disk.root / name, ns=(time.time_ns() - 2 * 86_400 * 10**9, time.time_ns() - 3 * 86_400 * 10**9))
    await asyncio.sleep(0.02)
    for name in names:
        await service.stat(name, OpStat())  # known to be plain once more
    disk.forget_blocks()
    assert [name for name in names if sleeps(lambda name=name: service._cached_files.read(name, OpRead(), LIMIT))] == []
    await read(service, names[0])
    assert (disk.root / names[0]).stat().st_atime > time.time() - 3600


async def test_what_is_in_memory_comes_without_sleep(disk: Disk, service: FsAccessor) -> None:
    names = [f"{number}" for number in range(FILES)]
    for name in names:
        (disk.root / name).write_bytes(b"data")
    await look_at(service, *names)
    disk.forget_blocks()
    given = list[object]()
    assert not any(sleeps(lambda name=name: given.append(service._cached_files.stat(name))) for name in names)
    assert not any(
        sleeps(lambda name=name: given.append(service._cached_files.read(name, OpRead(), LIMIT))) for name in names
    )
    assert all(answer is not None for answer in given)
