"""The requests of an upload in parts, to the byte, and what the replies mean."""

from hashlib import md5

import pytest

from entrepot import ContentIncomplete, RateLimited, Unexpected
from entrepot.raw import OpWrite
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.oio import Part
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.multipart import (
    abort,
    complete,
    completed,
    initiate,
    is_made_of,
    part_of,
    upload_id,
    upload_part,
)
from entrepot.types import Metadata

CORE = S3Core("https://h/bucket", "h", "bucket", "eu-west-1")
UPLOAD = "up/1+=&"
ENCODED = "up%2F1%2B%3D%26"
PARTS = [Part(1, '"a"', 5), Part(2, '"b&<"', 3)]
CONDITIONAL = OpWrite(content_type="text/plain", user_metadata={"K": "v"}, if_not_exists=True, if_match='"e"')


def test_the_beginning_says_what_is_stored_beside_and_no_condition() -> None:
    request = initiate(CORE, "a b", CONDITIONAL)
    assert (request.method, request.url, request.body) == ("POST", "https://h/bucket/a%20b?uploads", b"")
    assert request.headers == [("Host", "h"), ("Content-Type", "text/plain"), ("x-amz-meta-k", "v")]


def test_a_part_names_its_number_and_upload() -> None:
    request = upload_part(CORE, "k", UPLOAD, 7, [b"xyz"])
    url = f"https://h/bucket/k?partNumber=7&uploadId={ENCODED}"
    assert (request.method, request.url, request.body) == ("PUT", url, b"xyz")
    assert [*request.headers] == [("Host", "h")]


def test_the_end_lists_the_parts_and_has_the_conditions() -> None:
    request = complete(CORE, "k", UPLOAD, PARTS, CONDITIONAL)
    assert (request.method, request.url) == ("POST", f"https://h/bucket/k?uploadId={ENCODED}")
    assert request.headers == [
        ("Host", "h"),
        ("If-Match", '"e"'),
        ("If-None-Match", "*"),
        ("x-amz-mp-object-size", str(sum(part.size for part in PARTS))),
    ]
    assert request.body == (
        b'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b'<Part><PartNumber>1</PartNumber><ETag>"a"</ETag></Part>'
        b'<Part><PartNumber>2</PartNumber><ETag>"b&amp;&lt;"</ETag></Part>'
        b"</CompleteMultipartUpload>"
    )


def test_an_abort_names_the_upload() -> None:
    request = abort(CORE, "k", UPLOAD)
    assert (request.method, request.url, request.body) == ("DELETE", f"https://h/bucket/k?uploadId={ENCODED}", None)
    assert [*request.headers] == [("Host", "h")]


def test_the_id_is_in_the_reply() -> None:
    content = b"<InitiateMultipartUploadResult><UploadId> up/1 </UploadId></InitiateMultipartUploadResult>"
    assert upload_id(CORE, HttpHeaders(), content) == "up/1"
    assert upload_id(CORE, HttpHeaders(), content.replace(b"Result", b"")) == "up/1"  # as rclone calls it


@pytest.mark.parametrize("inside", [b"", b"<UploadId/>", b"<UploadId>  </UploadId>"])
def test_an_upload_without_an_id_is_unexpected(inside: bytes) -> None:
    with pytest.raises(Unexpected) as caught:
        upload_id(CORE, HttpHeaders(), b"<InitiateMultipartUploadResult>%b</InitiateMultipartUploadResult>" % inside)
    assert caught.value.is_temporary


def test_a_part_is_known_by_its_etag() -> None:
    assert part_of(HttpHeaders([("ETag", '"x"')]), 3, 9) == Part(3, '"x"', 9)
    with pytest.raises(Unexpected) as caught:
        part_of(HttpHeaders(), 3, 9)
    assert caught.value.is_temporary


def test_a_completion_describes_the_object() -> None:
    content = b"<CompleteMultipartUploadResult><ETag>&#34;e-2&#34;</ETag></CompleteMultipartUploadResult>"
    found = completed(CORE, HttpHeaders([("x-amz-version-id", "v1")]), content, PARTS)
    assert found == Metadata(content_length=8, etag='"e-2"', version="v1")


def test_an_error_inside_a_completion_is_raised() -> None:
    with pytest.raises(RateLimited) as caught:
        completed(CORE, HttpHeaders(), b"\n \n<Error><Code>SlowDown</Code></Error>", PARTS)
    assert caught.value.context["code"] == "SlowDown"
    with pytest.raises(ContentIncomplete):
        completed(CORE, HttpHeaders(), b"", PARTS)


def hexes(*contents: bytes) -> list[str]:
    return [md5(content).hexdigest() for content in contents]


def test_an_object_is_recognized_by_the_md5_of_its_parts() -> None:
    parts = [Part(n, f'"{one}"', 2) for n, one in enumerate(hexes(b"ab", b"cd"), 1)]
    etag = f'"{md5(md5(b"ab").digest() + md5(b"cd").digest()).hexdigest()}-2"'
    assert is_made_of(Metadata(content_length=4, etag=etag), parts, None)
    assert not is_made_of(Metadata(content_length=5, etag=etag), parts, None)
    assert not is_made_of(Metadata(content_length=4, etag='"other-2"'), parts, None)
    assert not is_made_of(Metadata(content_length=4, etag=None), parts, None)
    opaque = [Part(part.number, '"opaque"', part.size) for part in parts]
    assert not is_made_of(Metadata(content_length=4, etag=etag), opaque, None)
