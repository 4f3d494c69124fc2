"""`Metadata`: the properties of an object."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, final

from entrepot import types

from .entry_mode import EntryMode
from .frozen_mapping import EMPTY, FrozenMapping

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass

# On Python 3.11 the lookup of an enum member takes as long as a call.
_FILE, _DIRECTORY = EntryMode.FILE, EntryMode.DIR

_IMPLIED = {"is_deleted": False, "user_metadata": EMPTY, "checksums": ()}
"""The values that the repr leaves out, besides None."""


@final
@dataclass(frozen=True, slots=True, init=False, repr=False)
class Metadata:
    """The properties of an object as the storage reports them. A field that it does not report is None.

    Arguments:
        mode: file, directory, or unknown.
        content_length: the size of the whole object in bytes, also in the response to a range.
        etag: the entity tag as the storage writes it, quotes included.
        last_modified: the time of the last write, with a time zone.
        content_type: the media type.
        content_encoding: the encodings of the stored bytes, such as `"gzip"`. Reads return the bytes as stored.
        content_disposition: how a browser presents it.
        cache_control: how long caches may keep it.
        content_md5: the MD5 of the content, base64.
        version: the version of a versioned object.
        is_current: whether this is the version that a read without a version returns; None if unknown.
        is_deleted: whether this version is a delete marker, which has no content.
        user_metadata: the user's own metadata, with keys in lower case. It is copied, and immutable.
        content_language: the languages of the content, such as `"de, en"`.
        storage_class: the storage class, by the name that the storage has for it. Amazon S3 does not report its default
            class, STANDARD.
        checksums: the checksums that the storage has of the content.
    """

    mode: EntryMode = EntryMode.FILE
    content_length: int | None = None
    etag: str | None = None
    last_modified: datetime | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    content_md5: str | None = None
    version: str | None = None
    is_current: bool | None = None
    is_deleted: bool = False
    user_metadata: Mapping[str, str] = EMPTY
    content_language: str | None = None
    storage_class: str | None = None
    checksums: tuple[types.Checksum, ...] = ()

    def __new__(  # noqa: PLR0913, PLR0917 - the fields, as `dataclass` would have them
        cls,
        mode: EntryMode = EntryMode.FILE,
        content_length: int | None = None,
        etag: str | None = None,
        last_modified: datetime | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        content_disposition: str | None = None,
        cache_control: str | None = None,
        content_md5: str | None = None,
        version: str | None = None,
        is_current: bool | None = None,
        is_deleted: bool = False,  # noqa: FBT002 - the same
        user_metadata: Mapping[str, str] = EMPTY,
        content_language: str | None = None,
        storage_class: str | None = None,
        checksums: tuple[types.Checksum, ...] = (),
    ) -> Self:
        made: Any = _Fields()
        made.mode = mode
        made.content_length = content_length
        made.etag = etag
        made.last_modified = last_modified
        made.content_type = content_type
        made.content_encoding = content_encoding
        made.content_disposition = content_disposition
        made.cache_control = cache_control
        made.content_md5 = content_md5
        made.version = version
        made.is_current = is_current
        made.is_deleted = is_deleted
        made.user_metadata = user_metadata if type(user_metadata) is FrozenMapping else FrozenMapping(user_metadata)
        made.content_language = content_language
        made.storage_class = storage_class
        made.checksums = checksums
        return _frozen(made)  # type: ignore[no-any-return]

    def __init_subclass__(cls) -> None:
        raise TypeError("Metadata cannot be subclassed: keep what you add beside it")

    def __repr__(self) -> str:
        """The mode, and every other field that is neither None nor implied."""
        known = [f"mode={str(self.mode)!r}"]
        for name in type(self).__slots__[1:]:
            value = getattr(self, name)
            if value is not None and value != _IMPLIED.get(name):
                known.append(f"{name}={value!r}")
        return f"Metadata({', '.join(known)})"

    @property
    def is_file(self) -> bool:
        """Whether this is a file."""
        return self.mode is _FILE

    @property
    def is_dir(self) -> bool:
        """Whether this is a directory."""
        return self.mode is _DIRECTORY

    def is_same_content(self, other: Metadata) -> bool:
        """Whether both can describe the same bytes, judged by the fields that both have.

        An equal version or strong etag outranks `last_modified`: the same content may be stored again. A weak etag
        does not (RFC 9110, 8.8.1).
        """
        if any(_is_equal(self, other, field) is False for field in ("content_length", "version", "etag")):
            return False
        if _is_equal(self, other, "version") or (_is_equal(self, other, "etag") and not self.has_weak_etag):
            return True
        return _is_equal(self, other, "last_modified") is not False

    @property
    def has_weak_etag(self) -> bool:
        """Whether the etag is weak: two contents may share it."""
        return self.etag is not None and self.etag.startswith("W/")


class _Fields:
    """The fields of a `Metadata` that is being made.

    Python assigns to an attribute at full speed only where the class has no `__setattr__`, which a frozen class has.
    With 16 fields, setting them here and then changing the class takes half of the time.
    """

    __slots__ = Metadata.__slots__


_SETTERS = tuple(getattr(Metadata, name).__set__ for name in Metadata.__slots__)


def _with_class(made: Any) -> Any:
    """Makes the fields metadata, without a copy."""
    made.__class__ = Metadata
    return made


def _copied(made: Any) -> Any:
    """Returns new metadata with the same fields."""
    copy = object.__new__(Metadata)
    for setter, name in zip(_SETTERS, Metadata.__slots__, strict=True):
        setter(copy, getattr(made, name))
    return copy


# Without the GIL, an assignment to `__class__` stops all threads.
_frozen = _copied if "t" in getattr(sys, "abiflags", "") else _with_class


_WEAK = "W/"


def _is_equal(first: Metadata, second: Metadata, field: str) -> bool | None:
    """Whether a field is equal in both; None if one of them lacks it."""
    mine, theirs = getattr(first, field), getattr(second, field)
    if mine is None or theirs is None:
        return None
    return bool(mine == theirs or (field == "etag" and _became_strong(first, second)))


def _became_strong(first: Metadata, second: Metadata) -> bool:
    """Whether the etags differ only in being weak, as fs states them of a file that changed just now and later.

    Of a server that states no time, nothing shows that both are of one content.
    """
    same_tag = (first.etag or "").removeprefix(_WEAK) == (second.etag or "").removeprefix(_WEAK)
    return same_tag and first.last_modified is not None and first.last_modified == second.last_modified
