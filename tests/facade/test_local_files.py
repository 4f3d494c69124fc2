"""Downloads to local files and uploads of them."""

import asyncio
import os

import pytest

from entrepot import (
    ConditionNotMatch,
    Error,
    InvalidInput,
    IsADirectory,
    NotFound,
    Operator,
    Progress,
    Unsupported,
)
from entrepot.raw import Accessor, AroundAccessor, Context, Layer
from entrepot.services import Fs, Memory

CONTENT = bytes(range(256)) * 16 * 1024
CHUNK = 256 * 1024


class FailsLate(Layer):
    """Fails reads of ranges that start past a limit."""

    def __init__(self, limit: int) -> None:
        self.limit: int | None = limit
        self.starts: list[int] = []

    def wrap(self, accessor: Accessor, context: Context) -> Accessor:
        layer = self

        class Wrapped(AroundAccessor):
            async def around(self, operation, path, call, *args):
                if operation.value == "read":
                    layer.starts.append(args[1].range.start)
                    if layer.limit is not None and args[1].range.start > layer.limit:
                        raise Error("the line is cut")
                return await call(*args)

        return Wrapped(accessor)


@pytest.fixture
async def op():
    op = Operator(Memory())
    await op.write("dir/file", CONTENT, user_metadata={"a": "1"})
    return op


async def test_an_object_is_downloaded_as_a_file(op, tmp_path):
    steps: list[Progress] = []
    metadata = await op.download("dir/file", tmp_path / "new/file", chunk=CHUNK, progress=steps.append)
    assert metadata.content_length == len(CONTENT)
    assert (tmp_path / "new/file").read_bytes() == CONTENT
    assert (steps[-1].done, steps[-1].files_done, steps[-1].path) == (len(CONTENT), 1, "dir/file")
    assert len(steps) > 10
    await op.write("dir/file", b"")
    await op.download("dir/file", str(tmp_path / "new/file"))
    assert (tmp_path / "new/file").read_bytes() == b""


async def test_a_file_is_uploaded_as_an_object(op, tmp_path):
    local, steps = tmp_path / "file", []
    local.write_bytes(bytes(3 * 1024 * 1024))
    metadata = await op.upload(local, "up", content_type="image/png", progress=steps.append)
    assert (metadata.content_length, (await op.stat("up")).content_type) == (3 * 1024 * 1024, "image/png")
    assert [step.total_done >> 20 for step in steps] == [1, 2, 3, 3]
    assert op.blocking().upload(str(local), "up2").content_length == 3 * 1024 * 1024


async def test_relative_paths_are_those_of_the_process(op, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    await op.download("dir/file", "here")
    assert (tmp_path / "here").read_bytes() == CONTENT
    await op.upload("here", "back")
    assert await op.read("back") == CONTENT


@pytest.mark.parametrize("resume", [False, True])
async def test_a_download_that_fails_shows_no_file(op, tmp_path, resume):
    failing = op.layer(FailsLate(5 * CHUNK))
    with pytest.raises(Error) as failed:
        await failing.download("dir/file", tmp_path / "file", chunk=CHUNK, resume=resume)
    assert (failed.value.operation, failed.value.path) == ("download", "dir/file")
    assert failed.value.context["target"] == str(tmp_path / "file")
    assert [name.startswith(".file.") for name in os.listdir(tmp_path)] == [True] * resume  # noqa: PTH208


async def test_a_download_goes_on_where_it_was(op, tmp_path):
    layer = FailsLate(5 * CHUNK)
    failing = op.layer(layer)
    with pytest.raises(Error, match="the line is cut"):
        await failing.download("dir/file", tmp_path / "file", chunk=CHUNK, resume=True)
    layer.limit = None
    layer.starts.clear()
    steps: list[Progress] = []
    await failing.download("dir/file", tmp_path / "file", chunk=CHUNK, resume=True, progress=steps.append)
    assert min(layer.starts) == steps[0].done > 0
    assert steps[-1].done == len(CONTENT)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


async def test_a_changed_object_is_never_continued(op, tmp_path):
    failing = op.layer(FailsLate(5 * CHUNK))
    with pytest.raises(Error, match="the line is cut"):
        await failing.download("dir/file", tmp_path / "file", chunk=CHUNK, resume=True)
    await op.write("dir/file", CONTENT[::-1])
    await op.download("dir/file", tmp_path / "file", resume=True)
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


async def test_many_downloads_into_one_file_never_show_a_wrong_one(op, tmp_path):
    downloads = [op.download("dir/file", tmp_path / "file", chunk=CHUNK, resume=True) for _ in range(8)]
    await asyncio.gather(*downloads)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


async def test_a_killed_download_leaves_its_bytes_to_the_next_one(op, tmp_path):
    await op.download("dir/file", tmp_path / "file", resume=True)
    (part,) = await _parts_of_a_cut_download(op, tmp_path)
    with part.open("r+b") as file:
        file.truncate(1)
    layer = FailsLate(0)
    layer.limit = None
    await op.layer(layer).download("dir/file", tmp_path / "file", resume=True)
    assert min(layer.starts) == 1
    assert (tmp_path / "file").read_bytes() == CONTENT


async def _parts_of_a_cut_download(op, folder):
    with pytest.raises(Error, match="the line is cut"):
        await op.layer(FailsLate(5 * CHUNK)).download("dir/file", folder / "file", chunk=CHUNK, resume=True)
    return list(folder.glob(".file.*.part"))


async def test_a_partial_file_that_is_longer_than_the_object_starts_again(op, tmp_path):
    (part,) = await _parts_of_a_cut_download(op, tmp_path)
    with part.open("r+b") as file:
        file.truncate(len(CONTENT) + 1)
    await op.download("dir/file", tmp_path / "file", resume=True)
    assert (tmp_path / "file").read_bytes() == CONTENT


async def test_a_long_name_can_be_resumed_and_is_not_mixed_up(op, tmp_path):
    names = ["x" * 254 + last for last in "12"]
    await op.write("other", CONTENT[::-1])
    for name, path in zip(names, ("dir/file", "other"), strict=True):
        with pytest.raises(Error, match="the line is cut"):
            await op.layer(FailsLate(5 * CHUNK)).download(path, tmp_path / name, chunk=CHUNK, resume=True)
    assert len(os.listdir(tmp_path)) == 2  # noqa: PTH208
    await op.download("dir/file", tmp_path / names[0], resume=True)
    await op.download("other", tmp_path / names[1], resume=True)
    assert (tmp_path / names[0]).read_bytes() == (tmp_path / names[1]).read_bytes()[::-1] == CONTENT


@pytest.mark.parametrize("resume", [False, True])
async def test_an_existing_file_can_be_kept(op, tmp_path, resume):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ConditionNotMatch):
        await op.download("dir/file", tmp_path / "file", resume=resume, if_not_exists=True)
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


