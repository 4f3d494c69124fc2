"""The content and the metadata of open files.

Theory of operation of a copy (`copy_content`). Three ways are tried, the cheapest first:

- The file system lets both files share the same blocks (FICLONE). Then nothing else is to do.
- The kernel copies (copy_file_range(2)), 64 MiB at a time.
- The bytes go through memory, 1 MiB at a time, from the offset at which the kernel stopped.

Only the spans with data are copied (SEEK_DATA, SEEK_HOLE), and the size is set at the end, so holes stay holes. A file
of `/proc` or `/sys` has another size than it states: it is read until its end. Any refusal of one way leads to the next
one; a real error (a full disk, a read error) comes again in the last way, which raises it.

The copy has the size that the source had at first. If the source is shorter in the end, the copy fails: its end would
be zeros. So does the copy of a file of more than `_AT_ONCE` bytes that changed, since its content may be a mix of two.
The target is a temporary file that only the caller can see. The copy is a generator, whose caller may end it between
two steps, and then discards the file.
"""

import errno
import os
from collections.abc import Generator, Iterator
from fcntl import ioctl
from typing import Final

from entrepot.errors import ConditionNotMatch
from entrepot.types import Metadata
from entrepot.types.records import replace

from .attributes import may_misstate_size
from .describe import describe
from .descriptor import owned
from .xattrs import user_metadata_of

_FICLONE: Final = 0x40049409
_STEP: Final = 64 * 1024 * 1024
"""Bytes that the kernel copies at a time. Between two steps a copy can be ended."""
_BUFFER: Final = 1024 * 1024
_AT_ONCE: Final = 8 * 1024 * 1024
"""The most bytes of a file that is taken as it is found, such as a log, as by one read of a stream."""


def write_all(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """Writes all bytes at an offset, in as many calls as the system needs."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def check_close(descriptor: int) -> None:
    """Closes a duplicate of the descriptor: some network file systems report a full disk only on close(2)."""
    owned(os.dup, descriptor).close()


def describe_open(descriptor: int) -> Metadata:
    """The metadata of an open regular file, user metadata included."""
    return with_user_metadata(describe(os.fstat(descriptor), descriptor), descriptor)


def with_user_metadata(metadata: Metadata, descriptor: int) -> Metadata:
    """Adds the user metadata of an open file to its metadata."""
    kept = user_metadata_of(descriptor)
    return replace(metadata, user_metadata=kept) if kept else metadata


def copy_content(source: int, target: int) -> Iterator[int]:
    """Fills an empty open file with the bytes of another. Holes of a sparse file stay holes.

    It copies as it is iterated, and yields the number of bytes after each step.

    Arguments:
        source: the open file to copy.
        target: the open file to fill.

    Raises:
        ConditionNotMatch: the source changed meanwhile.
    """
    if shared := _shared(source, target):
        yield shared
        return
    attributes = os.fstat(source)
    if may_misstate_size(attributes):
        yield from _copy_through_memory(source, target, 0, None)
        return
    for begin, end in _data_of(source, attributes):
        offset = yield from _copy_by_kernel(source, target, begin, end)
        if offset < end:
            offset = yield from _copy_through_memory(source, target, offset, end)
        if offset < end:
            raise _changed()
    _check_is_unchanged(source, attributes)
    if os.fstat(target).st_size < attributes.st_size:
        os.ftruncate(target, attributes.st_size)  # a hole at the end


def _check_is_unchanged(source: int, before: os.stat_result) -> None:
    now = os.fstat(source)
    is_modified = (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns)
    if now.st_size < before.st_size or (is_modified and before.st_size > _AT_ONCE):
        raise _changed()


def _changed() -> ConditionNotMatch:
    return ConditionNotMatch("the source changed while it was copied").add_context(side="source")


def _data_of(source: int, attributes: os.stat_result) -> Iterator[tuple[int, int]]:
    """Yields the spans of an open file that have data (lseek(2), SEEK_DATA), half-open."""
    offset, size = 0, attributes.st_size
    if attributes.st_blocks * 512 >= size:  # it has no holes
        yield 0, size
        return
    while offset < size:
        try:
            begin = os.lseek(source, offset, os.SEEK_DATA)
            offset = min(os.lseek(source, begin, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno != errno.ENXIO:  # the file system cannot say
                yield offset, size
            return
        yield begin, offset


def _copy_through_memory(source: int, target: int, offset: int, end: int | None) -> Generator[int, None, int]:
    """Copies from an offset to `end`, or to the end of the file. Returns the offset up to which it copied."""
    while data := os.pread(source, _BUFFER if end is None else min(_BUFFER, end - offset), offset):
        write_all(target, data, offset)
        offset += len(data)
        yield len(data)
    return offset


def _shared(source: int, target: int) -> int:
    """Lets both files share the same blocks (ioctl_ficlonerange(2)). The bytes; 0 where the file system cannot."""
    try:
        ioctl(target, _FICLONE, source)
    except OSError:  # copying does without, or raises the same error
        return 0
    return os.fstat(target).st_size


def _copy_by_kernel(source: int, target: int, offset: int, end: int) -> Generator[int, None, int]:
    """Returns the offset up to which it copied: `offset` itself where the kernel cannot copy between these files."""
    while hasattr(os, "copy_file_range") and offset < end:
        try:
            copied = os.copy_file_range(source, target, min(_STEP, end - offset), offset, offset)
        except OSError:  # as above
            break
        if not copied:
            break
        offset += copied
        yield copied
    return offset
