"""Windows of a local file: the body alone, under both runtimes."""

import asyncio
import io
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    ContentIncomplete,
    InvalidInput,
    Metadata,
    NotFound,
    RangeNotSatisfied,
    Unexpected,
    Unsupported,
)
from entrepot.raw import RpRead
from entrepot.raw.oio import FileReader, into_read_from_file
from entrepot.raw.oio.read import stream_ahead
from entrepot.raw.oio.read.file_reader import PREAD_LIMIT, SMALL
from entrepot.raw.ops import FULL_RANGE
from entrepot.raw.runtime import Runtime, inline
from entrepot.raw.runtime.asyncio import AsyncioRuntime

T = TypeVar("T")
CONTENT = bytes(range(100))
WHOLE = 1 << 62


class Run(Protocol):
    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


class Opening:
    """Opens a file, and keeps what it opened."""

    def __init__(self, path: Path, *, tells_size: bool = True) -> None:
        self.path = path
        self.tells_size = tells_size
        self.files: list[io.FileIO] = []

    def __call__(self) -> tuple[io.FileIO, Metadata]:
        self.files.append(io.FileIO(self.path))
        size = os.fstat(self.files[-1].fileno()).st_size
        return self.files[-1], Metadata(content_length=size if self.tells_size else None)


@pytest.fixture(params=["asyncio", "inline"])
def driven(request: pytest.FixtureRequest) -> Iterator[tuple[Runtime, Run]]:
    if request.param == "inline":
        yield inline.InlineRuntime(), inline.run
        return
    with asyncio.Runner() as runner:
        yield AsyncioRuntime(), runner.run


@pytest.fixture
def run(driven: tuple[Runtime, Run]) -> Run:
    return driven[1]


