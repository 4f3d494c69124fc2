"""Appender to a file. What is there stays, and what comes is put behind it at once."""

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
from .kernel.descriptor import Descriptor
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
    """What is put behind a file, one buffer after the other.

    Each buffer is written in one step under a lock of the file (flock(2)), so that those of several writers
    never mix, and one that did not fit is taken back whole. While somebody else has the lock, no thread waits for it.

    Under the lock the path must still lead to the open file. Else it was renamed or deleted, as log files are that are
    rotated, and the path is opened once more.

    Arguments:
        runtime: where the calls that block are made.
        root: the root directory.
        relative: the file, relative to it.
        fsync: whether it is forced to the disk before the writer is closed.
    """

    __slots__ = ("_done", "_file", "_fsync", "_relative", "_revocable", "_root", "_runtime")

    def __init__(self, runtime: "Runtime", root: str, relative: str, *, fsync: bool) -> None:
        self._runtime = runtime
        self._root = root
        self._relative = relative
        self._fsync = fsync
        self._file = Descriptor(-1)
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
        """True, or None while somebody else has the lock."""
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
        """Appends what was not appended by a thread whose caller had gone. False while somebody else has the lock."""
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
            self._file = Descriptor(open_to_append(self._root, self._relative, fsync=self._fsync))
        return self._file.number


def _leads_to(root: str, relative: str, descriptor: int) -> bool:
    """Whether a path leads to an open file."""
    directory = open_root(root)
    try:
        return os.path.samestat(attributes_beneath(directory, relative), os.fstat(descriptor))
    except FileNotFoundError:
        return False
    finally:
        os.close(directory)


def open_to_append(root: str, relative: str, *, fsync: bool) -> int:
    """Opens a file, which is made where there is none.

    Raises:
        IsADirectory, Unsupported: there is something that is no regular file.
        NotFound: there is a symbolic link to nothing.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _open_existing(root, relative)
        except FileNotFoundError:
            put_in_parent(root, relative, partial(_create, fsync=fsync), fsync=fsync)
    raise NotFound("the path leads to nothing: a symbolic link, or a file that comes and goes")


def _open_existing(root: str, relative: str) -> int:
    directory = open_root(root)
    try:
        check_is_regular(attributes_beneath(directory, relative))  # opening alone can do something to a device
        descriptor = open_beneath(directory, relative, _APPEND)
    finally:
        os.close(directory)
    try:
        check_is_regular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _create(directory: Descriptor, name: str, *, fsync: bool) -> None:
    with suppress(FileExistsError):  # somebody else has made it
        os.close(os.open(name, _CREATE, _MODE, dir_fd=directory.number))
        if fsync:
            sync_directory(directory.number)
    directory.close()


def append_whole(descriptor: int, data: bytes) -> None:
    """Puts all of the data behind a file whose lock is held, or nothing.

    Of a part that was written before an error, such as a full disk, the file is relieved again, unless somebody
    who does not ask for the lock has put something behind it meanwhile.
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
    except OSError:  # a file system without locks: there O_APPEND alone keeps writers apart
        return True
    return True


def _unlock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except OSError:  # the same
        return
