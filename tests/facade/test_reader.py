"""The public reader: its verbs, its promises after errors, and who may use it when."""

import asyncio
import gc
import io
import os
import warnings
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    ContentIncomplete,
    Error,
    InvalidInput,
    NotFound,
    Operator,
    RangeNotSatisfied,
    Unexpected,
)
from entrepot.testing.synthetic import Synthetic

CONTENT = bytes(range(256)) * 8
CASES = [(True, True), (True, False), (False, True), (False, False)]


@pytest.fixture(params=CASES, ids=["seek-next", "seek", "next", "neither"])
def service(request: pytest.FixtureRequest) -> Synthetic:
    can_seek, can_next = request.param
    return Synthetic(CONTENT, read_can_seek=can_seek, read_can_next=can_next)


@pytest.fixture(params=[{}, {"chunk": 100, "concurrent": 3}], ids=["stream", "chunked"])
def hints(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


async def test_read_gives_n_bytes_unless_the_range_ends(service: Synthetic, hints: dict[str, Any]) -> None:
    async with Operator(service).reader("p", range=(100, 1100), **hints) as reader:
        assert await reader.read(0) == b""
        assert await reader.read(600) == CONTENT[100:700]
        assert reader.tell() == 600
        assert await reader.read(600) == CONTENT[700:1100]
        assert await reader.read(600) == b""
        assert await reader.read() == b""
        assert reader.tell() == 1000


async def test_size_and_metadata_ask_once_and_do_not_move(service: Synthetic, hints: dict[str, Any]) -> None:
    async with Operator(service).reader("p", range=(100, 1100), **hints) as reader:
        assert await reader.size() == 1000
        assert (await reader.metadata()).content_length == len(CONTENT)
        assert reader.tell() == 0
        assert await reader.read(3) == CONTENT[100:103]
        assert await reader.size() == 1000
        assert await reader.read(3) == CONTENT[103:106]
    assert [call.operation for call in service.script.calls].count("stat") <= 1


async def test_seek_from_everywhere(service: Synthetic, hints: dict[str, Any]) -> None:
    async with Operator(service).reader("p", range=(100, 1100), **hints) as reader:
        assert await reader.seek(10) == 10
        assert await reader.seek(5, 1) == 15
        assert await reader.read(2) == CONTENT[115:117]
        assert await reader.seek(-2, 1) == 15
        assert await reader.seek(-4, io.SEEK_END) == 996
        assert await reader.read() == CONTENT[1096:1100]
        assert await reader.seek(5000) == 5000
        assert await reader.read(1) == b""
        for offset, whence in ((-1, 0), (-5001, 1), (-1001, 2), (0, 3), (0.5, 0)):
            with pytest.raises(InvalidInput) as caught:
                await reader.seek(offset, whence)  # type: ignore[arg-type]
            assert (caught.value.scheme, caught.value.operation) == ("synthetic", "reader.seek")
            assert caught.value.path == "p"
        assert reader.tell() == 5000
        assert await reader.seek(0) == 0
        assert await reader.read() == CONTENT[100:1100]


async def test_readexactly_and_readinto(service: Synthetic, hints: dict[str, Any]) -> None:
    async with Operator(service).reader("p", range=(0, 100), **hints) as reader:
        assert await reader.readexactly(40) == CONTENT[:40]
        with pytest.raises(ContentIncomplete) as caught:
            await reader.readexactly(61)
        assert not caught.value.is_temporary
        assert reader.tell() == 40
        buffer = bytearray(50)
        assert await reader.readinto(buffer) == 50
        assert bytes(buffer) == CONTENT[40:90]
        assert await reader.readinto(buffer) == 10
        assert bytes(buffer[:10]) == CONTENT[90:100]
        assert await reader.readinto(buffer) == 0
        assert await reader.readexactly(0) == b""


async def test_readinto_takes_every_writable_buffer() -> None:
    import array
    import ctypes

    buffers: list[Any] = [array.array("I", [0] * 8), (ctypes.c_int * 8)(), (ctypes.c_uint8.__ctype_be__ * 32)()]
    for buffer in buffers:  # the formats of the latter are not those that a memoryview can write to
        async with Operator(Synthetic(CONTENT)).reader("p") as reader:
            assert await reader.readinto(buffer) == 32
            assert bytes(buffer) == CONTENT[:32]


async def test_readinto_refuses_what_it_cannot_fill() -> None:
    import ctypes

    service = Synthetic(CONTENT)
    gaps = memoryview(bytearray(10))[::2]
    async with Operator(service).reader("p") as reader:
        for wrong in (b"read only", gaps, memoryview(b"x" * 10)[::2], (ctypes.py_object * 2)(), "text", 5, None):
            with pytest.raises(InvalidInput) as caught:
                await reader.readinto(wrong)  # type: ignore[arg-type]
            assert (caught.value.operation, caught.value.path) == ("reader.readinto", "p")
    assert service.script.opens == 0


@pytest.mark.parametrize("n", [-2, 1.5, "1", None, True])
async def test_a_count_that_makes_no_sense_is_refused(n: Any) -> None:
    service = Synthetic(CONTENT)
    async with Operator(service).reader("p") as reader:
        for verb in (reader.read, reader.readexactly, reader.receive):
            with pytest.raises(InvalidInput):
                await verb(n)
    assert service.script.opens == 0


async def test_iterating_gives_every_byte_and_gives_back_what_it_held(
    service: Synthetic, hints: dict[str, Any]
) -> None:
    reader = await Operator(service).reader("p", **hints)
    await reader.seek(10)
    chunks = [chunk async for chunk in reader]
    assert b"".join(chunks) == CONTENT[10:]
    assert all(chunks)
    assert service.script.open_bodies == 0
    assert await reader.seek(20) == 20
    assert await reader.read(5) == CONTENT[20:25]
    await reader.aclose()


async def test_a_reader_can_be_used_on_after_leaving_its_loop(service: Synthetic, hints: dict[str, Any]) -> None:
    async with Operator(service).reader("p", **hints) as reader:
        first = b""
        async for chunk in reader:
            first = chunk
            break
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)
        assert service.script.open_bodies == 0
        assert await reader.read() == CONTENT[len(first) :]
    assert service.script.open_bodies == 0


