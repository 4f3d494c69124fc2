"""Takes away from what a service can do."""

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
"""How the stack works inside, which no layer around it changes."""


class CapabilityOverrideLayer(Layer):
    """Takes away from what an operator can do, for a server that lies, or to try what a program does without it.

    `CapabilityOverrideLayer(write_with_if_match=False, delete_max_size=100)`. What is switched off is refused with
    `Unsupported` before any I/O, as what the service does not have; a limit that is lowered is kept, also by
    recursive deletions. What the stack inside completes by other means stays: a suffix is read by asking the size.
    `info.native_capability` still says what the service itself can.

    Arguments:
        change: gives the new capability for the old one, where flags do not say it.
        flags: fields of `Capability` and their values. A flag can be switched off. `delete_max_size` and
            `write_total_max_size` can be lowered. The latter counts what one write brings, not what it is appended to.

    Raises:
        InvalidInput: both or an unknown flag were given, or a value of the wrong type. When it is put around a
            service also: it would switch on what the service does not have, raise a limit, or change what no layer
            can: `read_can_seek`, `read_can_next`, `list_can_prefix`, and the sizes of parts (`chunk` asks for those).
    """

    def __init__(self, change: Change | None = None, **flags: bool | int | None) -> None:
        if change is not None and (flags or not callable(change)):
            raise InvalidInput("a capability is changed by flags, or by one function that is given the old one")
        _check_flags(flags)
        self._change: Change = change or partial(_replaced, flags)

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        info = accessor.info
        capability = self._change(info.capability)
        if not isinstance(capability, Capability):
            raise InvalidInput(f"the function gives a Capability, not {shown(capability)}")
        _check_only_takes_away(info, capability)
        if capability == info.capability:
            return accessor
        lowered = _lowered(accessor, capability, context)
        lowered.info = replace(info, capability=capability, native_capability=_both(info.native_capability, capability))
        checked = LayeredAccessor(CorrectnessCheckLayer().wrap(lowered, context))
        checked.info = replace(info, capability=capability)
        return checked


class _SmallBatches(LayeredAccessor):
    """Makes the recursive deletions that the stack inside completes, in batches of the size that is left."""

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
    """An accessor that keeps the limits which are not kept by those who ask it."""
    size, info = capability.delete_max_size, accessor.info
    is_completed = info.capability.delete_with_recursive and not info.native_capability.delete_with_recursive
    if size is None or size == info.capability.delete_max_size or not is_completed:
        return LayeredAccessor(accessor)
    return _SmallBatches(accessor, size, context)


def _replaced(flags: Mapping[str, Any], capability: Capability) -> Capability:
    return replace(capability, **flags)


def _both(one: Capability, other: Capability) -> Capability:
    """The flags that both have."""
    flags = [flag.name for flag in fields(one) if flag.type == "bool"]
    return replace(one, **{flag: getattr(one, flag) and getattr(other, flag) for flag in flags})


def _check_flags(flags: Mapping[str, object]) -> None:
    kinds = {flag.name: flag.type for flag in fields(Capability)}
    for name, value in flags.items():
        if name not in kinds:
            nearest = get_close_matches(name, kinds, n=1)
            raise InvalidInput(f"there is no capability {name!r}{f'; did you mean {nearest[0]!r}?' if nearest else ''}")
        if kinds[name] == "bool" and not isinstance(value, bool):
            raise InvalidInput(f"{name} is True or False, not {shown(value)}")
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
            raise InvalidInput(f"the service {info.scheme} has no {name} that could be switched on", scheme=info.scheme)
        if name in _LIMITS and (new is None or (old is not None and new > old)):
            raise InvalidInput(f"{name} can be lowered from {old}, not raised to {new}", scheme=info.scheme)


def _changes(before: Capability, after: Capability) -> Iterator[tuple[str, Any, Any]]:
    values = ((flag.name, getattr(before, flag.name), getattr(after, flag.name)) for flag in fields(before))
    return (one for one in values if one[1] != one[2])
