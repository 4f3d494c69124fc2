"""Checks that responses honour the conditions and versions of their requests, since many servers ignore them."""

from datetime import datetime

from entrepot.errors import ConditionNotMatch
from entrepot.raw.ops import OpRead, OpStat
from entrepot.types import Metadata


def check_honoured(metadata: Metadata, args: OpRead | OpStat) -> None:
    """Compares the metadata of a response with the conditions of its request (RFC 9110, 13.1 and 13.2.2).

    If the response does not state the compared value, `if_match` fails and the other conditions pass. Etags are
    compared without their quotes, which some servers leave out, and times to the second, as HTTP writes them.

    Raises:
        ConditionNotMatch: a condition does not hold. The message names it.
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
    """Compares the version in a response with the requested one.

    A response without a version passes: some servers do not repeat it.

    Raises:
        ConditionNotMatch: the response is of another version.
    """
    _require(args.version is None or stated is None or stated == args.version, "version")


def _tags(condition: str) -> list[tuple[bool, str] | None]:
    """The etags in a condition, which are separated by commas."""
    return [_tag(condition), *(_tag(etag.strip()) for etag in condition.split(","))]


def _tag(etag: str | None) -> tuple[bool, str] | None:
    """Whether an etag is weak, and the text in its quotes."""
    if etag is None:
        return None
    opaque = etag.removeprefix("W/")
    return opaque != etag, opaque.removeprefix('"').removesuffix('"')


def _opaque(etag: str | None) -> str | None:
    """An etag for the weak comparison (RFC 9110, 8.8.3.2)."""
    tag = _tag(etag)
    return None if tag is None else tag[1]


def _to_the_second(time: datetime) -> datetime:
    return time.replace(microsecond=0)


def _require(holds: bool, condition: str) -> None:
    if not holds:
        raise ConditionNotMatch(f"{condition} does not hold: the server responded with another object")
