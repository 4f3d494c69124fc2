"""Many ranges of one object, with as few requests as make sense."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from entrepot.errors import RangeNotSatisfied
from entrepot.types import BytesRange

from .pinned_range import PinnedRange

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

Span = tuple[int, int]


def merge_spans(spans: Iterable[Span], gap: int) -> list[Span]:
    """The fewest spans that cover all the given ones, where two at most `gap` bytes apart become one.

    Spans are `(begin, end)`, half-open. Empty ones need nothing. The answer is sorted and disjoint.
    """
    merged: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and begin - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def split_span(span: Span, size: int | None) -> list[Span]:
    """The span in pieces of at most `size` bytes, or whole where that is None."""
    begin, end = span
    step = size or end - begin
    return [(piece, min(piece + step, end)) for piece in range(begin, end, step)]


async def fetch_ranges(
    pinned: PinnedRange, ranges: Sequence[BytesRange], gap: int, chunk: int | None, window: Window[bytes]
) -> list[bytes]:
    """The bytes of each range, in the order of the ranges.

    Arguments:
        pinned: the range of the object that the ranges are relative to.
        ranges: what to read; an end behind the object's end is clamped.
        gap: ranges at most so many bytes apart share a request.
        chunk: the most bytes of a request, or None.
        window: where the requests run.

    Raises:
        RangeNotSatisfied: a range starts behind the end.
    """
    spans = [await _concrete(pinned, one) for one in ranges]
    merged = merge_spans(spans, gap)
    pieces = [split_span(span, chunk) for span in merged]
    fetched = await _fetch_all(pinned, [piece for split in pieces for piece in split], window)
    contents = iter(fetched)
    data = [b"".join([next(contents) for _ in split]) for split in pieces]
    begins = [begin for begin, _ in merged]
    return [_cut(span, begins, data, pinned.size) for span in spans]


async def _concrete(pinned: PinnedRange, asked: BytesRange) -> Span:
    if asked.suffix is not None or asked.end is None:
        return asked.resolve(await pinned.learn_size())
    limit = pinned.limit
    return asked.start, asked.end if limit is None else max(asked.start, min(asked.end, limit))


async def _fetch_all(pinned: PinnedRange, pieces: list[Span], window: Window[bytes]) -> list[bytes]:
    waiting, fetched = iter(pieces), list[bytes]()
    try:
        for begin, end in waiting:
            window.spawn(partial(pinned.fetch, begin, end))
            if window.is_full():
                fetched.append(await window.take())
        while len(window):
            fetched.append(await window.take())
    finally:
        await window.close()
    return fetched


def _cut(span: Span, begins: list[int], data: list[bytes], size: int | None) -> bytes:
    begin, end = span
    if size is not None and begin > size:
        raise RangeNotSatisfied(f"the range starts at {begin}, the object ends at {size}")
    if begin == end:
        return b""
    index = bisect_right(begins, begin) - 1
    content, offset = data[index], begin - begins[index]
    return content if offset == 0 and len(content) <= end - begin else content[offset : end - begins[index]]
