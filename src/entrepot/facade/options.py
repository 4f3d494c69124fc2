"""The options of the public operations: their types, and the check that each value passes before any I/O.

They are the fields of the `Op*` records (`raw/ops.py`) under the same names. An option has the same type
and check wherever it occurs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypedDict, TypeVar

from entrepot.errors import InvalidInput
from entrepot.raw import normalize_path
from entrepot.raw.ops import OpCopy, OpDelete, OpList, OpPresign, OpRead, OpRename, OpStat, OpWrite
from entrepot.types import BytesRange
from entrepot.types.numbers import as_integer
from entrepot.types.records import field_names
from entrepot.types.shown import shown

Arguments = TypeVar("Arguments")
Path = str | os.PathLike[str]
Range = BytesRange | tuple[int, int | None]
Expires = timedelta | int
Presigned = OpStat | OpRead | OpWrite | OpDelete


class StatOptions(TypedDict, total=False):
    """Options of `stat`; see `OpStat`."""

    version: str | None
    if_match: str | None
    if_none_match: str | None
    if_modified_since: datetime | None
    if_unmodified_since: datetime | None
    override_content_type: str | None
    override_content_disposition: str | None
    override_cache_control: str | None


class ReaderOptions(StatOptions, total=False):
    """Options of `read` and `reader`; see `OpRead`."""

    range: Range
    chunk: int | None
    concurrent: int | None
    gap: int
    content_length_hint: int | None


class WriterOptions(TypedDict, total=False):
    """Options of `write` and `writer`; see `OpWrite`."""

    append: bool
    content_type: str | None
    content_disposition: str | None
    content_encoding: str | None
    cache_control: str | None
    user_metadata: Mapping[str, str] | None
    if_match: str | None
    if_none_match: str | None
    if_not_exists: bool
    chunk: int | None
    concurrent: int | None


class DeleteOptions(TypedDict, total=False):
    """Options of `delete`; see `OpDelete`."""

    version: str | None
    recursive: bool


class ListerOptions(TypedDict, total=False):
    """Options of `list` and `lister`; see `OpList`."""

    recursive: bool
    start_after: Path | None
    versions: bool
    deleted: bool
    limit: int | None


class CopyOptions(TypedDict, total=False):
    """Options of `copy` and `copy_to`; see `OpCopy`."""

    if_not_exists: bool
    if_match: str | None
    source_version: str | None
    chunk: int | None
    concurrent: int | None
    source_content_length_hint: int | None


class RenameOptions(TypedDict, total=False):
    """Options of `rename`; see `OpRename`."""

    if_not_exists: bool


class PresignReadOptions(StatOptions, total=False):
    """Options of `presign_read`: those of `read` without its hints."""

    range: Range


class PresignWriteOptions(TypedDict, total=False):
    """Options of `presign_write`: those of `write` that one request can say."""

    content_type: str | None
    content_disposition: str | None
    content_encoding: str | None
    cache_control: str | None
    user_metadata: Mapping[str, str] | None
    if_match: str | None
    if_none_match: str | None
    if_not_exists: bool


class PresignDeleteOptions(TypedDict, total=False):
    """Options of `presign_delete`: those of `delete` that one request can say."""

    version: str | None


def shown_path(path: object) -> str:
    """A path as an error names it; of what cannot be one only its type, since it may hold a secret."""
    return str(path) if isinstance(path, str | os.PathLike) else f"<{type(path).__name__}>"


class AskedRange(NamedTuple):
    """A range as a builder was given it, to be checked when the call is made."""

    start: Any
    end: Any
    suffix: Any


def checked(default: Arguments, options: Mapping[str, Any]) -> Arguments:
    """The arguments of a call.

    Arguments:
        default: those that ask nothing special, such as `DEFAULT_READ`.
        options: what is asked, by name.

    Raises:
        InvalidInput: a value cannot work.
        TypeError: there is no such option.
    """
    if not options:
        return default
    _check_names(options, _OPTIONS[type(default)])
    return type(default)(**{name: _CHECKS[name](name, value) for name, value in options.items()})


def checked_presign(default: Presigned, expires: Any, options: Mapping[str, Any]) -> OpPresign:
    """The arguments of a presign.

    Arguments:
        default: the arguments of the operation that ask nothing special, such as `DEFAULT_READ`.
        expires: for how long the request shall hold: a `timedelta`, or whole seconds.
        options: those of the operation.

    Raises:
        InvalidInput: a value cannot work.
        TypeError: there is no such option.
    """
    _check_names(options, _PRESIGN_OPTIONS[type(default)])
    return OpPresign(operation=checked(default, options), expires=_expires(expires))


def _expires(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=as_integer("expires", value))
    except OverflowError:
        raise InvalidInput("expires is too long") from None


def _check_names(options: Iterable[str], known: Iterable[str]) -> None:
    for name in options:
        if name not in known:
            raise TypeError(f"there is no option {name!r}; the options are {', '.join(known)}")


def _range(name: str, value: Any) -> BytesRange:
    return BytesRange(*value) if isinstance(value, AskedRange) else BytesRange.of(value)


def _text(name: str, value: Any) -> str | None:
    """Text that can stand in a header or a query."""
    if value is None or (isinstance(value, str) and value.isprintable() and value.isascii() and value):
        return value
    wrong = "" if isinstance(value, str) else f", not {shown(value)}"
    raise InvalidInput(f"{name} is printable ASCII text that is not empty{wrong}")


def _moment(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return _in_utc(name, value)
    wrong = "; this one has none" if isinstance(value, datetime) else f", not {shown(value)}"
    raise InvalidInput(f"{name} is a datetime with a time zone{wrong}")


def _in_utc(name: str, value: datetime) -> datetime:
    """The same time in UTC, so that no service meets one that it cannot compute with."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{name} lies outside the years 1 to 9999 in UTC") from None


