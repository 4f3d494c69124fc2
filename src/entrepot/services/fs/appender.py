"""Appending to a file: each buffer is written right away after the existing content.

Theory of operation. For each buffer, one thread call does the following:

1. It opens the file, if the file is not open from the last buffer, and makes it if it is missing.
2. It takes the lock of the file (flock(2)) without waiting. If another writer has the lock, the file is closed, the
   call returns, and `poll` tries again after a pause; no thread waits.
3. Under the lock it checks that the path still leads to the open file. If not, the file was renamed or deleted (as log
   files are that are rotated), and all starts again with the new file, up to 8 times.
4. It writes the buffer and frees the lock. If only a part fits, the file is truncated to the old size, unless another
   program that does not use the lock appended in between.

So buffers of several tasks, threads and processes never mix. `_done` is the offset after the last buffer that was
appended: a call whose caller was cancelled may have appended its buffer, and the repeated call must not append it
again. After `abort` no thread changes the file; buffers that were appended before stay.
"""

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot.errors import NotFound, Unexpected
from entrepot.raw import oio
from entrepot.raw.os_errors import translate_os_errors
from entrepot.types import Metadata

from .kernel.attributes import check_is_regular
from .kernel.beneath import attributes_beneath, open_beneath, open_root, put_in_parent
from .kernel.content import describe_open
from .kernel.descriptor import Descriptor, open_at
from .kernel.publish import sync_directory
from .polling import poll
from .revocable import Revocable, until_free

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE: Final = _APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_MODE: Final = 0o666
_ATTEMPTS: Final = 8
_MOST: Final = 1024 * 1024 * 1024
"""Linux takes a little less than 2 GiB in one call."""


class Appender(oio.PositionedFile):
    """Appends buffers to a file, one after the other.

    Arguments:
        runtime: makes the blocking calls.
        root: the root directory.
        relative: the file, relative to the root.
        fsync: whether the file is forced to the disk before the writer is closed.
    """

    __slots__ = ("_done", "_file", "_fsync", "_relative", "_revocable", "_root", "_runtime")

    def __init__(self, runtime: "Runtime", root: str, relative: str, *, fsync: bool) -> None:
        self._runtime = runtime
        self._root = root
        self._relative = relative
        self._fsync = fsync
        self._file = Descriptor()
        self._done = 0
        self._revocable = Revocable()

    async def write_at(self, offset: int, content: Sequence[bytes]) -> None:
        await poll(self._runtime, partial(self._runtime.blocking, self._append, offset, content))

    async def publish(self, offset: int, content: Sequence[bytes]) -> Metadata:
        return await poll(self._runtime, partial(self._runtime.blocking, self._finish, offset, content))

    async def abort(self) -> None:
        if self._revocable.revoke() or self._file.number >= 0:
            await until_free(self._runtime, self._revocable)
            await self._runtime.blocking(self._file.close)

    def _append(self, offset: int, content: Sequence[bytes]) -> bool | None:
        """Returns True, or None while another writer has the lock."""
        with self._revocable, translate_os_errors():
            return self._put_once(offset, content) or None

    def _finish(self, offset: int, content: Sequence[bytes]) -> Metadata | None:
        with self._revocable, translate_os_errors():
            if not self._put_once(offset, content):
                return None
            descriptor = self._opened()
            if self._fsync:
                os.fsync(descriptor)
            metadata = describe_open(descriptor)
            self._file.close()
            return metadata

    def _put_once(self, offset: int, content: Sequence[bytes]) -> bool:
        """Appends a buffer, unless an earlier call did. Returns False while another writer has the lock."""
        data = content[0] if len(content) == 1 else b"".join(content)
        if data and offset >= self._done:
            if not self._put(data):
                return False
            self._done = offset + len(data)
        return True

    def _put(self, data: bytes) -> bool:
        for _ in range(_ATTEMPTS):
            descriptor = self._opened()
            if not _try_lock(descriptor):
                self._file.close()  # the path may lead to another file next time
                return False
            try:
                if _leads_to(self._root, self._relative, descriptor):
                    append_whole(descriptor, data)
                    return True
            finally:
                _unlock(descriptor)
            self._file.close()
        raise Unexpected("the file is replaced again and again while it is appended to", is_temporary=True)

    def _opened(self) -> int:
        if self._file.number < 0:
            self._file = open_to_append(self._root, self._relative, fsync=self._fsync)
        return self._file.number


def _leads_to(root: str, relative: str, descriptor: int) -> bool:
    """Whether a path leads to an open file."""
    with open_root(root) as directory:
        try:
            return os.path.samestat(attributes_beneath(directory, relative), os.fstat(descriptor))
        except FileNotFoundError:
            return False


def open_to_append(root: str, relative: str, *, fsync: bool) -> Descriptor:
    """Opens a file, and makes it where it is missing.

    Raises:
        IsADirectory, Unsupported: the path leads to something other than a regular file.
        NotFound: there is a symbolic link to nothing.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _open_existing(root, relative)
        except FileNotFoundError:
            put_in_parent(root, relative, partial(_create, fsync=fsync), fsync=fsync)
    raise NotFound("the path leads to nothing: a symbolic link, or a file that is made and deleted again and again")


def _open_existing(root: str, relative: str) -> Descriptor:
    with open_root(root) as directory:
        check_is_regular(attributes_beneath(directory, relative))  # opening alone can have an effect on a device
        opened = open_beneath(directory, relative, _APPEND)
    check_is_regular(os.fstat(opened.number))
    return opened


def _create(directory: Descriptor, name: str, *, fsync: bool) -> None:
    with suppress(FileExistsError):  # another process has made it
        open_at(name, _CREATE, _MODE, directory=directory.number).close()
        if fsync:
            sync_directory(directory.number)
    directory.close()


def append_whole(descriptor: int, data: bytes) -> None:
    """Appends all of the data to a file whose lock is held, or nothing.

    A part that was written before an error, such as a full disk, is removed again, unless a program that does not use
    the lock has appended after it.
    """
    rest, start, end = memoryview(data), -1, -1
    try:
        while rest:
            written = os.write(descriptor, rest[:_MOST])
            end = os.lseek(descriptor, 0, os.SEEK_CUR)
            start = end - written if start < 0 else start
            rest = rest[written:]
    except OSError:
        if start >= 0 and os.fstat(descriptor).st_size == end:
            os.ftruncate(descriptor, start)
        raise


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: only O_APPEND keeps writers apart there
        return True
    return True


def _unlock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except OSError:  # a file system without locks
        return