async def test_going_on_at_once_after_leaving_a_loop_is_not_disturbed(service: Synthetic) -> None:
    async with Operator(service).reader("p") as reader:
        got = b""
        for _ in range(3):
            async for chunk in reader:
                got += chunk
                break
            got += await reader.read(5)
        for _ in range(5):
            await asyncio.sleep(0)
        assert got + await reader.read() == CONTENT


async def test_leaving_a_loop_leaves_nothing_behind(service: Synthetic, hints: dict[str, Any]) -> None:
    async for chunk in Operator(service).reader("p", **hints):
        assert chunk
        break
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    assert service.script.open_bodies == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_after_an_error_in_the_middle_no_byte_is_lost(service: Synthetic, hints: dict[str, Any]) -> None:
    async with Operator(service).reader("p", **hints) as reader:
        assert await reader.read(100) == CONTENT[:100]
        service.script.fail(service.script.verbs + 3, Unexpected("reset", is_temporary=True))
        with pytest.raises(Unexpected) as caught:
            await reader.read(1000)
        assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("synthetic", "reader.read", "p")
        assert reader.tell() == 100
        assert await reader.read(1000) == CONTENT[100:1100]
        assert await reader.read() == CONTENT[1100:]


@pytest.mark.parametrize("verb", ["readinto", "readexactly", "receive", "seek", "size", "iterate"])
async def test_other_verbs_go_on_with_what_came_before_an_error(service: Synthetic, verb: str) -> None:
    async with Operator(service).reader("p") as reader:
        service.script.fail(3, Unexpected("reset", is_temporary=True))
        with pytest.raises(Unexpected):
            await reader.read()
        assert reader.tell() == 0
        if verb == "readinto":
            buffer = bytearray(500)
            assert await reader.readinto(buffer) == 500
            assert bytes(buffer) == CONTENT[:500]
        elif verb == "readexactly":
            assert await reader.readexactly(500) == CONTENT[:500]
        elif verb == "receive":
            first = await reader.receive(500)
            assert CONTENT.startswith(first)
            assert reader.tell() == len(first)
        elif verb == "seek":
            assert await reader.seek(1, 1) == 1
            assert await reader.read(500) == CONTENT[1:501]
        elif verb == "size":
            assert await reader.size() == len(CONTENT)
            assert await reader.read() == CONTENT
        else:
            assert b"".join([chunk async for chunk in reader]) == CONTENT


async def test_after_a_cancellation_in_the_middle_no_byte_is_lost(service: Synthetic, hints: dict[str, Any]) -> None:
    async with Operator(service).reader("p", **hints) as reader:
        assert await reader.read(100) == CONTENT[:100]
        service.script.pause = 0.001
        task = asyncio.ensure_future(reader.read(1000))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        service.script.pause = 0
        assert reader.tell() == 100
        assert await reader.read() == CONTENT[100:]


