"""How arguments and replies are declared: records that the type checker holds frozen.

A dataclass that is frozen at run time takes four times as long to build and to import, and these
are built on every call. So the type checker refuses a write to a field, and the run time does not look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, dataclass_transform

T = TypeVar("T")

if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, kw_only_default=True)
    def record(cls: type[T]) -> type[T]:
        return cls
else:
    record = dataclass(slots=True, kw_only=True)
