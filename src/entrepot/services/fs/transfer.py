"""Copying and renaming files within a root, and copying from one root to another. Others see each as one step.

Theory of operation.

- A copy opens its source once and reads only that descriptor, so another file at the path does not matter later. The
  bytes go to a temporary file in the target's directory (`kernel/content.py` says how), get user metadata and
  permissions, and replace the target when complete. Source and target may be in two roots: each path is opened below
  its own, and neither leads out of it. Two file systems make no difference but the way that the bytes take.
- A copy is made in steps of `STEP` bytes, so that its caller can report progress, and a large file does not keep a
  thread from others. A file of one step is published in the same call.
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
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, NamedTuple

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
STEP: Final = 64 * 1024 * 1024
"""Bytes of one step of a copy."""
_KEPT: Final = 32
"""Characters of the old name that a third name keeps, so that it is not too long for any file system."""


class RootedPath(NamedTuple):
    """A path below a root directory, which it does not lead out of.

    Arguments:
        root: the root directory.
        relative: the path, relative to the root.
    """

    root: str
    relative: str


class FileCopy:
    """A copy of a file with its permissions and its user metadata, which replaces the target. It is made in steps.

    A failed step discards all, and the next one starts again. Bytes that are copied again are not counted again.

    Arguments:
        source: the file.
        target: the path of the copy.
        is_new: whether the target must be new.
        fsync: whether the copy is forced to the disk.

    Attributes:
        published: the metadata of the copy; None before it is published.
    """

    __slots__ = (
        "_copied", "_copy", "_counted", "_fsync", "_is_new", "_original", "_source", "_steps", "_target", "published",
    )  # fmt: skip

    def __init__(self, source: RootedPath, target: RootedPath, *, is_new: bool, fsync: bool) -> None:
        self._source = source
        self._target = target
        self._is_new = is_new
        self._fsync = fsync
        self._original = Descriptor()
        self._copy: Temporary | None = None
        self._steps: Iterator[int] | None = None
        self._copied = 0
        self._counted = 0
        self.published: Metadata | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there is a temporary file."""
        return self._copy is not None

    def advance(self, revocable: Revocable) -> int | None:
        """Copies up to `STEP` bytes, and returns their number; None at the end. Blocks.

        A file that has no more is published by the first step, which is then the end: whoever is called with its bytes
        could not end the copy any more.

        Raises:
            IsSameFile: both paths lead to the same file.
            ConditionNotMatch: the source changed meanwhile.
        """
        with self._discarded_on_failure():
            is_first = self._steps is None
            copy, steps = self._begun()
            copied = 0
            for count in steps:
                revocable.check_wanted()
                copied += count
                if copied >= STEP:
                    break
            else:
                if is_first:
                    self._publish(revocable, copy)
                    return None
            return self._count(copied) if copied else None

    def _count(self, copied: int) -> int:
        """Returns how many bytes of a step were not counted before an attempt failed."""
        self._copied += copied
        new = max(0, self._copied - self._counted)
        self._counted += new
        return new

    def publish(self, revocable: Revocable) -> Metadata:
        """Gives the copy its name, unless that was done, and returns its metadata. Blocks."""
        if self.published is not None:
            return self.published
        with self._discarded_on_failure():
            copy, rest = self._begun()
            for _ in rest:  # the whole content, after an attempt that failed
                revocable.check_wanted()
            return self._publish(revocable, copy)

    def discard(self) -> None:
        """Removes the temporary file, unless it was published, and closes all."""
        copy, self._copy, self._steps = self._copy, None, None
        self._copied = 0
        self._original.close()
        if copy is not None:
            copy.discard()

    @contextmanager
    def _discarded_on_failure(self) -> Generator[None, None, None]:
        with translate_os_errors():
            try:
                yield
            except BaseException:
                self.discard()
                raise

    def _begun(self) -> tuple[Temporary, Iterator[int]]:
        if self._copy is None or self._steps is None:
            with _errors_of("source"):
                self._original = _open_regular(*self._source)
            with _errors_of("target"):
                self._copy = put_in_parent(*self._target, self._made_in, fsync=self._fsync)
            self._steps = copy_content(self._original.number, self._copy.descriptor)
        return self._copy, self._steps

    def _made_in(self, directory: Descriptor, name: str) -> Temporary:
        check_target(directory.number, name, is_new=self._is_new)
        _check_is_another(self._target, directory.number, name, os.fstat(self._original.number))
        return Temporary(directory, _PRIVATE_MODE)

    def _publish(self, revocable: Revocable, copy: Temporary) -> Metadata:
        self._complete(self._original.number, copy.descriptor)
        revocable.check_wanted()
        copy.publish(self._target.relative.rpartition("/")[2], is_new=self._is_new)
        if self._fsync:
            sync_directory(copy.directory)
        self.published = metadata = describe_open(copy.descriptor)
        self.discard()
        return metadata

    def _complete(self, original: int, copy: int) -> None:
        """Gives the copy all but its name."""
        copy_user_metadata(original, copy)
        give_permissions(copy, permissions_of(original), keeps_owner=False)
        if self._fsync:
            os.fsync(copy)
        check_close(copy)


class _errors_of(translate_os_errors):  # noqa: N801 - it is called like a function, as its base
    """Translates errors of the operating system, and adds which side of a copy has failed."""

    __slots__ = ("_side",)

    def __init__(self, side: str) -> None:
        self._side = side

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        try:
            super().__exit__(kind, error, traceback)
        except Error as meaning:
            meaning.add_context(side=self._side)
            raise
        if isinstance(error, Error):
            error.add_context(side=self._side)


def _open_regular(root: str, path: str) -> Descriptor:
    check_may_exist(path)
    with open_root(root) as directory:
        check_is_regular(attributes_beneath(directory, path))  # opening alone can have an effect on a device
        opened = open_beneath(directory, path, _READ)
    check_is_regular(os.fstat(opened.number))
    return opened


def _check_is_another(target: RootedPath, directory: int, name: str, source: os.stat_result) -> None:
    """Checks that the target, which is the name in an open directory or where that leads, is not the source."""
    try:
        attributes = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISLNK(attributes.st_mode):
            with open_root(target.root) as root:
                attributes = attributes_beneath(root, target.relative)
    except OSError:  # the target is missing, or a link that leads out or nowhere and is replaced itself
        return
    if os.path.samestat(source, attributes):
        raise IsSameFile("source and target are names of one file")


def rename_file(revocable: Revocable, source: RootedPath, target: RootedPath, *, is_new: bool, fsync: bool) -> None:
    """Gives a file another path, and replaces the target. A symbolic link is renamed itself. Blocks.

    Arguments:
        revocable: is checked before the rename.
        source: the file.
        target: its new path.
        is_new: whether the target must be new.
        fsync: whether the names are forced to the disk.

    Raises:
        IsSameFile: both paths lead to the same name of one file, or the source is a link to the target.
        Unsupported: they lie on different file systems.
    """
    with translate_os_errors():
        file = _find_source(*source)
        parent, old = open_parent(*source)

        def rename(directory: Descriptor, new: str) -> Descriptor:
            revocable.check_wanted()
            _Rename(parent.number, old, directory.number, new).make(file, is_new=is_new)
            return directory

        with parent as origin, put_in_parent(*target, rename, fsync=fsync) as directory:
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
