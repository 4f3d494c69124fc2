"""Checks the options of the public operations before any I/O, and makes their records.

The options are the fields of the `Op*` records (`raw/ops.py`) under the same names. The check of an option follows from
the type of its field, so that a new option needs nothing here unless its type is new.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from entrepot.errors import InvalidInput
from entrepot.raw import normalize_path
from entrepot.raw.ops import (
    DEFAULT_WRITE,
    OPTION_RECORDS,
    SIGNED_OPTIONS,
    OpCompleteUpload,
    OpDelete,
    OpGetTags,
    OpPart,
    OpPost,
    OpPresign,
    OpRead,
    OpSetTags,
    OpSharedUpload,
    OpStartUpload,
    OpStat,
    OpUploadPart,
    OpWrite,
    option_type,
)
from entrepot.types import BytesRange, Part
from entrepot.types.numbers import as_integer
from entrepot.types.shown import shown

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass

Arguments = TypeVar("Arguments")
Path = str | os.PathLike[str]
Range = BytesRange | tuple[int, int | None]
Expires = timedelta | int
Presigned = OpStat | OpRead | OpWrite | OpDelete

_OTHER_ALPHABETS: Final = "; a name in other letters is encoded, as in attachment; filename*=UTF-8''na%C3%AFve.pdf"
"""What to do about the name of a file in Content-Disposition (RFC 8187)."""


def shown_path(path: object) -> str:
    """A path as errors show it. Of a value of another type only the type is shown: it may hold a secret."""
    return str(path) if isinstance(path, str | os.PathLike) else f"<{type(path).__name__}>"


@dataclass(frozen=True, slots=True)
class UncheckedRange:
    """The arguments of the step `range` of a builder. They are checked when the call is made."""

    start: Any
    end: Any
    suffix: Any


def checked(default: Arguments, options: Mapping[str, Any]) -> Arguments:
    """Makes the arguments of a call from its options.

    Arguments:
        default: the arguments of a call without options, such as `DEFAULT_READ`.
        options: the values by option.

    Raises:
        InvalidInput: a value is invalid.
        TypeError: the operation has no such option.
    """
    if not options:
        return default
    _check_names(options, type(default).__annotations__)
    return type(default)(**{name: _CHECKS[name](name, value) for name, value in options.items()})


def checked_get_tags(version: Any) -> OpGetTags:
    """Makes the arguments of `get_tags`.

    Raises:
        InvalidInput: the version is not valid.
    """
    return OpGetTags(version=_text("version", version))


def checked_set_tags(tags: Any, version: Any) -> OpSetTags:
    """Makes the arguments of `set_tags`.

    Raises:
        InvalidInput: the tags are not a mapping of texts, a text is too long, or the version is not valid.
    """
    return OpSetTags(tags=_checked_tags("tags", tags), version=_text("version", version))


def checked_presign(default: Presigned, expires: Any, options: Mapping[str, Any]) -> OpPresign:
    """Makes the arguments of a presign.

    Arguments:
        default: the arguments of the operation without options, such as `DEFAULT_READ`.
        expires: how long the request is valid: a `timedelta`, or whole seconds.
        options: the options of the operation.

    Raises:
        InvalidInput: a value is invalid.
        TypeError: the presigned operation has no such option.
    """
    _check_names(options, SIGNED_OPTIONS[type(default)])
    return OpPresign(operation=checked(default, options), expires=_expires(expires))


def checked_post(expires: Any, content_length: Any, content_type_prefix: Any, options: Mapping[str, Any]) -> OpPresign:
    """Makes the arguments of a presigned form.

    Arguments:
        expires: how long it is valid: a `timedelta`, or whole seconds.
        content_length: the fewest and the most bytes of the file, or None.
        content_type_prefix: the start of the media type, or None.
        options: the options of the write that a presigned request can have.

    Raises:
        InvalidInput: a value is invalid.
        TypeError: a presigned write has no such option.
    """
    _check_names(options, SIGNED_OPTIONS[OpWrite])
    write = checked(DEFAULT_WRITE, options)
    prefix = _text("content_type_prefix", content_type_prefix)
    if prefix is not None and write.content_type is not None:
        raise InvalidInput("content_type and content_type_prefix exclude each other")
    limits = None if content_length is None else _length_range(content_length)
    return OpPresign(
        operation=OpPost(write=write, content_length=limits, content_type_prefix=prefix), expires=_expires(expires)
    )


def checked_part(expires: Any, upload: Any, number: Any) -> OpPresign:
    """Makes the arguments of a presigned part.

    Raises:
        InvalidInput: a value is invalid.
    """
    name = _text("upload", upload)
    if name is None:
        raise InvalidInput("upload is the id of an upload, not None")
    return OpPresign(operation=OpPart(upload=name, number=as_integer("number", number, 1)), expires=_expires(expires))


def checked_start_upload(options: Mapping[str, Any]) -> OpSharedUpload:
    """Makes the arguments of the start of a shared upload.

    Raises:
        InvalidInput: a value is invalid, or an option cannot be part of such an upload.
        TypeError: a write has no such option.
    """
    alien = options.keys() & {"append", "if_match", "if_none_match", "if_not_exists"}
    if alien:
        raise InvalidInput(f"{min(alien)} cannot be an option of an upload whose parts several processes send")
    return OpSharedUpload(step=OpStartUpload(write=checked(DEFAULT_WRITE, options)))


def checked_upload_part(upload: Any, number: Any) -> OpSharedUpload:
    """Makes the arguments of a part of a shared upload.

    Raises:
        InvalidInput: a value is invalid.
    """
    return OpSharedUpload(step=OpUploadPart(upload=checked_upload(upload), number=as_integer("number", number, 1)))


def checked_complete_upload(upload: Any, parts: Any) -> OpSharedUpload:
    """Makes the arguments of the end of a shared upload. The parts are put in order.

    Raises:
        InvalidInput: a value is invalid, or the parts are none, or two have one number.
    """
    name = checked_upload(upload)
    if isinstance(parts, str | bytes) or not isinstance(parts, Iterable):
        raise InvalidInput(f"parts must be an iterable of Part, not {type(parts).__name__}")
    stored = list(parts)
    if not stored or not all(isinstance(part, Part) for part in stored):
        raise InvalidInput("parts must be one or more Part, as upload_part returns them")
    if len({part.number for part in stored}) != len(stored):
        raise InvalidInput("two parts have the same number")
    ordered = tuple(sorted(stored, key=lambda part: part.number))
    return OpSharedUpload(step=OpCompleteUpload(upload=name, parts=ordered))


def checked_upload(upload: Any) -> str:
    """Checks the id of an upload.

    Raises:
        InvalidInput: it is not one.
    """
    name = _text("upload", upload)
    if not name:
        raise InvalidInput(f"upload is the id of an upload, not {shown(upload)}")
    return name


def _length_range(value: Any) -> tuple[int, int]:
    if not isinstance(value, tuple) or len(value) != 2:
        raise InvalidInput(
            f"content_length is the fewest and the most bytes, such as (1, 1_000_000), not {shown(value)}"
        )
    least, most = (as_integer("content_length", bound, 0) for bound in value)
    if least > most:
        raise InvalidInput(f"content_length starts at {least}, which is more than its end, {most}")
    return least, most


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
    if isinstance(value, UncheckedRange):
        return BytesRange(value.start, value.end, value.suffix)
    return BytesRange.of(value)


def _text(name: str, value: Any) -> str | None:
    """Text that fits into a header or a query."""
    if value is None or (isinstance(value, str) and value.isprintable() and value.isascii() and value):
        return value
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is printable ASCII text that is not empty, not {shown(value)}")
    encoded = _OTHER_ALPHABETS if name.endswith("content_disposition") and value.isprintable() and value else ""
    raise InvalidInput(f"{name} is printable ASCII text that is not empty{encoded}")


def _time(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return _in_utc(name, value)
    wrong = "; this one has none" if isinstance(value, datetime) else f", not {shown(value)}"
    raise InvalidInput(f"{name} is a datetime with a time zone{wrong}")


def _in_utc(name: str, value: datetime) -> datetime:
    """The same time in UTC, so that every service can compute with it."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(f"{name} lies outside the years 1 to 9999 in UTC") from None


