"""Unfinished uploads in parts: listing them, and aborting old ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio

from entrepot.errors import NotFound
from entrepot.types import Upload

from .case import case
from .expect import equal
from .interrupt import again
from .target import Target


@case("write", "list_uploads", "stat")
async def begun_uploads_are_listed(target: Target) -> None:
    """Uploads are listed by the path of their object, below a directory or a prefix, until they end."""
    parent = target.directory()
    async with _begun(target, f"{parent}a b"):
        for path in (parent, f"{parent}a", f"{parent}a b"):
            equal(await _paths(target, path), [f"{parent}a b"], f"the uploads at {path!r}")
        equal(await _paths(target, f"{parent}b"), [], "the uploads at another path")
        equal(await target.operator.exists(f"{parent}a b"), expected=False, what="exists, before the upload ends")
    equal(await _paths(target, parent), [], "the uploads after it was aborted")


@case("write", "list_uploads", "abort_upload")
async def old_uploads_are_aborted(target: Target) -> None:
    """Only uploads at the path are aborted."""
    parent = target.directory()
    async with _begun(target, f"{parent}a/1"), _begun(target, f"{parent}b/2"):
        aborted = await target.operator.abort_uploads(f"{parent}a/", older_than=timedelta())
        equal([upload.path for upload in aborted], [f"{parent}a/1"], "the aborted uploads")
        equal(await _paths(target, parent), [f"{parent}b/2"], "the uploads that are left")


@case("write", "list_uploads", "abort_upload")
async def young_uploads_are_left(target: Target) -> None:
    """An upload that is younger than the age is not aborted."""
    parent = target.directory()
    async with _begun(target, f"{parent}file"):
        equal(await _paths(target, parent, timedelta(hours=1)), [], "the uploads that are older than an hour")
        aborted = await target.operator.abort_uploads(parent, older_than=timedelta(hours=1))
        equal(aborted, [], "the aborted uploads")
        equal(await _paths(target, parent), [f"{parent}file"], "the uploads that are left")


@case("write", "shared_upload", "abort_upload", "read", "stat")
async def parts_of_several_senders_make_an_object(target: Target) -> None:
    """Parts arrive in any order, one of them twice. The object appears at the end, and a repeated end succeeds."""
    path, operator = target.path(), target.operator
    contents = [target.content(target.part), target.content(target.part), b"the end"]
    upload = await operator.start_upload(path)
    await operator.upload_part(path, upload, 2, target.content(target.part))
    parts = [await operator.upload_part(path, upload, number, contents[number - 1]) for number in (3, 2, 1)]
    equal(await operator.exists(path), expected=False, what="exists, before the upload ends")
    metadata = await operator.complete_upload(path, upload, parts)
    size = sum(map(len, contents))
    equal(metadata.content_length, size, "the length that the end states")
    equal((await operator.complete_upload(path, upload, parts)).content_length, size, "the length at a repeated end")
    equal(await operator.read(path), b"".join(contents), "the content")


@case("write", "shared_upload", "abort_upload", "stat")
async def a_shared_upload_that_is_aborted_is_gone(target: Target) -> None:
    """An aborted upload leaves no object, and aborting it again is not an error."""
    path, operator = target.path(), target.operator
    upload = await operator.start_upload(path)
    part = await operator.upload_part(path, upload, 1, b"content")
    await operator.abort_upload(path, upload)
    await operator.abort_upload(path, upload)
    with target.raises(NotFound, "complete_upload", path=path):
        await operator.complete_upload(path, upload, [part])
    equal(await operator.exists(path), expected=False, what="exists, after the upload was aborted")


@asynccontextmanager
async def _begun(target: Target, path: str) -> AsyncIterator[None]:
    """An upload that is unfinished in the block, and aborted after it."""
    writer = await target.operator.writer(path, chunk=target.part)
    try:
        for _ in range(3):  # the first part is kept until it is known that more come
            await writer.write(target.content(target.part))
        await anyio.sleep(0.1)  # so that parts on their way arrive: a server may trip over them when it is to abort
        yield
    finally:
        await again(writer.abort)


async def _paths(target: Target, path: str, older_than: timedelta | None = None) -> list[str]:
    uploads: list[Upload] = await target.operator.list_uploads(path, older_than=older_than)
    return [upload.path for upload in uploads]
