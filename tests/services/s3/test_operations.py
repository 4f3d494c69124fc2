"""Writing, deleting, listing and copying: what is sent, and what faults come to."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import md5, sha256
from typing import Any

import pytest

from entrepot import (
    BytesRange,
    ChecksumMismatch,
    ConditionNotMatch,
    ConfigInvalid,
    ContentIncomplete,
    Error,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unexpected,
)
from entrepot.errors import DeletionsFailed
from entrepot.raw import Context, OpCopy, OpDelete, OpList, OpRead, OpStat, OpWrite
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.http.client import RESPONSE_LIMIT
from entrepot.raw.oio import Part
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import S3
from entrepot.services.s3.accessor import S3Accessor
from entrepot.services.s3.authentication.signer import INLINE_HASH_LIMIT
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.headers.checksums import ALGORITHMS, Algorithm, whole_checksum
from entrepot.signing.aws import Credentials, Signer
from entrepot.testing.transport import MockTransport, reply
from tests.services.s3.clients import copied, s3_client

_UNSIGNED_PARTS = {"Host", "If-Match", "x-amz-mp-object-size"}
NOW = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
URL = "http://h/bucket"
CORE = S3Core(URL, "h", "bucket", "eu-west-1")
KEYS = Credentials("AKIDEXAMPLE", "secret")
MIB = 1024**2
LOST = Unexpected("the connection was lost", is_temporary=True)

Answer = HttpResponse | Exception


def accessor(
    transport: MockTransport, *, keys: Credentials | None = KEYS, core: S3Core = CORE, **options: Any
) -> S3Accessor:
    return S3Accessor(s3_client(core, keys, transport, AsyncioRuntime(), lambda: NOW), "/root/", **options)


def script(*answers: Answer) -> MockTransport:
    """A server that answers in this order, and to nothing more."""
    left = list(answers)

    def answer(request: HttpRequest) -> HttpResponse:
        return given(left.pop(0))

    return MockTransport(answer)


def given(answer: Answer) -> HttpResponse:
    if isinstance(answer, Exception):
        raise answer
    return answer


def failure(status: int, code: str) -> HttpResponse:
    return reply(status, f"<Error><Code>{code}</Code><Message>words</Message></Error>".encode())


def asked(transport: MockTransport) -> list[str]:
    return [f"{one.method} {one.url.removeprefix(URL)}" for one in transport.requests]


def headers(request: HttpRequest) -> dict[str, str]:
    return dict(request.headers)


class Bucket:
    """A server that stores in memory what is sent in parts, and can lose replies."""

    def __init__(self, *, lose: Callable[[HttpRequest], bool] = lambda request: False) -> None:
        self.parts: dict[int, bytes] = {}
        self.uploads: set[str] = set()
        self.content: bytes | None = None
        self.transport = MockTransport(self.answer)
        self.lose = lose

    def answer(self, request: HttpRequest) -> HttpResponse:
        response = self._answer(request)
        if self.lose(request):
            raise LOST
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        query = request.url.partition("?")[2]
        if request.method == "HEAD":
            return self._head()
        if query == "uploads":
            self.uploads.add("u")
            content = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            return reply(200, content)
        if request.method == "DELETE":
            self.uploads.discard("u")
            return reply(204)
        if "u" not in self.uploads and query:
            return failure(404, "NoSuchUpload")
        return self._store(request, query)

    def _store(self, request: HttpRequest, query: str) -> HttpResponse:
        content = b"".join(request.pieces)
        if query.startswith("partNumber="):
            number = int(query.partition("&")[0].partition("=")[2])
            self.parts[number] = content
            return reply(200, headers=[("etag", f'"{md5(content).hexdigest()}"')])
        if request.method == "POST":
            self.content = b"".join(self.parts[number] for number in sorted(self.parts))
            self.uploads.clear()
            etag = f"<ETag>{self.etag}</ETag>".replace('"', "&quot;").encode()
            return reply(200, b"<CompleteMultipartUploadResult>%b</CompleteMultipartUploadResult>" % etag)
        self.content = content
        return reply(200, headers=[("etag", f'"{md5(content).hexdigest()}"'), ("x-amz-version-id", "v1")])

    @property
    def etag(self) -> str:
        joint = md5(b"".join(md5(self.parts[number]).digest() for number in sorted(self.parts))).hexdigest()
        return f'"{joint}-{len(self.parts)}"'

    def _head(self) -> HttpResponse:
        return reply(200, headers=[("etag", self.etag), ("content-length", str(len(self.content or b"")))])


async def write(one: S3Accessor, content: bytes, path: str = "k", **options: Any) -> Any:
    _, writer = await one.write(path, OpWrite(**options))
    await writer.write(content)
    return await writer.close()


async def test_what_fits_in_one_part_is_one_signed_put() -> None:
    bucket = Bucket()
    found = await write(accessor(bucket.transport), b"content", "a b", content_type="text/plain")
    assert (found.content_length, found.etag, found.version) == (7, f'"{md5(b"content").hexdigest()}"', "v1")
    assert asked(bucket.transport) == ["PUT /root/a%20b"]
    [request] = bucket.transport.requests
    assert request.body == b"content"
    assert headers(request)["x-amz-content-sha256"] == sha256(b"content").hexdigest()
    assert headers(request)["Content-Type"] == "text/plain"
    assert "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date," in headers(request)["Authorization"]
    assert bucket.transport.open_bodies == 0


async def test_an_empty_object_is_one_put_of_nothing() -> None:
    bucket = Bucket()
    found = await write(accessor(bucket.transport), b"")
    assert found.content_length == 0
    assert (asked(bucket.transport), bucket.transport.requests[0].body) == (["PUT /root/k"], b"")


async def test_opening_and_aborting_a_writer_sends_nothing() -> None:
    bucket = Bucket()
    _, writer = await accessor(bucket.transport).write("k", OpWrite())
    await writer.abort()
    assert bucket.transport.requests == []


@pytest.mark.parametrize(
    "options", [{"content_type": "é"}, {"user_metadata": {"a b": ""}}, {"if_match": "a\n"}], ids=str
)
async def test_what_cannot_be_a_header_is_refused_before_anything_is_sent(options: dict[str, Any]) -> None:
    bucket = Bucket()
    with pytest.raises(InvalidInput):
        await accessor(bucket.transport).write("k", OpWrite(**options))
    assert bucket.transport.requests == []


async def test_a_key_that_is_too_long_is_refused_before_anything_is_sent() -> None:
    one = accessor(transport := script())
    path = "ü" * 510
    with pytest.raises(InvalidInput, match="1024"):
        await one.write(path, OpWrite())
    with pytest.raises(InvalidInput, match="1024"):
        await one.copy("k", path, OpCopy())
    _, deleter = await one.delete()
    await deleter.delete(path, OpDelete())
    with pytest.raises(InvalidInput, match="1024") as caught:
        await deleter.close()
    assert caught.value.path == path
    assert transport.requests == []


async def test_more_goes_in_parts_of_five_mib_at_least() -> None:
    bucket = Bucket()
    content = bytes(range(256)) * 4096 * 11
    found = await write(accessor(bucket.transport), content, chunk=1, concurrent=1, if_not_exists=True)
    assert (found.content_length, found.etag) == (11 * MIB, bucket.etag)
    assert bucket.content == content
    assert asked(bucket.transport) == [
        "POST /root/k?uploads",
        "PUT /root/k?partNumber=1&uploadId=u",
        "PUT /root/k?partNumber=2&uploadId=u",
        "PUT /root/k?partNumber=3&uploadId=u",
        "POST /root/k?uploadId=u",
    ]
    assert [len(bucket.parts[number]) for number in (1, 2, 3)] == [5 * MIB, 5 * MIB, MIB]
    assert [headers(one).get("If-None-Match") for one in bucket.transport.requests] == [None, None, None, None, "*"]
    for one in bucket.transport.requests[1:4]:
        assert headers(one)["x-amz-content-sha256"] == sha256(b"".join(one.pieces)).hexdigest()
    assert bucket.transport.open_bodies == 0


async def test_long_contents_are_hashed_where_they_hold_up_nobody() -> None:
    calls: list[int] = []

    class Counting(AsyncioRuntime):
        async def blocking(self, call: Any, *args: Any) -> Any:
            calls.append(len(args[0]))
            return await super().blocking(call, *args)

    transport = MockTransport(lambda request: reply(200))
    client = s3_client(CORE, KEYS, transport, Counting(), lambda: NOW)
    for size in (INLINE_HASH_LIMIT, INLINE_HASH_LIMIT + 1):
        await client.call(CORE.put("k", bytes(size), OpWrite()))
        assert headers(transport.requests[-1])["x-amz-content-sha256"] == sha256(bytes(size)).hexdigest()
    assert calls == [INLINE_HASH_LIMIT + 1]


@pytest.mark.parametrize("size", [0, 7, INLINE_HASH_LIMIT + 1, 6 * MIB])
async def test_the_content_of_objects_alone_can_be_left_unsigned(size: int) -> None:
    class NoThreads(AsyncioRuntime):
        async def blocking(self, call: Any, *args: Any) -> Any:
            raise AssertionError("something is hashed")

    bucket = Bucket()
    client = s3_client(CORE, KEYS, bucket.transport, NoThreads(), lambda: NOW, unsigned_payload=True)
    content = bytes(size)
    _, writer = await S3Accessor(client, "/root/").write("k", OpWrite(chunk=5 * MIB))
    await writer.write(content)
    await writer.close()
    assert bucket.content == content
    for one in bucket.transport.requests:
        is_content = one.method == "PUT"
        expected = "UNSIGNED-PAYLOAD" if is_content else sha256(b"".join(one.pieces)).hexdigest()
        assert headers(one)["x-amz-content-sha256"] == expected
        bare = HttpRequest(one.method, one.url, [(k, v) for k, v in one.headers if k in _UNSIGNED_PARTS], one.body)
        assert headers(one) == headers(Signer("s3").sign(bare, KEYS, "eu-west-1", NOW, expected))
    assert [one.method for one in bucket.transport.requests].count("PUT") == (2 if size == 6 * MIB else 1)


async def test_what_is_no_object_stays_signed_whole() -> None:
    transport = MockTransport(lambda request: reply(200, b"<DeleteResult/>" if request.method == "POST" else b""))
    client = s3_client(CORE, KEYS, transport, AsyncioRuntime(), lambda: NOW, unsigned_payload=True)
    one = S3Accessor(client, "/root/")
    await one.stat("k", OpStat())
    _, deleter = await one.delete()
    for path in ("a", "b"):
        await deleter.delete(path, OpDelete())
    await deleter.close()
    assert [request.method for request in transport.requests] == ["HEAD", "POST"]
    for request in transport.requests:
        assert headers(request)["x-amz-content-sha256"] == sha256(request.body or b"").hexdigest()


async def test_without_keys_nothing_is_hashed_or_signed() -> None:
    bucket = Bucket()
    await write(accessor(bucket.transport, keys=None), b"content")
    assert bucket.transport.requests[0].headers == [("Host", "h")]


async def test_a_part_that_failed_is_sent_again_and_signed_anew() -> None:
    failures = [LOST]
    bucket = Bucket(lose=lambda request: "partNumber=1" in request.url and bool(failures) and bool(failures.pop()))
    moments = iter(range(100))
    client = s3_client(CORE, KEYS, bucket.transport, AsyncioRuntime(), lambda: NOW.replace(microsecond=next(moments)))
    _, writer = await S3Accessor(client, "/root/").write("k", OpWrite(chunk=5 * MIB))
    await writer.write(bytes(6 * MIB))
    with pytest.raises(Unexpected) as caught:
        await writer.close()
    assert caught.value.is_temporary
    assert (await writer.close()).content_length == 6 * MIB
    assert bucket.content == bytes(6 * MIB)
    assert sum("partNumber=1" in one for one in asked(bucket.transport)) == 2


async def test_a_cancelled_part_is_aborted() -> None:
    bucket = Bucket()
    arrived, never = asyncio.Event(), asyncio.Event()

    class Stalling(MockTransport):
        async def send(self, request: HttpRequest) -> HttpResponse:
            if "partNumber=2" in request.url:
                arrived.set()
                await never.wait()
            return await super().send(request)

    transport = Stalling(bucket.answer)
    _, writer = await accessor(transport).write("k", OpWrite(chunk=5 * MIB))
    await writer.write(bytes(12 * MIB))
    closing = asyncio.ensure_future(writer.close())
    await arrived.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await writer.abort()
    assert asked(transport)[-1] == "DELETE /root/k?uploadId=u"
    assert (bucket.uploads, bucket.content) == (set(), None)
    assert transport.open_bodies == 0


@pytest.mark.parametrize("answer", [reply(204), failure(404, "NoSuchUpload"), reply(404)])
async def test_an_abort_of_what_is_gone_is_done(answer: HttpResponse) -> None:
    from entrepot.services.s3.writer import S3Upload

    transport = script(answer)
    await S3Upload(s3_client(CORE, KEYS, transport, AsyncioRuntime()), "k", OpWrite()).abort("u")
    assert asked(transport) == ["DELETE /k?uploadId=u"]


async def test_an_abort_that_failed_is_an_error() -> None:
    from entrepot.services.s3.writer import S3Upload

    transport = script(failure(403, "AccessDenied"))
    with pytest.raises(PermissionDenied):
        await S3Upload(s3_client(CORE, KEYS, transport, AsyncioRuntime()), "k", OpWrite()).abort("u")


async def test_an_error_inside_a_completion_leaves_the_writer_open() -> None:
    bucket = Bucket()
    failures = [b"  <Error><Code>InternalError</Code></Error>", b"", b"<Complet"]

    def answer(request: HttpRequest) -> HttpResponse:
        if request.url.endswith("?uploadId=u") and failures:
            return reply(200, failures.pop(0))
        return bucket.answer(request)

    transport = MockTransport(answer)
    _, writer = await accessor(transport).write("k", OpWrite(chunk=5 * MIB))
    await writer.write(bytes(6 * MIB))
    for kind in (Unexpected, ContentIncomplete, ContentIncomplete):
        with pytest.raises(kind) as caught:
            await writer.close()
        assert caught.value.is_temporary
    assert (await writer.close()).content_length == 6 * MIB
    assert sum("partNumber" in one for one in asked(transport)) == 2
    assert transport.open_bodies == 0


def lose_first_completion() -> Callable[[HttpRequest], bool]:
    losses = [LOST]
    return lambda request: request.url.endswith("?uploadId=u") and bool(losses) and bool(losses.pop())


async def test_a_completion_whose_reply_was_lost_is_recognized() -> None:
    bucket = Bucket(lose=lose_first_completion())
    _, writer = await accessor(bucket.transport).write("k", OpWrite(chunk=5 * MIB, if_not_exists=True))
    await writer.write(bytes(6 * MIB))
    with pytest.raises(Unexpected) as caught:
        await writer.close()
    assert caught.value.is_temporary
    found = await writer.close()
    assert (found.content_length, found.etag) == (6 * MIB, bucket.etag)
    assert asked(bucket.transport)[-3:] == ["POST /root/k?uploadId=u", "POST /root/k?uploadId=u", "HEAD /root/k"]


async def test_a_completion_whose_reply_was_lost_and_whose_object_is_another_is_no_success() -> None:
    bucket = Bucket(lose=lose_first_completion())
    _, writer = await accessor(bucket.transport).write("k", OpWrite(chunk=5 * MIB))
    await writer.write(bytes(6 * MIB))
    with pytest.raises(Unexpected):
        await writer.close()
    bucket.parts[1] = b"of another writer"
    with pytest.raises(Unexpected, match="may have been stored and then replaced") as caught:
        await writer.close()
    assert (caught.value.is_temporary, caught.value.context["code"]) == (False, "NoSuchUpload")


async def test_an_upload_that_is_gone_at_once_is_no_success() -> None:
    bucket = Bucket()
    _, writer = await accessor(bucket.transport).write("k", OpWrite(chunk=5 * MIB))
    await writer.write(bytes(6 * MIB))
    await writer.write(bytes(6 * MIB))  # sends what was taken before
    bucket.uploads.clear()
    with pytest.raises(Unexpected, match="no longer exists") as caught:
        await writer.close()
    assert (caught.value.is_temporary, caught.value.context["code"]) == (False, "NoSuchUpload")
    assert not any(one.startswith("HEAD") for one in asked(bucket.transport))


async def test_a_conflict_at_the_end_of_an_upload_is_not_worth_repeating() -> None:
    bucket = Bucket()

    def answer(request: HttpRequest) -> HttpResponse:
        is_end = request.url.endswith("?uploadId=u")
        return failure(409, "ConditionalRequestConflict") if is_end else bucket.answer(request)

    one = accessor(MockTransport(answer))
    with pytest.raises(ConditionNotMatch) as caught:
        await write(one, bytes(6 * MIB), chunk=5 * MIB, if_not_exists=True)
    assert not caught.value.is_temporary
    with pytest.raises(ConditionNotMatch) as caught:
        await write(accessor(script(failure(409, "ConditionalRequestConflict"))), b"", if_not_exists=True)
    assert caught.value.is_temporary


async def test_a_condition_that_fails_after_a_lost_reply_says_so() -> None:
    transport = script(LOST, failure(412, "PreconditionFailed"), failure(412, "PreconditionFailed"))
    _, writer = await accessor(transport).write("k", OpWrite(if_not_exists=True))
    with pytest.raises(Unexpected):
        await writer.close()
    for _ in range(2):
        with pytest.raises(ConditionNotMatch, match="whose response was lost") as caught:
            await writer.close()
        assert not caught.value.is_temporary


async def test_a_condition_that_fails_at_once_is_plain() -> None:
    transport = script(failure(412, "PreconditionFailed"), failure(412, "PreconditionFailed"))
    _, writer = await accessor(transport).write("k", OpWrite(if_not_exists=True))
    for _ in range(2):
        with pytest.raises(ConditionNotMatch) as caught:
            await writer.close()
        assert "lost" not in caught.value.message


async def test_if_match_without_an_object_is_a_condition_that_does_not_hold() -> None:
    with pytest.raises(ConditionNotMatch, match="if_match"):
        await write(accessor(script(failure(404, "NoSuchKey"))), b"", if_match='"e"')


async def test_a_deletion_is_one_request_on_close() -> None:
    one = accessor(transport := script(reply(204)))
    _, deleter = await one.delete()
    await deleter.delete("a b", OpDelete(version="v/1"))
    assert transport.requests == []
    await deleter.close()
    assert asked(transport) == ["DELETE /root/a%20b?versionId=v%2F1"]
    assert transport.open_bodies == 0


@pytest.mark.parametrize("answer", [reply(204), reply(200), failure(404, "NoSuchKey"), failure(404, "NoSuchVersion")])
async def test_a_deletion_of_what_is_missing_is_done(answer: HttpResponse) -> None:
    _, deleter = await accessor(script(answer)).delete()
    await deleter.delete("k", OpDelete())
    await deleter.close()


async def test_a_deletion_that_failed_stays_to_be_made() -> None:
    one = accessor(transport := script(failure(503, "SlowDown"), reply(204)))
    _, deleter = await one.delete()
    await deleter.delete("k", OpDelete())
    with pytest.raises(RateLimited) as caught:
        await deleter.close()
    assert caught.value.path == "k"
    await deleter.close()
    assert asked(transport) == ["DELETE /root/k", "DELETE /root/k"]


async def test_the_root_of_a_bucket_is_never_deleted() -> None:
    transport = script()
    one = S3Accessor(s3_client(CORE, KEYS, transport, AsyncioRuntime()), "/")
    for paths in (["/"], ["/", "/"]):
        _, deleter = await one.delete()
        for path in paths:
            await deleter.delete(path, OpDelete())
        await deleter.close()
    assert transport.requests == []


async def test_many_deletions_are_one_request_but_for_what_xml_cannot_write() -> None:
    one = accessor(transport := script(reply(200, b"<DeleteResult/>"), reply(204)))
    _, deleter = await one.delete()
    for path in ("a&b", "c\x01d", "e"):
        await deleter.delete(path, OpDelete())
    await deleter.close()
    assert asked(transport) == ["POST ?delete", "DELETE /root/c%01d"]
    body = transport.requests[0].body or b""
    assert b"<Key>root/a&amp;b</Key>" in bytes(body)
    assert b"<Key>root/e</Key>" in bytes(body)


async def test_1000_deletions_are_one_request_and_the_next_ones_another() -> None:
    one = accessor(transport := script(reply(200, b"<DeleteResult/>"), reply(200, b"<DeleteResult/>")))
    _, deleter = await one.delete()
    for number in range(1002):
        await deleter.delete(f"{number}", OpDelete())
    await deleter.close()
    assert [bytes(sent.body or b"").count(b"<Object>") for sent in transport.requests] == [1000, 2]


async def test_what_failed_of_many_is_named_by_its_path_and_version() -> None:
    failed = (
        b"<DeleteResult><Error><Key>root/b</Key><VersionId>v1</VersionId><Code>AccessDenied</Code></Error>"
        b"<Error><Key>root/c</Key><Code>SlowDown</Code></Error></DeleteResult>"
    )
    one = accessor(
        transport := script(reply(200, failed), failure(403, "AccessDenied"), reply(200, b"<DeleteResult/>"))
    )
    _, deleter = await one.delete()
    for path, version in (("a", None), ("b", "v1"), ("b", None), ("c", None), ("d\x01", None)):
        await deleter.delete(path, OpDelete(version=version))
    with pytest.raises(DeletionsFailed) as caught:
        await deleter.close()
    assert [(type(one), one.path, one.context.get("version")) for one in caught.value.failures] == [
        (PermissionDenied, "b", "v1"),
        (RateLimited, "c", None),
        (PermissionDenied, "d\x01", None),
    ]
    assert transport.open_bodies == 0


@pytest.mark.parametrize("answer", [LOST, reply(200, b" "), failure(200, "InternalError"), failure(503, "SlowDown")])
async def test_a_batch_that_failed_as_a_whole_is_made_again(answer: Answer) -> None:
    one = accessor(transport := script(answer, reply(200, b"<DeleteResult/>")))
    _, deleter = await one.delete()
    await deleter.delete("a", OpDelete())
    await deleter.delete("b", OpDelete())
    with pytest.raises(Error) as caught:
        await deleter.close()
    assert caught.value.is_temporary
    await deleter.close()
    assert transport.requests[0].body == transport.requests[1].body


async def delete_many(one: S3Accessor, *paths: str) -> None:
    _, deleter = await one.delete()
    for path in paths:
        await deleter.delete(path, OpDelete())
    await deleter.close()


@pytest.mark.parametrize("answer", [reply(200), reply(204)])
async def test_a_batch_of_which_nothing_is_said_is_done(answer: HttpResponse) -> None:
    one = accessor(transport := script(answer))
    await delete_many(one, "a", "b")
    assert asked(transport) == ["POST ?delete"]


def batch_headers(transport: MockTransport) -> list[set[str]]:
    digests = {"Content-MD5", "x-amz-checksum-crc32"}
    return [digests & set(headers(request)) for request in transport.requests if request.method == "POST"]


BOTH, MD5_ALONE = {"Content-MD5", "x-amz-checksum-crc32"}, {"Content-MD5"}
DONE = b"<DeleteResult/>"


@pytest.mark.parametrize(
    "refusal",
    [
        failure(400, "InvalidRequest"),
        failure(400, "InvalidArgument"),
        failure(400, "NotImplemented"),
        failure(400, "HeaderNotSupported"),
        failure(501, "NotImplemented"),
        reply(400),
    ],
)
async def test_a_checksum_header_that_is_refused_is_left_out_from_then_on(refusal: HttpResponse) -> None:
    one = accessor(transport := script(refusal, reply(200, DONE), reply(200, DONE)))
    await delete_many(one, "a", "b")
    await delete_many(one, "c", "d")
    assert batch_headers(transport) == [BOTH, MD5_ALONE, MD5_ALONE]
    assert len(transport.requests) == 3


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (failure(403, "AccessDenied"), PermissionDenied),
        (failure(400, "ExpiredToken"), PermissionDenied),
        (failure(400, "NoSuchBucket"), ConfigInvalid),
        (failure(503, "SlowDown"), RateLimited),
        (failure(400, "BadDigest"), Unexpected),
    ],
)
async def test_what_has_nothing_to_do_with_the_header_is_raised_at_once(
    refusal: HttpResponse, kind: type[Error]
) -> None:
    one = accessor(transport := script(refusal))
    with pytest.raises(DeletionsFailed) as caught:
        await delete_many(one, "a", "b")
    assert {type(failed) for failed in caught.value.failures} == {kind}
    assert len(transport.requests) == 1


async def test_a_refusal_that_stays_without_the_header_is_raised_and_nothing_is_remembered() -> None:
    one = accessor(transport := script(failure(400, "MalformedXML"), failure(400, "MalformedXML"), reply(200, DONE)))
    with pytest.raises(DeletionsFailed):
        await delete_many(one, "a", "b")
    await delete_many(one, "a", "b")
    assert batch_headers(transport) == [BOTH, MD5_ALONE, BOTH]


@pytest.mark.parametrize(
    ("refusals", "posts"),
    [
        ([failure(405, "MethodNotAllowed")], 1),
        ([reply(405)], 1),
        ([reply(501), reply(501)], 2),
        ([failure(501, "NotImplemented"), failure(501, "NotImplemented")], 2),
        ([failure(400, "InvalidRequest"), reply(405)], 2),
    ],
)
async def test_a_store_without_batches_is_asked_once_and_deletes_one_by_one(
    refusals: list[HttpResponse], posts: int
) -> None:
    left = list(refusals)
    transport = MockTransport(lambda request: left.pop(0) if request.method == "POST" else reply(204))
    one = accessor(transport)
    await delete_many(one, "a", "b", "c")
    assert asked(transport) == ["POST ?delete"] * posts + ["DELETE /root/a", "DELETE /root/b", "DELETE /root/c"]
    await delete_many(one, "d", "e")
    assert asked(transport)[posts + 3 :] == ["DELETE /root/d", "DELETE /root/e"]
    assert transport.open_bodies == 0


async def test_without_batches_each_failure_is_of_its_path() -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            return reply(405)
        return failure(403, "AccessDenied") if request.url.endswith("/b") else reply(204)

    with pytest.raises(DeletionsFailed) as caught:
        await delete_many(accessor(MockTransport(answer)), "a", "b", "c")
    assert [(type(failed), failed.path) for failed in caught.value.failures] == [(PermissionDenied, "b")]


IN_CONTENT = b'<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>'


async def test_a_write_whose_success_holds_an_error_has_failed() -> None:
    with pytest.raises(Unexpected) as caught:
        await write(accessor(script(reply(200, IN_CONTENT))), b"content")
    assert caught.value.context["code"] == "InternalError"
    assert caught.value.is_temporary


async def test_a_part_whose_success_holds_an_error_has_failed() -> None:
    bucket = Bucket()

    def answer(request: HttpRequest) -> HttpResponse:
        return reply(200, IN_CONTENT, [("ETag", '"e"')]) if "partNumber" in request.url else bucket.answer(request)

    with pytest.raises(Unexpected):
        await write(accessor(MockTransport(answer)), b"x" * 6 * MIB, chunk=5 * MIB)


async def test_a_deletion_whose_success_holds_an_error_has_failed() -> None:
    with pytest.raises(Unexpected) as caught:
        await delete_many(accessor(script(reply(200, IN_CONTENT))), "a")
    assert (caught.value.path, caught.value.context["code"]) == ("a", "InternalError")


@pytest.mark.parametrize("etag", ["", '""'])
async def test_a_part_with_an_empty_etag_was_not_stored(etag: str) -> None:
    bucket = Bucket()

    def answer(request: HttpRequest) -> HttpResponse:
        return reply(200, headers=[("ETag", etag)]) if "partNumber" in request.url else bucket.answer(request)

    with pytest.raises(Unexpected, match="etag"):
        await write(accessor(MockTransport(answer)), b"x" * 6 * MIB, chunk=5 * MIB)


def md5_of(content: bytes) -> str:
    return b64encode(md5(content, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize("size", [0, 5, 6 * MIB])
async def test_objects_and_parts_are_sent_with_their_md5_where_it_is_asked_for(size: int) -> None:
    bucket = Bucket()
    core = replace(CORE, checksum=ALGORITHMS["md5"])
    client = s3_client(core, KEYS, bucket.transport, AsyncioRuntime(), lambda: NOW)
    await write(S3Accessor(client, "/root/"), b"x" * size, chunk=5 * MIB)
    puts = [request for request in bucket.transport.requests if request.method == "PUT"]
    assert len(puts) == (2 if size == 6 * MIB else 1)
    for request in puts:
        content = b"".join(bytes(piece) for piece in request.pieces)
        assert headers(request)["Content-MD5"] == md5_of(content)
        assert "content-md5" in headers(request)["Authorization"]
    for request in bucket.transport.requests:
        assert request in puts or "Content-MD5" not in headers(request)


@pytest.mark.parametrize("name", ["crc32", "sha256"])
async def test_parts_and_completion_have_their_checksums(name: str) -> None:
    bucket = Bucket()
    await write(
        accessor(bucket.transport, core=replace(CORE, checksum=ALGORITHMS[name])), b"x" * 6 * MIB, chunk=5 * MIB
    )
    start, first, second, end = bucket.transport.requests
    assert headers(start)["x-amz-checksum-algorithm"] == name.upper()
    for request in (first, second):
        checksum = headers(request)[f"x-amz-checksum-{name}"]
        assert checksum == ALGORITHMS[name].of(request.body or b"")
        assert f"x-amz-checksum-{name}" in headers(request)["Authorization"]
        assert f"<Checksum{name.upper()}>{checksum}</Checksum{name.upper()}>".encode() in bytes(end.body or b"")
    assert headers(end)["x-amz-mp-object-size"] == str(6 * MIB)


@pytest.mark.parametrize("name", ["crc32", "sha1", None])
async def test_a_lost_completion_is_recognized_by_checksum_where_etags_are_not_md5(name: str | None) -> None:
    content = b"x" * 6 * MIB
    algorithm = None if name is None else ALGORITHMS[name]
    expected = None if algorithm is None else whole_checksum(algorithm, _parts(algorithm, content))
    sent = list[HttpRequest]()

    def answer(request: HttpRequest) -> HttpResponse:
        sent.append(request)
        query = request.url.partition("?")[2]
        if query == "uploads":
            return reply(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        if request.method == "PUT":
            return reply(200, headers=[("etag", '"opaque"')])
        if request.method == "HEAD":
            stated = [] if expected is None else [(f"x-amz-checksum-{expected.algorithm}", expected.value)]
            return reply(200, headers=[("etag", '"opaque-2"'), ("content-length", str(len(content))), *stated])
        if sum(one.method == "POST" for one in sent) == 2:
            raise LOST
        return reply(404, b"<Error><Code>NoSuchUpload</Code></Error>")

    _, writer = await accessor(MockTransport(answer), core=replace(CORE, checksum=algorithm)).write(
        "k", OpWrite(chunk=5 * MIB)
    )
    await writer.write(content)
    with pytest.raises(Unexpected, match="the connection was lost"):
        await writer.close()
    if name is None:
        with pytest.raises(Unexpected, match="the upload no longer exists, and the object is another"):
            await writer.close()
    else:
        assert (await writer.close()).etag == '"opaque-2"'
    [looked_up] = [request for request in sent if request.method == "HEAD"]
    assert headers(looked_up)["x-amz-checksum-mode"] == "ENABLED"


def _parts(algorithm: Algorithm, content: bytes) -> list[Part]:
    pieces = (content[: 5 * MIB], content[5 * MIB :])
    return [Part(number, "", len(piece), algorithm.of(piece)) for number, piece in enumerate(pieces, 1)]


@pytest.mark.parametrize("has_length", [True, False])
async def test_the_last_bytes_are_handed_out_only_if_the_content_has_its_checksum(has_length: bool) -> None:
    content = b"0123456789" * 1000

    def stating(checksum: str) -> S3Accessor:
        length = [("content-length", str(len(content)))] if has_length else []
        pieces = [content[start : start + 3000] for start in range(0, len(content), 3000)]
        transport = MockTransport(lambda _: reply(200, pieces, headers=[*length, ("x-amz-checksum-crc32", checksum)]))
        return accessor(transport, core=replace(CORE, is_content_checked=True))

    async def read_all(one: S3Accessor) -> bytes:
        _, body = await one.read("k", OpRead())
        pieces = list[bytes]()
        try:
            while piece := await body.read(100_000):
                pieces.append(piece)
        except ChecksumMismatch:
            for _ in range(2):  # it does not become a success
                with pytest.raises(ChecksumMismatch):
                    await body.read(1)
            raise
        finally:
            await body.close()
            handed_out.append(b"".join(pieces))
        return b"".join(pieces)

    handed_out = list[bytes]()
    assert await read_all(stating(ALGORITHMS["crc32"].of(content))) == content
    with pytest.raises(ChecksumMismatch) as caught:
        await read_all(stating(ALGORITHMS["crc32"].of(b"other")))
    assert not caught.value.is_temporary
    assert len(handed_out[1]) < len(content) or not has_length


async def test_a_range_is_not_compared_with_the_checksum_of_the_whole() -> None:
    stated = [("content-range", "bytes 0-3/10"), ("x-amz-checksum-crc32", "AAAAAA=="), ("content-length", "4")]
    one = accessor(
        MockTransport(lambda _: reply(206, b"0123", headers=stated)), core=replace(CORE, is_content_checked=True)
    )
    _, body = await one.read("k", OpRead(range=BytesRange(0, 4)))
    assert await body.read(10) == b"0123"
    await body.close()


def listed(*keys: str, token: str | None = None) -> HttpResponse:
    inside = "".join(f"<Contents><Key>root/{key}</Key><Size>1</Size></Contents>" for key in keys)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return reply(200, f"<ListBucketResult>{inside}{more}</ListBucketResult>".encode())


async def all_paths(one: S3Accessor, path: str = "/", **options: Any) -> list[str]:
    _, lister = await one.list(path, OpList(**options))
    found: list[str] = []
    while (entries := await lister.next()) is not None:
        found += [entry.path for entry in entries]
    await lister.close()
    return found


async def test_a_listing_goes_through_its_pages_empty_ones_too() -> None:
    one = accessor(transport := script(listed("a", token="t1"), listed(token="t2"), listed("b", "c")))
    assert await all_paths(one, recursive=True) == ["a", "b", "c"]
    start = "GET ?list-type=2&encoding-type=url&prefix=root%2F"
    assert asked(transport) == [start, f"{start}&continuation-token=t1", f"{start}&continuation-token=t2"]
    assert transport.open_bodies == 0


async def test_opening_a_listing_sends_nothing() -> None:
    await accessor(transport := script()).list("/", OpList())
    assert transport.requests == []


async def test_a_page_that_failed_is_asked_for_again() -> None:
    cut = reply(200, b"<ListBucketResult><Contents><Key>root/b")
    one = accessor(script(listed("a", token="t"), failure(503, "SlowDown"), LOST, cut, listed("b")))
    _, lister = await one.list("/", OpList())
    assert [entry.path for entry in await lister.next() or ()] == ["a"]
    for kind in (RateLimited, Unexpected, ContentIncomplete):
        with pytest.raises(kind):
            await lister.next()
    assert [entry.path for entry in await lister.next() or ()] == ["b"]
    assert await lister.next() is None


async def test_a_token_that_comes_again_ends_the_listing_with_an_error() -> None:
    transport = MockTransport(lambda request: listed("a", token="same"))
    with pytest.raises(Unexpected, match="earlier page"):
        await all_paths(accessor(transport))
    assert len(transport.requests) == 2


async def test_a_reply_without_end_is_read_to_a_bound() -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        return reply(200, [b"<ListBucketResult>", *[b" " * MIB] * 20, AssertionError("read on and on")])

    transport = MockTransport(answer)
    with pytest.raises(Unexpected, match=str(RESPONSE_LIMIT)):
        await all_paths(accessor(transport))
    assert transport.open_bodies == 0


async def test_the_first_version_of_listing_is_used_where_configured() -> None:
    first = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>root/a</Key></Contents></ListBucketResult>"
    )
    one = accessor(transport := script(reply(200, first), listed("b")), core=replace(CORE, is_list_v1=True))
    assert await all_paths(one, "a", recursive=True) == ["a"]
    start = "GET ?encoding-type=url&prefix=root%2Fa"
    assert asked(transport) == [start, f"{start}&marker=root%2Fa"]


COPIED = b"<CopyObjectResult><LastModified>2024-02-29T12:00:00.000Z</LastModified><ETag>e</ETag></CopyObjectResult>"


async def test_a_copy_is_one_request() -> None:
    one = accessor(transport := script(reply(200, COPIED, [("x-amz-version-id", "v2")])))
    found = await copied(one, "a b", "t/+", OpCopy(source_version="v1", if_not_exists=True))
    assert (found.etag, found.version, found.content_length) == ('"e"', "v2", None)
    assert asked(transport) == ["PUT /root/t/%2B"]
    sent = headers(transport.requests[0])
    assert sent["x-amz-copy-source"] == "/bucket/root/a%20b?versionId=v1"
    assert sent["If-None-Match"] == "*"
    assert "host;if-none-match;x-amz-content-sha256;x-amz-copy-source;x-amz-date" in sent["Authorization"]
    assert transport.requests[0].body == b""


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (failure(200, "InternalError"), Unexpected),
        (failure(200, "SlowDown"), RateLimited),
        (reply(200, b""), ContentIncomplete),
        (failure(412, "PreconditionFailed"), ConditionNotMatch),
        (failure(404, "NoSuchKey"), NotFound),
    ],
)
async def test_a_copy_that_failed_is_an_error(answer: HttpResponse, kind: type[Error]) -> None:
    one = accessor(transport := script(answer))
    with pytest.raises(kind) as caught:
        await copied(one, "s", "t", OpCopy())
    assert type(caught.value) is kind
    assert transport.open_bodies == 0


@pytest.mark.parametrize(("answer", "kind"), [(reply(200), ConditionNotMatch), (reply(404), NotFound)])
async def test_a_missing_source_is_told_from_a_missing_target(answer: HttpResponse, kind: type[Error]) -> None:
    one = accessor(transport := script(failure(404, "NoSuchKey"), answer))
    with pytest.raises(kind) as caught:
        await copied(one, "s", "t", OpCopy(if_match='"e"', source_version="v1"))
    assert type(caught.value) is kind
    assert caught.value.context["code"] == "NoSuchKey"
    assert asked(transport) == ["PUT /root/t", "HEAD /root/s?versionId=v1"]


async def test_a_range_that_is_refused_to_anything_but_a_read_is_an_error() -> None:
    with pytest.raises(Error) as caught:
        await write(accessor(script(failure(416, "InvalidRange"))), b"")
    assert caught.value.kind == "RangeNotSatisfied"


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({}, {8 * MIB, 8 * MIB + 131 * 1024}),
        ({"equal_parts": True}, {8 * MIB}),
        ({"endpoint": "https://account.r2.cloudflarestorage.com"}, {8 * MIB}),
        (
            {"endpoint": "https://account.r2.cloudflarestorage.com", "equal_parts": False},
            {8 * MIB, 8 * MIB + 131 * 1024},
        ),
    ],
)
def test_parts_grow_unless_the_server_wants_equal_ones(settings: dict[str, Any], sizes: set[int]) -> None:
    config = S3(bucket="bucket", region="auto", skip_signature=True, **settings)
    built = config.build(Context(http=script()))
    assert isinstance(built, S3Accessor)
    assert {built.part_sizes(OpWrite()).size(number) for number in (1, 1000, 1001)} == sizes
    hinted = built.part_sizes(OpWrite(content_length_hint=40_000 * 1024 * MIB))
    assert len({hinted.size(number) for number in (1, 1001, 8000)}) == 1