@pytest.fixture(params=[True, False], ids=["tells-size", "tells-no-size"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return Opening(path, tells_size=request.param)


@pytest.fixture
def body_of(driven: tuple[Runtime, Run]) -> Callable[..., FileReader]:
    def make(opening: Opening, window: BytesRange = FULL_RANGE, reply: RpRead | None = None) -> FileReader:
        return into_read_from_file(driven[0], opening, window, reply or RpRead())

    return make


async def _step(body: FileReader, verb: tuple[Any, ...], window: bytes, position: int) -> int:
    """One verb, checked against the bytes of the window; gives the new position."""
    if verb[0] == "read":
        data = await body.read(verb[1])
        assert data == window[position : position + verb[1]]
        return position + len(data)
    _, offset, whence = verb
    expected = (0, position, len(window))[whence] + offset
    if expected >= 0:
        assert await body.seek(offset, whence) == expected
        return expected
    with pytest.raises(InvalidInput):
        await body.seek(offset, whence)
    return position


READS = st.tuples(st.just("read"), st.integers(0, 120))
SEEKS = st.tuples(st.just("seek"), st.integers(-120, 120), st.integers(0, 2))
WINDOWS = st.one_of(
    st.builds(lambda start, length: BytesRange(start, start + length), st.integers(0, 100), st.integers(0, 60)),
    st.builds(BytesRange, st.integers(0, 100)),
    st.builds(lambda suffix: BytesRange(suffix=suffix), st.integers(0, 150)),
)


@pytest.fixture(scope="module")
def module_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file_reader") / "file"
    path.write_bytes(CONTENT)
    return path


@settings(max_examples=200, deadline=None)
@given(window=WINDOWS, tells_size=st.booleans(), verbs=st.lists(st.one_of(READS, SEEKS), max_size=12))
def test_any_sequence_of_verbs_gives_the_bytes_of_the_window(
    module_file: Path, window: BytesRange, tells_size: bool, verbs: list[tuple[Any, ...]]
) -> None:
    """The position is the window's own; nothing left of its start or right of its end is ever given."""

    async def scenario() -> None:
        opening = Opening(module_file, tells_size=tells_size)
        body = into_read_from_file(inline.InlineRuntime(), opening, window, RpRead())
        start, end = window.resolve(len(CONTENT))
        position = 0
        for verb in verbs:
            position = await _step(body, verb, CONTENT[start:end], position)
        await body.close()
        assert all(file.closed for file in opening.files)
        assert len(opening.files) <= 1

    inline.run(scenario())


def test_whole_file_comes_in_one_piece_and_then_the_end(
    run: Run, body_of: Callable[..., FileReader], opening: Opening
) -> None:
    async def scenario() -> None:
        body = body_of(opening)
        assert await body.read(WHOLE) == CONTENT
        assert await body.read(WHOLE) == b""
        await body.close()

    run(scenario())


def test_seek_from_the_end_of_a_window_does_not_leave_its_start(
    run: Run, body_of: Callable[..., FileReader], opening: Opening
) -> None:
    """Computed from the file's end, this position would exist (the model's #2717)."""

    async def scenario() -> None:
        body = body_of(opening, BytesRange(1, 2))
        with pytest.raises(InvalidInput):
            await body.seek(-2, os.SEEK_END)
        assert await body.seek(0, os.SEEK_CUR) == 0
        assert await body.read(9) == CONTENT[1:2]
        await body.close()

    run(scenario())


def test_reply_is_filled_by_the_first_verb_with_the_size_of_the_whole_file(
    run: Run, body_of: Callable[..., FileReader], opening: Opening
) -> None:
    async def scenario() -> None:
        reply = RpRead()
        body = body_of(opening, BytesRange(10, 20), reply)
        await body.seek(5)
        assert (reply.metadata, opening.files) == (None, [])
        assert await body.read(2) == CONTENT[15:17]
        assert reply.metadata is not None
        assert reply.metadata.content_length == len(CONTENT)
        await body.close()

    run(scenario())


@pytest.mark.parametrize("verb", ["read", "read nothing", "seek"])
def test_window_behind_the_end_is_not_satisfied_and_the_file_closed_again(
    run: Run, body_of: Callable[..., FileReader], opening: Opening, verb: str
) -> None:
    async def scenario() -> None:
        body = body_of(opening, BytesRange(101))
        with pytest.raises(RangeNotSatisfied):
            await (body.seek(0, os.SEEK_END) if verb == "seek" else body.read(5 if verb == "read" else 0))
        await body.close()

    run(scenario())
    assert [file.closed for file in opening.files] == [True]


def test_missing_file_is_not_found_at_every_first_verb(
    run: Run, body_of: Callable[..., FileReader], tmp_path: Path
) -> None:
    async def scenario() -> None:
        body = body_of(Opening(tmp_path / "missing"))
        for _ in range(2):
            with pytest.raises(NotFound):
                await body.read(1)
        with pytest.raises(NotFound):
            await body.seek(0, os.SEEK_END)
        assert await body.seek(3) == 3
        (tmp_path / "missing").write_bytes(CONTENT)
        assert await body.read(2) == CONTENT[3:5]
        await body.close()

    run(scenario())


def test_closed_body_is_refused_and_stays_closed(
    run: Run, body_of: Callable[..., FileReader], opening: Opening
) -> None:
    async def scenario() -> None:
        unused, used = body_of(opening), body_of(opening)
        await used.read(1)
        for body in (unused, used):
            await body.close()
            await body.close()
            with pytest.raises(InvalidInput, match="closed"):
                await body.read(1)
            with pytest.raises(InvalidInput, match="closed"):
                await body.seek(0)

    run(scenario())
    assert [file.closed for file in opening.files] == [True]


def test_file_that_grows_is_read_to_where_it_ended(
    run: Run, body_of: Callable[..., FileReader], opening: Opening
) -> None:
    async def scenario() -> None:
        body = body_of(opening)
        assert await body.read(10) == CONTENT[:10]
        with opening.path.open("ab") as file:
            file.write(b"more")
        assert await body.read(WHOLE) == CONTENT[10:]
        assert await body.read(WHOLE) == b""
        assert await body.seek(0, os.SEEK_END) == len(CONTENT)
        await body.close()

    run(scenario())


def test_file_that_shrinks_is_incomplete(run: Run, body_of: Callable[..., FileReader], opening: Opening) -> None:
    async def scenario() -> None:
        body = body_of(opening)
        assert await body.read(10) == CONTENT[:10]
        os.truncate(opening.path, 30)
        assert await body.read(WHOLE) == CONTENT[10:30]
        with pytest.raises(ContentIncomplete, match="it had 100 bytes, 30 came") as raised:
            await body.read(WHOLE)
        assert not raised.value.is_temporary
        assert await body.seek(0, os.SEEK_CUR) == 30
        await body.close()

    opening.tells_size = True
    run(scenario())


def test_file_without_a_size_is_what_it_was_when_it_was_opened(
    run: Run, body_of: Callable[..., FileReader], opening: Opening
) -> None:
    async def scenario() -> None:
        body = body_of(opening, BytesRange(20))
        assert await body.read(10) == CONTENT[20:30]
        os.truncate(opening.path, 0)
        assert await body.read(WHOLE) == CONTENT[30:]
        await body.close()

    opening.tells_size = False
    run(scenario())


def test_file_without_a_size_or_an_end_is_refused(
    run: Run, body_of: Callable[..., FileReader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        body = body_of(opening)
        with pytest.raises(Unsupported, match="reports no size and has more than 1000 bytes"):
            await body.read(1)
        await body.close()

    monkeypatch.setattr("entrepot.raw.oio.read.file_reader.SNAPSHOT_LIMIT", 1000)
    (tmp_path / "file").write_bytes(bytes(1001))
    opening = Opening(tmp_path / "file", tells_size=False)
    run(scenario())
    assert [file.closed for file in opening.files] == [True]
    (tmp_path / "file").write_bytes(bytes(1000))
    body = body_of(opening)
    assert run(body.read(WHOLE)) == bytes(1000)
    run(body.close())


@pytest.mark.parametrize("tells_size", [True, False])
def test_error_of_the_system_is_typed_and_the_same_verb_goes_on(
    run: Run, body_of: Callable[..., FileReader], tmp_path: Path, tells_size: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    async def scenario() -> None:
        body = body_of(opening)
        with monkeypatch.context() as broken:
            broken.setattr(os, "pread", fail)
            with pytest.raises(Unexpected, match="EIO"):
                await body.read(1)
        assert await body.read(5) == CONTENT[:5]
        await body.close()

    (tmp_path / "file").write_bytes(CONTENT)
    opening = Opening(tmp_path / "file", tells_size=tells_size)
    run(scenario())
    assert [file.closed for file in opening.files] == [True, True]


@pytest.mark.parametrize("looks", [1, 3], ids=["at the opening", "later"])
def test_an_error_of_the_look_for_a_change_is_typed(
    driven: tuple[Runtime, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """As of a file of NFS whose server lost it."""
    looked, fstat = list[int](), os.fstat

    def look(descriptor: int) -> os.stat_result:
        looked.append(descriptor)
        if len(looked) == 1 + looks:  # the opener of this test looks at the size
            raise OSError(116, "Stale file handle")
        return fstat(descriptor)

    async def scenario() -> None:
        body = into_read_from_file(
            driven[0], Opening(tmp_path / "file"), BytesRange(), RpRead(), cached_part=lambda *_: b"0", chunk=1
        )
        with pytest.raises(Unexpected, match="ESTALE") as raised:
            for _ in range(looks):
                await body.read(1)
        assert raised.value.is_temporary
        await body.close()

    (tmp_path / "file").write_bytes(bytes(2 * SMALL))
    monkeypatch.setattr(os, "fstat", look)
    driven[1](scenario())


def test_no_more_is_asked_at_once_than_the_system_gives(
    run: Run, body_of: Callable[..., FileReader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def pread(_: int, n: int, offset: int) -> bytes:
        asked.append((n, offset))
        return b"x"

    async def scenario() -> None:
        body = body_of(Opening(tmp_path / "sparse"), BytesRange(5))
        with monkeypatch.context() as fake:
            fake.setattr(os, "pread", pread)
            assert await body.read(WHOLE) == b"x"
            assert await body.read(1 << 33) == b"x"
        await body.close()

    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 40)
    run(scenario())
    assert asked == [(PREAD_LIMIT, 5), (PREAD_LIMIT, 6)]


def test_a_chunk_serves_the_small_reads_in_it(
    driven: tuple[Runtime, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, asked = os.urandom(2 * SMALL), list[tuple[int, int]]()
    original = os.pread

    def pread(descriptor: int, n: int, offset: int) -> bytes:
        asked.append((n, offset))
        return original(descriptor, n, offset)

    async def scenario() -> None:
        body = into_read_from_file(runtime, opening, BytesRange(10), RpRead(), chunk=100)
        monkeypatch.setattr(os, "pread", pread)
        assert [await body.read(40) for _ in range(3)] == [content[10:50], content[50:90], content[90:110]]
        await body.seek(55)
        assert await body.read(10) == content[65:75]
        await body.seek(100)
        assert [await body.read(60), await body.read(60)] == [content[110:170], content[170:210]]
        assert await body.read(500) == content[210:710]
        await body.close()

    (tmp_path / "large").write_bytes(content)
    opening, (runtime, run) = Opening(tmp_path / "large"), driven
    run(scenario())
    assert asked == [(100, 10), (100, 110), (500, 210)]
    assert [file.closed for file in opening.files] == [True]


def test_position_behind_four_gigabytes_is_read_right(
    run: Run, body_of: Callable[..., FileReader], tmp_path: Path
) -> None:
    async def scenario() -> None:
        body = body_of(Opening(tmp_path / "sparse"), BytesRange(1 << 32))
        assert await body.seek(-4, os.SEEK_END) == 1000
        assert await body.read(100) == b"tail"
        await body.close()

    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.seek((1 << 32) + 1000)
        sparse.write(b"tail")
    run(scenario())


class Gate:
    """Holds a `pread` in its thread until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered = threading.Event()
        self.may_go = threading.Event()
        self._original = os.pread
        monkeypatch.setattr(os, "pread", self._pread)

    def _pread(self, descriptor: int, n: int, offset: int) -> bytes:
        self.entered.set()
        assert self.may_go.wait(30)
        return self._original(descriptor, n, offset)

    async def wait_until_entered(self) -> None:
        while not self.entered.is_set():
            await asyncio.sleep(0.001)


async def cancel(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class TestCancelled:
    """A thread cannot be cancelled: it goes on, on a file that must stay open and be its own."""

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Opening:
        (tmp_path / "file").write_bytes(CONTENT)
        return Opening(tmp_path / "file")

    async def test_read_that_was_cancelled_can_be_made_again_at_the_same_position(
        self, opening: Opening, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = into_read_from_file(AsyncioRuntime(), opening, BytesRange(), RpRead())
        assert await body.read(10) == CONTENT[:10]
        with monkeypatch.context() as gated:
            gate = Gate(gated)
            reading = asyncio.create_task(body.read(10))
            await gate.wait_until_entered()
            await cancel(reading)
            again = asyncio.create_task(body.read(10))
            gate.may_go.set()
            assert await again == CONTENT[10:20]
        await body.close()

    async def test_file_is_closed_when_its_thread_is_done_and_not_before(
        self, opening: Opening, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = into_read_from_file(AsyncioRuntime(), opening, BytesRange(), RpRead())
        await body.read(10)
        gate = Gate(monkeypatch)
        reading = asyncio.create_task(body.read(10))
        await gate.wait_until_entered()
        await cancel(reading)
        await body.close()
        assert not opening.files[0].closed
        number = opening.files[0].fileno()
        with opening.path.open("rb") as other:
            assert other.fileno() != number
        gate.may_go.set()
        while not opening.files[0].closed:
            await asyncio.sleep(0.001)

    async def test_file_that_is_opened_after_its_caller_has_gone_is_closed(
        self, opening: Opening, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = into_read_from_file(AsyncioRuntime(), opening, BytesRange(), RpRead())
        with monkeypatch.context() as gated:
            gate = Gate(gated)
            reading = asyncio.create_task(body.read(10))
            await gate.wait_until_entered()
            await cancel(reading)
            await body.close()
            gate.may_go.set()
            while not opening.files[0].closed:
                await asyncio.sleep(0.001)
        assert len(opening.files) == 1


def test_a_small_window_that_is_read_whole_leaves_no_file_open_and_can_be_read_again(
    run: Run, opening: Opening, body_of: Callable[..., FileReader]
) -> None:
    async def scenario() -> None:
        body = body_of(opening, BytesRange(10, 90))
        assert await body.read(WHOLE) == CONTENT[10:90]
        assert opening.files[0].closed
        opening.path.write_bytes(b"what was written meanwhile")
        assert await body.seek(-10, os.SEEK_END) == 70
        assert [await body.read(4), await body.read(WHOLE), await body.read(1)] == [CONTENT[80:84], CONTENT[84:90], b""]
        await body.close()

    run(scenario())
    assert len(opening.files) == 1


def test_a_file_that_is_large_or_read_in_part_stays_open_until_the_body_is_closed(
    run: Run, tmp_path: Path, body_of: Callable[..., FileReader]
) -> None:
    async def scenario(size: int, first: int) -> None:
        (tmp_path / "file").write_bytes(bytes(size))
        opening = Opening(tmp_path / "file")
        body = body_of(opening)
        assert await body.read(first) == bytes(min(size, first))
        assert not opening.files[0].closed
        await body.close()
        assert opening.files[0].closed

    run(scenario(SMALL + 1, WHOLE))
    run(scenario(SMALL, SMALL - 1))


def test_a_body_knows_that_it_is_at_its_end_as_soon_as_all_has_come(
    run: Run, opening: Opening, body_of: Callable[..., FileReader]
) -> None:
    async def scenario() -> None:
        body = body_of(opening, BytesRange(10, 30))
        seen = [body.is_at_end]
        for n in (15, 5):
            await body.read(n)
            seen.append(body.is_at_end)
        await body.seek(0)
        assert [*seen, body.is_at_end] == [False, False, True, False]
        await body.close()

    run(scenario())


class TestAtOnce:
    """What can be had without blocking is not opened, where blocking holds up others."""

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Opening:
        (tmp_path / "file").write_bytes(CONTENT)
        return Opening(tmp_path / "file")

    @pytest.fixture
    def asked(self) -> list[int]:
        return []

    @pytest.fixture
    def at_once(self, asked: list[int]) -> Callable[[int], tuple[Metadata, bytes] | None]:
        """Has the whole window, which is the first ten bytes."""

        def attempt(most: int) -> tuple[Metadata, bytes] | None:
            asked.append(most)
            return (Metadata(content_length=len(CONTENT)), CONTENT[:10]) if most >= 10 else None

        return attempt

    async def test_the_first_read_of_all_opens_nothing(
        self, opening: Opening, asked: list[int], at_once: Callable[[int], tuple[Metadata, bytes] | None]
    ) -> None:
        reply = RpRead()
        body = into_read_from_file(AsyncioRuntime(), opening, BytesRange(0, 10), reply, at_once)
        await body.seek(4)
        assert [await body.read(WHOLE), await body.read(WHOLE), await body.seek(-1, os.SEEK_END)] == [
            CONTENT[4:10], b"", 9,
        ]  # fmt: skip
        assert (reply.metadata, asked, opening.files) == (Metadata(content_length=100), [WHOLE], [])
        await body.close()

    async def test_what_cannot_be_had_at_once_is_opened(
        self, opening: Opening, asked: list[int], at_once: Callable[[int], tuple[Metadata, bytes] | None]
    ) -> None:
        body = into_read_from_file(AsyncioRuntime(), opening, BytesRange(0, 10), RpRead(), at_once)
        assert [await body.read(4), await body.read(WHOLE)] == [CONTENT[:4], CONTENT[4:10]]
        assert (asked, len(opening.files)) == ([4], 1)
        await body.close()

    async def test_a_seek_from_the_end_opens(
        self, opening: Opening, asked: list[int], at_once: Callable[[int], tuple[Metadata, bytes] | None]
    ) -> None:
        body = into_read_from_file(AsyncioRuntime(), opening, BytesRange(0, 10), RpRead(), at_once)
        assert await body.seek(0, os.SEEK_END) == 10
        assert (asked, len(opening.files)) == ([], 1)
        await body.close()

    async def test_a_cancellation_before_it_was_tried_loses_nothing(
        self, opening: Opening, asked: list[int], at_once: Callable[[int], tuple[Metadata, bytes] | None]
    ) -> None:
        body = into_read_from_file(AsyncioRuntime(), opening, BytesRange(0, 10), RpRead(), at_once)
        reading = asyncio.ensure_future(body.read(WHOLE))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert asked == []
        assert await body.read(WHOLE) == CONTENT[:10]
        await body.close()

    def test_where_blocking_holds_up_nobody_it_is_not_tried(
        self, opening: Opening, asked: list[int], at_once: Callable[[int], tuple[Metadata, bytes] | None]
    ) -> None:
        async def scenario() -> None:
            body = into_read_from_file(inline.InlineRuntime(), opening, BytesRange(0, 10), RpRead(), at_once)
            assert await body.read(WHOLE) == CONTENT[:10]
            await body.close()

        inline.run(scenario())
        assert (asked, len(opening.files)) == ([], 1)


STEPS = st.lists(st.sampled_from(["next", "next", "next", "small", "back", "forth", "end", "cancel"]), max_size=12)
PIECE = 1000


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stream") / "file"
    path.write_bytes(os.urandom(SMALL + 20 * PIECE))
    return path


class TestStream:
    """Pieces that follow each other are read ahead, and are those that would be read on demand."""

    @pytest.fixture(autouse=True)
    def small_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stream_ahead, "SMALLEST", PIECE)

    @pytest.fixture
    def offsets(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The offset of each `pread`."""
        seen, original = list[int](), os.pread

        def pread(descriptor: int, n: int, offset: int) -> bytes:
            seen.append(offset)
            return original(descriptor, n, offset)

        monkeypatch.setattr(os, "pread", pread)
        return seen

    @settings(max_examples=60, deadline=None)
    @given(steps=STEPS, start=st.integers(0, 2000), chunk=st.sampled_from([None, PIECE]))
    def test_any_use_gives_the_bytes_of_the_window(
        self, stream: Path, steps: list[str], start: int, chunk: int | None
    ) -> None:
        async def scenario() -> None:
            opening, content = Opening(stream), stream.read_bytes()[start:-7]
            body = into_read_from_file(
                AsyncioRuntime(), opening, BytesRange(start, start + len(content)), RpRead(), chunk=chunk
            )
            position = 0
            for step in ["next", "next", "next", *steps]:
                if step == "cancel":
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0):
                            position += len(await body.read(PIECE))
                elif step in {"back", "forth", "end"}:
                    position = await body.seek(
                        {"back": -min(700, position), "forth": 700, "end": -2500}[step], 2 if step == "end" else 1
                    )
                else:
                    data = await body.read(PIECE if step == "next" else 10)
                    assert data == content[position : position + len(data)]
                    assert data or position >= len(content)
                    position += len(data)
            await body.close()
            await asyncio.get_running_loop().shutdown_default_executor()
            assert [file.closed for file in opening.files] == [True]

        asyncio.run(scenario())

    async def test_at_most_two_pieces_are_read_ahead_and_none_past_the_window(
        self, stream: Path, offsets: list[int]
    ) -> None:
        body = into_read_from_file(AsyncioRuntime(), Opening(stream), BytesRange(5, 5 + 9 * PIECE), RpRead())
        await body.read(PIECE)
        assert offsets == [5]
        for count in range(3, 6):
            await body.read(PIECE)
            while len(offsets) < count:
                await asyncio.sleep(0.001)
            await asyncio.get_running_loop().run_in_executor(None, len, "")
            assert len(offsets) <= count + 1
        assert [len(await body.read(PIECE)) for _ in range(6)] == [PIECE] * 5 + [0]
        await body.close()
        assert offsets == [5 + number * PIECE for number in range(9)]

    async def test_a_piece_that_is_there_comes_where_no_thread_can_start_the_next_one(self, stream: Path) -> None:
        in_memory, content = [True], stream.read_bytes()

        def cached_part(descriptor: int, start: int, end: int) -> bytes | None:
            return os.pread(descriptor, end - start, start) if in_memory else None

        body = into_read_from_file(AsyncioRuntime(), Opening(stream), BytesRange(), RpRead(), cached_part=cached_part)
        pieces = [await body.read(PIECE)]
        await asyncio.get_running_loop().shutdown_default_executor()
        pieces += [await body.read(PIECE) for _ in range(3)]
        assert b"".join(pieces) == content[: 4 * PIECE]
        in_memory.clear()
        with pytest.raises(RuntimeError, match="shutdown"):
            await body.read(PIECE)
        await body.close()

    @pytest.mark.parametrize("sizes", [(500, 500, 500), (PIECE, PIECE + 1, PIECE), (5 << 20, 5 << 20)])
    async def test_other_reads_are_made_on_demand(
        self, stream: Path, offsets: list[int], sizes: tuple[int, ...]
    ) -> None:
        body = into_read_from_file(AsyncioRuntime(), Opening(stream), BytesRange(), RpRead())
        await body.read(1)
        for size in sizes:
            await body.read(size)
        await body.close()
        assert len(offsets) <= 1 + len(sizes)

    async def test_a_seek_drops_what_was_read_ahead(self, stream: Path, offsets: list[int]) -> None:
        body = into_read_from_file(AsyncioRuntime(), Opening(stream), BytesRange(), RpRead())
        content = stream.read_bytes()
        for _ in range(3):
            await body.read(PIECE)
        await body.seek(10)
        assert await body.read(PIECE) == content[10 : 10 + PIECE]
        buffer = bytearray(SMALL)
        assert await body.readinto(memoryview(buffer)) == SMALL
        assert buffer == content[10 + PIECE : 10 + PIECE + SMALL]
        await body.close()
        assert offsets[-1] == 10

    async def test_a_file_that_changes_is_refused_at_the_piece_that_was_read_later(self, stream: Path) -> None:
        body = into_read_from_file(AsyncioRuntime(), Opening(stream), BytesRange(), RpRead(), chunk=PIECE)
        content = stream.read_bytes()
        pieces = [await body.read(PIECE) for _ in range(3)]
        os.utime(stream)
        with pytest.raises(ConditionNotMatch):
            for _ in range(20):
                pieces.append(await body.read(PIECE))
        assert b"".join(pieces) == content[: len(pieces) * PIECE]
        assert len(pieces) <= 5  # two are ahead at most
        with pytest.raises(ConditionNotMatch):
            await body.read(PIECE)
        await body.close()

    async def test_a_file_that_shrinks_is_incomplete(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(bytes(SMALL + 20 * PIECE))
        body = into_read_from_file(AsyncioRuntime(), Opening(path), BytesRange(), RpRead())
        await body.read(PIECE)
        os.truncate(path, 5 * PIECE + 1)
        assert [len(await body.read(PIECE)) for _ in range(5)] == [PIECE] * 4 + [1]
        with pytest.raises(ContentIncomplete, match="5001 came"):
            await body.read(PIECE)
        await body.close()

    async def test_an_error_comes_once_and_the_same_read_goes_on(
        self, stream: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original, failures = os.pread, [3 * PIECE]

        def pread(descriptor: int, n: int, offset: int) -> bytes:
            if offset in failures:
                failures.clear()
                raise OSError(5, "bad sector")
            return original(descriptor, n, offset)

        monkeypatch.setattr(os, "pread", pread)
        body = into_read_from_file(AsyncioRuntime(), Opening(stream), BytesRange(), RpRead())
        pieces = [await body.read(PIECE) for _ in range(3)]
        with pytest.raises(Unexpected):
            await body.read(PIECE)
        pieces += [await body.read(PIECE) for _ in range(2)]
        assert b"".join(pieces) == stream.read_bytes()[: 5 * PIECE]
        await body.close()

    @pytest.mark.filterwarnings("ignore:unclosed file")
    async def test_a_reader_that_is_dropped_leaves_no_file_open(self, stream: Path) -> None:
        opening = Opening(stream)
        body = into_read_from_file(AsyncioRuntime(), opening, BytesRange(), RpRead())
        for _ in range(3):
            await body.read(PIECE)
        number = opening.files.pop().fileno()
        del body
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(number)

    def test_a_stream_goes_on_on_the_next_loop(self, stream: Path) -> None:
        """The piece of a loop that was closed is read again."""

        async def read(count: int) -> list[bytes]:
            return [await body.read(PIECE) for _ in range(count)]

        body = into_read_from_file(AsyncioRuntime(), Opening(stream), BytesRange(), RpRead())
        pieces = [*asyncio.run(read(3)), *asyncio.run(read(3))]
        asyncio.run(body.close())
        assert b"".join(pieces) == stream.read_bytes()[: 6 * PIECE]
