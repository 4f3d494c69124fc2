"""Copying and renaming files within the root, each in one step that others can see."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from entrepot.errors import IsSameFile, Unsupported
from entrepot.raw.os_errors import translate_os_errors
from entrepot.types import Metadata

from .core import check_may_exist
from .kernel.attributes import check_is_regular
from .kernel.beneath import attributes_beneath, open_beneath, open_parent, open_root, put_in_parent
from .kernel.content import copy_content, describe_open
from .kernel.descriptor import Descriptor
from .kernel.permissions import give_permissions, permissions_of
from .kernel.publish import check_target, publish, sync_directory
from .kernel.temporary import Temporary
from .kernel.xattrs import copy_user_metadata
from .revocable import Revocable

_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_PRIVATE_MODE: Final = 0o600
_KEPT: Final = 32
"""Characters of a name that is made longer, so few that no file system finds it too long."""


def copy_file(revocable: Revocable, root: str, source: str, target: str, *, is_new: bool, fsync: bool) -> Metadata:
    """Copies a file with its permissions and its user metadata, over what is at the target. Blocks.

    Arguments:
        revocable: says between two steps whether the copy is still wanted.
        root: the root directory.
        source: the file, relative to it.
        target: the path of the copy, relative to it.
        is_new: whether there must be nothing at the target.
        fsync: whether the copy is forced to the disk.

    Raises:
        IsSameFile: both are one file, by whatever names.
    """
    with translate_os_errors(), _open_regular(root, source) as original:

        def begin(directory: Descriptor, name: str) -> Temporary:
            check_target(directory.number, name, is_new=is_new)
            _check_is_another(root, target, os.fstat(original))
            return Temporary(directory, _PRIVATE_MODE)

        copy = put_in_parent(root, target, begin, fsync=fsync)
        try:
            _fill(revocable, original, copy.descriptor, fsync)
            copy.publish(target.rpartition("/")[2], is_new=is_new)
            if fsync:
                sync_directory(copy.directory)
            return describe_open(copy.descriptor)
        finally:
            copy.discard()


def _fill(revocable: Revocable, original: int, copy: int, fsync: bool) -> None:
    copy_content(original, copy, revocable.check_wanted)
    copy_user_metadata(original, copy)
    give_permissions(copy, permissions_of(original), keeps_owner=False)
    if fsync:
        os.fsync(copy)
    os.close(os.dup(copy))  # a network file system may say only on closing that it has no room
    revocable.check_wanted()


@contextmanager
def _open_regular(root: str, path: str) -> Iterator[int]:
    check_may_exist(path)
    directory = open_root(root)
    try:
        check_is_regular(attributes_beneath(directory, path))  # opening alone can do something to a device
        descriptor = open_beneath(directory, path, _READ)
    finally:
        os.close(directory)
    try:
        check_is_regular(os.fstat(descriptor))
        yield descriptor
    finally:
        os.close(descriptor)


def _check_is_another(root: str, target: str, source: os.stat_result) -> None:
    directory = open_root(root)
    try:
        if os.path.samestat(source, attributes_beneath(directory, target)):
            raise IsSameFile("source and target are names of one file")
    except OSError:  # nothing is there, or a link that leads out or nowhere and is replaced itself
        return
    finally:
        os.close(directory)


def rename_file(revocable: Revocable, root: str, source: str, target: str, *, is_new: bool, fsync: bool) -> None:
    """Gives a file another path, over what is there. A symbolic link is renamed itself. Blocks.

    Arguments:
        revocable: says whether it is still wanted.
        root: the root directory.
        source: the file, relative to it.
        target: its new path, relative to it.
        is_new: whether there must be nothing at the target.
        fsync: whether the names are forced to the disk.

    Raises:
        IsSameFile: both paths lead to one name of one file, or the source is a link to the target.
        Unsupported: they lie on different file systems.
    """
    with translate_os_errors():
        file = _find_source(root, source)
        origin, old = open_parent(root, source)

        def rename(directory: Descriptor, new: str) -> Descriptor:
            revocable.check_wanted()
            _Rename(origin, old, directory.number, new).make(file, is_new=is_new)
            return directory

        try:
            directory = put_in_parent(root, target, rename, fsync=fsync)
            _sync_if(fsync, directory, origin)
        finally:
            os.close(origin)


def _sync_if(fsync: bool, directory: Descriptor, origin: int) -> None:
    try:
        if fsync:
            sync_directory(directory.number)
            sync_directory(origin)
    finally:
        directory.close()


def _find_source(root: str, source: str) -> os.stat_result:
    """The file that is renamed, or that the link leads to which is renamed."""
    check_may_exist(source)
    directory = open_root(root)
    try:
        file = attributes_beneath(directory, source)
    finally:
        os.close(directory)
    check_is_regular(file)
    return file


class _Rename:
    """From one name in one directory to another in another."""

    def __init__(self, origin: int, old: str, directory: int, new: str) -> None:
        self._origin = origin
        self._old = old
        self._directory = directory
        self._new = new

    def make(self, file: os.stat_result, *, is_new: bool) -> None:
        self._check_is_another_name()
        self._check_is_no_link_to_target(file)
        check_target(self._directory, self._new, is_new=is_new)
        try:
            if self._is_hard_link():
                self._replace_link()
            else:
                publish(self._old, self._new, self._origin, self._directory, is_new=is_new)
        except FileNotFoundError:  # of the target's directory, unless it is the source that is missing
            self._source()
            raise
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            raise Unsupported("source and target lie on different file systems: copy and delete") from error

    def _check_is_another_name(self) -> None:
        if self._old == self._new and os.path.samestat(os.fstat(self._origin), os.fstat(self._directory)):
            raise IsSameFile("source and target are one name")

    def _check_is_no_link_to_target(self, file: os.stat_result) -> None:
        """A link in the place of the file that it leads to would lead to itself, and the file be lost."""
        source, target = self._source(), self._target()
        if target is not None and stat.S_ISLNK(source.st_mode) and os.path.samestat(file, target):
            raise IsSameFile("the source is a link to the target")

    def _is_hard_link(self) -> bool:
        """Whether both are names of one file. Where case says nothing, one name looks like two."""
        source, target = self._source(), self._target()
        return target is not None and source.st_nlink > 1 and os.path.samestat(source, target)

    def _source(self) -> os.stat_result:
        with translate_os_errors():  # without a source there is nothing to try again
            return os.stat(self._old, dir_fd=self._origin, follow_symlinks=False)

    def _target(self) -> os.stat_result | None:
        try:
            return os.stat(self._new, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _replace_link(self) -> None:
        """Takes the source's name away: rename(2) leaves both names of one file.

        By way of a third name, so that the file keeps one where source and target differ only in a case that
        the file system does not tell apart, and where somebody renames the target to the source meanwhile. It
        may be the only name of the file for a moment. So it is one that nobody takes for something left behind.
        """
        third = f"{self._old[:_KEPT]}.{os.urandom(8).hex()}"
        os.rename(self._old, third, src_dir_fd=self._origin, dst_dir_fd=self._origin)
        try:
            os.rename(third, self._new, src_dir_fd=self._origin, dst_dir_fd=self._directory)
        except OSError:
            os.rename(third, self._old, src_dir_fd=self._origin, dst_dir_fd=self._origin)
            raise
        with suppress(FileNotFoundError):
            os.unlink(third, dir_fd=self._origin)