async def test_two_tasks_at_once_are_refused_and_a_closed_reader_too(service: Synthetic) -> None:
    reader = await Operator(service).reader("p")
    service.script.pause = 0.01
    first = asyncio.ensure_future(reader.read(10))
    await asyncio.sleep(0)
    for call in (reader.read(1), reader.seek(0), reader.size(), reader.aclose()):
        with pytest.raises(InvalidInput, match="in use") as caught:
            await call
        assert caught.value.path == "p"
    assert await first == CONTENT[:10]
    await reader.aclose()
    await reader.aclose()
    for call in (reader.read(1), reader.receive(), reader.seek(0), reader.metadata(), reader.fetch([(0, 1)])):
        with pytest.raises(InvalidInput, match="closed") as caught:
            await call
        assert (caught.value.scheme, caught.value.path) == ("synthetic", "p")


async def test_is_a_byte_stream_for_anyio(service: Synthetic) -> None:
    async with Operator(service).reader("p") as reader:
        assert 1 <= len(await reader.receive(5)) <= 5
        stream = BufferedByteReceiveStream(reader)  # type: ignore[arg-type]
        position = reader.tell()
        assert await stream.receive_exactly(300) == CONTENT[position : position + 300]
        while True:
            try:
                await stream.receive()
            except anyio.EndOfStream:
                break
        with pytest.raises(anyio.EndOfStream):
            await reader.receive()


class TestFetch:
    async def test_the_size_that_a_suffix_needs_is_asked_for_once(self, service: Synthetic) -> None:
        for hints in ({}, {"chunk": 10, "concurrent": 4, "content_length_hint": 2048}):
            service.script.calls.clear()
            async with Operator(service).reader("p", range=BytesRange(suffix=400), gap=0, **hints) as reader:
                await reader.fetch([(0, 5), (100, 105), (200, 205), (300, 305)])
                await reader.read()
            assert [call.operation for call in service.script.calls].count("stat") == 1

    async def test_answers_in_order_whatever_the_ranges(self, service: Synthetic, hints: dict[str, Any]) -> None:
        asked: list[Any] = [
            (500, 510),
            (0, 10),
            (5, 8),
            (500, 510),
            (7, 7),
            (2040, 9999),
            (0, None),
            BytesRange(suffix=3),
        ]
        async with Operator(service).reader("p", gap=20, **hints) as reader:
            got = await reader.fetch(asked)
            slices = [slice(one[0], one[1]) if isinstance(one, tuple) else slice(-3, None) for one in asked]
            assert got == [CONTENT[one] for one in slices]
            assert await reader.fetch_views(asked) == got
            assert reader.tell() == 0
            assert await reader.fetch([]) == []
        assert service.script.open_bodies == 0

    async def test_ranges_nearer_than_the_gap_share_a_request(self, service: Synthetic) -> None:
        async with Operator(service).reader("p", gap=10) as reader:
            assert await reader.fetch([(100, 110), (0, 10), (20, 30), (41, 50)]) == [
                CONTENT[100:110],
                CONTENT[0:10],
                CONTENT[20:30],
                CONTENT[41:50],
            ]
        asked = [str(call.args.range) for call in service.script.calls]  # type: ignore[union-attr]
        assert asked[-3:] == ["0..30", "41..50", "100..110"]
        assert service.script.opens == 3

    async def test_is_relative_to_the_range_of_the_reader(self, service: Synthetic) -> None:
        async with Operator(service).reader("p", range=(100, 200)) as reader:
            assert await reader.fetch([(0, 5), (90, 500)]) == [CONTENT[100:105], CONTENT[190:200]]
        async with Operator(service).reader("p", range=BytesRange(suffix=100)) as reader:
            assert await reader.fetch([(0, 5), (90, None)]) == [CONTENT[-100:-95], CONTENT[-10:]]

    @pytest.mark.parametrize("asked", [[(2049, 2050)], [(0, 1), (3000, 3001)], [(0, 2048), (2100, 2101)]])
    async def test_a_range_behind_the_end_is_not_satisfied(self, service: Synthetic, asked: Any) -> None:
        async with Operator(service).reader("p") as reader:
            with pytest.raises(RangeNotSatisfied) as caught:
                await reader.fetch(asked)
            assert caught.value.path == "p"
            assert await reader.fetch([(2048, 2050)]) == [b""]
        assert service.script.open_bodies == 0

    async def test_no_more_than_concurrent_are_in_flight(self) -> None:
        service = Synthetic(CONTENT)
        service.script.pause = 0.001
        async with Operator(service).reader("p", gap=0, concurrent=3) as reader:
            fetching = asyncio.ensure_future(reader.fetch([(one * 10, one * 10 + 5) for one in range(50)]))
            most = 0
            while not fetching.done():
                most = max(most, service.script.open_bodies)
                await asyncio.sleep(0)
            assert await fetching == [CONTENT[one * 10 : one * 10 + 5] for one in range(50)]
        assert 1 < most <= 3

    async def test_an_object_that_changed_meanwhile_is_never_spliced(self, service: Synthetic) -> None:
        service.script.replace(bytes(len(CONTENT)), before=2)
        async with Operator(service).reader("p", gap=0) as reader:
            with pytest.raises(ConditionNotMatch):
                await reader.fetch([(0, 10), (1000, 1010)])

    async def test_an_error_leaves_nothing_in_flight(self, service: Synthetic) -> None:
        service.script.fail(4, Unexpected("reset", is_temporary=True))
        async with Operator(service).reader("p", gap=0) as reader:
            with pytest.raises(Unexpected):
                await reader.fetch([(one * 100, one * 100 + 50) for one in range(20)])
            assert service.script.open_bodies == 0
            assert asyncio.all_tasks() == {asyncio.current_task()}

    @pytest.mark.parametrize("asked", [[(5, 4)], [(-1, 4)], ["0-4"], [5]])
    async def test_what_is_no_range_is_refused_before_any_io(self, service: Synthetic, asked: Any) -> None:
        async with Operator(service).reader("missing") as reader:
            with pytest.raises(InvalidInput):
                await reader.fetch(asked)
        assert service.script.opens == 0


