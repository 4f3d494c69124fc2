"""Paths of URLs as paths of the storage, and back."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from .refusals import Refused

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SEPARATOR: Final = re.compile(r"[/\\]")


def raw_path(target: str) -> str:
    """The path of the target of a request as it was sent, which is a path with a query, or a whole URL."""
    path = target.partition("?")[0]
    return path if path.startswith("/") else urlsplit(path).path


def path_of(raw: str) -> str:
    """The path of the storage that the path of a URL names; `"/"` is the root, and a directory ends with a slash.

    Names are decoded once, after the path was split: an encoded slash never becomes a separator.

    Arguments:
        raw: the path of the URL as it was sent, percent-encoded.

    Raises:
        Refused: a name is `.` or `..`, or has a slash or a control character, or is not UTF-8.
    """
    names = [_name_of(encoded) for encoded in raw.split("/") if encoded]
    return "/".join(names) + ("/" if raw.endswith("/") or not names else "")


def url_of(path: str) -> str:
    """The path of the URL of a path of the storage. It is absolute, and never begins with two slashes."""
    return (
        "/"
        + "/".join(quote(name, safe="") for name in path.strip("/").split("/"))
        + ("/" if path[1:].endswith("/") else "")
    )


def _name_of(encoded: str) -> str:
    try:
        name = unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        raise Refused(400, "A name in the path is not UTF-8.") from None
    if _CONTROL.search(name) or "/" in name or {".", ".."} & set(_SEPARATOR.split(name)):
        raise Refused(400, "A name in the path is not one of an object.")
    return name
