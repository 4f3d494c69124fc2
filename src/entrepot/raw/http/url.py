"""Keys and queries in URLs."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from entrepot.errors import InvalidInput

_UNRESERVED: Final = re.compile("[A-Za-z0-9._~/-]+").fullmatch

Query = Sequence[tuple[str, str | None]]
"""Names and values, in order. A name without a value has None."""


def encode_key(key: str) -> str:
    """A key as the path of a URL: every byte is percent-encoded but the unreserved ones (RFC 3986, 2.3) and slashes."""
    return key if _UNRESERVED(key) else quote(key, safe="/")


def encode_name(key: str) -> str:
    """A key as one name in the path of a URL: its slashes are percent-encoded too."""
    return key.replace("/", "%2F") if _UNRESERVED(key) else quote(key, safe="")


def encode_query(query: Query) -> str:
    """A query with its question mark; empty if there is none."""
    if not query:
        return ""
    return "?" + "&".join(name if value is None else f"{name}={quote(value, safe='')}" for name, value in query)


def checked_key(key: str, max_bytes: int) -> str:
    """A key as the path of a URL, as `encode_key` returns it.

    Raises:
        InvalidInput: as `check_key`.
    """
    if len(key) <= max_bytes and _UNRESERVED(key):  # most keys
        return key
    check_key(key, max_bytes)
    return quote(key, safe="/")


def is_key(key: str, max_bytes: int) -> bool:
    """Whether there can be an object with this key. An empty key would mean the whole store, in a DELETE too."""
    return 0 < len(key) <= max_bytes and (key.isascii() or len(key.encode()) <= max_bytes)


def check_key(key: str, max_bytes: int) -> None:
    """Refuses a key that no object can have.

    Raises:
        InvalidInput: the key is empty, or longer than the storage accepts.
    """
    if not is_key(key, max_bytes):
        raise InvalidInput(f"a key, the root included, has 1 to {max_bytes} bytes of UTF-8, not {len(key.encode())}")