@pytest.mark.parametrize("range_", [(0, 0), (5000, 5000), BytesRange(suffix=0)], ids=str)
async def test_an_empty_range_asks_nothing_wherever_it_lies(
    service: Synthetic, hints: dict[str, Any], range_: Any
) -> None:
    async with Operator(service).reader("missing", range=range_, **hints) as reader:
        assert await reader.read() == b""
        assert await reader.next() is None
        assert await reader.size() == 0
        assert await reader.seek(0, 2) == 0
        assert await reader.fetch([(0, 0), (0, 5)]) == [b"", b""]
    assert service.script.opens == 0
    assert "stat" not in [call.operation for call in service.script.calls]


async def test_opening_and_closing_ask_nothing(service: Synthetic, hints: dict[str, Any]) -> None:
    reader = await Operator(service).reader("missing", **hints)
    await reader.seek(5)
    await reader.aclose()
    assert service.script.opens == 0


async def test_an_error_of_any_verb_names_scheme_operation_and_path(service: Synthetic) -> None:
    async with Operator(service).reader("missing") as reader:
        calls = [
            (reader.read(1), "reader.read"),
            (reader.readexactly(1), "reader.readexactly"),
            (reader.readinto(bytearray(1)), "reader.readinto"),
            (reader.receive(), "reader.receive"),
            (reader.next(), "reader.next"),
            (reader.seek(0, 2), "reader.seek"),
            (reader.size(), "reader.size"),
            (reader.metadata(), "reader.metadata"),
            (reader.fetch([(0, 1)]), "reader.fetch"),
        ]
        for call, operation in calls:
            with pytest.raises(Error) as caught:
                await call
            error = caught.value
            assert isinstance(error, NotFound)
            assert (error.scheme, error.operation, error.path) == ("synthetic", operation, "missing")


async def test_repr_says_where_it_is() -> None:
    async with Operator(Synthetic(CONTENT)).reader("p") as reader:
        await reader.read(5)
        assert repr(reader) == "<Reader synthetic 'p' at 5>"


async def test_a_reader_that_is_dropped_midway_warns_and_names_its_path() -> None:
    reader = await Operator(Synthetic(CONTENT)).reader("some/path")
    await reader.read(10)
    with pytest.warns(ResourceWarning, match=r"^<Reader .* 'some/path'> was not closed$"):
        del reader
        gc.collect()


@pytest.mark.parametrize(
    "how", ["unused", "closed", "read to its end", "read exactly", "left loop", "fetched", "ended"]
)
async def test_a_reader_that_holds_nothing_does_not_warn(how: str, hints: dict[str, Any]) -> None:
    service = Synthetic(CONTENT)
    reader = await Operator(service).reader("p", **hints)
    if how == "closed":
        await reader.read(10)
        await reader.aclose()
    elif how == "read to its end":
        await reader.read()
    elif how == "read exactly":
        assert len(await reader.read(await reader.size())) == len(CONTENT)
    elif how == "left loop":
        async for _ in reader:
            break
    elif how == "fetched":
        await reader.fetch([(0, 5)])
    elif how == "ended":
        await reader.read(10)
        await reader.seek(0, os.SEEK_END)
        assert await reader.read(1) == b""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del reader
        gc.collect()


async def test_a_fetch_far_past_the_end_in_small_chunks_makes_requests_for_the_object_only(service: Synthetic) -> None:
    async with Operator(service).reader("p", chunk=100) as reader:
        assert await reader.fetch([(0, 2**50), (2000, 2**60), (2048, 2**40)]) == [CONTENT, CONTENT[2000:], b""]
    async with Operator(service).reader("p", chunk=100) as reader:
        with pytest.raises(RangeNotSatisfied):
            await reader.fetch([(2049, 2**40)])
