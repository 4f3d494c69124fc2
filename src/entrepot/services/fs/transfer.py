"""Copying and renaming files within the root. Other processes see each as one step.

Theory of operation.

- A copy opens its source once and reads only that descriptor, so another file at the path does not matter later. The
  bytes go to a temporary file in the target's directory (`kernel/content.py` says how), get user metadata and
  permissions, and replace the target when complete.
- Between two steps a copy checks that it is still wanted (`Revocable`). A cancelled caller waits until its thread has
  stopped, so nothing changes afterwards. The last check comes right before publishing; an error, a cancellation or an
  interrupt discards the temporary file.
- A rename is one system call. Three cases need care: two names of one file (rename(2) would leave both), a link onto
  the file that it leads to (the file would be lost), and a parent directory of the target that is deleted while it is
  made (`put_in_parent` tries again).
"""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

from entrepot.errors import Error, IsSameFile, Unsupported
from entrepot.raw.file_paths import check_may_exist
from entrepot.raw.os_errors import translate_os_errors
from entrepot.types import Metadata

from .kernel.attributes import check_is_regular
from .kernel.beneath import attributes_beneath, open_beneath, open_parent, open_root, put_in_parent
from .kernel.content import check_close, copy_content, describe_open
from .kernel.descriptor import Descriptor
from .kernel.permissions import give_permissions, permissions_of
from .kernel.publish import check_target, publish, sync_directory
from .kernel.temporary import Temporary
from .kernel.xattrs import copy_user_metadata
from .revocable import Revocable

_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_PRIVATE_MODE: Final = 0o600
_KEPT: Final = 32
"""Characters of the old name that a third name keeps, so that it is not too long for any file system."""


def copy_file(revocable: Revocable, root: str, source: str, target: str, *, is_new: bool, fsync: bool) -> Metadata:
    """Copies a file with its permissions and its user metadata, and replaces the target. Blocks.

    Arguments:
        revocable: is checked between two steps.
        root: the root directory.
        source: the file, relative to the root.
        target: the path of the copy, relative to the root.
        is_new: whether the target must be new.
        fsync: whether the copy is forced to the disk.

    Raises:
        IsSameFile: both paths lead to the same file.
    """
    with _errors_of("source"):
        opened = _open_regular(root, source)
    with translate_os_errors(), opened as original:

        def begin(directory: Descriptor, name: str) -> Temporary:
            check_target(directory.number, name, is_new=is_new)
            _check_is_another(root, target, os.fstat(original))
            return Temporary(directory, _PRIVATE_MODE)

        with _errors_of("target"):
            copy = put_in_parent(root, target, begin, fsync=fsync)
        try:
            _fill(revocable, original, copy.descriptor, fsync)
            copy.publish(target.rpartition("/")[2], is_new=is_new)
            if fsync:
                sync_directory(copy.directory)
            return describe_open(copy.descriptor)
        finally:
            copy.discard()


@contextmanager
def _errors_of(side: str) -> Generator[None, None, None]:
    """Translates errors of the operating system, and adds which side of a copy has failed."""
    try:
        with translate_os_errors():
            yield
    except Error as error:
        error.add_context(side=side)
        raise


def _fill(revocable: Revocable, original: int, copy: int, fsync: bool) -> None:
    copy_content(original, copy, revocable.check_wanted)
    copy_user_metadata(original, copy)
    give_permissions(copy, permissions_of(original), keeps_owner=False)
    if fsync:
        os.fsync(copy)
    check_close(copy)
    revocable.check_wanted()


def _open_regular(root: str, path: str) -> Descriptor:
    check_may_exist(path)
    with open_root(root) as directory:
        check_is_regular(attributes_beneath(directory, path))  # opening alone can have an effect on a device
        opened = open_beneath(directory, path, _READ)
    check_is_regular(os.fstat(opened.number))
    return opened


def _check_is_another(root: str, target: str, source: os.stat_result) -> None:
    with open_root(root) as directory:
        try:
            attributes = attributes_beneath(directory, target)
        except OSError:  # the target is missing, or a link that leads out or nowhere and is replaced itself
            return
    if os.path.samestat(source, attributes):
        raise IsSameFile("source and target are names of one file")


def rename_file(revocable: Revocable, root: str, source: str, target: str, *, is_new: bool, fsync: bool) -> None:
    """Gives a file another path, and replaces the target. A symbolic link is renamed itself. Blocks.

    Arguments:
        revocable: is checked before the rename.
        root: the root directory.
        source: the file, relative to the root.
        target: its new path, relative to the root.
        is_new: whether the target must be new.
        fsync: whether the names are forced to the disk.

    Raises:
        IsSameFile: both paths lead to the same name of one file, or the source is a link to the target.
        Unsupported: they lie on different file systems.
    """
    with translate_os_errors():
        file = _find_source(root, source)
        parent, old = open_parent(root, source)

        def rename(directory: Descriptor, new: str) -> Descriptor:
            revocable.check_wanted()
            _Rename(parent.number, old, directory.number, new).make(file, is_new=is_new)
            return directory

        with parent as origin, put_in_parent(root, target, rename, fsync=fsync) as directory:
            if fsync:
                sync_directory(directory)
                sync_directory(origin)


def _find_source(root: str, source: str) -> os.stat_result:
    """The attributes of the file to rename, or of the file to which the link to rename leads."""
    check_may_exist(source)
    with open_root(root) as directory:
        file = attributes_beneath(directory, source)
    check_is_regular(file)
    return file


class _Rename:
    """Gives a file in one directory another name in another directory."""

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
        except FileNotFoundError:  # the target's directory is missing, unless it is the source
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
        """A link that replaced the file that it leads to would lead to itself, and the file would be lost."""
        source, target = self._source(), self._target()
        if target is not None and stat.S_ISLNK(source.st_mode) and os.path.samestat(file, target):
            raise IsSameFile("the source is a link to the target")

    def _is_hard_link(self) -> bool:
        """Whether both are names of one file. On a file system that ignores case, one name looks like two."""
        source, target = self._source(), self._target()
        return target is not None and source.st_nlink > 1 and os.path.samestat(source, target)

    def _source(self) -> os.stat_result:
        with translate_os_errors():  # without a source, another attempt makes no sense
            return os.stat(self._old, dir_fd=self._origin, follow_symlinks=False)

    def _target(self) -> os.stat_result | None:
        try:
            return os.stat(self._new, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _replace_link(self) -> None:
        """Removes the source's name, because rename(2) would leave both names of one file.

        The source is renamed to a third name first. So the file keeps a name where source and target differ only in
        case on a file system that ignores case, and where another process renames the target to the source at the
        same time. The third name may be the only name of the file for a short time, so it must not look like an
        abandoned temporary file.
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
