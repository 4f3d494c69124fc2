"""Presigned requests, sent by the client of the standard library to servers that check signatures."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import botocore.session
import pytest

from entrepot import Operator, PresignedRequest
from entrepot.services import Http
from entrepot.testing import S3Server
from tests.conftest import http_storage, s3_config

CONTENT = bytes(range(256)) * 4
NAMES = ["plain.bin", "a b+c%2F&=?#.bin", "käse/日本語/🦆.txt", "'\"(sub)!*;:@,$~"]
DIRECT = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    content: bytes


def send(request: PresignedRequest, content: bytes | None = None) -> Reply:
    """What comes of a request, as whoever was given it would send it. It is no business of our own client."""
    asked = Request(request.url, content, dict(request.headers), method=request.method)
    try:
        with DIRECT.open(asked, timeout=30) as response:
            return Reply(response.status, response.headers, response.read())
    except HTTPError as refusal:
        with refusal:
            return Reply(refusal.code, refusal.headers, refusal.read())


@pytest.fixture(params=["seaweedfs", "juicefs", pytest.param("radosgw", marks=pytest.mark.servers)])
def server(request: pytest.FixtureRequest) -> S3Server:
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
async def op(server: S3Server) -> Any:
    async with Operator(s3_config(server), resilient=False) as operator:
        yield operator


@pytest.mark.parametrize("name", NAMES)
async def test_an_object_is_written_read_asked_about_and_deleted(op: Operator, name: str) -> None:
    assert send(await op.presign_read(name, 60)).status == 404
    assert send(await op.presign_write(name, 60), CONTENT).status == 200
    assert await op.read(name) == CONTENT
    read = send(await op.presign_read(name, 60))
    assert (read.status, read.content) == (200, CONTENT)
    stat = send(await op.presign_stat(name, 60))
    assert (stat.status, stat.headers["Content-Length"], stat.content) == (200, str(len(CONTENT)), b"")
    assert send(await op.presign_delete(name, 60)).status == 204
    assert not await op.exists(name)


async def test_what_is_stored_beside_an_object_is_signed_and_must_be_sent(op: Operator) -> None:
    request = await op.presign_write(
        "k", 60, content_type="text/csv", cache_control="no-store", user_metadata={"colour": "red"}
    )
    assert send(request, CONTENT).status == 200
    metadata = await op.stat("k")
    stored = metadata.content_type, metadata.cache_control, dict(metadata.user_metadata)
    assert stored == ("text/csv", "no-store", {"colour": "red"})

    headers = dict(request.headers)
    for name in headers:
        without = {kept: value for kept, value in headers.items() if kept != name}
        assert send(replace(request, headers=without), b"other").status in (400, 403), name
        assert send(replace(request, headers={**headers, name: "other"}), b"other").status == 403, name
    assert await op.read("k") == CONTENT


async def test_a_range_is_signed_or_free(op: Operator) -> None:
    await op.write("k", CONTENT)
    signed = await op.presign_read("k", 60, range=(10, 20))
    assert send(signed).content == CONTENT[10:20]
    assert send(replace(signed, headers={"Range": "bytes=0-99"})).status == 403
    free = await op.presign_read("k", 60)
    assert send(replace(free, headers={"Range": "bytes=5-8"})).content == CONTENT[5:9]


async def test_conditions_are_signed(op: Operator) -> None:
    await op.write("k", CONTENT)
    etag = (await op.stat("k")).etag
    assert etag is not None
    held = await op.presign_read("k", 60, if_match=etag)
    assert send(held).content == CONTENT
    assert send(replace(held, headers={})).status in (400, 403)
    assert send(await op.presign_read("k", 60, if_match='"other"')).status == 412
    assert send(await op.presign_stat("k", 60, if_none_match=etag)).status == 304


async def test_the_headers_of_the_reply_are_those_that_were_asked_for(op: Operator) -> None:
    await op.write("k", CONTENT, content_type="text/csv")
    asked = {
        "content_type": "text/plain; charset=utf-8",
        "content_disposition": "attachment; filename=\"a b+c.csv\"; filename*=UTF-8''k%C3%A4se.csv",
        "cache_control": "private, max-age=7",
    }
    options: Any = {f"override_{name}": value for name, value in asked.items()}
    for request in (await op.presign_read("k", 60, **options), await op.presign_stat("k", 60, **options)):
        reply = send(request)
        assert {name: reply.headers[name.replace("_", "-")] for name in asked} == asked
        assert reply.content == (CONTENT if request.method == "GET" else b"")


def edited(old: str, new: str) -> Callable[[PresignedRequest], PresignedRequest]:
    def edit(request: PresignedRequest) -> PresignedRequest:
        assert old in request.url
        return replace(request, url=request.url.replace(old, new))

    return edit


TAMPERED: dict[str, Callable[[PresignedRequest], PresignedRequest]] = {
    "another object": edited("mine", "hers"),
    "a later end": edited("X-Amz-Expires=60", "X-Amz-Expires=600"),
    "more in the query": edited("X-Amz-Algorithm", "response-content-type=text%2Fhtml&X-Amz-Algorithm"),
    "another region": edited("us-east-1", "us-east-2"),
    "another key": edited("X-Amz-Credential=AKIA", "X-Amz-Credential=BKIA"),
    "another signature": edited("X-Amz-Signature=", "X-Amz-Signature=0"),
    "no signature": lambda request: replace(request, url=request.url.partition("&X-Amz-Signature=")[0]),
    "another method": lambda request: replace(request, method="DELETE"),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_one_that_was_tampered_with_is_refused(op: Operator, how: str) -> None:
    await op.write("mine", b"mine")
    await op.write("hers", b"hers")
    request = await op.presign_read("mine", 60)
    assert send(request).content == b"mine"
    reply = send(TAMPERED[how](request))
    assert 400 <= reply.status < 500
    assert reply.content not in (b"mine", b"hers")
    assert await op.exists("mine")


async def test_one_that_has_expired_is_refused(op: Operator) -> None:
    await op.write("k", CONTENT)
    read, write = await op.presign_read("k", 1), await op.presign_write("k", 1)
    await asyncio.sleep(2.1)
    assert send(read).status == 403
    assert send(write, b"late").status == 403
    assert await op.read("k") == CONTENT


async def test_a_write_that_must_not_replace_anything_is_made_once(seaweedfs_server: S3Server) -> None:
    """JuiceFS ignores the condition."""
    async with Operator(s3_config(seaweedfs_server), resilient=False) as op:
        request = await op.presign_write("k", 60, if_not_exists=True)
        assert [send(request, content).status for content in (b"first", b"second")] == [200, 412]
        assert await op.read("k") == b"first"


async def test_an_address_of_a_web_server_is_read_without_a_proof(nginx_server: Any) -> None:
    storage = http_storage(nginx_server)
    storage.put("a b+c.bin", CONTENT)
    async with Operator(storage.config, resilient=False) as op:
        assert isinstance(storage.config, Http)
        request = await op.presign_read("a b+c.bin", 60, range=(10, 20))
        assert (request.expires_at, send(request).content) == (None, CONTENT[10:20])
        assert send(await op.presign_stat("a b+c.bin", 60)).headers["Content-Length"] == str(len(CONTENT))


def multipart_body(form: PresignedRequest, content: bytes, **more: str) -> bytes:
    """What a browser sends (RFC 7578)."""
    fields = "".join(
        f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in [*form.fields.items(), *more.items()]
    )
    file = '--limit\r\nContent-Disposition: form-data; name="file"; filename="käse.png"\r\n\r\n'
    return (fields + file).encode() + content + b"\r\n--limit--\r\n"


async def test_a_form_stores_what_its_policy_allows(op: Operator) -> None:
    form = await op.presign_post("ä b/", 60, content_length=(1, 2000), content_type_prefix="image/")
    request = replace(form, headers={"Content-Type": "multipart/form-data; boundary=limit"})
    answer = send(request, multipart_body(form, CONTENT, **{"Content-Type": "image/png"}))
    assert answer.status in {200, 204}
    assert await op.read("ä b/käse.png") == CONTENT
    assert (await op.stat("ä b/käse.png")).content_type == "image/png"
    for content, media_type in ((bytes(2001), "image/png"), (b"", "image/png"), (CONTENT, "text/html")):
        refused = send(request, multipart_body(form, content, **{"Content-Type": media_type}))
        assert refused.status in {400, 403}


async def test_parts_that_others_send_make_an_object(op: Operator, server: S3Server) -> None:
    client = botocore.session.Session().create_client(
        "s3",
        region_name=server.region,
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
    )
    place = {"Bucket": server.bucket, "Key": f"{op.info.root[1:]}k"}
    upload = client.create_multipart_upload(**place)["UploadId"]
    parts, contents = [], (bytes(5 * 1024**2), b"the end")
    for number, content in enumerate(contents, 1):
        answer = send(await op.presign_part("k", 60, upload, number), content)
        assert answer.status == 200
        parts.append({"PartNumber": number, "ETag": answer.headers["ETag"]})
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
    client.close()
    assert await op.read("k") == b"".join(contents)
