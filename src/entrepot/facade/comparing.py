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
    ahead, behind = memoryview(b""), memoryview(b"")
    while True:
        ahead, behind = ahead or await _piece(left), behind or await _piece(right)
        size = min(len(ahead), len(behind))
        if not size or ahead[:size] != behind[:size]:
            return not ahead and not behind
        ahead, behind = ahead[size:], behind[size:]


async def _piece(body: oio.Read) -> memoryview:
    return memoryview(await body.next() or b"")
