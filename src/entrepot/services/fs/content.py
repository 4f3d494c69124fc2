"""The bytes of open files, and what is known of them."""

import os
from collections.abc import Callable
from dataclasses import replace
from fcntl import ioctl
from typing import Final

from entrepot.types import Metadata

from .core import describe
from .user_metadata import user_metadata_of

_FICLONE: Final = 0x40049409
_STEP: Final = 64 * 1024 * 1024
"""Bytes that the system copies at a time. Between two steps a copy can be taken back."""
_BUFFER: Final = 1024 * 1024


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Writes at an offset, however few bytes the system takes at a time."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def describe_open(descriptor: int) -> Metadata:
    """All that is known of an open regular file, user metadata included."""
    return with_user_metadata(describe(os.fstat(descriptor)), descriptor)


def with_user_metadata(metadata: Metadata, descriptor: int) -> Metadata:
    """The metadata of an open file, and the user metadata that it has."""
    kept = user_metadata_of(descriptor)
    return replace(metadata, user_metadata=kept) if kept else metadata


def copy_content(source: int, target: int, check_wanted: Callable[[], None]) -> None:
    """Fills an empty open file with the bytes of another.

    The file system shares them between both if it can, else the kernel copies them if it can, else they
    go through memory.

    Arguments:
        source: the open file to copy.
        target: the open file to fill.
        check_wanted: called between two steps; what it raises ends the copy.
    """
    if _shared(source, target):
        return
    offset = _copied_by_kernel(source, target, check_wanted)
    while data := os.pread(source, _BUFFER, offset):
        check_wanted()
        write_all(target, data, offset)
        offset += len(data)


def _shared(source: int, target: int) -> bool:
    """Whether the file system lets both files share the same blocks (ioctl_ficlonerange(2))."""
    try:
        ioctl(target, _FICLONE, source)
    except OSError:  # whatever it says, copying will say it again or do without
        return False
    return os.fstat(target).st_size > 0


def _copied_by_kernel(source: int, target: int, check_wanted: Callable[[], None]) -> int:
    """How many bytes it copied: none where it cannot do that between these two, or the files tell no size."""
    offset = 0
    while hasattr(os, "copy_file_range"):
        check_wanted()
        try:
            copied = os.copy_file_range(source, target, _STEP, offset, offset)
        except OSError:  # the same
            break
        if not copied:
            break
        offset += copied
    return offset
