"""Trees and resumed downloads between an S3 server and a directory."""

import os
import time
from pathlib import Path

import pytest

from entrepot import Operator, Progress, TreeReport
from entrepot.services import Fs
from entrepot.testing import S3Server
from tests.conftest import s3_config

FILES = {"a/1": b"one", "a/b/é ü+%25?#": b"two", "a/sp ace/x": b"", "[x]/y": b"z", "a/..x": b"q", "big": bytes(3 << 20)}
SIZE = sum(map(len, FILES.values()))


@pytest.fixture
async def op(seaweedfs_server: S3Server) -> Operator:
    op = Operator(s3_config(seaweedfs_server))
    for path, content in FILES.items():
        await op.write(path, content)
    return op


async def content_of(op: Operator) -> dict[str, bytes]:
    return {entry.path: await op.read(entry.path) for entry in await op.list("/", recursive=True) if entry.is_file}


async def test_an_object_that_is_written_again_in_its_second_is_not_the_same(op: Operator, tmp_path: Path) -> None:
    """The listing has whole seconds, and an equal size and an older time were the last word on it for ever."""
    for number in range(3):  # one of them is in one second
        await op.write("again/x", b"old")
        await op.download_tree("again/", tmp_path / str(number), skip_same=True)
        await op.write("again/x", b"new")
        await op.download_tree("again/", tmp_path / str(number), skip_same=True)
        assert (tmp_path / str(number) / "x").read_bytes() == b"new"


async def test_a_tree_goes_down_up_and_across(op: Operator, seaweedfs_server: S3Server, tmp_path: Path) -> None:
    assert await op.download_tree("/", tmp_path) == TreeReport(copied=6, copied_bytes=SIZE)
    assert await content_of(Operator(Fs(tmp_path))) == FILES
    for file in tmp_path.rglob("*"):
        os.utime(file, (time.time() + 2,) * 2)  # as if it had come later than in the second of the object
    assert await op.download_tree("/", tmp_path, skip_same=True) == TreeReport(skipped=6)
    other = Operator(s3_config(seaweedfs_server))
    assert await other.upload_tree(tmp_path, "/") == TreeReport(copied=6, copied_bytes=SIZE)
    assert await content_of(other) == FILES
    await other.delete("a/1")
    await other.write("surplus/x", b"1")
    assert await op.sync(other, delete=True) == TreeReport(copied=1, copied_bytes=3, skipped=5, deleted=1)
    assert await content_of(other) == FILES


async def test_patterns_find_keys_and_their_directories(op: Operator) -> None:
    found = {pattern: sorted([entry.path async for entry in op.glob(pattern)]) for pattern in
             ("**/", "a/*", "[[]x]/*", "a/b/*25*", "a/**/x", "a")}  # fmt: skip
    assert found == {
        "**/": ["[x]/", "a/", "a/b/", "a/sp ace/"], "a/*": ["a/..x", "a/1"], "[[]x]/*": ["[x]/y"],
        "a/b/*25*": ["a/b/é ü+%25?#"], "a/**/x": ["a/sp ace/x"], "a": [],
    }  # fmt: skip


async def test_a_download_goes_on_from_its_bytes(op: Operator, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await op.download("big", tmp_path / "big", resume=True, chunk=1 << 20, progress=stop)
    (part,) = tmp_path.iterdir()
    kept, steps = part.stat().st_size, list[Progress]()
    await op.download("big", tmp_path / "big", resume=True, chunk=1 << 20, progress=steps.append)
    assert steps[0].done == kept > 0
    assert (tmp_path / "big").read_bytes() == FILES["big"]
    assert os.listdir(tmp_path) == ["big"]  # noqa: PTH208
