"""The four cases of a body, and what else the stack supplies."""

from itertools import product

import pytest

from entrepot import BytesRange, ConditionNotMatch, ContentIncomplete, ContentTruncated, NotFound, RangeNotSatisfied
from entrepot.layers import CompleteLayer
from entrepot.raw import DEFAULT_READ, DEFAULT_STAT, Context, OpRead, OpStat, oio
from entrepot.raw.oio.read.api import read_to_end
from entrepot.testing.synthetic import Synthetic

CONTEXT = Context()
CONTENT = bytes(range(100))
CASES = [
    pytest.param(True, True, None, id="seek-next"),
    pytest.param(True, False, oio.StreamableReader, id="seek"),
    pytest.param(False, True, oio.ByRangeSeekableReader, id="next"),
    pytest.param(False, False, oio.StreamableReader, id="neither"),
]


async def test_chunks_of_a_service_that_has_none_of_its_own_are_large_since_each_is_a_request() -> None:
    body = oio.StreamableReader(oio.BytesReader(lambda: bytes(9 << 20)))
    assert [len(await body.next() or b"") for _ in range(3)] == [4 << 20, 4 << 20, 1 << 20]


@pytest.mark.parametrize(("can_seek", "can_next", "wrapper"), CASES)
class TestTheFourCases:
    async def test_body_is_wrapped_by_what_completes_it(
        self, can_seek: bool, can_next: bool, wrapper: type | None
    ) -> None:
        service = Synthetic(CONTENT, read_can_seek=can_seek, read_can_next=can_next).build(Context())
        _, body = await CompleteLayer().wrap(service, CONTEXT).read("p", DEFAULT_READ)
        if wrapper is None:
            assert not isinstance(body, oio.StreamableReader | oio.ByRangeSeekableReader)
        else:
            assert type(body) is wrapper
        if not can_seek and not can_next:
            assert isinstance(body, oio.StreamableReader)
            assert isinstance(body.inner, oio.ByRangeSeekableReader)

    async def test_every_verb_works(self, can_seek: bool, can_next: bool, wrapper: type | None) -> None:
        service = Synthetic(CONTENT, read_can_seek=can_seek, read_can_next=can_next)
        reply, body = (
            await CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).read("p", OpRead(range=BytesRange(10, 90)))
        )
        assert service.script.opens == 0
        assert await body.seek(5) == 5
        first = await body.read(3)
        assert first
        assert CONTENT[15:].startswith(first)
        assert await body.seek(-4, 2) == 76
        assert await read_to_end(body) == CONTENT[86:90]
        assert await body.seek(0) == 0
        chunks = []
        while (chunk := await body.next()) is not None:
            assert chunk
            chunks.append(chunk)
        assert b"".join(chunks) == CONTENT[10:90]
        assert await body.read(1) == b""
        assert reply.metadata is not None
        assert reply.metadata.content_length == 100
        await body.close()
        assert service.script.open_bodies == 0

    async def test_info_says_that_every_verb_is_there(
        self, can_seek: bool, can_next: bool, wrapper: type | None
    ) -> None:
        service = Synthetic(CONTENT, read_can_seek=can_seek, read_can_next=can_next, read_with_suffix=False)
        info = CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).info
        assert (info.native_capability.read_can_seek, info.native_capability.read_can_next) == (can_seek, can_next)
        assert info.capability.read_can_seek
        assert info.capability.read_can_next
        assert info.capability.read_with_suffix

    async def test_a_suffix_that_is_not_native_asks_the_size_first(
        self, can_seek: bool, can_next: bool, wrapper: type | None
    ) -> None:
        service = Synthetic(CONTENT, read_can_seek=can_seek, read_can_next=can_next, read_with_suffix=False)
        _, body = (
            await CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).read("p", OpRead(range=BytesRange(suffix=7)))
        )
        assert await read_to_end(body) == CONTENT[-7:]
        assert [call.operation for call in service.script.calls] == ["stat", "read"]
        await body.close()


async def test_both_native_gives_the_body_of_the_service_itself() -> None:
    service = Synthetic(CONTENT).build(Context())
    given: list[oio.Read] = []
    inner_read = service.read

    async def read(path: str, args: OpRead) -> object:
        reply, body = await inner_read(path, args)
        given.append(body)
        return reply, body

    service.read = read  # type: ignore[method-assign, assignment]
    _, body = await CompleteLayer().wrap(service, CONTEXT).read("p", DEFAULT_READ)
    assert body is given[0]


@pytest.mark.parametrize("range_", [BytesRange(0, 0), BytesRange(7, 7), BytesRange(500, 500), BytesRange(suffix=0)])
@pytest.mark.parametrize(("can_seek", "can_next"), list(product([True, False], repeat=2)))
async def test_an_empty_range_is_answered_without_asking(range_: BytesRange, can_seek: bool, can_next: bool) -> None:
    service = Synthetic(CONTENT, read_can_seek=can_seek, read_can_next=can_next)
    _, body = await CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).read("missing", OpRead(range=range_))
    assert await body.read(5) == b""
    assert await body.next() is None
    assert await body.seek(3) == 3
    assert await body.seek(0, 2) == 0
    assert service.script.calls == []


async def test_the_root_is_a_directory_without_asking() -> None:
    service = Synthetic(CONTENT)
    reply = await CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).stat("/", DEFAULT_STAT)
    assert reply.metadata.is_dir
    with pytest.raises(ConditionNotMatch):
        await CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).stat("/", OpStat(if_match='"nope"'))
    with pytest.raises(NotFound):
        await CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).stat("/", OpStat(version="v"))
    assert service.script.calls == []


@pytest.mark.parametrize("can_next", [True, False])
class TestLengths:
    """What a service that cannot seek says of the size is held against what it gives."""

    async def test_a_short_body_is_incomplete_and_goes_on_when_asked_again(self, can_next: bool) -> None:
        service = Synthetic(CONTENT, read_can_seek=False, read_can_next=can_next)
        service.script.end_early(1, after=40)
        _, body = await CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).read("p", DEFAULT_READ)
        got = b""
        with pytest.raises(ContentIncomplete) as caught:
            while data := await body.read(10):
                got += data
        assert caught.value.is_temporary
        assert got == CONTENT[:40]
        assert got + await read_to_end(body) == CONTENT
        assert service.script.opens == 2
        await body.close()
        assert service.script.open_bodies == 0

    async def test_a_long_body_is_truncated(self, can_next: bool) -> None:
        service = Synthetic(CONTENT, read_can_seek=False, read_can_next=can_next)
        service.script.run_over(1, surplus=b"more")
        _, body = (
            await CompleteLayer().wrap(service.build(CONTEXT), CONTEXT).read("p", OpRead(range=BytesRange(0, 100)))
        )
        got = b""
        with pytest.raises(ContentTruncated):
            while data := await body.read(10):
                got += data
            await body.read(1)
        assert CONTENT.startswith(got)
        assert service.script.open_bodies == 0


@pytest.mark.parametrize(("can_seek", "can_next"), list(product([True, False], repeat=2)))
async def test_what_is_missing_or_out_of_range_shows_at_the_first_verb(can_seek: bool, can_next: bool) -> None:
    service = CompleteLayer().wrap(
        Synthetic(CONTENT, read_can_seek=can_seek, read_can_next=can_next).build(Context()), Context()
    )
    for path, range_, expected in (("missing", BytesRange(), NotFound), ("p", BytesRange(101), RangeNotSatisfied)):
        _, body = await service.read(path, OpRead(range=range_))
        with pytest.raises(expected):
            await body.read(1)
        with pytest.raises(expected):
            await body.next()
        await body.close()
