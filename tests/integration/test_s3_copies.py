"""Copies in ranges, copies between operators, and dangling uploads, on real servers; botocore looks on."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.config
import botocore.session
import pytest

from entrepot import ConditionNotMatch, NotFound, Operator, TreeReport, Upload
from entrepot.raw import Accessor, Context
from entrepot.raw.http import HttpRequest, HttpResponse, HttpTransport
from entrepot.services import S3, Fs, Memory
from entrepot.testing import S3Server, SeaweedFS
from entrepot.testing.transport import RecordingTransport
from tests.conftest import s3_config

MIB = 1024**2
CONTENT = os.urandom(12 * MIB + 345)
HINTS = {"chunk": 5 * MIB, "source_content_length_hint": len(CONTENT)}
BESIDE: dict[str, Any] = {
    "content_type": "text/x-test",
    "content_disposition": "inline",
    "cache_control": "no-store",
    "user_metadata": {"colour": "red"},
}


@dataclass(frozen=True)
class Lowered(S3):
    """Takes 10 MiB for what is too large to be copied at once."""

    def build(self, context: Context) -> Accessor:
        accessor = super().build(context)
        accessor._max_copy = 10 * MIB
        return accessor


without_ceph = pytest.mark.parametrize("server", ["seaweedfs_server", "moto_server"], indirect=True)


@pytest.fixture(params=["seaweedfs_server", "moto_server", pytest.param("radosgw_server", marks=pytest.mark.servers)])
def server(request: pytest.FixtureRequest) -> S3Server:
    return request.getfixturevalue(request.param)


def lowered(server: S3Server, bucket: str | None = None) -> Lowered:
    config = s3_config(server, bucket)
    return Lowered(**{one.name: getattr(config, one.name) for one in fields(config)})


@pytest.fixture
async def transport() -> AsyncIterator[RecordingTransport]:
    recording = RecordingTransport()
    yield recording
    await recording.close()


@pytest.fixture
def op(server: S3Server, transport: RecordingTransport) -> Operator:
    return Operator(lowered(server), context=Context(http=transport), resilient=False)


@pytest.fixture
def uploads(server: S3Server, op: Operator) -> Iterator[Callable[[], list[str]]]:
    settings = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    client = botocore.session.Session().create_client(
        "s3",
        region_name=server.region,
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        config=settings,
    )
    prefix = op.info.root[1:]

    def keys() -> list[str]:
        found = client.list_multipart_uploads(Bucket=op.info.name).get("Uploads", [])
        return [one["Key"].removeprefix(prefix) for one in found if one["Key"].startswith(prefix)]

    yield keys
    client.close()


def copied_ranges(transport: RecordingTransport) -> list[str]:
    headers = [dict(one.headers) for one in transport.requests]
    return [one["x-amz-copy-source-range"] for one in headers if "x-amz-copy-source-range" in one]


@without_ceph  # Ceph states no etag when an upload in parts is completed
async def test_a_large_object_is_copied_in_ranges_with_what_is_beside_it(
    op: Operator, transport: RecordingTransport, uploads: Callable[[], list[str]]
) -> None:
    await op.write("a/sö urce", CONTENT, **BESIDE)
    transport.forget()
    told = await op.copy("a/sö urce", "b/t", **HINTS)
    assert len(copied_ranges(transport)) == 3
    assert transport.bytes_received < 100_000
    assert await op.read("b/t") == CONTENT
    found = await op.stat("b/t")
    assert (found.etag, found.content_length) == (told.etag, told.content_length)
    assert {name: getattr(found, name) for name in BESIDE} == BESIDE
    assert uploads() == []


@without_ceph  # Ceph ignores conditions of an upload in parts
async def test_a_condition_of_the_target_holds_in_ranges(op: Operator, uploads: Callable[[], list[str]]) -> None:
    await op.write("s", CONTENT)
    await op.write("t", b"old")
    with pytest.raises(ConditionNotMatch) as caught:
        await op.copy("s", "t", if_not_exists=True, **HINTS)
    assert (caught.value.operation, caught.value.path) == ("copy", "s")
    assert await op.read("t") == b"old"
    await op.copy("s", "new", if_not_exists=True, **HINTS)
    assert await op.read("new") == CONTENT
    assert uploads() == []


async def test_if_match_of_the_target_holds_in_ranges(seaweedfs_server: SeaweedFS) -> None:
    async with Operator(lowered(seaweedfs_server), resilient=False) as op:
        await op.write("s", CONTENT)
        old = await op.write("t", b"old")
        for etag in ('"00000000000000000000000000000000"', old.etag):
            if etag == old.etag:
                await op.copy("s", "t", if_match=etag, **HINTS)
                continue
            with pytest.raises(ConditionNotMatch):
                await op.copy("s", "t", if_match=etag, **HINTS)
            assert await op.read("t") == b"old"
        assert await op.read("t") == CONTENT
        assert await op.list_uploads() == []


async def test_a_version_is_copied_in_ranges(seaweedfs_server: SeaweedFS) -> None:
    async with Operator(lowered(seaweedfs_server, seaweedfs_server.versioned_bucket()), resilient=False) as op:
        first = await op.write("s", CONTENT)
        await op.write("s", b"second")
        await op.copy("s", "s", source_version=first.version, **HINTS)
        assert await op.read("s") == CONTENT
        copied = await op.copy_to(Operator(Memory()), "s", "t", source_version=first.version)
        assert copied.metadata.content_length == len(CONTENT)


class Before(HttpTransport):
    """Does something, once, before the first request of a kind."""

    def __init__(self, inner: HttpTransport, marks: str, action: Callable[[], Awaitable[object]]) -> None:
        self._inner = inner
        self._marks = marks
        self._action = action
        self._is_done = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        if self._marks in request.url and not self._is_done:
            self._is_done = True
            await self._action()
        return await self._inner.send(request)


async def test_a_source_that_is_replaced_meanwhile_is_no_splice(
    op: Operator, server: S3Server, transport: RecordingTransport, uploads: Callable[[], list[str]]
) -> None:
    await op.write("s", CONTENT)

    async def replace() -> None:
        await op.write("s", bytes(len(CONTENT)))

    meddled = Operator(
        op._stack.config, context=Context(http=Before(transport, "partNumber=2", replace)), resilient=False
    )
    with pytest.raises(ConditionNotMatch, match="the source changed while it was copied"):
        await meddled.copy("s", "t", concurrent=1, **HINTS)
    assert not await op.exists("t")
    assert uploads() == []


@pytest.mark.parametrize("moment", ["uploads", "partNumber=1&", "partNumber=3&", "uploadId="])
async def test_a_copy_that_is_cancelled_leaves_no_upload(
    op: Operator, transport: RecordingTransport, uploads: Callable[[], list[str]], moment: str
) -> None:
    await op.write("s", CONTENT)

    async def cancel() -> None:
        task.cancel()
        await asyncio.sleep(0)

    interrupted = Operator(op._stack.config, context=Context(http=Before(transport, moment, cancel)), resilient=False)
    task = asyncio.ensure_future(interrupted.copy("s", "t", **HINTS))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert uploads() == []


async def test_two_roots_of_one_bucket_are_copied_by_the_server(
    op: Operator, server: S3Server, transport: RecordingTransport
) -> None:
    other = Operator(lowered(server), context=Context(http=transport), resilient=False)
    await op.write("s", CONTENT, **BESIDE)
    transport.forget()
    for options in ({}, HINTS):
        copied = await op.copy_to(other, "s", "a/t", **options)
        assert (copied.is_server_side, copied.not_carried) == (True, ())
    assert transport.bytes_received < 100_000
    assert len(copied_ranges(transport)) == 3
    assert await other.read("a/t") == CONTENT
    assert (await other.stat("a/t")).user_metadata == BESIDE["user_metadata"]


async def test_two_buckets_are_copied_by_the_server(
    op: Operator, server: S3Server, transport: RecordingTransport
) -> None:
    await op.write("s", CONTENT, **BESIDE)
    other = Operator(lowered(server, server.versioned_bucket()), context=Context(http=transport), resilient=False)
    transport.forget()
    for options in ({}, HINTS):
        copied = await op.copy_to(other, "s", "s", **options)
        assert (copied.is_server_side, copied.not_carried) == (True, ())
    assert transport.bytes_received < 100_000
    assert len(copied_ranges(transport)) == 3
    assert await other.read("s") == CONTENT
    assert (await other.stat("s")).user_metadata == BESIDE["user_metadata"]


async def test_what_is_streamed_arrives_whole_and_described(
    op: Operator, tmp_path: Path, uploads: Callable[[], list[str]]
) -> None:
    memory, files = Operator(Memory()), Operator(Fs(tmp_path))
    await op.write("s", CONTENT, **BESIDE)
    there = await op.copy_to(memory, "s", "m", chunk=5 * MIB)
    assert (there.not_carried, there.is_server_side) == ((), False)
    down = await memory.copy_to(files, "m", "f")
    assert set(down.not_carried) >= {"content_type", "content_disposition", "cache_control"}
    back = await memory.copy_to(op, "m", "back", chunk=5 * MIB)
    assert (back.not_carried, back.metadata.content_length) == ((), len(CONTENT))
    assert await files.read("f") == await op.read("back") == CONTENT
    found = await op.stat("back")
    assert {name: getattr(found, name) for name in BESIDE} == BESIDE
    assert uploads() == []


async def test_a_stream_that_is_cancelled_leaves_no_upload(
    op: Operator, tmp_path: Path, transport: RecordingTransport, uploads: Callable[[], list[str]]
) -> None:
    files = Operator(Fs(tmp_path))
    await files.write("s", CONTENT)

    async def cancel() -> None:
        task.cancel()
        await asyncio.sleep(0)

    interrupted = Operator(
        op._stack.config, context=Context(http=Before(transport, "partNumber=2", cancel)), resilient=False
    )
    task = asyncio.ensure_future(files.copy_to(interrupted, "s", "t", chunk=5 * MIB))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert uploads() == []
    assert not await op.exists("t")


async def test_a_missing_source_is_not_found(op: Operator, uploads: Callable[[], list[str]]) -> None:
    for options in ({}, HINTS):
        with pytest.raises(NotFound) as caught:
            await op.copy("missing", "t", **options)
        assert (caught.value.operation, caught.value.path) == ("copy", "missing")
    assert uploads() == []


async def test_dangling_uploads_are_found_and_aborted(op: Operator, uploads: Callable[[], list[str]]) -> None:
    names = ["a/käse +%20", "a/<x>&", "b"]
    writers = [await op.writer(name, chunk=5 * MIB) for name in names]
    for writer in writers:
        for _ in range(2):
            await writer.write(bytes(6 * MIB))
    await asyncio.sleep(0.2)  # moto trips over parts that are on their way when it is to abort
    try:
        assert {one.path for one in await op.list_uploads()} == set(names) == set(uploads())
        found = await op.list_uploads("a/")
        assert {one.path for one in found} == set(names[:2])
        assert all(one.id and one.initiated is not None and one.initiated <= datetime.now(UTC) for one in found)
        assert await op.list_uploads("a/<") == [one for one in found if one.path == "a/<x>&"]
        assert await op.list_uploads("c") == []
        assert await op.abort_uploads("a/", older_than=timedelta(days=36500)) == []
        assert len(uploads()) == 3
        assert {one.path for one in await op.abort_uploads("a/", older_than=timedelta())} == set(names[:2])
        assert uploads() == ["b"]
    finally:
        for writer in writers:
            await writer.abort()
    assert await op.list_uploads() == []


async def test_what_is_young_is_never_aborted(seaweedfs_server: SeaweedFS) -> None:
    async with Operator(s3_config(seaweedfs_server), resilient=False) as op, op.writer("k", chunk=5 * MIB) as writer:
        await writer.write(bytes(6 * MIB))
        await writer.write(bytes(6 * MIB))
        [upload] = await op.list_uploads()
        assert isinstance(upload, Upload)
        assert await op.abort_uploads("/", older_than=timedelta(minutes=1)) == []
    assert (await op.stat("k")).content_length == 12 * MIB


@without_ceph
async def test_a_sync_of_prefixes_is_copied_by_the_store_and_a_second_one_only_lists(
    op: Operator, transport: RecordingTransport
) -> None:
    async def synced(**options: Any) -> tuple[TreeReport, Counter[str]]:
        transport.forget()
        return await op.sync(op, "a/", "b/", **options), Counter(map(_kind, transport.requests))

    for number in range(1, 4):
        await op.write(f"a/{number}/file", bytes(number))
    assert await synced() == (TreeReport(copied=3, copied_bytes=6), {"list": 2, "copy": 3})
    assert await synced(delete=True) == (TreeReport(skipped=3), {"list": 2})
    await op.write("a/new", b"1")
    await op.write("b/surplus", b"1")
    report = TreeReport(copied=1, copied_bytes=1, skipped=3, deleted=1)
    assert await synced(delete=True) == (report, {"list": 2, "copy": 1, "delete": 1})
    assert await op.du("b/") == await op.du("a/")


def _kind(request: HttpRequest) -> str:
    """What a request is for. A copy whose content would pass through this process has a GET and a PUT."""
    if request.method == "GET" and "list-type=2" in request.url:
        return "list"
    if request.method == "PUT" and any(name.lower() == "x-amz-copy-source" for name, _ in request.headers):
        return "copy"
    return "delete" if request.method == "DELETE" or request.url.endswith("?delete=") else request.method
