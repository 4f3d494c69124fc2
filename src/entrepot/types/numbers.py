"""One rule for every number that a caller passes."""

from __future__ import annotations

import math
import operator
import sys
from threading import TIMEOUT_MAX
from typing import Any, Final

from entrepot.errors import InvalidInput

from .shown import shown

LARGEST: Final = 2**63 - 1
"""The largest offset of any file, and the largest number that a caller may pass."""

LONGEST: Final = TIMEOUT_MAX
"""The most seconds that every event loop and the system can wait, some 292 years. More is an OverflowError on some."""


def as_integer(name: str, value: Any, least: int | None = None) -> int:
    """An integer from what stands for one (`__index__`); a bool does not.

    Arguments:
        name: what the number is, for the error.
        value: what was passed.
        least: the smallest that makes sense, or None.

    Raises:
        InvalidInput: it is no integer, or too small or too large.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise InvalidInput(f"{name} is an integer, not {shown(value)}")
    if least is not None and number < least:
        raise InvalidInput(f"{name} is at least {least}, so not {shown(number)}")
    if not -LARGEST <= number <= LARGEST:
        raise InvalidInput(f"{name} has more than 63 bits, which no offset or size can have")
    return number


def as_number(
    name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf
) -> float:
    """A finite number, whole or not; a bool is none.

    Arguments:
        name: what the number is, for the error.
        value: what was passed.
        least: the smallest that makes sense.
        above: what it must exceed.
        most: the largest that makes sense.

    Raises:
        InvalidInput: it is no number, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise InvalidInput(f"{name} is a number, not {shown(value)}")
    if value < least:
        raise InvalidInput(f"{name} is at least {least}, so not {shown(value)}")
    if value <= above:
        raise InvalidInput(f"{name} is more than {above}, so not {shown(value)}")
    if value > most:
        raise InvalidInput(f"{name} is at most {most}, so not {shown(value)}")
    return value


def as_seconds(name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf) -> float:
    """A number of seconds that can be waited for.

    Arguments:
        name: what the number is, for the error.
        value: what was passed.
        least: the smallest that makes sense.
        above: what it must exceed.

    Raises:
        InvalidInput: it is no number, out of bounds, or more than `LONGEST`.
    """
    return as_number(name, value, least=least, above=above, most=LONGEST)
