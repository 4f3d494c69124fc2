"""What the behaviour suite does not check of the hf service: its requests, its commits and its names."""

from __future__ import annotations

import asyncio
import io
import pickle
from hashlib import sha256

import pytest

from entrepot import ConfigInvalid, Operator
from entrepot.errors import DeletionsFailed, InvalidInput, Unexpected
from entrepot.integrations.fsspec.by_service import file_system_class
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import Hf
from entrepot.services.hf import content as content_module
from entrepot.services.hf.content import Content
from entrepot.testing.servers.hub import HubInProcess

from .conftest import MakeOperator

CONTENT = bytes(range(256)) * 200

URIS = {
    "hf://owner/name": ("owner/name", "model", "main", "/"),
    "hf://gpt2": ("gpt2", "model", "main", "/"),
    "hf://models/owner/name/a/b": ("owner/name", "model", "main", "/a/b"),
    "hf://datasets/owner/name@v1.0/a/b": ("owner/name", "dataset", "v1.0", "/a/b"),
    "huggingface://spaces/owner/name@refs/pr/12/a": ("owner/name", "space", "refs/pr/12", "/a"),
    "hf://datasets/owner/name@refs%2Fconvert%2Fparquet/a": ("owner/name", "dataset", "refs/convert/parquet", "/a"),
    "hf://owner/name?revision=a/branch": ("owner/name", "model", "a/branch", "/"),
}


@pytest.mark.parametrize(("uri", "expected"), URIS.items())
def test_uris_of_the_hub(uri: str, expected: tuple[str, ...]) -> None:
    config = Hf.from_uri(uri)
    assert (config.repo_id, config.repo_type, config.revision, config.root) == expected


@pytest.mark.parametrize(
    ("address", "location", "key"),
    [
        ("datasets/owner/name@refs/pr/1/a/b", "datasets/owner/name@refs/pr/1", "a/b"),
        ("owner/name/name/a", "owner/name", "name/a"),
        ("owner/name@v1", "owner/name@v1", ""),
        ("owner/name/a//", "owner/name", "a//"),
        ("gpt2", "gpt2", ""),
    ],
)
def test_the_location_of_a_repository_is_several_names(address: str, location: str, key: str) -> None:
    assert Hf.split_location(address) == (location, key)


async def test_file_systems_of_fsspec_take_the_paths_of_the_hub(server: HubInProcess, repo_id: str) -> None:
    files = file_system_class("hf")(token=server.token, endpoint=server.endpoint, skip_instance_cache=True)
    server.put("dataset", repo_id, "d/a.txt", b"content")
    path = f"datasets/{repo_id}@main/d"
    assert await asyncio.to_thread(files.cat, f"entrepot+hf://{path}/a.txt") == b"content"
    assert await asyncio.to_thread(files.ls, path, detail=False) == [f"{path}/a.txt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repo_id": ""}, "repo_id"),
        ({"repo_id": "a/b/c"}, "repo_id"),
        ({"repo_id": "../b"}, "repo_id"),
        ({"repo_type": "buckets"}, "Xet"),
        ({"repo_type": "wheel"}, "repo_type"),
        ({"revision": ""}, "revision"),
        ({"revision": "a..b"}, "revision"),
        ({"token": "two words"}, "token"),
        ({"endpoint": "https://user:secret@h"}, "userinfo"),
        ({"endpoint": "ftp://h"}, "endpoint"),
        ({"endpoint": "http://h", "allow_http": False}, "allow_http"),
        ({"root": "/a/../b"}, "root"),
        ({"root": "/a/.git"}, "root"),
        ({"headers": {"Authorization": "Bearer x"}}, "headers"),
    ],
)
def test_configurations_that_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message) as caught:
        Hf(**({"repo_id": "owner/name"} | options))  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_the_environment_names_hub_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "ftp://mirror")
    with pytest.raises(ConfigInvalid, match="endpoint"):
        Operator(Hf("owner/name"))
    assert Operator(Hf("owner/name", disable_config_load=True)).info.native_capability.write is False
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror")
    monkeypatch.setenv("HF_TOKEN", "two words")
    with pytest.raises(ConfigInvalid, match="HF_TOKEN"):
        Operator(Hf("owner/name"))


