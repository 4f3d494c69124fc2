"""What the errors of S3 mean."""

import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from entrepot import (
    ConditionNotMatch,
    ConfigInvalid,
    Error,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RangeNotSatisfied,
    RateLimited,
    StorageFull,
    Unexpected,
    Unsupported,
)
from entrepot.raw.http.transport import HttpHeaders
from entrepot.raw.http.xml import is_error
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.errors import actual_size, code_error

CORE = S3Core("https://h/bucket", "h", "bucket", "eu-west-1")


def body(code: str, more: str = "") -> bytes:
    start = '<?xml version="1.0" encoding="UTF-8"?>\n<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    return f"{start}<Code>{code}</Code><Message>words</Message>{more}<RequestId>RID</RequestId></Error>".encode()


@pytest.mark.parametrize(
    ("status", "code", "refuses_credentials"),
    [
        *((403, code, True) for code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed")),
        *((400, code, True) for code in ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")),
        *((403, code, False) for code in ("AccessDenied", "InvalidObjectState", "SomethingNew")),
        (401, "SomethingNew", True),
    ],
)
def test_refusals_of_credentials_and_of_one_object(status: int, code: str, refuses_credentials: bool) -> None:
    error = CORE.error(status, HttpHeaders(), body(code))
    assert isinstance(error, PermissionDenied)
    assert error.refuses_credentials == refuses_credentials


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
        (404, "NoSuchUpload", Unexpected, False),
        (400, "EntityTooLarge", InvalidInput, False),
        (400, "EntityTooSmall", InvalidInput, False),
        (400, "MetadataTooLarge", InvalidInput, False),
        (400, "InvalidPart", Unexpected, False),
        (400, "InvalidPartOrder", Unexpected, False),
        (400, "InvalidDigest", Unexpected, False),
        (400, "BadDigest", Unexpected, True),
        (400, "XAmzContentSHA256Mismatch", Unexpected, True),
        (400, "IncompleteBody", Unexpected, True),
        (400, "InvalidRequest", Unexpected, False),
        (403, "QuotaExceeded", StorageFull, False),
        (507, "XMinioStorageFull", StorageFull, False),
        (400, "XMinioAdminBucketQuotaExceeded", StorageFull, False),
        (200, "InternalError", Unexpected, True),
        (200, "SlowDown", RateLimited, True),
        (200, "SomethingNew", Unexpected, False),
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
        (413, InvalidInput, False),
        (507, StorageFull, False),
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


def test_what_other_clients_repeat_is_temporary() -> None:
    """The lists of botocore, so that a code that AWS adds is noticed."""
    for code in ThrottledRetryableChecker._THROTTLED_ERROR_CODES:
        error = CORE.error(400, HttpHeaders(), body(code))
        assert (type(error), error.is_temporary) == (RateLimited, True), code
    for code in TransientRetryableChecker._TRANSIENT_ERROR_CODES:
        assert CORE.error(400, HttpHeaders(), body(code)).is_temporary, code
    for status in (*TransientRetryableChecker._TRANSIENT_STATUS_CODES, 429, 509):
        assert CORE.error(status, HttpHeaders(), b"").is_temporary, status


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"])
def test_expired_credentials_are_a_permission_denied(code: str) -> None:
    error = CORE.error(400, HttpHeaders(), body(code))
    assert type(error) is PermissionDenied
    assert "expired" in error.message


@pytest.mark.parametrize(
    ("headers", "content", "shown"),
    [
        ([("x-amz-id-2", "a+B/9=")], body("SlowDown"), "a+B/9="),
        ([], body("SlowDown", "<HostId>a+B/9=</HostId>"), "a+B/9="),
        ([("x-amz-id-2", "two words")], body("SlowDown", "<HostId>h</HostId>"), "h"),
        ([("x-amz-id-2", "A" * 129)], b"", None),
        ([("x-amz-id-2", "0af" * 21 + "b")], b"", None),  # as long as a signature
        ([("x-amz-id-2", "header.payload.signature")], b"", None),
    ],
)
def test_the_extended_request_id_is_in_the_context(headers: list[tuple[str, str]], content: bytes, shown: str) -> None:
    error = CORE.error(503, HttpHeaders(headers), content)
    assert error.context.get("extended_request_id") == shown
    assert shown is None or f"extended_request_id={shown!r}" in str(error)


@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [
        (301, [("x-amz-bucket-region", "ap-south-1")], b""),
        (307, [("x-amz-bucket-region", "ap-south-1")], b""),
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


@pytest.mark.parametrize(
    ("code", "kind", "is_temporary"),
    [
        ("AccessDenied", PermissionDenied, False),
        ("InternalError", Unexpected, True),
        ("SlowDown", RateLimited, True),
        ("NoSuchKey", NotFound, False),
        ("SomethingNew", Unexpected, False),
    ],
)
def test_the_error_of_one_among_many_has_its_code(code: str, kind: type[Error], is_temporary: bool) -> None:
    error = code_error(code)
    assert (type(error), error.is_temporary, error.context) == (kind, is_temporary, {"code": code})


@pytest.mark.parametrize("code", ["", "two words", "<b>", "A" * 61])
def test_a_code_that_is_no_name_is_not_shown(code: str) -> None:
    error = code_error(code)
    assert type(error) is Unexpected
    assert error.context == {"code": None}


@pytest.mark.parametrize(
    "content", [b"<Error/>", b" \n<?xml version='1.0'?>\n<Error xmlns='u'>", b"\xef\xbb\xbf<s3:Error><Code>"]
)
def test_the_content_of_an_error_is_known_by_its_root(content: bytes) -> None:
    assert is_error(content)


@pytest.mark.parametrize("content", [b"", b"<Errors/>", b"<Result><Error/></Result>", b"Error", b"<html>"])
def test_other_content_is_no_error(content: bytes) -> None:
    assert not is_error(content)


@pytest.mark.parametrize("code", ["KeyTooLongError", "KeyTooLong"])
def test_a_key_that_is_too_long_is_said_to_be(code: str) -> None:
    assert "is longer than the storage accepts" in CORE.error(400, HttpHeaders(), body(code)).message
