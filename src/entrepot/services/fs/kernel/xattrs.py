"""User metadata of files, as extended attributes in the namespace `user` (xattr(7))."""

import errno
import os
from collections.abc import Iterator, Mapping
from typing import Final

from entrepot.errors import InvalidInput, StorageFull, Unsupported
from entrepot.raw.log import WARNING, log

_PREFIX: Final = "user."
CAN_BE_STORED: Final = hasattr(os, "getxattr")
"""Whether Python has the calls, which it has on Linux. The file system is only asked when a file is written."""
_NONE_HERE: Final = (errno.EOPNOTSUPP, errno.ENOSYS)
_NOT_LISTED: Final = (*_NONE_HERE, errno.EPERM, errno.EACCES, errno.EINVAL)
"""How file systems without attributes, or that keep them to themselves (CIFS, FUSE), refuse to list them."""
_NOT_FOR_US: Final = (errno.ENODATA, errno.EACCES, errno.EPERM)
"""It was removed since, or may be written to and not be read."""
_TOO_LARGE: Final = (errno.E2BIG, errno.ERANGE)


def may_have_user_metadata(path: str) -> bool:
    """Whether a file may have some, asked without opening it or following a link. In doubt yes."""
    if not CAN_BE_STORED:
        return False
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        return error.errno not in _NONE_HERE
    return bool(names) and any(name.startswith(_PREFIX) for name in names)  # most have none at all


def user_metadata_of(descriptor: int) -> dict[str, str]:
    """The user metadata of an open file. What is no text, or has capitals in its name, is somebody else's."""
    found: dict[str, str] = {}
    for name, value in _attributes(descriptor):
        try:
            key, text = name.removeprefix(_PREFIX), value.decode()
            key.encode()
        except UnicodeError:
            continue
        if key == key.lower():
            found[key] = text
    return found


def set_user_metadata(descriptor: int, metadata: Mapping[str, str]) -> None:
    """Stores user metadata beside an open file.

    Raises:
        Unsupported: the file system has none.
        InvalidInput, StorageFull: it is too large for the file system.
    """
    for name, value in metadata.items():
        _set(descriptor, f"{_PREFIX}{name}", value.encode())


def copy_user_metadata(source: int, target: int) -> None:
    """Stores all that one open file has, text or not, beside another, or logs that the file system refuses."""
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
            raise InvalidInput("the user metadata is larger than the file system takes") from error
        if error.errno == errno.ENOSPC:
            raise StorageFull("there is no room for the user metadata: some file systems take few kilobytes") from error
        raise
