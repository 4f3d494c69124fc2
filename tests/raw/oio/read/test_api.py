"""What is asked of a body that is read to its end."""

import tracemalloc

import pytest

from entrepot import BytesRange, ContentTruncated, Metadata
from entrepot.raw import DEFAULT_READ, Accessor, AccessorInfo, AroundAccessor, Context, OpRead, RpRead, oio
from entrepot.raw.oio.read.api import LARGE, WHOLE, Joiner, read_to_end
from entrepot.services import Memory

MIB = 1024**2


class ByteQueue(oio.Read):
    """Gives pieces, and knows its end or not."""

    def __init__(self, *pieces: bytes, knows_end: bool) -> None:
        self.pieces = list(pieces)
        self.knows_end = knows_end
        self.asked: list[int] = []

    @property
    def is_at_end(self) -> bool:
        return self.knows_end and not self.pieces

    async def read(self, n: int) -> bytes:
        self.asked.append(n)
        return self.pieces.pop(0) if self.pieces else b""


@pytest.mark.parametrize("pieces", [(), (b"ab",), (b"a", b"b"), (b"a", b"b", b"c")], ids=len)
@pytest.mark.parametrize("knows_end", [True, False])
async def test_all_pieces_come(pieces: tuple[bytes, ...], knows_end: bool) -> None:
    assert await read_to_end(ByteQueue(*pieces, knows_end=knows_end)) == b"".join(pieces)


async def test_a_large_body_is_in_memory_once() -> None:
    class Large(oio.Read):
        left = 3 * LARGE // MIB

        async def read(self, n: int) -> bytes:
            self.left -= 1
            return bytes([self.left]) * MIB if self.left >= 0 else b""

    tracemalloc.start()
    try:
        data = await read_to_end(Large())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [data[begin] for begin in range(0, len(data), MIB)] == [*range(3 * LARGE // MIB - 1, -1, -1)]
    assert len(data) == 3 * LARGE
    assert peak < 1.5 * len(data)


def test_one_piece_is_not_copied_however_large() -> None:
    gathered, piece = Joiner(), bytes(LARGE + 1)
    gathered.add(piece)
    assert gathered.whole() is piece


@pytest.mark.parametrize(("knows_end", "expected"), [(True, [WHOLE]), (False, [WHOLE, WHOLE])])
async def test_a_body_that_knows_its_end_is_not_asked_for_it(knows_end: bool, expected: list[int]) -> None:
    body = ByteQueue(b"ab", knows_end=knows_end)
    assert await read_to_end(body) == b"ab"
    assert body.asked == expected


async def test_a_body_that_says_nothing_is_asked() -> None:
    assert oio.Read().is_at_end is False


@pytest.mark.parametrize("complete", ["StreamableReader", "ByRangeSeekableReader"])
async def test_what_completes_a_body_knows_the_end_that_the_body_knows(complete: str) -> None:
    memory = Memory()
    memory.table.put("p", b"0123456789")
    accessor, args = memory.build(Context()), OpRead(range=BytesRange(2, 8))
    if complete == "StreamableReader":
        body: oio.Read = oio.StreamableReader((await accessor.read("p", args))[1])
    else:
        body = oio.ByRangeSeekableReader(accessor, "p", args, RpRead())
    assert not body.is_at_end
    assert await body.read(4) == b"2345"
    assert not body.is_at_end
    assert await body.next() == b"67"
    assert body.is_at_end
    assert await body.seek(1) == 1
    assert not body.is_at_end
    assert await read_to_end(body) == b"34567"
    await body.close()
    assert not body.is_at_end


async def test_an_object_that_is_longer_than_it_said_is_not_at_its_end() -> None:
    class Longer(Accessor):
        info = AccessorInfo("longer")

        async def read(self, path: str, args: OpRead) -> tuple[RpRead, oio.BytesReader]:
            return RpRead(metadata=Metadata(content_length=4)), oio.BytesReader(lambda: b"01234")

    body = oio.ByRangeSeekableReader(Longer(), "p", DEFAULT_READ, RpRead())
    assert await body.read(4) == b"0123"
    assert not body.is_at_end
    with pytest.raises(ContentTruncated):
        await body.read(1)


async def test_a_layer_around_the_verbs_knows_the_end_that_the_body_knows() -> None:
    memory = Memory()
    memory.table.put("p", b"0123")
    _, body = await AroundAccessor(memory.build(Context())).read("p", DEFAULT_READ)
    assert not body.is_at_end
    assert await body.read(4) == b"0123"
    assert body.is_at_end
