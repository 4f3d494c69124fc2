"""Seeking by asking for another range: what is asked, what is kept, what is refused."""

import asyncio
import itertools

import pytest

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    InvalidInput,
    NotFound,
    RangeNotSatisfied,
    Unexpected,
    Unsupported,
)
from entrepot.raw import Context, OpRead, OpStat, RpRead, RpStat
from entrepot.raw.oio import ByRangeSeekableReader, Read
from entrepot.raw.oio.read.api import WHOLE, read_to_end
from entrepot.raw.oio.read.read_ahead import DRAIN_LIMIT, SKIP_LIMIT, START, TAIL
from entrepot.testing.synthetic import Synthetic, SyntheticAccessor

CONTENT = bytes(range(256)) * 1024


def make(
    range_: BytesRange = BytesRange(), path: str = "p", read_ahead: int | None = None, **options: object
) -> tuple[Synthetic, ByRangeSeekableReader]:
    service = Synthetic(CONTENT, read_can_seek=False, **options)  # type: ignore[arg-type]
    service.script.sizes = (1000, 10, 300)
    args = OpRead(range=range_, read_ahead=read_ahead)
    return service, ByRangeSeekableReader(service.build(Context()), path, args, RpRead())


def asked(service: Synthetic) -> list[str]:
    """The operations that reached the service, reads with their range."""
    return [call.operation if call.operation == "stat" else str(call.args.range) for call in service.script.calls]  # type: ignore[union-attr]


async def test_a_seek_asks_nothing_and_the_read_asks_what_it_reads() -> None:
    service, reader = make(BytesRange(100, 5000))
    assert await reader.seek(50) == 50
    assert await reader.seek(-10, 1) == 40
    assert asked(service) == []
    assert await reader.read(4) == CONTENT[140:144]
    assert asked(service) == ["140..144"]


async def test_a_seek_from_the_end_asks_the_size_once_and_not_when_a_reply_told_it() -> None:
    service, reader = make()
    assert await reader.seek(-8, 2) == len(CONTENT) - 8
    assert await reader.read(8) == CONTENT[-8:]
    assert asked(service) == ["stat", f"{len(CONTENT) - 8}..{len(CONTENT)}"]
    service, reader = make()
    await reader.read(1)
    assert await reader.seek(-8, 2) == len(CONTENT) - 8
    assert "stat" not in asked(service)


async def test_a_suffix_window_is_asked_for_as_it_is() -> None:
    service, reader = make(BytesRange(suffix=100))
    assert await reader.read(10) == CONTENT[-100:-90]
    assert await reader.seek(95) == 95
    assert await read_to_end(reader) == CONTENT[-5:]
    assert await reader.seek(0) == 0
    assert await reader.read(3) == CONTENT[-100:-97]
    assert asked(service) == ["-100", f"{len(CONTENT) - 100}..{len(CONTENT) - 97}"]


async def test_a_suffix_window_entered_in_the_middle_asks_the_size() -> None:
    service, reader = make(BytesRange(suffix=100))
    await reader.seek(95)
    assert await read_to_end(reader) == CONTENT[-5:]
    assert asked(service) == ["stat", f"{len(CONTENT) - 5}..{len(CONTENT)}"]


async def test_a_little_ahead_is_read_over_and_further_ahead_is_asked_for() -> None:
    service, reader = make()
    await reader.read(1)
    await reader.seek(SKIP_LIMIT)
    assert await reader.read(2) == CONTENT[SKIP_LIMIT : SKIP_LIMIT + 2]
    assert asked(service) == ["0.."]
    far = await reader.seek(2 * SKIP_LIMIT + 10)
    assert await reader.read(2) == CONTENT[far : far + 2]
    assert asked(service) == ["0..", f"{far}..{far + 2}"]


async def read_n(reader: Read, n: int) -> bytes:
    """Reads n bytes, whichever pieces the body has."""
    data = b""
    while len(data) < n and (piece := await reader.read(n - len(data))):
        data += piece
    return data


async def test_after_a_seek_requests_double_while_the_reads_continue() -> None:
    service, reader = make()
    await reader.seek(10)
    for position in range(10, 10 + 40_000, 1000):
        assert await read_n(reader, 1000) == CONTENT[position : position + 1000]
    ends = [10, 1010, 1010 + START, 1010 + 3 * START, 1010 + 7 * START]
    assert asked(service) == [f"{begin}..{end}" for begin, end in itertools.pairwise(ends)]
    await reader.seek(10)
    assert await read_n(reader, 5) == CONTENT[10:15]
    assert asked(service)[-1] == "10..15"


