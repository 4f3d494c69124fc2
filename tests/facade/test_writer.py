"""The public writer: what it takes, when the object appears, and what is left when it does not."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from entrepot import (
    Capability,
    ContentIncomplete,
    ContentTruncated,
    InvalidInput,
    IsADirectory,
    Metadata,
    Operator,
    Unexpected,
    Unsupported,
    Writer,
)
from entrepot.raw import Accessor, AccessorInfo, Context, OpWrite, RpWrite, ServiceConfig, oio
from entrepot.services import Memory


class Slot(oio.Write):
    """A body that writes down what happens to it, waits where it is told to, and fails where it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.received: list[bytes] = []
        self.fails: dict[str, list[BaseException]] = {}
        self.waits: dict[str, asyncio.Event] = {}
        self.length: int | None = None

    async def _pass(self, verb: str) -> None:
        self.calls.append(verb)
        if verb in self.waits:
            await self.waits[verb].wait()
        if self.fails.get(verb):
            raise self.fails[verb].pop(0)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await self._pass("write")
        assert isinstance(data, bytes)
        self.received.append(data)

    async def close(self) -> Metadata:
        await self._pass("close")
        return Metadata(content_length=self.length)

    async def abort(self) -> None:
        await self._pass("abort")
        self.calls.append("aborted")


class SlotService(ServiceConfig, Accessor):
    SCHEME = "slot"

    def __init__(self, **capability: Any) -> None:
        native = Capability(write=True, write_can_empty=True, write_with_append=True)
        flags = {name: getattr(native, name) for name in Capability.__slots__} | capability
        self.info = AccessorInfo("slot", native_capability=Capability(**flags))
        self.body = Slot()
        self.asked: list[OpWrite] = []

    def build(self, context: Context) -> Accessor:
        return self

    async def write(self, path: str, args: OpWrite) -> tuple[RpWrite, Slot]:
        self.asked.append(args)
        return RpWrite(), self.body


@pytest.fixture
def service() -> SlotService:
    return SlotService()


@pytest.fixture
def op(service: SlotService) -> Operator:
    return Operator(service)


