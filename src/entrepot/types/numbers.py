"""Checks of the numbers that callers pass: one rule for all of them."""

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
"""The most seconds that every event loop and system can wait, about 292 years. Some raise OverflowError above."""


def as_integer(name: str, value: Any, least: int | None = None) -> int:
    """Returns a value as an int. It must be an integer or have `__index__`, and not be a bool.

    Arguments:
        name: the name of the number, for the message.
        value: the caller's value.
        least: the smallest valid number, or None.

    Raises:
        InvalidInput: the value is not an integer, or is too small or too large.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise InvalidInput(f"{name} must be an integer, not {shown(value)}")
    if least is not None and number < least:
        raise InvalidInput(f"{name} must be at least {least}, not {shown(number)}")
    if not -LARGEST <= number <= LARGEST:
        raise InvalidInput(f"{name} has more than 63 bits, the most of an offset or size")
    return number


def as_number(
    name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf
) -> float:
    """Returns a finite number, an int or a float but not a bool.

    Arguments:
        name: the name of the number, for the message.
        value: the caller's value.
        least: the smallest valid number.
        above: the number that it must exceed.
        most: the largest valid number.

    Raises:
        InvalidInput: the value is not a number, or is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise InvalidInput(f"{name} must be a number, not {shown(value)}")
    if value < least:
        raise InvalidInput(f"{name} must be at least {least}, not {shown(value)}")
    if value <= above:
        raise InvalidInput(f"{name} must be more than {above}, not {shown(value)}")
    if value > most:
        raise InvalidInput(f"{name} must be at most {most}, not {shown(value)}")
    return value


def as_seconds(name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf) -> float:
    """Returns a number of seconds that the system can wait.

    Arguments:
        name: the name of the number, for the message.
        value: the caller's value.
        least: the smallest valid number.
        above: the number that it must exceed.

    Raises:
        InvalidInput: the value is not a number, is out of bounds, or is more than `LONGEST`.
    """
    return as_number(name, value, least=least, above=above, most=LONGEST)