def _positive(name: str, value: Any) -> int | None:
    return None if value is None else as_integer(name, value, 1)


def _size(name: str, value: Any) -> int | None:
    return None if value is None else as_integer(name, value, 0)


def _gap(name: str, value: Any) -> int:
    return as_integer(name, value, 0)


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise InvalidInput(f"{name} is True or False, not {shown(value)}")


def _path(name: str, value: Any) -> str | None:
    return None if value is None else normalize_path(value)


_TOKEN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+.^_`|~-")  # of a name (RFC 9110, 5.6.2)
_LONGEST_NAME: Final = 200


def _user_metadata(name: str, value: Any) -> Mapping[str, str] | None:
    """Names are compared in lower case everywhere, so they are stored like that."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name} is a mapping of names to texts, not {shown(value)}")
    lowered: dict[str, str] = {}
    for key, text in value.items():
        lowered[_metadata_name(key, lowered)] = _metadata_text(key, text)
    return lowered


def _metadata_name(key: Any, known: Mapping[str, str]) -> str:
    lowered = key.lower() if isinstance(key, str) else ""
    if not 0 < len(lowered) <= _LONGEST_NAME or not _TOKEN.issuperset(lowered):
        raise InvalidInput(
            f"a name of user metadata is ASCII letters, digits and signs like '-', and number {len(known) + 1} is not"
        )
    if lowered in known:
        raise InvalidInput(f"user metadata has the name {lowered!r} twice")
    return lowered


def _metadata_text(key: str, text: Any) -> str:
    if isinstance(text, str) and (text.isprintable() or not text) and text.strip() == text:
        return text
    wrong = "" if isinstance(text, str) else f", not {shown(text)}"
    raise InvalidInput(f"the user metadata {key.lower()!r} is printable text without blanks around it{wrong}")


_RECORDS = (OpStat, OpRead, OpWrite, OpDelete, OpList, OpCopy, OpRename)
_OPTIONS: dict[type, tuple[str, ...]] = {record: field_names(record) for record in _RECORDS}
_PRESIGN_OPTIONS: Final[dict[type, list[str]]] = {
    OpStat: sorted(StatOptions.__optional_keys__),
    OpRead: sorted(PresignReadOptions.__optional_keys__),
    OpWrite: sorted(PresignWriteOptions.__optional_keys__),
    OpDelete: sorted(PresignDeleteOptions.__optional_keys__),
}
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "range": _range,
    "version": _text,
    "source_version": _text,
    "if_match": _text,
    "if_none_match": _text,
    "if_not_exists": _flag,
    "if_modified_since": _moment,
    "if_unmodified_since": _moment,
    "override_content_type": _text,
    "override_content_disposition": _text,
    "override_cache_control": _text,
    "chunk": _positive,
    "concurrent": _positive,
    "gap": _gap,
    "content_length_hint": _size,
    "source_content_length_hint": _size,
    "append": _flag,
    "content_type": _text,
    "content_disposition": _text,
    "content_encoding": _text,
    "cache_control": _text,
    "user_metadata": _user_metadata,
    "recursive": _flag,
    "start_after": _path,
    "versions": _flag,
    "deleted": _flag,
    "limit": _positive,
}
