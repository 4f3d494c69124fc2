"""Listing directories: each entry once, whatever happens during the walk."""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot import EntryMode, Error, NotADirectory, Operator, PermissionDenied, Unexpected
from entrepot.raw import Context, OpList
from entrepot.raw.temporary_names import new_temporary_name
from entrepot.services import Fs
from entrepot.services.fs import lister
from entrepot.services.fs.accessor import FsAccessor
from entrepot.services.fs.kernel import attributes, blocks, handles, many_files
from entrepot.types import Entry, Metadata

from .conftest import Run, descriptors

pytestmark = pytest.mark.usefixtures("confinement")


@pytest.fixture
def tree(root: Path) -> list[str]:
    """A tree, and its paths but for the root."""
    for path in ("a/b/c/deep", "a/b/file", "a/file", "file", "z/file"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())
    (root / "empty").mkdir()
    return sorted(["a/", "a/b/", "a/b/c/", "a/b/c/deep", "a/b/file", "a/file", "empty/", "file", "z/", "z/file"])


@pytest.fixture
def service(op: Operator, root: Path) -> FsAccessor:
    return FsAccessor(op._context, str(root))


def paths(entries: list[Entry]) -> list[str]:
    listed = [entry.path for entry in entries]
    assert len(listed) == len(set(listed))
    return sorted(listed)


def test_level_is_the_directory_and_what_lies_in_it(run: Run, op: Operator, tree: list[str]) -> None:
    assert paths(run(op.list("/"))) == ["/", "a/", "empty/", "file", "z/"]
    assert paths(run(op.list("a/"))) == ["a/", "a/b/", "a/file"]
    assert paths(run(op.list("empty/"))) == ["empty/"]
    assert run(op.list("a/"))[0].path == "a/"


@pytest.mark.parametrize("limit", [1, 2, 3, 1000, None])
def test_all_beneath_is_given_once_whatever_the_size_of_a_page(
    run: Run, op: Operator, tree: list[str], limit: int | None
) -> None:
    assert paths(run(op.list("/", recursive=True, limit=limit))) == ["/", *tree]
    beneath = [path for path in tree if path.startswith("a/")]
    assert paths(run(op.list("a/", recursive=True, limit=limit))) == beneath


def test_pages_have_as_many_entries_as_asked_and_the_end_stays(run: Run, service: FsAccessor, tree: list[str]) -> None:
    async def scenario() -> list[int]:
        _, body = await service.list("/", OpList(recursive=True, limit=4))
        sizes = []
        while (page := await body.next()) is not None:
            sizes.append(len(page))
        assert await body.next() is None
        await body.close()
        return sizes

    assert run(scenario()) == [4, 4, 3]


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("path", ["missing/", "file/", "file/below/", "a/file/", "missing", "link/"])
def test_what_is_no_directory_is_an_empty_listing(
    run: Run, op: Operator, root: Path, tree: list[str], path: str, recursive: bool
) -> None:
    (root / "link").symlink_to("nowhere")
    assert run(op.list(path, recursive=recursive)) == []


