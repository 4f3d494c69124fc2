"""Checks the conditions of a read or stat, for services whose storage does not (RFC 9110, 13.2.2)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from entrepot.errors import ConditionNotMatch
from entrepot.types import Metadata

from .ops import OpRead, OpStat


def check_conditions(metadata: Metadata, args: OpRead | OpStat) -> None:
    """Compares the conditions with the object's metadata. An etag condition outranks the date condition beside it.

    Raises:
        ConditionNotMatch: a condition does not hold; the message names it.
    """
    if args.if_match is not None:
        _require(_matches_strongly(args.if_match, metadata.etag), "if_match")
    elif args.if_unmodified_since is not None:
        _require(not _is_later(metadata, args.if_unmodified_since), "if_unmodified_since")
    if args.if_none_match is not None:
        _require(not _matches_weakly(args.if_none_match, metadata.etag), "if_none_match")
    elif args.if_modified_since is not None:
        _require(_is_later(metadata, args.if_modified_since), "if_modified_since")


def is_conditional(args: OpRead | OpStat) -> bool:
    """Whether the object must be of a certain version, or satisfy a condition."""
    return (
        args.version is not None
        or args.if_match is not None
        or args.if_none_match is not None
        or args.if_modified_since is not None
        or args.if_unmodified_since is not None
    )


_WEAK: Final = "W/"


def _matches_strongly(condition: str, etag: str | None) -> bool:
    """Whether a condition, of one etag or of several between commas, names this one (RFC 9110, 8.8.3.2).

    Two contents may share a weak etag, so it matches none, itself included.
    """
    return condition == "*" or (etag is not None and not etag.startswith(_WEAK) and etag in _etags(condition))


def _matches_weakly(condition: str, etag: str | None) -> bool:
    """The same where an etag that is weak matches one that is equal but for that."""
    if condition == "*" or etag is None:
        return condition == "*"
    return etag.removeprefix(_WEAK) in [named.removeprefix(_WEAK) for named in _etags(condition)]


def _etags(condition: str) -> list[str]:
    """The etags of a condition, and the condition itself: a single one may have a comma in it."""
    return [condition, *(named.strip() for named in condition.split(","))]


def _is_later(metadata: Metadata, time: datetime) -> bool:
    return metadata.last_modified is not None and metadata.last_modified > time


def _require(holds: bool, condition: str) -> None:
    if not holds:
        raise ConditionNotMatch(f"{condition} does not hold")
