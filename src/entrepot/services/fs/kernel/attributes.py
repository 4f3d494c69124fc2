"""What the attributes of a file (inode(7)) mean to the fs service, pure."""

import os
import stat
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from entrepot.errors import IsADirectory, Unsupported
from entrepot.types import EntryMode, Metadata

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FILE: Final = EntryMode.FILE  # looked up once: on Python 3.11 that takes as long as a call
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LONGEST_TICK: Final = 2_000_000_000
"""Nanoseconds between two times that a file system can tell apart: a second on some, or two, and mostly far less."""
_SPECIAL: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def metadata_of(attributes: os.stat_result, handle: str | None = None) -> Metadata:
    """The metadata that attributes of the file system (inode(7)) amount to.

    Arguments:
        attributes: the attributes.
        handle: what tells the inode from others that have its number at other times (`handles`), if that is known.
    """
    moment = _moment(attributes.st_mtime_ns)
    if stat.S_ISREG(attributes.st_mode):
        return Metadata(_FILE, attributes.st_size, _etag(attributes, handle), moment)
    mode = EntryMode.DIR if stat.S_ISDIR(attributes.st_mode) else EntryMode.UNKNOWN
    return Metadata(mode, last_modified=moment)


def may_misstate_size(attributes: os.stat_result) -> bool:
    """Whether a file may hold more or fewer bytes than it says.

    Files of `/proc` say 0 and those of `/sys` say one page, whatever they hold; neither has blocks.
    """
    return attributes.st_blocks == 0 and attributes.st_size in (0, _PAGE)


def unless_stored(metadata: Metadata, file_system: os.statvfs_result) -> Metadata:
    """Without what a file that has no storage, like those of `/proc`, does not tell: only reading shows it."""
    return metadata if file_system.f_blocks else replace(metadata, content_length=None, etag=None)


def check_is_regular(attributes: os.stat_result) -> None:
    """Lets regular files pass. Anything else could block for ever, or is no bytes.

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


def _etag(attributes: os.stat_result, handle: str | None) -> str:
    """What tells one content of a file from every other.

    A file that is renamed over another has another inode, and whatever is done to a file sets the time of its last
    change, which nobody can set back as they can the time of its last modification. But the number of an inode is soon
    given to another file, and its handle is not. Without a handle the etag is weak, until the clock that stamps files
    has gone on: then no other file can get the number and the time.
    """
    changed = attributes.st_ctime_ns
    identity = f"{attributes.st_ino:x}" if handle is None else handle
    etag = f'"{identity}-{attributes.st_size:x}-{changed:x}"'
    return etag if handle is not None or time.time_ns() - changed > _LONGEST_TICK else f"W/{etag}"


def _moment(nanoseconds: int) -> datetime | None:
    """A time in whole microseconds, or None where it lies outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(0, 0, nanoseconds // 1000)
    except OverflowError:
        return None
