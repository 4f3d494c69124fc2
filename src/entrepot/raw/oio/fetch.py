"""Many ranges of one object, with as few requests as make sense."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from entrepot.errors import RangeNotSatisfied
from entrepot.types import BytesRange

from .in_window import take_all
from .pinned_range import PinnedRange
from .read import Gathered

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
    pinned: PinnedRange, ranges: Sequence[BytesRange], gap: int, chunk: int | None, window: Window[None]
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
    requests = _requests(spans, gap, chunk)
    await take_all((partial(_fetch, pinned, one) for one in requests), window, [])
    answers = _Answers(requests, pinned.limit)
    return [answers.of(span) for span in spans]


async def _concrete(pinned: PinnedRange, asked: BytesRange) -> Span:
    if asked.is_empty:
        return 0, 0  # wherever it lies: what it gives must not depend on whether the size is known by now
    if asked.suffix is not None or asked.end is None:
        return asked.resolve(await pinned.learn_size())
    limit = pinned.limit
    if asked.start == limit:  # empty if the object reaches that far, otherwise behind its end
        limit = await pinned.learn_size()
    return asked.start, asked.end if limit is None else max(asked.start, min(asked.end, limit))


class _Request:
    """One request, and what is cut out of its bytes as they come. What lies between that is not kept.

    Arguments:
        span: what is asked for.
        merged: where the merged span begins that it is a part of.
        wanted: the spans to cut out, sorted, as far as they lie in it.

    Attributes:
        reached: the end of what came.
    """

    __slots__ = ("_passed", "cut", "merged", "reached", "span", "wanted")

    def __init__(self, span: Span, merged: int, wanted: Sequence[Span]) -> None:
        self.span = span
        self.merged = merged
        self.wanted = wanted
        self.cut = [Gathered() for _ in wanted]
        self.reached = span[0]
        self._passed = 0

    def take(self, piece: bytes) -> None:
        """Cuts what is wanted out of the bytes that come next."""
        begin, self.reached = self.reached, self.reached + len(piece)
        while self._passed < len(self.wanted) and self.wanted[self._passed][1] <= begin:
            self._passed += 1
        for index in range(self._passed, len(self.wanted)):
            low, high = self.wanted[index]
            if low >= self.reached:
                break
            if high > begin:
                self.cut[index].add(piece[max(0, low - begin) : high - begin])


def _requests(spans: Iterable[Span], gap: int, chunk: int | None) -> list[_Request]:
    wanted = sorted({span for span in spans if span[0] < span[1]})
    requests, first = list[_Request](), 0
    for merged in merge_spans(wanted, gap):
        for begin, end in split_span(merged, chunk):
            while wanted[first][1] <= begin:
                first += 1
            requests.append(_Request((begin, end), merged[0], wanted[first : bisect_left(wanted, (end,))]))
    return requests


async def _fetch(pinned: PinnedRange, request: _Request) -> None:
    """Makes a request. Where the object may have ended before, in an earlier part of a span, nothing comes."""
    begin, end = request.span
    try:
        await pinned.fetch_pieces(begin, end, request.take)
    except RangeNotSatisfied:
        if begin == request.merged:
            raise


class _Answers:
    """What the replies to all requests give.

    Arguments:
        requests: the requests, sorted.
        limit: how many bytes the range has, if that is known.
    """

    __slots__ = ("_begins", "_contents", "_ends", "_limit")

    def __init__(self, requests: Iterable[_Request], limit: int | None) -> None:
        self._limit = limit
        self._contents: dict[Span, list[bytes]] = {}
        ends: dict[int, int] = {}
        for one in requests:
            came = one.reached - one.span[0]
            ends[one.merged] = ends.get(one.merged, one.merged) + came
            for span, content in zip(one.wanted, one.cut, strict=True):
                self._contents.setdefault(span, []).append(content.whole())
        self._begins, self._ends = list(ends), list(ends.values())

    def of(self, span: Span) -> bytes:
        """The bytes of a span.

        Raises:
            RangeNotSatisfied: it starts behind the end.
        """
        begin, end = span
        if self._limit is not None and begin > self._limit:
            raise RangeNotSatisfied(f"the range starts at {begin}, what can be read ends at {self._limit}")
        if begin == end:
            return b""
        reached = self._ends[bisect_right(self._begins, begin) - 1]
        if begin > reached:  # it came short, so the object has ended
            raise RangeNotSatisfied(f"the range starts at {begin}, the object ends at {reached}")
        parts = self._contents[span]
        return parts[0] if len(parts) == 1 else b"".join(parts)
