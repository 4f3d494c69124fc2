"""Stats and reads that the kernel answers from memory, made in the event loop without a thread call.

Theory of operation. Each system call here succeeds from memory or fails; it does not wait for a disk:

- Names of a path and attributes: openat2(2) with RESOLVE_CACHED and O_PATH, fstat(2), name_to_handle_at(2).
- Extended attributes are never read, because they may lie in a separate block on the disk. Only a file that a thread
  found to have no relevant ones (`plain_files`) is answered here. It has no ACL either, which opening would read.
- Pages of a file: preadv2(2) with RWF_NOWAIT returns only pages that are in memory, but first it starts to read ahead
  the missing ones. To find those on the disk it reads the block map of the file, and waits for that. So it is called
  only if the whole range, and as much after it as the kernel would read ahead, is in memory (`page_cache`).
- A read that would set the time of the last access is left to a thread, because storing it may wait for the journal or
  for the block of the inode. With `relatime` that is the first read after a change and one a day, with `strictatime`
  each read.

This holds for file systems of a local disk. On others, such as network file systems or FUSE, opening a file or reading
its attributes waits for a response, so no attempt is made there.

Four waits cannot be excluded: pages that are evicted between two of these calls; a file that is deleted between them,
whose blocks are freed when it is closed; the first open of an encrypted or verified file (fscrypt, fs-verity), which
may read its key; and memory of this process that is swapped out.

Only success is reported. Where the kernel would have to wait, where the path has a link or crosses a mount, where the
file is missing, and in any other case, the result is None. The caller then takes the thread path, which finds the
cause and raises the error.

States of a `CachedFiles`: the device of the root is unknown at first; the first thread call after an attempt looks at
the file system (`learn`) and stores its device, or that no attempt makes sense there. If another device is found at
the root later (a mount), it is unknown again. Attempts run in the event loop and `learn` in threads at the same time;
each attribute is replaced in one step.

Descriptors are plain integers here, because an owner (`Descriptor`) would take as long as the system call. No
cancellation can come between these calls, which await nothing, and `asyncio.run` turns Ctrl-C into a cancellation.
"""

import os
import time
from contextlib import suppress
from functools import cache
from io import BytesIO
from types import ModuleType
from typing import Final

from entrepot.raw import OpRead
from entrepot.raw.conditions import check_conditions
from entrepot.raw.file_paths import is_reserved
from entrepot.types import Metadata

from .kernel import beneath
from .kernel.attributes import may_misstate_size
from .kernel.describe import Look, describe, describe_by_handle
from .kernel.plain_files import PlainFiles

LIMIT: Final = 64 * 1024
"""The most bytes of such a read of a whole file. Of a small file all is known beforehand; a large one is opened."""
PART_LIMIT: Final = 256 * 1024
"""The most bytes of such a read of an open file: copying more would block the loop for longer than a thread call."""

_ROOT: Final = getattr(os, "O_PATH", 0) | os.O_DIRECTORY
_LOOK: Final = getattr(os, "O_PATH", 0)
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_NO_WAIT: Final = getattr(os, "RWF_NOWAIT", 0)
_READ_FLAGS: Final = {
    0xEF53: _NO_WAIT,  # ext2, ext3, ext4
    0x58465342: _NO_WAIT,  # XFS
    0x9123683E: _NO_WAIT,  # Btrfs
    0xF2F52010: _NO_WAIT,  # F2FS
    0x01021994: 0,  # tmpfs, which has no such flag: its pages are memory, and are swapped out as process memory is
}
"""Flags of preadv2(2) on the file systems whose calls do not wait, by `f_type` of statfs(2)."""

_UNKNOWN: Final = -1
_NEVER: Final = -2
_READ_AHEAD: Final = 4 * 1024 * 1024
"""The read-ahead in bytes that is assumed where the kernel does not report it: the largest default, from Btrfs."""
_DAY: Final = 24 * 60 * 60 - 60
"""Seconds after which `relatime` sets the time of the last access in any case, less a minute for clock differences."""


