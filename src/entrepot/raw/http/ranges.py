"""The codec of byte ranges (RFC 9110, section 14)."""

import re
from dataclasses import dataclass
from typing import Final

from entrepot.errors import ContentTruncated
from entrepot.types import BytesRange

from .headers import MAX_LENGTH

_CONTENT_RANGE: Final = re.compile(r"bytes\s+(?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """What a Content-Range header says.

    Arguments:
        start: the first byte, or None where no range is given (`bytes */n`).
        end: the byte after the last, likewise.
        size: the size of the whole object, or None where it is not told.
    """

    start: int | None
    end: int | None
    size: int | None


def range_header(asked: BytesRange) -> str | None:
    """The value of the Range header, or None for the whole object. An empty range has none: do not ask."""
    if asked.is_full:
        return None
    if asked.suffix is not None:
        return f"bytes=-{asked.suffix}"
    return f"bytes={asked.start}-{'' if asked.end is None else asked.end - 1}"


def parse_content_range(value: str) -> ContentRange:
    """Reads a Content-Range header.

    Raises:
        ContentTruncated: it says nothing that makes sense, so that the bytes beside it mean nothing.
    """
    match = _CONTENT_RANGE.fullmatch(value.strip())
    if match is None:
        raise ContentTruncated("the reply has a Content-Range that cannot be read")
    first, last, size = match.groups()
    found = ContentRange(
        None if first is None else int(first),
        None if last is None else int(last) + 1,
        None if size == "*" else int(size),
    )
    if max(found.end or 0, found.size or 0) > MAX_LENGTH:
        raise ContentTruncated("the Content-Range of the response is larger than an object can be")
    if found.start is not None and found.end is not None and found.end <= found.start:
        raise ContentTruncated(f"the reply has a Content-Range that runs backwards: {value[:80]!r}")
    if found.end is not None and found.size is not None and found.end > found.size:
        raise ContentTruncated(f"the reply has a Content-Range that leaves the object: {value[:80]!r}")
    return found
