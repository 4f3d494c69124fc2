"""Permissions of a file that replaces or copies another: its mode, its POSIX ACL (acl(5)), its owner and group.

The new file must not be accessible to a user to whom the old file is not:

- With an ACL, the group bits of the mode are the mask of the ACL, not the rights of the group. A file that got those
  bits without the ACL would be accessible to its group. So the ACL goes with the mode, and where it cannot, the entry
  of the group replaces the mask.
- A file inherits the default ACL of its directory. Where the old file has no ACL, the new one must not keep that ACL.
- The group bits apply to the group of the old file. Where the new file cannot belong to it, its own group gets no more
  rights than all other users have.

A permission is set only where it differs, and best effort: on a file system without permissions (CIFS, FUSE) each call
may be refused, and the files look the same before and after. A refusal never makes a file more accessible than it was
made, which is for its owner alone.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from struct import iter_unpack
from typing import TYPE_CHECKING, Final

from entrepot.types.records import replace

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_BITS: Final = 0o777
_ACL: Final = "system.posix_acl_access"
_ACL_HEADER: Final = 4
_ACL_ENTRY: Final = "<HHI"
_GROUP_ENTRY: Final = 0x04
_MASK_ENTRY: Final = 0x10
_NO_ACL: Final = (errno.ENODATA, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL)


@dataclass(frozen=True, slots=True)
class Permissions:
    """The permissions of a file.

    Arguments:
        mode: the nine permission bits.
        owner: the user id.
        group: the group id.
        acl: the ACL as the value of its extended attribute; None without an ACL.
    """

    mode: int
    owner: int
    group: int
    acl: bytes | None = None


def permissions_at(directory: int, name: str, attributes: os.stat_result) -> Permissions:
    """The permissions of a file by its name in an open directory, given its attributes."""
    return _permissions(attributes, f"/proc/self/fd/{directory}/{name}")


def permissions_of(descriptor: int) -> Permissions:
    """The permissions of an open file."""
    return _permissions(os.fstat(descriptor), descriptor)


def _permissions(attributes: os.stat_result, file: int | str) -> Permissions:
    return Permissions(attributes.st_mode & _BITS, attributes.st_uid, attributes.st_gid, _acl_of(file))


def _acl_of(file: int | str) -> bytes | None:
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(file, _ACL) if isinstance(file, int) else os.getxattr(file, _ACL, follow_symlinks=False)
    except FileNotFoundError:  # it was removed since, or /proc is not mounted
        return None
    except OSError as error:
        if error.errno not in _NO_ACL:
            raise
        return None


def give_permissions(descriptor: int, wanted: Permissions, *, keeps_owner: bool) -> None:
    """Gives an open file, which was made for its owner alone, the permissions of another file.

    Arguments:
        descriptor: the open file.
        wanted: the permissions of the other file.
        keeps_owner: whether the file gets the owner and the group too, as a replacement does.
    """
    if keeps_owner:
        wanted = _give_owner(descriptor, wanted)
    if not _give_acl(descriptor, wanted.acl):
        wanted = replace(wanted, mode=_mode_without_acl(wanted))
    if os.fstat(descriptor).st_mode & _BITS != wanted.mode:
        with suppress(OSError):
            os.fchmod(descriptor, wanted.mode)


def _give_owner(descriptor: int, wanted: Permissions) -> Permissions:
    """Sets owner and group of an open file, and returns the permissions that are right for the resulting ones."""
    attributes = os.fstat(descriptor)
    if attributes.st_gid != wanted.group:
        with suppress(OSError):
            os.fchown(descriptor, -1, wanted.group)
    if attributes.st_uid != wanted.owner:
        with suppress(OSError):
            os.fchown(descriptor, wanted.owner, -1)
    if os.fstat(descriptor).st_gid == wanted.group:
        return wanted
    mode = _mode_without_acl(wanted)
    return replace(wanted, mode=mode & ~0o070 | mode & (mode & 0o007) << 3, acl=None)


def _give_acl(descriptor: int, acl: bytes | None) -> bool:
    """Sets or removes the ACL of an open file. Returns whether that worked."""
    try:
        if acl is not None:
            os.setxattr(descriptor, _ACL, acl)
        elif _acl_of(descriptor) is not None:
            os.removexattr(descriptor, _ACL)
    except OSError:
        return False
    return True


def _mode_without_acl(permissions: Permissions) -> int:
    """The mode for a file without the ACL: its group bits are the entry of the group, limited by the mask."""
    if permissions.acl is None:
        return permissions.mode
    entries = dict(_entries(permissions.acl))
    group = entries.get(_GROUP_ENTRY, 0) & entries.get(_MASK_ENTRY, 0o7)
    return permissions.mode & ~0o070 | group << 3


def _entries(acl: bytes) -> Iterator[tuple[int, int]]:
    """The tag and the permissions of each entry of an ACL (linux/posix_acl_xattr.h)."""
    for tag, bits, _ in iter_unpack(_ACL_ENTRY, acl[_ACL_HEADER:]):
        yield tag, bits
