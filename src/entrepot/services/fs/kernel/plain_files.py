"""A cache of files without relevant extended attributes: no user metadata and no ACL.

Reading extended attributes may wait for a disk even where the attributes (inode(7)) of the file are in memory, because
they may lie in a separate block. So a thread reads them, and the result is valid as long as the file's time of last
change (ctime) is the same, because setting an attribute changes the ctime.

A second change within one tick of the clock leaves the ctime as it is. So a file is not remembered while another change
could still get the same ctime.
"""

import errno
import os
import stat
import time
from typing import Final

_GENERATION: Final = 32 * 1024
"""Files after which the older half of the cache is dropped. Each takes about 100 bytes."""
_COARSE_CLOCK: Final = 5
"""CLOCK_REALTIME_COARSE (clock_gettime(2)), by which Linux stamps files."""
_SECOND: Final = 1_000_000_000
_PREFIXES: Final = ("user.", "system.")
_NONE_HERE: Final = (errno.EOPNOTSUPP, errno.ENOSYS)


class PlainFiles:
    """The most recent files of one file system that are known to be plain.

    Threads may add and look up at the same time: each step is one operation of a dict.
    """

    __slots__ = ("_older", "_recent")

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._older: dict[int, int] = {}

    def __contains__(self, attributes: os.stat_result) -> bool:
        inode, changed = attributes.st_ino, attributes.st_ctime_ns
        return self._recent.get(inode) == changed or self._older.get(inode) == changed

    def learn(self, file: int | str, device: int) -> None:
        """Reads the attribute names of a file, and remembers the file if it is plain. Blocks.

        Arguments:
            file: the descriptor or the path; a link is not followed.
            device: the device of the file system; files of others are not remembered.

        Raises:
            OSError: the file cannot be read.
        """
        now = time.clock_gettime_ns(_COARSE_CLOCK)
        before = _attributes(file)
        if before.st_dev != device or not stat.S_ISREG(before.st_mode) or before in self:
            return
        if not (_is_settled(before, now) and _is_plain(file)):
            return
        after = _attributes(file)  # a path may lead to another file by now
        if (after.st_dev, after.st_ino, after.st_ctime_ns) == (device, before.st_ino, before.st_ctime_ns):
            self._add(after)

    def _add(self, attributes: os.stat_result) -> None:
        if len(self._recent) >= _GENERATION:
            self._older, self._recent = self._recent, {}
        self._recent[attributes.st_ino] = attributes.st_ctime_ns


def _attributes(file: int | str) -> os.stat_result:
    return os.fstat(file) if isinstance(file, int) else os.lstat(file)


def _is_settled(attributes: os.stat_result, now: int) -> bool:
    """Whether a change now would get another ctime. A file system with whole seconds has ticks of a second."""
    changed = attributes.st_ctime_ns
    return now > (changed if changed % _SECOND else changed + _SECOND)


def _is_plain(file: int | str) -> bool:
    try:
        names = os.listxattr(file) if isinstance(file, int) else os.listxattr(file, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NONE_HERE:
            raise
        return True
    return not any(name.startswith(_PREFIXES) for name in names)
