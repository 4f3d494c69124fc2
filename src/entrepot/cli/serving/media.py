"""Media types: which one an object has, and which of them a browser may show."""

from __future__ import annotations

from mimetypes import MimeTypes
from typing import Final

_UNKNOWN: Final = {"", "application/octet-stream", "binary/octet-stream"}
_PASSIVE: Final = {
    *("text/plain", "text/csv", "text/markdown", "application/json"),
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/vnd.microsoft.icon"),
}
_PASSIVE_KINDS: Final = {"audio", "video"}

_TYPES: Final = MimeTypes()  # of Python alone: the files of the system differ from one machine to the next
for _suffix, _type in {".md": "text/markdown", ".avif": "image/avif", ".webp": "image/webp"}.items():
    _TYPES.add_type(_type, _suffix)


def media_type(path: str, stored: str | None) -> str:
    """The media type of an object: the stored one, or by its name if none was stored."""
    if essence(stored) not in _UNKNOWN:
        return stored or ""
    guessed, encoding = _TYPES.guess_type(f"/{path.rpartition('/')[2]}", strict=False)
    if guessed is None or encoding is not None:
        return "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


def essence(content_type: str | None) -> str:
    """A media type without its parameters, in lower case."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_passive(content_type: str) -> bool:
    """Whether a browser may show content of this type: it runs no script in it."""
    kind = essence(content_type)
    return kind in _PASSIVE or kind.partition("/")[0] in _PASSIVE_KINDS


def shown_as(content_type: str) -> str:
    """The element that shows content of this type: `img`, `audio` or `video`; otherwise `text`, if it is text."""
    kind = essence(content_type)
    family = kind.partition("/")[0]
    if family in _PASSIVE_KINDS:
        return family
    if family == "image":
        return "img"
    return "text"
