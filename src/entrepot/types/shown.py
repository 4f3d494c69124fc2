"""Texts for messages about a caller's values, which may be secrets."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Final

_NAME: Final = re.compile("[A-Za-z_]{1,40}")
_HUGE: Final = 10**20


def shown(value: object) -> str:
    """Returns a number or flag as text, and of other values the type's name: they may be or hold a secret."""
    if value is None or type(value) in {bool, float}:
        return repr(value)
    if type(value) is int:
        return (
            repr(value) if -_HUGE < value < _HUGE else "a huge int"
        )  # Python may refuse to convert a huge int to text
    return type(value).__name__


def shown_name(name: object) -> str:
    """Returns an unknown name if it looks like a name. Other text may be a secret in the wrong place."""
    return repr(name) if isinstance(name, str) and _NAME.fullmatch(name) else "of this name"


def shown_type(value: object) -> str:
    """Returns the name of the type of a wrong value; of one that only needs `await`, with that."""
    return f"{type(value).__name__}{'; await it first' if isinstance(value, Awaitable) else ''}"
