"""DeleteObjects, to the byte, and what its reply says of each deletion."""

import pytest

from entrepot import ConfigInvalid, ContentIncomplete, PermissionDenied, RateLimited, Unexpected
from entrepot.raw.http.transport import HttpHeaders
from entrepot.services.s3.core import S3Core
from entrepot.services.s3.deletion import can_join, delete_objects, deletion_failures

CORE = S3Core("https://h/bucket", "h", "bucket", "eu-west-1")


def test_the_request_lists_what_to_delete_and_has_two_digests() -> None:
    request = delete_objects(CORE, [("a&<]]>", None), ("é /\t+%2F", "v<1")])
    assert (request.method, request.url) == ("POST", "https://h/bucket?delete")
    assert (
        request.body
        == (
            '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>'
            "<Object><Key>a&amp;&lt;]]&gt;</Key></Object>"
            "<Object><Key>é /\t+%2F</Key><VersionId>v&lt;1</VersionId></Object></Delete>"
        ).encode()
    )
    # Made once with openssl, and taken from the end of what gzip makes of it.
    assert request.headers == [
        ("Host", "h"),
        ("Content-MD5", "iRMhSF8b/OTtCUeeQ3jfGw=="),
        ("x-amz-checksum-crc32", "Nv3dDg=="),
    ]


def test_the_checksum_header_can_be_left_out() -> None:
    doomed = [("a", None), ("b", None)]
    with_both, alone = delete_objects(CORE, doomed), delete_objects(CORE, doomed, has_checksum=False)
    assert alone.body == with_both.body
    assert alone.headers == [header for header in with_both.headers if header[0] != "x-amz-checksum-crc32"]


@pytest.mark.parametrize("key", ["a\x01", "\x1f", "\uffff"])
def test_what_xml_cannot_write_does_not_go_with_others(key: str) -> None:
    assert not can_join(key, None)
    assert not can_join("k", key)
    assert can_join("k]]>\t", None)


def failures(inside: str, *doomed: tuple[str, str | None]) -> dict[int, str]:
    content = f'<?xml version="1.0"?><DeleteResult xmlns="urn:x">{inside}</DeleteResult>'.encode()
    return {index: error.kind for index, error in deletion_failures(CORE, HttpHeaders(), content, doomed)}


def failure(key: str, code: str, version: str = "") -> str:
    stated = f"<VersionId>{version}</VersionId>" if version else ""
    return f"<Error><Key>{key}</Key>{stated}<Code>{code}</Code><Message>words</Message></Error>"


def test_what_is_not_named_was_deleted() -> None:
    assert failures("", ("a", None), ("b", None)) == {}
    assert list(deletion_failures(CORE, HttpHeaders(), b"", [("a", None)])) == []
    assert failures("<Deleted><Key>a</Key></Deleted>", ("a", None)) == {}


def test_each_failure_is_of_its_object() -> None:
    named = failure("b&amp;&lt;", "AccessDenied") + failure("c", "SlowDown") + failure("d", "NoSuchKey")
    assert failures(named, ("a", None), ("b&<", None), ("c", None), ("d", None)) == {
        1: "PermissionDenied",
        2: "RateLimited",
    }


def test_versions_of_one_object_fail_one_by_one() -> None:
    doomed = [("k", None), ("k", "v1"), ("k", "v2"), ("k", "null")]
    assert failures(failure("k", "AccessDenied", "v2"), *doomed) == {2: "PermissionDenied"}
    assert failures(failure("k", "AccessDenied", "null"), *doomed) == {3: "PermissionDenied"}
    assert failures(failure("k", "AccessDenied"), *doomed) == {0: "PermissionDenied", 3: "PermissionDenied"}
    assert failures(failure("k", "NoSuchVersion", "v1"), *doomed) == {}


def test_a_version_that_is_told_of_an_object_is_of_that_object() -> None:
    assert failures(failure("k", "AccessDenied", "v9"), ("k", None)) == {0: "PermissionDenied"}


def test_every_failure_is_an_error_of_its_own() -> None:
    content = b"<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    found = list(deletion_failures(CORE, HttpHeaders(), content, [("k", None), ("k", None)]))
    assert [(index, type(error), error.context) for index, error in found] == [
        (0, PermissionDenied, {"code": "AccessDenied"}),
        (1, PermissionDenied, {"code": "AccessDenied"}),
    ]
    assert found[0][1] is not found[1][1]


@pytest.mark.parametrize("inside", [failure("other", "AccessDenied"), "<Error><Code>AccessDenied</Code></Error>"])
def test_a_failure_of_nothing_that_was_asked_is_unexpected(inside: str) -> None:
    with pytest.raises(Unexpected) as caught:
        failures(inside, ("a", None))
    assert caught.value.is_temporary


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<Error><Code>SlowDown</Code></Error>", RateLimited),
        (b"<Error><Code>NoSuchBucket</Code></Error>", ConfigInvalid),
        (b"<DeleteResult><Error><Key>a</Key>", ContentIncomplete),
        (b"<?xml version='1.0'?>", ContentIncomplete),
        (b" ", ContentIncomplete),
        (b"<html/>", Unexpected),
    ],
)
def test_a_reply_that_is_an_error_as_a_whole_is_raised(content: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        deletion_failures(CORE, HttpHeaders(), content, [("a", None)])
