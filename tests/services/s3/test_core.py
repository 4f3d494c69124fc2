from datetime import UTC, datetime

import pytest

from entrepot import (
    BytesRange,
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    Unexpected,
    Unsupported,
)
from entrepot.raw import OpRead, OpStat
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services.s3.core import S3Core, actual_size

CORE = S3Core("https://h/bucket", "h", "bucket", "eu-west-1")
MOMENT = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)


def body(code: str, more: str = "") -> bytes:
    start = '<?xml version="1.0" encoding="UTF-8"?>\n<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    return f"{start}<Code>{code}</Code><Message>words</Message>{more}<RequestId>RID</RequestId></Error>".encode()


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


@pytest.mark.parametrize(
    ("status", "code", "kind", "is_temporary"),
    [
        (404, "NoSuchKey", NotFound, False),
        (404, "NoSuchVersion", NotFound, False),
        (404, "NoSuchBucket", ConfigInvalid, False),
        (400, "InvalidBucketName", ConfigInvalid, False),
        (400, "AuthorizationHeaderMalformed", ConfigInvalid, False),
        (301, "PermanentRedirect", ConfigInvalid, False),
        (307, "TemporaryRedirect", ConfigInvalid, False),
        (403, "AccessDenied", PermissionDenied, False),
        (403, "InvalidAccessKeyId", PermissionDenied, False),
        (403, "SignatureDoesNotMatch", PermissionDenied, False),
        (403, "RequestTimeTooSkewed", PermissionDenied, False),
        (403, "InvalidObjectState", PermissionDenied, False),
        (400, "ExpiredToken", PermissionDenied, False),
        (400, "InvalidToken", PermissionDenied, False),
        (400, "InvalidArgument", InvalidInput, False),
        (400, "KeyTooLongError", InvalidInput, False),
        (416, "InvalidRange", RangeNotSatisfied, False),
        (412, "PreconditionFailed", ConditionNotMatch, False),
        (409, "ConditionalRequestConflict", ConditionNotMatch, True),
        (409, "OperationAborted", Unexpected, True),
        (503, "SlowDown", RateLimited, True),
        (503, "TooManyRequests", RateLimited, True),
        (503, "ExceedBucketQPSLimit", RateLimited, True),
        (503, "ServiceUnavailable", Unexpected, True),
        (400, "RequestTimeout", Unexpected, True),
        (500, "InternalError", Unexpected, True),
        (501, "NotImplemented", Unsupported, False),
        (400, "SomethingNew", Unexpected, False),
        (403, "SomethingNew", PermissionDenied, False),
    ],
)
def test_an_error_means_what_its_code_says(status: int, code: str, kind: type[Error], is_temporary: bool) -> None:
    error = CORE.error(status, HttpHeaders(), body(code))
    assert (type(error), error.is_temporary) == (kind, is_temporary)
    assert error.context == {"code": code, "status": status, "request_id": "RID"}


@pytest.mark.parametrize(
    ("status", "kind", "is_temporary"),
    [
        (304, ConditionNotMatch, False),
        (400, Unexpected, False),
        (401, PermissionDenied, False),
        (403, PermissionDenied, False),
        (404, NotFound, False),
        (405, Unexpected, False),
        (409, ConditionNotMatch, True),
        (412, ConditionNotMatch, False),
        (416, RangeNotSatisfied, False),
        (429, RateLimited, True),
        (499, Unexpected, True),
        (500, Unexpected, True),
        (501, Unsupported, False),
        (502, Unexpected, True),
        (503, Unexpected, True),
        (504, Unexpected, True),
        (302, ConfigInvalid, False),
        (201, Unexpected, False),
    ],
)
def test_an_error_without_content_means_what_its_status_says(
    status: int, kind: type[Error], is_temporary: bool
) -> None:
    error = CORE.error(status, HttpHeaders([("x-amz-request-id", "HID")]), b"")
    assert (type(error), error.is_temporary) == (kind, is_temporary)
    assert error.context == {"code": None, "status": status, "request_id": "HID"}


@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [
        (301, [("x-amz-bucket-region", "ap-south-1")], b""),
        (307, [("x-amz-bucket-region", "ap-south-1")], b""),
        (400, [("x-amz-bucket-region", "ap-south-1")], b""),
        (301, [("x-amz-bucket-region", "ap-south-1")], body("PermanentRedirect")),
        (400, [], body("AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>")),
    ],
)
def test_a_wrong_region_names_the_right_one(status: int, headers: list[tuple[str, str]], content: bytes) -> None:
    error = CORE.error(status, HttpHeaders(headers), content)
    assert type(error) is ConfigInvalid
    assert "set region to 'ap-south-1'" in error.message


@pytest.mark.parametrize("region", ["eu-west-1", "not a region", "<b>"])
def test_the_own_region_or_nonsense_is_no_hint(region: str) -> None:
    error = CORE.error(400, HttpHeaders([("x-amz-bucket-region", region)]), b"")
    assert type(error) is Unexpected
    assert region not in str(error)


def test_a_region_beside_another_code_is_no_hint() -> None:
    error = CORE.error(400, HttpHeaders(), body("ExpiredToken", "<Region>ap-south-1</Region>"))
    assert type(error) is PermissionDenied


@pytest.mark.parametrize(("status", "content"), [(404, b""), (405, b""), (405, body("MethodNotAllowed"))])
def test_a_delete_marker_is_not_found(status: int, content: bytes) -> None:
    assert type(CORE.error(status, HttpHeaders([("x-amz-delete-marker", "true")]), content)) is NotFound


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff" * 1000,
        b"<Code>" * 10000,
        b"<Code>" + b" " * 60000 + b"x</Code>",
        b"<Code>" + b"A" * 60000 + b"</Code>",
        b"<Code>two words</Code>",
        b"<Code>\xc3\xa9</Code>",
        b"<!DOCTYPE e [<!ENTITY x 'NoSuchKey'>]><Error><Code>&x;</Code></Error>",
        b"<html><body>502 Bad Gateway</body></html>",
    ],
)
def test_content_that_is_no_error_of_s3_leaves_the_status(content: bytes) -> None:
    error = CORE.error(403, HttpHeaders(), content)
    assert type(error) is PermissionDenied
    assert error.context == {"code": None, "status": 403, "request_id": None}


def test_blanks_around_a_code_do_not_hide_it() -> None:
    assert type(CORE.error(503, HttpHeaders(), b"<Error>\n  <Code>\n    SlowDown\n  </Code>\n</Error>")) is RateLimited


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (b"<ActualObjectSize>12</ActualObjectSize>", 12),
        (b"<ActualObjectSize>-1</ActualObjectSize>", None),
        (b"<ActualObjectSize>99999999999999999999</ActualObjectSize>", None),
        (b"", None),
    ],
)
def test_the_size_is_in_the_content_of_a_416(content: bytes, size: int | None) -> None:
    assert actual_size(content) == size
