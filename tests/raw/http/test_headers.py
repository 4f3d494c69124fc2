"""The codec of headers."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest

from entrepot.raw import OpRead, OpStat
from entrepot.raw.http.headers import (
    conditional_headers,
    http_date,
    in_utc,
    parse_http_date,
    parse_length,
    parse_metadata,
    parse_retry_after,
)
from entrepot.raw.http.transport import HttpHeaders

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOMENT = datetime(2024, 2, 29, 12, 0, 1, tzinfo=UTC)
WRITTEN = "Thu, 29 Feb 2024 12:00:01 GMT"


@pytest.mark.parametrize("kind", [OpRead, OpStat])
def test_each_condition_has_its_header(kind: type[OpRead] | type[OpStat]) -> None:
    args = kind(if_match='"a"', if_none_match='"b"', if_modified_since=MOMENT, if_unmodified_since=MOMENT)
    assert conditional_headers(args) == [
        ("If-Match", '"a"'),
        ("If-None-Match", '"b"'),
        ("If-Modified-Since", WRITTEN),
        ("If-Unmodified-Since", WRITTEN),
    ]
    assert conditional_headers(kind()) == []


def test_a_time_is_written_in_gmt_and_to_the_second() -> None:
    east = timezone(timedelta(hours=2))
    assert http_date(datetime(2024, 2, 29, 14, 0, 1, 999_999, tzinfo=east)) == WRITTEN


@pytest.mark.parametrize(("value", "moment"), [(WRITTEN, MOMENT), ("yesterday", None), ("", None)])
def test_a_time_that_cannot_be_read_is_unknown(value: str, moment: datetime | None) -> None:
    assert parse_http_date(value) == moment


@pytest.mark.parametrize(
    "value",
    [
        WRITTEN,
        "Mon, 29 Feb 2024 23:59:59 GMT",
        "Thu, 30 Feb 2024 12:00:01 GMT",
        "Thu, 29 Feb 2024 24:00:00 GMT",
        "Thu, 29 Feb 2024 23:59:60 GMT",
        "Thu, 29 Feb 0024 12:00:01 GMT",
        "Thursday, 29-Feb-24 12:00:01 GMT",
        "Thu Feb 29 12:00:01 2024",
        "Thu, 29 Feb 2024 12:00:01 +0100",
        "Thu, 29 Feb 2024 12:00:01 GMT\n",
        "thu, 29 feb 2024 12:00:01 gmt",
    ],
)
def test_the_usual_form_of_a_time_is_read_as_the_standard_library_reads_it(value: str) -> None:
    try:
        expected = parsedate_to_datetime(value)
    except ValueError:
        assert parse_http_date(value) is None
    else:
        assert parse_http_date(value) == expected.replace(tzinfo=expected.tzinfo or UTC)


@pytest.mark.parametrize(
    "value",
    [
        "Thu, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Thu, 29 Feb 2024 12:00:01 +99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 -2359",
    ],
)
def test_a_time_that_no_calendar_has_is_unknown(value: str) -> None:
    assert parse_http_date(value) is None
    assert parse_metadata(HttpHeaders([("Last-Modified", value)])).last_modified is None
    assert parse_retry_after(HttpHeaders([("Retry-After", value), ("Date", WRITTEN)])) is None
    assert parse_retry_after(HttpHeaders([("Retry-After", WRITTEN), ("Date", value)])) == 0


@pytest.mark.parametrize(
    "value",
    [
        "Fri, 31 Dec 1999 23:59:59 GMT",
        "Thu, 29 Feb 2023 12:00:01 GMT",
        "Thu, 29 Feb 2024 24:00:00 GMT",
        "Thu, 29 Feb 2024 12:60:00 GMT",
        "Thu, 29 Feb 2024 12:00:60 GMT",
        "Thu, 29 Feb 2024 12:00:01 UTC",
        "Thu, 29 Feb 2024 12:00:01",
        "Thu, 29 Feb 24 12:00:01 GMT",
        "Thu, 9 Feb 2024 12:00:01 GMT",
        "Thursday, 29-Feb-24 12:00:01 GMT",
        "Thu Feb 29 12:00:01 2024",
        "29 Feb 2024 12:00:01 GMT",
        "Thu,29 Feb 2024 12:00:01 GMT",
        "Thu, 29 feb 2024 12:00:01 GMT",
        "Thu, 29 Mon 2024 12:00:01 GMT",
        " Thu, 29 Feb 2024 12:00:01 GMT ",
        "Thu, 29 Feb 2024 12000199 GMT",
        "Thu, \u0662\u0669 Feb 2024 12:00:01 GMT",
    ],
)
def test_a_time_means_what_it_means_in_mail(value: str) -> None:
    try:
        expected = in_utc(parsedate_to_datetime(value))
    except ValueError:
        expected = None
    assert parse_http_date(value) == expected


def test_each_month_has_its_name() -> None:
    for number, name in enumerate(MONTHS, 1):
        assert parse_http_date(f"Thu, 05 {name} 2024 01:02:03 GMT") == datetime(2024, number, 5, 1, 2, 3, tzinfo=UTC)


def test_a_time_of_any_zone_is_told_in_utc() -> None:
    found = parse_http_date("Thu, 29 Feb 2024 14:00:01 +0200")
    assert found == MOMENT
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("moment", "hours", "written"),
    [
        (datetime.min, 9, "Mon, 01 Jan 0001 00:00:00 GMT"),
        (datetime.min, -9, "Mon, 01 Jan 0001 09:00:00 GMT"),
        (datetime.max, -9, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_a_condition_at_the_end_of_time_is_the_end_of_time(moment: datetime, hours: int, written: str) -> None:
    args = OpRead(if_modified_since=moment.replace(tzinfo=timezone(timedelta(hours=hours))))
    assert conditional_headers(args) == [("If-Modified-Since", written)]


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ("5", 5),
        ("0", 0),
        (None, None),
        ("-5", None),
        ("5, 5", None),
        ("\u0665", None),
        ("9" * 30, None),
        ("9" * 19, None),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_a_length_is_a_plain_number_or_unknown(value: str | None, length: int | None) -> None:
    assert parse_length(value) == length


def test_metadata_comes_from_headers_and_what_the_caller_knows_better() -> None:
    headers = HttpHeaders(
        [("ETag", '"1"'), ("Content-Length", "5"), ("Last-Modified", WRITTEN), ("Content-Type", "a/b")]
    )
    found = parse_metadata(headers, content_length=100)
    assert (found.etag, found.content_length, found.last_modified, found.content_type) == ('"1"', 100, MOMENT, "a/b")


def test_header_names_are_kept_in_lower_case_and_repeated_values_are_joined() -> None:
    headers = HttpHeaders([("X-A", "1"), ("x-a", "2"), ("B", "3")])
    assert headers == {"x-a": "1, 2", "b": "3"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([("Retry-After", "7")], 7.0),
        ([("Retry-After", " 0 ")], 0.0),
        ([("Retry-After", "Thu, 29 Feb 2024 12:00:31 GMT"), ("Date", WRITTEN)], 30.0),
        ([("Retry-After", WRITTEN), ("Date", "Thu, 29 Feb 2024 12:00:31 GMT")], 0.0),
        ([("Retry-After", WRITTEN)], 0.0),
        ([("x-amz-retry-after", "1500")], 1.5),
        ([("Retry-After", "soon")], None),
        ([("Retry-After", "-1")], None),
        ([("x-amz-retry-after", "soon")], None),
        ([], None),
    ],
)
def test_when_to_try_again_is_seconds_or_a_time(headers: list[tuple[str, str]], seconds: float | None) -> None:
    assert parse_retry_after(HttpHeaders(headers)) == seconds


@pytest.mark.parametrize("value", ["", '""', "W/", 'W/""'])
def test_an_empty_etag_is_none(value: str) -> None:
    assert parse_metadata(HttpHeaders([("ETag", value)])).etag is None
