"""An etag means one content: also where inodes are used again at once and the clock of the file system is slow."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from entrepot import ConditionNotMatch, Metadata, Operator
from entrepot.services import Fs
from entrepot.services.fs.kernel import attributes, handles
from entrepot.services.fs.kernel.attributes import metadata_of

from .conftest import Run

_BLOCK = 1024


@pytest.fixture
def slow_clock(root: Path, tmp_path: Path) -> Iterator[Path]:
    """An ext4 whose inodes have room for whole seconds only, and are used again at once."""
    if os.geteuid() or not all(map(shutil.which, ("mkfs.ext4", "mount", "umount"))):
        pytest.skip("mounting an ext4 takes root and its tools")
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(8 * _BLOCK * _BLOCK)
    make = ["mkfs.ext4", "-q", "-F", "-I", "128", "-O", "^metadata_csum", str(image)]
    mount = ["mount", "-o", "loop", str(image), str(root)]
    if any(subprocess.run(call, capture_output=True, check=False, timeout=30).returncode for call in (make, mount)):
        pytest.skip("this system does not mount file systems")
    yield root
    subprocess.run(["umount", "--lazy", str(root)], check=True, timeout=30)


@pytest.fixture
def no_handles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without file handles."""
    monkeypatch.setattr(handles, "_call", lambda *_: -1)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file was changed long ago."""
    monkeypatch.setattr(attributes, "_LONGEST_TICK", -1)


def every_etag(run: Run, op: Operator, path: str) -> set[str | None]:
    """The etag of a file by each way to learn it."""

    async def scenario() -> set[str | None]:
        async with op.reader(path) as reader:
            await reader.read()
            read = await reader.metadata()
        (listed,) = [entry for entry in await op.list("/", recursive=True) if entry.path == path]
        return {(await op.stat(path)).etag, listed.metadata.etag, read.etag}

    return run(scenario())


def test_no_two_writes_in_one_tick_have_one_etag(run: Run, slow_clock: Path, context: Any) -> None:
    op = Operator(Fs(slow_clock), context=context)
    etags = [run(op.write("file", b"%04d" % number)).etag for number in range(300)]
    assert len(set(etags)) == 300
    inodes = {etag[:9] for etag in etags if etag is not None}
    assert len(inodes) < 10, "inodes are not used again here, so that nothing was tried"


def test_etag_of_a_file_replaced_twice_in_one_tick_does_not_match(run: Run, slow_clock: Path, context: Any) -> None:
    op = Operator(Fs(slow_clock), context=context)
    for _ in range(20):
        first = run(op.write("file", b"A" * _BLOCK)).etag
        run(op.write("file", b"B" * _BLOCK))
        run(op.write("file", b"C" * _BLOCK))
        with pytest.raises(ConditionNotMatch) as raised:
            run(op.read("file", if_match=first))
        assert (raised.value.operation, raised.value.path) == ("read", "file")


def test_ranges_of_a_file_replaced_twice_in_one_tick_are_not_mixed(run: Run, slow_clock: Path, context: Any) -> None:
    """Each range is read from a separate descriptor."""

    async def scenario() -> None:
        op = Operator(Fs(slow_clock), context=context)
        for _ in range(20):
            await op.write("file", b"A" * _BLOCK)
            async with op.reader("file") as reader:
                assert await reader.fetch([(0, 10)]) == [b"A" * 10]
                await op.write("file", b"B" * _BLOCK)
                await op.write("file", b"C" * _BLOCK)
                with pytest.raises(ConditionNotMatch):
                    await reader.fetch([(500, 510)])

    run(scenario())


@pytest.mark.usefixtures("confinement")
def test_etag_is_the_same_by_every_way_to_learn_it(run: Run, op: Operator, root: Path) -> None:
    for path in ("file", "d/e/file"):
        written = run(op.write(path, b"data"))
        assert written.etag is not None
        assert not written.etag.startswith("W/")
        assert every_etag(run, op, path) == {written.etag}
        assert run(op.read(path, if_match=written.etag)) == b"data"
    (root / "link").symlink_to("d/e/file")
    assert every_etag(run, op, "link") == {run(op.stat("d/e/file")).etag}


@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_file_systems_of_memory_and_of_layers_tell_files_apart(tmp_path: Path, kind: str) -> None:
    """In a mount namespace of a child, which prints whether the etag of a new file is weak."""
    shown = subprocess.run(
        [sys.executable, "-c", _MOUNTED, kind, str(tmp_path)], capture_output=True, text=True, timeout=50, check=False
    )
    if not shown.stdout:
        pytest.skip(f"this system does not mount one: {shown.stderr[-200:]}")
    assert json.loads(shown.stdout) == [False, True], shown.stderr


_MOUNTED = """
import asyncio, json, os, subprocess, sys
from entrepot import Operator
from entrepot.services import Fs

