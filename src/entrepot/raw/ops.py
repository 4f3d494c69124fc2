"""What an operation is asked: one record of arguments each, and one shared instance that asks nothing special.

The fields of these records are the options of the public operations, under the same names, with the
same types and defaults. Hints change how an answer is got, never what it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from entrepot.types import BytesRange

from .record import record

FULL_RANGE: Final = BytesRange()
DEFAULT_GAP: Final = 1024 * 1024


@record
class OpStat:
    """Arguments of `stat`.

    Arguments:
        version: the version of the object to ask about.
        if_match: only if the object has this etag.
        if_none_match: only if it has another.
        if_modified_since: only if it was written after this time, which has a time zone.
        if_unmodified_since: only if it was not.
    """

    version: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None


@record
class OpRead:
    """Arguments of `read`.

    Arguments:
        range: which bytes.
        version: the version of the object to read.
        if_match: only if the object has this etag.
        if_none_match: only if it has another.
        if_modified_since: only if it was written after this time, which has a time zone.
        if_unmodified_since: only if it was not.
        chunk: hint: read in requests of this many bytes; None is one stream.
        concurrent: hint: how many requests may be in flight; None is 1 for a stream, 8 for `fetch`.
        gap: hint: `fetch` joins ranges that are at most this many bytes apart.
        content_length_hint: hint: the size that the caller believes the object to have.
    """

    range: BytesRange = FULL_RANGE
    version: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None
    chunk: int | None = None
    concurrent: int | None = None
    gap: int = DEFAULT_GAP
    content_length_hint: int | None = None

    def to_stat(self) -> OpStat:
        """The arguments that ask about the same object under the same conditions."""
        return OpStat(
            version=self.version,
            if_match=self.if_match,
            if_none_match=self.if_none_match,
            if_modified_since=self.if_modified_since,
            if_unmodified_since=self.if_unmodified_since,
        )


@record
class OpWrite:
    """Arguments of `write`: replace the object by what is written."""


DEFAULT_STAT: Final = OpStat()
DEFAULT_READ: Final = OpRead()
DEFAULT_WRITE: Final = OpWrite()
HINTS: Final = frozenset({"chunk", "concurrent", "gap", "content_length_hint"})
