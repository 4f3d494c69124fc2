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
    if not all(one.is_empty for one in ranges):
        await pinned.settle()
    spans = [await _concrete(pinned, one) for one in ranges]
    merged = merge_spans(spans, gap)
    pieces = [split_span(span, chunk) for span in merged]
    fetched = iter(await _fetch_all(pinned, pieces, window))
    data = [b"".join([next(fetched) for _ in split]) for split in pieces]
    begins = [begin for begin, _ in merged]
    return [_cut(span, begins, data, pinned.limit) for span in spans]


async def _concrete(pinned: PinnedRange, asked: BytesRange) -> Span:
    if asked.is_empty:
        return 0, 0  # wherever it lies: what it gives must not depend on whether the size is known by now
    if asked.suffix is not None or asked.end is None:
        return asked.resolve(await pinned.learn_size())
    limit = pinned.limit
    if asked.start == limit:  # empty if the object reaches that far, otherwise behind its end
        limit = await pinned.learn_size()
    return asked.start, asked.end if limit is None else max(asked.start, min(asked.end, limit))


async def _fetch_all(pinned: PinnedRange, pieces: list[list[Span]], window: Window[bytes]) -> list[bytes]:
    fetched = list[bytes]()
    try:
        for split in pieces:
            for piece in split:
                window.spawn(partial(_fetch, pinned, piece, is_first=piece is split[0]))
                if window.is_full():
                    fetched.append(await window.take())
        while len(window):
            fetched.append(await window.take())
    finally:
        await window.close()
    return fetched


async def _fetch(pinned: PinnedRange, piece: Span, *, is_first: bool) -> bytes:
    """A piece of a span. Where the object may have ended before, in an earlier piece, it is empty."""
    try:
        return await pinned.fetch(*piece)
    except RangeNotSatisfied:
        if is_first:
            raise
        return b""


def _cut(span: Span, begins: list[int], data: list[bytes], limit: int | None) -> bytes:
    begin, end = span
    if limit is not None and begin > limit:
        raise RangeNotSatisfied(f"the range starts at {begin}, what can be read ends at {limit}")
    if begin == end:
        return b""
    index = bisect_right(begins, begin) - 1
    content, offset = data[index], begin - begins[index]
    if offset > len(content):  # it came short, so the object has ended
        raise RangeNotSatisfied(f"the range starts at {begin}, the object ends at {begins[index] + len(content)}")
    return content if offset == 0 and len(content) <= end - begin else content[offset : end - begins[index]]
