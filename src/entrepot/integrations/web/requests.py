"""A request for an object, and its evaluation against the metadata of the object (RFC 9110, sections 13 and 14).

Theory of operation. Everything here is a pure function of the method and headers of a request and of the metadata of
the object. Preconditions are evaluated in the order of section 13.2.2: If-Match, or else If-Unmodified-Since; then
If-None-Match, or else If-Modified-Since; then If-Range. A header that cannot be parsed is ignored, as that section
requires for dates and as is allowed for ranges.

One range is answered with 206. Several ranges are answered with 200 and the whole object: a server may ignore Range
(14.2), every client of a multipart answer has to accept that, and many small ranges are a known attack. A range of an
empty object is answered in the same way, because Content-Range cannot express it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final

from entrepot import BytesRange, Metadata

_RANGE: Final = re.compile(r"(\d{1,99})-(\d{1,99})?|-(\d{1,99})", re.ASCII)
_LARGEST: Final = 2**63 - 2
_ETAG: Final = re.compile(r'(?:W/)?"[^"]*"')
_WEAK: Final = "W/"


class Outcome(Enum):
    """The result of the preconditions and the range."""

    WHOLE = auto()
    PARTIAL = auto()
    NOT_MODIFIED = auto()
    PRECONDITION_FAILED = auto()
    NOT_SATISFIABLE = auto()


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """The part of a request that decides how an object is answered.

    Arguments:
        method: the method, in upper case.
        headers: the headers by name in lower case. Lines of the same name are joined by commas.
    """

    method: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, method: str, headers: Iterable[tuple[str, str]]) -> ObjectRequest:
        """The request with these header lines."""
        joined: dict[str, str] = {}
        for name, value in headers:
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        return cls(method.upper(), joined)

    @property
    def has_conditions(self) -> bool:
        """Whether the object's metadata decides if content is sent at all, or which part of it."""
        return not self.headers.keys().isdisjoint(_CONDITIONS)

    def requested_range(self) -> BytesRange | None:
        """The one range that the request asks for; None is the whole object. Only GET has ranges (14.2)."""
        return parse_range(self.headers.get("range", "")) if self.method == "GET" else None

    def evaluate(self, metadata: Metadata) -> Outcome:
        """Evaluates the preconditions, and then the range, for an object with this metadata."""
        if not self._may_proceed(metadata):
            return Outcome.PRECONDITION_FAILED
        if self._has_current_copy(metadata):
            return Outcome.NOT_MODIFIED
        wanted, size = self.requested_range(), metadata.content_length
        if wanted is None or not size or not self._is_range_of(metadata):
            return Outcome.WHOLE
        if wanted.suffix == 0 or wanted.start >= size:
            return Outcome.NOT_SATISFIABLE
        return Outcome.PARTIAL

    def _may_proceed(self, metadata: Metadata) -> bool:
        required = self.headers.get("if-match")
        if required is not None:
            return required.strip() == "*" or matches_strongly(_etags(required), metadata.etag)
        limit = parse_date(self.headers.get("if-unmodified-since"))
        written = metadata.last_modified
        return limit is None or written is None or _to_the_second(written) <= limit

    def _has_current_copy(self, metadata: Metadata) -> bool:
        known = self.headers.get("if-none-match")
        if known is not None:
            return known.strip() == "*" or matches_weakly(_etags(known), metadata.etag)
        since = parse_date(self.headers.get("if-modified-since"))
        written = metadata.last_modified
        return since is not None and written is not None and _to_the_second(written) <= since

    def _is_range_of(self, metadata: Metadata) -> bool:
        """Whether If-Range, if any, names this very content: by a strong etag, or by the exact date (13.1.5).

        A client must not send a date that it knows to be weak, so the server only compares it.
        """
        validator = self.headers.get("if-range")
        if validator is None:
            return True
        if '"' in validator:
            return matches_strongly([validator.strip()], metadata.etag)
        stated, written = parse_date(validator), metadata.last_modified
        return stated is not None and written is not None and _to_the_second(written) == stated


_CONDITIONS: Final = {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"}


def parse_range(value: str) -> BytesRange | None:
    """The range of a Range header with exactly one; None if there is none, or several, or it cannot be parsed."""
    unit, _, ranges = value.partition("=")
    named = [text.strip() for text in ranges.split(",") if text.strip()]
    match = _RANGE.fullmatch(named[0]) if unit.strip().lower() == "bytes" and len(named) == 1 else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return BytesRange(suffix=_position(suffix))
    if last is not None and int(last) < int(first):
        return None
    return BytesRange(_position(first), None if last is None else _position(last) + 1)


def _position(digits: str) -> int:
    """A position, or the largest one: a client may name any number past the end."""
    return min(int(digits), _LARGEST)


def parse_date(value: str | None) -> datetime | None:
    """A time of HTTP in UTC; None if there is none or it cannot be parsed."""
    try:
        parsed = parsedate_to_datetime(value or "")
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def matches_strongly(named: list[str], etag: str | None) -> bool:
    """Whether one of the etags is this one, and strong (8.8.3.2)."""
    return etag is not None and not etag.startswith(_WEAK) and etag in named


def matches_weakly(named: list[str], etag: str | None) -> bool:
    """Whether one of the etags is this one, be they strong or weak (8.8.3.2)."""
    return etag is not None and etag.removeprefix(_WEAK) in [text.removeprefix(_WEAK) for text in named]


def _etags(condition: str) -> list[str]:
    return _ETAG.findall(condition)


def _to_the_second(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(microsecond=0)
