"""The codec of byte ranges (RFC 9110, section 14)."""

import re
from typing import TYPE_CHECKING, Final

from entrepot.errors import ContentTruncated
from entrepot.types import BytesRange
from entrepot.types.patterns import pattern

from .headers import MAX_LENGTH

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

_EMPTY: Final = "bytes 0--1/0"
"""How servers in Go, such as MinIO's front end, state the last bytes of an object without bytes."""

_CONTENT_RANGE: Final = pattern(r"bytes\s+(?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The value of a Content-Range header.

    Arguments:
        start: the first byte; None without a range (`bytes */n`).
        end: the byte after the last one; None without a range.
        size: the size of the whole object; None if it is not stated.
    """

    start: int | None
    end: int | None
    size: int | None


def range_header(requested: BytesRange) -> str | None:
    """The value of the Range header, or None for the whole object. No value means an empty range: send no request."""
    if requested.is_full:
        return None
    if requested.suffix is not None:
        return f"bytes=-{requested.suffix}"
    return f"bytes={requested.start}-{'' if requested.end is None else requested.end - 1}"


def parse_content_range(value: str) -> ContentRange:
    """Parses a Content-Range header.

    Raises:
        ContentTruncated: it is malformed or contradicts itself, so the place of the content is unknown.
    """
    match = _CONTENT_RANGE.fullmatch(value.strip())
    if match is None and value == _EMPTY:
        return ContentRange(0, 0, 0)
    if match is None:
        raise ContentTruncated("the response has a Content-Range that cannot be read")
    first, last, size = match.groups()
    content_range = ContentRange(
        None if first is None else int(first),
        None if last is None else int(last) + 1,
        None if size == "*" else int(size),
    )
    if max(content_range.end or 0, content_range.size or 0) > MAX_LENGTH:
        raise ContentTruncated("the Content-Range of the response is larger than an object can be")
    if content_range.start is not None and content_range.end is not None and content_range.end <= content_range.start:
        raise ContentTruncated(f"the response has a Content-Range that runs backwards: {value[:80]!r}")
    if content_range.end is not None and content_range.size is not None and content_range.end > content_range.size:
        raise ContentTruncated(f"the response has a Content-Range that ends past the end of the object: {value[:80]!r}")
    return content_range
