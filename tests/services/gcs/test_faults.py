"""Failures of the storage and of the network, and what of them a caller sees."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    ContentIncomplete,
    DeletionsFailed,
    Error,
    InvalidInput,
    NotFound,
    Operator,
    PermissionDenied,
    RateLimited,
    Unexpected,
)
from entrepot.errors import ObjectExists
from entrepot.signing import GoogleToken
from entrepot.testing.scripted_server import ScriptedServer, whole_response
from entrepot.testing.servers.strict_gcs.json_api import Answer
from entrepot.testing.servers.strict_gcs.server import Fault

CONTENT = bytes(range(256)) * 4096  # 1 MiB


def is_media(call):
    return call.query.get("alt") == "media"


def is_upload(call):
    return call.path.startswith("/upload/")


def anything(call):
    return True


async def test_a_read_that_is_cut_is_an_error_alone_and_goes_on_with_retries(op, config, server):
    await op.write("a", CONTENT)
    server.faults += [Fault(is_media, cut=1000)] * 2
    with pytest.raises(ContentIncomplete) as caught:
        await op.read("a")
    assert caught.value.is_temporary
    assert await Operator(config).read("a") == CONTENT
    assert server.faults == []


async def test_a_read_that_goes_on_is_of_the_same_generation(op, config, server):
    first = await op.write("a", CONTENT)
    async with Operator(config).reader("a", read_ahead=0) as reader:
        assert await reader.read(10) == CONTENT[:10]
        await op.write("a", b"other")
        await reader.seek(500_000)
        with pytest.raises((NotFound, ConditionNotMatch)):
            await reader.read(10)
    asked = [call.query.get("generation") for call in server.calls if is_media(call)]
    assert asked[-1] == first.version


async def test_a_write_that_is_lost_before_it_arrived_publishes_nothing(op, server):
    server.faults.append(Fault(is_upload, answer=Answer(503), is_lost=True))
    with pytest.raises(Unexpected) as caught:
        await op.write("a", b"x")
    assert caught.value.is_temporary
    assert not await op.exists("a")


async def test_a_conditional_write_whose_response_was_lost_says_so(config, server):
    server.faults.append(Fault(is_upload, is_lost=True))
    writer = await Operator(config).writer("a", if_not_exists=True)
    await writer.write(b"x")
    with pytest.raises(Unexpected) as caught:
        await writer.close()
    assert caught.value.context["may_have_taken_effect"] is True
    with pytest.raises(ObjectExists, match="an earlier attempt, whose response was lost"):
        await writer.close()
    await writer.abort()


@pytest.mark.parametrize(
    ("answer", "kind", "facts"),
    [
        (Answer(429, {"Retry-After": "7"}), RateLimited, {"retry_after": 7.0}),
        (Answer(503, {"Retry-After": "3"}), Unexpected, {"retry_after": 3.0}),
        (Answer.of_json({"error": {"errors": [{"reason": "rateLimitExceeded"}]}}, 403), RateLimited, {}),
    ],
)
async def test_throttling_is_temporary(op, server, answer, kind, facts):
    server.faults.append(Fault(anything, answer=answer))
    with pytest.raises(kind) as caught:
        await op.stat("a")
    assert caught.value.is_temporary
    assert facts.items() <= caught.value.context.items()


@pytest.mark.parametrize(("status", "kind"), [(200, Unexpected), (403, PermissionDenied), (502, Unexpected)])
@pytest.mark.parametrize("content", [b"<html>Sign in</html>", b"[]", b"{", b'{"error": {"errors": {}}}'[:9]])
async def test_an_endpoint_that_is_not_one_is_a_typed_error(op, server, content, status, kind):
    for call in (op.stat("a"), op.write("a", b"x"), op.copy("a", "b"), op.list("a/")):
        server.faults.append(Fault(anything, answer=Answer(status, {"Content-Type": "text/html"}, content)))
        with pytest.raises(kind):
            await call
        server.faults.clear()


async def test_a_page_in_place_of_a_content_is_no_content(op, server):
    for part in ((0, None), (0, 5), (5, None)):
        server.faults.append(
            Fault(is_media, answer=Answer(200, {"Content-Type": "text/html"}, b"<html>Sign in</html>"))
        )
        with pytest.raises(Unexpected, match="is this its endpoint"):
            await op.read("a", range=part)


async def test_a_page_in_place_of_a_deletion_is_no_success(op, server):
    await op.write("a", b"1")
    server.faults.append(Fault(anything, answer=Answer(200, {"Content-Type": "text/html"}, b"\n<html>Sign in</html>")))
    with pytest.raises(Unexpected, match="is this its endpoint"):
        await op.delete("a")


async def test_wrong_credentials_are_refused(config):
    op = Operator(replace(config, token="wrong-token"), resilient=False)
    with pytest.raises(PermissionDenied) as caught:
        await op.stat("a")
    assert caught.value.context["credentials"] == "configuration"
    assert "wrong-token" not in repr(caught.value) + str(caught.value)
    assert caught.value.refuses_credentials


async def test_an_object_that_is_not_public_says_nothing_about_the_others(config, server):
    op = Operator(replace(config, token=None, skip_signature=True), resilient=False)
    for call in (op.stat("a"), op.read("a"), op.write("a", b"x"), op.delete("a")):
        with pytest.raises(PermissionDenied, match="wants credentials") as caught:
            await call
        assert not caught.value.refuses_credentials


async def test_a_missing_bucket_is_a_wrong_configuration(config):
    op = Operator(replace(config, bucket="missing"), resilient=False)
    for call in (op.stat("a"), op.read("a"), op.write("a", b"x"), op.list("/"), op.delete("a")):
        with pytest.raises(ConfigInvalid, match="there is no bucket 'missing'"):
            await call


async def test_a_refused_token_is_replaced_once_for_all_requests(config, server):
    loads = []

    async def load():
        loads.append(1)
        token = server.access.give_out()
        return GoogleToken(token, datetime.now(UTC) + timedelta(hours=1), "test")

    op = Operator(replace(config, token=None, credentials=load))
    await op.write("a", b"1")
    server.access.revoke()
    assert await op.read("a") == b"1"
    server.access.revoke()
    await op.write("b", b"2")
    assert len(loads) == 3


async def test_a_token_that_stays_refused_is_not_replaced_for_ever(config, server):
    async def load():
        return GoogleToken("never-valid")

    op = Operator(replace(config, token=None, credentials=load))
    with pytest.raises(PermissionDenied):
        await op.stat("a")
    assert len(server.calls) == 1  # an equal token is not sent again


async def test_credentials_go_to_no_other_host(op, server):
    with ScriptedServer(lambda _: [whole_response(b"{}")]) as other:
        server.faults.append(Fault(anything, answer=Answer(307, {"Location": f"{other.endpoint}/elsewhere"})))
        with pytest.raises(Unexpected) as caught:
            await op.stat("a")
        assert caught.value.context["status"] == 307
        assert (len(server.calls), other.requests) == (1, [])


@pytest.mark.parametrize("name", ["x" * 1025, ".well-known/acme-challenge/a", "..", "."])
async def test_names_that_the_storage_cannot_have_are_refused_before_a_request(config, server, name):
    op = Operator(replace(config, root="/"), resilient=False)
    for call in (op.stat(name), op.write(name, b"x"), op.read(name), op.delete(name)):
        with pytest.raises(InvalidInput):
            await call
    with pytest.raises(DeletionsFailed) as caught:
        await op.delete_many([name])
    assert [failure.kind for failure in caught.value.failures] == ["InvalidInput"]
    assert server.calls == []


async def test_a_reader_states_user_metadata_by_one_more_request(op, server):
    await op.write("a", b"content", user_metadata={"k": "v"})
    async with op.reader("a") as reader:
        assert await reader.read() == b"content"
        sent = len(server.calls)
        assert [dict((await reader.metadata()).user_metadata) for _ in range(2)] == [{"k": "v"}] * 2
        assert len(server.calls) == sent + 1


async def test_a_gzipped_object_is_read_as_it_is_stored(op):
    import gzip

    stored = gzip.compress(b"content" * 100)
    await op.write("a.gz", stored, content_encoding="gzip")
    assert await op.read("a.gz") == stored
    assert await op.read("a.gz", range=(3, 9)) == stored[3:9]


async def test_content_that_was_compressed_on_its_way_is_not_taken_for_the_stored_one(op, server):
    headers = {"x-goog-generation": "1", "x-goog-stored-content-encoding": "identity", "Content-Encoding": "gzip"}
    server.faults.append(Fault(is_media, answer=Answer(200, headers, b"gzipped")))
    with pytest.raises(Unexpected, match="compressed on its way"):
        await op.read("a")


async def test_damaged_content_is_found_out(op, server):
    await op.write("a", b"right")
    found = server._buckets[server.bucket].get("root/a")
    answer = Answer(200, {"x-goog-generation": "1", "x-goog-hash": f"crc32c={found.crc32c}"}, b"wrong")
    server.faults.append(Fault(is_media, answer=answer))
    with pytest.raises(Error, match="crc32c"):
        await op.read("a")


async def test_deletions_fall_back_where_there_are_no_batches(op, server):
    await op.write("a", b"1")
    await op.write("b", b"2")
    server.faults.append(Fault(lambda call: call.path.startswith("/batch"), answer=Answer(404)))
    await op.delete_many(["a", "b", "missing"])
    assert [entry.path for entry in await op.list("/", recursive=True)] == ["/"]


async def test_failed_deletions_of_a_batch_are_named(op, server):
    parts = (
        b"--x\r\nContent-Type: application/http\r\nContent-ID: <response-1>\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n{}\r\n"
        b"--x\r\nContent-Type: application/http\r\nContent-ID: <response-0>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n"
        b"--x--\r\n"
    )
    for content, kind in ((parts, PermissionDenied), (b"--x--", Unexpected), (b"", Unexpected)):
        answer = Answer(200, {"Content-Type": "multipart/mixed; boundary=x"}, content)
        server.faults.append(Fault(lambda call: call.path.startswith("/batch"), answer=answer))
        with pytest.raises(Error) as caught:
            await op.delete_many(["a", "b"])
        error = caught.value
        failed = error.failures[0] if isinstance(error, DeletionsFailed) else error
        assert isinstance(failed, kind)


async def test_two_stores_with_one_bucket_share_copies(config, server):
    other = Operator(replace(config, root="/other"), resilient=False)
    await Operator(config).write("a", b"content", user_metadata={"k": "v"})
    await Operator(config).copy_to(other, "a", "b")
    assert (await other.stat("b")).user_metadata == {"k": "v"}
    assert any("rewriteTo" in call.path for call in server.calls)
