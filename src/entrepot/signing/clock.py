"""The clock that requests are signed with: this machine's, corrected where a storage's differs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from entrepot.raw.http.headers import parse_http_date
from entrepot.raw.http.transport import HttpHeaders

MAX_SKEW: Final = timedelta(minutes=5)
"""How far the clock may be off before it is corrected. Amazon refuses signatures that are 15 minutes off."""

_PLAUSIBLE_YEARS: Final = range(2020, 2200)
"""The years of a Date that is believed. No storage has a time before this program was written, nor one near the limit
of `datetime`."""


utc_now: Final[Callable[[], datetime]] = partial(datetime.now, UTC)
"""Returns the time of this machine."""


class Clock:
    """The time of a storage, as far as it is known.

    Arguments:
        now: returns the time of this machine.

    Attributes:
        now: returns the time. Only this object sets it; each call looks it up again.
    """

    __slots__ = ("_now", "now")

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = self.now = now

    def __call__(self) -> datetime:
        return self.now()

    def timestamp(self) -> float:
        """The time in seconds since 1970."""
        return self().timestamp()

    def correct(self, headers: HttpHeaders) -> bool:
        """Takes the time from the Date of a response if it is more than 5 minutes off, and returns whether it was."""
        theirs = parse_http_date(headers.get("date", ""))
        if theirs is None or theirs.year not in _PLAUSIBLE_YEARS or abs(theirs - self()) <= MAX_SKEW:
            return False
        self.now = partial(_shifted, self._now, theirs - self._now())
        return True


def _shifted(now: Callable[[], datetime], offset: timedelta) -> datetime:
    return now() + offset
