"""Holds replies to what they were asked for, since many servers ignore conditions and versions."""

from datetime import datetime

from entrepot.errors import ConditionNotMatch
from entrepot.raw.ops import OpRead, OpStat
from entrepot.types import Metadata


def check_honoured(metadata: Metadata, args: OpRead | OpStat) -> None:
    """Compares what a reply shows with the conditions that it was asked under (RFC 9110, 13.1 and 13.2.2).

    What the reply says nothing about cannot hold for `if_match`, and is left alone otherwise. Etags count
    without their quotes, which some servers leave out, and times to the second, as HTTP writes them.

    Raises:
        ConditionNotMatch: naming the condition that does not hold.
    """
    etag, written = metadata.etag, metadata.last_modified
    if args.if_match is not None:
        named = _tags(args.if_match)
        _require(args.if_match == "*" or _tag(etag) in named, "if_match")
    elif args.if_unmodified_since is not None and written is not None:
        _require(written <= _to_the_second(args.if_unmodified_since), "if_unmodified_since")
    if args.if_none_match is not None:
        opaque = [tag[1] for tag in _tags(args.if_none_match) if tag is not None]
        _require(args.if_none_match != "*" and _opaque(etag) not in opaque, "if_none_match")
    elif args.if_modified_since is not None and written is not None:
        _require(written > _to_the_second(args.if_modified_since), "if_modified_since")


def check_version(stated: str | None, args: OpRead | OpStat) -> None:
    """Compares the version that a reply says it is of with the one that was asked for.

    A reply that names none is left alone: there are servers that do not repeat it.

    Raises:
        ConditionNotMatch: the reply is of another version.
    """
    _require(args.version is None or stated is None or stated == args.version, "version")


def _tags(condition: str) -> list[tuple[bool, str] | None]:
    """The etags that a condition names: one, or several between commas."""
    return [_tag(condition), *(_tag(one.strip()) for one in condition.split(","))]


def _tag(etag: str | None) -> tuple[bool, str] | None:
    """Whether an etag is weak, and what stands in its quotes."""
    if etag is None:
        return None
    opaque = etag.removeprefix("W/")
    return opaque != etag, opaque.removeprefix('"').removesuffix('"')


def _opaque(etag: str | None) -> str | None:
    """An etag for the weak comparison (RFC 9110, 8.8.3.2)."""
    tag = _tag(etag)
    return None if tag is None else tag[1]


def _to_the_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _require(holds: bool, condition: str) -> None:
    if not holds:
        raise ConditionNotMatch(f"{condition} does not hold: the server answers with another object")
