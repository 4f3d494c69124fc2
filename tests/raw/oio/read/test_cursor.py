"""A position that holds, whatever the body under it went through."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from entrepot import ConditionNotMatch, ContentIncomplete, Metadata, Operator, Unexpected
from entrepot.raw import DEFAULT_READ, Accessor, AroundAccessor, Context, Layer, Operation, RpRead
from entrepot.raw.oio import BytesReader, Read
from entrepot.raw.oio.read.cursor import Cursor
from entrepot.raw.oio.read.pinned_range import PinnedRange
from entrepot.services import Fs, Memory
from entrepot.testing.synthetic import Synthetic

CONTENT = bytes(range(256)) * 8
CASES = [(True, True), (True, False), (False, True), (False, False)]


@pytest.fixture(params=CASES, ids=["seek-next", "seek", "next", "neither"])
def service(request: pytest.FixtureRequest) -> Synthetic:
    can_seek, can_next = request.param
    return Synthetic(CONTENT, read_can_seek=can_seek, read_can_next=can_next)


class AfterTheCall(Layer):
    """Does something once a verb has come back from the service, as a throttle does."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.then: Callable[[], Awaitable[None]] | None = None

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        return AfterTheCallAccessor(accessor, self)


class AfterTheCallAccessor(AroundAccessor):
    def __init__(self, inner: Accessor, layer: AfterTheCall) -> None:
        super().__init__(inner)
        self.layer = layer

    async def around(self, operation: Operation, path: str, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        answer = await call(*args)
        if operation is self.layer.operation and self.layer.then is not None:
            await self.layer.then()
        return answer


@pytest.mark.parametrize("hints", [{}, {"chunk": 100, "concurrent": 3}], ids=["stream", "chunked"])
async def test_bytes_that_a_layer_held_when_it_was_cancelled_come_again(
    service: Synthetic, hints: dict[str, Any]
) -> None:
    layer = AfterTheCall(Operation.READER_READ)
    async with Operator(service).layer(layer).reader("p", **hints) as reader:
        assert await reader.read(3) == CONTENT[:3]
        layer.then = lambda: asyncio.sleep(30)
        task = asyncio.ensure_future(reader.read(300))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        layer.then = None
        assert reader.tell() == 3
        assert await reader.read() == CONTENT[3:]


@pytest.mark.parametrize("operation", [Operation.READER_READ, Operation.READER_NEXT, Operation.READER_SEEK])
async def test_a_verb_that_failed_after_it_moved_is_made_good(service: Synthetic, operation: Operation) -> None:
    async def fail() -> None:
        layer.then = None
        raise Unexpected("the layer broke", is_temporary=True)

    layer = AfterTheCall(operation)
    async with Operator(service).layer(layer).reader("p") as reader:
        assert await reader.read(3) == CONTENT[:3]
        for call in (lambda: reader.read(5), reader.next, reader.size, lambda: reader.seek(-5, 2)):
            position = reader.tell()
            layer.then = fail
            try:
                answer = await call()
            except Unexpected:
                assert reader.tell() == position
                layer.then = None
                continue
            if isinstance(answer, bytes):
                assert answer == CONTENT[position : position + len(answer)]
        layer.then = None
        position = reader.tell()
        assert await reader.read() == CONTENT[position:]


async def test_what_a_fetch_or_a_stat_showed_is_not_spliced_with_what_came_later(service: Synthetic) -> None:
    for look in ("fetch", "metadata", "size"):
        async with Operator(service).reader("p") as reader:
            await (reader.fetch([(0, 3)]) if look == "fetch" else getattr(reader, look)())
            service.script.replace(bytes(len(CONTENT)))
            if look == "size" and service.read_can_seek:
                continue  # the body was opened to tell its size, and keeps what it opened
            for _ in range(2):
                with pytest.raises(ConditionNotMatch):
                    await reader.read()
            assert reader.tell() == 0


async def test_memory_and_fs_do_not_splice_either(tmp_path: Any) -> None:
    for op in (Operator(Memory()), Operator(Fs(tmp_path))):
        await op.write("a", b"old-old-old")
        async with op.reader("a") as reader:
            assert await reader.fetch([(0, 3)]) == [b"old"]
            await asyncio.sleep(0.01)
            await op.write("a", b"NEW-NEW-NEW")
            with pytest.raises(ConditionNotMatch):
                await reader.read()
        assert await op.read("a") == b"NEW-NEW-NEW"


async def test_a_released_body_is_opened_again_at_the_position(service: Synthetic) -> None:
    async with Operator(service).reader("p", range=(10, 500)) as reader:
        assert await reader.read(7) == CONTENT[10:17]
        await reader._cursor.release()
        assert service.script.open_bodies == 0
        assert await reader.read(7) == CONTENT[17:24]
        await reader._cursor.release()
        service.script.replace(bytes(len(CONTENT)))
        with pytest.raises(ConditionNotMatch):
            await reader.read(7)


@pytest.mark.parametrize("verb", ["take", "take_some", "take_chunk"])
async def test_a_body_that_was_opened_later_and_ends_early_is_no_end(verb: str) -> None:
    async def open_body() -> tuple[RpRead, Read]:
        return RpRead(metadata=Metadata(content_length=4)), BytesReader(lambda: contents.pop(0))

    contents = [b"012", b"012", b"0123"]
    cursor = Cursor(PinnedRange(Accessor(), "p", DEFAULT_READ), open_body, await open_body())
    assert await cursor.take(3) == b"012"
    for _ in range(2):
        with pytest.raises(ContentIncomplete):
            await (cursor.take_chunk() if verb == "take_chunk" else getattr(cursor, verb)(9))
        assert cursor.position == 3
        await cursor.release()
    assert contents == [b"0123"]
    assert await (cursor.take_chunk() if verb == "take_chunk" else getattr(cursor, verb)(9)) == b"3"
