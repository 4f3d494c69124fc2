"""The capability of a completed service."""

from __future__ import annotations

from collections.abc import Iterator

from entrepot.raw import AccessorInfo
from entrepot.types import Capability
from entrepot.types.records import replace


def is_flat(native: Capability) -> bool:
    """Whether directories are only names: the service lists, and cannot create directories."""
    return native.list and not native.create_dir


def complete_capability(info: AccessorInfo) -> AccessorInfo:
    """The info with the completed capability: only what the service makes possible."""
    native, capability = info.native_capability, info.capability
    if native.read:
        suffix = native.read_with_suffix or native.stat
        capability = replace(capability, read_can_seek=True, read_can_next=True, read_with_suffix=suffix)
    if native.list:
        capability = replace(capability, list_can_prefix=True, list_with_recursive=True)
    if native.list and native.delete:
        capability = replace(capability, delete_with_recursive=True)
    if is_flat(native) and native.write and native.write_can_empty:
        capability = replace(capability, create_dir=True)
    return replace(info, capability=capability)


def operations_left_alone(info: AccessorInfo) -> Iterator[str]:
    """The operations that need no completion for this service, though others need it."""
    native, completed = info.native_capability, info.capability
    if not native.read:
        yield "read"
    if not native.list:
        yield "list"
    if not completed.create_dir:
        yield "create_dir"
    if native.delete_with_recursive or not completed.delete_with_recursive:
        yield "delete"
