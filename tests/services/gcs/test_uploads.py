"""Long writes: resumable uploads and multipart uploads, whose steps fail one after the other."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    ContentIncomplete,
    InvalidInput,
    Operator,
    PermissionDenied,
    Unexpected,
)
from entrepot.errors import ObjectExists
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services.gcs import resumable
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


def is_state(call):
    """Asks how much of an upload the storage has."""
    return call.headers.get("content-range") == "bytes */*"


def is_start(call):
    return call.method == "POST" and call.query.get("uploadType") == "resumable"


def is_rewrite(call):
    return "rewriteTo" in call.path


class nth:
    """The request of that number, from 0, among those that are meant."""

    def __init__(self, number, applies):
        self._left = number
        self._applies = applies

    def __call__(self, call):
        if not self._applies(call):
            return False
        self._left -= 1
        return self._left < 0


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


@pytest.mark.parametrize("status", [404, 410])
async def test_an_upload_that_is_gone_when_its_state_is_asked_for(config, server, status):
    server.faults += [Fault(is_chunk, is_lost=True), Fault(is_state, answer=Answer(status))]
    await Operator(config).write("a", CONTENT, chunk=CHUNK)
    assert await Operator(config).read("a") == CONTENT
    assert sum(map(is_start, server.calls)) == 2
    server.faults += [Fault(nth(1, is_chunk), is_lost=True), Fault(is_state, answer=Answer(status))]
    with pytest.raises(Unexpected, match="write the whole object again"):
        await Operator(config).write("b", CONTENT, chunk=CHUNK)
    assert not await Operator(config).exists("b")
    assert server.faults == []


async def test_the_state_of_an_upload_is_asked_for_again_and_may_be_refused(op, config, server):
    server.faults += [Fault(is_chunk, is_lost=True), Fault(is_state, answer=Answer(503))]
    await Operator(config).write("a", CONTENT, chunk=CHUNK)
    assert await op.read("a") == CONTENT
    writer = await op.writer("b", chunk=CHUNK, if_not_exists=True)
    await writer.write(CONTENT)
    server.faults += [Fault(is_chunk, is_lost=True), Fault(is_state, answer=Answer(412))]
    with pytest.raises(Unexpected, match="lost"):
        await writer.write(b"more")
    with pytest.raises(ObjectExists):
        await writer.write(b"more")
    await writer.abort()
    assert server.faults == []


@pytest.mark.parametrize(
    ("status", "options", "kind"),
    [
        (412, {"if_not_exists": True}, ObjectExists),
        (404, {"if_match": "1.1"}, ConditionNotMatch),
        (403, {}, PermissionDenied),
        (404, {}, ConfigInvalid),
    ],
)
@pytest.mark.parametrize("applies", [is_start, nth(2, is_chunk)], ids=["at its start", "at its end"])
async def test_an_upload_that_is_refused(op, server, applies, status, options, kind):
    if "if_match" in options:
        options = {"if_match": (await op.write("a", b"first")).etag}
    gone = b'{"error": {"message": "The specified bucket does not exist."}}'
    content = gone if kind is ConfigInvalid else b'{"error": {"message": "No such object: a"}}'
    server.faults.append(Fault(applies, answer=Answer(status, {}, content)))
    with pytest.raises(kind if applies is is_start or status != 404 else Unexpected):
        await op.write("a", CONTENT, chunk=CHUNK, **options)


async def test_an_object_that_is_too_large_is_refused_before_it_is_sent(op, server, monkeypatch):
    monkeypatch.setattr(resumable, "MAX_SIZE", len(CONTENT))
    writer = await op.writer("a", chunk=CHUNK)
    await writer.write(CONTENT)
    sent = len(server.calls)
    with pytest.raises(InvalidInput, match="more than"):
        await writer.write(b"x")
    assert len(server.calls) == sent
    await writer.abort()


@pytest.mark.parametrize(("status", "kind"), [(404, None), (410, None), (499, None), (403, PermissionDenied)])
async def test_an_abort_of_an_upload_that_is_gone_has_nothing_to_do(op, server, status, kind):
    writer = await op.writer("a", chunk=CHUNK)
    await writer.write(CONTENT)
    await writer.write(b"more")
    server.faults.append(Fault(lambda call: call.method == "DELETE", answer=Answer(status)))
    with pytest.raises(kind) if kind else nullcontext():
        await writer.abort()
    await writer.abort()  # again after a failure
    assert server.faults == []
    assert not await op.exists("a")


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


async def test_a_listing_of_uploads_that_is_not_found_names_the_place(parts, server):
    server.faults.append(Fault(lambda call: "uploads" in call.query, answer=Answer(404)))
    with pytest.raises(ConfigInvalid, match="the name of the bucket"):
        await parts.list_uploads()


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


def document(root, content=""):
    return Answer(200, {}, f"<{root}>{content}</{root}>".encode())


@pytest.mark.parametrize(
    ("applies", "answer", "message"),
    [
        (lambda call: "uploads" in call.query, document("InitiateMultipartUploadResult"), "without an id"),
        (lambda call: "uploads" in call.query, document("html"), "not one to InitiateMultipartUpload"),
        (lambda call: "partNumber" in call.query, Answer(200), "without stating its etag"),
        (is_completion, document("Error", "<Code>InternalError</Code>"), "not one to CompleteMultipartUpload"),
        (is_completion, Answer(200, {}, b"<CompleteMul"), "truncated"),
    ],
)
async def test_a_step_in_parts_whose_response_makes_no_sense_is_temporary(parts, server, applies, answer, message):
    server.faults.append(Fault(applies, answer=answer))
    with pytest.raises((Unexpected, ContentIncomplete), match=message) as caught:
        await parts.write("a", LONG, chunk=PART)
    assert caught.value.is_temporary
    assert not await parts.exists("a")


async def test_an_object_of_parts_that_was_replaced_at_once_is_described_by_what_is_known(parts, server):
    server.faults.append(Fault(lambda call: "generation" in call.query, answer=Answer(404)))
    written = await parts.write("a", LONG, chunk=PART)
    assert written.content_length == len(LONG)
    assert written.version == (await parts.stat("a")).version


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
    ("content", "message", "is_temporary"),
    [
        (b'{"done": false}', "does not state how to go on", False),
        (b'{"done": true}', "no object at the end", True),
        (b'{"done": true, "resource": []}', "no object at the end", True),
        (b"{", "is this its endpoint", True),
    ],
)
async def test_a_copy_whose_response_makes_no_sense(op, server, content, message, is_temporary):
    await op.write("a", b"content")
    for condition in ({}, {"if_not_exists": True}):
        server.faults.append(Fault(is_rewrite, answer=Answer(200, {}, content)))
        with pytest.raises(Unexpected, match=message) as caught:
            await op.copy("a", "b", **condition)
        assert caught.value.is_temporary == is_temporary
        assert ("may_have_taken_effect" in caught.value.context) == (is_temporary and bool(condition))


async def test_a_conditional_copy_whose_response_was_lost_is_not_made_again(config, server):
    op = Operator(config)
    await op.write("a", b"content")
    server.faults.append(Fault(is_rewrite, is_lost=True))
    with pytest.raises(Unexpected) as caught:
        await op.copy("a", "b", if_not_exists=True)
    assert caught.value.context["may_have_taken_effect"] is True
    assert sum(map(is_rewrite, server.calls)) == 1
    server.faults.append(Fault(is_rewrite, is_lost=True))
    assert (await op.copy("a", "c")).content_length == 7


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
