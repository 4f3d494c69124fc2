"""Texts for messages about a caller's values, which may be secrets."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from .patterns import pattern

_AUTHORITY_END: Final = pattern("[/?#]")
_NAME: Final = pattern("[A-Za-z_]{1,40}")
_HUGE: Final = 10**20
_LARGEST_PORT: Final = 65535

CUT_USERINFO: Final = (
    "the password before '@' has a '/', '?' or '#', which ends the host of a URI: write %2F, %3F or %23, or leave the "
    "password out of the URI"
)
"""The message about a URI with a password that is cut."""


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


def has_cut_password(uri: str) -> bool:
    """Whether a URI has a password with a slash, `?` or `#` that is not percent-encoded, so that it is cut there.

    What stands before that would be taken for the host, and the rest for a path, which messages show. A host is not
    followed by a colon and something other than a port, and a URI without a user or a password there may have an `@`
    in its path.

    Arguments:
        uri: the URI, or the first one of a chain.
    """
    address = uri.partition("://")[2]
    authority = _AUTHORITY_END.split(address, maxsplit=1)[0]
    if "@" in authority or "@" not in address or authority.startswith(("[", "arn:")):
        return False
    user, colon, rest = authority.partition(":")
    return bool(colon) and not (user and rest.isdecimal() and len(rest) < 6 and int(rest) <= _LARGEST_PORT)
