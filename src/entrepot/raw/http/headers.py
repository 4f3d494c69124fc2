"""The codecs of headers: conditions on the way out, metadata on the way in.

HTTP says of the bytes of a header value no encoding (RFC 9110, 5.5). The transport decodes them as UTF-8, and keeps
a byte that is not UTF-8 as a lone surrogate, so that nothing is lost. A lone surrogate can be neither printed nor
encoded, so none leaves this module: `header_text` decodes for readers, and `header_etag` for sending back.
"""

from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

from entrepot.raw.ops import OpRead, OpStat
from entrepot.types import Metadata

from .transport import Header, HttpHeaders

MAX_LENGTH: Final = 2**63 - 1
"""The largest length that is believed: what an offset in a file, and a size in Python, can be."""

_EMPTY_ETAGS: Final = frozenset({"", '""', "W/", 'W/""'})
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


def http_date(moment: datetime) -> str:
    """A time as HTTP writes it, to the second. One that lies outside of the years of UTC is the nearest in them."""
    try:
        stated = in_utc(moment)
    except OverflowError:
        stated = _EARLIEST if moment < _LATEST else _LATEST
    return format_datetime(stated.replace(microsecond=0), usegmt=True)


@lru_cache(maxsize=256)
def parse_http_date(value: str) -> datetime | None:
    """A time as HTTP writes it, in UTC; None where it cannot be read, since a wrong date is no reason to fail."""
    try:
        return in_utc(parsedate_to_datetime(value))
    except (ValueError, OverflowError):
        return None


def in_utc(moment: datetime) -> datetime:
    """The same time in UTC. A time without a zone is in UTC already.

    Raises:
        OverflowError: it lies outside of the years that there are in UTC.
    """
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_iso_time(text: str | None) -> datetime | None:
    """A time of a document (ISO 8601), in UTC; None if it cannot be read, since a wrong date is no reason to fail."""
    try:
        return in_utc(datetime.fromisoformat(text or ""))
    except (ValueError, OverflowError):
        return None


def parse_length(value: str | None) -> int | None:
    """A Content-Length; None where it is missing, not a number, or above `MAX_LENGTH`."""
    if value is None or not (value.isascii() and value.isdigit()) or len(value) > 19:
        return None
    length = int(value)
    return length if length <= MAX_LENGTH else None


def header_text(headers: HttpHeaders, name: str) -> str | None:
    """A header as text that can be printed and encoded: UTF-8 where it is valid, else Latin-1."""
    value = headers.get(name)
    return value if value is None or value.isascii() else _readable(value)


def header_etag(headers: HttpHeaders) -> str | None:
    """The etag of a response; None where it is missing or empty, which tells no object from another.

    Its bytes mean nothing (RFC 9110, 8.8.3), so each is the character of its number.
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
    """An etag as the value of a header whose bytes are those that the etag came with."""
    if etag.isascii():
        return etag
    try:
        return etag.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # it is not from a header
        return etag


def _readable(value: str) -> str:
    content = _bytes_of(value)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _bytes_of(value: str) -> bytes:
    """A value as it came over the wire."""
    return value.encode("utf-8", "surrogateescape")


def parse_retry_after(headers: HttpHeaders) -> float | None:
    """After how many seconds to try again, where the reply says so.

    It is Retry-After (RFC 9110, 10.2.3), as seconds or as a time, which counts from that of the reply; or
    `x-amz-retry-after`, in milliseconds.
    """
    stated = headers.get("retry-after", "").strip()
    seconds, milliseconds = parse_length(stated), parse_length(headers.get("x-amz-retry-after"))
    if seconds is not None:
        return float(seconds)
    if milliseconds is not None:
        return milliseconds / 1000
    moment = parse_http_date(stated)
    if moment is None:
        return None
    since = parse_http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (moment - since).total_seconds())


def parse_metadata(headers: HttpHeaders, **overrides: Any) -> Metadata:
    """What the headers of a reply say of the object.

    Arguments:
        headers: the headers.
        overrides: what the headers do not say, or say of something else: `content_length` of a partial reply, `mode`,
            `version`, `user_metadata`.
    """
    if "content_length" not in overrides:
        overrides["content_length"] = parse_length(headers.get("content-length"))
    modified = headers.get("last-modified")
    return Metadata(
        etag=header_etag(headers),
        last_modified=None if modified is None else parse_http_date(modified),
        content_type=header_text(headers, "content-type"),
        content_encoding=header_text(headers, "content-encoding"),
        content_disposition=header_text(headers, "content-disposition"),
        cache_control=header_text(headers, "cache-control"),
        content_md5=header_text(headers, "content-md5"),
        **overrides,
    )
