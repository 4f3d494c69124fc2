"""Versions that the storage refuses: what it says of them, and how that is found out."""

from collections.abc import Awaitable, Callable

import pytest

from entrepot import (
    DeletionsFailed,
    Entry,
    Error,
    InvalidInput,
    Metadata,
    NotFound,
    Operator,
    PermissionDenied,
    Unexpected,
)
from entrepot.raw import Context
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.services import S3
from entrepot.testing.transport import MockTransport, reply

CONFIG = S3("b", endpoint="http://h", region="r", access_key_id="k", secret_access_key="s")
Call = Callable[[Operator], Awaitable[object]]


def refusing(status: int, code: str) -> MockTransport:
    """A server that refuses everything, and to a HEAD does not say why."""

    def answer(request: HttpRequest) -> HttpResponse:
        content = f"<Error><Code>{code}</Code><Message>words</Message></Error>".encode()
        return reply(status, b"" if request.method == "HEAD" else content)

    return MockTransport(answer)


def asked(transport: MockTransport) -> list[tuple[str, str, str | None]]:
    return [(one.method, one.url, dict(one.headers).get("Range")) for one in transport.requests]


HEAD = ("HEAD", "http://h/b/p?versionId=v", None)
GET = ("GET", "http://h/b/p?versionId=v", "bytes=0-0")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "InvalidArgument", InvalidInput),
        (400, "InvalidRequest", InvalidInput),
        (400, "ExpiredToken", PermissionDenied),
        (400, "SomethingElse", Unexpected),
    ],
)
async def test_what_a_head_does_not_say_of_a_version_a_read_is_asked(status: int, code: str, kind: type[Error]) -> None:
    transport = refusing(status, code)
    with pytest.raises(kind) as caught:
        await Operator(CONFIG, context=Context(http=transport), resilient=False).stat("p", version="v")
    error = caught.value
    assert (type(error), error.operation, error.path, error.context["code"]) == (kind, "stat", "p", code)
    assert asked(transport) == [HEAD, GET]
    assert transport.open_bodies == 0


async def test_the_refusal_stays_where_a_read_is_not_refused() -> None:
    headers = [("content-range", "bytes 0-0/1")]
    transport = MockTransport(
        lambda request: reply(400) if request.method == "HEAD" else reply(206, b"x", headers),
    )
    with pytest.raises(Unexpected) as caught:
        await Operator(CONFIG, context=Context(http=transport), resilient=False).stat("p", version="v")
    assert (caught.value.operation, caught.value.context["status"]) == ("stat", 400)
    assert asked(transport) == [HEAD, GET]
    assert transport.open_bodies == 0


@pytest.mark.parametrize(("status", "version"), [(400, None), (412, "v"), (403, "v"), (500, "v")])
async def test_nothing_more_is_asked_where_it_is_not_about_the_version(status: int, version: str | None) -> None:
    transport = refusing(status, "InvalidArgument")
    with pytest.raises(Error):
        await Operator(CONFIG, context=Context(http=transport), resilient=False).stat("p", version=version)
    assert [method for method, *_ in asked(transport)] == ["HEAD"]


@pytest.mark.parametrize(
    ("operation", "with_version", "without"),
    [
        ("read", lambda op: op.read("p", version="v"), lambda op: op.read("p")),
        ("delete", lambda op: op.delete("p", version="v"), lambda op: op.delete("p")),
    ],
)
async def test_an_invalid_request_is_about_the_version_where_there_is_one(
    operation: str, with_version: Call, without: Call
) -> None:
    for call, kind in ((with_version, InvalidInput), (without, Unexpected)):
        with pytest.raises(kind) as caught:
            await call(Operator(CONFIG, context=Context(http=refusing(400, "InvalidRequest")), resilient=False))
        error = caught.value
        named = (type(error), error.operation, error.path, error.context["status"])
        assert named == (kind, operation, "p", 400)


async def test_of_many_deletions_each_says_what_is_wrong_with_its_version() -> None:
    rows = "".join(
        f"<Error><Key>{key}</Key><VersionId>v</VersionId><Code>InvalidRequest</Code></Error>" for key in ("p", "q")
    )
    transport = MockTransport(lambda request: reply(200, f"<DeleteResult>{rows}</DeleteResult>".encode()))
    entries = [Entry(path, Metadata(version="v")) for path in ("p", "q")]
    with pytest.raises(DeletionsFailed) as caught:
        await Operator(CONFIG, context=Context(http=transport), resilient=False).delete_many(entries)
    assert [(one.kind, one.path, one.context["version"]) for one in caught.value.failures] == [
        ("InvalidInput", "p", "v"),
        ("InvalidInput", "q", "v"),
    ]


async def test_the_version_of_another_object_is_not_found() -> None:
    transport = refusing(404, "NoSuchVersion")
    with pytest.raises(NotFound, match="no such version") as caught:
        await Operator(CONFIG, context=Context(http=transport), resilient=False).copy("p", "q", source_version="v")
    assert (caught.value.operation, caught.value.path) == ("copy", "p")
