"""Reading files: content, refusals, and the number of thread calls."""

import io
import os
import resource
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    Error,
    InvalidInput,
    IsADirectory,
    NotADirectory,
    NotFound,
    Operator,
    PermissionDenied,
    RangeNotSatisfied,
    Unexpected,
    Unsupported,
)
from entrepot.raw import Context, OpRead, OpStat, OpWrite, oio
from entrepot.raw.oio.read import file_reader
from entrepot.raw.oio.read.api import read_to_end
from entrepot.services.fs import accessor
from entrepot.services.fs.kernel.describe import describe

from .conftest import Run, descriptors

pytestmark = pytest.mark.usefixtures("confinement")

CONTENT = bytes(range(256)) * 8


@pytest.fixture
def file(root: Path) -> Path:
    path = root / "d" / "file"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


async def opened_by_first_verb(op: Operator, path: str) -> None:
    reader = await op.reader(path)
    try:
        await reader.read(1)
    finally:
        await reader.aclose()


@pytest.mark.usefixtures("file")
def test_whole_file(run: Run, op: Operator) -> None:
    assert run(op.read("d/file")) == CONTENT


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (BytesRange(0, 10), CONTENT[:10]),
        (BytesRange(100, 300), CONTENT[100:300]),
        (BytesRange(2000), CONTENT[2000:]),
        (BytesRange(2000, 9999), CONTENT[2000:]),
        (BytesRange(2048), b""),
        (BytesRange(5, 5), b""),
        (BytesRange(suffix=8), CONTENT[-8:]),
        (BytesRange(suffix=0), b""),
        (BytesRange(suffix=9999), CONTENT),
    ],
)
def test_range(run: Run, op: Operator, asked: BytesRange, expected: bytes) -> None:
    assert run(op.read("d/file", range=asked)) == expected
    assert run(op.read("d/file", range=asked, chunk=700, concurrent=3)) == expected


@pytest.mark.usefixtures("file")
def test_range_behind_the_end_is_not_satisfied(run: Run, op: Operator) -> None:
    with pytest.raises(RangeNotSatisfied) as raised:
        run(op.read("d/file", range=(2049, None)))
    assert (raised.value.scheme, raised.value.operation, raised.value.path) == ("fs", "read", "d/file")


