"""The requests and responses of tags, and what a conditional deletion may have done."""

from base64 import b64encode
from hashlib import md5

import pytest

from entrepot.errors import ConditionNotMatch, InvalidInput, RateLimited, Unexpected
from entrepot.raw import OpDelete, OpGetTags, OpSetTags, OpWrite
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services.s3 import tagging
from entrepot.services.s3.accessor import S3Accessor
from entrepot.services.s3.core import S3Core
from entrepot.testing.transport import MockTransport, reply
from tests.services.s3.clients import s3_client

CORE = S3Core("https://h/b", "h", "b", "r")


def test_new_tags_are_a_document_with_its_md5() -> None:
    request = tagging.set_tags(CORE, "k", {"a&": "<1>", "ü": ""}, "v/1")
    content = bytes(request.body or b"")
    assert (request.method, request.url) == ("PUT", "https://h/b/k?tagging&versionId=v%2F1")
    listed = "<Tag><Key>a&amp;</Key><Value>&lt;1&gt;</Value></Tag><Tag><Key>ü</Key><Value></Value></Tag>"
    assert listed.encode() in content

    assert dict(request.headers)["Content-MD5"] == b64encode(md5(content).digest()).decode()


@pytest.mark.parametrize("tags", [{"a": "\x01"}, {"\ufffe": "a"}, {"a": "\ud800"}])
def test_what_xml_cannot_write_is_refused(tags: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="control characters"):
        tagging.set_tags(CORE, "k", tags, None)
    with pytest.raises(InvalidInput, match="control characters"):
        CORE.put("k", b"", OpWrite(tags=tags))


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        (b"<Tagging><TagSet/></Tagging>", {}),
        (
            (
                b'<Tagging xmlns="x"><TagSet><Tag><Key>a&amp;</Key><Value>1</Value></Tag>'
                b"<Tag><Value/><Key>b</Key></Tag></TagSet></Tagging>"
            ),
            {"a&": "1", "b": ""},
        ),
    ],
)
def test_tags_are_read_from_the_response(content: bytes, tags: dict[str, str]) -> None:
    assert tagging.tags_of(CORE, HttpHeaders(), content) == tags


def test_a_tag_without_a_name_is_an_error() -> None:
    with pytest.raises(Unexpected, match="without a name"):
        tagging.tags_of(CORE, HttpHeaders(), b"<Tagging><TagSet><Tag><Value>1</Value></Tag></TagSet></Tagging>")


async def test_tags_are_requested_below_the_root() -> None:
    transport = MockTransport(lambda request: reply(200, b"<Tagging><TagSet/></Tagging>"))
    store = S3Accessor(s3_client(CORE, None, transport, AsyncioRuntime()), "/root/")
    assert (await store.get_tags("k", OpGetTags(version="v"))).tags == {}
    await store.set_tags("k", OpSetTags(tags={}))
    assert [(request.method, request.url) for request in transport.requests] == [
        ("GET", "https://h/b/root/k?tagging&versionId=v"),
        ("DELETE", "https://h/b/root/k?tagging"),
    ]


@pytest.mark.parametrize(
    ("answer", "is_unsure"),
    [
        (Unexpected("the connection was lost", is_temporary=True), True),
        (reply(503, b"<Error><Code>SlowDown</Code></Error>"), False),
        (reply(412, b"<Error><Code>PreconditionFailed</Code></Error>"), None),
        (reply(404, b"<Error><Code>NoSuchKey</Code></Error>"), None),
    ],
)
async def test_a_deletion_under_a_condition_says_if_it_may_have_happened(answer, is_unsure: bool | None) -> None:
    def respond(_: object):
        if isinstance(answer, Exception):
            raise answer
        return answer

    store = S3Accessor(s3_client(CORE, None, MockTransport(respond), AsyncioRuntime()), "/")
    _, deleter = await store.delete()
    await deleter.delete("k", OpDelete(if_match='"e"'))
    kinds = {None: ConditionNotMatch, False: RateLimited, True: Unexpected}
    with pytest.raises(kinds[is_unsure]) as caught:
        await deleter.close()
    assert caught.value.context.get("may_have_taken_effect") is (is_unsure or None)
