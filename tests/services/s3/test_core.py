from datetime import UTC, datetime

import pytest

from entrepot import BytesRange, Error, InvalidInput, RateLimited, Unexpected
from entrepot.raw import OpCopy, OpDelete, OpRead, OpStat, OpWrite
from entrepot.raw.http.headers import parse_iso_time, quoted_etag
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services.s3.core import S3Core

CORE = S3Core("https://h/bucket", "h", "bucket", "eu-west-1")
MOMENT = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("a/b.txt", "a/b.txt"),
        ("a//b/./../c/", "a//b/./../c/"),
        (" a b ", "%20a%20b%20"),
        ("a+b%2Fc%", "a%2Bb%252Fc%25"),
        ("~-._", "~-._"),
        ("?&=#;:@!$'()*,[]", "%3F%26%3D%23%3B%3A%40%21%24%27%28%29%2A%2C%5B%5D"),
        ("é鴨🦆", "%C3%A9%E9%B4%A8%F0%9F%A6%86"),
        ("back\\slash", "back%5Cslash"),
    ],
)
def test_keys_are_encoded_once_and_never_normalized(key: str, encoded: str) -> None:
    assert CORE.get(key, OpRead()).url == f"https://h/bucket/{encoded}"
    assert CORE.head(key, OpStat()).url == f"https://h/bucket/{encoded}"


def test_a_version_is_an_encoded_query() -> None:
    assert CORE.get("k", OpRead(version="a+b/c=&d")).url == "https://h/bucket/k?versionId=a%2Bb%2Fc%3D%26d"
    assert CORE.head("k", OpStat(version="3/L4")).url == "https://h/bucket/k?versionId=3%2FL4"


@pytest.mark.parametrize(
    ("asked", "header"),
    [
        (BytesRange(0, 1), "bytes=0-0"),
        (BytesRange(5), "bytes=5-"),
        (BytesRange(suffix=8), "bytes=-8"),
        (BytesRange(), None),
    ],
)
def test_a_range_is_a_header(asked: BytesRange, header: str | None) -> None:
    assert dict(CORE.get("k", OpRead(range=asked)).headers).get("Range") == header


def test_conditions_are_headers() -> None:
    conditions = {
        "if_match": '"a"',
        "if_none_match": '"b"',
        "if_modified_since": MOMENT,
        "if_unmodified_since": MOMENT,
    }
    expected = [
        ("Host", "h"),
        ("If-Match", '"a"'),
        ("If-None-Match", '"b"'),
        ("If-Modified-Since", "Thu, 29 Feb 2024 12:00:00 GMT"),
        ("If-Unmodified-Since", "Thu, 29 Feb 2024 12:00:00 GMT"),
    ]
    assert CORE.get("k", OpRead(**conditions)).headers == expected
    assert CORE.head("k", OpStat(**conditions)).headers == expected


def test_metadata_comes_from_the_headers() -> None:
    headers = HttpHeaders(
        [
            ("Content-Length", "3"),
            ("ETag", '"e"'),
            ("Last-Modified", "Thu, 29 Feb 2024 12:00:00 GMT"),
            ("Content-Type", "text/plain"),
            ("x-amz-version-id", "v1"),
            ("X-Amz-Meta-Owner", "Me"),
            ("x-amz-meta-a-b", "c"),
        ]
    )
    found = CORE.describe(headers, content_length=10)
    assert (found.content_length, found.etag, found.last_modified, found.content_type, found.version) == (
        10,
        '"e"',
        MOMENT,
        "text/plain",
        "v1",
    )
    assert found.user_metadata == {"owner": "Me", "a-b": "c"}


def test_the_null_version_is_none() -> None:
    assert CORE.describe(HttpHeaders([("x-amz-version-id", "null")])).version is None


KEY_OF_1024_BYTES = "käse/" + "k" * 1018


@pytest.mark.parametrize("key", ["", KEY_OF_1024_BYTES + "k", "ü" * 513, "k" * 1025])
def test_no_object_has_an_empty_key_or_one_above_1024_bytes(key: str) -> None:
    for build in (
        lambda: CORE.get(key, OpRead()),
        lambda: CORE.head(key, OpStat()),
        lambda: CORE.put(key, b"", OpWrite()),
        lambda: CORE.delete(key, OpDelete()),
        lambda: CORE.copy(CORE.copy_source(key, None), "k", OpCopy()),
        lambda: CORE.copy(CORE.copy_source("k", None), key, OpCopy()),
    ):
        with pytest.raises(InvalidInput, match="1024 bytes"):
            build()


def test_a_key_of_1024_bytes_is_sent() -> None:
    assert len(KEY_OF_1024_BYTES.encode()) == 1024
    assert CORE.delete(KEY_OF_1024_BYTES, OpDelete()).url == "https://h/bucket/k%C3%A4se/" + "k" * 1018


