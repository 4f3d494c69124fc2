"""Ranged requests in flight, in order, bounded, and started again where the reader is."""

import asyncio

import pytest

from entrepot import BytesRange, ConditionNotMatch, InvalidInput, NotFound, RangeNotSatisfied, Unexpected
from entrepot.layers import CompleteLayer
from entrepot.raw import Context, OpRead, RpRead
from entrepot.raw.oio import ChunkedReader
from entrepot.raw.oio.read.api import read_to_end
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.raw.runtime.inline import InlineRuntime, run
from entrepot.testing.synthetic import Synthetic

CONTENT = bytes(range(256)) * 4


def make(
    chunk: int = 100,
    concurrent: int | None = None,
    *,
    range_: BytesRange = BytesRange(),
    path: str = "p",
    **more: object,
) -> tuple[Synthetic, ChunkedReader]:
    hint = more.pop("content_length_hint", None)
    service = Synthetic(CONTENT, read_can_seek=False, **more)  # type: ignore[arg-type]
    args = OpRead(range=range_, chunk=chunk, concurrent=concurrent, content_length_hint=hint)  # type: ignore[arg-type]
    stack = CompleteLayer().wrap(service.build(Context()), Context())
    return service, ChunkedReader(PinnedRange(stack, path, args, RpRead()), args, AsyncioRuntime().window)


def ranges(service: Synthetic) -> list[str]:
    return [str(call.args.range) if call.operation == "read" else "stat" for call in service.script.calls]  # type: ignore[union-attr]


@pytest.mark.parametrize("concurrent", [None, 1, 3, 50])
@pytest.mark.parametrize("chunk", [1, 7, 100, 1024, 5000])
@pytest.mark.parametrize("hint", [None, 0, 300, 1024, 100_000])
async def test_gives_the_bytes_in_order_whatever_the_hints(
    chunk: int, concurrent: int | None, hint: int | None
) -> None:
    service, reader = make(chunk, concurrent, content_length_hint=hint)
    assert await read_to_end(reader) == CONTENT
    assert await reader.next() is None
    await reader.close()
    assert service.script.open_bodies == 0


async def test_one_request_a_chunk_and_none_else() -> None:
    service, reader = make(300, 2)
    assert await read_to_end(reader) == CONTENT
    assert ranges(service) == ["0..300", "300..600", "600..900", "900..1024"]


async def test_the_window_bounds_every_request() -> None:
    service, reader = make(300, 2, range_=BytesRange(10, 500))
    assert await read_to_end(reader) == CONTENT[10:500]
    assert ranges(service) == ["10..310", "310..500"]


async def test_no_more_than_concurrent_are_in_flight() -> None:
    service, reader = make(10, 3)
    service.script.pause = 0.001
    most = 0
    while await reader.next():
        most = max(most, service.script.open_bodies)
        await asyncio.sleep(0.002)
    assert 1 < most <= 3


async def test_nothing_is_asked_before_the_first_verb() -> None:
    service, reader = make(10, 3)
    await asyncio.sleep(0)
    assert service.script.calls == []
    await reader.close()


async def test_a_seek_starts_again_where_the_reader_is() -> None:
    service, reader = make(100, 2)
    assert await reader.read(5) == CONTENT[:5]
    assert await reader.seek(1000) == 1000
    assert await reader.read(500) == CONTENT[1000:]
    assert await reader.seek(-1024, 2) == 0
    assert await reader.read(100) == CONTENT[:100]
    assert await reader.seek(2000) == 2000
    assert await reader.read(1) == b""
    with pytest.raises(InvalidInput):
        await reader.seek(-2001, 1)
    assert "stat" not in ranges(service)
    await reader.close()
    assert service.script.open_bodies == 0


async def test_a_seek_inside_the_chunk_at_hand_asks_nothing() -> None:
    service, reader = make(100)
    await reader.read(50)
    before = len(service.script.calls)
    await reader.seek(10)
    assert await reader.read(5) == CONTENT[10:15]
    assert len(service.script.calls) == before


@pytest.mark.parametrize("suffix", [1, 100, 250, 1024, 5000])
async def test_a_suffix_asks_the_size_first(suffix: int) -> None:
    service, reader = make(100, 2, range_=BytesRange(suffix=suffix))
    assert await read_to_end(reader) == CONTENT[-suffix:]
    assert ranges(service)[0] == "stat"
    assert ranges(service).count("stat") == 1


@pytest.mark.parametrize("concurrent", [1, 3])
async def test_after_an_error_the_same_verb_goes_on_and_nothing_is_in_flight(concurrent: int) -> None:
    service, reader = make(100, concurrent)
    got = await reader.read(100)
    service.script.fail_next(Unexpected("reset", is_temporary=True))
    with pytest.raises(Unexpected):
        while data := await reader.read(100):
            got += data
    assert service.script.open_bodies == 0
    assert got + await read_to_end(reader) == CONTENT
    await reader.close()
    assert service.script.open_bodies == 0


async def test_a_cancellation_leaves_no_task_and_loses_no_byte() -> None:
    service, reader = make(100, 4)
    got = await reader.read(100)
    service.script.pause = 30
    task = asyncio.ensure_future(reader.read(100))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
    service.script.pause = 0
    assert got + await read_to_end(reader) == CONTENT


@pytest.mark.parametrize("checks_etag", [True, False], ids=["server checks", "server ignores"])
async def test_an_object_that_changed_between_chunks_is_never_spliced(checks_etag: bool) -> None:
    service, reader = make(100, 2, read_with_if_match=checks_etag)
    service.script.replace(bytes(1024), before=4)
    with pytest.raises(ConditionNotMatch):
        await read_to_end(reader)
    await reader.close()
    assert service.script.open_bodies == 0


@pytest.mark.parametrize("hint", [None, 5000])
async def test_a_service_that_tells_no_size_is_read_until_a_chunk_is_short(hint: int | None) -> None:
    for chunk in (100, 256):
        _, reader = make(chunk, 3, tells_size=False, content_length_hint=hint)
        assert await read_to_end(reader) == CONTENT
        assert await reader.seek(3) == 3
        assert await reader.read(2) == CONTENT[3:5]
        await reader.close()


@pytest.mark.parametrize(
    ("path", "range_", "expected"), [("missing", BytesRange(), NotFound), ("p", BytesRange(1025), RangeNotSatisfied)]
)
async def test_what_is_missing_or_out_of_range_shows_at_the_first_verb(
    path: str, range_: BytesRange, expected: type[Exception]
) -> None:
    for hint in (None, 5000):
        _, reader = make(100, 3, path=path, range_=range_, content_length_hint=hint)
        for _ in range(2):
            with pytest.raises(expected):
                await reader.read(1)
        await reader.close()


def test_works_without_a_loop() -> None:
    async def read() -> bytes:
        service = Synthetic(CONTENT, read_can_seek=False)
        runtime = InlineRuntime()
        stack = CompleteLayer().wrap(service.build(Context(runtime)), Context())
        args = OpRead(chunk=100, concurrent=3)
        reader = ChunkedReader(PinnedRange(stack, "p", args, RpRead()), args, runtime.window)
        try:
            return await read_to_end(reader)
        finally:
            await reader.close()

    assert run(read()) == CONTENT


async def test_use_after_close_is_refused() -> None:
    service, reader = make(100, 2)
    await reader.read(1)
    await reader.close()
    for call in (reader.read(1), reader.next(), reader.seek(0)):
        with pytest.raises(InvalidInput, match="closed"):
            await call
    assert service.script.open_bodies == 0
