"""Reads many ranges of one object with few requests.

Ranges at most `gap` bytes apart share a request, and a request has at most `chunk` bytes. The requests run at the same
time in a window; each cuts the wanted spans out of its bytes as they arrive, so the bytes between are not kept.
If the size is unknown, a short or refused request shows the end only after all others are back.

A caller that takes views gets what is cheaper: where the spans are at least half of a request, its bytes are received
in one block, and the results are views of it. New memory for each span, and a copy into it, cost more than receiving.
Elsewhere the spans are cut out, so that blocks never keep more than twice the bytes that were requested of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from entrepot.errors import ContentIncomplete, RangeNotSatisfied, Unsupported
from entrepot.raw.oio.windowed import gather
from entrepot.types import BytesRange
from entrepot.types.bytes_range import Span
from entrepot.types.numbers import LARGEST

from .api import DIRECT, Joiner, Read, pass_on, read_up_to
from .block import read_block
from .pinned_range import PinnedRange

if TYPE_CHECKING:
    from entrepot.raw.runtime import Window

MOST_BLIND: Final = 256
"""The most requests for a range whose end may be past the end of the object. For more, its size is learned first."""

T = TypeVar("T")

Wanted: TypeAlias = BytesRange | Span
"""A range that a caller wants: a pair, if it passes `is_span`, needs no `BytesRange`."""


def merge_spans(spans: Iterable[Span], gap: int) -> list[Span]:
    """Returns the fewest spans that cover all given spans, merging spans at most `gap` bytes apart.

    Spans are half-open pairs `(begin, end)`. Empty spans are dropped. The result is sorted and disjoint.
    """
    ordered = sorted(span for span in spans if span[0] < span[1])
    if not ordered:
        return []
    merged: list[Span] = []
    begin, end = ordered[0]
    for low, high in ordered:
        if low - end > gap:
            merged.append((begin, end))
            begin, end = low, high
        elif high > end:
            end = high
    merged.append((begin, end))
    return merged


def split_span(span: Span, size: int | None) -> list[Span]:
    """Splits a span into pieces of at most `size` bytes; None leaves it whole."""
    begin, end = span
    step = size or end - begin
    return [(start, min(start + step, end)) for start in range(begin, end, step)]


async def fetch_ranges(
    pinned: PinnedRange, ranges: Sequence[Wanted], gap: int, chunk: int | None, window: Window[None]
) -> list[bytes]:
    """Returns the bytes of each range, in the order of the ranges.

    The arguments and errors are those of `fetch_views`.
    """
    return await _fetch_parts(pinned, ranges, gap, chunk, window, _Pieces, _joined)


async def fetch_views(
    pinned: PinnedRange, ranges: Sequence[Wanted], gap: int, chunk: int | None, window: Window[None]
) -> list[memoryview]:
    """Returns a read-only view of the bytes of each range, in the order of the ranges.

    Arguments:
        pinned: the range of the object that the ranges are relative to.
        ranges: the ranges to read, as `BytesRange` or as pairs that `is_span` accepts; an end past the object's end is
            clamped.
        gap: the largest distance in bytes of ranges that share a request.
        chunk: the most bytes of a request, or None.
        window: runs the requests.

    Raises:
        RangeNotSatisfied: a range starts past the end.
        ContentIncomplete: fewer bytes arrived than the object has.
    """
    return await _fetch_parts(pinned, ranges, gap, chunk, window, _block_or_pieces, _view)


async def _fetch_parts(
    pinned: PinnedRange,
    ranges: Sequence[Wanted],
    gap: int,
    chunk: int | None,
    window: Window[None],
    make: Callable[[Span, Sequence[Span]], _Request],
    join: Callable[[Sequence[bytes | memoryview]], T],
) -> list[T]:
    """Returns the bytes of each range, joined of the parts that its requests have of it."""
    if not all(_is_empty(wanted) for wanted in ranges):
        await pinned.resolve_suffix()
    spans = await _resolved(pinned, ranges, chunk)
    requests = [make(*request) for request in _plan(spans, gap, chunk)]
    await gather((partial(_fetch, pinned, request) for request in requests), window, [])
    end = await _end(pinned, requests)
    _check_complete(requests, end)
    contents, limit = _contents(requests), pinned.limit if end is None else end
    return [join(_parts_of(span, contents, limit)) for span in spans]


def _is_empty(wanted: Wanted) -> bool:
    return wanted[0] == wanted[1] if isinstance(wanted, tuple) else wanted.is_empty


async def _resolved(pinned: PinnedRange, ranges: Sequence[Wanted], chunk: int | None) -> list[Span]:
    """The span of each range in the object, as far as its size is known.

    A fetch may have thousands of ranges. Most are pairs that need no look at the facts of the object.
    """
    spans: list[Span] = []
    end, length = _certain(pinned, chunk)
    for wanted in ranges:
        if isinstance(wanted, tuple) and wanted[0] < wanted[1] <= end and wanted[1] - wanted[0] <= length:
            spans.append(wanted)
        else:
            spans.append(await _resolve(pinned, BytesRange.of(wanted), chunk))
            end, length = _certain(pinned, chunk)  # the size may be known now
    return spans


def _certain(pinned: PinnedRange, chunk: int | None) -> tuple[int, int]:
    """The largest end and the largest length of a pair that is a span as it is."""
    limit = pinned.limit
    if limit is not None:
        return limit, limit
    return LARGEST, LARGEST if chunk is None else chunk * MOST_BLIND


async def _resolve(pinned: PinnedRange, wanted: BytesRange, chunk: int | None) -> Span:
    if wanted.is_empty:
        return 0, 0  # wherever it lies: its result must not depend on whether the size is known already
    if wanted.suffix is not None or wanted.end is None:
        return wanted.resolve(await pinned.learn_size())
    limit = pinned.limit
    if wanted.start == limit:  # empty if the object is at least that long, otherwise past its end
        limit = await pinned.learn_size()
    if limit is None and chunk is not None and wanted.end - wanted.start > chunk * MOST_BLIND:
        limit = await _size_if_reported(pinned)
    return wanted.start, wanted.end if limit is None else max(wanted.start, min(wanted.end, limit))


async def _size_if_reported(pinned: PinnedRange) -> int | None:
    with suppress(Unsupported):
        return await pinned.learn_size()
    return None


class _Request(ABC):
    """One request, and the spans that are cut out of its bytes.

    Arguments:
        span: the requested bytes.
        wanted: the spans to cut out, sorted; they may reach beyond `span`, or end before it.

    Attributes:
        reached: the end of the bytes that arrived.
        refusal: the error, if the range was refused.
    """

    __slots__ = ("reached", "refusal", "span", "wanted")

    def __init__(self, span: Span, wanted: Sequence[Span]) -> None:
        self.span = span
        self.wanted = wanted
        self.reached = span[0]
        self.refusal: RangeNotSatisfied | None = None

    @abstractmethod
    def parts(self) -> Sequence[bytes | memoryview]:
        """The bytes of each wanted span that the request has."""

    @abstractmethod
    async def receive(self, body: Read) -> int:
        """Reads all bytes of the request. Returns their number."""


class _Pieces(_Request):
    """A request whose bytes are dropped but for those of its spans.

    A large span that overlaps no other is received where it stays. The others are cut out of the pieces as they arrive.
    """

    __slots__ = ("_cut", "_passed")

    def __init__(self, span: Span, wanted: Sequence[Span]) -> None:
        super().__init__(span, wanted)
        self._cut = [Joiner() for _ in wanted]
        self._passed = 0

    def parts(self) -> Sequence[bytes | memoryview]:
        return [joiner.whole() for joiner in self._cut]

    async def receive(self, body: Read) -> int:
        begin, end = self.span
        for index, (low, high) in self._large():
            await pass_on(body, self._take, low - self.reached)
            data = await read_up_to(body, high - low)
            self._cut[index].add(data)
            self.reached += len(data)
        await pass_on(body, self._take, end - self.reached)
        return self.reached - begin

    def _large(self) -> Iterator[tuple[int, Span]]:
        """The parts of large spans in this request that overlap no other span, with their index."""
        begin, end = self.span
        before = begin
        for index, (low, high) in enumerate(self.wanted):
            after = self.wanted[index + 1][0] if index + 1 < len(self.wanted) else end
            part = max(low, begin), min(high, end)
            if part[1] - part[0] >= DIRECT and before <= part[0] and part[1] <= max(after, begin):
                yield index, part
            before = max(before, high)

    def _take(self, piece: bytes) -> None:
        """Cuts the wanted spans out of the next bytes."""
        begin, self.reached = self.reached, self.reached + len(piece)
        while self._passed < len(self.wanted) and self.wanted[self._passed][1] <= begin:
            self._passed += 1
        for index in range(self._passed, len(self.wanted)):
            low, high = self.wanted[index]
            if low >= self.reached:
                break
            if high > begin:
                self._cut[index].add(piece[max(0, low - begin) : high - begin])


class _Block(_Request):
    """A request whose bytes stay in one block. Its parts are views of it."""

    __slots__ = ("_block",)

    def __init__(self, span: Span, wanted: Sequence[Span]) -> None:
        super().__init__(span, wanted)
        self._block: bytes | memoryview = b""

    def parts(self) -> Sequence[bytes | memoryview]:
        begin, view = self.span[0], memoryview(self._block)
        return [
            view[low - begin if low > begin else 0 : high - begin if high > begin else 0] for low, high in self.wanted
        ]

    async def receive(self, body: Read) -> int:
        begin, end = self.span
        self._block = await read_block(body, end - begin)
        self.reached = begin + len(self._block)
        return len(self._block)


def _block_or_pieces(span: Span, wanted: Sequence[Span]) -> _Request:
    """A block where its views would keep at most twice the bytes that are wanted of it."""
    begin, end = span
    return (_Block if 2 * _covered(span, wanted) >= end - begin else _Pieces)(span, wanted)


def _covered(span: Span, wanted: Sequence[Span]) -> int:
    """How many bytes of a span the wanted spans cover, which are sorted and start before its end."""
    reached, end = span
    covered = 0
    for low, high in wanted:
        if high > reached:
            covered += high - max(low, reached)
            reached = high
    return covered - max(0, reached - end)


def _plan(spans: Iterable[Span], gap: int, chunk: int | None) -> Iterator[tuple[Span, Sequence[Span]]]:
    """The span of each request, and the wanted spans that it has bytes of."""
    wanted = sorted({span for span in spans if span[0] < span[1]})
    first = 0
    for merged in merge_spans(wanted, gap):
        for begin, end in split_span(merged, chunk):
            while wanted[first][1] <= begin:
                first += 1
            yield (begin, end), wanted[first : bisect_left(wanted, (end,))]


async def _fetch(pinned: PinnedRange, request: _Request) -> None:
    """Makes a request. A refusal is kept: its meaning is known when all other requests are back."""
    try:
        await pinned.receive(*request.span, request.receive)
    except RangeNotSatisfied as refusal:
        request.refusal = refusal


async def _end(pinned: PinnedRange, requests: Iterable[_Request]) -> int | None:
    """Returns the end of the object: the known size, or the end of the first short request; None if none was short.

    Raises:
        RangeNotSatisfied: a range was refused, and nothing shows that the object ends before it.
    """
    end = pinned.size
    for request in requests:
        if request.refusal is not None and (end is None or request.span[0] < end):
            end = await pinned.end_before(request.span[0], request.refusal)
        elif end is None and request.reached < request.span[1]:
            end = request.reached
    return end


def _check_complete(requests: Iterable[_Request], end: int | None) -> None:
    """Checks the bytes of each request against the object's end, which may have been found after it.

    Raises:
        ContentIncomplete: bytes of the object are missing, or bytes came from past its end.
    """
    for request in requests:
        begin, stop = request.span
        limit = request.reached if end is None else max(begin, end)
        if not min(stop, limit) <= request.reached <= limit:
            raise ContentIncomplete(f"bytes {begin} to {request.reached} came of {begin} to {min(stop, limit)}")


def _contents(requests: Iterable[_Request]) -> dict[Span, list[bytes | memoryview]]:
    """Returns the parts of each wanted span."""
    contents: dict[Span, list[bytes | memoryview]] = {}
    for request in requests:
        for span, part in zip(request.wanted, request.parts(), strict=True):
            if span in contents:
                contents[span].append(part)
            else:
                contents[span] = [part]
    return contents


def _parts_of(
    span: Span, contents: Mapping[Span, Sequence[bytes | memoryview]], limit: int | None
) -> Sequence[bytes | memoryview]:
    begin, end = span
    if limit is not None and begin > limit:
        raise RangeNotSatisfied(f"range start {begin} is past the end (size {limit})")
    return () if begin == end else contents[span]


def _joined(parts: Sequence[bytes | memoryview]) -> bytes:
    return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)


def _view(parts: Sequence[bytes | memoryview]) -> memoryview:
    """A view of its own for each range: a caller may release one of two that are equal."""
    return memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
