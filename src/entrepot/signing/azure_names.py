"""The names that Azure Storage keeps. Some others it accepts and changes, so that they are refused before any I/O.

A request for `a/../b` is one for `b`, and with enough `..` one for another container; a dot at the end of a part is
dropped, and a backslash becomes a slash. "Naming and Referencing Containers, Blobs, and Metadata" in the Azure Storage
REST API Reference advises against these names, and its servers resolve them also where they are percent-encoded.
"""

import re
from collections.abc import Iterable
from typing import Final

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw.config import hint_of_place

MAX_KEY: Final = 1024
"""The most characters of the name of a blob."""

MAX_PARTS_OF_KEY: Final = 254
"""The most parts of the name of a blob, between slashes."""

_UNKEPT: Final = re.compile("[\x00-\x1f\x7f\\\\\ufffe\uffff]|\\.(?:/|$)")
_CONTAINER: Final = re.compile(r"(?:[a-z0-9](?:-?[a-z0-9])+|\$root|\$web|\$logs)")
_IDENTIFIER: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def check_key(key: str) -> None:
    """Passes if a blob can have this key.

    Raises:
        InvalidInput: it cannot, or Azure would store it under another name.
    """
    if not 0 < len(key) <= MAX_KEY:
        raise InvalidInput(f"a key, the root included, has 1 to {MAX_KEY} characters, not {len(key)}")
    if _UNKEPT.search(key) is not None:
        raise InvalidInput(
            "Azure does not keep the name: no part of it can end with a dot, and it can have no backslash and no "
            "control character"
        )
    if key.count("/") >= MAX_PARTS_OF_KEY:
        raise InvalidInput(f"a key, the root included, has at most {MAX_PARTS_OF_KEY} parts between slashes")


def check_container(name: str) -> None:
    """Passes if a container can have this name.

    Raises:
        ConfigInvalid: it cannot.
    """
    if not 3 <= len(name) <= 63 or not _CONTAINER.fullmatch(name):
        raise ConfigInvalid(
            "container must have 3 to 63 lower-case letters, digits and single hyphens between them"
            + hint_of_place(name)
        )


def check_user_metadata(names: Iterable[str]) -> None:
    """Passes if Azure takes these names of user metadata.

    Raises:
        InvalidInput: one is not an identifier of C#, as Azure requires.
    """
    for name in names:
        if not _IDENTIFIER.fullmatch(name):
            raise InvalidInput(
                f"user_metadata cannot have the name {name!r}: Azure takes letters, digits and '_', and no digit first"
            )
        if name.lower() == "hdi_isfolder":
            raise InvalidInput("user_metadata cannot have the name 'hdi_isfolder', which makes the blob a directory")
