"""User metadata of files, as extended attributes in the namespace `user` (xattr(7))."""

import errno
import os
from collections.abc import Iterator, Mapping
from typing import Final

from entrepot.errors import InvalidInput, StorageFull, Unsupported
from entrepot.raw.log import WARNING, log

_PREFIX: Final = "user."
CAN_BE_STORED: Final = hasattr(os, "getxattr")
"""Whether Python has the calls, which it has on Linux. The file system is tried only when a file is written."""
_NONE_HERE: Final = (errno.EOPNOTSUPP, errno.ENOSYS)
_NOT_LISTED: Final = (*_NONE_HERE, errno.EPERM, errno.EACCES, errno.EINVAL)
"""Errors of file systems that have no attributes or do not list them (CIFS, FUSE)."""
_NOT_FOR_US: Final = (errno.ENODATA, errno.EACCES, errno.EPERM)
"""The attribute was removed since, or may be written but not read."""
_TOO_LARGE: Final = (errno.E2BIG, errno.ERANGE)


def may_have_user_metadata(path: str) -> bool:
    """Whether a file may have user metadata. The file is not opened and a link is not followed. True if unknown."""
    if not CAN_BE_STORED:
        return False
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        return error.errno not in _NONE_HERE
    return bool(names) and any(name.startswith(_PREFIX) for name in names)  # most have none at all


def user_metadata_of(descriptor: int) -> dict[str, str]:
    """The user metadata of an open file. Attributes that are not text or have capitals in their names are left out."""
    metadata: dict[str, str] = {}
    for name, value in _attributes(descriptor):
        try:
            key, text = name.removeprefix(_PREFIX), value.decode()
            key.encode()
        except UnicodeError:
            continue
        if key == key.lower():
            metadata[key] = text
    return metadata


def set_user_metadata(descriptor: int, metadata: Mapping[str, str]) -> None:
    """Stores user metadata of an open file.

    Raises:
        Unsupported: the file system has no user metadata.
        InvalidInput, StorageFull: the metadata is too large for the file system.
    """
    for name, value in metadata.items():
        _set(descriptor, f"{_PREFIX}{name}", value.encode())


def copy_user_metadata(source: int, target: int) -> None:
    """Copies all user attributes, text or not, from one open file to another. Logs a warning where they are refused."""
    for name, value in _attributes(source):
        try:
            _set(target, name, value)
        except (Unsupported, PermissionError):
            log(WARNING, "user metadata is not copied: the file system refuses it")
            return


def _attributes(descriptor: int) -> Iterator[tuple[str, bytes]]:
    for name in _names(descriptor):
        if name.startswith(_PREFIX):
            try:
                yield name, os.getxattr(descriptor, name)
            except OSError as error:
                if error.errno not in _NOT_FOR_US:
                    raise


def _names(descriptor: int) -> list[str]:
    try:
        return os.listxattr(descriptor) if CAN_BE_STORED else []
    except OSError as error:
        if error.errno not in _NOT_LISTED:
            raise
        return []


def _set(descriptor: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(descriptor, name, value)
    except OSError as error:
        if error.errno in _NONE_HERE:
            raise Unsupported("the file system has no user metadata") from error
        if error.errno in _TOO_LARGE:
            raise InvalidInput("the user metadata is larger than the file system allows") from error
        if error.errno == errno.ENOSPC:
            raise StorageFull("no room is left for the user metadata: some file systems allow few kilobytes") from error
        raise
