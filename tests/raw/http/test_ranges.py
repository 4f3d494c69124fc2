"""The codec of byte ranges."""

import pytest

from entrepot.errors import ContentTruncated
from entrepot.raw.http.ranges import ContentRange, parse_content_range, range_header
from entrepot.types import BytesRange


@pytest.mark.parametrize(
    ("asked", "header"),
    [
        (BytesRange(), None),
        (BytesRange(0, 1), "bytes=0-0"),
        (BytesRange(5, 10), "bytes=5-9"),
        (BytesRange(5), "bytes=5-"),
        (BytesRange(suffix=8), "bytes=-8"),
    ],
)
def test_a_range_is_written_with_its_last_byte_included(asked: BytesRange, header: str | None) -> None:
    assert range_header(asked) == header


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("bytes 0-4/10", ContentRange(0, 5, 10)),
        ("Bytes  0-4/*", ContentRange(0, 5, None)),
        (" bytes */10 ", ContentRange(None, None, 10)),
        ("bytes */*", ContentRange(None, None, None)),
        ("bytes 0--1/0", ContentRange(0, 0, 0)),
    ],
)
def test_a_content_range_is_read(value: str, found: ContentRange) -> None:
    assert parse_content_range(value) == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes",
        "bytes 0-4",
        "bytes 4-0/10",
        "bytes 0--1/10",
        "bytes 0-10/10",
        "items 0-4/10",
        "bytes -4/10",
        "bytes 0-4/10, bytes 0-4/10",
        "bytes 0-99999999999999999999/*",
        "bytes \u0660-\u0664/10",
    ],
)
def test_a_content_range_that_makes_no_sense_is_refused(value: str) -> None:
    with pytest.raises(ContentTruncated) as caught:
        parse_content_range(value)
    assert caught.value.kind == "ContentTruncated"
    assert not caught.value.is_temporary
