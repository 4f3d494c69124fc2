"""Listing and aborting uploads in parts: what is sent, and what the replies mean."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from entrepot import ConfigInvalid, DeletionsFailed, Error, InvalidInput, Operator, PermissionDenied, Unexpected, Upload
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.services import S3
from entrepot.testing.transport import MockTransport, reply

URL = "http://h/bucket"
CONFIG = S3("bucket", root="/root", endpoint="http://h", skip_signature=True)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DATE = "Thu, 01 Jan 2026 12:00:00 GMT"
HOUR = timedelta(hours=1)


def page(*uploads: tuple[str, str, str], then: str = "", date: str = DATE) -> HttpResponse:
    rows = "".join(
        f"<Upload><Key>{key}</Key><UploadId>{upload}</UploadId><Initiated>{begun}</Initiated>"
        "<Owner><ID>me</ID></Owner></Upload>"
        for key, upload, begun in uploads
    )
    more = f"<IsTruncated>true</IsTruncated>{then}" if then else "<IsTruncated>false</IsTruncated>"
    content = f"<ListMultipartUploadsResult><EncodingType>url</EncodingType>{more}{rows}</ListMultipartUploadsResult>"
    return reply(200, content.encode(), [("date", date)] if date else [])


def malformed() -> HttpResponse:
    return reply(
        200, b"<ListMultipartUploadsResult><Upload><Key>root/a&#x1;</Key></Upload></ListMultipartUploadsResult>"
    )


def script(*answers: HttpResponse) -> tuple[Operator, MockTransport]:
    left = list(answers)
    transport = MockTransport(lambda request: left.pop(0))
    return Operator(CONFIG, context=Context(http=transport), resilient=False), transport


def asked(transport: MockTransport) -> list[str]:
    return [f"{one.method} {one.url.removeprefix(URL)}" for one in transport.requests]


def begun(minutes: int) -> str:
    return (NOON - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.mark.parametrize(
    ("path", "prefix", "expected"),
    [
        ("/", "root%2F", ["a b+c", "d/", "/"]),
        ("a", "root%2Fa", ["a b+c"]),
        ("d/", "root%2Fd%2F", ["d/"]),
    ],
)
async def test_only_what_begins_with_the_path_is_listed(path: str, prefix: str, expected: list[str]) -> None:
    """Also where the server gives more, and what no path leads to is left out."""
    told = [(key, "u", begun(5)) for key in ("root/a%20b%2Bc", "root/d/", "root/", "root//x", "rooted", "other/a")]
    op, transport = script(page(*told))
    assert [one.path for one in await op.list_uploads(path)] == expected
    assert asked(transport) == [f"GET ?uploads&prefix={prefix}"]


async def test_an_upload_says_what_the_storage_says_of_it() -> None:
    op, _ = script(page(("root/a", "u/1", begun(5)), ("root/b", "u2", "nonsense")))
    assert await op.list_uploads() == [Upload("a", "u/1", NOON - timedelta(minutes=5)), Upload("b", "u2", None)]


async def test_pages_are_asked_for_by_key_and_id() -> None:
    then = "<NextKeyMarker>root/a%2Bb</NextKeyMarker><NextUploadIdMarker>u1</NextUploadIdMarker>"
    op, transport = script(page(("root/a%2Bb", "u1", begun(5)), then=then), page(("root/c", "u2", begun(5))))
    assert [one.id for one in await op.list_uploads()] == ["u1", "u2"]
    assert asked(transport)[1].endswith("&key-marker=root%2Fa%2Bb&upload-id-marker=u1")


async def test_a_key_that_xml_cannot_write_is_asked_for_encoded() -> None:
    op, transport = script(malformed(), page(("root/a%01", "u1", begun(5))))
    assert [one.path for one in await op.list_uploads()] == ["a\x01"]
    assert asked(transport) == ["GET ?uploads&prefix=root%2F", "GET ?uploads&encoding-type=url&prefix=root%2F"]


async def test_what_fails_is_not_asked_for_again() -> None:
    for answer in (reply(503), reply(200, b"<Error><Code>InternalError</Code></Error>")):
        op, transport = script(answer)
        with pytest.raises(Unexpected):
            await op.list_uploads()
        assert len(transport.requests) == 1


async def test_without_a_marker_the_listing_goes_on_behind_the_last_upload() -> None:
    op, transport = script(page(("root/a", "u1", begun(5)), then=" "), page(("root/c", "u2", begun(5))))
    assert len(await op.list_uploads()) == 2
    assert asked(transport)[1].endswith("&key-marker=root%2Fa&upload-id-marker=u1")


async def test_a_storage_that_does_not_say_how_to_go_on_is_an_error() -> None:
    op, _ = script(page(then=" "), page(then=" "))
    with pytest.raises(Unexpected, match="does not state"):
        await op.list_uploads()


@pytest.mark.parametrize("period", [1, 3])
async def test_markers_that_come_round_again_end_the_listing(period: int) -> None:
    turns = iter(range(100))

    def answer(request: HttpRequest) -> HttpResponse:
        return page(then=f"<NextKeyMarker>root/{next(turns) % period}</NextKeyMarker>")

    transport = MockTransport(answer)
    with pytest.raises(Unexpected, match="listed before") as caught:
        await Operator(CONFIG, context=Context(http=transport), resilient=False).list_uploads("a/")
    assert (caught.value.operation, caught.value.path, caught.value.scheme) == ("list_uploads", "a/", "s3")
    assert len(transport.requests) == period + 1


BROKEN = {
    "no key": b"<ListMultipartUploadsResult><Upload><UploadId>u</UploadId></Upload></ListMultipartUploadsResult>",
    "no id": b"<ListMultipartUploadsResult><Upload><Key>root/a</Key></Upload></ListMultipartUploadsResult>",
    "another reply": b"<ListBucketResult></ListBucketResult>",
    "an error inside 200": b"<Error><Code>InternalError</Code></Error>",
    "no XML": b"nonsense",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
async def test_a_reply_that_makes_no_sense_is_an_error(content: bytes) -> None:
    op, transport = script(reply(200, content), reply(200, content))
    with pytest.raises(Unexpected) as caught:
        await op.list_uploads()
    assert (caught.value.operation, caught.value.path) == ("list_uploads", "/")
    assert transport.open_bodies == 0


async def test_what_is_old_is_told_by_the_clock_of_the_storage() -> None:
    told = [("root/a", "u1", begun(59)), ("root/b", "u2", begun(61)), ("root/c", "u3", "nonsense")]
    op, _ = script(page(*told), page(*told, date=""))
    assert [one.id for one in await op.list_uploads(older_than=HOUR)] == ["u2"]
    ours = datetime.now(UTC) - NOON  # without the storage's, ours counts
    expected = ["u1", "u2"] if ours > HOUR else []
    assert [one.id for one in await op.list_uploads(older_than=HOUR)] == expected


async def test_only_what_is_old_is_aborted() -> None:
    told = [("root/a%20b", "u1", begun(120)), ("root/c", "u2", begun(60)), ("root/d", "u3", begun(1))]
    op, transport = script(page(*told), reply(204))
    assert await op.abort_uploads("/", older_than=HOUR) == [Upload("a b", "u1", NOON - 2 * HOUR)]
    assert asked(transport)[1:] == ["DELETE /root/a%20b?uploadId=u1"]


async def test_the_age_of_zero_is_all_whose_age_is_known() -> None:
    told = [("root/a", "u1", begun(120)), ("root/c", "u2", begun(0)), ("root/d", "u3", "nonsense")]
    op, _ = script(page(*told), reply(204), reply(204))
    assert [one.id for one in await op.abort_uploads("/", older_than=timedelta())] == ["u1", "u2"]


async def test_what_is_gone_meanwhile_is_aborted_already() -> None:
    gone = reply(404, b"<Error><Code>NoSuchUpload</Code></Error>")
    op, _ = script(page(("root/a", "u1", begun(120))), gone)
    assert len(await op.abort_uploads("/", older_than=HOUR)) == 1


async def test_some_that_fail_leave_the_others_aborted_and_are_named() -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        if request.method == "GET":
            return page(*((f"root/{name}", f"u{name}", begun(120)) for name in "abc"))
        return reply(403 if request.url.endswith("ub") else 204)

    transport = MockTransport(answer)
    with pytest.raises(DeletionsFailed) as caught:
        await Operator(CONFIG, context=Context(http=transport), resilient=False).abort_uploads("/", older_than=HOUR)
    [failure] = caught.value.failures
    assert (type(failure), failure.path, failure.context["upload"]) == (PermissionDenied, "b", "ub")
    assert (caught.value.operation, caught.value.path) == ("abort_uploads", "/")
    assert sum(one.method == "DELETE" for one in transport.requests) == 3


def calls(op: Operator) -> Iterable[object]:
    for age in (5, None, "1h", timedelta(seconds=-1)):
        yield op.abort_uploads("/", older_than=age)
        if age is not None:
            yield op.list_uploads("/", older_than=age)
    yield op.abort_uploads("/", older_than=HOUR, concurrent=0)


async def test_what_cannot_be_an_age_is_refused_before_anything_is_sent() -> None:
    op, transport = script()
    for call in calls(op):
        with pytest.raises(InvalidInput) as caught:
            await call
        assert caught.value.operation in {"abort_uploads", "list_uploads"}
    with pytest.raises(TypeError):
        op.abort_uploads("/")
    assert transport.requests == []


@pytest.mark.parametrize(("status", "kind"), [(403, PermissionDenied), (404, ConfigInvalid)])
async def test_a_listing_that_is_refused_aborts_nothing(status: int, kind: type[Error]) -> None:
    op, transport = script(reply(status))
    with pytest.raises(kind):
        await op.abort_uploads("a/", older_than=HOUR)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("uploads", [(), (("root/a", "u1", "2026-01-01T11:00:00Z"),)], ids=["empty", "the same"])
async def test_pages_without_anything_new_end_in_an_error(uploads: tuple[tuple[str, str, str], ...]) -> None:
    numbers = itertools.count()
    transport = MockTransport(lambda _: page(*uploads, then=f"<NextKeyMarker>k{next(numbers)}</NextKeyMarker>"))
    with pytest.raises(Unexpected) as caught:
        await Operator(CONFIG, context=Context(http=transport)).list_uploads()
    assert (caught.value.operation, caught.value.path) == ("list_uploads", "/")
    assert len(transport.requests) <= 1_002
