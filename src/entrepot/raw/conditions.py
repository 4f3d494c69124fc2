"""The conditions of a read or stat, for services that must check them themselves (RFC 9110, 13.2.2)."""

from __future__ import annotations

from datetime import datetime

from entrepot.errors import ConditionNotMatch
from entrepot.types import Metadata

from .ops import OpRead, OpStat


def check_conditions(metadata: Metadata, args: OpRead | OpStat) -> None:
    """Compares what was asked with what is there. An etag condition outranks the date condition beside it.

    Raises:
        ConditionNotMatch: naming the condition that does not hold.
    """
    if args.if_match is not None:
        _require(_matches(args.if_match, metadata.etag), "if_match")
    elif args.if_unmodified_since is not None:
        _require(not _is_later(metadata, args.if_unmodified_since), "if_unmodified_since")
    if args.if_none_match is not None:
        _require(not _matches(args.if_none_match, metadata.etag), "if_none_match")
    elif args.if_modified_since is not None:
        _require(_is_later(metadata, args.if_modified_since), "if_modified_since")


def _matches(asked: str, etag: str | None) -> bool:
    """Whether a condition, of one etag or of several between commas, names this one."""
    return asked in ("*", etag) or etag in [one.strip() for one in asked.split(",")]


def _is_later(metadata: Metadata, moment: datetime) -> bool:
    return metadata.last_modified is not None and metadata.last_modified > moment


def _require(holds: bool, condition: str) -> None:
    if not holds:
        raise ConditionNotMatch(f"{condition} does not hold")
