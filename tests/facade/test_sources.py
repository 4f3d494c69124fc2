"""What a write takes: buffers of any sort are bytes, files are read by blocks, the rest is refused before any I/O."""

from __future__ import annotations

import array
import asyncio
import ctypes
import io
import mmap
import tempfile
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot import InvalidInput, IsADirectory, NotFound, Operator
from entrepot.facade.sources import BLOCK
from entrepot.services import Memory
from tests.conftest import Storage

WRITABLE = pytest.mark.parametrize("storage", ["fs", "memory", "s3"], indirect=True)
LINES = b"\n" * (3 * BLOCK) + b"the end"


class Record(ctypes.Structure):
    """Numbers of two sizes, with a gap between them."""

    _fields_ = (("Order", ctypes.c_int), ("value", ctypes.c_double))


def mapped() -> mmap.mmap:
    memory = mmap.mmap(-1, 6)
    memory[:] = b"mapped"
    return memory


BUFFERS: dict[str, Callable[[], Any]] = {
    "array of ints": lambda: array.array("i", [1, 2, 3]),
    "array of doubles": lambda: array.array("d", [1.5, 2.5]),
    "empty array": lambda: array.array("d"),
    "mmap": mapped,
    "ctypes string": lambda: ctypes.create_string_buffer(b"text"),
    "ctypes ints": lambda: (ctypes.c_int * 3)(1, 2, 3),
    "ctypes ints of the other byte order": lambda: (ctypes.c_int.__ctype_be__ * 3)(1, 2, 3),
    "ctypes matrix": lambda: ((ctypes.c_int * 3) * 2)((1, 2, 3), (4, 5, 6)),
    "ctypes scalar": lambda: ctypes.c_int(5),
    "ctypes record": lambda: Record(1, 2.5),
    "no ctypes ints": ctypes.c_int * 0,
    "view of shorts": lambda: memoryview(b"abcd").cast("H"),
    "view of characters": lambda: memoryview(b"abcd").cast("c"),
    "view of two dimensions": lambda: memoryview(bytes(range(6))).cast("B", (2, 3)),
}
"""Most have a length that is not their size, or can be iterated: asked for those first they would be others."""


@pytest.mark.parametrize("name", BUFFERS)
@WRITABLE
async def test_a_buffer_is_the_bytes_of_its_memory_wherever_it_is_given(name: str, storage: Storage) -> None:
    op, buffer = storage.operator, BUFFERS[name]()
    expected = memoryview(buffer).tobytes()

    async def awaited() -> AsyncIterator[Any]:
        yield buffer
        yield buffer

    metadata = await op.write("whole", buffer)
    assert (metadata.content_length, await op.read("whole")) == (len(expected), expected)
    sources: list[Any] = [[buffer, buffer], iter([buffer, buffer]), awaited()]
    for source in sources:
        await op.write("twice", source)
        assert await op.read("twice") == expected * 2
    async with op.writer("piecewise") as writer:
        await writer.write(buffer)
        assert writer.tell() == len(expected)
    assert await op.read("piecewise") == expected
    await op.close()


@pytest.mark.parametrize("name", BUFFERS)
@WRITABLE
def test_a_buffer_is_bytes_without_await_as_well(name: str, storage: Storage) -> None:
    buffer = BUFFERS[name]()
    expected = memoryview(buffer).tobytes()
    with storage.operator.blocking() as op:
        for source in (buffer, [buffer], (one for one in [buffer])):
            op.write("a", source)
            assert op.read("a") == expected
        op.write_with("a", buffer).run()
        with op.writer("b") as writer:
            assert writer.write(buffer) == len(expected)
        assert op.read("a") == op.read("b") == expected


def released() -> memoryview:
    view = memoryview(b"gone")
    view.release()
    return view


def closed_memory() -> mmap.mmap:
    memory = mapped()
    memory.close()
    return memory


def closed_file() -> io.BytesIO:
    file = io.BytesIO(b"content")
    file.close()
    return file


