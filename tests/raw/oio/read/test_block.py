"""Memory of a block is used again, and never while a view of it is left."""

import asyncio
import gc
import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot import Unsupported
from entrepot.raw import oio
from entrepot.raw.oio.read import block
from entrepot.raw.oio.read.block import LARGE, RecycledBuffer, read_block


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    gc.collect()
    block._kept.clear()
    yield
    block._kept.clear()


class Body(oio.Read):
    """Content that comes in pieces of 1 MB, with a promise after the first piece.

    Arguments:
        content: the content.
        promised: how many bytes it promises at most; the rest comes without a promise.
        fails_at: the position where it fails.
    """

    def __init__(self, content: bytes, promised: int, fails_at: int = sys.maxsize) -> None:
        self.content = content
        self.promised = promised
        self.fails_at = fails_at
        self.at = 0

    @property
    def remaining(self) -> int | None:
        return max(0, min(self.promised, len(self.content)) - self.at) if self.at else None

    @property
    def is_at_end(self) -> bool:
        return self.at == len(self.content)

    async def read(self, n: int) -> bytes:
        if self.at >= self.fails_at:
            raise OSError("broken")
        piece = self.content[self.at : self.at + min(n, 1_000_000)]
        self.at += len(piece)
        return piece


CONTENT = os.urandom(LARGE + 2_500_000)


@pytest.mark.parametrize("n", [0, 5, LARGE - 1, LARGE, len(CONTENT), len(CONTENT) + 1])
@pytest.mark.parametrize("promised", [0, 1_500_000, LARGE, len(CONTENT)])
async def test_a_block_has_the_bytes_that_the_body_has(n: int, promised: int) -> None:
    assert await read_block(Body(CONTENT, promised), n) == CONTENT[:n]


async def test_memory_is_used_again_when_its_last_view_is_gone() -> None:
    first = await read_block(Body(CONTENT, len(CONTENT)), len(CONTENT))
    assert isinstance(first, memoryview)
    assert first.readonly
    address = _address(first)
    part = first[1000:2000].cast("B")
    del first
    second = await read_block(Body(CONTENT[::-1], len(CONTENT)), len(CONTENT))
    assert part == CONTENT[1000:2000]
    assert _address(second) != address
    del part
    third = await read_block(Body(CONTENT, len(CONTENT)), len(CONTENT) - 5)
    assert _address(third) == address
    assert (second, third) == (CONTENT[::-1], CONTENT[:-5])


async def test_a_block_that_failed_gives_its_memory_back() -> None:
    with pytest.raises(OSError, match="broken"):
        await read_block(Body(CONTENT, len(CONTENT), fails_at=LARGE), len(CONTENT))
    gc.collect()
    assert len(block._kept) == 1


@pytest.mark.parametrize("may_be_taken_back", [True, False])
def test_no_more_than_the_limit_is_kept(may_be_taken_back: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not may_be_taken_back:
        monkeypatch.setattr(mmap, "MADV_FREE", 9999)  # which no system knows
    limit = block.KEPT if may_be_taken_back else block.KEPT_FOR_GOOD
    buffers = [RecycledBuffer(limit // 4) for _ in range(6)]
    buffers.clear()
    assert sum(map(len, block._kept.values())) == limit
    small = RecycledBuffer(1024 * 1024)  # for which each of them would be too large
    assert len(block._kept) == 4
    del small


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the system does not show it")
def test_memory_that_is_kept_counts_as_free_for_the_system() -> None:
    def used() -> RecycledBuffer:
        buffer = RecycledBuffer(2 * LARGE)
        with buffer.view() as view:
            view[:] = bytes(len(view))
        return buffer

    enough = _lazily_free() + LARGE
    first = used()
    assert _lazily_free() < enough
    del first
    assert _lazily_free() > enough
    again = used()
    assert _lazily_free() < enough
    del again


def _lazily_free() -> int:
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * int(rollup.partition("LazyFree:")[2].split()[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_write_to_the_memory_of_its_parent() -> None:
    kept = RecycledBuffer(LARGE)
    with kept.view() as view:
        view[:4] = b"mine"
    if (child := os.fork()) == 0:
        with kept.view() as view:
            view[:4] = b"hers"
        os._exit(0)
    os.waitpid(child, 0)
    assert kept.taken(4) == b"mine"


def _address(content: bytes | memoryview) -> int:
    import ctypes

    assert isinstance(content, memoryview)
    assert content.obj is not None
    return ctypes.addressof(content.obj)  # type: ignore[arg-type]


async def test_without_ctypes_a_block_is_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "_bytes_type", lambda: None)
    assert type(await read_block(Body(CONTENT, len(CONTENT)), len(CONTENT))) is bytes
    with pytest.raises(Unsupported):
        RecycledBuffer(LARGE)


async def test_threads_never_share_memory() -> None:
    def used(number: int) -> bool:
        mark = bytes([number]) * 8
        for _ in range(50):
            buffer = RecycledBuffer(LARGE)
            with buffer.view() as view:
                view[:8] = mark
            if buffer.taken(8) != mark:
                return False
        return True

    assert all(await asyncio.gather(*(asyncio.to_thread(used, number) for number in range(4))))