async def test_the_token_of_the_environment(server: HubInProcess, operator: MakeOperator, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", server.token)
    op = operator(token=None, disable_config_load=False)
    await op.write("a", b"content")
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert operator(token=None, disable_config_load=False).info.native_capability.write is False


def test_the_token_is_shown_nowhere() -> None:
    config = Hf("owner/name", token="hf_secret")
    assert "hf_secret" not in f"{config!r} {config} {Operator(config)!r}"
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize("path", ["a//b", "a/./b", "../a", "a/..", ".git/config", "a/.GIT", "x" * 256, "é" * 128])
async def test_names_that_git_cannot_hold_are_refused_before_any_request(
    server: HubInProcess, operator: MakeOperator, path: str
) -> None:
    op = operator()
    for call in (
        op.read(path),
        op.stat(path),
        op.write(path, b"x"),
        op.delete(path),
        op.list(f"{path}/"),
        op.create_dir(f"{path}/"),
        op.copy("a", path),
        op.rename(path, "a"),
    ):
        with pytest.raises(InvalidInput, match="git repository"):
            await call
    assert not server.requests


async def test_no_credentials_reach_the_storage(server: HubInProcess, operator: MakeOperator) -> None:
    op = operator(headers={"X-Secret": "of the hub"})
    await op.write("a.bin", b"content")
    assert await op.read("a.bin") == b"content"
    assert {request.method for request in server.storage.requests} == {"GET", "PUT"}
    for request in server.storage.requests:
        assert "authorization" not in request.headers
        assert "x-secret" not in request.headers
    assert all(request.headers["x-secret"] == "of the hub" for request in server.requests)


async def test_metadata_is_that_of_the_hub(server: HubInProcess, operator: MakeOperator) -> None:
    """The storage of large files has etags and times of its own."""
    op, content = operator(), b"content" * 100
    written = await op.write("a.bin", content)
    stated = await op.stat("a.bin")
    assert written.etag == stated.etag == f'"{sha256(content).hexdigest()}"'
    assert stated.last_modified is not None
    assert [checksum.algorithm for checksum in stated.checksums] == ["sha256"]
    async with op.reader("a.bin", range=(0, 3)) as reader:
        await reader.read()
        metadata = await reader.metadata()
    assert (metadata.etag, metadata.content_length, metadata.last_modified) == (stated.etag, len(content), None)
    [_, entry] = await op.list("/")
    assert (entry.metadata.etag, entry.metadata.checksums) == (stated.etag, stated.checksums)


async def test_writes_at_the_same_time_share_a_commit(
    server: HubInProcess, operator: MakeOperator, repo_id: str
) -> None:
    op = operator()
    contents = {f"{number}": b"%d" % number for number in range(40)}
    await asyncio.gather(*(op.write(path, content) for path, content in contents.items()))
    assert {path: file.content for path, file in server.files("dataset", repo_id).items()} == contents
    assert len(server.commits) < 20


async def test_one_bad_change_of_a_shared_commit_fails_alone(
    server: HubInProcess, operator: MakeOperator, repo_id: str
) -> None:
    op = operator()
    await op.write("file", b"content")
    paths = [f"{number}" for number in range(10)] + ["file/below", "file/below2"]
    results = await asyncio.gather(*(op.write(path, b"x") for path in paths), return_exceptions=True)
    assert [isinstance(result, Unexpected) for result in results] == [False] * 10 + [True] * 2
    assert set(server.files("dataset", repo_id)) == {"file", *paths[:10]}


async def test_a_cancelled_commit_loses_no_change_of_others(
    server: HubInProcess, operator: MakeOperator, repo_id: str
) -> None:
    op = operator()
    tasks = [asyncio.create_task(op.write(f"{number}", b"x")) for number in range(12)]
    while not any("/commit/" in request.target for request in server.requests):
        await asyncio.sleep(0.001)
    for task in tasks[::3]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    kept = {f"{number}" for number, result in enumerate(results) if not isinstance(result, BaseException)}
    assert kept >= {f"{number}" for number in range(12) if number % 3}
    assert kept <= set(server.files("dataset", repo_id))


def test_one_operator_on_two_loops(server: HubInProcess, operator: MakeOperator) -> None:
    op = operator()

    async def write(prefix: str) -> None:
        await asyncio.gather(*(op.write(f"{prefix}{number}", b"x") for number in range(5)))

    for prefix in "ab":
        asyncio.run(write(prefix))
    assert len(op.blocking().list("/")) == 11


async def test_changes_of_many_files_are_one_commit(server: HubInProcess, operator: MakeOperator) -> None:
    op = operator()
    await op.write("d/a.bin", b"content")
    await op.write("d/b", b"content")
    sent = len(server.storage.requests)
    await op.copy("d/a.bin", "c.bin")
    await op.rename("c.bin", "e.bin")
    assert len(server.storage.requests) == sent  # content in Git LFS is not sent again
    await op.delete("d/", recursive=True)
    await op.write("e.bin", b"content")  # what is there already
    assert server.commits[2:] == ["Copy d/a.bin to c.bin", "Rename c.bin to e.bin", "Delete d"]


async def test_a_repository_with_many_files_at_its_top_is_emptied(
    server: HubInProcess, operator: MakeOperator, repo_id: str
) -> None:
    for number in range(130):
        server.put("dataset", repo_id, f"{number}", b"content")
    await operator().delete("/", recursive=True)
    assert server.files("dataset", repo_id) == {}
    assert [summary.rpartition(" and ")[2] for summary in server.commits] == ["99 more", "29 more"]


async def test_content_above_the_memory_is_kept_in_a_file(
    server: HubInProcess, operator: MakeOperator, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_module, "MEMORY", 100_000)
    pieces = [bytes([number]) * 70_001 for number in range(12)]
    async with operator().writer("a.bin") as writer:
        for piece in pieces:
            await writer.write(piece)
    assert server.files("dataset", repo_id)["a.bin"].content == b"".join(pieces)
    assert len([request for request in server.storage.requests if "part=" in request.target]) == 4


async def test_content_that_is_sent_by_one_request_is_not_read_into_memory(
    server: HubInProcess, operator: MakeOperator, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_module, "MEMORY", 1_000)
    reads = list[int]()
    read_at = content_module._read_at

    def noted(file: io.FileIO, start: int, end: int) -> bytes:
        reads.append(end - start)
        return read_at(file, start, end)

    monkeypatch.setattr(content_module, "_read_at", noted)
    monkeypatch.setattr(content_module, "PIECE", 10_000)
    async with operator().writer("a.bin") as writer:
        await writer.write(CONTENT[:2_000])
        await writer.write(CONTENT[2_000:])
    assert server.files("dataset", repo_id)["a.bin"].content == CONTENT
    assert [request.method for request in server.storage.requests] == ["PUT"]
    assert max(reads) == 10_000  # of the digest, and nothing for the upload


async def test_content_over_the_limit_is_refused() -> None:
    content = Content(AsyncioRuntime(), 10)
    await content.append(b"123456")
    with pytest.raises(InvalidInput, match="more than 10 bytes"):
        await content.append(b"78901")
    assert await content.read(0, content.size) == b"123456"


async def test_a_cancelled_close_never_stores_what_is_left(
    server: HubInProcess, operator: MakeOperator, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is dropped after the commit. A close that is cancelled there can be made again."""
    drop, is_cancelled = Content.close, []

    async def cancelled(content: Content) -> None:
        await drop(content)
        if not is_cancelled:
            is_cancelled.append(True)
            raise asyncio.CancelledError

    monkeypatch.setattr(Content, "close", cancelled)
    writer = await operator().writer("a")
    await writer.write(b"content")
    with pytest.raises(asyncio.CancelledError):
        await writer.close()
    assert (await writer.close()).content_length == len(b"content")
    assert server.files("dataset", repo_id)["a"].content == b"content"


async def test_a_name_that_git_cannot_hold_keeps_no_other_from_being_deleted(
    server: HubInProcess, operator: MakeOperator, repo_id: str
) -> None:
    server.put("dataset", repo_id, "a", b"content")
    with pytest.raises(DeletionsFailed) as caught:
        await operator().delete_many(["a", "b//c", "d"])
    assert [failure.path for failure in caught.value.failures] == ["b//c"]
    assert server.files("dataset", repo_id) == {}


async def test_files_that_the_repository_ignores_are_refused(operator: MakeOperator) -> None:
    with pytest.raises(InvalidInput, match="gitignore"):
        await operator().write("a.ignored", b"content")


async def test_older_states_can_be_read_but_not_changed(
    server: HubInProcess, operator: MakeOperator, repo_id: str
) -> None:
    commit = server.put("dataset", repo_id, "a", b"old")
    await operator().write("a", b"new")
    old = operator(revision=commit)
    assert await old.read("a") == b"old"
    with pytest.raises(ConfigInvalid, match="no such revision"):
        await old.write("a", b"newer")


async def test_a_directory_is_kept_by_a_file_that_is_not_listed(
    server: HubInProcess, operator: MakeOperator, repo_id: str
) -> None:
    op = operator()
    await op.create_dir("d/")
    assert set(server.files("dataset", repo_id)) == {"d/.gitkeep"}
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/", "d/"]
    await op.delete("d/")
    assert server.files("dataset", repo_id) == {}
