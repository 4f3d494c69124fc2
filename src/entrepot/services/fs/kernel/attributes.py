"""Metadata from the attributes of a file (inode(7)), pure.

An etag differs for every content of every file. A file that is renamed over another has another inode. Any change of a
file sets its time of last change (ctime), which no program can set back, unlike the time of last modification. The
number of an inode is soon given to another file; its handle is not.
"""

import os
import stat
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from entrepot.errors import IsADirectory, Unsupported
from entrepot.types import EntryMode, Metadata
from entrepot.types.records import replace

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FILE: Final = EntryMode.FILE  # looked up once: on Python 3.11 that takes as long as a call
_new_metadata: Final = Metadata.__new__  # takes two thirds of the time of a call of the class
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LONGEST_TICK: Final = 2_000_000_000
"""The longest clock tick of a file system in nanoseconds: one or two seconds on some, mostly far less."""
_SPECIAL: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def metadata_of(attributes: os.stat_result, handle: str | None = None) -> Metadata:
    """Returns the metadata of a file.

    Arguments:
        attributes: its attributes.
        handle: its file handle (`handles`), which differs between files that use the same inode number one after the
            other; None where it is unknown.
    """
    if stat.S_ISREG(attributes.st_mode):
        return metadata_of_regular(attributes, handle)
    mode = EntryMode.DIR if stat.S_ISDIR(attributes.st_mode) else EntryMode.UNKNOWN
    return Metadata(mode, last_modified=_time(attributes.st_mtime_ns))


def metadata_of_regular(attributes: os.stat_result, handle: str | None) -> Metadata:
    """`metadata_of` for a regular file, with less calls."""
    return metadata_of_numbers(
        attributes.st_ino, attributes.st_size, attributes.st_ctime_ns, attributes.st_mtime_ns, handle
    )


def metadata_of_numbers(inode: int, size: int, changed: int, modified: int, handle: str | None) -> Metadata:
    """`metadata_of_regular` from single attributes; times are in nanoseconds. A listing calls it for each file."""
    etag = _etag(inode, size, changed) if handle is None else '"%s-%x-%x"' % (handle, size, changed)  # noqa: UP031 - faster
    return _new_metadata(Metadata, _FILE, size, etag, _time(modified))


def may_misstate_size(attributes: os.stat_result) -> bool:
    """Whether the content of a file may be longer or shorter than its size.

    Files of `/proc` have the size 0 and files of `/sys` one page, whatever their content; neither has blocks.
    """
    return attributes.st_blocks == 0 and attributes.st_size in (0, _PAGE)


def unless_stored(metadata: Metadata, file_system: os.statvfs_result) -> Metadata:
    """Removes length and etag from the metadata of a file without storage (`/proc`): only reading shows the length."""
    return metadata if file_system.f_blocks else replace(metadata, content_length=None, etag=None)


def check_is_regular(attributes: os.stat_result) -> None:
    """Checks that a file is a regular file. Others could block without end, or do not hold bytes.

    Raises:
        IsADirectory: it is a directory.
        Unsupported: it is a FIFO, a socket or a device.
    """
    if stat.S_ISREG(attributes.st_mode):
        return
    if stat.S_ISDIR(attributes.st_mode):
        raise IsADirectory("the path names a directory")
    special = _SPECIAL.get(stat.S_IFMT(attributes.st_mode), "something else")
    raise Unsupported(f"only regular files can be read and written, and this is {special}")


def _etag(inode: int, size: int, changed: int) -> str:
    """Returns the etag of a file without a handle.

    It is weak until the clock that stamps files has advanced: then no other file can get the same inode number and
    time of last change.
    """
    etag = f'"{inode:x}-{size:x}-{changed:x}"'
    return etag if time.time_ns() - changed > _LONGEST_TICK else f"W/{etag}"


def _time(nanoseconds: int) -> datetime | None:
    """A time in whole microseconds, or None outside the years 1 to 9999."""
    try:
        return _EPOCH + _MICROSECOND * (nanoseconds // 1000)
    except OverflowError:
        return None
