"""Copies within a bucket: when one request does, and what is sent where it does not."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from hashlib import md5

import pytest

from entrepot import ConditionNotMatch, Error, InvalidInput, NotFound, PermissionDenied, RateLimited, Unexpected
from entrepot.layers import RetryLayer
from entrepot.raw import Accessor, Context, OpCopy, oio
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services.s3.accessor import S3Accessor
from entrepot.services.s3.copier import MAX_COPY
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.multipart import COPY_RANGE, MAX_PART, MAX_TOTAL, MIN_PART, copy_ranges
from entrepot.testing.transport import MockTransport, reply
from tests.services.s3.clients import copied, s3_client

URL = "http://h/bucket"
MIB = 1024**2
GIB = 1024**3
TOO_LARGE = ["InvalidRequest", "EntityTooLarge"]
BESIDE = [
    ("content-type", "text/plain"),
    ("cache-control", "no-store"),
    ("content-disposition", "inline"),
    ("content-encoding", "x-none"),
    ("content-language", "de"),
    ("expires", "Thu, 01 Jan 2032 00:00:00 GMT"),
    ("x-amz-meta-colour", "red"),
]
LOST = Unexpected("the connection was lost", is_temporary=True)


def failure(status: int, code: str) -> HttpResponse:
    return reply(status, f"<Error><Code>{code}</Code></Error>".encode())


class Bucket:
    """A bucket with one object that is too large for CopyObject. It counts bytes and holds none.

    Arguments:
        size: the bytes of the object.
        refusal: how a copy of it by one request is refused; None lets it be made.
        heeds_conditions: whether a range of another object than was asked for is refused.
        on: by what a request is, such as `"part 2"`: what to answer instead, or what to call first.
    """

    def __init__(
        self,
        size: int = 12 * MIB,
        *,
        refusal: str | None = "InvalidRequest",
        heeds_conditions: bool = True,
        on: dict[str, Callable[[], HttpResponse | None]] | None = None,
    ) -> None:
        self.size = size
        self.etag = '"first"'
        self.refusal = refusal
        self.heeds_conditions = heeds_conditions
        self.on = on or {}
        self.uploads: dict[str, dict[int, range]] = {}
        self.target: list[range] | None = None
        self.asked: list[str] = []
        self.transport = MockTransport(self.answer)

    async def answer(self, request: HttpRequest) -> HttpResponse:
        what = self._what(request)
        self.asked.append(what)
        instead = self.on[what]() if what in self.on else None
        await asyncio.sleep(0)
        return instead or self._answers()[what.partition(" ")[0]](request)

    def _answers(self) -> dict[str, Callable[[HttpRequest], HttpResponse]]:
        return {
            "head": self._head,
            "copy": self._copy,
            "begin": self._begin,
            "part": self._part,
            "end": self._end,
            "abort": self._abort,
        }

    def _what(self, request: HttpRequest) -> str:
        query = request.url.partition("?")[2]
        if number := re.search(r"partNumber=(\d+)", query):
            return f"part {number[1]}"
        named = {"HEAD": "head", "DELETE": "abort", "PUT": "copy"}
        return named.get(request.method) or ("begin" if query == "uploads" else "end")

    def _head(self, request: HttpRequest) -> HttpResponse:
        asked = dict(request.headers).get("If-Match", self.etag)
        if self.heeds_conditions and asked != self.etag:
            return reply(412)
        return reply(200, headers=[*BESIDE, ("etag", self.etag), ("content-length", str(self.size))])

    def _copy(self, request: HttpRequest) -> HttpResponse:
        if self.refusal is not None:
            return failure(400, self.refusal)
        self.target = [range(self.size)]
        return reply(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")

    def _begin(self, request: HttpRequest) -> HttpResponse:
        self.uploads["u"] = {}
        content = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        return reply(200, content)

    def _part(self, request: HttpRequest) -> HttpResponse:
        headers = dict(request.headers)
        if self.heeds_conditions and headers["x-amz-copy-source-if-match"] != self.etag:
            return failure(412, "PreconditionFailed")
        number = int(self._what(request).partition(" ")[2])
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)", headers["x-amz-copy-source-range"]).groups()
        part = self.uploads["u"][number] = range(int(first), int(last) + 1)
        return reply(200, f"<CopyPartResult><ETag>{_etag_of(part)}</ETag></CopyPartResult>".encode())

    def _end(self, request: HttpRequest) -> HttpResponse:
        parts = self.uploads.pop("u")
        self.target = [parts[number] for number in sorted(parts)]
        return reply(200, b'<CompleteMultipartUploadResult><ETag>"joint"</ETag></CompleteMultipartUploadResult>')

    def _abort(self, request: HttpRequest) -> HttpResponse:
        self.uploads.pop("u", None)
        return reply(204)

    def headers_of(self, what: str) -> Iterator[dict[str, str]]:
        return (dict(one.headers) for one in self.transport.requests if self._what(one).startswith(what))


def _etag_of(part: range) -> str:
    return f'"{md5(repr(part).encode()).hexdigest()}"'.replace('"', "&quot;")


def accessor(bucket: Bucket, **options: int) -> S3Accessor:
    client = s3_client(
        S3Core(URL, "h", "bucket", None), None, bucket.transport, AsyncioRuntime(), lambda: datetime.now(UTC)
    )
    return S3Accessor(client, "/root/", **({"max_copy": 10 * MIB} | options))


async def copy(bucket: Bucket, **options: object) -> object:
    return await copied(accessor(bucket), "a b", "t", OpCopy(**{"chunk": 5 * MIB, **options}))


async def refused(bucket: Bucket, kind: type[Error], **options: object) -> Error:
    with pytest.raises(kind) as caught:
        await copy(bucket, **options)
    assert (type(caught.value), bucket.uploads, bucket.target) == (kind, {}, None)
    assert bucket.transport.open_bodies == 0
    return caught.value


def test_ranges_are_of_one_size_and_leave_no_gap() -> None:
    assert list(copy_ranges(12 * MIB, 5 * MIB)) == [
        range(5 * MIB),
        range(5 * MIB, 10 * MIB),
        range(10 * MIB, 12 * MIB),
    ]
    assert [len(one) for one in copy_ranges(3 * COPY_RANGE, None)] == [COPY_RANGE] * 3
    assert [len(one) for one in copy_ranges(5 * MIB, 1)] == [MIN_PART]
    assert [len(one) for one in copy_ranges(MAX_PART + 1, 99 * GIB)] == [MAX_PART, 1]


@pytest.mark.parametrize("chunk", [None, 1, 5 * MIB, MAX_PART])
@pytest.mark.parametrize("size", [MAX_PART + 1, 49 * GIB, 1280 * GIB + 1, MAX_TOTAL - 1, MAX_TOTAL])
def test_an_object_of_any_size_has_at_most_10000_ranges(size: int, chunk: int | None) -> None:
    ranges = list(copy_ranges(size, chunk))
    assert len(ranges) <= 10_000
    assert sum(len(one) for one in ranges) == size
    assert {len(one) for one in ranges[:-1]} <= {len(ranges[0])}
    assert MIN_PART <= len(ranges[0]) <= MAX_PART


async def test_what_is_not_refused_is_one_request() -> None:
    bucket = Bucket(refusal=None)
    await copy(bucket)
    assert bucket.asked == ["copy"]


@pytest.mark.parametrize("code", TOO_LARGE)
async def test_what_is_refused_as_too_large_is_copied_in_ranges(code: str) -> None:
    bucket = Bucket(refusal=code)
    made = await copy(bucket)
    assert (made.content_length, made.etag) == (12 * MIB, '"joint"')
    assert bucket.target == [range(5 * MIB), range(5 * MIB, 10 * MIB), range(10 * MIB, 12 * MIB)]
    assert bucket.asked == ["copy", "head", "begin", "part 1", "part 2", "part 3", "head", "end"]
    assert bucket.uploads == {}


@pytest.mark.parametrize("code", TOO_LARGE)
async def test_what_is_refused_for_another_reason_stays_refused(code: str) -> None:
    bucket = Bucket(10 * MIB, refusal=code)
    error = await refused(bucket, InvalidInput if code == "EntityTooLarge" else Unexpected)
    assert error.context["code"] == code
    assert bucket.asked == ["copy", "head"]


async def test_a_hint_saves_the_refused_request() -> None:
    bucket = Bucket()
    await copy(bucket, source_content_length_hint=12 * MIB)
    assert bucket.asked[:2] == ["head", "begin"]


async def test_a_wrong_hint_changes_nothing() -> None:
    small, large = Bucket(MIB, refusal=None), Bucket()
    await copy(small, source_content_length_hint=99 * GIB)
    await copy(large, source_content_length_hint=1)
    assert small.asked == ["head", "copy"]
    assert large.asked[:3] == ["copy", "head", "begin"]


async def test_by_default_one_request_copies_up_to_5_gib() -> None:
    assert MAX_COPY == 5 * GIB
    bucket = Bucket(5 * GIB + 1)
    one = S3Accessor(s3_client(S3Core(URL, "h", "bucket", None), None, bucket.transport, AsyncioRuntime()), "/")
    await copied(one, "a", "t", OpCopy(source_content_length_hint=5 * GIB + 1))
    assert bucket.asked.count("copy") == 0
    assert sum(map(len, bucket.target or ())) == 5 * GIB + 1
    assert len(bucket.target or ()) == 41


async def test_each_range_names_the_source_its_version_and_its_etag() -> None:
    bucket = Bucket()
    await copy(bucket, source_version="v/1")
    for index, headers in enumerate(bucket.headers_of("part")):
        assert headers["x-amz-copy-source"] == "/bucket/root/a%20b?versionId=v%2F1"
        assert headers["x-amz-copy-source-if-match"] == '"first"'
        assert headers["x-amz-copy-source-range"].startswith(f"bytes={index * 5 * MIB}-")
    heads = [one.url for one in bucket.transport.requests if one.method == "HEAD"]
    assert heads == [f"{URL}/root/a%20b?versionId=v%2F1"] * 2


async def test_what_is_stored_beside_the_source_is_told_at_the_beginning() -> None:
    bucket = Bucket()
    await copy(bucket)
    [headers] = bucket.headers_of("begin")
    assert {name: headers[name] for name, _ in BESIDE} == dict(BESIDE)
    assert set(headers) == {"Host", *dict(BESIDE)}


async def test_the_conditions_of_the_target_are_told_at_the_end_alone() -> None:
    bucket = Bucket()
    await copy(bucket, if_not_exists=True, if_match='"t"')
    [end], [begin] = bucket.headers_of("end"), bucket.headers_of("begin")
    assert (end["If-None-Match"], end["If-Match"]) == ("*", '"t"')
    assert not {"If-None-Match", "If-Match"} & set(begin)


async def test_no_more_ranges_are_in_flight_than_asked_for() -> None:
    bucket = Bucket(100 * MIB)
    running, most = 0, 0
    answer = bucket.answer

    async def count(request: HttpRequest) -> HttpResponse:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.001)
        try:
            return await answer(request)
        finally:
            running -= 1

    bucket.transport = MockTransport(count)
    await copy(bucket, concurrent=3)
    assert most == 3
    assert len(bucket.target or ()) == 20


@pytest.mark.parametrize("when", ["part 1", "part 2", "part 3"])
async def test_a_source_that_changes_meanwhile_is_no_splice(when: str) -> None:
    bucket = Bucket()
    bucket.on = {when: lambda: setattr(bucket, "etag", '"second"')}
    error = await refused(bucket, ConditionNotMatch)
    assert "the source changed while it was copied" in error.message
    assert bucket.asked[-1] == "abort"


async def test_a_server_that_ignores_the_condition_is_found_out_at_the_end() -> None:
    bucket = Bucket(heeds_conditions=False)
    bucket.on = {"part 2": lambda: setattr(bucket, "etag", '"second"')}
    error = await refused(bucket, ConditionNotMatch)
    assert "the source changed while it was copied" in error.message
    assert bucket.asked[-2:] == ["head", "abort"]


FAULTS = {
    "begin": (failure(503, "SlowDown"), RateLimited),
    "part 2": (failure(503, "SlowDown"), RateLimited),
    "part 3": (reply(200, b"<Error><Code>InternalError</Code></Error>"), Unexpected),
    "part 1": (reply(200, b"<CopyPartResult></CopyPartResult>"), Unexpected),
    "end": (reply(200, b"<Error><Code>PreconditionFailed</Code></Error>"), ConditionNotMatch),
}


@pytest.mark.parametrize("when", FAULTS)
async def test_a_copy_that_fails_leaves_no_upload(when: str) -> None:
    bucket = Bucket(on={when: lambda: FAULTS[when][0]})
    await refused(bucket, FAULTS[when][1])
    assert ("abort" in bucket.asked) is (when != "begin")


async def test_a_lost_reply_leaves_no_upload() -> None:
    def lose() -> HttpResponse:
        raise LOST

    error = await refused(Bucket(on={"part 2": lose}), Unexpected)
    assert error.is_temporary


def flaky(*responses: HttpResponse | None) -> Callable[[], HttpResponse | None]:
    """Responds so in this order, and then as usual."""
    left = list(responses)
    return lambda: left.pop(0) if left else None


def retried(bucket: Bucket) -> Accessor:
    return RetryLayer(min_delay=0).wrap(accessor(bucket), Context(runtime=AsyncioRuntime()))


async def test_an_abort_that_fails_for_the_moment_is_retried() -> None:
    denied = flaky(*[failure(403, "AccessDenied")] * 2)
    bucket = Bucket(on={"part 2": denied, "abort": flaky(failure(500, "InternalError"))})
    with pytest.raises(PermissionDenied):
        await copied(retried(bucket), "a b", "t", OpCopy(chunk=5 * MIB))
    assert bucket.asked[-2:] == ["abort", "abort"]
    assert bucket.uploads == {}


@pytest.mark.parametrize("when", ["copy", "head", "begin", "part 1", "part 3", "end"])
async def test_a_failed_step_is_retried_alone(when: str) -> None:
    bucket = Bucket(on={when: flaky(failure(500, "InternalError"), failure(500, "InternalError"))})
    made = await copied(retried(bucket), "a b", "t", OpCopy(chunk=5 * MIB))
    assert made.content_length == 12 * MIB
    usual = ["copy", "head", "begin", "part 1", "part 2", "part 3", "end"]
    repeated = {step: bucket.asked.count(step) for step in usual}
    assert repeated == dict.fromkeys(usual, 1) | {"head": 2} | {when: repeated[when]}  # compared once at the end
    assert repeated[when] == (4 if when == "head" else 3)  # a copy in ranges looks twice


async def test_a_copy_over_its_source_whose_completion_lost_its_response_is_recognized() -> None:
    bucket = Bucket()

    def complete_and_lose() -> HttpResponse | None:
        if not bucket.uploads:
            return failure(404, "NoSuchUpload")
        parts = bucket.uploads.pop("u").values()
        etags = b"".join(md5(repr(part).encode()).digest() for part in parts)
        bucket.etag = f'"{md5(etags).hexdigest()}-3"'
        raise LOST

    bucket.on = {"end": complete_and_lose}
    made = await copied(retried(bucket), "a b", "a b", OpCopy(chunk=5 * MIB, cache_control="no-cache"))
    assert made.etag == bucket.etag


async def test_a_copy_of_800_ranges_survives_one_error_in_200_requests() -> None:
    bucket = Bucket(800 * 5 * MIB)
    bucket.on = {f"part {number}": flaky(failure(500, "InternalError")) for number in range(1, 801, 200)}
    await copied(retried(bucket), "a b", "t", OpCopy(chunk=5 * MIB))
    assert len(bucket.target or ()) == 800
    assert sum(step.startswith("part") for step in bucket.asked) == 804
    assert bucket.asked.count("begin") == 1


@pytest.mark.parametrize("lost", [LOST, None], ids=["lost", "refused"])
async def test_a_conditional_copy_by_one_request_is_repeated_only_if_it_was_refused(lost: Error | None) -> None:
    def fail() -> HttpResponse | None:
        if lost is not None:
            raise lost
        return refusals()

    refusals = flaky(failure(503, "SlowDown"))
    bucket = Bucket(refusal=None, on={"copy": fail})
    copying = copied(retried(bucket), "a b", "t", OpCopy(if_not_exists=True))
    if lost is None:
        await copying
    else:
        with pytest.raises(Unexpected) as caught:
            await copying
        assert caught.value.context["may_have_taken_effect"] is True
    assert bucket.asked == (["copy"] if lost else ["copy", "copy"])


async def test_a_copy_that_ended_stays_so() -> None:
    bucket = Bucket()
    _, body = await accessor(bucket).copy("a b", "t", OpCopy(chunk=5 * MIB))
    assert [size async for size in steps(body)] == [0, 0, 12 * MIB]
    made = await body.close()
    assert (await body.close(), await body.next()) == (made, None)
    await body.abort()
    assert bucket.asked[-1] == "end"
    _, body = await accessor(Bucket()).copy("a b", "t", OpCopy())
    await body.abort()
    with pytest.raises(InvalidInput, match="aborted"):
        await body.next()
    with pytest.raises(InvalidInput, match="aborted"):
        await body.close()


async def steps(body: oio.Copy) -> AsyncIterator[int]:
    while (size := await body.next()) is not None:
        yield size


async def test_an_abort_that_fails_too_is_told_beside_the_cause() -> None:
    bucket = Bucket(on={"part 2": lambda: failure(503, "SlowDown"), "abort": lambda: failure(403, "AccessDenied")})
    with pytest.raises(RateLimited) as caught:
        await copy(bucket)
    assert "the copy could not be aborted: PermissionDenied" in caught.value.__notes__[0]


@pytest.mark.parametrize("when", ["begin", "part 1", "part 3", "end"])
async def test_a_copy_that_is_cancelled_leaves_no_upload_and_no_task(when: str) -> None:
    before = asyncio.all_tasks()
    bucket = Bucket()
    bucket.on = {when: lambda: task.cancel() and None}
    task = asyncio.ensure_future(copy(bucket))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bucket.uploads == {}
    assert bucket.asked[-1] == "abort"
    assert asyncio.all_tasks() == before


async def test_a_missing_source_is_not_found() -> None:
    bucket = Bucket(on={"head": lambda: reply(404)})
    await refused(bucket, NotFound, source_content_length_hint=12 * MIB)
    assert bucket.asked == ["head"]


async def test_a_source_whose_etag_is_not_told_is_not_copied_in_ranges() -> None:
    bucket = Bucket(on={"head": lambda: reply(200, headers=[("content-length", str(12 * MIB))])})
    await refused(bucket, Unexpected)
    assert bucket.asked == ["copy", "head"]


async def test_a_source_that_is_too_large_for_any_copy_is_refused() -> None:
    bucket = Bucket(MAX_TOTAL + 1)
    await refused(bucket, InvalidInput)
    assert bucket.asked == ["copy", "head"]


REPLACED = {"content_type": "text/csv", "user_metadata": {"size": "small"}}


async def test_metadata_that_is_replaced_is_stated_with_the_rest_of_it() -> None:
    bucket = Bucket(refusal=None)
    await copy(bucket, **REPLACED)
    assert bucket.asked == ["head", "copy"]
    [sent] = bucket.headers_of("copy")
    kept = {name: value for name, value in BESIDE if name not in {"content-type", "x-amz-meta-colour"}}
    assert sent.items() >= kept.items()
    assert (sent["Content-Type"], sent["x-amz-meta-size"]) == ("text/csv", "small")
    assert not {"content-type", "x-amz-meta-colour"} & set(sent)
    assert (sent["x-amz-metadata-directive"], sent["x-amz-copy-source-if-match"]) == ("REPLACE", '"first"')


async def test_metadata_is_replaced_in_ranges_too() -> None:
    bucket = Bucket()
    await copy(bucket, source_content_length_hint=12 * MIB, **REPLACED)
    [begin] = bucket.headers_of("begin")
    assert (begin["Content-Type"], begin["x-amz-meta-size"]) == ("text/csv", "small")
    assert not {"content-type", "x-amz-meta-colour"} & set(begin)
    assert begin["content-language"] == "de"


async def test_user_metadata_can_be_removed_by_a_copy() -> None:
    bucket = Bucket(refusal=None)
    await copy(bucket, user_metadata={})
    [sent] = bucket.headers_of("copy")
    assert not [name for name in sent if name.startswith("x-amz-meta-")]
    assert sent["x-amz-metadata-directive"] == "REPLACE"


async def test_tags_storage_class_and_access_control_are_stated_by_both_ways() -> None:
    small, large = Bucket(refusal=None), Bucket()
    options = {"tags": {"a b": "1"}, "storage_class": "GLACIER_IR", "acl": "private"}
    await copy(small, **options)
    await copy(large, source_content_length_hint=12 * MIB, **options)
    assert small.asked == ["copy"]
    for [sent] in (small.headers_of("copy"), large.headers_of("begin")):
        assert (sent["x-amz-tagging"], sent["x-amz-storage-class"]) == ("a%20b=1", "GLACIER_IR")
        assert sent["x-amz-acl"] == "private"
    [sent] = small.headers_of("copy")
    assert sent["x-amz-tagging-directive"] == "REPLACE"
    assert "x-amz-metadata-directive" not in sent


async def test_tags_can_be_removed_by_a_copy() -> None:
    bucket = Bucket(refusal=None)
    await copy(bucket, tags={})
    [sent] = bucket.headers_of("copy")
    assert sent["x-amz-tagging-directive"] == "REPLACE"
    assert "x-amz-tagging" not in sent
