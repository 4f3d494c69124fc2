"""Many ranges of one object, with as few requests as make sense."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from entrepot.errors import ContentIncomplete, RangeNotSatisfied
from entrepot.raw.oio.windowed import gather
from entrepot.types import BytesRange

from .api import Joiner
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
        ContentIncomplete: fewer bytes came than the object has.
    """
    if not all(one.is_empty for one in ranges):
        await pinned.settle()
    spans = [await _concrete(pinned, one) for one in ranges]
    requests = _requests(spans, gap, chunk)
    await gather((partial(_fetch, pinned, one) for one in requests), window, [])
    end = await _end(pinned, requests)
    _check_complete(requests, end)
    contents, limit = _contents(requests), pinned.limit if end is None else end
    return [_answer(span, contents, limit) for span in spans]


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
        wanted: the spans to cut out, sorted, as far as they lie in it.

    Attributes:
        reached: the end of what came.
        refusal: the error, where the range was refused.
    """

    __slots__ = ("_passed", "cut", "reached", "refusal", "span", "wanted")

    def __init__(self, span: Span, wanted: Sequence[Span]) -> None:
        self.span = span
        self.wanted = wanted
        self.cut = [Joiner() for _ in wanted]
        self.reached = span[0]
        self.refusal: RangeNotSatisfied | None = None
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
            requests.append(_Request((begin, end), wanted[first : bisect_left(wanted, (end,))]))
    return requests


async def _fetch(pinned: PinnedRange, request: _Request) -> None:
    """Makes a request. What a refusal means shows when all the others are there."""
    try:
        await pinned.fetch_pieces(*request.span, request.take)
    except RangeNotSatisfied as refusal:
        request.refusal = refusal


async def _end(pinned: PinnedRange, requests: Iterable[_Request]) -> int | None:
    """Where the object ends: known by now, or shown by the first request that came short; None if none did.

    Raises:
        RangeNotSatisfied: a range was refused, and nothing shows that the object ends before it.
    """
    end = pinned.size
    for one in requests:
        if one.refusal is not None and (end is None or one.span[0] < end):
            end = await pinned.end_before(one.span[0], one.refusal)
        elif end is None and one.reached < one.span[1]:
            end = one.reached
    return end


def _check_complete(requests: Iterable[_Request], end: int | None) -> None:
    """Holds what came to where the object ends, which may have shown later.

    Raises:
        ContentIncomplete: bytes are missing that the object has, or came from where it has ended.
    """
    for one in requests:
        begin, stop = one.span
        limit = one.reached if end is None else max(begin, end)
        if not min(stop, limit) <= one.reached <= limit:
            raise ContentIncomplete(f"bytes {begin} to {one.reached} came of {begin} to {min(stop, limit)}")


def _contents(requests: Iterable[_Request]) -> dict[Span, list[bytes]]:
    """The parts of each span that was wanted."""
    contents: dict[Span, list[bytes]] = {}
    for one in requests:
        for span, content in zip(one.wanted, one.cut, strict=True):
            contents.setdefault(span, []).append(content.whole())
    return contents


def _answer(span: Span, contents: Mapping[Span, Sequence[bytes]], limit: int | None) -> bytes:
    begin, end = span
    if limit is not None and begin > limit:
        raise RangeNotSatisfied(f"the range starts at {begin}, what can be read ends at {limit}")
    if begin == end:
        return b""
    parts = contents[span]
    return parts[0] if len(parts) == 1 else b"".join(parts)
