"""What a message may show of a value that a caller passed."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile("[A-Za-z_]{1,40}")
_HUGE: Final = 10**20


def shown(value: object) -> str:
    """A number or a flag as it is, and only the type of any other value, which may be a secret or hold one."""
    if value is None or type(value) in {bool, float}:
        return repr(value)
    if type(value) is int:
        return repr(value) if -_HUGE < value < _HUGE else "a huge int"  # the text of a huge one can be refused
    return type(value).__name__


def shown_name(name: object) -> str:
    """A name that is not known, if it looks like one. Anything else may be a secret in the wrong place."""
    return repr(name) if isinstance(name, str) and _NAME.fullmatch(name) else "of this name"
