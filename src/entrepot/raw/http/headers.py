"""The codecs of headers: conditions of requests, metadata of responses.

HTTP does not state the encoding of header values (RFC 9110, 5.5). The transport decodes them as UTF-8, and keeps a byte
that is not UTF-8 as a lone surrogate, so that nothing is lost. A lone surrogate can be neither printed nor encoded, so
none leaves this module: `header_text` decodes values for readers, and `header_etag` for sending back.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final

from entrepot.raw.ops import OpRead, OpStat
from entrepot.types import Metadata
from entrepot.types.patterns import pattern

from .transport import Header, HttpHeaders

MAX_LENGTH: Final = 2**63 - 1
"""The largest length that is accepted: the largest offset in a file, and the largest size in Python."""

_EMPTY_ETAGS: Final = frozenset({"", '""', "W/", 'W/""'})
_USUAL_DATE: Final = re.compile(
    r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([1-9][0-9]{3}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) GMT"
).fullmatch
_MONTHS: Final = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
}  # fmt: skip
_MONTH_NAMES: Final = tuple(_MONTHS)
_DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME: Final = r"(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d)"
_OTHER_DATES: Final = (
    pattern(
        r"(?:[A-Z]+(?:,\s*|\s+))?(?P<day>\d\d?)[ -](?P<month>[A-Z]{3})[ -](?P<year>\d{2,4})\s+"
        rf"{_TIME}(?:\s+(?P<zone>GMT|UTC?|Z|[+-]\d{{4}}))?",
        re.IGNORECASE,
    ),
    pattern(rf"[A-Z]+\s+(?P<month>[A-Z]{{3}})\s+(?P<day>\d\d?)\s+{_TIME}\s+(?P<year>\d{{4}})(?P<zone>)", re.IGNORECASE),
)
"""Times of mail (RFC 5322), of which those of RFC 850 are a variant, and those of C's `asctime`."""

_TEXTS: Final = (
    ("content_type", "content-type"),
    ("content_encoding", "content-encoding"),
    ("content_disposition", "content-disposition"),
    ("content_language", "content-language"),
    ("cache_control", "cache-control"),
    ("content_md5", "content-md5"),
)
"""The fields of the metadata of an object that are the text of a header."""

_new_metadata: Final = Metadata.__new__  # takes two thirds of the time of a call of the class
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)


def conditional_headers(args: OpRead | OpStat) -> list[Header]:
    """The conditions of a read or stat (RFC 9110, section 13.1)."""
    headers: list[Header] = []
    if args.if_match is not None:
        headers.append(("If-Match", etag_header(args.if_match)))
    if args.if_none_match is not None:
        headers.append(("If-None-Match", etag_header(args.if_none_match)))
    if args.if_modified_since is not None:
        headers.append(("If-Modified-Since", http_date(args.if_modified_since)))
    if args.if_unmodified_since is not None:
        headers.append(("If-Unmodified-Since", http_date(args.if_unmodified_since)))
    return headers


def basic_credentials(username: str | None, password: str | None) -> str:
    """The value of an Authorization or Proxy-Authorization header (RFC 7617), in UTF-8."""
    pair = f"{username or ''}:{password or ''}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def http_date(time: datetime) -> str:
    """Formats a time as HTTP does, to the second. A time outside of the years of UTC becomes the nearest in them."""
    try:
        stated = in_utc(time)
    except OverflowError:
        stated = _EARLIEST if time < _LATEST else _LATEST
    day, month = _DAY_NAMES[stated.weekday()], _MONTH_NAMES[stated.month - 1]
    return f"{day}, {stated.day:02} {month} {stated.year:04} {stated:%H:%M:%S} GMT"


@lru_cache(maxsize=256)
def parse_http_date(value: str) -> datetime | None:
    """Parses a time of HTTP, in UTC; None if it cannot be read, since a wrong date is not a reason to fail."""
    try:
        return _parse_usual_date(value) or _parse_other_date(value)
    except (ValueError, OverflowError):
        return None


def _parse_usual_date(value: str) -> datetime | None:
    """Parses the form in which servers write times (RFC 9110, 5.6.7); None for any other.

    It takes a quarter of the time of the other forms, and each object has a time of its own.

    Raises:
        ValueError: there is no such time.
    """
    match = _USUAL_DATE(value)
    if match is None:
        return None
    day, name, year, time = match.groups()
    month = _MONTHS.get(name)
    return None if month is None else datetime.fromisoformat(f"{year}-{month}-{day}T{time}+00:00")