def _count(name: str, value: Any) -> int | None:
    return None if value is None else as_integer(name, value, 1)


def _size(name: str, value: Any) -> int | None:
    return None if value is None else as_integer(name, value, 0)


def _required_size(name: str, value: Any) -> int:
    return as_integer(name, value, 0)


def checked_flag(name: str, value: Any) -> bool:
    """A value that must be True or False.

    Raises:
        InvalidInput: it is something else.
    """
    if isinstance(value, bool):
        return value
    raise InvalidInput(f"{name} must be True or False, not {shown(value)}")


def _path(name: str, value: Any) -> str | None:
    return None if value is None else normalize_path(value)


_TOKEN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+.^_`|~-")  # of a name (RFC 9110, 5.6.2)
_LONGEST_NAME: Final = 200


def _user_metadata(name: str, value: Any) -> Mapping[str, str] | None:
    """User metadata with names in lower case, because every service compares them without case."""
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


_LONGEST_TAG: Final = 1024


def _tags(name: str, value: Any) -> Mapping[str, str] | None:
    """Names and values of tags. Unlike those of headers they may have any character that can be encoded."""
    return None if value is None else _checked_tags(name, value)


def _checked_tags(name: str, value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name} must be a mapping of names to texts, not {shown(value)}")
    for key, text in value.items():
        if not _is_tag_text(key) or not key:
            raise InvalidInput(f"a name in {name} must be valid Unicode text of 1 to {_LONGEST_TAG} characters")
        if not _is_tag_text(text):
            raise InvalidInput(f"the value of {key!r} in {name} must be valid Unicode text, {_LONGEST_TAG} at most")
    return dict(value)


def _is_tag_text(text: Any) -> bool:
    if not isinstance(text, str) or len(text) > _LONGEST_TAG:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


_CHECKS_BY_TYPE: Final[dict[str, Callable[[str, Any], Any]]] = {
    "BytesRange": _range,
    "str | None": _text,
    "PathText | None": _path,
    "datetime | None": _time,
    "bool": checked_flag,
    "Count | None": _count,
    "Size | None": _size,
    "Size": _required_size,
    "Mapping[str, str] | None": _user_metadata,
    "Tags | None": _tags,
}
_CHECKS: Final = {
    name: _CHECKS_BY_TYPE[option_type(annotation)]
    for arguments in OPTION_RECORDS
    for name, annotation in arguments.__annotations__.items()
}
