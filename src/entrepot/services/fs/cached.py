"""What the kernel has in memory and gives without waiting for a disk, so that it takes no hop to a thread.

Theory of operation. Each system call that is made here answers from memory, or not at all:

- The names of a path and the attributes of what they lead to: openat2(2) with RESOLVE_CACHED and O_PATH, fstat(2),
  name_to_handle_at(2).
- Extended attributes are never asked for, because they may lie in a block of their own. Only a file that a thread
  found to have none that matter (`plain_files`) is answered for. It has no access list either, which opening
  would read.
- Pages of a file: preadv2(2) with RWF_NOWAIT gives only what is in memory, but first it starts to read ahead what is
  not, and to find that on the disk it reads the map of the file's blocks, and waits for it. So it is called only if
  the whole range, and as much behind it as the kernel would read ahead, is in memory (`page_cache`).
- A read that would set the time of the last access is left to a thread: to note it may wait for the journal or for the
  block of the inode. With `relatime` that is the first read after a change and one a day, with `strictatime` each.

This holds for file systems of a local disk. On others, such as those of a network or of another process, opening or
asking for attributes waits for an answer, so there nothing is tried.

What cannot be excluded is what happens between two of these calls: pages that are evicted right then, or a file that
is deleted right then, whose blocks are freed by closing it. The first open of an encrypted or verified file (fscrypt,
fs-verity) may read its key. Memory of this process that is swapped out is beyond all that.

Only success is reported. Where the kernel would have to wait, where there is a link in the path or another file system,
where something is missing or anything else is out of the ordinary, the answer is None, and the way that may wait
finds out what it is and says so.
"""

import os
import time
from contextlib import suppress
from functools import cache
from types import ModuleType
from typing import Final

from entrepot.raw import OpRead
from entrepot.raw.conditions import check_conditions
from entrepot.types import Metadata

from .core import is_reserved
from .kernel import beneath
from .kernel.attributes import may_misstate_size
from .kernel.describe import describe
from .kernel.plain_files import PlainFiles

LIMIT: Final = 64 * 1024
"""The most bytes that are read so: copying more would hold up the loop for longer than a hop takes it."""

_ROOT: Final = getattr(os, "O_PATH", 0) | os.O_DIRECTORY
_LOOK: Final = getattr(os, "O_PATH", 0)
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_NO_WAIT: Final = getattr(os, "RWF_NOWAIT", 0)
_READ_FLAGS: Final = {
    0xEF53: _NO_WAIT,  # ext2, ext3, ext4
    0x58465342: _NO_WAIT,  # XFS
    0x9123683E: _NO_WAIT,  # Btrfs
    0xF2F52010: _NO_WAIT,  # F2FS
    0x01021994: 0,  # tmpfs, which has no such flag: its pages are memory, and swapped out as that of a process is
}
"""How to read on the file systems whose calls do not wait, by `f_type` of statfs(2)."""

_UNKNOWN: Final = -1
_NEVER: Final = -2
_READ_AHEAD: Final = 4 * 1024 * 1024
"""Bytes that are taken to be read ahead where the kernel does not say how many: the most by default, that of Btrfs."""
_DAY: Final = 24 * 60 * 60 - 60
"""Seconds after which `relatime` sets the time of the last access at any rate, less one minute for two clocks."""


