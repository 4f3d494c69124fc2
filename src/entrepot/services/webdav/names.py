"""The names that resources may have, pure. Those of temporary files are in `raw/temporary_names.py`."""

import re
from typing import Final

from entrepot.errors import InvalidInput
from entrepot.raw import file_paths

_SEPARATORS: Final = re.compile(r"[/\\]")
_MISREAD: Final = re.compile("[?;\t]")
_PATH_END: Final = re.compile("[?;]")


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
        NotFound: a name in it is one of a temporary file.
    """
    check_key(key)
    file_paths.check_may_exist(key)


def check_may_be_made(key: str) -> None:
    """Checks that a resource may be made.

    Raises:
        InvalidInput: as `check_key`, or a name in it is one of a temporary file.
    """
    check_key(key)
    file_paths.check_may_be_made(key)


def may_be_misread(key: str) -> bool:
    """Whether a server may misread a key in a Destination header.

    WsgiDAV decodes the header before it parses it, so that `?` and `;` end the path, and a tab is lost.
    """
    return _MISREAD.search(key) is not None


def misread(key: str) -> str:
    """Returns the key that such a server takes it for."""
    return _PATH_END.split(key, maxsplit=1)[0].replace("\t", "")
