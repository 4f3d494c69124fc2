"""What is known about an object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from .entry_mode import EntryMode
from .frozen_mapping import EMPTY, FrozenMapping

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from .records import dataclass

# On Python 3.11 to look up a member of an enum takes as long as a call.
_FILE, _DIRECTORY = EntryMode.FILE, EntryMode.DIR


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Metadata:
    """What the storage says about an object. A field that it does not say is None.

    Arguments:
        mode: file, directory, or unknown.
        content_length: the size of the whole object in bytes, also when a part of it was asked for.
        etag: the entity tag as the storage writes it, quotes included.
        last_modified: when it was last written, with a time zone.
        content_type: the media type.
        content_encoding: the encodings of the stored bytes, such as `"gzip"`. They are given back as stored.
        content_disposition: how a browser should present it.
        cache_control: how long others may keep it.
        content_md5: the MD5 of the content, base64.
        version: the version of a versioned object.
        is_current: whether this is the version that a read without one gives; None where it is not told.
        is_deleted: whether this version says that the object was deleted; it has no content.
        user_metadata: what the user stored beside it, keys in lower case. It is copied, and cannot be changed.
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

    def __init__(  # noqa: PLR0913, PLR0917 - the fields, as `dataclass` would have them
        self,
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
    ) -> None:
        _set_mode(self, mode)
        _set_content_length(self, content_length)
        _set_etag(self, etag)
        _set_last_modified(self, last_modified)
        _set_content_type(self, content_type)
        _set_content_encoding(self, content_encoding)
        _set_content_disposition(self, content_disposition)
        _set_cache_control(self, cache_control)
        _set_content_md5(self, content_md5)
        _set_version(self, version)
        _set_is_current(self, is_current)
        _set_is_deleted(self, is_deleted)
        kept = user_metadata if type(user_metadata) is FrozenMapping else FrozenMapping(user_metadata)
        _set_user_metadata(self, kept)

    def __repr__(self) -> str:
        """The mode, and every other field that is neither None nor at its default."""
        known = [f"mode={str(self.mode)!r}"]
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value is not None and value != field.default:
                known.append(f"{field.name}={value!r}")
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
        """Whether both can describe the same bytes, by what both know.

        An equal version or strong etag decides more than a time: the same content may be stored again. A weak etag
        does not (RFC 9110, 8.8.1).
        """
        if any(_same_mark(self, other, mark) is False for mark in ("content_length", "version", "etag")):
            return False
        if _same_mark(self, other, "version") or (_same_mark(self, other, "etag") and not self.has_weak_etag):
            return True
        return _same_mark(self, other, "last_modified") is not False

    @property
    def has_weak_etag(self) -> bool:
        """Whether there is an etag that two contents may share."""
        return self.etag is not None and self.etag.startswith("W/")


# The slots themselves, set once by `__init__`: what `dataclass` writes for frozen ones takes twice the time, and a
# `stat` of a local file would spend a tenth of its own on it.
(
    _set_mode,
    _set_content_length,
    _set_etag,
    _set_last_modified,
    _set_content_type,
    _set_content_encoding,
    _set_content_disposition,
    _set_cache_control,
    _set_content_md5,
    _set_version,
    _set_is_current,
    _set_is_deleted,
    _set_user_metadata,
) = (getattr(Metadata, name).__set__ for name in Metadata.__slots__)


_WEAK = "W/"


def _same_mark(one: Metadata, other: Metadata, mark: str) -> bool | None:
    """Whether both have a mark and it is the same; an etag that was weak can be strong by now."""
    mine, theirs = getattr(one, mark), getattr(other, mark)
    if mine is None or theirs is None:
        return None
    return bool(mine == theirs or (mark == "etag" and mine.removeprefix(_WEAK) == theirs.removeprefix(_WEAK)))
