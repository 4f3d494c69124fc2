"""Ranges as fsspec writes them: a start and an end, each None, or negative and counted from the end of the file."""

from __future__ import annotations

from entrepot import BytesRange

Bound = int | None


def needs_size(start: Bound, end: Bound) -> bool:
    """Whether a range can only be requested by its place from the start, which takes the size of the file."""
    return (end is not None and end < 0) or (start is not None and start < 0 and end is not None)


def requested_range(start: Bound, end: Bound, size: int | None) -> BytesRange:
    """Returns the range to request; an empty one where the end is not after the start.

    Arguments:
        start: the first byte. By default the first of the file.
        end: the byte after the last. By default the end of the file.
        size: the size of the file in bytes, where `needs_size`.
    """
    if size is not None:
        start = max(0, start + size) if start is not None and start < 0 else start
        end = max(0, end + size) if end is not None and end < 0 else end
    elif start is not None and start < 0:
        return BytesRange(suffix=-start)
    start = start or 0
    return BytesRange(start, end if end is None else max(start, end))
