"""Regular expressions that are compiled on first use.

Compiling one takes as long as importing a small module, and a program uses few of those that it imports. Patterns that
every request needs are compiled by `re.compile`.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, Final, cast

_METHODS: Final = ("findall", "finditer", "fullmatch", "match", "search", "split", "sub", "subn")


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Returns what behaves as `re.compile(text, flags)` does. Its methods are those of the compiled pattern.

    Arguments:
        text: the regular expression.
        flags: flags of `re`.
    """
    return cast("re.Pattern[AnyStr]", _Pattern(text, flags))


class _Pattern:
    """Has no methods until one is used, and then those of the compiled pattern."""

    def __init__(self, text: str | bytes, flags: int) -> None:
        self._arguments: tuple[Any, int] = text, flags

    def __getattr__(self, name: str) -> Any:
        """Compiles the pattern. Threads may do so at the same time: the results are equal."""
        if name not in _METHODS:
            raise AttributeError(f"a pattern that is compiled on first use has no attribute {name!r}")
        compiled = re.compile(*self._arguments)
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})
        return getattr(compiled, name)
