"""Long writes: resumable uploads and multipart uploads, whose steps fail one after the other."""

from dataclasses import replace

import pytest

from entrepot import ConditionNotMatch, ContentIncomplete, Operator, Unexpected
from entrepot.errors import ObjectExists
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services.gcs.resumable import CHUNK_UNIT
from entrepot.services.gcs.uploads import listed_uploads
from entrepot.testing.servers.strict_gcs.json_api import UNIT, Answer
from entrepot.testing.servers.strict_gcs.server import Fault

CHUNK = CHUNK_UNIT * 2
CONTENT = bytes(range(256)) * 4096 + b"end"  # two chunks, and a bit
PART = 5 * 1024 * 1024
LONG = bytes(range(256)) * (2 * 20 * 1024 + 1)  # two parts, and a bit


def is_chunk(call):
    return call.method == "PUT" and "upload_id" in call.query


def is_completion(call):
    return call.method == "POST" and "uploadId" in call.query


@pytest.fixture
def parts(config):
    """Sends long contents in parts."""
    return Operator(replace(config, xml_uploads=True), resilient=False)


async def test_content_of_chunks_is_stored_as_one_object_with_its_metadata(op, server):
    written = await op.write("a", CONTENT, chunk=CHUNK, content_type="text/x", user_metadata={"k": "v"})
    assert await op.read("a") == CONTENT
    found = await op.stat("a")
    assert (found.content_type, dict(found.user_metadata), found.version) == ("text/x", {"k": "v"}, written.version)
    assert [len(call.content) for call in server.calls if is_chunk(call)] == [CHUNK, CHUNK, len(CONTENT) - 2 * CHUNK]
    assert CHUNK % CHUNK_UNIT == 0 == UNIT % CHUNK_UNIT


@pytest.mark.parametrize("location", ["https://[/upload?upload_id=1", "/upload", ""])
async def test_a_session_without_a_url_is_started_again(op, server, location):
    def is_start(call):
        return call.query.get("uploadType") == "resumable"

    server.faults.append(Fault(is_start, answer=Answer(200, {"Location": location})))
    with pytest.raises(Unexpected, match="no URL for the upload") as caught:
        await op.write("a", CONTENT, chunk=CHUNK)
    assert caught.value.is_temporary


async def test_bytes_that_the_storage_did_not_keep_are_sent_again(op, server):
    server.json.keeps = lambda size: size // 2
    await op.write("a", CONTENT, chunk=CHUNK)
    assert await op.read("a") == CONTENT


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_chunk_whose_response_was_lost_is_asked_for(config, server, number, is_kept):
    seen = iter(range(10))
    lost = None if is_kept else Answer(503)
    server.faults.append(Fault(lambda call: is_chunk(call) and next(seen) == number, answer=lost, is_lost=True))
    await Operator(config).write("a", CONTENT, chunk=CHUNK)
    assert await Operator(config).read("a") == CONTENT
    assert server.faults == []
    assert any(call.headers.get("content-range") == "bytes */*" for call in server.calls)


async def test_an_upload_that_is_lost_at_its_start_starts_again(config, server):
    server.faults.append(Fault(is_chunk, answer=Answer(404)))
    await Operator(config).write("a", CONTENT, chunk=CHUNK)
    assert await Operator(config).read("a") == CONTENT


async def test_an_upload_that_is_lost_later_must_be_written_again(config, server):
    seen = iter(range(10))
    server.faults.append(Fault(lambda call: is_chunk(call) and next(seen) == 1, answer=Answer(410)))
    with pytest.raises(Unexpected, match="write the whole object again"):
        await Operator(config).write("a", CONTENT, chunk=CHUNK)
    assert not await Operator(config).exists("a")


async def test_the_condition_holds_at_the_end_too(op):
    writer = await op.writer("a", chunk=CHUNK, if_not_exists=True)
    await writer.write(CONTENT)
    await writer.write(b"more")
    await op.write("a", b"of another")
    with pytest.raises(ObjectExists):
        await writer.close()
    await writer.abort()
    assert await op.read("a") == b"of another"


@pytest.mark.parametrize("size", [10, len(CONTENT)])
async def test_if_match_is_of_the_generation_that_had_the_etag(op, server, size):
    first = await op.write("a", b"first")
    second = await op.write("a", CONTENT[:size], chunk=CHUNK, if_match=first.etag)
    with pytest.raises(ConditionNotMatch):
        await op.write("a", CONTENT[:size], chunk=CHUNK, if_match=first.etag)
    assert (await op.stat("a")).version == second.version
    with pytest.raises(ConditionNotMatch, match="there is no object"):
        await op.write("missing", b"x", if_match=first.etag)
    await op.write("a", b"x", if_match="*")
    with pytest.raises(ConditionNotMatch):
        await op.write("missing", b"x", if_match="*")