REFUSED: dict[str, Callable[[], Any]] = {
    "gaps": lambda: memoryview(b"a-b-c-")[::2],
    "backwards": lambda: memoryview(b"abc")[::-1],
    "gaps between numbers": lambda: memoryview(array.array("i", range(10)))[::2],
    "references": ctypes.py_object * 2,
    "released memory": released,
    "closed memory": closed_memory,
    "mapping": lambda: {b"key": b"value"},
    "keys": {b"key": b"value"}.keys,
    "set": lambda: {b"a", b"b"},
    "frozen set": lambda: frozenset([b"a"]),
    "text": lambda: "text",
    "text in memory": lambda: io.StringIO("text"),
    "closed file": closed_file,
    "number": lambda: 5,
    "nothing": lambda: None,
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_stored_is_refused_before_a_body_is_opened(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    op, opened = Operator(Memory()), list[str]()
    write = op._accessor.write

    async def noting(path: str, args: Any) -> Any:
        opened.append(path)
        return await write(path, args)

    monkeypatch.setattr(op._accessor, "write", noting, raising=True)
    with pytest.raises(InvalidInput) as caught:
        await op.write("p", REFUSED[name]())
    assert (caught.value.scheme, caught.value.operation, caught.value.path) == ("memory", "write", "p")
    assert opened == []


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("storage", ["fs", "s3"], indirect=True)
def test_the_same_is_refused_without_await(name: str, storage: Storage) -> None:
    with storage.operator.blocking() as op:
        with pytest.raises(InvalidInput) as caught:
            op.write("p", REFUSED[name]())
        assert (caught.value.scheme, caught.value.operation, caught.value.path) == (storage.scheme, "write", "p")
        assert not op.exists("p")


class Noting(io.BytesIO):
    """A file that notes how it is read."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.sizes = set[int | None]()
        self.threads = set[int]()

    def read(self, n: int | None = -1) -> bytes:
        self.sizes.add(n)
        self.threads.add(threading.get_ident())
        return super().read(n)

    def readline(self, n: int | None = -1) -> bytes:
        raise AssertionError("it is read by lines")

    __next__ = readline  # type: ignore[assignment]


class Awaited:
    """A file whose `read` is awaited, and which is iterated by lines, as those of aiofiles."""

    def __init__(self, content: bytes) -> None:
        self._file = Noting(content)

    async def read(self, n: int = -1) -> bytes:
        await asyncio.sleep(0)
        return self._file.read(n)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("it is read by lines")
        yield b""


class Promising:
    """A file whose `read` is a plain function that returns an awaitable."""

    def __init__(self, content: bytes) -> None:
        self._file = Awaited(content)

    def read(self, n: int) -> Any:
        return self._file.read(n)


async def test_a_file_is_read_by_blocks_in_a_thread_and_stays_open() -> None:
    op, file = Operator(Memory()), Noting(b"before" + LINES)
    file.seek(6)
    await op.write("p", file)
    assert await op.read("p") == LINES, "from its position on"
    assert file.sizes == {BLOCK}
    assert threading.get_ident() not in file.threads
    assert not file.closed


@pytest.mark.parametrize("kind", [Awaited, Promising])
async def test_a_file_whose_read_is_awaited_is_read_by_blocks(kind: Callable[[bytes], Any]) -> None:
    op = Operator(Memory())
    await op.write("p", kind(LINES))
    assert await op.read("p") == LINES


async def test_files_of_the_standard_library_are_sources(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LINES)
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("file", LINES)
    op = Operator(Memory())
    stream = asyncio.StreamReader()
    stream.feed_data(LINES)
    stream.feed_eof()
    await op.write("p", stream)
    assert await op.read("p") == LINES
    with (
        (tmp_path / "file").open("rb") as buffered,
        (tmp_path / "file").open("rb", buffering=0) as raw,
        zipfile.ZipFile(tmp_path / "zip") as archive,
        archive.open("file") as member,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        spooled.write(LINES)
        spooled.seek(0)
        for file in (buffered, raw, member, spooled):
            await op.write("p", file)  # type: ignore[arg-type]
            assert await op.read("p") == LINES


async def test_a_path_is_the_file_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LINES)
    op = Operator(Memory())
    assert (await op.write("p", tmp_path / "file")).content_length == len(LINES)
    assert await op.read("p") == LINES
    op.blocking().write("p", tmp_path / "file", append=True)
    assert await op.read("p") == LINES * 2


@pytest.mark.parametrize(("name", "kind"), [("missing", NotFound), ("", IsADirectory)])
async def test_a_path_that_cannot_be_read_is_named_beside_the_object(tmp_path: Path, name: str, kind: Any) -> None:
    op = Operator(Memory())
    with pytest.raises(kind) as caught:
        await op.write("p", tmp_path / name)
    assert (caught.value.operation, caught.value.path) == ("write", "p")
    assert caught.value.context["source"] == str(tmp_path / name)
    assert not await op.exists("p")


async def test_a_file_that_gives_text_or_cannot_be_read_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    op = Operator(Memory())

    class Wrapped:
        """As the wrappers of `tempfile` and aiofiles: text that cannot be told from its type."""

        def __init__(self, text: str) -> None:
            self.read = io.StringIO(text).read

    with (tmp_path / "text").open() as text, (tmp_path / "new").open("wb") as written:
        files: list[Any] = [Wrapped("text"), Wrapped(""), text, written]
        for file in files:
            with pytest.raises(InvalidInput, match=r"binary mode|not open for reading") as caught:
                await op.write("p", file)
            assert (caught.value.operation, caught.value.path) == ("write", "p")
            assert not await op.exists("p")


async def test_what_a_file_raises_reaches_the_caller_and_nothing_is_stored() -> None:
    class Torn(io.BytesIO):
        def read(self, n: int | None = -1) -> bytes:
            raise OSError("the disk is gone")

    op = Operator(Memory())
    with pytest.raises(OSError, match="the disk is gone"):
        await op.write("p", Torn())
    assert not await op.exists("p")


async def test_a_cancelled_write_ends_when_the_thread_has_left_the_file() -> None:
    class Slow(io.RawIOBase):
        """A file of a slow disk."""

        def __init__(self) -> None:
            self.has_begun = threading.Event()
            self.may_go_on = threading.Event()
            self.is_left = False

        def read(self, n: int = -1) -> bytes:
            self.has_begun.set()
            self.may_go_on.wait(30)
            self.is_left = True
            return b""

    op, file = Operator(Memory()), Slow()
    writing = asyncio.ensure_future(op.write("p", file))
    while not file.has_begun.is_set():
        await asyncio.sleep(0.001)
    writing.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not writing.done(), "the caller would close the file under the thread"
    file.may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert file.is_left
    assert not await op.exists("p")


async def test_a_reader_is_taken_by_the_chunks_of_its_storage() -> None:
    op = Operator(Memory())
    await op.write("a", bytes(1000))
    async with op.reader("a", chunk=300) as reader:
        await op.write("b", reader)
    assert await op.read("b") == bytes(1000)


@pytest.mark.parametrize("storage", ["fs", "s3"], indirect=True)
class TestWithoutAwait:
    def test_a_file_is_read_by_blocks_in_the_thread_that_calls(self, storage: Storage) -> None:
        with storage.operator.blocking() as op:
            file = Noting(LINES)
            op.write("p", file)
            assert op.read("p") == LINES
            assert (file.sizes, file.threads, file.closed) == ({BLOCK}, {threading.get_ident()}, False)
            with op.reader("p") as reader:
                op.write("q", reader)
            assert op.read("q") == LINES

    def test_a_file_whose_read_is_awaited_is_refused(self, storage: Storage) -> None:
        with storage.operator.blocking() as op:
            with pytest.raises(InvalidInput, match="needs an async Operator") as caught:
                op.write("p", Awaited(LINES))  # type: ignore[arg-type]
            assert (caught.value.operation, caught.value.path) == ("write", "p")
            assert not op.exists("p")


def test_a_generator_of_blocks_is_not_a_file() -> None:
    def generated() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    op = Operator(Memory()).blocking()
    op.write("p", generated())
    assert op.read("p") == b"ab"
