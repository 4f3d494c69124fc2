"""The names of members. An archive may hold any name; a path is relative to the root and leads nowhere else."""

from __future__ import annotations

from typing import Final

from entrepot.errors import InvalidInput
from entrepot.raw.path import normalize_path

_LEFT_OUT: Final = frozenset({"", ".", ".."})
_ODD: Final = b"\xff\x81"


def member_path(name: str) -> str | None:
    """Returns the path of a member, with the slash of a directory; None if no path can name it.

    Empty parts, `.` and `..` are left out, as programs do that extract archives: `"/a"`, `"./a"` and `"../a"` are the
    path `"a"`. A name without other parts, or with characters that no path can have, has no path.
    """
    path = "/".join([part for part in name.split("/") if part not in _LEFT_OUT])
    if not path:
        return None
    try:
        normalize_path(path)
    except InvalidInput:
        return None
    return f"{path}/" if name.endswith("/") else path


def is_encoding(name: str) -> bool:
    """Whether this Python has a text encoding of this name that shows bytes which are not of it."""
    try:
        _ODD.decode(name, "backslashreplace")
    except (LookupError, ValueError):
        return False
    return True
