"""Keys of object stores that a file system cannot have as names of files."""

from __future__ import annotations

from typing import Final

from entrepot.errors import InvalidInput

_NOT_FILES: Final = {"": "two slashes in a row", ".": "the name '.'", "..": "the name '..'"}
"""Names in keys that a directory cannot have, and how a message calls them."""


def check_file_names(path: str) -> None:
    """Refuses a key that a file system would take for another name, so that two objects would become one file.

    Raises:
        InvalidInput: the key has such a name.
    """
    odd = next((name for name in path.split("/") if name in _NOT_FILES), None)
    if odd is not None:
        raise InvalidInput(
            f"the key has {_NOT_FILES[odd]} in it, which is not the name of a file: `exclude` leaves it out"
        )