async def test_an_aborted_upload_is_dropped(op, server):
    writer = await op.writer("a", chunk=CHUNK)
    await writer.write(CONTENT)
    await writer.write(b"more")
    await writer.abort()
    assert server.calls[-1].method == "DELETE"
    assert not await op.exists("a")


async def test_parts_are_joined_and_described_as_the_json_api_does(parts, server):
    written = await parts.write("a", LONG, chunk=PART, content_type="text/x", user_metadata={"k": "v"})
    assert await parts.read("a") == LONG
    found = await parts.stat("a")
    assert (found.etag, found.version, found.content_type) == (written.etag, written.version, "text/x")
    assert found.content_md5 is None
    assert sum("partNumber" in call.query for call in server.calls) == 3


async def test_content_under_a_condition_is_not_sent_in_parts(parts, server):
    await parts.write("a", LONG, chunk=PART, if_not_exists=True)
    with pytest.raises(ObjectExists):
        await parts.write("a", LONG, chunk=PART, if_not_exists=True)
    assert not any("partNumber" in call.query for call in server.calls)


async def test_a_part_that_failed_is_sent_again(config, server):
    server.faults.append(Fault(lambda call: "partNumber" in call.query, answer=Answer(503)))
    op = Operator(replace(config, xml_uploads=True))
    await op.write("a", LONG, chunk=PART)
    assert await op.read("a") == LONG


async def test_a_completion_whose_response_was_lost_may_have_taken_effect(config, server):
    server.faults.append(Fault(is_completion, is_lost=True))
    with pytest.raises(Unexpected, match="may have stored the object"):
        await Operator(replace(config, xml_uploads=True)).write("a", LONG, chunk=PART)


async def test_aborted_parts_leave_no_upload(parts, server):
    writer = await parts.writer("a", chunk=PART)
    await writer.write(LONG)
    await writer.write(b"more")
    await writer.abort()
    assert server.xml.uploads == []
    assert not await parts.exists("a")


async def test_a_large_copy_goes_on_until_it_is_done(op, server):
    await op.write("a", CONTENT, user_metadata={"k": "v"})
    server.json.rewrite_size = 400_000
    copied = await op.copy("a", "b", content_type="text/x")
    assert copied.content_length == len(CONTENT)
    found = await op.stat("b")
    assert (found.content_type, dict(found.user_metadata)) == ("text/x", {"k": "v"})
    assert sum("rewriteTo" in call.path for call in server.calls) == 3


@pytest.mark.parametrize(
    ("answer", "message", "is_temporary"),
    [
        (Answer(308, {}), "keeps nothing of a chunk", True),
        (Answer(308, {"Range": "bytes=0-x"}), "range that cannot be read", False),
        (Answer(308, {"Range": "bytes=0-99999999"}), "other bytes than were sent", False),
        (Answer(200, {}, b'{"name": "a", "size": "5"}'), "made an object of 5 bytes", False),
    ],
)
async def test_a_storage_that_states_what_cannot_be_ends_the_upload(op, server, answer, message, is_temporary):
    server.faults.append(Fault(is_chunk, answer=answer))
    with pytest.raises(Unexpected, match=message) as caught:
        await op.write("a", CONTENT, chunk=CHUNK)
    assert caught.value.is_temporary == is_temporary
    assert not await op.exists("a")


async def test_the_end_of_an_object_that_is_kept_in_part_makes_no_object(op, server):
    writer = await op.writer("a", chunk=CHUNK)
    await writer.write(CONTENT)

    def is_last(call):
        return is_chunk(call) and not call.headers["content-range"].endswith("/*")

    server.faults.append(Fault(is_last, answer=Answer(308, {"Range": f"bytes=0-{2 * CHUNK}"})))
    with pytest.raises(Unexpected, match="only a part of the end") as caught:
        await writer.close()
    assert caught.value.is_temporary
    await writer.abort()
    assert not await op.exists("a")


def listing(*uploads, **fields):
    stated = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    rows = "".join(f"<Upload><Key>{key}</Key><UploadId>{upload}</UploadId></Upload>" for key, upload in uploads)
    return f"<ListMultipartUploadsResult>{stated}{rows}</ListMultipartUploadsResult>".encode()


def test_pages_of_uploads_go_on_and_name_what_paths_lead_to():
    further = {"IsTruncated": "true", "NextKeyMarker": "root/a", "NextUploadIdMarker": "1"}
    content = listing(("root/a", "1"), ("root//b", "2"), **further)
    page = listed_uploads("/root/", "/", HttpHeaders([]), content)
    assert ([(upload.path, upload.id) for upload in page.uploads], page.next_token) == ([("a", "1")], "root/a\n1")


@pytest.mark.parametrize(
    "content",
    [b"<Error></Error>", b"no XML", listing(("", "1")), listing(("root/a", "")), listing(IsTruncated="true")],
)
def test_a_list_of_uploads_that_cannot_be_understood_is_an_error(content):
    with pytest.raises((Unexpected, ContentIncomplete)):
        listed_uploads("/root/", "/", HttpHeaders([]), content)