kind, folder = sys.argv[1:]
for name in "luwm":
    os.mkdir(f"{folder}/{name}")
options = f"lowerdir={folder}/l,upperdir={folder}/u,workdir={folder}/w" if kind == "overlay" else "size=1m"
subprocess.run(["mount", "-t", kind, "-o", options, "entrepot", f"{folder}/m"], check=True)
try:
    async def scenario():
        op = Operator(Fs(f"{folder}/m"))
        written = await op.write("file", b"data")
        print(json.dumps([written.etag.startswith("W/"), (await op.stat("file")).etag == written.etag]))
    asyncio.run(scenario())
finally:
    subprocess.run(["umount", "--lazy", f"{folder}/m"], check=True)
"""


@pytest.mark.usefixtures("no_handles")
def test_where_files_have_no_handles_a_young_etag_is_weak_and_matches_nothing(run: Run, op: Operator) -> None:
    etag = run(op.write("file", b"data")).etag
    assert etag is not None
    assert etag.startswith('W/"')
    assert every_etag(run, op, "file") == {etag}
    for call in (op.read("file", if_match=etag), op.stat("file", if_match=etag)):
        with pytest.raises(ConditionNotMatch, match="if_match does not hold"):
            run(call)
    with pytest.raises(ConditionNotMatch, match="if_none_match does not hold"):
        run(op.stat("file", if_none_match=etag))


@pytest.mark.usefixtures("no_handles", "later")
def test_where_files_have_no_handles_an_older_etag_is_strong(run: Run, op: Operator) -> None:
    etag = run(op.write("file", b"data")).etag
    assert etag is not None
    assert etag.startswith('"')
    assert every_etag(run, op, "file") == {etag}
    assert run(op.read("file", if_match=etag)) == b"data"


@pytest.mark.usefixtures("no_handles")
def test_time_in_the_future_is_not_taken_for_an_old_one(root: Path) -> None:
    (root / "file").write_bytes(b"data")
    attributes = (root / "file").stat()
    ahead = os.stat_result([*attributes[:9], 0], {"st_ctime_ns": time.time_ns() + 10**12, "st_mtime_ns": 0})
    assert str(metadata_of(ahead).etag).startswith("W/")


def test_etag_that_became_strong_is_of_the_same_content() -> None:
    changed = datetime(2026, 1, 1, tzinfo=UTC)
    young, old = (Metadata(etag=etag, content_length=1, last_modified=changed) for etag in ('W/"a"', '"a"'))
    assert young.is_same_content(old)
    assert old.is_same_content(young)
    assert not young.is_same_content(Metadata(etag='"b"', content_length=1, last_modified=changed))
    assert not young.is_same_content(Metadata(etag='"a"', content_length=1))


@pytest.mark.usefixtures("no_handles")
def test_chunks_go_on_when_the_etag_becomes_strong(op: Operator, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    async def scenario() -> None:
        await op.write("file", b"0123456789")
        async with op.reader("file", chunk=5) as reader:
            assert await reader.read(5) == b"01234"
            monkeypatch.setattr(attributes, "_LONGEST_TICK", -1)
            assert await reader.read() == b"56789"

    run(scenario())


def test_handle_that_does_not_hold_the_inode_does_not_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a file system that numbers its files arbitrarily."""
    path = root / "file"
    path.touch()
    inode = path.stat().st_ino
    assert handles.handle_at(-100, str(path), inode) is not None
    assert handles.handle_at(-100, str(path), inode + 1) is None
    monkeypatch.setattr(handles, "_call", lambda *_: -1)
    assert handles.handle_at(-100, str(path), inode) is None