class TestWriting:
    @pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc"), [b"a", b"bc"], (b"abc",)])
    async def test_bytes_and_iterables_of_bytes_are_stored(self, data: Any) -> None:
        op = Operator(Memory())
        assert (await op.write("p", data)).content_length == 3
        assert await op.read("p") == b"abc"

    async def test_generators_of_both_sorts_are_streamed(self, op: Operator, service: SlotService) -> None:
        def plain() -> Iterator[bytes]:
            yield b"ab"
            yield b""
            yield b"c"

        async def asynchronous() -> AsyncIterator[bytes]:
            for data in plain():
                await asyncio.sleep(0)
                yield data

        assert (await op.write("p", plain())).content_length == 3
        assert (await op.write("p", asynchronous())).content_length == 3
        assert service.body.received == [b"ab", b"c"] * 2, "empty pieces are not passed on"

    async def test_a_reader_of_another_object_is_a_source(self) -> None:
        op = Operator(Memory())
        await op.write("a", bytes(1000))
        await op.write("b", op.reader("a", chunk=300))
        assert await op.read("b") == bytes(1000)

    @pytest.mark.parametrize("data", ["text", 5, None, ["text"], [b"a", 5], object()])
    async def test_what_is_no_bytes_is_refused_and_nothing_is_stored(self, data: Any) -> None:
        op = Operator(Memory())
        with pytest.raises(InvalidInput, match="data is bytes") as caught:
            await op.write("p", data)
        assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "write", "p")
        assert not await op.exists("p")

    async def test_text_is_refused_with_a_hint(self, op: Operator, service: SlotService) -> None:
        with pytest.raises(InvalidInput, match="encode it"):
            await op.write("p", "text")  # type: ignore[arg-type]
        async with op.writer("p") as writer:
            with pytest.raises(InvalidInput, match="encode it") as caught:
                await writer.write("text")  # type: ignore[arg-type]
            assert caught.value.operation == "writer.write"
        assert service.body.received == []

    async def test_a_buffer_can_be_used_again_at_once(self, op: Operator, service: SlotService) -> None:
        buffer = bytearray(b"first")
        async with op.writer("p") as writer:
            await writer.write(buffer)
            buffer[:] = b"later"
            await writer.write(memoryview(buffer)[:2])
        assert service.body.received == [b"first", b"la"]

    async def test_a_generator_that_has_ended_does_not_replace_an_object_by_nothing(self) -> None:
        async def asynchronous() -> AsyncIterator[bytes]:
            yield b"precious"

        op = Operator(Memory())
        for source in (asynchronous(), (data for data in [b"precious"])):
            future = op.write_with("p", source)
            await future
            with pytest.raises(InvalidInput, match="generator has ended"):
                await future
            with pytest.raises(InvalidInput, match="generator has ended"):
                await op.write("p", source)
            assert await op.read("p") == b"precious"

    async def test_a_view_with_gaps_is_refused_and_nothing_is_stored(self, op: Operator, service: SlotService) -> None:
        for source in (memoryview(b"a-b-c-")[::2], [memoryview(b"a-b-c-")[::2]]):
            with pytest.raises(InvalidInput, match="not contiguous") as caught:
                await op.write("p", source)
            assert (caught.value.operation, caught.value.path) == ("write", "p")
        assert service.body.received == []

    def test_what_shows_a_builder_shows_no_data(self, op: Operator) -> None:
        future = op.write_with("p", b"password=hunter2")
        assert repr(future) == "<write_with('p', <bytes>)>"
        with pytest.warns(RuntimeWarning, match="never awaited") as caught:
            del future
        assert "hunter2" not in str(caught[0].message)

    async def test_options_of_both_spellings_arrive(self, op: Operator, service: SlotService) -> None:
        await op.write("p", b"", append=True)
        await op.write_with("p", b"").append()
        await (await op.writer("p", append=True)).close()
        await (await op.writer_with("p").append()).close()
        assert service.asked == [OpWrite(append=True)] * 4

    @pytest.mark.parametrize("path", ["d/", "/"])
    async def test_a_directory_is_not_written_to(self, path: str, op: Operator, service: SlotService) -> None:
        with pytest.raises(IsADirectory):
            await op.write(path, b"")
        with pytest.raises(IsADirectory):
            await op.writer(path)
        assert service.asked == []

    @pytest.mark.parametrize(
        "options",
        [
            {"user_metadata": {"a b": "c"}},
            {"user_metadata": {"": "c"}},
            {"user_metadata": {"a": "x\r\ny"}},
            {"user_metadata": {"a": 1}},
            {"user_metadata": {"A": "1", "a": "2"}},
            {"user_metadata": [("a", "b")]},
            {"content_type": "text/plain\n"},
            {"append": 1},
            {"if_not_exists": "yes"},
            {"chunk": 0},
        ],
        ids=str,
    )
    async def test_an_option_that_cannot_work_is_refused(self, options: Any) -> None:
        op = Operator(Memory())
        with pytest.raises(InvalidInput) as caught:
            await op.write("p", b"", **options)
        assert (caught.value.operation, caught.value.path) == ("write", "p")
        assert not await op.exists("p")


class TestLimits:
    async def test_more_than_the_service_takes_is_refused_before_it_is_sent(self) -> None:
        service = SlotService(write_total_max_size=4)
        op = Operator(service)
        with pytest.raises(InvalidInput, match="larger than 4 bytes"):
            await op.write("p", b"12345")
        assert service.body.received == []
        async with op.writer("p") as writer:
            await writer.write(b"1234")
            with pytest.raises(InvalidInput, match="larger than 4 bytes"):
                await writer.write(b"5")
            assert writer.tell() == 4

    async def test_an_object_without_bytes_is_refused_where_the_service_has_none(self) -> None:
        service = SlotService(write_can_empty=False)
        with pytest.raises(Unsupported, match="cannot store an empty object"):
            await Operator(service).write("p", b"")
        assert service.body.calls == ["abort", "aborted"]

    @pytest.mark.parametrize(("stored", "kind"), [(2, ContentIncomplete), (4, ContentTruncated)])
    async def test_another_length_than_was_written_is_an_error(
        self, stored: int, kind: Any, service: SlotService
    ) -> None:
        service.body.length = stored
        with pytest.raises(kind, match=f"3 bytes were written, but {stored} were stored"):
            await Operator(service).write("p", b"abc")

    async def test_the_length_of_an_append_is_that_of_the_object(self, op: Operator, service: SlotService) -> None:
        service.body.length = 10
        assert (await op.write("p", b"abc", append=True)).content_length == 10