def test_a_put_has_what_is_stored_beside_and_the_conditions() -> None:
    args = OpWrite(
        content_type="text/plain; charset=utf-8",
        content_disposition='attachment; filename="a b"',
        content_encoding="gzip",
        cache_control="no-cache",
        user_metadata={"Owner": "Me  too", "a-b": ""},
        if_match='"e"',
        if_not_exists=True,
    )
    request = CORE.put("a b//+", b"content", args)
    assert (request.method, request.url, request.body) == ("PUT", "https://h/bucket/a%20b//%2B", b"content")
    assert request.headers == [
        ("Host", "h"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Disposition", 'attachment; filename="a b"'),
        ("Content-Encoding", "gzip"),
        ("Cache-Control", "no-cache"),
        ("x-amz-meta-owner", "Me  too"),
        ("x-amz-meta-a-b", ""),
        ("If-Match", '"e"'),
        ("If-None-Match", "*"),
    ]


def test_a_plain_put_has_only_its_host_and_an_empty_content_is_content() -> None:
    request = CORE.put("k", b"", OpWrite())
    assert (request.headers, request.body) == ([("Host", "h")], b"")


def test_a_deletion_names_its_version() -> None:
    request = CORE.delete("a/../b", OpDelete(version="v+1/"))
    assert (request.method, request.url) == ("DELETE", "https://h/bucket/a/../b?versionId=v%2B1%2F")
    assert (request.headers, request.body) == ([("Host", "h")], None)


@pytest.mark.parametrize(
    ("source", "version", "origin"),
    [
        ("a b/?%+é", None, "/bucket/a%20b/%3F%25%2B%C3%A9"),
        ("a//./..", None, "/bucket/a//./.."),
        ("k", "v/1+", "/bucket/k?versionId=v%2F1%2B"),
        ("k", "null", "/bucket/k?versionId=null"),
    ],
)
def test_a_copy_names_its_source_encoded(source: str, version: str | None, origin: str) -> None:
    request = CORE.copy(CORE.copy_source(source, version), "t/%", OpCopy())
    assert (request.method, request.url, request.body) == ("PUT", "https://h/bucket/t/%25", b"")
    assert request.headers == [("Host", "h"), ("x-amz-copy-source", origin)]


def test_the_conditions_of_a_copy_are_of_the_target() -> None:
    assert CORE.copy(CORE.copy_source("s", None), "t", OpCopy(if_not_exists=True, if_match='"e"')).headers[2:] == [
        ("If-Match", '"e"'),
        ("If-None-Match", "*"),
    ]


def test_the_reply_to_a_put_describes_what_was_stored() -> None:
    headers = HttpHeaders([("etag", '"e"'), ("x-amz-version-id", "v1"), ("content-length", "0")])
    found = CORE.describe_stored(headers, 7)
    assert (found.content_length, found.etag, found.version, found.content_type) == (7, '"e"', "v1", None)


COPIED = b"""<?xml version="1.0" encoding="UTF-8"?>
<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <LastModified>2024-02-29T12:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>
</CopyObjectResult>"""


def test_the_reply_to_a_copy_describes_the_target() -> None:
    found = CORE.describe_copied(HttpHeaders([("x-amz-version-id", "v2")]), COPIED)
    assert (found.etag, found.last_modified, found.version, found.content_length) == ('"e"', MOMENT, "v2", None)


def test_an_error_inside_the_reply_to_a_copy_is_raised() -> None:
    with pytest.raises(RateLimited) as caught:
        CORE.describe_copied(HttpHeaders(), b"<Error><Code>SlowDown</Code><Message>words</Message></Error>")
    assert (caught.value.context["code"], caught.value.context["status"]) == ("SlowDown", 200)


@pytest.mark.parametrize("content", [b"<html><body>hello</body></html>", b"<ListBucketResult/>", b"{}"])
def test_a_reply_of_something_else_is_unexpected_and_temporary(content: bytes) -> None:
    with pytest.raises(Unexpected) as caught:
        CORE.describe_copied(HttpHeaders(), content)
    assert caught.value.is_temporary


@pytest.mark.parametrize("content", [b"", b"  ", COPIED[:60], COPIED[:-5]])
def test_a_reply_that_was_cut_short_is_temporary(content: bytes) -> None:
    with pytest.raises(Error) as caught:
        CORE.describe_copied(HttpHeaders(), content)
    assert (caught.value.kind, caught.value.is_temporary) == ("ContentIncomplete", True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://h/bucket", "https://h/bucket?delete"), ("https://bucket.h", "https://bucket.h/?delete")],
)
def test_a_request_about_the_bucket_has_a_path(url: str, expected: str) -> None:
    assert S3Core(url, "h", "bucket", "r").on_bucket("POST", [("delete", None)]).url == expected


@pytest.mark.parametrize(
    ("text", "etag"), [('"a-1"', '"a-1"'), ("a", '"a"'), ('W/"a"', 'W/"a"'), ('""', None), ("", None), (None, None)]
)
def test_an_etag_has_quotes(text: str | None, etag: str | None) -> None:
    assert quoted_etag(text) == etag


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-29T12:00:00.000Z", MOMENT),
        ("2024-02-29T12:00:00Z", MOMENT),
        ("2024-02-29T13:00:00+01:00", MOMENT),
        ("2024-02-29T12:00:00", MOMENT),
        ("yesterday", None),
        ("99999-02-29T12:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_or_none(text: str | None, moment: datetime | None) -> None:
    assert parse_iso_time(text) == moment