def test_missing_root_is_empty_and_one_that_is_a_file_is_an_error(
    run: Run, op_at: Callable[[object], Operator], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert [entry.path for entry in run(op_at(tmp_path / "missing").list("/"))] == ["/"]
    with pytest.raises(NotADirectory, match="root") as raised:
        run(op_at(tmp_path / "file").list("/"))
    assert raised.value.operation == "list"


def test_path_without_a_slash_is_a_prefix(run: Run, op: Operator, root: Path, tree: list[str]) -> None:
    (root / "ab").touch()
    assert paths(run(op.list("a"))) == ["a/", "ab"]
    assert paths(run(op.list("a/f"))) == ["a/file"]
    assert paths(run(op.list("a", recursive=True))) == [*(path for path in tree if path.startswith("a")), "ab"]


def test_entries_tell_what_stat_tells(run: Run, op: Operator, tree: list[str]) -> None:
    for entry in run(op.list("/", recursive=True)):
        if entry.path != "/":
            assert entry.metadata == run(op.stat(entry.path))
            assert entry.metadata.last_modified is not None


def test_other_things_are_of_unknown_mode(run: Run, op: Operator, root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "dangling").symlink_to("missing")
    (root / "outside").symlink_to("../secret")
    (root / "absolute").symlink_to("/etc")
    (root / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(root)  # its address may have 107 bytes only
        try:
            listening.bind("socket")
        finally:
            os.chdir(here)
        entries = {entry.path: entry.metadata for entry in run(op.list("/", recursive=True))}
    del entries["/"]
    assert sorted(entries) == ["absolute", "dangling", "fifo", "loop", "outside", "socket"]
    assert all((one.mode, one.content_length) == (EntryMode.UNKNOWN, None) for one in entries.values())


def test_links_are_told_as_what_they_lead_to_and_not_entered(run: Run, op: Operator, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "file").write_bytes(b"12345")
    (root / "to-file").symlink_to("d/file")
    (root / "to-dir").symlink_to("d")
    (root / "d" / "round").symlink_to("..")
    entries = {entry.path: entry.metadata for entry in run(op.list("/", recursive=True))}
    assert sorted(entries) == ["/", "d/", "d/file", "d/round/", "to-dir/", "to-file"]
    assert entries["to-file"].content_length == 5
    assert entries["to-dir/"].is_dir
    assert paths(run(op.list("to-dir/"))) == ["to-dir/", "to-dir/file", "to-dir/round/"]


def test_link_that_leaves_the_root_is_not_listed_through(run: Run, op: Operator, root: Path) -> None:
    (root / "out").symlink_to("../outside")
    with pytest.raises(PermissionDenied) as raised:
        run(op.list("out/"))
    assert (raised.value.operation, raised.value.path) == ("list", "out/")


def test_names_that_no_path_can_have_are_left_out_and_counted_once(
    run: Run, op: Operator, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "d").mkdir()
    for name in (b"\xff", b"line\nbreak", b"d/return\r", "héé\u2028 ".encode(), b"back\\slash"):
        (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).touch()
    with caplog.at_level(logging.WARNING, "entrepot"):
        assert paths(run(op.list("/", recursive=True))) == ["/", "back\\slash", "d/", "héé\u2028 "]
    assert [record.getMessage().partition(":")[2][:8] for record in caplog.records] == [" 3 names"]


def test_files_without_a_size_have_none(run: Run, op_at: Callable[[object], Operator]) -> None:
    entries = {entry.path: entry.metadata for entry in run(op_at("/proc").list("self/"))}
    assert entries["self/status"].is_file
    assert entries["self/status"].content_length is None


def test_deep_tree_is_listed_with_few_files_open(run: Run, op: Operator, root: Path) -> None:
    deep = "/".join(["d"] * 400)
    (root / deep).mkdir(parents=True)
    (root / deep / "file").touch()
    seen: list[int] = []

    async def scenario() -> list[Entry]:
        entries: list[Entry] = []
        _, body = await op._accessor.list("/", OpList(recursive=True, limit=10))  # a lister would fetch meanwhile
        while page := await body.next():
            entries += page
            seen.append(descriptors())
        await body.close()
        return entries

    before = descriptors()
    assert len(run(scenario())) == 402
    assert max(seen) - before < 3 * lister._OPEN_LEVELS


def test_directory_of_many_files_is_not_held_in_memory(run: Run, service: FsAccessor, root: Path) -> None:
    for number in range(2500):
        (root / str(number)).touch()

    async def scenario() -> list[str]:
        found, held = [], []
        _, body = await service.list("/", OpList())
        while (page := await body.next()) is not None:
            found += [entry.path for entry in page]
            held.append(len(body._walk._page or ()) + len(body._walk._entries))
        assert max(held) == 1000
        await body.close()
        return found

    assert len(run(scenario())) == 2501


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_listing_that_is_left_early_leaves_nothing_open(run: Run, op: Operator, tree: list[str], taken: int) -> None:
    async def scenario() -> None:
        await op.stat("/file")
        before = descriptors()
        async with op.lister("/", recursive=True, limit=1) as listing:
            for _ in range(taken):
                await listing.next()
        for _ in range(500):
            if descriptors() == before:
                break
            await op._context.runtime.sleep(0.01)  # a thread that still fills a page closes what it opened
        assert descriptors() == before

    run(scenario())


@pytest.fixture
def forbidding(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Lets one directory answer with an error when it is opened. Modes would not do: root may read all."""

    def forbid(directory: str, code: int) -> None:
        original = lister.open_beneath

        def opened(root: int, path: str, flags: int) -> int:
            if path == directory:
                raise OSError(code, os.strerror(code))
            return original(root, path, flags)

        monkeypatch.setattr(lister, "open_beneath", opened)

    return forbid


@pytest.mark.parametrize(
    ("code", "warned"),
    [(errno.EACCES, True), (errno.EPERM, True), (errno.ENAMETOOLONG, True), (errno.ENOENT, False),
     (errno.ENOTDIR, False), (errno.ELOOP, False)],
)  # fmt: skip
def test_directory_that_cannot_be_entered_is_passed_over(
    run: Run, op: Operator, tree: list[str], forbidding: Callable[[str, int], None], code: int, warned: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    forbidding("a/b", code)
    with caplog.at_level(logging.WARNING, "entrepot"):
        listed = paths(run(op.list("/", recursive=True)))
    assert listed == ["/", *(path for path in tree if not path.startswith("a/b/") or path == "a/b/")]
    assert [record.name for record in caplog.records] == ["entrepot.listing"] * warned
    assert all("'a/b/'" in record.getMessage() for record in caplog.records)


def test_listing_of_a_directory_that_may_not_be_entered_is_refused(
    run: Run, op: Operator, tree: list[str], forbidding: Callable[[str, int], None]
) -> None:
    forbidding("a", errno.EACCES)
    for recursive in (False, True):
        with pytest.raises(PermissionDenied) as raised:
            run(op.list("a/", recursive=recursive))
        assert (raised.value.operation, raised.value.path) == ("list", "a/")


def test_directory_that_shows_names_and_no_more_is_passed_over_but_at_the_top(
    run: Run, op: Operator, tree: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden(level: lister._Level, *_: object) -> None:
        if level.prefix == "a/b/":
            raise PermissionError(errno.EACCES, "no search permission")
        return original(level, *_)

    original = lister._Level._entry_of
    monkeypatch.setattr(lister._Level, "_entry_of", forbidden)
    assert "a/b/" in paths(run(op.list("a/", recursive=True)))
    assert "a/b/" in caplog.text
    with pytest.raises(PermissionDenied):
        run(op.list("a/b/"))


@pytest.mark.parametrize("at", ["open", "scan", "look"])
@pytest.mark.parametrize("open_levels", [lister._OPEN_LEVELS, 0])
def test_after_an_error_that_passes_nothing_is_lost_and_nothing_twice(
    run: Run, service: FsAccessor, tree: list[str], at: str, open_levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lister, "_OPEN_LEVELS", open_levels)
    failures = iter([True, False, False, True, False, True, True, False])

    def sometimes(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            if next(failures, False):
                raise OSError(errno.EMFILE, "too many")
            return original(*args)

        return call

    if at == "open":
        monkeypatch.setattr(lister, "_open", sometimes(lister._open))
    elif at == "look":
        monkeypatch.setattr(lister._Level, "_entry_of", sometimes(lister._Level._entry_of))
    else:
        monkeypatch.setattr(lister, "describe", sometimes(lister.describe))

    async def scenario() -> list[Entry]:
        entries: list[Entry] = []
        _, body = await service.list("/", OpList(recursive=True, limit=2))
        while True:
            try:
                page = await body.next()
            except Error as error:
                assert error.is_temporary
                continue
            if page is None:
                await body.close()
                return entries
            entries += page

    assert paths(run(scenario())) == ["/", *tree]


def fails_first(call: Callable[..., int]) -> Callable[..., int]:
    """The call of an overlay, which has no handles but those with AT_HANDLE_FID."""
    fid = 0x200

    def called(directory: int, name: bytes, handle: Any, mount: Any, flags: int) -> int:
        return call(directory, name, handle, mount, flags & ~fid) if flags & fid else -1

    return called


@pytest.mark.parametrize("kind", ["handles", "other numbers", "none", "overlay", "no statx"])
def test_files_that_are_looked_at_together_are_described_as_each_by_itself(
    run: Run, op: Operator, root: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "none":
        monkeypatch.setattr(handles, "_call", lambda *_: -1)
        monkeypatch.setattr(attributes, "_LONGEST_TICK", 1 << 62)  # no etag becomes strong between the two ways to look
    if kind == "other numbers":
        monkeypatch.setattr(handles, "_have_numbers", lambda *_: False)
    if kind == "no statx":
        monkeypatch.setattr(many_files, "_call", many_files._no_call)
    if kind == "overlay":
        monkeypatch.setattr(handles, "_call", fails_first(handles._call))
        some = root / "a"
        some.touch()
        assert handles.handle_at(-100, str(some), some.stat().st_ino) is None
        monkeypatch.setattr(handles, "_OVERLAY", handles._free[-1].handle[1])
    for number in range(2 * blocks.AT_ONCE):
        (root / f"f{number}").write_bytes(bytes(number % 3))
        if not number % 100:
            (root / f"d{number}").mkdir()
            (root / f"l{number}").symlink_to(f"f{number}")
            (root / f"\u00e9{number}").write_bytes(b"a")
            (root / new_temporary_name()).touch()
    listed = {entry.path: entry.metadata for entry in run(op.list("/")) if entry.is_file}
    assert len(listed) == 2 * blocks.AT_ONCE + 12 + (kind == "overlay")

    async def stats() -> dict[str, Metadata]:
        return {path: await op.stat(path) for path in listed}

    assert listed == run(stats())
    is_weak = [metadata.has_weak_etag for metadata in listed.values()]
    assert all(is_weak) if kind == "none" else not any(is_weak)


def test_listing_by_a_signal_handler_leaves_the_interrupted_one_as_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("inner", 2), ("outer", 1)):
        (root / name).mkdir()
        for number in range(9):
            (root / name / f"f{number}").write_bytes(bytes(size))
    op = Operator(Fs(root=str(root))).blocking()
    original, expected = many_files._attributes_in, op.list("outer/")
    previous = signal.signal(signal.SIGUSR1, lambda *_: op.list("inner/"))

    def interrupted(block: memoryview) -> object:
        monkeypatch.setattr(many_files, "_attributes_in", original)
        signal.raise_signal(signal.SIGUSR1)
        return original(block)

    monkeypatch.setattr(many_files, "_attributes_in", interrupted)
    try:
        assert op.list("outer/") == expected
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert many_files._attributes_in is original  # it was interrupted


def test_a_handle_made_by_a_signal_handler_leaves_the_interrupted_one_as_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, outer = root / "inner", root / "outer"
    for file in (inner, outer):
        file.touch()
    descriptor, other = os.open(outer, os.O_RDONLY), os.open(inner, os.O_RDONLY)
    call, inode = handles._call, outer.stat().st_ino
    mount = handles.mount_of(descriptor)
    if mount is None:
        pytest.skip("the file system has no handles")

    def made() -> list[object]:
        return [handles.handle_at(-100, str(outer), inode), handles.handle_in_mount(mount, descriptor)]

    def handler(*_: object) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(handles, "_call", call)
            assert handles.handle_at(-100, str(inner), inner.stat().st_ino) is not None
            assert handles.handle_in_mount(mount, other) is not None

    def interrupted(*args: Any) -> int:
        result: int = call(*args)
        signal.raise_signal(signal.SIGUSR1)
        return result

    expected = made()
    previous = signal.signal(signal.SIGUSR1, handler)
    monkeypatch.setattr(handles, "_call", interrupted)
    try:
        assert made() == expected
    finally:
        signal.signal(signal.SIGUSR1, previous)
        os.close(descriptor)
        os.close(other)
    assert None not in expected


def test_handles_are_made_together_after_those_of_a_file_system_with_shorter_ones(
    op: Operator, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "file").touch()
    files = op.blocking()
    expected = files.list("/")
    handles._blocks._free[-1].view[:4] = (4).to_bytes(4, sys.byteorder)  # the length of the last handle
    monkeypatch.setattr(handles, "handle_at", lambda *_: pytest.fail("a file is looked at by itself"))
    assert files.list("/") == expected


@pytest.mark.parametrize("what", ["unlinked", "replaced by a directory"])
def test_file_that_changes_while_files_are_looked_at_together(
    run: Run, op: Operator, root: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (root / name).touch()

    call = many_files._call

    def changed(*args: Any) -> int:
        if (root / "b").is_file():
            (root / "b").unlink()
            if what != "unlinked":
                (root / "b").mkdir()
        result: int = call(*args)
        return result

    monkeypatch.setattr(many_files, "_call", changed)
    left = ["/", "a", "c"] if what == "unlinked" else ["/", "a", "b/", "c"]
    assert paths(run(op.list("/", recursive=True))) == left


def test_directory_that_cannot_be_read_on_is_an_error_and_no_end(
    run: Run, service: FsAccessor, tree: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, _: int) -> None: ...

        def __iter__(self) -> "Broken":
            return self

        def __next__(self) -> object:
            raise OSError(errno.EIO, "broken")

        def close(self) -> None: ...

    monkeypatch.setattr(os, "scandir", Broken)

    async def scenario() -> None:
        _, body = await service.list("a/", OpList())
        for _ in range(2):
            with pytest.raises(Unexpected, match="EIO"):
                await body.next()
        await body.close()

    run(scenario())


async def test_page_whose_caller_was_cancelled_is_given_again_and_none_twice(
    root: Path, tree: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, may_go = threading.Event(), threading.Event()
    original = lister.Walk._fill

    def held(walk: lister.Walk) -> None:
        entered.set()
        assert may_go.wait(30)
        original(walk)

    _, body = await FsAccessor(Context(), str(root)).list("/", OpList(recursive=True, limit=3))
    entries = [*(await body.next() or ())]
    monkeypatch.setattr(lister.Walk, "_fill", held)
    taking = asyncio.create_task(body.next())
    while not entered.is_set():
        await asyncio.sleep(0.001)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    may_go.set()
    while (page := await body.next()) is not None:
        entries += page
    await body.close()
    assert paths(entries) == ["/", *tree]


async def test_listing_that_is_closed_while_a_thread_is_at_it_leaves_nothing_open(
    root: Path, tree: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, may_go = threading.Event(), threading.Event()
    original = lister._Level._entry_of

    def held(level: lister._Level, *args: Any) -> object:
        entered.set()
        assert may_go.wait(30)
        return original(level, *args)

    op = Operator(Fs(str(root)))
    await op.stat("file")
    before = descriptors()
    monkeypatch.setattr(lister._Level, "_entry_of", held)
    _, body = await FsAccessor(Context(), str(root)).list("/", OpList(recursive=True))
    taking = asyncio.create_task(body.next())
    while not entered.is_set():
        await asyncio.sleep(0.001)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await body.close()
    assert descriptors() > before
    may_go.set()
    while descriptors() > before:
        await asyncio.sleep(0.001)
    with pytest.raises(Error, match="closed"):
        await body.next()


@pytest.fixture
def churn(root: Path, tree: list[str]) -> Iterator[None]:
    """A thread that makes and removes files and directories all the time."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            (root / "a" / "come").mkdir()
            (root / "a" / "come" / "file").touch()
            (root / "a" / "come" / "file").unlink()
            (root / "a" / "come").rmdir()

    working = threading.Thread(target=work)
    working.start()
    yield
    done.set()
    working.join()


@pytest.mark.usefixtures("churn")
def test_what_stays_is_listed_once_while_other_things_come_and_go(run: Run, op: Operator, tree: list[str]) -> None:
    for _ in range(100):
        listed = paths(run(op.list("/", recursive=True, limit=3)))
        assert [path for path in listed if not path.startswith("a/come")] == ["/", *tree]


def test_what_lies_deeper_than_a_path_can_be_is_named_in_a_warning(
    run: Run, op: Operator, root: Path, caplog: pytest.LogCaptureFixture, confinement: str
) -> None:
    name, here = "n" * 250, os.open(root, os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with caplog.at_level(logging.WARNING, "entrepot"):
        paths = [entry.path for entry in run(op.list("/", recursive=True))]
    left_out = [record.getMessage() for record in caplog.records]
    if confinement == "walk":  # which goes name by name, and so deeper
        assert (len(paths), left_out) == (1 + 20, [])
    else:
        deepest = max(paths, key=len)
        assert len(paths) == 1 + 17
        assert left_out == [f"left out of the listing: {deepest!r}: the path is longer than the file system takes"]
    run(op.delete(f"{name}/", recursive=True))
    assert list(root.iterdir()) == []