async def test_a_resumed_download_that_has_no_place_asks_for_no_bytes(op, tmp_path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    layer = FailsLate(0)
    for name, options in (("dir", {}), ("file", {"if_not_exists": True})):
        with pytest.raises((IsADirectory, ConditionNotMatch)):
            await op.layer(layer).download("dir/file", tmp_path / name, resume=True, **options)
    assert layer.starts == []
    assert sorted(os.listdir(tmp_path)) == ["dir", "file"]  # noqa: PTH208


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"if_match": '"etag"'}, Unsupported),
        ({"content_type": "image/png"}, Unsupported),
        ({"user_metadata": {"a": "2"}}, InvalidInput),
    ],
)
async def test_a_resumed_download_ignores_no_option(op, tmp_path, options, error):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(error, match=next(iter(options))):
        await op.download("dir/file", tmp_path / "file", resume=True, **options)
    assert (tmp_path / "file").read_bytes() == b"mine"


async def test_an_error_of_the_last_step_does_not_name_the_partial_file(op, tmp_path):
    def intrude(progress: Progress) -> None:
        (tmp_path / "file").write_bytes(b"mine")

    with pytest.raises(ConditionNotMatch) as refused:
        await op.download("dir/file", tmp_path / "file", resume=True, if_not_exists=True, progress=intrude)
    assert refused.value.path == "file"


@pytest.mark.parametrize("local", ["", ".", "dir/", "a/..", 5, b"file", "a\0b"])
async def test_what_names_no_local_file_is_refused(op, local):
    for resume in (False, True):
        with pytest.raises(InvalidInput) as refused:
            await op.download("dir/file", local, resume=resume)
        assert refused.value.operation == "download"


async def test_a_nul_in_a_local_path_is_refused(op):
    with pytest.raises(InvalidInput, match="NUL"):
        await op.upload("a\0b", "x")
    with pytest.raises(InvalidInput, match="NUL"):
        await op.upload_tree("a\0b", "x")
    with pytest.raises(InvalidInput, match="NUL"):
        await op.download_tree("/", "a\0b")


async def test_bad_input_and_missing_things(op, tmp_path):
    (tmp_path / "dir").mkdir()
    for wrong in ({"resume": 1}, {"progress": "bar"}, {"chunk": 0}):
        with pytest.raises(InvalidInput):
            await op.download("dir/file", tmp_path / "file", **wrong)
    with pytest.raises(NotFound):
        await op.download("nowhere", tmp_path / "file")
    with pytest.raises(IsADirectory):
        await op.download("dir/file", tmp_path / "dir")
    with pytest.raises(NotFound) as missing:
        await op.upload(tmp_path / "nowhere", "up")
    assert missing.value.context["source"] == str(tmp_path / "nowhere")
    with pytest.raises(IsADirectory):
        await op.upload(tmp_path / "dir", "up")
    assert not await op.exists("up")
    assert os.listdir(tmp_path) == ["dir"]  # noqa: PTH208


async def test_what_progress_raises_ends_the_transfer_and_leaves_nothing(op, tmp_path):
    def stop(_: Progress) -> None:
        raise ZeroDivisionError

    for resume in (False, True):
        with pytest.raises(ZeroDivisionError):
            await op.download("dir/file", tmp_path / "file", progress=stop, resume=resume)
    (tmp_path / "local").write_bytes(b"x")
    with pytest.raises(ZeroDivisionError):
        await op.upload(tmp_path / "local", "up", progress=stop)
    assert not await op.exists("up")
    assert os.listdir(tmp_path) == ["local"]  # noqa: PTH208


async def test_a_local_operator_downloads_too(tmp_path):
    op = Operator(Fs(tmp_path / "store"))
    await op.write("a", CONTENT)
    await op.download("a", tmp_path / "copy", resume=True)
    assert (tmp_path / "copy").read_bytes() == CONTENT
