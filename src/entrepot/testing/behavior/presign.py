"""Presigned requests, sent by a plain HTTP client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from entrepot.errors import InvalidInput, IsADirectory

from .case import case
from .expect import check, equal, one_of
from .send import send, send_form
from .target import Target

OTHER_ETAG = '"00000000000000000000000000000000"'
MINUTE = 60


@case("presign", "presign_read", "read", "put")
async def read(target: Target) -> None:
    """A presigned read returns the content."""
    path = target.path("special  !@#$%^&()_+-=;',.txt")
    content = await target.put(path)
    sent = await send(await target.operator.presign_read(path, MINUTE))
    equal((sent.status, sent.content), (200, content), "the response")


@case("presign", "presign_read", "read", "put")
async def read_of_a_range(target: Target) -> None:
    """A presigned read of a range returns the range."""
    path = target.path()
    content = await target.put(path, target.content(100))
    sent = await send(await target.operator.presign_read(path, MINUTE, range=(10, 20)))
    one_of(sent.status, [200, 206], "the status")
    equal(sent.content, content[10:20], "the content of the response")


@case("presign", "presign_read", "read", "read_with_if_match", "put")
async def read_under_a_condition(target: Target) -> None:
    """A presigned read under a condition that does not hold is refused."""
    path = target.path()
    await target.put(path)
    sent = await send(await target.operator.presign_read(path, MINUTE, if_match=OTHER_ETAG))
    equal(sent.status, 412, "the status")


@case("presign", "presign_stat", "stat", "put")
async def stat(target: Target) -> None:
    """The response to a presigned stat has the length and no content."""
    path = target.path()
    content = await target.put(path)
    sent = await send(await target.operator.presign_stat(path, MINUTE))
    expected = (200, str(len(content)), b"")
    equal((sent.status, sent.headers.get("content-length"), sent.content), expected, "the response")


@case("presign", "presign_write", "write", "read")
async def write(target: Target) -> None:
    """The content that is sent with a presigned write is stored."""
    path, content = target.path(), target.content()
    options: dict[str, Any] = {"content_type": "text/x-presigned"} if target.has("write_with_content_type") else {}
    sent = await send(await target.operator.presign_write(path, MINUTE, **options), content)
    check(200 <= sent.status < 300, f"the write was answered with {sent.status}")
    equal(await target.operator.read(path), content, "the stored content")
    if options:
        equal((await target.operator.stat(path)).content_type, "text/x-presigned", "the content type")


@case("presign", "presign_write", "write", "write_with_if_not_exists", "read")
async def write_under_a_condition(target: Target) -> None:
    """A presigned write under a condition that does not hold replaces nothing."""
    path = target.path()
    request = await target.operator.presign_write(path, MINUTE, if_not_exists=True)
    check(200 <= (await send(request, b"first")).status < 300, "the first write was refused")
    equal((await send(request, b"second")).status, 412, "the status of the second write")
    equal(await target.operator.read(path), b"first", "the stored content")


@case("presign", "presign_delete", "delete", "stat", "put")
async def delete(target: Target) -> None:
    """A presigned deletion deletes."""
    path = target.path()
    await target.put(path)
    sent = await send(await target.operator.presign_delete(path, MINUTE))
    check(200 <= sent.status < 300, f"the deletion was answered with {sent.status}")
    equal(await target.operator.exists(path), expected=False, what="exists")


@case("presign", "presign_read")
async def missing_object_is_found_out_by_the_request(target: Target) -> None:
    """Presigning makes no request: a missing object is found out when the request is sent."""
    sent = await send(await target.operator.presign_read(target.path(), MINUTE))
    equal(sent.status, 404, "the status")


@case("presign", "presign_read")
async def directory_is_refused(target: Target) -> None:
    """A directory cannot be presigned."""
    for path in (target.directory(), "/"):
        with target.raises(IsADirectory, "presign_read", path=path):
            await target.operator.presign_read(path, MINUTE)


@case("presign", "presign_read")
async def expiry_that_cannot_be_is_refused(target: Target) -> None:
    """The lifetime is at least a second and at most seven days."""
    path = target.path()
    for expires in (0, -1, 7 * 24 * 3600 + 1):
        with target.raises(InvalidInput, "presign_read", path=path):
            await target.operator.presign_read(path, expires)


@case("presign", "presign_read")
async def empty_range_is_refused(target: Target) -> None:
    """An empty range is refused: no request can express it, and one without a range would return everything."""
    path = target.path()
    with target.raises(InvalidInput, "presign_read", path=path):
        await target.operator.presign_read(path, MINUTE, range=(5, 5))


@case("presign", "presign_post", "read", "stat", "write_with_content_type")
async def form(target: Target) -> None:
    """The file of a form is stored, with the metadata of the form."""
    path, content = target.path("sent by a form"), target.content(100)
    form = await target.operator.presign_post(path, MINUTE, content_length=(1, 100), content_type="text/x-form")
    sent = await send_form(form, content)
    one_of(sent.status, [200, 201, 204], "the status")
    equal(await target.operator.read(path), content, "the content")
    equal((await target.operator.stat(path)).content_type, "text/x-form", "the content type")


@case("presign", "presign_post", "read")
async def form_with_a_free_name(target: Target) -> None:
    """A form for a directory stores the file below it, under its own name."""
    directory, content = target.path("forms/"), target.content(10)
    sent = await send_form(await target.operator.presign_post(directory, MINUTE), content, "chosen name.txt")
    one_of(sent.status, [200, 201, 204], "the status")
    equal(await target.operator.read(f"{directory}chosen name.txt"), content, "the content")


@case("presign", "presign_post", "read")
async def form_that_violates_its_policy_is_refused(target: Target) -> None:
    """A file that is too long, another path and another media type are refused, and nothing is stored."""
    path, other = target.path(), target.path()
    form = await target.operator.presign_post(path, MINUTE, content_length=(1, 9), content_type_prefix="image/")
    typed = {"Content-Type": "image/png"}
    moved = replace(form, fields={**form.fields, "key": form.fields["key"].replace(path, other)})
    for attempt, content, more in (
        (form, target.content(10), typed),
        (moved, target.content(9), typed),
        (form, target.content(9), {"Content-Type": "text/html"}),
    ):
        one_of((await send_form(attempt, content, **more)).status, [400, 403, 413], "the status")
    for each in (path, other):
        equal(await target.operator.exists(each), expected=False, what="exists, of what was refused")
    one_of((await send_form(form, target.content(9), **typed)).status, [200, 201, 204], "the status")
    equal(len(await target.operator.read(path)), 9, "the size of the file that is allowed")
