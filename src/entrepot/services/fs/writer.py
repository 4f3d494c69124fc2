"""Writing a file: all of it or nothing, in one step that others can see."""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Final

from entrepot.errors import InvalidInput
from entrepot.raw import oio
from entrepot.raw.os_errors import os_errors_as_ours
from entrepot.types import Metadata

from .confined import make_directories, open_root
from .core import check_is_regular, describe

if TYPE_CHECKING:
    from entrepot.raw.runtime import Runtime

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEFAULT_MODE: Final = 0o666
_PERMISSIONS: Final = 0o777


class FsWriter(oio.Write):
    """Collects what is written and replaces the file on close, in one hop."""

    __slots__ = ("_parts", "_replacement", "_runtime", "_stored")

    def __init__(self, runtime: "Runtime", replacement: "Replacement") -> None:
        self._runtime = runtime
        self._replacement = replacement
        self._parts: list[bytes] = []
        self._stored: Metadata | None = None

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._stored is not None:
            raise InvalidInput("the writer is closed")
        self._replacement.check_wanted()
        self._parts.append(bytes(data))

    async def close(self) -> Metadata:
        if self._stored is None:
            self._stored = await self._runtime.blocking(self._replacement.publish, self._parts)
            self._parts = []
        return self._stored

    async def abort(self) -> None:
        if self._stored is None:
            await self._runtime.blocking(self._replacement.withdraw)
            self._parts = []


class Replacement:
    """The new content of a file.

    A thread that publishes goes on although the one who waited for it was cancelled. So publishing
    looks again before it takes effect, and `withdraw` returns when no thread is at it any more.

    Arguments:
        root: the root directory.
        path: the file, relative to it.
    """

    __slots__ = ("_at_work", "_is_withdrawn", "_name", "_parent", "_root")

    def __init__(self, root: str, path: str) -> None:
        parent, _, self._name = path.rpartition("/")
        self._parent = parent or "."
        self._root = root
        self._at_work = Lock()
        self._is_withdrawn = False

    def publish(self, parts: Sequence[bytes]) -> Metadata:
        """Puts the content in the place of the file, under its name, in one step.

        Directories above it, the root included, are made where they are missing.
        """
        with self._at_work, os_errors_as_ours():
            self.check_wanted()
            directory = self._open_parent()
            try:
                return self._replace_in(directory, parts)
            finally:
                os.close(directory)

    def withdraw(self) -> None:
        """Publishes nothing from now on. What was published before stays."""
        self._is_withdrawn = True
        with self._at_work:
            return

    def check_wanted(self) -> None:
        """Passes until it is withdrawn.

        Raises:
            InvalidInput: it was.
        """
        if self._is_withdrawn:
            raise InvalidInput("the writer was aborted")

    def _open_parent(self) -> int:
        try:
            return self._open_parent_beneath(open_root(self._root))
        except FileNotFoundError:
            os.makedirs(self._root, exist_ok=True)  # noqa: PTH103 - as little is imported as possible
        return self._open_parent_beneath(open_root(self._root))

    def _open_parent_beneath(self, root: int) -> int:
        try:
            return make_directories(root, self._parent)
        finally:
            os.close(root)

    def _replace_in(self, directory: int, parts: Sequence[bytes]) -> Metadata:
        mode = _permissions_of(self._name, directory)
        temporary = f".entrepot-{os.urandom(8).hex()}.tmp"
        descriptor = os.open(temporary, _CREATE, _DEFAULT_MODE if mode is None else mode, dir_fd=directory)
        try:
            self._fill(descriptor, parts, mode)
            self.check_wanted()
            os.rename(temporary, self._name, src_dir_fd=directory, dst_dir_fd=directory)
            return describe(os.fstat(descriptor))  # not earlier: renaming is a change, and so in the etag
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise
        finally:
            os.close(descriptor)

    def _fill(self, descriptor: int, parts: Sequence[bytes], mode: int | None) -> None:
        for part in parts:
            self.check_wanted()
            _write_all(descriptor, part)
        if mode is not None:
            os.fchmod(descriptor, mode)
        os.close(os.dup(descriptor))  # a network file system may say only on closing that it has no room


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _permissions_of(name: str, directory: int) -> int | None:
    """The permissions that the new file keeps, or None where there is no file to keep them of.

    Raises:
        IsADirectory, Unsupported: there is something that must not be replaced by a file.
    """
    try:
        attributes = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(attributes.st_mode):
        return None
    check_is_regular(attributes)
    return attributes.st_mode & _PERMISSIONS
