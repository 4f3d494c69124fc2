"""Translates errors of the operating system. One table for all code that reads local files."""

import errno
import os
from types import TracebackType
from typing import Final

from entrepot.errors import (
    AlreadyExists,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    PermissionDenied,
    StorageFull,
    Timeout,
    Unexpected,
    Unsupported,
)

from .few_files import with_file_limit

_MEANINGS: Final[dict[int, tuple[type[Error], str]]] = {
    errno.ENOENT: (NotFound, "the file does not exist"),
    errno.EACCES: (PermissionDenied, "the file system does not permit it"),
    errno.EPERM: (PermissionDenied, "the file system does not permit it"),
    errno.EROFS: (PermissionDenied, "the file system is read-only"),
    errno.ENOTEMPTY: (IsADirectory, "the path names a directory that is not empty"),
    # From a confined open. A rename between file systems fails with EXDEV too: its caller handles that itself.
    errno.EXDEV: (PermissionDenied, "a symbolic link leads out of the root"),
    errno.ELOOP: (PermissionDenied, "the path has symbolic links that cannot be followed"),
    errno.EISDIR: (IsADirectory, "the path names a directory"),
    errno.ENOTDIR: (NotADirectory, "a part of the path names a file"),
    errno.EEXIST: (AlreadyExists, "the file exists already"),
    errno.ENOSPC: (StorageFull, "the file system has no space left"),
    errno.EDQUOT: (StorageFull, "the quota is used up"),
    errno.EFBIG: (StorageFull, "the file is larger than the file system or the limits of the process allow"),
    errno.EMLINK: (StorageFull, "the directory or the file can have no more links"),
    errno.EILSEQ: (InvalidInput, "the file system does not take the characters of the path"),
    errno.ENAMETOOLONG: (InvalidInput, "the path is longer than the file system takes"),
    errno.EOPNOTSUPP: (Unsupported, "the file system does not have this"),
    errno.ENOSYS: (Unsupported, "the operating system does not have this"),
    errno.ENXIO: (Unsupported, "this is a device or a socket"),
    errno.ESPIPE: (Unsupported, "this file cannot be read by position"),
    errno.ETIMEDOUT: (Timeout, "the file system did not answer in time"),
}
_TEMPORARY: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EINTR, errno.ESTALE, errno.ENOLCK})


class translate_os_errors:  # noqa: N801 - it is called like a function
    """A context manager that raises, in place of an `OSError` of the operating system, the matching `Error`.

    It does the same for text that the encoding of the file system lacks, such as "é" under `LC_ALL=POSIX`.

    It is a class because a context manager made of a generator would take as long as the system call inside.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, Error):
            raise meaning_of(error) from error
        if isinstance(error, UnicodeEncodeError):
            raise InvalidInput(
                f"the encoding of file names in this process, {error.encoding!r}, lacks a character of the path:"
                " use a UTF-8 locale or PYTHONUTF8=1"
            ) from error


def meaning_of(error: OSError) -> Error:
    """Returns the `Error` for an error of the operating system, without its path, which may be the caller's secret."""
    code = error.errno or 0
    if code in _MEANINGS:
        kind, message = _MEANINGS[code]
        return kind(message)
    name = errno.errorcode.get(code, str(code))
    unexpected = Unexpected(f"{os.strerror(code)} ({name})", is_temporary=code in _TEMPORARY)
    unexpected.errno = error.errno or unexpected.errno  # the number of the system, not the general one of `Unexpected`
    return with_file_limit(unexpected, error)
