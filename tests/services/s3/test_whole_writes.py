"""A write at once sends what a body sends, and has its results and errors, also when it is repeated."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from entrepot.errors import Error, InvalidInput, ObjectExists, Unexpected
from entrepot.raw import DEFAULT_WRITE, Accessor, Context, OpWrite
from entrepot.raw.http import HttpRequest, HttpResponse
from entrepot.services import S3
from entrepot.testing.transport import MockTransport, reply

Ask = Callable[[], HttpResponse]
CONTENT = b"0123456789"
STORED = [("ETag", '"1"'), ("x-amz-version-id", "v1")]
VARYING = {"authorization", "x-amz-date"}
OPTIONS = {
    "none": OpWrite(),
    "default": DEFAULT_WRITE,
    "metadata": OpWrite(content_type="text/plain", cache_control="no-store", user_metadata={"Owner": "me"}),
    "tags and class": OpWrite(tags={"a b": "ü"}, storage_class="STANDARD_IA", acl="private"),
    "lock": OpWrite(retain_until=datetime(2030, 1, 1, tzinfo=UTC), legal_hold=True),
    "new": OpWrite(if_not_exists=True),
    "in place": OpWrite(if_match='"0"'),
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "checksum": {"checksum_algorithm": "crc32"},
    "unsigned": {"unsigned_payload": True, "headers": {"x-own": "1"}},
    "encrypted": {"server_side_encryption": "AES256", "default_acl": "private"},
    "no keys": {"skip_signature": True},
}


def lost() -> HttpResponse:
    raise Unexpected("the connection broke", is_temporary=True)


ANSWERS: dict[str, list[Ask]] = {
    "stored": [lambda: reply(200, headers=STORED)],
    "an error in a success": [lambda: reply(200, b"<Error><Code>InternalError</Code></Error>")],
    "refused": [lambda: reply(412, b"<Error><Code>PreconditionFailed</Code></Error>")],
    "no object": [lambda: reply(404, b"<Error><Code>NoSuchKey</Code></Error>")],
    "conflict": [lambda: reply(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")],
    "denied": [lambda: reply(403, b"<Error><Code>AccessDenied</Code></Error>")],
    "lost, then stored": [lost, lambda: reply(200, headers=STORED)],
    "lost, then refused": [lost, lambda: reply(412, b"<Error><Code>PreconditionFailed</Code></Error>")],
    "busy, then refused": [lambda: reply(503), lambda: reply(412)],
    "denied, then refused": [lambda: reply(403), lambda: reply(412)],
    "slow down, then refused": [lambda: reply(503, b"<Error><Code>SlowDown</Code></Error>"), lambda: reply(412)],
}


def service(transport: MockTransport, options: dict[str, Any]) -> Accessor:
    keys = {} if options.get("skip_signature") else {"access_key_id": "AK", "secret_access_key": "SK"}
    config = S3(bucket="b", endpoint="http://127.0.0.1:9", region="r", disable_config_load=True, **keys, **options)
    return config.build(Context(http=transport))


async def by_body(accessor: Accessor, args: OpWrite) -> list[Any]:
    _, body = await accessor.write("a", args)
    await body.write(CONTENT)
    return [await outcome(body.close) for _ in range(2)]


async def at_once(accessor: Accessor, args: OpWrite) -> list[Any]:
    stored = await accessor.write_whole("a", CONTENT, args)
    if not isinstance(stored, tuple):
        return [stored, stored]
    body = stored[1]
    failure = await outcome(body.close)
    await body.write(CONTENT)
    return [failure, await outcome(body.close)]


async def outcome(call: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await call()
    except Error as error:
        return type(error), str(error), error.is_temporary, error.context


async def results(
    write: Callable[[Accessor, OpWrite], Awaitable[Any]], options: dict[str, Any], args: OpWrite, answers: list[Ask]
) -> Any:
    given = iter(answers)
    transport = MockTransport(lambda _: next(given, answers[-1])())
    found = await write(service(transport, options), args)
    assert transport.open_bodies == 0
    return found, [sent(request) for request in transport.requests], transport.bodies


def sent(request: HttpRequest) -> Any:
    return request.method, request.url, [header for header in request.headers if header[0].lower() not in VARYING]


@pytest.mark.parametrize("option", OPTIONS)
async def test_every_answer_means_the_same(option: str) -> None:
    for name, answers in ANSWERS.items():
        expected = await results(by_body, {}, OPTIONS[option], answers)
        assert await results(at_once, {}, OPTIONS[option], answers) == expected, name


@pytest.mark.parametrize(
    ("first", "is_unsure"),
    [
        (lambda: reply(429), False),
        (lambda: reply(503, b"<Error><Code>SlowDown</Code></Error>"), False),
        (lambda: reply(503, headers=[("Retry-After", "1")]), False),
        (lambda: reply(503, b"<html>upstream connect error</html>"), True),  # a proxy's
        (lambda: reply(503, b"<Error><Code>InternalError</Code></Error>"), True),
        (lambda: reply(500), True),
        (lost, True),
    ],
)
async def test_a_condition_that_does_not_hold_later_is_in_doubt_unless_nothing_was_done(
    first: Ask, is_unsure: bool
) -> None:
    (_, second), *_ = await results(by_body, {}, OPTIONS["new"], [first, lambda: reply(412)])
    assert second[0] is ObjectExists
    assert ("an earlier attempt" in second[1]) is is_unsure
    assert second[3].get("may_have_taken_effect", False) is is_unsure


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
async def test_every_configuration_sends_the_same(configuration: str) -> None:
    for args in OPTIONS.values():
        expected = await results(by_body, CONFIGURATIONS[configuration], args, ANSWERS["stored"])
        assert await results(at_once, CONFIGURATIONS[configuration], args, ANSWERS["stored"]) == expected


async def test_long_data_and_appends_get_a_body_and_send_nothing() -> None:
    transport = MockTransport(lambda _: reply(200, headers=STORED))
    accessor = service(transport, {})
    for size, args in ((6 * 1024**2, OpWrite(chunk=5 * 1024**2)), (1, OpWrite(append=True))):
        assert isinstance(await accessor.write_whole("a", bytes(size), args), tuple)
    assert not isinstance(await accessor.write_whole("a", bytes(6 * 1024**2), OpWrite()), tuple)
    assert [request.method for request in transport.requests] == ["PUT"]


@pytest.mark.parametrize("data", [bytearray(CONTENT), memoryview(CONTENT)])
async def test_any_buffer_is_stored(data: bytearray | memoryview) -> None:
    transport = MockTransport(lambda _: reply(200, headers=STORED))
    metadata = await service(transport, {"checksum_algorithm": "crc32"}).write_whole("a", data, OpWrite())
    assert not isinstance(metadata, tuple)
    assert (metadata.content_length, metadata.etag, metadata.version) == (10, '"1"', "v1")
    assert transport.bodies == [CONTENT]


async def test_a_bad_value_is_refused_before_anything_is_sent() -> None:
    transport = MockTransport(lambda _: reply(200))
    with pytest.raises(InvalidInput):
        await service(transport, {}).write_whole("a", CONTENT, OpWrite(content_type="ü"))
    assert transport.requests == []
