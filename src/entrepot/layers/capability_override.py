"""Switches off capabilities of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

from entrepot.errors import InvalidInput
from entrepot.raw import (
    DEFAULT_LIST,
    Accessor,
    AccessorInfo,
    Context,
    Layer,
    LayeredAccessor,
    OpList,
    RpDelete,
    oio,
)
from entrepot.types import Capability
from entrepot.types.shown import shown

from .always.complete import CONCURRENT
from .always.complete.capability import is_flat
from .always.correctness_check import CorrectnessCheckLayer

Change = Callable[[Capability], Capability]

_LIMITS: Final = frozenset({"delete_max_size", "write_total_max_size"})
_FIXED: Final = frozenset(
    {"read_can_seek", "read_can_next", "list_can_prefix", "write_multi_min_size", "write_multi_max_size"}
)
"""Internals of the stack, which an outer layer cannot change."""


class CapabilityOverrideLayer(Layer):
    """Switches off capabilities, for a server that does not honour them, or to test a program without them.

    `CapabilityOverrideLayer(write_with_if_match=False, delete_max_size=100)`. An operation or option that is switched
    off is refused with `Unsupported` before any I/O; a lowered limit also holds for recursive deletions. The inner
    stack still completes by other means: a suffix is read after a request for the size. `info.native_capability` has
    the flags that the service and this layer both allow.

    Arguments:
        change: a function from the old capability to the new one, instead of flags.
        flags: fields of `Capability` and their values. A flag can be switched off. `delete_max_size` and
            `write_total_max_size` can be lowered. The latter limits the bytes of one write, without the bytes that an
            append finds in the object.

    Raises:
        InvalidInput: both `change` and flags, an unknown flag, or a value of the wrong type; or, when a service is
            wrapped: a flag that the service does not have is switched on, a limit is raised, or an internal is
            changed (`read_can_seek`, `read_can_next`, `list_can_prefix`, and part sizes, which `chunk` sets).
    """

    WORKS_WITHOUT_LOOP = True

    def __init__(self, change: Change | None = None, **flags: bool | int | None) -> None:
        if change is not None and (flags or not callable(change)):
            raise InvalidInput("pass either flags, or one function from the old capability to the new one")
        _check_flags(flags)
        self._change: Change = change or partial(_replaced, flags)

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        info = accessor.info
        capability = self._change(info.capability)
        if not isinstance(capability, Capability):
            raise InvalidInput(f"change must return a Capability, not {shown(capability)}")
        _check_only_takes_away(info, capability)
        if capability == info.capability:
            return accessor
        lowered = _lowered(accessor, capability, context)
        lowered.info = replace(info, capability=capability, native_capability=_both(info.native_capability, capability))
        checked = LayeredAccessor(CorrectnessCheckLayer().wrap(lowered, context))
        checked.info = replace(info, capability=capability)
        return checked


class _SmallBatches(LayeredAccessor):
    """Completes recursive deletions once more, in batches of the lowered size."""

    def __init__(self, inner: Accessor, size: int, context: Context) -> None:
        super().__init__(inner)
        self._size = size
        self._open_window = partial(context.runtime.window, CONCURRENT)
        self._is_flat = is_flat(inner.info.native_capability)

    async def delete(self) -> tuple[RpDelete, oio.Delete]:
        reply, body = await self.inner.delete()
        return reply, oio.RecursiveDeleter(
            body, self._open_deleter, self._walk, self._open_window, batch=self._size, is_flat=self._is_flat
        )

    async def _open_deleter(self) -> oio.Delete:
        _, body = await self.inner.delete()
        return body

    async def _walk(self, directory: str) -> oio.List:
        if self._is_flat:
            _, body = await self.inner.list(directory, OpList(recursive=True))
            return body
        return oio.FlatLister(self._list_directory, directory)

    async def _list_directory(self, directory: str) -> oio.List:
        _, body = await self.inner.list(directory, DEFAULT_LIST)
        return body


def _lowered(accessor: Accessor, capability: Capability, context: Context) -> LayeredAccessor:
    """An accessor that enforces the lowered limits that outer layers do not enforce."""
    size, info = capability.delete_max_size, accessor.info
    is_completed = info.capability.delete_with_recursive and not info.native_capability.delete_with_recursive
    if size is None or size == info.capability.delete_max_size or not is_completed:
        return LayeredAccessor(accessor)
    return _SmallBatches(accessor, size, context)


def _replaced(flags: Mapping[str, Any], capability: Capability) -> Capability:
    return replace(capability, **flags)


def _both(first: Capability, second: Capability) -> Capability:
    """The first capability with only the flags that both have."""
    flags = [flag.name for flag in fields(first) if flag.type == "bool"]
    return replace(first, **{flag: getattr(first, flag) and getattr(second, flag) for flag in flags})


def _check_flags(flags: Mapping[str, object]) -> None:
    kinds = {flag.name: flag.type for flag in fields(Capability)}
    for name, value in flags.items():
        if name not in kinds:
            nearest = get_close_matches(name, kinds, n=1)
            raise InvalidInput(f"there is no capability {name!r}{f'; did you mean {nearest[0]!r}?' if nearest else ''}")
        if kinds[name] == "bool" and not isinstance(value, bool):
            raise InvalidInput(f"{name} must be True or False, not {shown(value)}")
        if kinds[name] != "bool" and (isinstance(value, bool) or not (value is None or _is_positive(value))):
            raise InvalidInput(f"{name} is a number from 1, or None, not {shown(value)}")


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _check_only_takes_away(info: AccessorInfo, capability: Capability) -> None:
    for name, old, new in _changes(info.capability, capability):
        _check_flags({name: new})
        if name in _FIXED:
            raise InvalidInput(f"{name} cannot be changed by a layer", scheme=info.scheme)
        if name not in _LIMITS and new:
            raise InvalidInput(f"the service {info.scheme} has no {name} to switch on", scheme=info.scheme)
        if name in _LIMITS and (new is None or (old is not None and new > old)):
            raise InvalidInput(f"{name} can be lowered from {old}, not raised to {new}", scheme=info.scheme)


def _changes(before: Capability, after: Capability) -> Iterator[tuple[str, Any, Any]]:
    values = ((flag.name, getattr(before, flag.name), getattr(after, flag.name)) for flag in fields(before))
    return (change for change in values if change[1] != change[2])
