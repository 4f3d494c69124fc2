"""`BytesRange`: a range of the bytes of an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from entrepot.errors import InvalidInput, RangeNotSatisfied

from .numbers import LARGEST, as_integer
from .shown import shown

if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import TypeGuard
else:
    from .records import dataclass

Span: TypeAlias = tuple[int, int]
"""A range as a pair: its first byte, and the byte after its last one."""


@dataclass(frozen=True, slots=True)
class BytesRange:
    """A run of bytes: `start` up to, not including, `end`; or the last `suffix` bytes.

    `BytesRange()` is the whole object, `BytesRange(10)` all from byte 10, `BytesRange(0, 8)` the
    first eight, `BytesRange(suffix=8)` the last eight. The end may be past the object's end.

    Arguments:
        start: the first byte, counted from 0.
        end: the byte after the last, or None for the end of the object.
        suffix: the number of bytes from the end; excludes the other two.

    Raises:
        InvalidInput: a value is negative, above 2^63 - 1 or not an integer, or `end` is before `start`.
    """

    start: int = 0
    end: int | None = None
    suffix: int | None = None

    def __post_init__(self) -> None:
        start, end = self.start, self.end
        if type(start) is int is type(end) and 0 <= start <= end <= LARGEST and self.suffix is None:
            return  # most ranges: some readers make one for each request
        for name in ("start", "end", "suffix"):
            if name == "start" or getattr(self, name) is not None:
                object.__setattr__(self, name, as_integer(f"the {name} of a range", getattr(self, name), 0))
        if self.suffix is not None and (self.start or self.end is not None):
            raise InvalidInput("a range takes a start and an end, or a suffix, not both")
        if self.end is not None and self.end < self.start:
            raise InvalidInput(f"the range ends at {shown(self.end)}, before its start at {shown(self.start)}")

    @classmethod
    def of(cls, value: BytesRange | tuple[int, int | None]) -> BytesRange:
        """Returns a range for a caller's value: a `BytesRange` or a `(start, end)` pair."""
        if isinstance(value, BytesRange):
            return value
        if isinstance(value, tuple) and len(value) == 2:
            return cls(value[0], value[1])
        raise InvalidInput(f"a range must be a BytesRange or a (start, end) pair, not {shown(value)}")

    @property
    def is_full(self) -> bool:
        """Whether this is the whole object."""
        return self.suffix is None and self.start == 0 and self.end is None

    @property
    def is_empty(self) -> bool:
        """Whether the range has no bytes, in any object."""
        return self.suffix == 0 or self.end == self.start

    @property
    def length(self) -> int | None:
        """The largest number of bytes in the range, or None if only the object's end bounds it."""
        if self.suffix is not None:
            return self.suffix
        return None if self.end is None else self.end - self.start

    def resolve(self, size: int) -> tuple[int, int]:
        """Returns the `(start, end)` of this range in an object of `size` bytes, with the end clamped.

        Raises:
            RangeNotSatisfied: the range starts past the end of the object.
        """
        if self.suffix is not None:
            return max(0, size - self.suffix), size
        if self.start > size:
            raise RangeNotSatisfied(f"range start {self.start} is past the end of the object (size {size})")
        return self.start, size if self.end is None else min(self.end, size)

    def __str__(self) -> str:
        if self.suffix is not None:
            return f"-{self.suffix}"
        return f"{self.start}..{'' if self.end is None else self.end}"


def is_span(value: object) -> TypeGuard[Span]:
    """Whether a value is a pair that `BytesRange` would take as it is, so that a call with many pairs makes none."""
    if type(value) is not tuple or len(value) != 2:
        return False
    start, end = value
    return type(start) is int is type(end) and 0 <= start <= end <= LARGEST
