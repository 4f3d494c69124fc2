"""One rule for every number that a caller passes."""

from __future__ import annotations

import operator
from typing import Any

from entrepot.errors import InvalidInput


def as_integer(name: str, value: Any, least: int | None = None) -> int:
    """An integer from what stands for one (`__index__`); a bool does not.

    Arguments:
        name: what the number is, for the error.
        value: what was passed.
        least: the smallest that makes sense, or None.

    Raises:
        InvalidInput: it is no integer, or too small.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise InvalidInput(f"{name} is an integer, not {value!r}")
    if least is not None and number < least:
        raise InvalidInput(f"{name} is at least {least}, so not {number}")
    return number
