"""The clock of a storage: corrected by a Date that is minutes off, and by no other."""

from datetime import UTC, datetime, timedelta

import pytest

from entrepot.raw.http.transport import HttpHeaders
from entrepot.signing.clock import Clock
from entrepot.testing.aws_answers import HUGE_DATES

NOW = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Thu, 29 Feb 2024 12:05:01 GMT", NOW + timedelta(minutes=5, seconds=1)),
        ("Thu, 29 Feb 2024 09:00:00 GMT", NOW - timedelta(hours=3)),
        ("Thu, 29 Feb 2024 12:05:00 GMT", NOW),
        ("yesterday", NOW),
        ("Thu, 01 Jan 1970 00:00:00 GMT", NOW),
        *[(date, NOW) for date in HUGE_DATES],
    ],
)
def test_a_date_corrects_it(date: str, expected: datetime) -> None:
    clock = Clock(lambda: NOW)
    assert clock.correct(HttpHeaders([("Date", date)])) == (expected != NOW)
    assert clock() == expected
    assert clock.timestamp() == expected.timestamp()
    assert not clock.correct(HttpHeaders([("Date", date)]))


def test_a_response_without_a_date_corrects_nothing() -> None:
    assert not Clock(lambda: NOW).correct(HttpHeaders())
