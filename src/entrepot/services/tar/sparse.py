"""Sparse files: their maps (GNU tar, "Storing Sparse Files"), and the body that puts zeros where the holes are."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

from entrepot.raw import oio
from entrepot.raw.oio.read.api import check_not_closed
from entrepot.raw.oio.read.seek import seek_target
from entrepot.raw.runtime import Runtime

from .headers import Segments, damaged

_HOLE: Final = 256 * 1024
"""The most zeros that a read returns."""


def segments_of_records(records: Mapping[str, str]) -> Segments | None:
    """The segments that pax headers have, in versions 0.0 and 0.1; None if they have none.

    Raises:
        Unexpected: the map is damaged.
    """
    text = records.get("GNU.sparse.map")
    if text is None:
        return None
    return _paired([_digits(number) for number in text.split(",") if number])


def segments_of_data(head: bytes) -> tuple[Segments, int] | None:
    """The segments that the data begins with, in version 1.0, and the size of the map; None if more of it is needed.

    Raises:
        Unexpected: the map is damaged.
    """
    lines = head.split(b"\n")
    count = _digits(lines[0].decode("latin-1")) if len(lines) > 1 else 0
    if len(lines) < 2 or len(lines) - 1 < 1 + 2 * count:
        return None
    numbers = lines[1 : 1 + 2 * count]
    used = sum(len(line) + 1 for line in lines[: 1 + 2 * count])
    return _paired([_digits(number.decode("latin-1")) for number in numbers]), used


def check_segments(segments: Segments, stored: int, size: int) -> Segments:
    """Returns the segments.

    Raises:
        Unexpected: they overlap, are not in the content, or have another size than what is stored.
    """
    end = 0
    for offset, length in segments:
        if offset < end or length < 0:
            raise damaged("the map of a sparse file has parts that overlap")
        end = offset + length
    if end > size or sum(length for _, length in segments) != stored:
        raise damaged("the map of a sparse file does not fit to its sizes")
    return segments


class SparseBody(oio.Read):
    """A window of the content of a sparse file.

    A hole may have any size, whatever is stored. So each piece of one gives other tasks a turn, and can be cancelled.

    Arguments:
        runtime: gives other tasks a turn.
        stored: a body of its stored bytes.
        segments: where they are in the content.
        start: the first byte of the window.
        size: the number of bytes in the window.
    """

    __slots__ = ("_is_closed", "_places", "_position", "_runtime", "_segments", "_size", "_start", "_starts", "_stored")

    def __init__(self, runtime: Runtime, stored: oio.Read, segments: Segments, start: int, size: int) -> None:
        self._runtime = runtime
        self._stored = stored
        self._segments = segments
        self._starts = [offset for offset, _ in segments]
        self._places = [0, *accumulate(length for _, length in segments)]
        self._start = start
        self._size = size
        self._position = 0
        self._is_closed = False

    @property
    def is_at_end(self) -> bool:
        return self._position >= self._size

    @property
    def remaining(self) -> int | None:
        return max(0, self._size - self._position)

    async def read(self, n: int) -> bytes:
        check_not_closed(self._is_closed)
        place, n = self._find(n)
        if place is None:
            await self._runtime.sleep(0)
            data = bytes(n)
        else:
            await self._stored.seek(place)
            data = await self._stored.read(n)
        self._position += len(data)
        return data

    async def readinto(self, buffer: memoryview) -> int:
        check_not_closed(self._is_closed)
        place, n = self._find(len(buffer))
        if place is None:
            await self._runtime.sleep(0)
            buffer[:n] = bytes(n)
        else:
            await self._stored.seek(place)
            n = await self._stored.readinto(buffer[:n])
        self._position += n
        return n

    async def next(self) -> bytes | None:
        return await self.read(_HOLE) or None

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        check_not_closed(self._is_closed)
        self._position = seek_target(offset, whence, self._position, self._size)
        return self._position

    async def close(self) -> None:
        self._is_closed = True
        await self._stored.close()

    def _find(self, n: int) -> tuple[int | None, int]:
        """Where the content at the position is stored, None in a hole, and how many of up to `n` bytes are there."""
        n = max(0, min(n, self._size - self._position))
        position = self._start + self._position
        index = bisect_right(self._starts, position) - 1
        if index >= 0:
            offset, length = self._segments[index]
            if position < offset + length:
                return self._places[index] + position - offset, min(n, offset + length - position)
        hole_end = self._starts[index + 1] if index + 1 < len(self._starts) else position + n
        return None, min(n, hole_end - position, _HOLE)


def _paired(numbers: list[int]) -> Segments:
    if len(numbers) % 2:
        raise damaged("the map of a sparse file is truncated")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise damaged("the map of a sparse file has something else than a number")
    return int(text[:20])
