"""How arguments and responses are declared: records that the type checker holds frozen.

A dataclass that is frozen at run time takes four times as long to make, and each call makes some. So the type checker
refuses a write to a field, and the run time does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, dataclass_transform

from entrepot.types import records

T = TypeVar("T")

if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, kw_only_default=True)
    def record(cls: type[T]) -> type[T]:
        return cls
else:
    record = records.dataclass(slots=True, kw_only=True, match_args=False)
