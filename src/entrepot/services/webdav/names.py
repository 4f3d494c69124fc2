"""The names that resources may have, pure.

Names of temporary resources are `.entrepot-<16 hexadecimal digits>.tmp`. To the operator nothing has such a name.
"""

import os
import re
from typing import Final

from entrepot.errors import InvalidInput, NotFound

_TEMPORARY: Final = re.compile(r"\.entrepot-[0-9a-f]{16}\.tmp")
_SEPARATORS: Final = re.compile(r"[/\\]")
_MISREAD: Final = re.compile("[?;\t]")


def new_temporary_name() -> str:
    """Returns a random name."""
    return f".entrepot-{os.urandom(8).hex()}.tmp"


def is_temporary_name(name: str) -> bool:
    """Whether a name is one of a temporary resource."""
    return name.startswith(".entrepot-") and _TEMPORARY.fullmatch(name) is not None


def check_key(key: str) -> None:
    """Refuses names that servers resolve (RFC 3986, 6.2.2.3), which would then be of another resource.

    Raises:
        InvalidInput: a name is `.` or `..`, or empty.
    """
    if "." in key and not {".", ".."}.isdisjoint(_SEPARATORS.split(key)):
        raise InvalidInput("'.' and '..' cannot be names on a WebDAV server: it resolves them")
    if "//" in key or key.startswith("/"):
        raise InvalidInput("a name on a WebDAV server cannot be empty: the path has two slashes in a row")


def check_may_exist(key: str) -> None:
    """Checks that a key can be one of a resource.

    Raises:
        InvalidInput: as `check_key`.
        NotFound: a name in it is one of a temporary resource.
    """
    check_key(key)
    if _has_temporary_name(key):
        raise NotFound("there is no such file: the name is reserved for files that are being written")


def check_may_be_made(key: str) -> None:
    """Checks that a resource may be made.

    Raises:
        InvalidInput: as `check_key`, or a name in it is one of a temporary resource.
    """
    check_key(key)
    if _has_temporary_name(key):
        raise InvalidInput("the name is reserved for files that are being written")


def may_be_misread(key: str) -> bool:
    """Whether a server may misread a key in a Destination header.

    WsgiDAV decodes the header before it parses it, so that `?` and `;` end the path, and a tab is lost.
    """
    return _MISREAD.search(key) is not None


def _has_temporary_name(key: str) -> bool:
    return ".entrepot-" in key and any(map(is_temporary_name, key.split("/")))
