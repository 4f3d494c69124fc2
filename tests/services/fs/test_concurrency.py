"""Threads, loops, forks and cancellations over one operator."""

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from entrepot import Operator, Timeout
from entrepot.layers import TimeoutLayer
from entrepot.raw import Context, OpWrite
from entrepot.raw.runtime import inline
from entrepot.services import Fs
from entrepot.services.fs import writer
from entrepot.services.fs.accessor import FsAccessor

from .conftest import descriptors, names_in

SIZE = 200_000


def content(number: int) -> bytes:
    return bytes([number]) * SIZE


@pytest.fixture
def files(root: Path) -> list[str]:
    for number in range(8):
        (root / str(number)).write_bytes(content(number))
    return [str(number) for number in range(8)]


@pytest.fixture
def op(root: Path) -> Operator:
    return Operator(Fs(str(root)))


async def test_tasks_at_once(op: Operator, files: list[str]) -> None:
    read = await asyncio.gather(*(op.read(name) for name in files * 10))
    assert all(data == content(number % 8) for number, data in enumerate(read))


def test_threads_at_once_with_loops_of_their_own_and_without(root: Path, op: Operator, files: list[str]) -> None:
    loopless = Operator(Fs(str(root)), context=Context(runtime=inline.InlineRuntime()))
    wrong: list[str] = []

    def check(read: Any) -> None:
        wrong.extend(name for name in files * 20 if read(name) != content(int(name)))

    threads = [threading.Thread(target=check, args=(lambda name: asyncio.run(op.read(name)),)) for _ in range(2)]
    threads += [threading.Thread(target=check, args=(lambda name: inline.run(loopless.read(name)),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_operator_pickles(op: Operator, files: list[str]) -> None:
    copy = pickle.loads(pickle.dumps(op))
    assert asyncio.run(copy.read(files[3])) == content(3)


async def test_readers_cancelled_a_hundred_times_leave_no_descriptor(op: Operator, files: list[str]) -> None:
    await op.read(files[0])
    before = descriptors()
    outcomes: set[type] = set()
    for number in range(100):
        reading = asyncio.create_task(op.read(files[number % 8]))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        if number % 2:
            await asyncio.sleep(0.0003)
        reading.cancel()
        outcomes |= {type(one) for one in await asyncio.gather(reading, return_exceptions=True)}
    assert asyncio.CancelledError in outcomes
    while descriptors() > before:  # an abandoned thread closes its file when it is done
        await asyncio.sleep(0.001)
    assert await op.read(files[5]) == content(5)


@pytest.mark.usefixtures("cold")
async def test_thread_whose_caller_has_gone_reads_its_own_file_although_others_are_opened(
    op: Operator, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its file were closed during the read, the next file to be opened would get its number, and be read."""
    entered, may_go = threading.Event(), threading.Event()
    original, late = os.pread, list[bytes]()

    def held_once(descriptor: int, n: int, offset: int) -> bytes:
        if entered.is_set():
            return original(descriptor, n, offset)
        entered.set()
        assert may_go.wait(30)
        late.append(original(descriptor, n, offset))
        return late[0]

    reader = await op.reader(files[1])
    assert await reader.read(10) == content(1)[:10]
    monkeypatch.setattr(os, "pread", held_once)
    reading = asyncio.create_task(reader.read(100))
    while not entered.is_set():
        await asyncio.sleep(0.001)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await reader.aclose()
    async with op.reader(files[2]) as second, op.reader(files[3]) as third:
        assert await second.read(10) + await third.read(10) == content(2)[:10] + content(3)[:10]
        may_go.set()
        while not late:
            await asyncio.sleep(0.001)
    assert late == [content(1)[10:110]]


@pytest.mark.usefixtures("cold")
@pytest.mark.parametrize("options", [{}, {"chunk": 1000, "concurrent": 3}])
async def test_reading_that_took_too_long_is_left_while_its_threads_still_hang(
    op: Operator, files: list[str], options: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    await op.read(files[1])
    before, entered, may_go, ended = descriptors(), threading.Event(), threading.Event(), list[int]()
    original = os.pread

    def hang(descriptor: int, n: int, offset: int) -> bytes:
        entered.set()
        assert may_go.wait(30)
        ended.append(descriptor)
        return original(descriptor, n, offset)

    monkeypatch.setattr(os, "pread", hang)
    async with op.reader(files[1], **options) as reader:  # type: ignore[arg-type]
        reading = asyncio.ensure_future(reader.read(3000))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert ended == []
    may_go.set()
    while descriptors() > before:
        await asyncio.sleep(0.001)
    assert ended != []


async def test_a_small_write_that_took_too_long_is_left_while_its_thread_still_hangs(
    op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, may_go, ended, original = descriptors(), threading.Event(), list[int](), os.pwrite

    def hang(descriptor: int, data: memoryview, offset: int) -> int:
        may_go.wait(5)
        ended.append(descriptor)
        return original(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", hang)
    monkeypatch.setattr(writer, "_PATIENCE", 0.01)
    with pytest.raises(Timeout):
        await op.layer(TimeoutLayer(timeout=0.01, io_timeout=0.01)).write("late", b"late")
    assert ended == []
    may_go.set()
    while descriptors() > before:
        await asyncio.sleep(0.001)
    assert (len(ended), names_in(root)) == (1, [])


async def test_leaving_a_stream_early_leaves_no_descriptor(op: Operator, files: list[str]) -> None:
    await op.read(files[0])
    before = descriptors()
    for _ in range(10):
        stream = aiter(await op.reader(files[2]))
        assert set(await anext(stream)) == {2}
        await stream.aclose()  # type: ignore[attr-defined]
    assert descriptors() == before


_FORK_IN_LOOP = """
import asyncio, os, sys
from entrepot import Operator
from entrepot.services import Fs

op, how = Operator(Fs(sys.argv[1])), sys.argv[2]

async def main():
    async with op.reader("2") as reader:
        first = await reader.read(10)
        child = os.fork()
        if child == 0 and how == "drops":
            del reader
            os._exit(0)
        if child == 0 and how == "closes":
            await reader.aclose()
            os._exit(0)
        if child == 0 and how == "reads":
            from entrepot.raw import Context
            from entrepot.raw.runtime import inline
            other = Operator(Fs(sys.argv[1]), context=Context(runtime=inline.InlineRuntime()))
            os._exit(0 if inline.run(other.read("3")) == bytes([3]) * 200_000 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert first + await reader.read() == bytes([2]) * 200_000
    assert await op.read("4") == bytes([4]) * 200_000

asyncio.run(main())
child = os.fork()
if child == 0:
    assert asyncio.run(op.read("5")) == bytes([5]) * 200_000
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert asyncio.run(op.read("6")) == bytes([6]) * 200_000
print("parent read on")
"""


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("how", ["drops", "closes", "reads"])
def test_parent_reads_on_after_a_forked_child(root: Path, how: str) -> None:
    """In a separate process, because this one has threads."""
    shown = subprocess.run(
        [sys.executable, "-W", "error", "-c", _FORK_IN_LOOP, str(root), how],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (shown.stdout, shown.stderr, shown.returncode) == ("parent read on\n", "", 0)


class TestCancelledWriter:
    """The thread that writes goes on after its caller was cancelled. It must not publish after `abort`."""

    @pytest.fixture
    def held(self, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
        entered, may_go = threading.Event(), threading.Event()
        original = writer.write_all

        def held_write(descriptor: int, data: bytes, offset: int) -> None:
            entered.set()
            assert may_go.wait(30)
            original(descriptor, data, offset)

        monkeypatch.setattr(writer, "write_all", held_write)
        return entered, may_go

    async def test_abort_returns_when_nothing_is_left_and_nothing_can_come(
        self, op: Operator, root: Path, held: tuple[threading.Event, threading.Event]
    ) -> None:
        (root / "file").write_bytes(b"old")
        entered, may_go = held
        _, body = await FsAccessor(op._context, str(root)).write("file", OpWrite())
        await body.write(b"new")
        closing = asyncio.create_task(body.close())
        while not entered.is_set():
            await asyncio.sleep(0.001)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert len([name for name in names_in(root) if name.endswith(".tmp")]) == 1
        aborting = asyncio.create_task(body.abort())
        await asyncio.sleep(0.01)
        assert not aborting.done()
        may_go.set()
        await aborting
        assert names_in(root) == ["file"]
        assert (root / "file").read_bytes() == b"old"

    async def test_operator_that_is_cancelled_while_it_writes_leaves_what_was_there(
        self, op: Operator, root: Path, held: tuple[threading.Event, threading.Event]
    ) -> None:
        (root / "file").write_bytes(b"old")
        entered, may_go = held
        await op.stat("file")
        before = descriptors()
        writing = asyncio.create_task(op.write("file", b"new"))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        writing.cancel()
        await asyncio.sleep(0.01)
        assert not writing.done()
        may_go.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert names_in(root) == ["file"]
        assert (root / "file").read_bytes() == b"old"
        assert descriptors() == before

    async def test_close_that_is_made_again_after_a_cancelled_one_publishes_once(
        self, op: Operator, root: Path, held: tuple[threading.Event, threading.Event]
    ) -> None:
        entered, may_go = held
        _, body = await FsAccessor(op._context, str(root)).write("file", OpWrite())
        await body.write(b"new")
        closing = asyncio.create_task(body.close())
        while not entered.is_set():
            await asyncio.sleep(0.001)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        may_go.set()
        assert (await body.close()).content_length == 3
        assert names_in(root) == ["file"]
        assert (root / "file").read_bytes() == b"new"


_APPENDER = """
import asyncio, sys
from entrepot import Operator
from entrepot.services import Fs

async def main():
    op, name = Operator(Fs(sys.argv[1])), sys.argv[2]
    def lines(task):
        return (f"{name}{task}-{number:03}:".encode() + name.encode() * 9_000 + b"\\n" for number in range(40))
    async def append(task):
        for line in lines(task):
            await op.write("log", line, append=True)
    await asyncio.gather(append(0), append(1))

asyncio.run(main())
"""


def test_lines_of_two_processes_with_two_tasks_each_never_mix_and_none_is_lost(root: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", _APPENDER, str(root), name]) for name in "ab"]
    assert [process.wait(50) for process in processes] == [0, 0]
    lines = (root / "log").read_bytes().splitlines()
    counted = Counter(line.partition(b":")[0] for line in lines)
    assert counted == {f"{name}{task}-{n:03}".encode(): 1 for name in "ab" for task in range(2) for n in range(40)}
    assert all(line.partition(b":")[2] == line[:1] * 9_000 for line in lines)