async def test_with_a_limit_the_first_request_is_bounded_and_none_is_larger_unless_the_read_is() -> None:
    service, reader = make(read_ahead=2 * START)
    for _ in range(6 * START // 512):
        await read_n(reader, 512)
    await read_n(reader, 50_000)
    sizes = [call.args.range.length for call in service.script.calls]  # type: ignore[union-attr]
    assert sizes == [START, 2 * START, 2 * START, 2 * START, 50_000 - START]
    service, reader = make(read_ahead=0)
    assert await read_n(reader, 3) + await read_n(reader, 4) == CONTENT[:7]
    assert asked(service) == ["0..3", "3..7"]


@pytest.mark.parametrize(("rest", "drains"), [(DRAIN_LIMIT, 2), (DRAIN_LIMIT + 1, 0)])
async def test_a_small_rest_is_read_before_another_request_and_a_large_one_is_not(rest: int, drains: int) -> None:
    service = Synthetic(CONTENT * 2, read_can_seek=False)
    service.script.sizes = (len(CONTENT) * 2,)
    reader = ByRangeSeekableReader(service.build(Context()), "p", OpRead(range=BytesRange(0, rest + 1)), RpRead())
    await reader.read(1)
    far = await reader.seek(rest - 1)
    assert await reader.read(1) == (CONTENT * 2)[far : far + 1]
    assert service.script.verbs == 2 + drains
    assert service.script.open_bodies == 1


async def test_an_error_in_a_dropped_rest_is_no_error_of_the_read() -> None:
    service, reader = make(BytesRange(0, DRAIN_LIMIT))
    await reader.read(1)
    service.script.fail_next(Unexpected("reset"))
    await reader.seek(DRAIN_LIMIT - 10)
    assert await reader.read(5)
    assert len(asked(service)) == 2


async def test_the_end_of_an_object_is_read_once_where_a_seek_from_the_end_leads_into_it() -> None:
    service, reader = make(read_ahead=WHOLE)
    for offset in (-22, -42, -4000):
        await reader.seek(offset, 2)
        assert await read_n(reader, 20) == CONTENT[offset : len(CONTENT) + offset + 20]
    assert asked(service) == ["stat", f"{len(CONTENT) - TAIL}..{len(CONTENT)}"]
    assert await read_to_end(reader) == CONTENT[-3980:]
    await reader.seek(-TAIL - 1, 2)
    await read_n(reader, 1)
    assert len(asked(service)) == 3
    assert service.script.open_bodies == 1


async def test_there_and_back_keeps_the_body() -> None:
    service, reader = make()
    await reader.read(5)
    await reader.seek(0)
    await reader.seek(5)
    assert await reader.read(1) == CONTENT[5:6]
    assert asked(service) == ["0.."]


async def test_right_of_the_end_reads_empty_and_left_of_the_start_is_refused() -> None:
    service, reader = make(BytesRange(10, 20))
    assert await reader.seek(1000) == 1000
    assert await reader.read(5) == b""
    assert await reader.next() is None
    with pytest.raises(InvalidInput):
        await reader.seek(-1001, 1)
    assert await reader.seek(0, 1) == 1000
    with pytest.raises(InvalidInput):
        await reader.seek(-11, 2)
    assert await reader.seek(0, 1) == 1000
    assert asked(service) == ["stat"]


@pytest.mark.parametrize("verb", ["read", "next"])
async def test_right_of_an_end_that_nobody_told_reads_empty(verb: str) -> None:
    _, reader = make()
    await reader.seek(len(CONTENT) + 5)
    assert await (reader.read(5) if verb == "read" else reader.next()) in (b"", None)


@pytest.mark.parametrize("verb", ["read", "next"])
async def test_a_window_behind_the_end_is_not_satisfied_wherever_the_position(verb: str) -> None:
    for position in (0, 5):
        _, reader = make(BytesRange(len(CONTENT) + 1))
        await reader.seek(position)
        with pytest.raises(RangeNotSatisfied):
            await (reader.read(5) if verb == "read" else reader.next())


@pytest.mark.parametrize("verb", ["read", "next"])
async def test_after_an_error_the_same_verb_goes_on_at_the_position(verb: str) -> None:
    service, reader = make()
    first = await reader.read(1000)
    service.script.fail_next(Unexpected("reset", is_temporary=True))
    with pytest.raises(Unexpected):
        await (reader.read(10) if verb == "read" else reader.next())
    assert service.script.open_bodies == 0
    assert first + await read_to_end(reader) == CONTENT
    assert asked(service) == ["0..", f"1000..{len(CONTENT)}"]


async def test_after_a_cancellation_the_same_verb_goes_on_at_the_position() -> None:
    service, reader = make()
    first = await reader.read(1000)
    service.script.pause = 30
    task = asyncio.ensure_future(reader.read(10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    service.script.pause = 0
    assert service.script.open_bodies == 0
    assert first + await read_to_end(reader) == CONTENT


async def test_going_on_pins_the_object_by_its_etag() -> None:
    service, reader = make()
    await reader.read(10)
    await reader.seek(200_000)
    await reader.read(10)
    assert [call.args.if_match for call in service.script.calls] == [None, '"1"']


@pytest.mark.parametrize("checks_etag", [True, False], ids=["server checks", "server ignores"])
async def test_an_object_that_changed_is_never_spliced(checks_etag: bool) -> None:
    service, reader = make(read_with_if_match=checks_etag)
    await reader.read(10)
    service.script.replace(bytes(len(CONTENT)))
    await reader.seek(200_000)
    for _ in range(2):
        with pytest.raises(ConditionNotMatch):
            await reader.read(10)
    assert service.script.open_bodies == 0


async def test_an_object_that_changed_after_its_size_was_asked_is_never_spliced() -> None:
    service, reader = make(read_with_if_match=False)
    await reader.seek(-8, 2)
    service.script.replace(bytes(len(CONTENT)))
    with pytest.raises(ConditionNotMatch):
        await reader.read(8)


async def test_a_service_that_tells_no_size_reads_to_the_end_and_cannot_seek_from_it() -> None:
    _, reader = make(tells_size=False)
    with pytest.raises(Unsupported):
        await reader.seek(0, 2)
    assert await read_to_end(reader) == CONTENT
    assert await reader.seek(5) == 5
    assert await reader.read(3) == CONTENT[5:8]


async def test_what_is_missing_shows_at_the_first_verb() -> None:
    for verb in ("read", "next", "seek"):
        _, reader = make(path="missing")
        call = {"read": lambda r: r.read(1), "next": lambda r: r.next(), "seek": lambda r: r.seek(0, 2)}[verb]
        with pytest.raises(NotFound):
            await call(reader)


async def test_reading_nothing_asks_nothing() -> None:
    service, reader = make(path="missing")
    assert await reader.read(0) == b""
    assert asked(service) == []


async def test_closing_closes_the_body_and_closing_twice_is_closing_once() -> None:
    service, reader = make()
    await reader.read(1)
    assert service.script.open_bodies == 1
    await reader.close()
    await reader.close()
    assert service.script.open_bodies == 0


@pytest.mark.parametrize("verb", ["read", "next", "seek"])
async def test_use_after_close_is_refused(verb: str) -> None:
    service, reader = make()
    await reader.read(1)
    await reader.close()
    call = {"read": lambda: reader.read(1), "next": reader.next, "seek": lambda: reader.seek(0)}[verb]
    with pytest.raises(InvalidInput, match="closed"):
        await call()
    assert service.script.open_bodies == 0


async def test_right_of_an_end_that_a_refusal_told_nobody_is_asked_again() -> None:
    reply, asked_sizes = RpRead(), []

    class Refusing(SyntheticAccessor):
        async def read(self, path: str, args: OpRead) -> tuple[RpRead, Read]:
            inner, _ = await super().read(path, args)
            return inner, RefusingBody(inner)

        async def stat(self, path: str, args: OpStat) -> RpStat:
            asked_sizes.append(path)
            return await super().stat(path, args)

    class RefusingBody(Read):
        def __init__(self, inner: RpRead) -> None:
            self.inner = inner

        async def read(self, n: int) -> bytes:
            self.inner.size = 100
            raise RangeNotSatisfied("the server names the size and nothing else")

    service = Synthetic(CONTENT, read_can_seek=False)
    reader = ByRangeSeekableReader(Refusing(service, Context()), "p", OpRead(), reply)
    await reader.seek(500)
    assert await reader.read(1) == b""
    assert asked_sizes == []
    assert (reply.metadata, reply.size) == (None, 100)
