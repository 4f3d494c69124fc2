"""What the kernel has in memory and gives without waiting for a disk, so that it takes no hop to a thread.

The names of a path (openat2(2) with RESOLVE_CACHED), the attributes of what they lead to, and pages of a file
(preadv2(2) with RWF_NOWAIT) can be had so on file systems of a local disk. On others, such as those of a network or
of another process, opening or asking for attributes waits for an answer, so there nothing is tried.

Nothing is decided here but good news. Where the kernel would have to wait, where there is a link in the path or
another file system, where something is missing or anything else is out of the ordinary, the answer is None, and the
way that may wait finds out what it is and says so.
"""

import os
from functools import cache
from types import ModuleType
from typing import Final

from entrepot.raw import OpRead
from entrepot.raw.conditions import check_conditions
from entrepot.types import Metadata

from . import confined
from .content import with_user_metadata
from .core import check_is_regular, describe, is_reserved, may_misstate_size
from .user_metadata import may_have_user_metadata

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


class AtOnce:
    """Stats and reads what lies beneath a directory, or gives None where that might have to wait.

    Arguments:
        root: the root directory.
        has_user_metadata: whether its file system has user metadata.
    """

    __slots__ = ("_device", "_has_user_metadata", "_is_asked", "_read_flags", "_root")

    def __init__(self, root: str, *, has_user_metadata: bool) -> None:
        self._root = root
        self._has_user_metadata = has_user_metadata
        self._device = _UNKNOWN
        self._read_flags = 0
        self._is_asked = False

    def learn(self) -> None:
        """Finds out what the root lies on, if that was asked for. Blocks. Until then everything is None."""
        if not self._is_asked:
            return
        self._is_asked = False
        try:
            self._device = self._learned_device() if _NO_WAIT and confined.kernel_confines() else _NEVER
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
            self._read_flags = flags
            return os.fstat(root).st_dev
        finally:
            os.close(root)

    def may_be_had(self) -> bool:
        """Whether trying makes sense here."""
        return self._device != _NEVER

    def stat(self, relative: str) -> Metadata | None:
        """The metadata of what lies at a relative path."""
        try:
            root = self._opened_root(relative)
            try:
                attributes = _attributes_beneath(root, relative)
            finally:
                os.close(root)
            metadata = describe(attributes)
            if metadata.is_file:
                self._check_is_all(relative, attributes)
        except OSError:
            return None
        return metadata

    def read(self, relative: str, args: OpRead, most: int) -> tuple[Metadata, bytes] | None:
        """The metadata of a file, and the whole range that is asked for, if it has at most so many bytes."""
        try:
            root = self._opened_root(relative)
            try:
                # opening alone can do something to a device
                check_is_regular(_attributes_beneath(root, relative))
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
        if self._device < 0 or is_reserved(relative):
            self._is_asked = self._device == _UNKNOWN
            raise BlockingIOError
        root: int = _kernel().open_cached(self._root, _ROOT)
        if os.fstat(root).st_dev == self._device:
            return root
        os.close(root)
        self._device = _UNKNOWN
        raise BlockingIOError

    def _check_is_all(self, relative: str, attributes: os.stat_result) -> None:
        """Lets pass what has no more metadata than its attributes tell."""
        if may_misstate_size(attributes):
            raise BlockingIOError
        if self._has_user_metadata and may_have_user_metadata(f"{self._root}/{relative}"):
            raise BlockingIOError

    def _read_open(self, descriptor: int, args: OpRead, most: int) -> tuple[Metadata, bytes]:
        attributes = os.fstat(descriptor)
        check_is_regular(attributes)
        start, end = args.range.resolve(attributes.st_size)
        if end - start > most or may_misstate_size(attributes):
            raise BlockingIOError
        metadata = describe(attributes)
        if self._has_user_metadata:
            metadata = with_user_metadata(metadata, descriptor)
        check_conditions(metadata, args)
        data = bytearray(end - start)
        if os.preadv(descriptor, [data], start, self._read_flags) < end - start:
            raise BlockingIOError
        return metadata, bytes(data)


def _attributes_beneath(root: int, relative: str) -> os.stat_result:
    descriptor = _kernel().open_cached_beneath(root, relative, _LOOK)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


@cache
def _kernel() -> ModuleType:
    """The module of `openat2`, which is imported on use, once: an import statement takes as long as a system call."""
    from . import openat2

    return openat2
