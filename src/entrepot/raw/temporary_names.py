"""The names of temporary files: `.entrepot-<16 hexadecimal digits>.tmp`."""

import os
from typing import Final

from entrepot.errors import NotFound, Unexpected

PREFIX: Final = ".entrepot-"
_SUFFIX: Final = ".tmp"
_RANDOM: Final = 16
_LENGTH: Final = len(PREFIX) + _RANDOM + len(_SUFFIX)
_HEXADECIMAL: Final = frozenset("0123456789abcdef")


def new_temporary_name() -> str:
    """Returns a random name."""
    return f"{PREFIX}{os.urandom(_RANDOM // 2).hex()}{_SUFFIX}"


def is_temporary_name(name: str) -> bool:
    """Whether a name is one of a temporary file."""
    return (
        len(name) == _LENGTH
        and name.startswith(PREFIX)
        and name.endswith(_SUFFIX)
        and _HEXADECIMAL.issuperset(name[len(PREFIX) : -len(_SUFFIX)])
    )


def deleted_meanwhile(error: NotFound, *, has_content: bool) -> Unexpected:
    """The error of a write whose temporary file is gone, with the directory that another process took for empty.

    Arguments:
        error: the storage's.
        has_content: whether the writer still has the content, and makes the file again with the next attempt.
    """
    reason = "another process deleted the temporary file of this write, with its directory"
    if not has_content:
        reason += ": write the whole file again"
    return Unexpected(reason, is_temporary=has_content, context=error.context)