def _parse_other_date(value: str) -> datetime | None:
    """Parses the obsolete forms of HTTP, and a time of mail with a numeric zone; None for any other.

    The parser of the standard library takes more of the first request of a process than all other parsers together.

    Raises:
        ValueError: there is no such time.
        OverflowError: it is outside of the years of UTC.
    """
    text = value.strip()
    match = next(filter(None, (form.fullmatch(text) for form in _OTHER_DATES)), None)
    month = None if match is None else _MONTHS.get(match["month"].title())
    if match is None or month is None:
        return None
    year, day, hour, minute, second = map(int, match.group("year", "day", "hour", "minute", "second"))
    if year < 100:  # as mail means two digits
        year += 1900 if year > 68 else 2000
    return in_utc(datetime(year, int(month), day, hour, minute, second, tzinfo=_zone(match["zone"])))


def _zone(text: str | None) -> timezone:
    """The zone `+0100`, and UTC for a name of it.

    Raises:
        ValueError: the offset is a day or more.
    """
    if not text or text[0] not in "+-":
        return UTC
    return timezone(timedelta(hours=int(text[:3]), minutes=int(text[0] + text[3:])))


def in_utc(time: datetime) -> datetime:
    """The same time in UTC. A time without a zone is in UTC already.

    Raises:
        OverflowError: it is outside of the years that UTC has here (1 to 9999).
    """
    if time.tzinfo is UTC:
        return time
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def parse_iso_time(text: str | None) -> datetime | None:
    """Parses a time of a document (ISO 8601), in UTC; None if it cannot be read."""
    try:
        return in_utc(datetime.fromisoformat(text or ""))
    except (ValueError, OverflowError):
        return None


def parse_iso_times(texts: Sequence[str]) -> Sequence[datetime | None]:
    """Parses the times of a listing as `parse_iso_time` does, in half of the time where all are valid."""
    try:
        return [time if time.tzinfo is UTC else in_utc(time) for time in map(datetime.fromisoformat, texts)]
    except (ValueError, OverflowError):
        return list(map(parse_iso_time, texts))


def parse_length(value: str | None) -> int | None:
    """Parses a Content-Length; None if it is missing, not a number, or above `MAX_LENGTH`."""
    if value is None or not (value.isascii() and value.isdigit()) or len(value) > 19:
        return None
    length = int(value)
    return length if length <= MAX_LENGTH else None


def header_text(headers: HttpHeaders, name: str) -> str | None:
    """A header as text that can be printed and encoded: UTF-8 where it is valid, else Latin-1."""
    value = headers.get(name)
    return value if value is None or value.isascii() else _readable(value)


def header_etag(headers: HttpHeaders) -> str | None:
    """The etag of a response; None if it is missing or empty, since an empty etag identifies nothing.

    Its bytes have no encoding (RFC 9110, 8.8.3), so each becomes the character of its number.
    """
    value = headers.get("etag")
    if value is None or value in _EMPTY_ETAGS:
        return None
    return value if value.isascii() else _bytes_of(value).decode("latin-1")


def quoted_etag(text: str | None) -> str | None:
    """An etag of a document, with its quotes. Some servers leave them out there but not in headers."""
    if not text or text == '""':
        return None
    return text if text.endswith('"') else f'"{text}"'


def etag_header(etag: str) -> str:
    """An etag as a header value, with the same bytes that the server sent."""
    if etag.isascii():
        return etag
    try:
        return etag.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # the etag is not from a header
        return etag


def _readable(value: str) -> str:
    content = _bytes_of(value)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _bytes_of(value: str) -> bytes:
    """The bytes of a value, as they were received."""
    return value.encode("utf-8", "surrogateescape")


def parse_retry_after(headers: HttpHeaders) -> float | None:
    """The seconds after which to retry, if the response states them.

    Retry-After has seconds or a time (RFC 9110, 10.2.3); a time counts from the Date of the response.
    `x-amz-retry-after` has milliseconds.
    """
    stated = headers.get("retry-after", "").strip()
    seconds, milliseconds = parse_length(stated), parse_length(headers.get("x-amz-retry-after"))
    if seconds is not None:
        return float(seconds)
    if milliseconds is not None:
        return milliseconds / 1000
    time = parse_http_date(stated)
    if time is None:
        return None
    since = parse_http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (time - since).total_seconds())


def parse_metadata(headers: HttpHeaders, **overrides: Any) -> Metadata:
    """The metadata of an object in the headers of a response.

    Arguments:
        headers: the headers.
        overrides: fields that the headers do not state, or state about something else: `content_length` of a partial
            response, `mode`, `version`, `user_metadata`.
    """
    if "content_length" not in overrides:
        overrides["content_length"] = parse_length(headers.get("content-length"))
    modified = headers.get("last-modified")
    for field, name in _TEXTS:
        if name in headers and field not in overrides:
            overrides[field] = header_text(headers, name)
    if "etag" not in overrides:
        overrides["etag"] = header_etag(headers)
    return _new_metadata(
        Metadata,
        last_modified=None if modified is None else parse_http_date(modified),
        **overrides,
    )
