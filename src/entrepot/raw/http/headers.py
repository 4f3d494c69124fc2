"""The codecs of headers: conditions on the way out, metadata on the way in."""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Any

from entrepot.raw.ops import OpRead, OpStat
from entrepot.types import Metadata

from .transport import Header, HttpHeaders


def conditional_headers(args: OpRead | OpStat) -> list[Header]:
    """The conditions of a read or stat (RFC 9110, section 13.1)."""
    headers: list[Header] = []
    if args.if_match is not None:
        headers.append(("If-Match", args.if_match))
    if args.if_none_match is not None:
        headers.append(("If-None-Match", args.if_none_match))
    if args.if_modified_since is not None:
        headers.append(("If-Modified-Since", http_date(args.if_modified_since)))
    if args.if_unmodified_since is not None:
        headers.append(("If-Unmodified-Since", http_date(args.if_unmodified_since)))
    return headers


def http_date(moment: datetime) -> str:
    """A time as HTTP writes it, to the second."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


@lru_cache(maxsize=256)
def parse_http_date(value: str) -> datetime | None:
    """A time as HTTP writes it; None where it cannot be read, since a wrong date is no reason to fail."""
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def parse_length(value: str | None) -> int | None:
    """A Content-Length; None where it is missing or no number."""
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 20 else None


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
    stated = headers.get
    if "content_length" not in overrides:
        overrides["content_length"] = parse_length(stated("content-length"))
    modified = stated("last-modified")
    return Metadata(
        etag=stated("etag"),
        last_modified=None if modified is None else parse_http_date(modified),
        content_type=stated("content-type"),
        content_encoding=stated("content-encoding"),
        content_disposition=stated("content-disposition"),
        cache_control=stated("cache-control"),
        content_md5=stated("content-md5"),
        **overrides,
    )