@pytest.mark.usefixtures("file")
def test_file_of_more_bytes_than_the_system_gives_at_once_is_read_whole(
    run: Run, op: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That are 2 GiB less a page; here the system gives 100."""
    original, asked = os.pread, list[int]()

    def stingy(descriptor: int, n: int, offset: int) -> bytes:
        asked.append(offset)
        return original(descriptor, min(n, 100), offset)

    async def by_reader() -> bytes:
        async with op.reader("d/file") as reader:
            return await reader.read(2000)

    monkeypatch.setattr(os, "pread", stingy)
    monkeypatch.setattr(os, "preadv", lambda *_: 0)
    assert run(op.read("d/file")) == CONTENT
    assert asked == [0, *range(0, 2048, 100)]  # what one call does not bring is left to a reader
    assert run(by_reader()) == CONTENT[:2000]
    assert run(op.read("d/file", range=(50, 1000))) == CONTENT[50:1000]


@pytest.mark.usefixtures("file")
def test_content_is_read_at_once(run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a reader nor a second thread call is made. More than one call can return is left to a reader."""
    (root / "empty").touch()
    (root / "large").write_bytes(bytes(accessor.BUFFER + 1))
    service, before = accessor.FsAccessor(Context(), str(root)), descriptors()
    for path, part, expected, size in (
        ("d/file", BytesRange(), CONTENT, len(CONTENT)),
        ("d/file", BytesRange(suffix=10), CONTENT[-10:], len(CONTENT)),
        ("empty", BytesRange(), b"", 0),
        ("large", BytesRange(1), bytes(accessor.BUFFER), accessor.BUFFER + 1),
    ):
        read = service._read_whole(path, OpRead(range=part), describe)
        assert read is not None
        metadata, content = read
        assert (content, metadata.content_length) == (expected, size)
    with pytest.raises(RangeNotSatisfied):
        service._read_whole("d/file", OpRead(range=BytesRange(len(CONTENT) + 1)), describe)
    monkeypatch.setattr(file_reader, "PREAD_LIMIT", accessor.BUFFER)
    assert service._read_whole("large", OpRead(), describe) is None
    assert descriptors() == before
    assert len(run(op.read("large"))) == accessor.BUFFER + 1


@pytest.mark.parametrize("path", ["large", "d/large", "link"])
def test_large_file_that_is_read_whole_is_opened_once(
    run: Run, op: Operator, file: Path, root: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(accessor.BUFFER + 1)
    (root / "large").write_bytes(content)
    (root / "link").symlink_to("large")
    (file.parent / "large").write_bytes(content)
    opened: list[str] = []

    def counted(at: str, relative: str) -> int:
        opened.append(relative)
        return original(at, relative)

    original = accessor._open_number
    monkeypatch.setattr(accessor, "_open_number", counted)
    assert run(op.read(path)) == content
    assert opened == [path]


def when_looked_at(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Makes a change once, after a file was looked at and before it is opened."""
    original = accessor.check_is_regular

    def changed(attributes: os.stat_result) -> None:
        original(attributes)
        monkeypatch.setattr(accessor, "check_is_regular", original)
        change()

    monkeypatch.setattr(accessor, "check_is_regular", changed)


@pytest.mark.parametrize("path", ["name", "d/name"])
def test_file_that_becomes_a_link_while_it_is_opened_is_read_as_one(
    run: Run, op: Operator, file: Path, root: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = root / path
    name.write_bytes(b"old")

    def become_link() -> None:
        name.unlink()
        name.symlink_to(os.path.relpath(file, name.parent))

    when_looked_at(monkeypatch, become_link)
    assert run(op.read(path)) == CONTENT
    assert name.is_symlink()


def test_directory_that_becomes_a_link_while_a_file_is_opened_leads_nowhere(
    run: Run, op: Operator, file: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    (outside / "file").write_bytes(b"secret")

    def become_link() -> None:
        file.parent.rename(root / "old")
        file.parent.symlink_to(outside)

    when_looked_at(monkeypatch, become_link)
    before = descriptors()
    with pytest.raises(PermissionDenied):
        run(op.read("d/file"))
    assert file.parent.is_symlink()
    assert descriptors() == before


def test_content_is_read_without_its_metadata_unless_they_are_wanted(
    run: Run, op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "file").write_bytes(CONTENT)
    described = run(op.stat("file"))
    assert run(op.read_with_metadata("file")) == (CONTENT, described)
    with pytest.raises(ConditionNotMatch):
        run(op.read("file", if_none_match=described.etag))
    monkeypatch.setattr(accessor, "with_user_metadata", lambda *_: pytest.fail("the metadata is not wanted"))
    assert run(op.read("file")) == CONTENT


def test_special_characters_are_ordinary(run: Run, op: Operator, root: Path) -> None:
    for name in (" a b ", "!@#$%^&()_+-=;',", "back\\slash", "%2e%2e", "héé", "a\tb", "~", "-"):
        (root / name).write_bytes(name.encode())
        assert run(op.read(name)) == name.encode()


@pytest.mark.usefixtures("file")
def test_every_verb_of_a_reader(run: Run, op: Operator) -> None:
    async def scenario() -> None:
        async with op.reader("d/file", range=(10, 1000)) as reader:
            assert await reader.read(5) == CONTENT[10:15]
            assert await reader.seek(-5, os.SEEK_END) == 985
            assert await reader.read() == CONTENT[995:1000]
            assert await reader.read(1) == b""
            assert await reader.seek(2000) == 2000
            assert await reader.read(1) == b""
            with pytest.raises(InvalidInput):
                await reader.seek(-1)
            assert reader.tell() == 2000
            assert await reader.seek(1) == 1
            assert await reader.size() == 990
            assert b"".join([chunk async for chunk in reader]) == CONTENT[11:1000]

    run(scenario())


def test_a_large_file_comes_in_order_however_the_reader_changes_between_its_verbs(
    run: Run, op: Operator, root: Path
) -> None:
    """The loop reads ahead; a seek and a smaller read drop what was read, and the loop goes on from there."""
    content = os.urandom(1 << 20) * 14 + b"end"
    (root / "large").write_bytes(content)

    async def scenario() -> None:
        async with op.reader("large") as reader:
            first = [await reader.next() for _ in range(3)]
            assert b"".join(chunk or b"" for chunk in first) == content[: reader.tell()]
            assert await reader.seek(5) == 5
            assert await reader.read(10) == content[5:15]
            assert b"".join([chunk async for chunk in reader]) == content[15:]
        async with op.reader("large", range=(7, 9 << 20), chunk=1 << 20) as reader:
            assert b"".join([chunk async for chunk in reader]) == content[7 : 9 << 20]

    run(scenario())


@pytest.mark.usefixtures("file")
def test_reader_tells_what_it_found_when_it_opened(run: Run, op: Operator) -> None:
    async def scenario() -> None:
        async with op.reader("d/file", range=(0, 1)) as reader:
            await reader.read(1)
            metadata = await reader.metadata()
        assert metadata == await op.stat("d/file")

    run(scenario())


def test_bodies_have_seek_and_chunks_natively(run: Run, op: Operator, root: Path) -> None:
    (root / "file").write_bytes(bytes(5 << 20))
    service = accessor.FsAccessor(op._context, str(root))
    assert service.info.native_capability.read_can_seek
    assert service.info.native_capability.read_can_next

    async def scenario() -> None:
        _, body = await service.read("file", OpRead(range=BytesRange(1)))
        assert isinstance(body, oio.FileReader)
        sizes = [len(await body.next() or b"") for _ in range(4)]
        assert sizes == [2 << 20, 2 << 20, (1 << 20) - 1, 0]
        assert await body.next() is None
        await body.close()

    run(scenario())


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("path", "kind"),
    [("missing", NotFound), ("missing/file", NotFound), ("d/file/below", NotADirectory), ("d", IsADirectory)],
)
def test_what_cannot_be_read_says_so_at_the_first_verb(run: Run, op: Operator, path: str, kind: type[Error]) -> None:
    for call, operation in ((op.read, "read"), (lambda path: opened_by_first_verb(op, path), "reader.read")):
        with pytest.raises(kind) as raised:
            run(call(path))
        assert type(raised.value) is kind
        assert (raised.value.scheme, raised.value.operation, raised.value.path) == ("fs", operation, path)


@pytest.mark.parametrize("path", ["d/", "/", ".", "d/."])
def test_path_of_a_directory_is_refused_before_any_io(
    run: Run, op: Operator, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[object] = []
    monkeypatch.setattr(accessor, "_open_number", lambda *args: touched.append(args))
    with pytest.raises(IsADirectory) as raised:
        run(op.read(path))
    assert (raised.value.operation, raised.value.path, touched) == ("read", path, [])


def test_fifo_is_refused_and_its_writer_not_disturbed(run: Run, op: Operator, root: Path) -> None:
    os.mkfifo(root / "fifo")
    with pytest.raises(Unsupported, match="FIFO"):
        run(op.read("fifo"))
    both_ends = os.open(root / "fifo", os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(both_ends, b"for somebody else")
        with pytest.raises(Unsupported, match="FIFO") as raised:
            run(op.read("fifo"))
        assert (raised.value.operation, raised.value.path) == ("read", "fifo")
        assert os.read(both_ends, 100) == b"for somebody else"
    finally:
        os.close(both_ends)


@pytest.mark.usefixtures("cold", "file")
@pytest.mark.parametrize("name", ["file", "d/file"])
def test_fifo_that_replaces_a_file_during_the_open_does_not_block(
    run: Run, op: Operator, root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / name
    path.write_bytes(b"file")
    original = accessor.check_is_regular

    def swapped(attributes: os.stat_result) -> None:
        original(attributes)
        path.unlink()
        os.mkfifo(path)

    monkeypatch.setattr(accessor, "check_is_regular", swapped)
    run(op.stat(name))
    before = descriptors()
    with pytest.raises(Unsupported, match="FIFO"):
        run(op.read(name))
    assert descriptors() == before


def test_socket_and_device_are_refused(
    run: Run, op: Operator, op_at: Callable[[str], Operator], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(Unsupported, match="socket"):
            run(op.read("socket"))
    for device in ("null", "zero", "tty"):
        with pytest.raises(Unsupported, match="device"):
            run(op_at("/dev").read(device))


@pytest.mark.parametrize(("root", "name"), [("/dev", "zero"), ("/", "dev/zero")])
def test_device_is_not_even_opened(
    run: Run, op_at: Callable[[str], Operator], root: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    op, original, opened = op_at(root), os.open, list[object]()

    def noted(path: str, flags: int, *args: int, **directory: int) -> int:
        if not flags & os.O_DIRECTORY:
            opened.append(path)
        return original(path, flags, *args, **directory)

    monkeypatch.setattr(accessor, "open_number_beneath", lambda *args: opened.append(args))
    monkeypatch.setattr(os, "open", noted)
    with pytest.raises(Unsupported):
        run(op.read(name))
    assert opened == []


@pytest.mark.parametrize("path", ["version", "cpuinfo", "filesystems"])
def test_proc_files_read_right_although_they_say_0(run: Run, op_at: Callable[[str], Operator], path: str) -> None:
    op, expected = op_at("/proc"), Path("/proc", path).read_bytes()
    if path == "cpuinfo":
        assert len(run(op.read(path))) == len(expected) > 0  # frequencies in it change
        return
    assert run(op.read(path)) == expected
    assert run(op.read(path, range=(3, 9))) == expected[3:9]
    assert run(op.read(path, range=BytesRange(suffix=7))) == expected[-7:]

    async def scenario() -> None:
        async with op.reader(path) as reader:
            assert await reader.seek(-4, os.SEEK_END) == len(expected) - 4
            assert await reader.read() == expected[-4:]
            assert (await reader.metadata()).content_length == len(expected)

    run(scenario())


def test_proc_file_of_many_pages_reads_right(run: Run, op_at: Callable[[str], Operator]) -> None:
    """`/proc` gives a page at a time, so this takes many calls."""
    data = run(op_at("/proc").read("kallsyms"))
    assert data.count(b"\n") > 100
    assert data.endswith(b"\n")


def test_proc_link_to_this_process_is_inside(run: Run, op_at: Callable[[str], Operator]) -> None:
    assert f"Pid:\t{os.getpid()}\n".encode() in run(op_at("/proc").read("self/status"))


def test_sys_files_read_right_although_they_say_one_page(run: Run, op_at: Callable[[str], Operator]) -> None:
    op, path = op_at("/sys"), "kernel/mm/transparent_hugepage/enabled"
    if not Path("/sys", path).exists():
        pytest.skip("this kernel has no such file in /sys")
    expected = Path("/sys", path).read_bytes()
    assert Path("/sys", path).stat().st_size > len(expected)
    assert run(op.read(path)) == expected
    assert run(op.read(path, range=BytesRange(suffix=3))) == expected[-3:]
    assert run(op.stat(path)).content_length is None


def test_file_that_never_ends_and_tells_no_size_is_refused(
    run: Run, op_at: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.raw.oio.read.file_reader.SNAPSHOT_LIMIT", 1024 * 1024)
    with pytest.raises(Unsupported, match="reports no size") as raised:
        run(op_at("/proc").read("self/pagemap"))
    assert (raised.value.operation, raised.value.path) == ("read", "self/pagemap")


def test_file_that_is_replaced_is_read_on_as_it_was(run: Run, op: Operator, root: Path, file: Path) -> None:
    async def scenario() -> None:
        async with op.reader("d/file") as reader:
            assert await reader.read(10) == CONTENT[:10]
            (root / "new").write_bytes(b"n" * 5000)
            (root / "new").rename(file)
            assert await reader.read() == CONTENT[10:]
        assert await op.read("d/file") == b"n" * 5000

    run(scenario())


def test_conditions_on_the_time_are_checked_on_the_file_that_is_read(run: Run, op: Operator, file: Path) -> None:
    written = datetime(2024, 5, 6, tzinfo=UTC)
    os.utime(file, (written.timestamp(), written.timestamp()))
    earlier = written - timedelta(seconds=1)
    assert run(op.read("d/file", if_modified_since=earlier)) == CONTENT
    assert run(op.read("d/file", if_unmodified_since=written)) == CONTENT
    for failing in ({"if_modified_since": written}, {"if_unmodified_since": earlier}):
        with pytest.raises(ConditionNotMatch) as raised:
            run(op.read("d/file", **failing))  # type: ignore[arg-type]
        assert (raised.value.operation, raised.value.path) == ("read", "d/file")


@pytest.mark.parametrize("content", [CONTENT, b""])
def test_conditions_on_the_etag_are_checked_on_the_file_that_is_read(run: Run, op: Operator, content: bytes) -> None:
    etag = run(op.write("file", content)).etag
    assert etag is not None
    assert run(op.read("file", if_match=etag)) == content
    run(op.write("file", content))
    assert run(op.read("file", if_none_match=etag)) == content
    with pytest.raises(ConditionNotMatch) as raised:
        run(op.read("file", if_match=etag))
    assert (raised.value.operation, raised.value.path) == ("read", "file")


def replaced(file: Path) -> None:
    (file.parent / "new").write_bytes(bytes(file.stat().st_size))
    (file.parent / "new").rename(file)


def rewritten(file: Path) -> None:
    before = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == before:  # its clock may go by ticks of some milliseconds
        file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("change", [replaced, rewritten])
def test_file_that_changed_is_not_spliced_although_its_length_and_time_are_the_same(
    run: Run, op: Operator, file: Path, change: Callable[[Path], None]
) -> None:
    async def scenario() -> None:
        async with op.reader("d/file", chunk=4) as reader:
            assert await reader.read(4) == CONTENT[:4]
            before = file.stat()
            change(file)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
            with pytest.raises(ConditionNotMatch) as raised:
                await reader.read(4)
            assert raised.value.path == "d/file"
            with pytest.raises(ConditionNotMatch):
                await reader.fetch([(100, 104)])

    run(scenario())


def test_version_is_refused_before_any_io(run: Run, op: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[object] = []
    monkeypatch.setattr(accessor, "_open_number", lambda *args: touched.append(args))
    with pytest.raises(Unsupported) as raised:
        run(op.read("file", version="x"))
    assert (raised.value.operation, raised.value.path, touched) == ("read", "file", [])


def test_error_of_the_file_system_while_reading_is_typed(
    run: Run, op: Operator, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with op.reader("d/file") as reader:
            assert await reader.read(10) == CONTENT[:10]
            with monkeypatch.context() as broken:
                broken.setattr(os, "pread", fail)
                broken.setattr(os, "preadv", lambda *_: 0)
                with pytest.raises(Unexpected, match="EIO") as raised:
                    await reader.read(10)
            assert (raised.value.operation, raised.value.path) == ("reader.read", "d/file")
            assert str(file.parent) not in str(raised.value)
            assert reader.tell() == 10
            assert await reader.read(10) == CONTENT[10:20]

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error", str(file))

    run(scenario())


@pytest.mark.parametrize("path", ["file", "d/file"])
def test_too_many_open_files_is_temporary(run: Run, op: Operator, file: Path, root: Path, path: str) -> None:
    (root / "file").write_bytes(file.read_bytes())
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    run(op.stat(path))  # loads what it needs
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, allowed[1]))
    try:
        with pytest.raises(Unexpected, match="EMFILE") as raised:
            run(op.read(path))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    assert raised.value.is_temporary
    assert (raised.value.operation, raised.value.path) == ("read", path)
    assert run(op.read(path)) == CONTENT


class _CountingRuntime:
    """Counts the calls that a runtime makes in threads."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.calls: list[str] = []

    def window(self, size: int) -> object:
        return self._inner.window(size)  # type: ignore[attr-defined]

    async def blocking(self, call: Callable[..., object], *args: object) -> object:
        self.calls.append("blocking")
        return await self._inner.blocking(call, *args)  # type: ignore[attr-defined]

    async def try_nonblocking(self, attempt: Callable[..., object], *args: object) -> object:
        return await self._inner.try_nonblocking(attempt, *args)  # type: ignore[attr-defined]

    def call_queue(self) -> object:
        return self._inner.call_queue()  # type: ignore[attr-defined]

    async def open_file(self, opener: Callable[[], tuple[io.FileIO, object]]) -> tuple[object, object]:
        self.calls.append("open_file")
        file, learned = await self._inner.open_file(opener)  # type: ignore[attr-defined]
        return _CountingFile(file, self.calls), learned


class _CountingFile:
    def __init__(self, inner: object, calls: list[str]) -> None:
        self._inner = inner
        self._calls = calls

    async def run(self, call: Callable[..., object], *args: object) -> object:
        self._calls.append("run")
        return await self._inner.run(call, *args)  # type: ignore[attr-defined]

    async def close(self) -> None:
        await self._inner.close()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("file", "cold")
def test_small_read_and_stat_and_write_are_one_hop_each(run: Run, op: Operator, root: Path) -> None:
    counting = _CountingRuntime(op._context.runtime)
    service = accessor.FsAccessor(op._context.replace(runtime=counting), str(root))  # type: ignore[arg-type]

    async def read() -> bytes:
        _, body = await service.read("d/file", OpRead())
        data = await read_to_end(body)
        await body.close()
        return data

    assert run(read()) == CONTENT
    assert counting.calls == ["open_file"]
    counting.calls.clear()
    run(service.stat("d/file", OpStat()))
    assert counting.calls == ["blocking"]
    counting.calls.clear()

    async def write() -> None:
        _, body = await service.write("d/new", OpWrite())
        await body.write(b"one")
        await body.write(b"two")
        await body.close()

    run(write())
    assert counting.calls == ["blocking"]
    assert (root / "d" / "new").read_bytes() == b"onetwo"


@pytest.mark.usefixtures("file")
def test_opening_a_reader_does_no_io(run: Run, op: Operator, root: Path) -> None:
    counting = _CountingRuntime(op._context.runtime)
    service = accessor.FsAccessor(op._context.replace(runtime=counting), str(root))  # type: ignore[arg-type]

    async def open_seek_close() -> None:
        _, body = await service.read("missing", OpRead())
        await body.seek(10)
        await body.close()

    run(open_seek_close())
    assert counting.calls == []