class TestEnds:
    async def test_the_object_appears_on_close(self) -> None:
        op = Operator(Memory())
        writer = await op.writer("p")
        assert isinstance(writer, Writer)
        await writer.write(b"abc")
        assert not await op.exists("p")
        assert (await writer.close()).content_length == 3
        assert (await writer.close()).content_length == 3
        assert await op.read("p") == b"abc"

    @pytest.mark.parametrize("error", [ValueError("mine"), asyncio.CancelledError(), KeyboardInterrupt()])
    async def test_an_exception_in_the_block_aborts(self, error: BaseException) -> None:
        op = Operator(Memory())
        with pytest.raises(type(error)):
            async with op.writer("p") as writer:
                await writer.write(b"abc")
                raise error
        assert not await op.exists("p")
        with pytest.raises(InvalidInput, match="aborted") as caught:
            await writer.write(b"more")
        assert (caught.value.operation, caught.value.path) == ("writer.write", "p")

    async def test_a_failing_source_aborts(self, op: Operator, service: SlotService) -> None:
        async def source() -> AsyncIterator[bytes]:
            yield b"abc"
            raise ValueError("the source")

        with pytest.raises(ValueError, match="the source"):
            await op.write("p", source())
        assert service.body.calls == ["write", "abort", "aborted"]

    async def test_a_source_is_closed_when_writing_fails(self, op: Operator, service: SlotService) -> None:
        ended: list[str] = []

        async def source() -> AsyncIterator[bytes]:
            try:
                yield b"abc"
                yield b"def"
            finally:
                ended.append("closed")

        service.body.fails["write"] = [Unexpected("full")]
        with pytest.raises(Unexpected):
            await op.write("p", source())
        assert ended == ["closed"]

    async def test_a_cancelled_write_aborts(self, op: Operator, service: SlotService) -> None:
        service.body.waits["write"] = asyncio.Event()
        task = asyncio.create_task(op.write("p", b"abc"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert service.body.calls == ["write", "abort", "aborted"]

    async def test_an_abort_ends_although_it_is_cancelled_again(self, op: Operator, service: SlotService) -> None:
        service.body.waits["abort"] = asyncio.Event()

        async def use() -> None:
            async with op.writer("p") as writer:
                await writer.write(b"abc")
                await asyncio.sleep(60)

        task = asyncio.create_task(use())
        await asyncio.sleep(0.01)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
        assert not task.done(), "the abort is waited for"
        service.body.waits["abort"].set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert service.body.calls == ["write", "abort", "aborted"]

    async def test_an_error_of_the_abort_is_told_beside_its_cause(self, op: Operator, service: SlotService) -> None:
        service.body.fails["abort"] = [Unexpected("no way back")]
        with pytest.raises(ValueError, match="mine") as caught:
            async with op.writer("p") as writer:
                await writer.write(b"abc")
                raise ValueError("mine")
        assert "no way back" in caught.value.__notes__[0]

    async def test_a_close_that_fails_at_the_end_of_the_block_aborts(self, op: Operator, service: SlotService) -> None:
        service.body.fails["close"] = [Unexpected("no")]
        with pytest.raises(Unexpected) as caught:
            async with op.writer("p") as writer:
                await writer.write(b"abc")
        assert caught.value.operation == "writer.close"
        assert service.body.calls == ["write", "close", "abort", "aborted"]

    @pytest.mark.parametrize("verb", ["write", "close"])
    async def test_a_verb_that_failed_can_be_called_again(self, op: Operator, service: SlotService, verb: str) -> None:
        service.body.fails[verb] = [Unexpected("lost", is_temporary=True)]
        writer = await op.writer("p")
        if verb == "write":
            with pytest.raises(Unexpected):
                await writer.write(b"abc")
            assert writer.tell() == 0
        await writer.write(b"abc")
        if verb == "close":
            with pytest.raises(Unexpected):
                await writer.close()
        assert (await writer.close()).content_length == 3
        assert service.body.received == [b"abc"]

    async def test_leaving_the_block_after_an_end_of_ones_own_does_nothing_more(
        self, op: Operator, service: SlotService
    ) -> None:
        async with op.writer("p") as writer:
            await writer.abort()
        async with op.writer("q") as writer:
            await writer.close()
        assert service.body.calls == ["abort", "aborted", "close"]

    async def test_two_tasks_cannot_use_it_at_once(self, op: Operator, service: SlotService) -> None:
        service.body.waits["write"] = asyncio.Event()
        writer = await op.writer("p")
        first = asyncio.create_task(writer.write(b"a"))
        await asyncio.sleep(0)
        with pytest.raises(InvalidInput, match="in use by another task"):
            await writer.write(b"b")
        service.body.waits["write"].set()
        await first
        await writer.close()

    async def test_one_that_is_forgotten_warns(self, op: Operator) -> None:
        writer = await op.writer("p")
        await writer.write(b"abc")
        with pytest.warns(ResourceWarning, match="neither closed nor aborted"):
            del writer
            gc.collect()

    async def test_its_repr_tells_where_it_is(self, op: Operator) -> None:
        async with op.writer("p") as writer:
            await writer.write(b"abc")
            assert repr(writer) == "<Writer slot 'p' at 3>"