class CachedFiles:
    """Stats and reads files of a directory from memory. Returns None where that might have to wait.

    Arguments:
        root: the root directory.
    """

    __slots__ = ("_device", "_is_attempted", "_keeps_access_time", "_may_read", "_mount", "_plain", "_read_ahead",
                 "_read_flags", "_root")  # fmt: skip

    def __init__(self, root: str) -> None:
        self._root = root
        self._device = _UNKNOWN
        self._read_flags = 0
        self._read_ahead = 0
        self._may_read = True
        self._keeps_access_time = False
        self._plain = PlainFiles()
        self._is_attempted = False
        self._mount: int | None = None

    def learn(self, file: int | str) -> None:
        """Learns what the next attempt needs, if an attempt was made. Blocks. Before that, each attempt returns None.

        Arguments:
            file: the file of the attempt: an open file, or a path relative to the root.
        """
        if not self._is_attempted:
            return
        self._is_attempted = False
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
        except OSError:  # the kernel cannot open without waiting, or a sandbox forbids it
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
        self._mount = _mount_without_links(self._root)
        self._read_ahead = _read_ahead_of(device)
        self._keeps_access_time = bool(mounted & os.ST_NOATIME)
        self._may_read = bool(mounted & (os.ST_NOATIME | os.ST_RELATIME)) and _page_cache().works()
        self._plain = PlainFiles()
        return device

    def is_usable(self) -> bool:
        """Whether an attempt makes sense on this file system."""
        return self._device != _NEVER

    def can_read(self) -> bool:
        """Whether an attempt to read makes sense on this file system."""
        return self._may_read and self._device != _NEVER

    def stat(self, relative: str) -> Metadata | None:
        """The metadata of the file or directory at a relative path, or None."""
        try:
            attributes, metadata = self._described(relative)
            if metadata.is_file:
                self._check_is_plain(attributes)
        except (OSError, UnicodeEncodeError):
            return None
        return metadata

    def read(self, relative: str, args: OpRead, most: int, look: Look = describe) -> tuple[Metadata, bytes] | None:
        """The metadata of a file and the whole requested range, if the range has at most `most` bytes; else None.

        `look` returns the metadata.
        """
        try:
            self._check_attempt(relative)
            root = self._open_root()
            try:
                # opening alone can have an effect on a device, and reads the ACL where the file may have one
                self._check_is_plain(_attributes_beneath(root, relative))
                descriptor = _kernel().open_cached_beneath(root, relative, _READ)
            finally:
                os.close(root)
            try:
                return self._read_open(descriptor, args, min(most, LIMIT), look)
            finally:
                os.close(descriptor)
        except (OSError, ValueError):  # entrepot's errors are among them; the thread path raises them
            return None

    def read_part(self, descriptor: int, start: int, end: int) -> bytes | None:
        """The bytes of an open file in a range that is not past its end, or None."""
        if end - start > PART_LIMIT:
            return None
        try:
            attributes = os.fstat(descriptor)
            if attributes.st_dev != self._device or self._sets_access_time(attributes):
                return None
            return self._read_cached(descriptor, attributes.st_size, start, end)
        except OSError:
            return None

    def _described(self, relative: str) -> tuple[os.stat_result, Metadata]:
        """The attributes and metadata of a path.

        Many roots have no link in their path. Then the whole path is opened at once: it has no link and no `..`, so it
        leads into the root, and the mount of the root is where it ends, or no file system is asked for anything. On
        another device without a mount, a subvolume, it is opened by the root.
        """
        self._check_attempt(relative)
        if self._mount is not None:
            descriptor = _kernel().open_cached_without_links(f"{self._root}/{relative}", _LOOK)
            try:
                handle = _handles().handle_in_mount(self._mount, descriptor)
                if handle is not None:
                    attributes = os.fstat(descriptor)
                    if attributes.st_dev == self._device:
                        return attributes, describe_by_handle(attributes, handle)
            finally:
                os.close(descriptor)
        root = self._open_root()
        try:
            return _described_beneath(root, relative)
        finally:
            os.close(root)

    def _check_attempt(self, relative: str) -> None:
        """Passes if an attempt may succeed, and notes that one is made."""
        self._is_attempted = True
        if self._device < 0 or is_reserved(relative):
            raise BlockingIOError

    def _open_root(self) -> int:
        """Opens the root, if it is still on the same device; another file system may have been mounted there."""
        root: int = _kernel().open_cached(self._root, _ROOT)
        if os.fstat(root).st_dev == self._device:
            return root
        os.close(root)
        self._device = _UNKNOWN
        raise BlockingIOError

    def _check_is_plain(self, attributes: os.stat_result) -> None:
        """Checks that a file is known to have no metadata besides its attributes."""
        if may_misstate_size(attributes) or attributes not in self._plain:
            raise BlockingIOError

    def _read_open(self, descriptor: int, args: OpRead, most: int, look: Look) -> tuple[Metadata, bytes]:
        attributes = os.fstat(descriptor)
        self._check_is_plain(attributes)
        size = attributes.st_size
        start, end = args.range.resolve(size)
        if end - start > most or self._sets_access_time(attributes):
            raise BlockingIOError
        metadata = look(attributes, descriptor)
        check_conditions(metadata, args)
        return metadata, self._read_cached(descriptor, size, start, end)

    def _read_cached(self, descriptor: int, size: int, start: int, end: int) -> bytes:
        """The bytes of an open file of some size in a range."""
        if not _page_cache().is_cached(descriptor, start, min(end + self._read_ahead, size)):
            raise BlockingIOError
        data = BytesIO(bytes(end - start))  # its buffer becomes the result without a copy
        with data.getbuffer() as view:
            if os.preadv(descriptor, [view], start, self._read_flags) < end - start:
                raise BlockingIOError
        return data.getvalue()

    def _sets_access_time(self, attributes: os.stat_result) -> bool:
        if self._keeps_access_time:
            return False
        accessed = attributes.st_atime_ns
        return (
            accessed <= max(attributes.st_mtime_ns, attributes.st_ctime_ns) or time.time() - attributes.st_atime > _DAY
        )


def _read_ahead_of(device: int) -> int:
    """The bytes that the kernel reads ahead on a device."""
    try:
        with open(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb", "rb") as file:  # noqa: PTH123
            return int(file.read()) * 1024
    except (OSError, ValueError):
        return _READ_AHEAD


def _mount_without_links(root: str) -> int | None:
    """The mount of the root; None if a link leads to it, or it cannot be told from memory just now."""
    try:
        descriptor = _kernel().open_cached_without_links(root, _ROOT)
    except OSError:
        return None
    try:
        mount: int | None = _handles().mount_of(descriptor)
    finally:
        os.close(descriptor)
    return mount


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
    """The module `openat2`, imported on use and once: an import statement takes as long as a system call."""
    from .kernel import openat2

    return openat2


@cache
def _handles() -> ModuleType:
    """The module `handles`, imported on use for the same reason."""
    from .kernel import handles

    return handles


@cache
def _page_cache() -> ModuleType:
    """The module `page_cache`, imported on use for the same reason."""
    from .kernel import page_cache

    return page_cache
