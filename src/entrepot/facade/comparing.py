"""Compares the content of two objects."""

from __future__ import annotations

from contextlib import AsyncExitStack

from entrepot.raw import DEFAULT_READ, oio

from .copying import Side


async def have_same_content(first: Side, second: Side) -> bool:
    """Whether two objects have the same bytes. Both are read, piece by piece, up to the first difference.

    Raises:
        NotFound: one of them does not exist.
    """
    async with AsyncExitStack() as opened:
        _, left = await first.accessor.read(first.path, DEFAULT_READ)
        opened.push_async_callback(left.close)
        _, right = await second.accessor.read(second.path, DEFAULT_READ)
        opened.push_async_callback(right.close)
        return await _have_same_rest(left, right)


async def _have_same_rest(left: oio.Read, right: oio.Read) -> bool:
    first, second = b"", b""
    done_of_first = done_of_second = 0
    while True:
        if done_of_first == len(first):
            first, done_of_first = await left.next() or b"", 0
        if done_of_second == len(second):
            second, done_of_second = await right.next() or b"", 0
        size = min(len(first) - done_of_first, len(second) - done_of_second)
        # `startswith` copies nothing. Two views are compared item by item, which takes twenty times as long.
        if not size or not first.startswith(memoryview(second)[done_of_second : done_of_second + size], done_of_first):
            return not first and not second
        done_of_first, done_of_second = done_of_first + size, done_of_second + size