class CachedFiles:
    """Stats and reads what lies beneath a directory, or gives None where that might have to wait.

    Arguments:
        root: the root directory.
    """

    __slots__ = ("_device", "_is_asked", "_keeps_access_time", "_may_read", "_plain", "_read_ahead", "_read_flags",
                 "_root")  # fmt: skip

    def __init__(self, root: str) -> None:
        self._root = root
        self._device = _UNKNOWN
        self._read_flags = 0
        self._read_ahead = 0
        self._may_read = True
        self._keeps_access_time = False
        self._plain = PlainFiles()
        self._is_asked = False

    def learn(self, file: int | str) -> None:
        """Finds out what the next attempt needs to know, if one was made. Blocks. Until then everything is None.

        Arguments:
            file: what it was made for: an open file, or a path relative to the root.
        """
        if not self._is_asked:
            return
        self._is_asked = False
        if self._device == _UNKNOWN:
            self._learn_file_system()
        if self._device >= 0:
            with suppress(OSError):
                self._plain.learn(file if isinstance(file, int) else f"{self._root}/{file}", self._device)

    def _learn_file_system(self) -> None:
        try:
            self._device = self._learned_device() if _NO_WAIT and beneath.kernel_confines() else _NEVER
        except (FileNotFoundError, BlockingIOError):
            self._device = _UNKNOWN
        except OSError:  # the kernel does not know what may not wait, or does not let us ask
            self._device = _NEVER

    def _learned_device(self) -> int:
        kernel = _kernel()
        root = kernel.open_cached(self._root, _ROOT)
        try:
            flags = _READ_FLAGS.get(kernel.kind_of_file_system(root))
            if flags is None:
                return _NEVER
            device = os.fstat(root).st_dev
            mounted = os.fstatvfs(root).f_flag
        finally:
            os.close(root)
        self._read_flags = flags
        self._read_ahead = _read_ahead_of(device)
        self._keeps_access_time = bool(mounted & os.ST_NOATIME)
        self._may_read = bool(mounted & (os.ST_NOATIME | os.ST_RELATIME)) and _page_cache().works()
        self._plain = PlainFiles()
        return device

    def may_be_had(self) -> bool:
        """Whether trying makes sense here."""
        return self._device != _NEVER

    def may_be_read(self) -> bool:
        """The same for reads."""
        return self._may_read and self._device != _NEVER

    def stat(self, relative: str) -> Metadata | None:
        """The metadata of what lies at a relative path."""
        try:
            root = self._opened_root(relative)
            try:
                attributes, metadata = _described_beneath(root, relative)
            finally:
                os.close(root)
            if metadata.is_file:
                self._check_is_all(attributes)
        except (OSError, UnicodeEncodeError):
            return None
        return metadata

    def read(self, relative: str, args: OpRead, most: int) -> tuple[Metadata, bytes] | None:
        """The metadata of a file, and the whole range that is asked for, if it has at most so many bytes."""
        try:
            root = self._opened_root(relative)
            try:
                # opening alone can do something to a device, and has to look for an access list where there may be one
                self._check_is_all(_attributes_beneath(root, relative))
                descriptor = _kernel().open_cached_beneath(root, relative, _READ)
            finally:
                os.close(root)
            try:
                return self._read_open(descriptor, args, min(most, LIMIT))
            finally:
                os.close(descriptor)
        except (OSError, ValueError):  # errors of ours are such, and the way that may wait raises them
            return None

    def _opened_root(self, relative: str) -> int:
        """The root, if it lies on what it lay on before; somebody may have mounted something else there."""
        self._is_asked = True
        if self._device < 0 or is_reserved(relative):
            raise BlockingIOError
        root: int = _kernel().open_cached(self._root, _ROOT)
        if os.fstat(root).st_dev == self._device:
            return root
        os.close(root)
        self._device = _UNKNOWN
        raise BlockingIOError

    def _check_is_all(self, attributes: os.stat_result) -> None:
        """Lets pass regular files that have no more metadata than their attributes tell."""
        if may_misstate_size(attributes) or attributes not in self._plain:
            raise BlockingIOError

    def _read_open(self, descriptor: int, args: OpRead, most: int) -> tuple[Metadata, bytes]:
        attributes = os.fstat(descriptor)
        self._check_is_all(attributes)
        size = attributes.st_size
        start, end = args.range.resolve(size)
        if end - start > most or self._sets_access_time(attributes):
            raise BlockingIOError
        metadata = describe(attributes, descriptor)
        check_conditions(metadata, args)
        data = bytearray(end - start)
        if not _page_cache().is_cached(descriptor, start, min(end + self._read_ahead, size)):
            raise BlockingIOError
        if os.preadv(descriptor, [data], start, self._read_flags) < end - start:
            raise BlockingIOError
        return metadata, bytes(data)

    def _sets_access_time(self, attributes: os.stat_result) -> bool:
        if self._keeps_access_time:
            return False
        accessed = attributes.st_atime_ns
        return (
            accessed <= max(attributes.st_mtime_ns, attributes.st_ctime_ns) or time.time() - attributes.st_atime > _DAY
        )


def _read_ahead_of(device: int) -> int:
    """How many bytes the kernel reads ahead on a device."""
    try:
        with open(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb", "rb") as file:  # noqa: PTH123
            return int(file.read()) * 1024
    except (OSError, ValueError):
        return _READ_AHEAD


def _described_beneath(root: int, relative: str) -> tuple[os.stat_result, Metadata]:
    descriptor = _kernel().open_cached_beneath(root, relative, _LOOK)
    try:
        attributes = os.fstat(descriptor)
        return attributes, describe(attributes, descriptor)
    finally:
        os.close(descriptor)


def _attributes_beneath(root: int, relative: str) -> os.stat_result:
    descriptor = _kernel().open_cached_beneath(root, relative, _LOOK)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


@cache
def _kernel() -> ModuleType:
    """The module of `openat2`, which is imported on use, once: an import statement takes as long as a system call."""
    from .kernel import openat2

    return openat2


@cache
def _page_cache() -> ModuleType:
    """The module of `cachestat`, likewise."""
    from .kernel import page_cache

    return page_cache
