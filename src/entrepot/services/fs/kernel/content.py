"""The bytes of open files, and what is known of them."""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from fcntl import ioctl
from typing import Final

from entrepot.types import Metadata

from .describe import describe
from .xattrs import user_metadata_of

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
    return with_user_metadata(describe(os.fstat(descriptor), descriptor), descriptor)


def with_user_metadata(metadata: Metadata, descriptor: int) -> Metadata:
    """The metadata of an open file, and the user metadata that it has."""
    kept = user_metadata_of(descriptor)
    return replace(metadata, user_metadata=kept) if kept else metadata


def copy_content(source: int, target: int, check_wanted: Callable[[], None]) -> None:
    """Fills an empty open file with the bytes of another. Holes of a sparse file stay holes.

    The file system shares them between both if it can, else the kernel copies them if it can, else they
    go through memory.

    Arguments:
        source: the open file to copy.
        target: the open file to fill.
        check_wanted: called between two steps; what it raises ends the copy.
    """
    if _shared(source, target):
        return
    size = os.fstat(source).st_size
    for begin, end in _data_of(source):
        offset = _copied_by_kernel(source, target, begin, end, check_wanted)
        _copy_through_memory(source, target, offset, end, check_wanted)
    if os.fstat(target).st_size < size:
        os.ftruncate(target, size)  # a hole at the end
    _copy_through_memory(source, target, size, None, check_wanted)  # what files of `/proc` hold, whose size is 0


def _data_of(source: int) -> Iterator[tuple[int, int]]:
    """Where an open file has data (lseek(2), SEEK_DATA): the spans between its holes, half-open."""
    attributes = os.fstat(source)
    offset, size = 0, attributes.st_size
    if attributes.st_blocks * 512 >= size:  # it has no holes
        yield 0, size
        return
    while offset < size:
        try:
            begin = os.lseek(source, offset, os.SEEK_DATA)
            offset = min(os.lseek(source, begin, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno != errno.ENXIO:  # the file system does not know
                yield offset, size
            return
        yield begin, offset


def _copy_through_memory(
    source: int, target: int, offset: int, end: int | None, check_wanted: Callable[[], None]
) -> None:
    """Copies from an offset on, up to the end of the file where no other is given."""
    while data := os.pread(source, _BUFFER if end is None else min(_BUFFER, end - offset), offset):
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


def _copied_by_kernel(source: int, target: int, offset: int, end: int, check_wanted: Callable[[], None]) -> int:
    """How far it copied: to `offset` where it cannot do that between these two, or the files tell no size."""
    while hasattr(os, "copy_file_range") and offset < end:
        check_wanted()
        try:
            copied = os.copy_file_range(source, target, min(_STEP, end - offset), offset, offset)
        except OSError:  # the same
            break
        if not copied:
            break
        offset += copied
    return offset
