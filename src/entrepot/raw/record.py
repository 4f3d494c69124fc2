"""How arguments and replies are declared: records that the type checker holds frozen.

A dataclass that is frozen at run time takes four times as long to build and to import, and these
are built on every call. So the type checker refuses a write to a field, and the run time does not look.
Comparing and showing are the same two functions for all, since each that is generated is compiled on import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

T = TypeVar("T")

if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, kw_only_default=True)
    def record(cls: type[T]) -> type[T]:
        return cls
else:

    def record(cls: type[T]) -> type[T]:
        cls.__repr__ = _repr
        cls.__eq__ = _eq
        cls.__hash__ = None
        return dataclass(slots=True, kw_only=True, repr=False, eq=False, match_args=False)(cls)


def _repr(self: object) -> str:
    names: tuple[str, ...] = type(self).__slots__  # type: ignore[attr-defined]
    return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def _eq(self: object, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    names: tuple[str, ...] = type(self).__slots__  # type: ignore[attr-defined]
    return all(getattr(self, name) == getattr(other, name) for name in names)
